//! Callers that mean harm: requests made to be expensive, to be misunderstood, or to reach what is not theirs.

use ghbroker::proto::{self, GetRepoTokenRequest};
use github_sim::{Effect, Fault, Gate, seed};
use prost_types::Duration;
use tonic::Code;

use crate::harness::{
    ACCOUNT, MINT, REPO, World, delete,
    git::files,
    status::{assert_reason, bad_fields},
    write,
};

async fn disconnect(world: &World) {
    let request = proto::DisconnectRequest { account: ACCOUNT.into() };
    assert!(world.disconnect(request).await.unwrap().disconnected);
}

#[tokio::test]
async fn ten_thousand_bad_paths_are_one_readable_status() {
    let world = World::connected().await;
    let before = world.footprint();
    let long = "x".repeat(200);
    let path = |n: usize| format!("{long}/{long}/{long}/../{n}");
    let refused =
        world.commit("Bad", (0..10_000).map(|n| write(&path(n), "x")).collect()).await.unwrap_err();
    let named = bad_fields(&refused);
    assert!(named.contains(&"files[0].path".to_owned()), "{named:?}");
    assert!(refused.message().contains("more"), "{}", refused.message());
    assert_eq!(world.footprint(), before);
    world.finish().await;
}

#[tokio::test]
async fn ten_thousand_clashing_and_protected_paths_are_one_readable_status() {
    let world = World::connected().await;
    let long = "é".repeat(100);
    let parent = write(&long, "a file");
    let inside = |n: usize| write(&format!("{long}/{n}"), "x");
    let refused =
        world.commit("Clash", (0..9_999).map(inside).chain([parent]).collect()).await.unwrap_err();
    assert!(!bad_fields(&refused).is_empty());
    let guarded = |n: usize| delete(&format!(".github/workflows/{long}/{n}.yml"));
    let refused = world.commit("Guarded", (0..10_000).map(guarded).collect()).await.unwrap_err();
    assert_reason(&refused, Code::PermissionDenied, "PATH_NOT_ALLOWED");
    world.finish().await;
}

/// Each directory above each file is looked up: 10,000 such files would be 20 million.
#[tokio::test]
async fn paths_that_are_deeper_than_any_project_are_refused() {
    let world = World::connected().await;
    let deep = |depth: usize| "d/".repeat(depth) + "file";
    let before = world.footprint();
    let refused = world.commit("Deep", vec![write(&deep(2000), "x")]).await.unwrap_err();
    assert_eq!(bad_fields(&refused), ["files[0].path"]);
    assert_eq!(world.footprint(), before);
    let done = world.commit("Not so deep", vec![write(&deep(50), "x")]).await.unwrap();
    assert_eq!(done.files_added, 1);
    world.finish().await;
}

/// A file is in a hundred directories at most, and ten thousand files in a million.
#[tokio::test]
async fn more_directories_than_any_project_has_are_refused() {
    let world = World::connected().await;
    let deep = |n: usize| write(&format!("{n}/{}m.sql", "d/".repeat(80)), "x");
    let before = world.footprint();
    let refused = world.commit("Deep", (0..1000).map(deep).collect()).await.unwrap_err();
    // Each is in 81 of its own.
    assert_eq!(bad_fields(&refused), ["files[246].path"]);
    assert_eq!(world.footprint(), before);
    world.finish().await;
}

#[tokio::test]
async fn what_a_caller_writes_cannot_begin_a_line_of_the_log() {
    let world = World::connected().await;
    let permissions = [("x\n2026 ERROR made up\u{1b}[31m".to_owned(), "read".to_owned())].into();
    let request =
        GetRepoTokenRequest { account: ACCOUNT.into(), permissions, ..Default::default() };
    let refused = world.get_repo_token(request).await.unwrap_err();
    bad_fields(&refused);
    assert!(!refused.message().contains(char::is_control), "{:?}", refused.message());
    world.finish().await;
}

