//! Two customers of one App: neither reaches anything of the other.

use ghbroker::proto::*;
use tonic::{Code, Status};

use super::{
    OTHER, OTHER_INSTALLATION, OTHER_REPO, add_globex, bind, connection, installed, token,
};
use crate::harness::{ACCOUNT, REPO, World, status::assert_reason, write};

async fn two_customers() -> World {
    let world = World::connected().await;
    add_globex(&world);
    world.register_installation(installed(OTHER, OTHER_INSTALLATION)).await.unwrap();
    world.configure_repo(bind(OTHER, OTHER_REPO)).await.unwrap();
    world
}

/// All that OTHER can ask about a repository.
async fn attempts(world: &World, repository: &str) -> Vec<Status> {
    let account = || OTHER.to_owned();
    let repository = || repository.to_owned();
    vec![
        world
            .get_repo_token(GetRepoTokenRequest {
                account: account(),
                repository: repository(),
                ..Default::default()
            })
            .await
            .unwrap_err(),
        world
            .commit_files(CommitFilesRequest {
                account: account(),
                repository: repository(),
                message: "Intrude".into(),
                files: vec![write("a.txt", "a")],
                ..Default::default()
            })
            .await
            .unwrap_err(),
        world
            .open_promotion_pr(OpenPromotionPrRequest {
                account: account(),
                repository: repository(),
                ..Default::default()
            })
            .await
            .unwrap_err(),
        world.configure_repo(bind(OTHER, &repository())).await.unwrap_err(),
    ]
}

#[tokio::test]
async fn anothers_repository_answers_as_one_that_does_not_exist() {
    let world = two_customers().await;
    let before = world.footprint();
    let theirs = attempts(&world, REPO).await;
    let nothing = attempts(&world, "acme/never-was").await;
    for (refused, unknown) in theirs.iter().zip(&nothing) {
        assert_reason(refused, Code::NotFound, "REPO_NOT_ACCESSIBLE");
        assert_eq!(
            refused.message().replace(REPO, "X"),
            unknown.message().replace("acme/never-was", "X")
        );
    }
    let after = world.footprint();
    assert_eq!((after.refs, after.pulls), (before.refs, before.pulls));
    assert_eq!(connection(&world, OTHER).await.unwrap().bindings.len(), 1);
}

#[tokio::test]
async fn a_check_of_anothers_repository_finds_nothing_there() {
    let world = two_customers().await;
    let request =
        VerifyRepoRequest { account: OTHER.into(), repository: REPO.into(), ..Default::default() };
    let answer = world.verify_repo(request).await.unwrap();
    assert!(!answer.ok);
    assert_eq!((answer.repository.as_str(), answer.repository_id), ("", 0));
}

#[tokio::test]
async fn a_token_is_for_the_accounts_own_repository_alone() {
    let world = two_customers().await;
    let mine = world.token(&[]).await;
    let theirs = token(&world, OTHER).await.unwrap();
    assert_eq!((mine.repository.as_str(), theirs.repository.as_str()), (REPO, OTHER_REPO));
    assert_ne!(mine.token, theirs.token);
    let clone = tokio::process::Command::new("git")
        .args(["-c", "credential.helper=", "ls-remote"])
        .arg(mine.clone_url.replacen("://", &format!("://x-access-token:{}@", theirs.token), 1))
        .env("GIT_TERMINAL_PROMPT", "0")
        .output()
        .await
        .unwrap();
    assert!(!clone.status.success(), "their token opens our repository");
}

#[tokio::test]
async fn a_report_about_anothers_token_drops_nothing() {
    let world = two_customers().await;
    let mine = world.token(&[]).await.token;
    let report =
        |account: &str| ReportRejectedTokenRequest { account: account.into(), token: mine.clone() };
    assert!(!world.report_rejected_token(report(OTHER)).await.unwrap().dropped);
    assert_eq!(world.token(&[]).await.token, mine);
    assert!(world.report_rejected_token(report(ACCOUNT)).await.unwrap().dropped);
    assert_ne!(world.token(&[]).await.token, mine);
}

#[tokio::test]
async fn an_account_that_nobody_connected_is_told_so_by_every_call() {
    let world = two_customers().await;
    let before = world.footprint();
    let account = || "tenant-nobody".to_owned();
    let verify = VerifyRepoRequest { account: account(), ..Default::default() };
    let promote = OpenPromotionPrRequest { account: account(), ..Default::default() };
    let commit = CommitFilesRequest {
        account: account(),
        message: "Add a file".into(),
        files: vec![write("a.txt", "a")],
        ..Default::default()
    };
    for refused in [
        token(&world, "tenant-nobody").await.unwrap_err(),
        world.verify_repo(verify).await.unwrap_err(),
        world.commit_files(commit).await.unwrap_err(),
        world.open_promotion_pr(promote).await.unwrap_err(),
        world.configure_repo(bind("tenant-nobody", REPO)).await.unwrap_err(),
        connection(&world, "tenant-nobody").await.unwrap_err(),
    ] {
        assert_reason(&refused, Code::NotFound, "ACCOUNT_NOT_CONNECTED");
    }
    assert_eq!(world.footprint(), before, "GitHub is not asked about strangers");
}
