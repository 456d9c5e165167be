//! GitHub's own JavaScript client: against the simulator, to show that it is one, and with tokens that the broker handed
//! out, to show that they are what was asked for.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use ghbroker::proto;
use github_sim::seed;
use serde_json::{Value, json};
use time::macros::format_description;
use tokio::{io::AsyncWriteExt, process::Command};
use tonic::Code;
use tonic_types::StatusExt;

use crate::harness::{
    self, ACCOUNT, APP_ID, CLIENT_ID, INSTALLATION, REPO, World, app_key, door::Door, git::git,
    person::Person, status::assert_reason, write,
};

/// A repository that the installation reaches and the tokens must not.
const OTHER: &str = "ledger";

/// Folder of the scripts, with the packages that they use.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/octokit")
}

pub fn node() -> Command {
    let program = std::env::var_os("GHBROKER_TEST_NODE").expect(
        "GHBROKER_TEST_NODE must name node: run `make test`, or leave these tests out with `--skip octokit:: --skip schemas::`",
    );
    let mut command = Command::new(program);
    command.current_dir(folder()).env_clear().kill_on_drop(true);
    command
}

/// Runs a script; it must end well. Its input goes to standard input: there are secrets in it.
async fn run(script: &str, input: Value) {
    let mut child = node()
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input.to_string().as_bytes()).await.unwrap();
    drop(stdin);
    let output = child.wait_with_output().await.unwrap();
    assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
}

/// [`World::connected`], with a second repository.
async fn world() -> World {
    connect(World::start_with(seed()).await).await
}

/// What a world begins with, and a second repository, in which there are the same files.
fn seed() -> seed::Seed {
    let mut seed = harness::seed();
    let files = seed.repositories[0].files.clone();
    seed.repositories.push(seed::Repository {
        owner: "acme".into(),
        name: OTHER.into(),
        files,
        ..Default::default()
    });
    seed
}

async fn connect(mut world: World) -> World {
    world.register(ACCOUNT, INSTALLATION).await;
    world.configure(ACCOUNT, REPO).await;
    world
}

fn input(world: &World, more: Value) -> Value {
    let (owner, repo) = REPO.split_once('/').unwrap();
    let mut input = json!({"apiUrl": world.sim.api_url(), "owner": owner, "repo": repo});
    input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    input
}

#[tokio::test]
async fn app_mints_and_lists_installations() {
    let world = world().await;
    let more = json!({
        "appId": APP_ID, "clientId": CLIENT_ID, "privateKey": app_key().0,
        "installationId": INSTALLATION,
    });
    run("app.mjs", input(&world, more)).await;
}

#[tokio::test]
async fn brokered_token_reads_commits_and_opens_pull_requests() {
    let world = world().await;
    let permissions = [("contents", "write"), ("pull_requests", "write"), ("issues", "write")];
    let token = world.token(&permissions).await.token;
    run("repository.mjs", input(&world, json!({ "token": token }))).await;
    assert_eq!(world.sim.pulls(REPO).len(), 1);
}

#[tokio::test]
async fn narrowed_token_is_refused_the_rest() {
    let world = world().await;
    let refs = world.sim.head(REPO, "main");
    let token = world.token(&[("contents", "read")]).await.token;
    run("refusals.mjs", input(&world, json!({"token": token, "otherRepo": OTHER}))).await;
    assert_eq!(world.sim.head(REPO, "main"), refs);
}

/// What the assistant may, and no more.
const ASSISTANT: &str = r#"
[[rule]]
name = "assistant"
callers = ["spiffe://example.org/assistant"]
role = "consumer"
accounts = ["*"]
permissions = { issues = "write", pull_requests = "write", contents = "read" }
"#;

fn asks_for(permissions: &[(&str, &str)]) -> proto::GetRepoTokenRequest {
    let owned = |(name, level): &(&str, &str)| ((*name).to_owned(), (*level).to_owned());
    proto::GetRepoTokenRequest {
        account: ACCOUNT.into(),
        permissions: permissions.iter().map(owned).collect(),
        ..Default::default()
    }
}