#[tokio::test]
async fn numbers_at_their_limits_are_bad_fields_and_nothing_worse() {
    let world = World::connected().await;
    for (seconds, nanos) in
        [(i64::MAX, i32::MAX), (i64::MIN, i32::MIN), (-1, 0), (0, -1), (1801, 0), (i64::MAX, 0)]
    {
        let min_ttl = Some(Duration { seconds, nanos });
        let request =
            GetRepoTokenRequest { account: ACCOUNT.into(), min_ttl, ..Default::default() };
        let refused = world.get_repo_token(request).await.unwrap_err();
        assert_eq!(bad_fields(&refused), ["min_ttl"], "{seconds} s {nanos} ns");
    }
    for installation_id in [0, -1, i64::MIN] {
        let account = "a".into();
        let request =
            proto::RegisterInstallationRequest { account, installation_id, ..Default::default() };
        let refused = world.register_installation(request).await.unwrap_err();
        assert_eq!(bad_fields(&refused), ["installation_id"]);
    }
    let request = proto::RegisterInstallationRequest {
        account: "a".into(),
        installation_id: i64::MAX,
        ..Default::default()
    };
    let refused = world.register_installation(request).await.unwrap_err();
    assert_reason(&refused, Code::FailedPrecondition, "INSTALLATION_GONE");
    world.finish().await;
}

#[tokio::test]
async fn a_public_repository_of_the_same_name_cannot_be_bound() {
    let world = World::connected().await;
    world.sim.add_user(&seed::User { login: "eve".into(), ..Default::default() }).unwrap();
    let theirs = seed::Repository {
        owner: "eve".into(),
        name: "warehouse".into(),
        private: false,
        files: [("README.md".to_owned(), "Mine\n".to_owned())].into(),
        ..Default::default()
    };
    world.sim.add_repository(&theirs).unwrap();
    // The token is asked for by the name alone, which the installation has, and anybody may look at a public one.
    let request = proto::ConfigureRepoRequest {
        account: ACCOUNT.into(),
        repository: "eve/warehouse".into(),
        ..Default::default()
    };
    let refused = world.configure_repo(request).await.unwrap_err();
    assert_reason(&refused, Code::NotFound, "REPO_NOT_ACCESSIBLE");
    let request = proto::VerifyRepoRequest {
        account: ACCOUNT.into(),
        repository: "eve/warehouse".into(),
        ..Default::default()
    };
    let answer = world.verify_repo(request).await.unwrap();
    assert!(!answer.ok && answer.repository_id == 0, "{answer:?}");
    world.finish().await;
}

#[tokio::test]
async fn no_token_is_handed_out_for_an_account_that_is_gone() {
    let mut world = World::connected().await;
    let gate = Gate::new();
    world.sim.fault(Fault::once(MINT, Effect::Hold(gate.clone())));
    let mut client = world.broker.clone();
    let request = GetRepoTokenRequest { account: ACCOUNT.into(), ..Default::default() };
    let call = tokio::spawn(async move { client.get_repo_token(request).await });
    gate.arrived(1).await;
    disconnect(&world).await;
    gate.open();
    let refused = call.await.unwrap().unwrap_err();
    assert!(matches!(refused.code(), Code::Unavailable | Code::NotFound), "{refused:?}");
    let connection = proto::GetConnectionRequest { account: ACCOUNT.into() };
    assert_reason(
        &world.get_connection(connection).await.unwrap_err(),
        Code::NotFound,
        "ACCOUNT_NOT_CONNECTED",
    );
    // Only the one with which the repository was looked up when it was configured is left.
    world.until(async || (world.sim.live_installation_tokens() == 1).then_some(())).await;
    world.stop().await.unwrap();
}

