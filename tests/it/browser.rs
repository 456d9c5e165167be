//! A browser on its way from the portal through GitHub's pages and the broker's callback, and back to the portal.

mod portal;

use std::{
    path::{Path, PathBuf},
    process::Stdio,
};

use github_sim::seed;
use serde_json::json;
use tokio::{io::AsyncWriteExt, net::TcpListener, process::Command};
use url::Url;

use crate::harness::{self, ACCOUNT, World};
use portal::Portal;

/// The customers beside acme: an organization that alice does not own, and somebody who is up to no good.
const MEMBER: &str = "tenant-globex";
const THIEF: &str = "tenant-mallory";

/// alice owns acme and is a member of globex, which bob owns. The App is installed nowhere.
fn seed(portal: &Url) -> seed::Seed {
    let mut seed = harness::seed();
    seed.installations.clear();
    seed.users.push(seed::User { login: "bob".into(), ..Default::default() });
    let member = |login: &str, role| seed::Member { login: login.into(), role };
    let members = vec![member("bob", seed::Role::Admin), member("alice", seed::Role::Member)];
    seed.orgs.push(seed::Org { login: "globex".into(), members, ..Default::default() });
    for (owner, name) in [("acme", "ledger"), ("globex", "reports")] {
        let (owner, name) = (owner.into(), name.into());
        seed.repositories.push(seed::Repository { owner, name, ..Default::default() });
    }
    let app = &mut seed.apps[0];
    app.name = Some("Example Data Platform".into());
    app.homepage_url = Some(portal.to_string());
    app.request_oauth_on_install = true;
    app.setup_on_update = true;
    seed
}

/// A portal's address before it serves, so that the broker can be told of it.
async fn listen() -> (TcpListener, Url) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
    (listener, url)
}

/// Where the steps are kept as pictures, for people to look at.
fn pictures() -> PathBuf {
    let program = Path::new(env!("CARGO_BIN_EXE_ghbroker"));
    program.ancestors().nth(2).unwrap().join("browser")
}

async fn run(input: &serde_json::Value) {
    let told = |name| {
        std::env::var_os(name).unwrap_or_else(|| {
            panic!(
                "{} is not set: run `make test`, or leave these tests out with `--skip browser::`",
                name
            )
        })
    };
    let chromium = told("GHBROKER_TEST_CHROMIUM");
    // Of the environment Chromium has only what it cannot do without.
    let folder = tempfile::tempdir().unwrap();
    let mut child = Command::new(told("GHBROKER_TEST_NODE"))
        .arg("connect.mjs")
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser"))
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", folder.path())
        .env("TMPDIR", folder.path())
        .env("CHROMIUM", chromium)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input.to_string().as_bytes()).await.unwrap();
    drop(stdin);
    let output = child.wait_with_output().await.unwrap();
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}{}", said(&output.stdout), said(&output.stderr));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_connect_and_are_told_how_it_ended() {
    let mut doors = Vec::new();
    for account in [ACCOUNT, MEMBER, THIEF] {
        doors.push((account, listen().await));
    }
    let pages: Vec<Url> =
        doors.iter().map(|(_, (_, home))| home.join(portal::LANDING).unwrap()).collect();
    let world = World::with_pages(seed(&doors[0].1.1), None, &pages).await;
    let mut homes = Vec::new();
    for (account, (listener, home)) in doors {
        let landing = home.join(portal::LANDING).unwrap();
        let portal = Portal { account: account.into(), landing, admin: world.admin.clone() };
        tokio::spawn(portal.serve(listener));
        homes.push(home);
    }
    let input = json!({
        "portal": homes[0], "membersPortal": homes[1], "thiefsPortal": homes[2],
        "github": world.sim.web_url(), "callback": world.callback(), "pictures": pictures(),
    });
    run(&input).await;
    world.finish().await;
}