/// Promotes a new file; the number of the pull request.
async fn promote(world: &World, file: &str) -> i64 {
    world.commit(file, vec![write(file, "select 2 as id\n")]).await.unwrap();
    let request = proto::OpenPromotionPrRequest { account: ACCOUNT.into(), ..Default::default() };
    world.open_promotion_pr(request).await.unwrap().number
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_for_issues_works_on_issues_and_changes_no_code() {
    let world = connect(World::guarded(seed(), Door::new("mtls", ASSISTANT)).await).await;
    let alice = Person::of(&world.sim, "alice");
    let merged = promote(&world, "models/returns.sql").await;
    alice.merge(REPO, merged).await;
    let open = promote(&world, "models/refunds.sql").await;
    alice.approve(REPO, open).await;
    let before = git(&world.sim.git_dir(REPO), &["show-ref"]);

    let narrow = [("issues", "write"), ("pull_requests", "write"), ("contents", "read")];
    let mut broker = world.workload("assistant").await.broker();
    let token = broker.get_repo_token(asks_for(&narrow)).await.unwrap().into_inner();
    let mut granted: Vec<_> = token.permissions.iter().map(|(n, l)| (&**n, &**l)).collect();
    granted.sort_unstable();
    let mut expected = [&narrow[..], &[("metadata", "read")]].concat();
    expected.sort_unstable();
    assert_eq!(granted, expected);
    let more = json!({
        "token": token.token, "otherRepo": OTHER, "merged": merged, "open": open, "reviewer": "alice",
    });
    run("assistant.mjs", input(&world, more)).await;
    let url = format!("{}/{REPO}.git", world.sim.web_url());
    assert!(!pushes(&url, &token.token).await);
    assert_eq!(git(&world.sim.git_dir(REPO), &["show-ref"]), before);
}

/// Whether git can push a new branch with this token.
async fn pushes(url: &str, token: &str) -> bool {
    let folder = tempfile::tempdir().unwrap();
    harness::git::clone(url, token, "main", folder.path());
    let push = ["push", "--quiet", "origin", "HEAD:refs/heads/mine"];
    let mut command = Command::new("git");
    command.arg("-C").arg(folder.path()).args(push).env("GIT_TERMINAL_PROMPT", "0");
    command.output().await.unwrap().status.success()
}

#[tokio::test]
async fn the_policy_caps_what_a_consumer_gets() {
    let world = connect(World::guarded(seed(), Door::new("mtls", ASSISTANT)).await).await;
    let mut broker = world.workload("assistant").await.broker();
    let live = world.sim.live_installation_tokens();
    for (name, level) in [("contents", "write"), ("administration", "read"), ("workflows", "write")]
    {
        let status = broker.get_repo_token(asks_for(&[("issues", "write"), (name, level)])).await;
        let status = status.unwrap_err();
        assert_reason(&status, Code::PermissionDenied, "CALLER_NOT_ALLOWED");
        let details = status.get_error_details();
        let missing = &details.error_info().unwrap().metadata["missing"];
        assert_eq!(*missing, format!("{name}:{level}"));
    }
    assert_eq!(world.sim.live_installation_tokens(), live, "nothing was minted");
}

#[tokio::test]
async fn personal_token_shows_its_scopes_and_its_end() {
    let mut world = World::start().await;
    let end = world.sim.clock().now() + Duration::from_secs(30 * 24 * 3600);
    let scopes = vec!["repo".into(), "workflow".into()];
    let pat =
        seed::Pat { owner: "alice".into(), scopes, expires_at: Some(end), ..Default::default() };
    let secret = world.sim.add_pat(&pat).unwrap();
    let request = proto::SetPatRequest {
        account: ACCOUNT.into(),
        token: secret.clone(),
        ..Default::default()
    };
    world.broker.set_pat(request).await.unwrap();
    world.configure(ACCOUNT, REPO).await;

    let answer = world.token(&[("contents", "write")]).await;
    assert_eq!(answer.token, secret);
    let written = format_description!("[year]-[month]-[day] [hour]:[minute]:[second] UTC");
    let more = json!({
        "token": answer.token, "login": "alice", "scopes": "repo, workflow",
        "expires": end.format(written).unwrap(),
    });
    run("pat.mjs", input(&world, more)).await;
}
