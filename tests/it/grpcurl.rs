//! The broker as grpcurl sees it: reflection, health, every RPC in JSON, errors with their details, and the [`readme`].

mod connecting;
mod readme;

use std::{collections::BTreeSet, path::PathBuf, process::Stdio};

use base64::{Engine, prelude::BASE64_STANDARD};
use github_sim::{Effect, Fault, Level, seed};
use prost::Message;
use prost_types::{FileDescriptorProto, SourceCodeInfo};
use serde_json::{Value, json};
use tokio::{io::AsyncWriteExt, process::Command};
use tonic_reflection::pb::v1alpha::{
    ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
    server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
};

use crate::harness::{self, ACCOUNT, INSTALLATION, MINT, REPO, World, connect, git::git, person};

const BROKER: &str = "ghbroker.v1.CredentialBroker";
const ADMIN: &str = "ghbroker.v1.ConnectionAdmin";

fn program() -> PathBuf {
    let program = std::env::var_os("GHBROKER_TEST_GRPCURL").expect(
        "GHBROKER_TEST_GRPCURL must name grpcurl: run `make test`, or leave these tests out with `--skip grpcurl::`",
    );
    program.into()
}

/// grpcurl, aimed at one broker.
struct Grpcurl {
    address: String,
    called: BTreeSet<String>,
}

impl Grpcurl {
    fn of(world: &World) -> Self {
        Self { address: world.address.clone(), called: BTreeSet::new() }
    }

    /// Runs `grpcurl -plaintext FLAGS ADDRESS WHAT`; what it printed, or what it complained.
    async fn run(&self, flags: &[&str], what: &[&str], stdin: &str) -> Result<String, String> {
        let mut child = Command::new(program())
            .arg("-plaintext")
            .args(flags)
            .arg(&self.address)
            .args(what)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        // What reads no input may be gone before it is written.
        drop(child.stdin.take().unwrap().write_all(stdin.as_bytes()).await);
        let output = child.wait_with_output().await.unwrap();
        if output.status.success() {
            Ok(String::from_utf8(output.stdout).unwrap())
        } else {
            Err(String::from_utf8(output.stderr).unwrap())
        }
    }

    /// What `list` or `describe` prints.
    async fn show(&self, what: &[&str]) -> String {
        self.run(&[], what, "").await.unwrap()
    }

    /// Calls an RPC with a body on the command line.
    async fn call(&mut self, service: &str, rpc: &str, body: Value) -> Value {
        let rpc = format!("{service}/{rpc}");
        let answer = self.run(&["-d", &body.to_string()], &[&rpc], "").await;
        self.called.insert(rpc);
        serde_json::from_str(&answer.unwrap()).unwrap()
    }

    /// The same with the body on standard input: a secret must not be among the arguments, which everybody can read.
    async fn call_with_secret(&mut self, service: &str, rpc: &str, body: Value) -> Value {
        let rpc = format!("{service}/{rpc}");
        let answer = self.run(&["-d", "@"], &[&rpc], &body.to_string()).await;
        self.called.insert(rpc);
        serde_json::from_str(&answer.unwrap()).unwrap()
    }

    /// The status of a call that fails, as JSON.
    async fn refusal(&self, rpc: &str, body: Value) -> Value {
        let flags = ["-format-error", "-d", &body.to_string()];
        let error = self.run(&flags, &[&format!("{BROKER}/{rpc}")], "").await;
        let error = error.expect_err("the call had to fail");
        serde_json::from_str(&error).unwrap_or_else(|_| panic!("no JSON: {error}"))
    }
}

/// The detail of a status that has this type.
#[track_caller]
fn detail<'a>(status: &'a Value, kind: &str) -> &'a Value {
    let url = format!("type.googleapis.com/google.rpc.{kind}");
    let found = status["details"].as_array().unwrap().iter().find(|one| one["@type"] == url);
    found.unwrap_or_else(|| panic!("no {kind} in {status}"))
}

