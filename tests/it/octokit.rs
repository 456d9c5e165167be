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

use crate::harness::{self, ACCOUNT, APP_ID, CLIENT_ID, INSTALLATION, REPO, World, app_key};

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
    let mut seed = harness::seed();
    seed.repositories.push(seed::Repository {
        owner: "acme".into(),
        name: OTHER.into(),
        ..Default::default()
    });
    let mut world = World::start_with(seed).await;
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

#[tokio::test]
async fn personal_token_shows_its_scopes_and_its_end() {
    let mut world = World::start().await;
    let end = world.sim.clock().now() + Duration::from_secs(30 * 24 * 3600);
    let scopes = vec!["repo".into(), "workflow".into()];
    let pat =
        seed::Pat { owner: "alice".into(), scopes, expires_at: Some(end), ..Default::default() };
    let secret = world.sim.add_pat(&pat).unwrap();
    let request = proto::SetPatRequest { account: ACCOUNT.into(), token: secret.clone() };
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
