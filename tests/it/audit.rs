//! The audit: every call has its line before its answer leaves, and what cannot be written down does not leave.

use std::{io::Read, process::Command, time::Duration};

use ghbroker::{
    domain::Token,
    proto::{self, credential_broker_client::CredentialBrokerClient},
};
use github_sim::{Effect, Fault, Gate, seed};
use serde_json::{Value, json};
use tonic::{Code, Request, transport::Channel};

use crate::harness::{
    self, ACCOUNT, INSTALLATION, MINT, REPO, World, person, program::Program,
    status::assert_reason, write,
};

fn ends(world: &World, rpc: &str) -> Vec<Value> {
    let lines = world.audit().into_iter();
    lines.filter(|line| line["rpc"] == rpc && line["phase"] == "end").collect()
}

#[tokio::test]
async fn every_token_is_in_the_audit_by_its_hash_hits_too() {
    let world = World::connected().await;
    let permissions = [("contents", "write")];
    let mut request = Request::new(proto::GetRepoTokenRequest {
        account: ACCOUNT.into(),
        permissions: permissions.iter().map(|(n, l)| ((*n).into(), (*l).into())).collect(),
        ..Default::default()
    });
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let parent = format!("00-{trace}-00f067aa0ba902b7-01");
    request.metadata_mut().insert("traceparent", parent.parse().unwrap());
    let first = world.broker.clone().get_repo_token(request).await.unwrap().into_inner();
    let second = world.token(&permissions).await;
    assert_eq!(first.token, second.token);
    let lines = ends(&world, "GetRepoToken");
    let [miss, hit] = &lines[..] else { panic!("{lines:?}") };
    let repository = world.sim.repository_id(REPO);
    assert_eq!(
        *miss,
        json!({
            "time": miss["time"], "phase": "end", "request_id": miss["request_id"], "trace_id": trace,
            "caller": "anonymous", "authenticated_by": "none", "peer": miss["peer"],
            "rpc": "GetRepoToken", "account": ACCOUNT, "decision": "allow", "rule": "everything",
            "installation_id": INSTALLATION, "source": "app_installation", "repository_ids": [repository],
            "requested_permissions": {"contents": "write", "metadata": "read"},
            "granted_permissions": {"contents": "write", "metadata": "read"},
            "cache": "miss", "expire_time": miss["expire_time"],
            "hashed_token": Token::new(first.token.clone()).hashed(),
        })
    );
    assert!(miss["peer"].as_str().unwrap().starts_with("127.0.0.1:"), "{miss}");
    assert!(miss["expire_time"].as_str().unwrap().ends_with('Z'), "{miss}");
    assert_eq!((&hit["cache"], &hit["hashed_token"]), (&json!("hit"), &miss["hashed_token"]));
    assert_ne!(hit["request_id"], miss["request_id"]);
    world.finish().await;
}

#[tokio::test]
async fn a_stale_token_and_a_pat_say_what_they_are() {
    let mut world = World::connected().await;
    world.token(&[]).await;
    world.advance(Duration::from_secs(56 * 60));
    world.sim.fault(Fault::always(MINT, Effect::DropBefore));
    assert!(world.token(&[]).await.stale);
    world.sim.clear_faults();
    let line = ends(&world, "GetRepoToken").pop().unwrap();
    assert_eq!((&line["cache"], &line["decision"]), (&json!("stale"), &json!("allow")));

    let pat = world.pat(seed::Pat { scopes: vec!["repo".into()], ..Default::default() });
    let by_pat = "tenant-pat";
    let request =
        proto::SetPatRequest { account: by_pat.into(), token: pat.clone(), ..Default::default() };
    world.set_pat(request).await.unwrap();
    world.configure(by_pat, REPO).await;
    let request = proto::GetRepoTokenRequest { account: by_pat.into(), ..Default::default() };
    world.get_repo_token(request).await.unwrap();
    let hash = json!(Token::new(pat).hashed());
    let stored = ends(&world, "SetPat").pop().unwrap();
    assert_eq!(stored["hashed_token"], hash);
    let line = ends(&world, "GetRepoToken").pop().unwrap();
    assert_eq!((&line["source"], &line["hashed_token"]), (&json!("pat"), &hash));
    assert_eq!(line["cache"], Value::Null, "it does not come from the cache of tokens");
    world.finish().await;
}

