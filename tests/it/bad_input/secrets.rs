//! No answer but the one that hands a token out has a secret in it, also where GitHub repeats what it was sent.

use ghbroker::proto::*;
use github_sim::{Effect, Fault, seed};
use tonic::Status;

use crate::harness::{ACCOUNT, INSTALLATION, REPO, World, person, status::assert_no_secret, write};

/// Asserts that a failed call says nothing of any of the secrets, in any part.
#[track_caller]
fn keeps(secrets: &[String], failed: &Status) {
    assert_no_secret(failed);
    let all = format!("{failed:?} {}", String::from_utf8_lossy(failed.details()));
    for secret in secrets {
        assert!(!all.contains(secret.as_str()), "{secret} is in {all}");
        // Nor a part of it that would help in guessing the rest.
        assert!(!all.contains(&secret[secret.len() - 8..]), "the end of {secret} is in {all}");
    }
}

/// Every call that uses the account's credential, with what it failed with.
async fn failures(world: &World) -> Vec<Status> {
    let account = || ACCOUNT.to_owned();
    let commit = CommitFilesRequest {
        account: account(),
        message: "Add a file".into(),
        files: vec![write("a.txt", "a")],
        ..Default::default()
    };
    let configure =
        ConfigureRepoRequest { account: account(), repository: REPO.into(), ..Default::default() };
    let token = GetRepoTokenRequest { account: account(), ..Default::default() };
    let verify = VerifyRepoRequest { account: account(), ..Default::default() };
    let promote = OpenPromotionPrRequest { account: account(), ..Default::default() };
    let failed = [
        world.get_repo_token(token).await.err(),
        world.verify_repo(verify).await.err(),
        world.commit_files(commit).await.err(),
        world.open_promotion_pr(promote).await.err(),
        world.configure_repo(configure).await.err(),
    ];
    failed.into_iter().flatten().collect()
}

fn faults() -> [Effect; 6] {
    [
        Effect::Status { status: 500, html: true },
        Effect::Status { status: 401, html: false },
        Effect::Status { status: 403, html: false },
        Effect::SecondaryRateLimit { retry_after: Some(90), status: 429 },
        Effect::DropAfter,
        Effect::Garbage,
    ]
}

#[tokio::test]
async fn installation_tokens_stay_inside() {
    for fault in faults() {
        let world = World::connected().await;
        let secrets = vec![
            world.token(&[("contents", "read")]).await.token,
            world.token(&[("contents", "write")]).await.token,
        ];
        world.sim.fault(Fault::always("*", fault.clone()));
        let failed = failures(&world).await;
        assert!(failed.len() >= 4, "{fault:?}: {failed:?}");
        failed.iter().for_each(|failed| keeps(&secrets, failed));
    }
}

#[tokio::test]
async fn personal_access_tokens_stay_inside() {
    for kind in [seed::PatKind::Classic, seed::PatKind::FineGrained] {
        for fault in faults() {
            let mut world = World::start().await;
            let resource_owner = Some("acme".into());
            let permissions = [("contents".to_owned(), github_sim::Level::Write)].into();
            let scopes = vec!["repo".into()];
            let pat = seed::Pat { kind, scopes, permissions, resource_owner, ..Default::default() };
            let stored = world.pat(pat.clone());
            let request = SetPatRequest {
                account: ACCOUNT.into(),
                token: stored.clone(),
                ..Default::default()
            };
            world.set_pat(request).await.unwrap();
            world.configure(ACCOUNT, REPO).await;
            world.sim.fault(Fault::always("*", fault.clone()));
            let offered = world.pat(pat);
            let request = SetPatRequest {
                account: ACCOUNT.into(),
                token: offered.clone(),
                ..Default::default()
            };
            let mut failed = failures(&world).await;
            failed.extend(world.set_pat(request).await.err());
            assert!(failed.len() >= 3, "{fault:?}: {failed:?}");
            failed.iter().for_each(|failed| keeps(&[stored.clone(), offered.clone()], failed));
        }
    }
}

#[tokio::test]
async fn codes_stay_inside() {
    let world = World::start().await;
    for fault in faults() {
        let code = person::authorize(&world.sim, "alice").await;
        let request = RegisterInstallationRequest {
            account: ACCOUNT.into(),
            installation_id: INSTALLATION,
            code: code.clone(),
            ..Default::default()
        };
        world.sim.fault(Fault::once("POST /login/oauth/access_token", fault.clone()));
        let failed = world.register_installation(request).await.expect_err(&format!("{fault:?}"));
        keeps(&[code], &failed);
        world.sim.clear_faults();
    }
}

#[tokio::test]
async fn a_token_in_a_field_that_is_not_for_it_is_not_repeated() {
    let world = World::connected().await;
    let secret = world.pat(seed::Pat { scopes: vec!["repo".into()], ..Default::default() });
    let field = || secret.clone();
    let account = || ACCOUNT.to_owned();
    let commit = CommitFilesRequest {
        account: field(),
        repository: field(),
        branch: format!("{} ", field()),
        message: "Add a file".into(),
        files: vec![write(&format!("../{}", field()), "a")],
        expected_head_sha: field(),
        request_id: format!("{}\n", field()),
        base: format!("{} ", field()),
    };
    let token = GetRepoTokenRequest {
        account: account(),
        permissions: [(field(), field())].into(),
        ..Default::default()
    };
    let unknown = GetRepoTokenRequest {
        account: account(),
        repository: format!("acme/{}", field()),
        ..Default::default()
    };
    for failed in [
        world.commit_files(commit).await.unwrap_err(),
        world.get_repo_token(token).await.unwrap_err(),
        world.get_repo_token(unknown).await.unwrap_err(),
    ] {
        keeps(std::slice::from_ref(&secret), &failed);
    }
}
