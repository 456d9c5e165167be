//! A browser on its way from the portal through GitHub's pages and back, by the broker's callback or by the portal's own.

mod own_callback;
mod portal;

use std::{
    path::{Path, PathBuf},
    process::Stdio,
};

use github_sim::seed;
use serde_json::json;
use tokio::{io::AsyncWriteExt, net::TcpListener, process::Command};
use url::Url;

use crate::harness::{self, ACCOUNT, APP_ID, World};
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

fn serve(world: &World, account: &str, landing: Url, listener: TcpListener) {
    let (admin, broker) = (world.admin.clone(), world.broker.clone());
    tokio::spawn(Portal { account: account.into(), landing, admin, broker }.serve(listener));
}

/// Where the steps are kept as pictures, for people to look at.
fn pictures() -> PathBuf {
    let program = Path::new(env!("CARGO_BIN_EXE_ghbroker"));
    program.ancestors().nth(2).unwrap().join("browser")
}

async fn run(script: &str, input: &serde_json::Value) {
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
        .arg(script)
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
        serve(&world, account, landing, listener);
        homes.push(home);
    }
    let input = json!({
        "portal": homes[0], "membersPortal": homes[1], "thiefsPortal": homes[2],
        "github": world.sim.web_url(), "callback": world.callback(), "pictures": pictures().join("callback"),
    });
    run("connect.mjs", &input).await;
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_portal_that_takes_the_redirect_itself_knows_whose_browser_it_is() {
    let (listener, home) = listen().await;
    let landing = home.join(portal::LANDING).unwrap();
    let world = World::with_pages(seed(&home), None, std::slice::from_ref(&landing)).await;
    let callback = home.join(own_callback::PATH).unwrap();
    world.sim.set_app_urls(APP_ID, &[callback.as_str()], None);
    serve(&world, THIEF, landing, listener);
    let input = json!({
        "portal": home, "github": world.sim.web_url(), "callback": callback,
        "pictures": pictures().join("own-callback"),
    });
    run("own-callback.mjs", &input).await;
    world.finish().await;
}