/// GitHub's audit log shows what was read with these tokens by their hashes.
#[tokio::test]
async fn a_token_that_only_looked_is_in_the_audit_by_its_hash() {
    let world = World::connected().await;
    let request = proto::VerifyRepoRequest { account: ACCOUNT.into(), ..Default::default() };
    world.verify_repo(request).await.unwrap();
    let lines = [ends(&world, "ConfigureRepo"), ends(&world, "VerifyRepo")].concat();
    let [configured, verified] = &lines[..] else { panic!("{lines:?}") };
    for line in &lines {
        assert_eq!(line["requested_permissions"], json!({"contents": "read", "metadata": "read"}));
        assert_eq!((&line["cache"], &line["source"]), (&json!("miss"), &json!("app_installation")));
        assert!(line["hashed_token"].is_string(), "{line}");
    }
    assert_ne!(configured["hashed_token"], verified["hashed_token"], "each was minted for itself");

    let request = proto::RegisterInstallationRequest {
        account: ACCOUNT.into(),
        installation_id: INSTALLATION,
        code: person::authorize(&world.sim, "alice").await,
        ..Default::default()
    };
    world.register_installation(request).await.unwrap();
    let line = ends(&world, "RegisterInstallation").pop().unwrap();
    assert!(line["hashed_token"].is_string(), "the token of the user who came back: {line}");
    world.finish().await;
}

#[tokio::test]
async fn what_changes_something_is_written_down_before_and_after() {
    let world = World::connected().await;
    let done = world.commit("Add", vec![write("a.sql", "select 1\n")]).await.unwrap();
    let promote = proto::OpenPromotionPrRequest { account: ACCOUNT.into(), ..Default::default() };
    let promoted = world.open_promotion_pr(promote).await.unwrap();
    world.token(&[]).await;
    let audit = world.audit();
    for (rpc, fact, value) in [
        ("CommitFiles", "commit", json!(done.commit_sha)),
        ("OpenPromotionPr", "pull_request", json!(promoted.number)),
    ] {
        let lines: Vec<&Value> = audit.iter().filter(|line| line["rpc"] == rpc).collect();
        let [begin, end] = &lines[..] else { panic!("{lines:?}") };
        assert_eq!((&begin["phase"], &end["phase"]), (&json!("begin"), &json!("end")));
        assert_eq!(begin["request_id"], end["request_id"]);
        assert_eq!((&begin[fact], &end[fact]), (&Value::Null, &value));
        assert!(end["hashed_token"].is_string(), "GitHub's audit log has the push by this: {end}");
    }
    assert_eq!(audit.iter().filter(|line| line["rpc"] == "GetRepoToken").count(), 1);
    world.finish().await;
}

#[tokio::test]
async fn a_failure_has_its_word_and_what_was_known_by_then() {
    let world = World::connected().await;
    let refused = world.commit("Add", vec![write("CODEOWNERS", "* @mallory\n")]).await.unwrap_err();
    assert_reason(&refused, Code::PermissionDenied, "PATH_NOT_ALLOWED");
    let line = ends(&world, "CommitFiles").pop().unwrap();
    assert_eq!((&line["reason"], &line["decision"]), (&json!("PATH_NOT_ALLOWED"), &json!("deny")));
    assert_eq!(line["repository_ids"], json!([world.sim.repository_id(REPO)]));
    let unknown = proto::GetRepoTokenRequest { account: "nobody".into(), ..Default::default() };
    world.get_repo_token(unknown).await.unwrap_err();
    let line = ends(&world, "GetRepoToken").pop().unwrap();
    let (reason, decision) = (&line["reason"], &line["decision"]);
    assert_eq!((reason, decision), (&json!("ACCOUNT_NOT_CONNECTED"), &json!("allow")));
    assert_eq!(line["hashed_token"], Value::Null);
    world.get_repo_token(proto::GetRepoTokenRequest::default()).await.unwrap_err();
    let line = ends(&world, "GetRepoToken").pop().unwrap();
    let (reason, decision) = (&line["reason"], &line["decision"]);
    assert_eq!((reason, decision), (&json!("INVALID_FIELD"), &Value::Null), "not decided");
    world.finish().await;
}

/// A caller who gives up in the middle of a commit keeps its end out of nothing.
#[tokio::test]
async fn the_end_of_a_commit_is_written_though_its_caller_has_gone() {
    let world = World::connected().await;
    let gate = Gate::new();
    world.sim.fault(Fault::once("POST /graphql createCommitOnBranch", Effect::Hold(gate.clone())));
    let mut request = Request::new(proto::CommitFilesRequest {
        account: ACCOUNT.into(),
        message: "Add".into(),
        files: vec![write("a.sql", "select 1\n")],
        ..Default::default()
    });
    request.set_timeout(Duration::from_secs(3));
    let mut client = world.broker.clone();
    let call = tokio::spawn(async move { client.commit_files(request).await });
    gate.arrived(1).await;
    call.abort();
    assert!(call.await.unwrap_err().is_cancelled());
    gate.open();
    let line = world.until(async || ends(&world, "CommitFiles").pop()).await;
    assert_eq!(line["commit"], json!(world.sim.head(REPO, "staging").unwrap()));
    world.finish().await;
}

