//! Every RPC with every field wrong.

use ghbroker::proto::*;
use prost_types::Duration;

use super::{BAD_ACCOUNT, assert_untouched, bad, untouched};
use crate::harness::{ACCOUNT, INSTALLATION, REPO, World, write};

#[tokio::test]
async fn register_installation() {
    let (world, footprint, connection) = untouched().await;
    let all = RegisterInstallationRequest {
        account: BAD_ACCOUNT.into(),
        installation_id: -1,
        setup_action: 99,
        code: "two\nlines".into(),
        expected_github_login: "a\tb".into(),
        state: "two\nlines".into(),
        site: "No Site".into(),
    };
    let refused = world.register_installation(all).await.unwrap_err();
    let fields = [
        "account",
        "code",
        "expected_github_login",
        "installation_id",
        "setup_action",
        "site",
        "state",
    ];
    assert_eq!(bad(&refused), fields);

    let good = RegisterInstallationRequest {
        account: ACCOUNT.into(),
        installation_id: INSTALLATION,
        ..Default::default()
    };
    for (request, field) in [
        (RegisterInstallationRequest { installation_id: 0, ..good.clone() }, "installation_id"),
        (
            RegisterInstallationRequest {
                setup_action: SetupAction::Request.into(),
                ..good.clone()
            },
            "installation_id",
        ),
        (RegisterInstallationRequest { setup_action: 4, ..good.clone() }, "setup_action"),
        (RegisterInstallationRequest { account: String::new(), ..good.clone() }, "account"),
        (RegisterInstallationRequest { account: "a".repeat(129), ..good }, "account"),
    ] {
        assert_eq!(bad(&world.register_installation(request).await.unwrap_err()), [field]);
    }
    assert_untouched(&world, &(footprint, connection)).await;
}

#[tokio::test]
async fn set_pat() {
    let (world, footprint, connection) = untouched().await;
    let good = format!("ghp_{}", "a1B2".repeat(9));
    let all = SetPatRequest {
        account: BAD_ACCOUNT.into(),
        token: good.replace("ghp", "ghs"),
        ..Default::default()
    };
    let refused = world.set_pat(all).await.unwrap_err();
    assert_eq!(bad(&refused), ["account", "token"]);

    let tokens = [
        String::new(),
        "ghp_".into(),
        "hunter2".into(),
        good.replace("ghp", "gho"),
        good.replace("ghp", "ghu"),
        good.replace("ghp", "GHP"),
        "0123456789abcdef0123456789abcdef01234567".into(),
        format!(" {good}"),
        format!("{good}\n"),
        format!("{good}\r\nx-injected: 1"),
        format!("{good}é"),
        format!("ghp_{}", "a".repeat(100_000)),
    ];
    for token in tokens {
        let request =
            SetPatRequest { account: ACCOUNT.into(), token: token.clone(), ..Default::default() };
        let refused = world.set_pat(request).await.unwrap_err();
        assert_eq!(bad(&refused), ["token"], "{token:.60?}");
        assert!(token.len() < 5 || !format!("{refused:?}").contains(token.trim()), "{refused:?}");
    }
    assert_untouched(&world, &(footprint, connection)).await;
}

#[tokio::test]
async fn verify_repo() {
    let (world, footprint, connection) = untouched().await;
    let all = VerifyRepoRequest {
        account: BAD_ACCOUNT.into(),
        repository: "no-owner".into(),
        staging_branch: "a..b".into(),
        production_branch: "/lead".into(),
    };
    let refused = world.verify_repo(all).await.unwrap_err();
    assert_eq!(bad(&refused), ["account", "production_branch", "repository", "staging_branch"]);
    assert_untouched(&world, &(footprint, connection)).await;
}

#[tokio::test]
async fn get_repo_token() {
    let (world, footprint, connection) = untouched().await;
    let all = GetRepoTokenRequest {
        account: BAD_ACCOUNT.into(),
        repository: "a/b/c".into(),
        permissions: [("contents", "everything"), ("no such", "read"), ("workflows", "read")]
            .map(|(name, level)| (name.to_owned(), level.to_owned()))
            .into(),
        min_ttl: Some(Duration { seconds: 30 * 60 + 1, nanos: 0 }),
    };
    let refused = world.get_repo_token(all).await.unwrap_err();
    let fields = [
        "account",
        "min_ttl",
        "permissions",
        "permissions[contents]",
        "permissions[workflows]",
        "repository",
    ];
    assert_eq!(bad(&refused), fields);

    for min_ttl in [
        Duration { seconds: -1, nanos: 0 },
        Duration { seconds: 0, nanos: -1 },
        Duration { seconds: 1, nanos: 1_000_000_000 },
        Duration { seconds: i64::MAX, nanos: 0 },
        Duration { seconds: i64::MIN, nanos: i32::MIN },
    ] {
        let request = GetRepoTokenRequest {
            account: ACCOUNT.into(),
            min_ttl: Some(min_ttl),
            ..Default::default()
        };
        assert_eq!(bad(&world.get_repo_token(request).await.unwrap_err()), ["min_ttl"]);
    }
    let request = GetRepoTokenRequest {
        account: ACCOUNT.into(),
        permissions: [("repository_projects".to_owned(), "admin".to_owned())].into(),
        ..Default::default()
    };
    let refused = world.get_repo_token(request).await.unwrap_err();
    assert_eq!(bad(&refused), ["permissions[repository_projects]"]);
    assert_untouched(&world, &(footprint, connection)).await;
}

