//! Commits beside people's real `git push`, and beside other replicas: nothing is lost, nothing is there twice, nobody is forced.

mod postgres;

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    process::Command,
};

use futures_util::future::join_all;
use ghbroker::proto::{CommitFilesRequest, FileChange};
use github_sim::{Effect, Fault, Gate, seed};
use tokio::task::spawn_blocking;
use tonic::Code;

use super::{history, patiently, repeatable, text, world_with_staging};
use crate::harness::{REPO, World, delete, executable, git, status::assert_reason, write};

/// How often somebody tries who is told that somebody else was faster.
const PATIENCE: usize = 50;

/// Somebody with a clone.
struct Pusher {
    name: String,
    clone: tempfile::TempDir,
}

impl Pusher {
    async fn new(world: &World, name: &str) -> Self {
        let token = world.pat(seed::Pat { scopes: vec!["repo".into()], ..Default::default() });
        let url = format!("{}/{REPO}.git", world.sim.web_url());
        let pusher = Self { name: name.into(), clone: tempfile::tempdir().unwrap() };
        let folder = pusher.clone.path().to_owned();
        spawn_blocking(move || git::clone(&url, &token, "staging", &folder)).await.unwrap();
        pusher
    }

    /// Commits a change of a file.
    fn change(&self, path: &str, content: &str) -> String {
        let folder = self.clone.path();
        std::fs::write(folder.join(path), content).unwrap();
        git::git(folder, &["add", "--", path]);
        let name = format!("user.name={}", self.name);
        let who = ["-c", &name, "-c", "user.email=person@example.com"];
        git::git(
            folder,
            &[&who[..], &["commit", "--quiet", "-m", &format!("{path} by hand")]].concat(),
        );
        git::git(folder, &["rev-parse", "HEAD"]).trim().to_owned()
    }

    /// Pushes the clone's head as it is; false if GitHub has something that the clone has not.
    async fn push(&self) -> bool {
        let pushed = run(self.clone.path(), &["push", "--quiet", "origin", "HEAD:staging"]).await;
        if let Err(said) = &pushed {
            assert!(
                said.contains("fetch first")
                    || said.contains("failed to update ref")
                    || said.contains("non-fast-forward")
                    || said.contains("cannot lock ref"),
                "{said}"
            );
        }
        pushed.is_ok()
    }

    /// Pushes a change, on top of whatever others were faster with, and returns the commit that git said was pushed.
    async fn land(&self, path: &str, content: &str) -> String {
        self.change(path, content);
        for _ in 0..PATIENCE {
            if self.push().await {
                return git::git(self.clone.path(), &["rev-parse", "HEAD"]).trim().to_owned();
            }
            let who = ["-c", "user.name=a", "-c", "user.email=a@example.com"];
            // Where both changed a file, the person's own change is kept ("theirs", as rebase calls it).
            let pull = ["pull", "--quiet", "--rebase", "-X", "theirs", "origin", "staging"];
            run(self.clone.path(), &[&who[..], &pull].concat()).await.unwrap();
        }
        panic!("{path} was never pushed");
    }
}

/// Runs git on a thread of its own, as GitHub is in this process; an error is what it says.
async fn run(folder: &Path, arguments: &[&str]) -> Result<(), String> {
    let mut command = Command::new("git");
    command
        .arg("-C")
        .arg(folder)
        .args(arguments)
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("LC_ALL", "C");
    let output = spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    output.status.success().then_some(()).ok_or(said)
}

/// Has git note every move of a branch, and gives the notes back.
struct Moves(PathBuf);

impl Moves {
    fn watch(world: &World) -> Self {
        let repository = world.sim.git_dir(REPO);
        git::git(&repository, &["config", "core.logAllRefUpdates", "always"]);
        Self(repository)
    }

