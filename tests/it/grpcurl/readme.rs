//! The commands of the README, run by the shell as they are copied: only names and ports are those of the test.

use std::{ffi::OsString, fs, os::unix::fs::PermissionsExt, path::Path};

use base64::{Engine, prelude::BASE64_STANDARD};
use ghbroker::proto::{
    RegisterInstallationRequest, SetupAction, credential_broker_client::CredentialBrokerClient,
};
use github_sim::{Options, Sim};
use serde_json::json;
use time::OffsetDateTime;
use tokio::process::Command;
use tonic::transport::{Certificate, ClientTlsConfig, Endpoint};

use super::program;
use crate::harness::{
    self, INSTALLATION, MINT, World,
    pki::Authority,
    program::Program,
    tokens_of_kubernetes::{KEY, claims, jwks},
};

/// A section of the README, with lines that go on in one.
fn section(title: &str) -> String {
    let readme = include_str!("../../../README.md").replace("\\\n", " ");
    let after = readme.split_once(&format!("\n## {title}\n")).unwrap().1;
    after.split("\n## ").next().unwrap().to_owned()
}

fn commands(section: &str) -> Vec<String> {
    section.lines().filter_map(|line| line.strip_prefix("$ ")).map(str::to_owned).collect()
}

/// The blocks of one language.
fn blocks<'a>(section: &'a str, language: &str) -> Vec<&'a str> {
    let begin = format!("```{language}\n");
    section.split(&begin).skip(1).map(|rest| rest.split("```").next().unwrap()).collect()
}

/// The shell's path with these folders first.
fn path(folders: &[&Path]) -> OsString {
    let rest = std::env::var_os("PATH").unwrap();
    let first = folders.iter().map(|folder| folder.to_path_buf());
    std::env::join_paths(first.chain(std::env::split_paths(&rest))).unwrap()
}

/// What a command prints; it must succeed.
async fn shell(command: &str, folder: &Path, path: &OsString) -> String {
    let mut shell = Command::new("sh");
    let output =
        shell.args(["-c", command]).current_dir(folder).env("PATH", path).output().await.unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command}: {complaint}");
    String::from_utf8(output.stdout).unwrap()
}

/// The commit of the page's example.
const COMMIT: &str = "725b7b0cbec10acdfda37f7180d83ba9d2a00ebf";

#[tokio::test]
async fn commands_to_call_it_work() {
    let world = World::start().await;
    let commands = commands(&section("Call it"));
    assert!(commands.len() >= 4, "{commands:?}");
    let path = path(&[program().parent().unwrap()]);
    for command in commands {
        assert!(
            command.starts_with("grpcurl ") && command.contains("127.0.0.1:50051"),
            "{command}"
        );
        let main = world.sim.head(crate::harness::REPO, "main").unwrap();
        let aimed = command.replace("127.0.0.1:50051", &world.address).replace(COMMIT, &main);
        shell(&aimed, world.folder(), &path).await;
    }
    assert_eq!(
        world.sim.count(MINT),
        4,
        "to look at the repository, to hand out, to commit, to promote"
    );
}

/// All files that the README names, with the two that it shows as it shows them.
fn files(folder: &Path, authority: &Authority) {
    let file = |name: &str, text: &str| fs::write(folder.join(name), text).unwrap();
    let (run, callers) = (section("Run it"), section("Who may call"));
    let begin = run.split_once("<<'TOML'\n").unwrap().1.split_once("\nTOML\n").unwrap().0;
    let [more, policy] = blocks(&callers, "toml")[..] else { panic!("{callers}") };
    file("ghbroker.toml", &format!("{begin}\n{more}"));
    file("policy.toml", policy);
    file("encryption.key", &BASE64_STANDARD.encode([7; 32]));
    file("private-key.pem", &harness::app_key().0);
    file("ca.crt", &authority.pem());
    file("jwks.json", &jwks(&[&KEY]));
    let operator = authority.client("spiffe://example.org/operator/nadia");
    for (name, issued) in [("tls", authority.server()), ("operator", operator)] {
        file(&format!("{name}.crt"), &issued.certificate);
        file(&format!("{name}.key"), &issued.key);
    }
    let now = OffsetDateTime::now_utc();
    let mut claims = claims("debug", now);
    claims["sub"] = json!("system:serviceaccount:ops:debug");
    claims["kubernetes.io"]["namespace"] = json!("ops");
    file("token", &KEY.token(&claims));
    file(
        "kubectl",
        "#!/bin/sh\n[ \"$*\" = \"create token debug --namespace ops --audience ghbroker\" ] && cat token\n",
    );
    fs::set_permissions(folder.join("kubectl"), fs::Permissions::from_mode(0o755)).unwrap();
}

/// The portal connects the account.
async fn register(address: &str, authority: &Authority) {
    let portal = authority.client("spiffe://example.org/ns/portal/sa/web");
    let tls = ClientTlsConfig::new()
        .domain_name("localhost")
        .ca_certificate(Certificate::from_pem(authority.pem()))
        .identity(portal.identity());
    let endpoint = Endpoint::from_shared(format!("https://{address}")).unwrap();
    let channel = endpoint.tls_config(tls).unwrap().connect().await.unwrap();
    let request = RegisterInstallationRequest {
        account: "acme".into(),
        installation_id: INSTALLATION,
        setup_action: SetupAction::Install.into(),
        expected_github_login: "acme".into(),
        ..Default::default()
    };
    CredentialBrokerClient::new(channel).register_installation(request).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_for_callers_work_with_the_files_that_are_shown() {
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new("ours");
    files(folder.path(), &authority);
    let sim = Sim::start(Options::default(), harness::seed()).await.unwrap();
    let broker = Program::serve(folder.path(), &sim);
    register(&broker.address, &authority).await;

    let callers = section("Who may call");
    let own = Path::new(env!("CARGO_BIN_EXE_ghbroker")).parent().unwrap();
    let path = path(&[own, program().parent().unwrap(), folder.path()]);
    let port = broker.address.rsplit(':').next().unwrap();
    let commands = commands(&callers);
    let [explain, by_certificate, by_token] = &commands[..] else { panic!("{commands:?}") };
    let explained = shell(explain, folder.path(), &path).await;
    assert!(callers.contains(&explained), "the README shows something else than\n{explained}");
    for command in [by_certificate, by_token] {
        let aimed = command.replace("ghbroker.example.org:50051", &format!("localhost:{port}"));
        assert_ne!(aimed, *command);
        let shown = shell(&aimed, folder.path(), &path).await;
        assert!(shown.contains("CONNECTION_STATUS_ACTIVE"), "{shown}");
    }
    let audit = fs::read_to_string(folder.path().join("audit.jsonl")).unwrap();
    for caller in ["spiffe://example.org/operator/nadia", "system:serviceaccount:ops:debug"] {
        assert!(audit.contains(caller), "{caller} is not in\n{audit}");
    }
}