#[tokio::test]
async fn commit_files() {
    let (world, footprint, connection) = untouched().await;
    let nothing = FileChange { path: "c.txt".into(), change: None, mode: 0 };
    let deleted_with_mode = FileChange { mode: 1, ..crate::harness::delete("d.txt") };
    let all = CommitFilesRequest {
        account: BAD_ACCOUNT.into(),
        repository: "../etc".into(),
        branch: "refs heads".into(),
        message: " \n\nno headline".into(),
        files: vec![
            write("../a.txt", "a"),
            FileChange { mode: 99, ..write("b.txt", "b") },
            nothing,
            deleted_with_mode,
            write("good.txt", "good"),
            write("good.txt", "twice"),
        ],
        expected_head_sha: "HEAD".into(),
        request_id: "r".repeat(129),
        base: "HEAD~1".into(),
    };
    let refused = world.commit_files(all).await.unwrap_err();
    let fields = [
        "account",
        "base",
        "branch",
        "expected_head_sha",
        "files[0].path",
        "files[1].mode",
        "files[2]",
        "files[3].mode",
        "files[5].path",
        "message",
        "repository",
        "request_id",
    ];
    assert_eq!(bad(&refused), fields);

    let good = super::commit(vec![write("a.txt", "a")]);
    for (request, field) in [
        (CommitFilesRequest { files: Vec::new(), ..good.clone() }, "files"),
        (CommitFilesRequest { message: String::new(), ..good.clone() }, "message"),
        (CommitFilesRequest { message: "a\0b".into(), ..good.clone() }, "message"),
        (
            CommitFilesRequest { expected_head_sha: "0".repeat(39), ..good.clone() },
            "expected_head_sha",
        ),
        (
            CommitFilesRequest { expected_head_sha: "0".repeat(41), ..good.clone() },
            "expected_head_sha",
        ),
        (
            CommitFilesRequest { expected_head_sha: "g".repeat(40), ..good.clone() },
            "expected_head_sha",
        ),
        (CommitFilesRequest { request_id: "a\nb".into(), ..good }, "request_id"),
    ] {
        assert_eq!(bad(&world.commit_files(request).await.unwrap_err()), [field]);
    }
    assert_untouched(&world, &(footprint, connection)).await;
}

#[tokio::test]
async fn open_promotion_pr() {
    let (world, footprint, connection) = untouched().await;
    let all = OpenPromotionPrRequest {
        account: BAD_ACCOUNT.into(),
        repository: "acme/".into(),
        title: "t".repeat(257),
        body: Some("b".repeat(65_537)),
        head_branch: "-option".into(),
        base_branch: "a.lock".into(),
        labels: vec!["good".into(), " ".into(), "l".repeat(51), "two\nlines".into()],
        reviewers: vec!["alice".into(), "-bob".into(), "acme/core".into(), String::new()],
        team_reviewers: vec!["core".into(), "acme/core".into(), String::new()],
        auto_merge: 4,
        ..Default::default()
    };
    let refused = world.open_promotion_pr(all).await.unwrap_err();
    let fields = [
        "account",
        "auto_merge",
        "base_branch",
        "body",
        "head_branch",
        "labels[1]",
        "labels[2]",
        "labels[3]",
        "repository",
        "reviewers[1]",
        "reviewers[2]",
        "reviewers[3]",
        "team_reviewers[1]",
        "team_reviewers[2]",
        "title",
    ];
    assert_eq!(bad(&refused), fields);
    let many = OpenPromotionPrRequest {
        account: ACCOUNT.into(),
        labels: vec!["x".into(); 21],
        reviewers: vec!["alice".into(); 16],
        team_reviewers: vec!["core".into(); 16],
        ..Default::default()
    };
    let refused = world.open_promotion_pr(many).await.unwrap_err();
    assert_eq!(bad(&refused), ["labels", "reviewers", "team_reviewers"]);
    let lines = OpenPromotionPrRequest {
        account: ACCOUNT.into(),
        title: "two\nlines".into(),
        body: Some("nul\0".into()),
        ..Default::default()
    };
    assert_eq!(bad(&world.open_promotion_pr(lines).await.unwrap_err()), ["body", "title"]);
    assert_untouched(&world, &(footprint, connection)).await;
}