/// Commits to one repository wait for each other: the account may be gone when it is their turn.
#[tokio::test]
async fn a_commit_that_waited_for_its_turn_is_not_made_for_an_account_that_is_gone() {
    for by_pat in [false, true] {
        let world = World::connected().await;
        if by_pat {
            disconnect(&world).await;
            let token = world.pat(seed::Pat { scopes: vec!["repo".into()], ..Default::default() });
            world
                .set_pat(proto::SetPatRequest {
                    account: ACCOUNT.into(),
                    token,
                    ..Default::default()
                })
                .await
                .unwrap();
            let (account, repository) = (ACCOUNT.into(), REPO.into());
            let bind = proto::ConfigureRepoRequest { account, repository, ..Default::default() };
            world.configure_repo(bind).await.unwrap();
        }
        let gate = Gate::new();
        world
            .sim
            .fault(Fault::once("POST /graphql createCommitOnBranch", Effect::Hold(gate.clone())));
        let commit = |path: &str| {
            let files = vec![write(path, "x")];
            let (account, message) = (ACCOUNT.into(), "Add".into());
            let request =
                proto::CommitFilesRequest { account, message, files, ..Default::default() };
            let mut client = world.broker.clone();
            tokio::spawn(async move { client.commit_files(request).await })
        };
        let first = commit("first.sql");
        gate.arrived(1).await;
        let second = commit("second.sql");
        // Long enough for the second one to be in the queue; if it is not, it is refused for being late.
        for _ in 0..20 {
            let request = proto::GetConnectionRequest { account: ACCOUNT.into() };
            world.get_connection(request).await.unwrap();
        }
        disconnect(&world).await;
        gate.open();
        drop(first.await.unwrap());
        let refused = second.await.unwrap().unwrap_err();
        assert_reason(&refused, Code::NotFound, "ACCOUNT_NOT_CONNECTED");
        let listed = files(&world.sim.git_dir(REPO), "staging");
        assert!(!listed.iter().any(|file| file.contains("second")), "{listed:?}");
        world.finish().await;
    }
}

/// Anybody with a token of their own can bind a public repository, and begin commits to it that GitHub will refuse.
#[tokio::test]
async fn an_accounts_commits_do_not_wait_for_anothers() {
    let world = World::connected().await;
    let token = world.pat(seed::Pat { scopes: vec!["repo".into()], ..Default::default() });
    let account = || "tenant-eve".to_owned();
    world
        .set_pat(proto::SetPatRequest { account: account(), token, ..Default::default() })
        .await
        .unwrap();
    let repository = REPO.into();
    let bind = proto::ConfigureRepoRequest { account: account(), repository, ..Default::default() };
    world.configure_repo(bind).await.unwrap();
    let gate = Gate::new();
    world.sim.fault(Fault::once("POST /graphql createCommitOnBranch", Effect::Hold(gate.clone())));
    let files = vec![write("eve.sql", "x")];
    let (account, message) = (account(), "Add".into());
    let slow = proto::CommitFilesRequest { account, message, files, ..Default::default() };
    let mut client = world.broker.clone();
    let slow = tokio::spawn(async move { client.commit_files(slow).await });
    gate.arrived(1).await;
    let done = world.commit("Add", vec![write("mine.sql", "x")]).await.unwrap();
    assert_eq!(done.files_added, 1);
    gate.open();
    drop(slow.await.unwrap());
    world.finish().await;
}

/// The policy is about the repository's own paths: what a binding puts before them is part of them.
#[tokio::test]
async fn no_way_of_changing_a_protected_file_goes_round_the_policy() {
    let world = World::connected().await;
    let chmod = |path: &str| proto::FileChange {
        path: path.into(),
        change: None,
        mode: proto::FileMode::Executable.into(),
    };
    for (subdirectory, path) in [
        ("", ".github/workflows/ci.yml"),
        (".github", "workflows/ci.yml"),
        (".GitHub", "Workflows/ci.yml"),
        (".github/workflows", "ci.yml"),
        ("docs", "CODEOWNERS"),
    ] {
        let bind = proto::ConfigureRepoRequest {
            account: ACCOUNT.into(),
            repository: REPO.into(),
            subdirectory: Some(subdirectory.into()),
            ..Default::default()
        };
        world.configure_repo(bind).await.unwrap();
        let before = world.footprint();
        for change in [write(path, "x"), delete(path), chmod(path)] {
            let refused = world.commit("Around", vec![change]).await.unwrap_err();
            assert_reason(&refused, Code::PermissionDenied, "PATH_NOT_ALLOWED");
        }
        assert_eq!(world.footprint(), before, "{subdirectory} {path}");
    }
    world.finish().await;
}
