//! The App's private keys, changed while serving: in the file, and at GitHub, in any order.

use std::{fs, path::PathBuf, sync::OnceLock, time::Duration};

use base64::{Engine, prelude::BASE64_STANDARD};
use ghbroker::{
    github::AppKeys,
    proto::{VerifyRepoRequest, VerifyRepoResponse},
};
use tonic::{Response, Status};

use crate::harness::{
    ACCOUNT, APP_ID, INSTALLATION, REPO, World, app_key, lines::Lines, new_app_key, pem,
};

/// The broker looks at its files at this interval.
const LOOK: Duration = Duration::from_secs(5);
/// A key that is refused is tried again after this.
const AGAIN: Duration = Duration::from_secs(60);
const TAKES_OVER: &str = "another key of the App signs from now on";
const REFUSED: &str = "GitHub does not take this private key of the App";
const PROOF: &str = "GET /app";

/// The key that takes the place of the first one.
fn new_key() -> &'static (String, String) {
    static KEY: OnceLock<(String, String)> = OnceLock::new();
    KEY.get_or_init(new_app_key)
}

/// A connected world whose broker follows a file with these keys, which GitHub has all at first.
async fn world(keys: &str) -> (World, KeyFile) {
    let file = KeyFile { folder: tempfile::tempdir().unwrap() };
    file.write(keys);
    let path = file.path();
    let mut world = World::configured(move |config| {
        let app = config.github.app.as_mut().unwrap();
        app.private_keys = AppKeys::from_pem(&fs::read(&path).unwrap()).unwrap();
        app.key_file = Some(path.clone());
        // Each look at a repository mints, and a test looks often while its clock stands still.
        config.github.limits.mints_per_minute = 10_000;
    })
    .await;
    world.sim.set_app_keys(APP_ID, &[&app_key().1, &new_key().1]);
    world.register(ACCOUNT, INSTALLATION).await;
    world.configure(ACCOUNT, REPO).await;
    (world, file)
}

struct KeyFile {
    folder: tempfile::TempDir,
}

impl KeyFile {
    fn path(&self) -> PathBuf {
        self.folder.path().join("app.pem")
    }

    /// Replaces the file at once, so that nobody reads half of it.
    fn write(&self, text: &str) {
        let new = self.folder.path().join("new");
        fs::write(&new, text).unwrap();
        fs::rename(new, self.path()).unwrap();
    }
}

/// A call that mints each time.
async fn call(world: &World) -> Result<Response<VerifyRepoResponse>, Status> {
    let request = VerifyRepoRequest { account: ACCOUNT.into(), ..Default::default() };
    world.broker.clone().verify_repo(request).await
}

async fn logged(world: &World, lines: &Lines, message: &str) {
    world.until(async || lines.text().contains(message).then_some(())).await;
}

#[tokio::test]
async fn a_key_is_replaced_under_calls_and_none_fails() {
    let (lines, _guard) = Lines::watch();
    let (world, file) = world(&app_key().0).await;
    let calls = async {
        while !lines.text().contains(TAKES_OVER) {
            call(&world).await.unwrap();
        }
    };
    let change = async {
        file.write(&new_key().0);
        world.advance(LOOK);
        logged(&world, &lines, TAKES_OVER).await;
    };
    tokio::join!(calls, change);
    assert_eq!(world.sim.count(PROOF), 1);
    world.sim.set_app_keys(APP_ID, &[&new_key().1]);
    call(&world).await.unwrap();
    assert_eq!(
        world.sim.count(PROOF),
        1,
        "the new one signs, not one that is asked for after a refusal"
    );
    assert!(lines.text().contains("\"key\":\"SHA256:"));
    world.finish().await;
}

#[tokio::test]
async fn a_key_that_github_does_not_have_yet_is_waited_for() {
    let (lines, _guard) = Lines::watch();
    let (world, file) = world(&app_key().0).await;
    world.sim.set_app_keys(APP_ID, &[&app_key().1]);
    // Only the new one is in the file: the old one signs all the same.
    file.write(&new_key().0);
    world.advance(LOOK);
    logged(&world, &lines, REFUSED).await;
    call(&world).await.unwrap();
    world.advance(AGAIN);
    world.until(async || (world.sim.count(PROOF) == 2).then_some(())).await;
    call(&world).await.unwrap();
    world.sim.set_app_keys(APP_ID, &[&app_key().1, &new_key().1]);
    // The broker's next look after a minute: it sleeps from its last one on.
    world
        .until(async || {
            world.advance(LOOK);
            tokio::task::yield_now().await;
            lines.text().contains(TAKES_OVER).then_some(())
        })
        .await;
    world.sim.set_app_keys(APP_ID, &[&new_key().1]);
    call(&world).await.unwrap();
    assert_eq!(lines.text().matches(REFUSED).count(), 1, "it is told once");
    world.finish().await;
}

#[tokio::test]
async fn a_key_that_is_deleted_at_github_first_gives_way_to_the_other() {
    // One as GitHub hands it out, and one as others want it.
    let pkcs8: String = app_key().0.lines().filter(|line| !line.starts_with('-')).collect();
    let der = BASE64_STANDARD.decode(pkcs8).unwrap();
    // Where the PKCS#1 key begins in a PKCS#8 key of 2048 bits.
    let old = pem("RSA PRIVATE KEY", &der[26..]);
    let (world, _file) = world(&format!("{old}{}", new_key().0)).await;
    world.until(async || (world.sim.count(PROOF) >= 2).then_some(())).await;
    call(&world).await.unwrap();
    world.sim.set_app_keys(APP_ID, &[&new_key().1]);
    for _ in 0..3 {
        call(&world).await.unwrap();
    }
    world.finish().await;
}

#[tokio::test]
async fn a_file_that_cannot_be_read_changes_nothing() {
    let (lines, _guard) = Lines::watch();
    let (world, file) = world(&app_key().0).await;
    let half = new_key().0.split_at(400).0;
    for (number, broken) in ["", half, &format!("{}{half}", app_key().0)].iter().enumerate() {
        file.write(broken);
        world.advance(LOOK);
        let told = || lines.text().matches("changed files cannot be used").count();
        world.until(async || (told() > number).then_some(())).await;
        call(&world).await.unwrap();
    }
    assert_eq!(world.sim.count(PROOF), 0);
    assert!(!lines.text().contains(half.lines().nth(1).unwrap()));
    file.write(&new_key().0);
    world.advance(LOOK);
    logged(&world, &lines, TAKES_OVER).await;
    world.finish().await;
}