#[tokio::test]
async fn report_rejected_token() {
    let (world, footprint, connection) = untouched().await;
    for token in ["", "two words", "line\nbreak"] {
        let request =
            ReportRejectedTokenRequest { account: BAD_ACCOUNT.into(), token: token.into() };
        let refused = world.report_rejected_token(request).await.unwrap_err();
        assert_eq!(bad(&refused), ["account", "token"]);
    }
    assert_untouched(&world, &(footprint, connection)).await;
}

#[tokio::test]
async fn configure_repo() {
    let (world, footprint, connection) = untouched().await;
    let all = ConfigureRepoRequest {
        account: BAD_ACCOUNT.into(),
        repository: "acme warehouse".into(),
        staging_branch: "-option".into(),
        production_branch: "a.lock".into(),
        subdirectory: Some("../up".into()),
        activate: true,
        staging_base: Some("refs/heads/main".into()),
        staging_must_exist: Some(true),
        work_branches: patterns(&["adagent/*", "a b", "a?", "**", ""]),
    };
    let refused = world.configure_repo(all).await.unwrap_err();
    let fields = [
        "account",
        "production_branch",
        "repository",
        "staging_base",
        "staging_branch",
        "subdirectory",
        "work_branches.patterns[1]",
        "work_branches.patterns[2]",
        "work_branches.patterns[4]",
    ];
    assert_eq!(bad(&refused), fields);

    let good = ConfigureRepoRequest {
        account: ACCOUNT.into(),
        repository: REPO.into(),
        ..Default::default()
    };
    for (request, field) in [
        (ConfigureRepoRequest { repository: String::new(), ..good.clone() }, "repository"),
        (ConfigureRepoRequest { repository: "acme/..".into(), ..good.clone() }, "repository"),
        (ConfigureRepoRequest { repository: "acme/a?b".into(), ..good.clone() }, "repository"),
        (ConfigureRepoRequest { staging_branch: "HEAD".into(), ..good.clone() }, "staging_branch"),
        (ConfigureRepoRequest { staging_branch: "a b".into(), ..good.clone() }, "staging_branch"),
        (ConfigureRepoRequest { staging_branch: "a@{1}".into(), ..good.clone() }, "staging_branch"),
        (
            ConfigureRepoRequest { subdirectory: Some("/abs".into()), ..good.clone() },
            "subdirectory",
        ),
        (
            ConfigureRepoRequest { subdirectory: Some("a/.GIT/b".into()), ..good.clone() },
            "subdirectory",
        ),
        (
            ConfigureRepoRequest {
                staging_branch: "main".into(),
                production_branch: "main".into(),
                ..good.clone()
            },
            "staging_branch",
        ),
        (
            ConfigureRepoRequest {
                staging_branch: "next".into(),
                staging_base: Some("next".into()),
                ..good.clone()
            },
            "staging_base",
        ),
        (
            ConfigureRepoRequest { work_branches: patterns(&["a/*"; 21]), ..good },
            "work_branches.patterns",
        ),
    ] {
        let refused = world.configure_repo(request.clone()).await.unwrap_err();
        assert_eq!(bad(&refused), [field], "{request:?}");
    }
    assert_untouched(&world, &(footprint, connection)).await;
}

fn patterns(patterns: &[&str]) -> Option<WorkBranches> {
    Some(WorkBranches { patterns: patterns.iter().map(|&pattern| pattern.into()).collect() })
}

#[tokio::test]
async fn staging_must_differ_from_the_default_branch_too_and_the_base_from_the_default() {
    let (world, _, before) = untouched().await;
    let good = ConfigureRepoRequest {
        account: ACCOUNT.into(),
        repository: REPO.into(),
        ..Default::default()
    };
    for (request, field) in [
        (ConfigureRepoRequest { staging_branch: "main".into(), ..good.clone() }, "staging_branch"),
        (ConfigureRepoRequest { staging_base: Some("staging".into()), ..good }, "staging_base"),
    ] {
        assert_eq!(bad(&world.configure_repo(request).await.unwrap_err()), [field]);
    }
    assert_eq!(super::connection(&world).await, before);
}

#[tokio::test]
async fn get_connection_and_disconnect() {
    let (world, footprint, connection) = untouched().await;
    for account in ["", BAD_ACCOUNT, "tenant acme", "tenant*", "ténant", "a\0"] {
        let request = GetConnectionRequest { account: account.into() };
        assert_eq!(bad(&world.get_connection(request).await.unwrap_err()), ["account"]);
        let request = DisconnectRequest { account: account.into() };
        assert_eq!(bad(&world.disconnect(request).await.unwrap_err()), ["account"]);
    }
    assert_untouched(&world, &(footprint, connection)).await;
}

#[tokio::test]
async fn the_widest_account_name_is_fine() {
    let mut world = World::start().await;
    let widest = format!("{}-AZ.09_:", "a".repeat(120));
    world.register(&widest, INSTALLATION).await;
    world.configure(&widest, REPO).await;
    let request = GetRepoTokenRequest { account: widest, ..Default::default() };
    world.get_repo_token(request).await.unwrap();
}