/// The program on a GitHub of its own; its audit goes to a pipe that nobody reads until somebody does.
struct Blocked {
    sim: github_sim::Sim,
    program: Program,
    broker: CredentialBrokerClient<Channel>,
    _folder: tempfile::TempDir,
}

impl Blocked {
    async fn start() -> Self {
        let options =
            github_sim::Options { clock: github_sim::SimClock::real(), ..Default::default() };
        let sim = github_sim::Sim::start(options, harness::seed()).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        file("kek", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=");
        file("app.pem", &harness::app_key().0);
        let client = harness::CLIENT_ID;
        file(
            "ghbroker.toml",
            &format!(
                "[encryption]\nkeys = [\"kek\"]\n[limits]\naudit_timeout_seconds = 1\n\
                 [github.app]\nissuer = {client:?}\nprivate_key = \"app.pem\"\n"
            ),
        );
        let program = Program::serve(folder.path(), &sim);
        let broker = CredentialBrokerClient::new(harness::connect(&program.address).await);
        let (mut to, mut admin) = (broker.clone(), harness::connect(&program.address).await);
        let install = proto::RegisterInstallationRequest {
            account: ACCOUNT.into(),
            installation_id: INSTALLATION,
            expected_github_login: "acme".into(),
            ..Default::default()
        };
        to.register_installation(install).await.unwrap();
        let bind = proto::ConfigureRepoRequest {
            account: ACCOUNT.into(),
            repository: REPO.into(),
            ..Default::default()
        };
        proto::connection_admin_client::ConnectionAdminClient::new(&mut admin)
            .configure_repo(bind)
            .await
            .unwrap();
        Self { sim, program, broker, _folder: folder }
    }

    async fn token(&self) -> Result<proto::GetRepoTokenResponse, tonic::Status> {
        let request = proto::GetRepoTokenRequest { account: ACCOUNT.into(), ..Default::default() };
        Ok(self.broker.clone().get_repo_token(request).await?.into_inner())
    }

    /// Takes tokens until the pipe holds no more lines.
    async fn until_full(&self) -> tonic::Status {
        // A pipe holds 64 KiB, and a line has some hundred bytes.
        for _ in 0..2_000 {
            if let Err(status) = self.token().await {
                return status;
            }
        }
        panic!("the pipe takes everything");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_audits_device_is_blocked_no_token_leaves_and_nothing_is_changed() {
    let mut blocked = Blocked::start().await;
    let refused = blocked.until_full().await;
    assert_reason(&refused, Code::Unavailable, "AUDIT_UNAVAILABLE");
    let asked = blocked.sim.requests().len();
    assert_reason(&blocked.token().await.unwrap_err(), Code::Unavailable, "AUDIT_UNAVAILABLE");
    let commit = proto::CommitFilesRequest {
        account: ACCOUNT.into(),
        message: "Add".into(),
        files: vec![write("a.sql", "select 1\n")],
        ..Default::default()
    };
    let refused = blocked.broker.clone().commit_files(commit).await.unwrap_err();
    assert_reason(&refused, Code::Unavailable, "AUDIT_UNAVAILABLE");
    assert_eq!(blocked.sim.requests().len(), asked, "a commit begins with its line");
    assert!(blocked.sim.head(REPO, "staging").is_none());

    let mut pipe = blocked.program.child.stdout.take().unwrap();
    let reader = std::thread::spawn(move || {
        let mut all = Vec::new();
        pipe.read_to_end(&mut all).map(|_| all)
    });
    let token = loop {
        if let Ok(answer) = blocked.token().await {
            break answer.token;
        }
    };
    drop(blocked);
    let text = String::from_utf8(reader.join().unwrap().unwrap()).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let hash = json!(Token::new(token).hashed());
    assert_eq!(lines.last().unwrap()["hashed_token"], hash, "the line was there before the token");
}

#[test]
fn the_audit_cannot_be_switched_off() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("kek"), "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")
        .unwrap();
    for (target, code, said) in [
        ("off", 78, "audit.target \"off\": must be stdout, or a file's path"),
        ("/dev/null", 1, "/dev/null"),
        ("/", 1, "directory"),
    ] {
        let arguments = ["serve", "--listen", "127.0.0.1:0", "--encryption-key", "kek", "--audit"];
        let output = Command::new(env!("CARGO_BIN_EXE_ghbroker"))
            .args(arguments)
            .arg(target)
            .current_dir(folder.path())
            .env_clear()
            .output()
            .unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{target}: {stderr}");
        assert!(stderr.contains(said), "{stderr}");
    }
}
