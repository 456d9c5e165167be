//! Good values that are not this account's to use: branches, repositories, accounts.

use ghbroker::proto::*;
use github_sim::seed;
use tonic::Code;

use super::{assert_untouched, commit, untouched};
use crate::harness::{REPO, World, status::assert_reason, write};

#[tokio::test]
async fn only_the_staging_branch_is_written_to() {
    let (world, ..) = untouched().await;
    world.sim.commit(REPO, "feature", &[("f.txt", "f\n")]);
    let before = (world.footprint(), super::connection(&world).await);
    for branch in ["main", "feature", "no-such-branch", "Staging", "staging/x"] {
        let request =
            CommitFilesRequest { branch: branch.into(), ..commit(vec![write("a.txt", "a")]) };
        let refused = world.commit_files(request).await.unwrap_err();
        assert_reason(&refused, Code::PermissionDenied, "BRANCH_NOT_ALLOWED");
    }
    assert_untouched(&world, &before).await;

    let named =
        CommitFilesRequest { branch: "staging".into(), ..commit(vec![write("a.txt", "a")]) };
    assert_eq!(world.commit_files(named).await.unwrap().branch, "staging");
}

#[tokio::test]
async fn a_repository_that_is_not_bound_is_out_of_reach() {
    let (world, ..) = untouched().await;
    // The installation covers it, so that GitHub would say yes.
    let attic = seed::Repository {
        owner: "acme".into(),
        name: "attic".into(),
        files: [("README.md".to_owned(), "# Attic\n".to_owned())].into(),
        ..Default::default()
    };
    world.sim.add_repository(&attic).unwrap();
    let before = (world.footprint(), super::connection(&world).await);
    let account = || crate::harness::ACCOUNT.to_owned();
    let repository = || "acme/attic".to_owned();
    let token =
        GetRepoTokenRequest { account: account(), repository: repository(), ..Default::default() };
    let files = CommitFilesRequest { repository: repository(), ..commit(vec![write("a", "a")]) };
    let pull = OpenPromotionPrRequest {
        account: account(),
        repository: repository(),
        ..Default::default()
    };
    for refused in [
        world.get_repo_token(token).await.unwrap_err(),
        world.commit_files(files).await.unwrap_err(),
        world.open_promotion_pr(pull).await.unwrap_err(),
    ] {
        assert_reason(&refused, Code::NotFound, "REPO_NOT_ACCESSIBLE");
    }
    assert_untouched(&world, &before).await;
}

#[tokio::test]
async fn permissions_that_were_not_granted_are_not_handed_out() {
    let world = World::connected().await;
    let request = GetRepoTokenRequest {
        account: crate::harness::ACCOUNT.into(),
        permissions: [("administration".to_owned(), "write".to_owned())].into(),
        ..Default::default()
    };
    let refused = world.get_repo_token(request).await.unwrap_err();
    let details = assert_reason(&refused, Code::FailedPrecondition, "PERMISSION_NOT_GRANTED");
    assert!(details.error_info().unwrap().metadata["missing"].contains("administration"));
}
