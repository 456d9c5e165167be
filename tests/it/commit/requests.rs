//! How often GitHub is asked for a commit.

use std::time::Duration;

use futures_util::FutureExt;
use ghbroker::{config::Config, proto::FileChange};
use github_sim::{Effect, Fault, Gate};

use crate::harness::{
    self, ACCOUNT, INSTALLATION, MINT, REPO, World, delete, door::Door, executable, write,
};

const BLOBS: &str = "POST /repos/{owner}/{repo}/git/blobs";

/// What a commit asks GitHub for, the token's mint left out: `createCommitOnBranch`, or a route.
async fn asked(world: &World, files: Vec<FileChange>) -> Vec<String> {
    let before = world.sim.requests().len();
    world.commit("Change", files).await.unwrap();
    let seen = world.sim.requests().into_iter().skip(before).filter(|seen| seen.route != MINT);
    seen.map(|seen| seen.field.unwrap_or(seen.route)).collect()
}

/// Files in directories of directories, as models of a project are.
fn models(count: usize, content: &str) -> Vec<FileChange> {
    let path = |n: usize| format!("models/area{}/group{}/m{n}.sql", n % 7, n % 31);
    (0..count).map(|n| write(&path(n), format!("-- {n}\n{content}"))).collect()
}

#[tokio::test]
async fn ordinary_files_take_a_query_and_a_mutation_however_many_they_are() {
    let world = World::connected().await;
    world.commit("First", models(2000, "select 1\n")).await.unwrap();
    for changed in [1, 20, 2000] {
        let mut files = models(2000, "select 1\n");
        let content = format!("select {changed}00\n");
        files.splice(..changed, models(changed, &content));
        files.push(delete("models/not-there.sql"));
        assert_eq!(asked(&world, files).await, ["repository", "createCommitOnBranch"]);
    }
    world.finish().await;
}

#[tokio::test]
async fn only_what_differs_is_sent() {
    let world = World::connected().await;
    let files = || models(300, &"x".repeat(10_000));
    world.commit("First", files()).await.unwrap();
    let mut one = files();
    one[7] = write("models/area0/group7/m7.sql", "select 7\n");
    asked(&world, one).await;
    let sent: usize = world.sim.requests().iter().rev().take(2).map(|seen| seen.body_bytes).sum();
    assert!(sent < 40_000, "{sent} bytes for one small file");
    assert_eq!(asked(&world, files()[..300].to_vec()).await.len(), 2);
    world.finish().await;
}

#[tokio::test]
async fn nothing_changed_takes_one_query() {
    let world = World::connected().await;
    let files = || {
        let mut files = models(500, "select 1\n");
        files.push(executable("bin/run.sh", "#!/bin/sh\n"));
        files.push(delete("gone.sql"));
        files
    };
    world.commit("First", files()).await.unwrap();
    assert_eq!(asked(&world, files()).await, ["repository"]);
    world.finish().await;
}

#[tokio::test]
async fn modes_take_a_tree_a_commit_and_a_swap() {
    let world = World::connected().await;
    world.commit("First", vec![write("a.sql", "1\n")]).await.unwrap();
    let files = vec![executable("bin/run.sh", "#!/bin/sh\n"), write("a.sql", "2\n")];
    let expected = [
        "repository",
        "POST /repos/{owner}/{repo}/git/trees",
        "POST /repos/{owner}/{repo}/git/commits",
        "updateRefs",
    ];
    assert_eq!(asked(&world, files).await, expected);
    world.finish().await;
}

/// The first four wait; no fifth one is begun before one of them is answered.
#[tokio::test]
async fn blobs_go_four_at_once() {
    let world = World::connected().await;
    world.commit("First", vec![write("a.sql", "1\n")]).await.unwrap();
    let gate = Gate::new();
    world.sim.fault(Fault::always(BLOBS, Effect::Hold(gate.clone())));
    let mut files = vec![executable("bin/run.sh", "#!/bin/sh\n")];
    files.extend((0..12u8).map(|n| write(&format!("b{n}"), vec![0xff, n])));
    let call = world.commit("Change", files);
    let meanwhile = async {
        gate.arrived(4).await;
        // Time enough for a fifth one: the broker and GitHub do other things meanwhile.
        for permission in ["contents", "pull_requests"] {
            world.token(&[(permission, "read")]).await;
        }
        let waiting = gate.arrived(5).now_or_never().is_some();
        gate.open();
        waiting
    };
    let (done, fifth) = tokio::join!(call, meanwhile);
    assert_eq!((done.unwrap().files_added, fifth), (13, false));
    assert_eq!(world.sim.count(BLOBS), 12);
    world.finish().await;
}

#[tokio::test]
async fn more_directories_than_a_query_can_have_are_read_in_several() {
    const RULE: &str = "[[rule]]\nname = \"all\"\ncallers = [\"spiffe://example.org/*\"]\nrole = \"committer\"\naccounts = [\"*\"]\n";
    // The simulator reads each directory from git, which takes it longer than GitHub.
    let patient = |config: &mut Config| {
        config.github.limits.request_timeout = Duration::from_secs(100);
        config.limits.call_timeout = Duration::from_secs(300);
        config.limits.commit_timeout = Duration::from_secs(300);
    };
    let door = Door::new("mtls", RULE);
    let mut world = World::guarded_and_configured(harness::seed(), door, patient).await;
    world.register(ACCOUNT, INSTALLATION).await;
    world.configure(ACCOUNT, REPO).await;
    let many = |content: &str| -> Vec<FileChange> {
        (0..1100).map(|n| write(&format!("d{n}/m.sql"), content)).collect()
    };
    world.commit("First", many("1\n")).await.unwrap();
    assert_eq!(asked(&world, many("1\n")).await, ["repository", "repository"]);
    let mut one = many("1\n");
    one[1099] = write("d1099/m.sql", "2\n");
    let done = world.commit("Change", one).await.unwrap();
    assert_eq!((done.files_changed, done.files_unchanged), (1, 1099));
    world.finish().await;
}