    /// Asserts that staging was only ever moved to a descendant of where it was, and that there are no merges.
    fn assert_forward(&self) {
        let notes = std::fs::read_to_string(self.0.join("logs/refs/heads/staging")).unwrap();
        for note in notes.lines() {
            let (old, new) = (&note[..40], &note[41..81]);
            git::git(&self.0, &["merge-base", "--is-ancestor", old, new]);
        }
        assert_eq!(git::git(&self.0, &["rev-list", "--merges", "staging"]), "");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pushes_and_commits_at_once_all_land() {
    const PEOPLE: usize = 3;
    const PUSHES: usize = 3;
    const CALLERS: usize = 3;
    const CALLS: usize = 3;
    let world = world_with_staging().await;
    let (moves, before) = (Moves::watch(&world), history(&world).len());
    let person = async |person: usize| {
        let pusher = Pusher::new(&world, &format!("person {person}")).await;
        let mut landed = Vec::new();
        for number in 0..PUSHES {
            landed.push(pusher.land(&format!("by-hand-{person}-{number}"), "mine\n").await);
        }
        landed
    };
    let caller = async |caller: usize| {
        let mut landed = Vec::new();
        for number in 0..CALLS {
            let path = format!("by-broker-{caller}-{number}");
            // Some have modes.
            let file =
                if number == 1 { executable(&path, "ours\n") } else { write(&path, "ours\n") };
            let call = async || world.commit_files(repeatable(&path, vec![file.clone()])).await;
            landed.push(patiently(&world, PATIENCE, call).await.commit_sha);
        }
        landed
    };
    let (people, callers) =
        tokio::join!(join_all((0..PEOPLE).map(person)), join_all((0..CALLERS).map(caller)));
    let landed: Vec<String> = [people, callers].into_iter().flatten().flatten().collect();
    let history = history(&world);
    let made = &history[..history.len() - before];
    assert_eq!(made.len(), PEOPLE * PUSHES + CALLERS * CALLS);
    assert_eq!(made.iter().collect::<BTreeSet<_>>(), landed.iter().collect());
    moves.assert_forward();
    let listed = git::files(&world.sim.git_dir(REPO), "staging");
    assert_eq!(listed.iter().filter(|file| file.contains(" by-")).count(), made.len());
    world.finish().await;
}

/// Somebody pushes while a request of the broker waits: at every request in turn.
async fn pushed_at_every_request(files: Vec<FileChange>, push: (&str, &str)) {
    let requests = {
        let world = world_with_staging().await;
        let before = world.sim.requests().len();
        world.commit_files(repeatable("run-1", files.clone())).await.unwrap();
        world.sim.requests().len() - before
    };
    for number in 1..=requests {
        for after in [false, true] {
            let place = format!("request {number}, after its effect: {after}");
            let world = world_with_staging().await;
            let moves = Moves::watch(&world);
            let pusher = Pusher::new(&world, "person").await;
            let gate = Gate::new();
            let hold =
                if after { Effect::HoldAfter(gate.clone()) } else { Effect::Hold(gate.clone()) };
            world.sim.fault(Fault::nth("*", number as u32, hold));
            let call = world.commit_files(repeatable("run-1", files.clone()));
            let person = async {
                gate.arrived(1).await;
                // Those who come after the broker's last request come on top of it.
                let theirs = pusher.land(push.0, push.1).await;
                gate.open();
                theirs
            };
            let (done, theirs) = tokio::join!(call, person);
            let ours = done.unwrap().commit_sha;
            let history = history(&world);
            assert_eq!(history.len(), 4, "{place}: {history:?}");
            let newest: BTreeSet<_> = history[..2].iter().collect();
            assert_eq!(newest, BTreeSet::from([&theirs, &ours]), "{place}");
            moves.assert_forward();
            // Whoever came last has the last word about a file of both; nobody else's files are touched.
            let ours_too = files.iter().any(|file| file.path == push.0);
            let last = if ours_too && history[0] == ours { "ours\n" } else { push.1 };
            assert_eq!(text(&world.sim.git_dir(REPO), "staging", push.0), last, "{place}");
            world.finish().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_push_at_any_moment_of_a_commit_of_plain_files_is_kept() {
    let files = vec![write("a.sql", "ours\n"), write("same", "ours\n"), delete("first.sql")];
    pushed_at_every_request(files, ("theirs.sql", "theirs\n")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_push_at_any_moment_of_a_commit_with_modes_is_kept() {
    let files = vec![executable("run.sh", "ours\n"), write("same", "ours\n")];
    pushed_at_every_request(files, ("theirs.sql", "theirs\n")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_push_of_the_same_file_at_any_moment_is_in_the_history() {
    pushed_at_every_request(vec![write("same", "ours\n")], ("same", "theirs\n")).await;
}

/// With an expected head there is no second look: who was faster wins.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_who_expect_the_same_head_one_wins() {
    let world = world_with_staging().await;
    let head = world.sim.head(REPO, "staging").unwrap();
    let calls = (0..6).map(|number| {
        let path = format!("f{number}");
        let file = if number % 2 == 0 { write(&path, "1\n") } else { executable(&path, "1\n") };
        let expected_head_sha = head.clone();
        world.commit_files(CommitFilesRequest { expected_head_sha, ..repeatable("", vec![file]) })
    });
    let answers = join_all(calls).await;
    let won: Vec<_> = answers.iter().flatten().map(|done| done.commit_sha.clone()).collect();
    assert_eq!(won, [world.sim.head(REPO, "staging").unwrap()]);
    assert_eq!(history(&world)[1], head);
    for refused in answers.iter().filter_map(|answer| answer.as_ref().err()) {
        let details = assert_reason(refused, Code::Aborted, "HEAD_MOVED");
        assert_eq!(details.error_info().unwrap().metadata["current_head_sha"], won[0]);
    }
    world.finish().await;
}