#[tokio::test]
async fn lists_every_service() {
    let world = World::start().await;
    let listed = Grpcurl::of(&world).show(&["list"]).await;
    let expected = [ADMIN, BROKER, "grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection"];
    assert_eq!(listed.lines().collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn describes_services_and_messages_with_their_comments() {
    let world = World::start().await;
    let grpcurl = Grpcurl::of(&world);
    for (symbol, expected) in [
        (BROKER, "rpc CommitFiles ( .ghbroker.v1.CommitFilesRequest ) returns"),
        (BROKER, "// One commit of any number of files to the staging branch, or to a work branch"),
        (ADMIN, "// Reads what an account is connected with."),
        ("ghbroker.v1.FileChange", "// Path relative to the binding's subdirectory"),
        ("ghbroker.v1.FileMode", "// 100755."),
        ("ghbroker.v1.CommitFilesRequest", "repeated .ghbroker.v1.FileChange files = 5;"),
    ] {
        let said = grpcurl.show(&["describe", symbol]).await;
        assert!(said.contains(expected), "{expected:?} is not in:\n{said}");
    }
}

/// Paths of everything in a file that a comment can belong to, as `SourceCodeInfo` numbers them.
fn commentable(file: &FileDescriptorProto) -> Vec<(Vec<i32>, String)> {
    /// Field numbers of descriptor.proto: message 4, enum 5, service 6; a message's and a service's members 2, a value 2.
    fn all<T>(
        list: &[T],
        path: &[i32],
        number: i32,
        name: impl Fn(&T) -> &str,
    ) -> Vec<(Vec<i32>, String)> {
        let at = |index: usize| [path, &[number, i32::try_from(index).unwrap()]].concat();
        list.iter().enumerate().map(|(index, one)| (at(index), name(one).to_owned())).collect()
    }
    let mut found = all(&file.message_type, &[], 4, |message| message.name());
    found.extend(all(&file.enum_type, &[], 5, |one| one.name()));
    found.extend(all(&file.service, &[], 6, |service| service.name()));
    for ((path, _), message) in found.clone().iter().zip(&file.message_type) {
        // The entries of a map have no text of their own.
        assert!(message.nested_type.iter().all(|nested| nested.options.is_some()));
        found.extend(all(&message.field, path, 2, |field| field.name()));
    }
    for (index, one) in file.enum_type.iter().enumerate() {
        found.extend(all(&one.value, &[5, i32::try_from(index).unwrap()], 2, |value| value.name()));
    }
    for (index, one) in file.service.iter().enumerate() {
        found.extend(all(&one.method, &[6, i32::try_from(index).unwrap()], 2, |rpc| rpc.name()));
    }
    found
}

fn has_comment(info: &SourceCodeInfo, path: &[i32]) -> bool {
    info.location.iter().any(|at| at.path == path && !at.leading_comments().trim().is_empty())
}

/// Clients older than reflection v1 still ask v1alpha; grpcurl asks it only where v1 is missing.
#[tokio::test]
async fn old_reflection_gives_a_comment_for_everything() {
    let world = World::start().await;
    let mut client = ServerReflectionClient::new(connect(&world.address).await);
    for name in ["connection", "connection_admin", "credential_broker"] {
        let path = format!("ghbroker/v1/{name}.proto");
        let request = ServerReflectionRequest {
            host: String::new(),
            message_request: Some(MessageRequest::FileByFilename(path.clone())),
        };
        let mut answers =
            client.server_reflection_info(tokio_stream::once(request)).await.unwrap().into_inner();
        let answer = answers.message().await.unwrap().unwrap().message_response.unwrap();
        let MessageResponse::FileDescriptorResponse(files) = answer else {
            panic!("{path} is not answered: {answer:?}")
        };
        let file = files.file_descriptor_proto.first().unwrap();
        let file = FileDescriptorProto::decode(file.as_slice()).unwrap();
        assert_eq!(file.name(), path);
        let info = file.source_code_info.as_ref().expect("the comments are left out");
        for (at, name) in commentable(&file) {
            assert!(has_comment(info, &at), "{name} has no comment in {path}");
        }
    }
}

#[tokio::test]
async fn answers_health_checks() {
    let world = World::start().await;
    let mut grpcurl = Grpcurl::of(&world);
    for service in ["", BROKER, ADMIN] {
        let body = json!({ "service": service });
        let answer = grpcurl.call("grpc.health.v1.Health", "Check", body).await;
        assert_eq!(answer, json!({"status": "SERVING"}), "{service:?}");
    }
}

#[tokio::test]
async fn calls_every_rpc() {
    let mut seed = harness::seed();
    seed.apps[0].permissions.insert("administration".into(), Level::Write);
    let world =
        World::with_pages(seed, None, &["https://portal.example/done".parse().unwrap()]).await;
    let mut grpcurl = Grpcurl::of(&world);
    let body = json!({
        "account": ACCOUNT, "installation_id": INSTALLATION, "expected_github_login": "acme",
    });
    let answer = grpcurl.call(BROKER, "RegisterInstallation", body).await;
    assert_eq!(answer["installation"]["status"], "CONNECTION_STATUS_ACTIVE");
    assert_eq!(answer["installation"]["installationId"], INSTALLATION.to_string());

    let body = json!({"account": ACCOUNT, "repository": REPO, "staging_branch": "staging"});
    let answer = grpcurl.call(ADMIN, "ConfigureRepo", body).await;
    assert_eq!(answer["binding"]["productionBranch"], "main");

    let body = json!({
        "account": ACCOUNT, "repository": REPO, "staging_base": "main", "staging_must_exist": false,
        "work_branches": {"patterns": ["adagent/*"]},
    });
    let answer = grpcurl.call(ADMIN, "ConfigureRepo", body).await;
    assert_eq!(answer["binding"]["stagingBase"], "main");
    assert_eq!(answer["binding"]["workBranches"], json!(["adagent/*"]));

    let answer = grpcurl.call(BROKER, "VerifyRepo", json!({ "account": ACCOUNT })).await;
    assert_eq!(answer["ok"], true, "{answer}");

    let permissions = json!({"contents": "write"});
    let body = json!({"account": ACCOUNT, "permissions": permissions, "min_ttl": "600s"});
    let answer = grpcurl.call(BROKER, "GetRepoToken", body).await;
    assert_eq!(answer["permissions"], json!({"contents": "write", "metadata": "read"}));
    let token = answer["token"].as_str().unwrap().to_owned();
    assert!(world.sim.accepts(&token));

    commits_and_promotes(&world, &mut grpcurl).await;

    let body = json!({"account": ACCOUNT, "token": token});
    let answer = grpcurl.call_with_secret(BROKER, "ReportRejectedToken", body).await;
    assert_eq!(answer, json!({"dropped": true}));

    connects_github(&mut grpcurl).await;
    chooses_repositories(&mut grpcurl).await;
    sets_a_pat(&world, &mut grpcurl).await;
    disconnects(&world, &mut grpcurl).await;

    let mut rpcs = BTreeSet::new();
    for service in [BROKER, ADMIN] {
        let listed = grpcurl.show(&["list", service]).await;
        rpcs.extend(listed.lines().map(|rpc| {
            let (service, name) = rpc.rsplit_once('.').unwrap();
            format!("{service}/{name}")
        }));
    }
    assert_eq!(grpcurl.called, rpcs, "an RPC was not called");
}

async fn connects_github(grpcurl: &mut Grpcurl) {
    let answer = grpcurl.call(ADMIN, "BeginInstallation", json!({ "account": ACCOUNT })).await;
    assert!(answer["installUrl"].as_str().unwrap().ends_with(answer["state"].as_str().unwrap()));

    let answer = grpcurl.call(ADMIN, "BeginOAuth", json!({ "account": ACCOUNT })).await;
    let (_, brought) = person::back_from(answer["authorizeUrl"].as_str().unwrap()).await;
    let body = json!({"account": ACCOUNT, "state": answer["state"], "code": brought["code"]});
    let answer = grpcurl.call_with_secret(ADMIN, "CompleteOAuth", body).await;
    assert_eq!(answer["oauthUser"]["login"], "alice");

    let answer = grpcurl.call(ADMIN, "ListConnections", json!({})).await;
    let first = &answer["connections"][0];
    assert_eq!(first["account"], ACCOUNT);
    assert_eq!(first["effectiveSource"], "CREDENTIAL_SOURCE_APP_INSTALLATION");

    let body =
        json!({"account": ACCOUNT, "source": "CREDENTIAL_SOURCE_OAUTH_USER", "enabled": false});
    let answer = grpcurl.call(ADMIN, "SetCredentialEnabled", body).await;
    assert_eq!(answer["effectiveSource"], "CREDENTIAL_SOURCE_APP_INSTALLATION");
}

async fn chooses_repositories(grpcurl: &mut Grpcurl) {
    let body = json!({"account": ACCOUNT, "repository": "acme/reports"});
    let answer = grpcurl.call(ADMIN, "CreateRepository", body).await;
    assert_eq!(answer["repository"]["name"], "acme/reports");

    let body = json!({"account": ACCOUNT, "query": "repo", "page_size": 100});
    let answer = grpcurl.call(ADMIN, "ListRepositories", body).await;
    assert_eq!(answer["repositories"].as_array().unwrap().len(), 1, "{answer}");
}

async fn commits_and_promotes(world: &World, grpcurl: &mut Grpcurl) {
    let binary: &[u8] = &[0x89, b'P', b'N', b'G', 0, 0xff];
    let files = json!([
        {"path": "img/logo.png", "content": BASE64_STANDARD.encode(binary)},
        {"path": "run.sh", "content": BASE64_STANDARD.encode("#!/bin/sh\n"), "mode": "FILE_MODE_EXECUTABLE"},
        {"path": "models/orders.sql", "delete": {}},
    ]);
    let body = json!({"account": ACCOUNT, "message": "Add a logo", "files": files});
    let answer = grpcurl.call(BROKER, "CommitFiles", body).await;
    let sha = world.sim.head(REPO, "staging").unwrap();
    assert_eq!(answer["commitSha"], sha);
    assert_eq!((&answer["filesAdded"], &answer["filesDeleted"]), (&json!(2), &json!(1)));
    let repository = world.sim.git_dir(REPO);
    let size = git(&repository, &["cat-file", "-s", "staging:img/logo.png"]);
    assert_eq!(size.trim(), binary.len().to_string());
    assert!(git(&repository, &["ls-tree", "staging", "run.sh"]).starts_with("100755 "));

    let body = json!({"account": ACCOUNT, "title": "Promote the logo", "body": "One file."});
    let answer = grpcurl.call(BROKER, "OpenPromotionPr", body).await;
    assert_eq!((&answer["created"], &answer["commitsAhead"]), (&json!(true), &json!(1)));
    assert_eq!(world.sim.pulls(REPO)[0]["title"], "Promote the logo");
}

async fn sets_a_pat(world: &World, grpcurl: &mut Grpcurl) {
    let pat =
        seed::Pat { owner: "alice".into(), scopes: vec!["repo".into()], ..Default::default() };
    let secret = world.sim.add_pat(&pat).unwrap();
    let body = json!({"account": ACCOUNT, "token": secret});
    let answer = grpcurl.call_with_secret(BROKER, "SetPat", body).await;
    assert_eq!(answer["pat"]["ownerLogin"], "alice");
    assert!(!answer.to_string().contains(&secret));

    let answer = grpcurl.call(ADMIN, "GetConnection", json!({ "account": ACCOUNT })).await;
    assert_eq!(answer["effectiveSource"], "CREDENTIAL_SOURCE_APP_INSTALLATION");
    assert!(secret.ends_with(answer["pat"]["fingerprint"].as_str().unwrap()));
}

async fn disconnects(world: &World, grpcurl: &mut Grpcurl) {
    let body = json!({"account": ACCOUNT, "permissions": {"contents": "write"}});
    let answer = grpcurl.call(BROKER, "GetRepoToken", body).await;
    let token = answer["token"].as_str().unwrap();
    assert!(world.sim.accepts(token));
    let answer = grpcurl.call(ADMIN, "Disconnect", json!({ "account": ACCOUNT })).await;
    assert_eq!(answer["disconnected"], true);
    assert!(!world.sim.accepts(token), "it had to be revoked");
}

#[tokio::test]
async fn shows_every_bad_field() {
    let world = World::start().await;
    let body = json!({"account": "", "files": [{"path": "../up"}]});
    let status = Grpcurl::of(&world).refusal("CommitFiles", body).await;
    assert_eq!(status["code"], 3);
    let info = detail(&status, "ErrorInfo");
    assert_eq!((&info["reason"], &info["domain"]), (&json!("INVALID_FIELD"), &json!("ghbroker")));
    let violations = detail(&status, "BadRequest")["fieldViolations"].as_array().unwrap();
    let fields: BTreeSet<&str> = violations.iter().map(|v| v["field"].as_str().unwrap()).collect();
    assert!(fields.is_superset(&BTreeSet::from(["account", "message"])), "{fields:?}");
    assert!(fields.iter().any(|field| field.starts_with("files[0]")), "{fields:?}");
}

#[tokio::test]
async fn shows_what_must_hold_first() {
    let world = World::connected().await;
    let repository = world.sim.git_dir(crate::harness::REPO);
    crate::harness::git::git(&repository, &["branch", "staging", "main"]);
    let body = json!({ "account": ACCOUNT });
    let status = Grpcurl::of(&world).refusal("OpenPromotionPr", body).await;
    assert_eq!(status["code"], 9);
    assert_eq!(detail(&status, "ErrorInfo")["reason"], "NOTHING_TO_PROMOTE");
    let violation = &detail(&status, "PreconditionFailure")["violations"][0];
    assert_eq!(violation["type"], "NOTHING_TO_PROMOTE");
    assert_eq!(violation["description"], status["message"]);
}

#[tokio::test]
async fn shows_when_to_try_again() {
    let world = World::connected().await;
    let limit = Effect::SecondaryRateLimit { retry_after: Some(61), status: 429 };
    world.sim.fault(Fault::always(MINT, limit));
    let body = json!({"account": ACCOUNT, "permissions": {"issues": "read"}});
    let status = Grpcurl::of(&world).refusal("GetRepoToken", body).await;
    assert_eq!(status["code"], 8);
    assert_eq!(detail(&status, "ErrorInfo")["reason"], "RATE_LIMITED");
    assert_eq!(detail(&status, "RetryInfo")["retryDelay"], "61s");
}
