//! What a request id promises: one effect, and the first answer for a day.

use std::time::Duration;

use futures_util::future::join_all;
use ghbroker::proto::{
    CommitFilesRequest, CommitFilesResponse, ConfigureRepoRequest, FileChange, FileMode,
    SetPatRequest,
};
use github_sim::{Effect, Fault, Gate, seed};
use tonic::{Code, Status};

use super::{assert_worth_a_retry, history, patiently, repeatable, text, world_with_staging};
use crate::harness::{
    ACCOUNT, REPO, World, delete, executable,
    git::commits,
    replica::Replica,
    status::{assert_reason, bad_fields},
    write,
};

const HOUR: Duration = Duration::from_secs(60 * 60);

fn one_file() -> CommitFilesRequest {
    repeatable("run-1", vec![write("a.sql", "1\n")])
}

/// Asserts that a call was refused for its request id alone.
#[track_caller]
fn assert_taken(answer: Result<CommitFilesResponse, Status>) {
    assert_eq!(bad_fields(&answer.unwrap_err()), ["request_id"]);
}

#[tokio::test]
async fn the_first_answer_is_given_again_whatever_happened_since() {
    let mut world = world_with_staging().await;
    let files =
        || vec![write("a.sql", "1\n"), executable("run.sh", "1\n"), write("first.sql", "0\n")];
    let call = || repeatable("run-1", files());
    let first = world.commit_files(call()).await.unwrap();
    assert_eq!((first.files_added, first.files_unchanged, first.unchanged), (2, 1, false));
    assert_eq!(world.commit_files(call()).await.unwrap(), first);
    // Somebody undoes it: a retry is no reason to do it again.
    world.sim.commit(REPO, "staging", &[("a.sql", "by hand\n")]);
    assert_eq!(world.commit_files(call()).await.unwrap(), first);
    world.restart().await;
    assert_eq!(world.commit_files(call()).await.unwrap(), first);
    world.advance(23 * HOUR);
    assert_eq!(world.commit_files(call()).await.unwrap(), first);
    let repository = world.sim.git_dir(REPO);
    assert_eq!(text(&repository, "staging", "a.sql"), "by hand\n");
    assert_eq!(commits(&repository, "staging"), 4);
    world.finish().await;
}

#[tokio::test]
async fn that_nothing_differed_is_an_answer_too() {
    let world = world_with_staging().await;
    let nothing = || repeatable("run-1", vec![write("first.sql", "0\n")]);
    let first = world.commit_files(nothing()).await.unwrap();
    assert!(first.unchanged);
    world.sim.commit(REPO, "staging", &[("first.sql", "by hand\n")]);
    assert_eq!(world.commit_files(nothing()).await.unwrap(), first);
    assert_eq!(text(&world.sim.git_dir(REPO), "staging", "first.sql"), "by hand\n");
    world.finish().await;
}

#[tokio::test]
async fn an_id_that_comes_with_anything_else_is_refused() {
    let world = world_with_staging().await;
    let head = world.sim.head(REPO, "staging").unwrap();
    let first = world.commit_files(one_file()).await.unwrap();
    let with = |files: Vec<FileChange>| CommitFilesRequest { files, ..one_file() };
    let mode = FileChange { change: None, mode: FileMode::Executable.into(), ..write("a.sql", "") };
    let others = [
        with(vec![write("b.sql", "1\n")]),
        with(vec![write("a.sql", "2\n")]),
        with(vec![write("a.sql", "")]),
        with(vec![write("a.sql", "1\n"), write("b.sql", "1\n")]),
        with(vec![executable("a.sql", "1\n")]),
        with(vec![delete("a.sql")]),
        with(vec![mode]),
        CommitFilesRequest { message: "Another".into(), ..one_file() },
        CommitFilesRequest { branch: "adagent/1".into(), ..one_file() },
        CommitFilesRequest { expected_head_sha: head, ..one_file() },
    ];
    for other in others {
        assert_taken(world.commit_files(other).await);
    }
    assert_eq!(world.commit_files(one_file()).await.unwrap(), first);
    assert_eq!(history(&world)[0], first.commit_sha);
    assert_eq!(world.sim.head(REPO, "adagent/1"), None);
    world.finish().await;
}

/// Where one thing ends and the next begins is part of the content.
#[tokio::test]
async fn what_is_written_alike_is_not_the_same_content() {
    let world = world_with_staging().await;
    let two = vec![write("a", "b"), write("c", "d")];
    let alike = vec![write("a", "bc"), write("d", "")];
    world.commit_files(repeatable("run-1", two)).await.unwrap();
    assert_taken(world.commit_files(repeatable("run-1", alike)).await);
    let mode = |file| FileChange { mode: FileMode::Regular.into(), ..file };
    let written = vec![mode(write("a", "b")), write("delete", "delete")];
    let only_mode = FileChange { change: None, ..mode(write("a", "")) };
    let alike = vec![only_mode, delete("b"), delete("keep")];
    world.commit_files(repeatable("run-2", written)).await.unwrap();
    assert_taken(world.commit_files(repeatable("run-2", alike)).await);
    world.finish().await;
}

#[tokio::test]
async fn where_a_branch_begins_is_part_of_the_content() {
    let world = world_with_staging().await;
    let at = |base: &str| CommitFilesRequest {
        branch: "adagent/1".into(),
        base: base.into(),
        ..one_file()
    };
    let first = world.commit_files(at("main")).await.unwrap();
    assert_taken(world.commit_files(at("staging")).await);
    assert_eq!(world.commit_files(at("main")).await.unwrap(), first);
    world.finish().await;
}

#[tokio::test]
async fn an_id_in_another_repository_is_another_content() {
    let world = world_with_staging().await;
    let other = seed::Repository {
        owner: "acme".into(),
        name: "other".into(),
        files: [("README.md".to_owned(), "hi\n".to_owned())].into(),
        ..Default::default()
    };
    world.sim.add_repository(&other).unwrap();
    for repository in ["acme/other", REPO] {
        let bind = ConfigureRepoRequest {
            account: ACCOUNT.into(),
            repository: repository.into(),
            ..Default::default()
        };
        world.configure_repo(bind).await.unwrap();
    }
    world.commit_files(one_file()).await.unwrap();
    let there = CommitFilesRequest { repository: "acme/other".into(), ..one_file() };
    assert_taken(world.commit_files(there).await);
    assert_eq!(world.sim.head("acme/other", "staging"), None);
    world.finish().await;
}

#[tokio::test]
async fn ids_of_other_accounts_do_not_matter() {
    let mut world = world_with_staging().await;
    let token = world.pat(seed::Pat { scopes: vec!["repo".into()], ..Default::default() });
    world
        .set_pat(SetPatRequest { account: "tenant-b".into(), token, ..Default::default() })
        .await
        .unwrap();
    world.configure("tenant-b", REPO).await;
    let first = world.commit_files(one_file()).await.unwrap();
    let other = CommitFilesRequest { account: "tenant-b".into(), ..one_file() };
    let same = world.commit_files(other.clone()).await.unwrap();
    assert!(same.unchanged, "it was done, and not repeated: {same:?}");
    let different = CommitFilesRequest { files: vec![write("b.sql", "1\n")], ..other };
    assert_taken(world.commit_files(different).await);
    assert_eq!(world.commit_files(one_file()).await.unwrap(), first);
    world.finish().await;
}

#[tokio::test]
async fn however_many_come_at_once_there_is_one_effect_and_one_answer() {
    let world = world_with_staging().await;
    let gate = Gate::new();
    world.sim.fault(Fault::nth("*", 1, Effect::Hold(gate.clone())));
    let calls = join_all((0..6).map(|_| async {
        patiently(&world, 50, async || world.commit_files(one_file()).await).await
    }));
    let open = async {
        gate.arrived(1).await;
        // All calls are at the broker when one that came after them has been answered.
        assert!(world.commit_files(repeatable("", vec![])).await.is_err());
        gate.open();
    };
    let (answers, ()) = tokio::join!(calls, open);
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    assert_eq!(history(&world).len(), 3);
    world.finish().await;
}

/// Of two contents with one id the second is refused, even while the first is under way.
#[tokio::test]
async fn another_content_at_once_makes_no_second_effect() {
    let world = world_with_staging().await;
    let gate = Gate::new();
    world.sim.fault(Fault::nth("*", 1, Effect::Hold(gate.clone())));
    let other = || repeatable("run-1", vec![write("b.sql", "1\n")]);
    let open = async {
        gate.arrived(1).await;
        let (refused, ()) = tokio::join!(world.commit_files(other()), async { gate.open() });
        match refused.unwrap_err() {
            refused if refused.code() == Code::Aborted => assert_worth_a_retry(&refused),
            refused => assert_eq!(bad_fields(&refused), ["request_id"]),
        }
    };
    let (first, ()) = tokio::join!(world.commit_files(one_file()), open);
    first.unwrap();
    assert_taken(world.commit_files(other()).await);
    assert_eq!(history(&world).len(), 3);
    world.finish().await;
}

#[tokio::test]
async fn a_call_that_failed_leaves_its_id_free_for_anything() {
    type Arrange = fn(&World);
    let failures: [(Arrange, Arrange, Code, &str); 3] = [
        (
            |world| world.sim.archive(REPO, true),
            |world| world.sim.archive(REPO, false),
            Code::FailedPrecondition,
            "REPO_READ_ONLY",
        ),
        (
            |world| world.sim.fault(Fault::always("*", Effect::DropBefore)),
            |world| world.sim.clear_faults(),
            Code::Unavailable,
            "GITHUB_UNAVAILABLE",
        ),
        (
            |world| world.sim.block_secret("1\n"),
            |_| {},
            Code::FailedPrecondition,
            "REFUSED_BY_RULES",
        ),
    ];
    for (arrange, mend, code, reason) in failures {
        let world = world_with_staging().await;
        arrange(&world);
        assert_reason(&world.commit_files(one_file()).await.unwrap_err(), code, reason);
        mend(&world);
        // Longer than the broker leaves a host alone that is down.
        world.advance(Duration::from_secs(31));
        let other = repeatable("run-1", vec![write("b.sql", "2\n")]);
        let done = world.commit_files(other).await.unwrap();
        assert_eq!(history(&world)[0], done.commit_sha, "{reason}");
        assert_eq!(history(&world).len(), 3, "{reason}");
        world.finish().await;
    }
}

#[tokio::test]
async fn a_head_that_was_not_as_expected_leaves_the_id_free() {
    let world = world_with_staging().await;
    let wrong = CommitFilesRequest { expected_head_sha: "0".repeat(40), ..one_file() };
    let refused = world.commit_files(wrong).await.unwrap_err();
    let details = assert_reason(&refused, Code::Aborted, "HEAD_MOVED");
    let head = details.error_info().unwrap().metadata["current_head_sha"].clone();
    let right = CommitFilesRequest { expected_head_sha: head, ..one_file() };
    world.commit_files(right).await.unwrap();
    assert_eq!(history(&world).len(), 3);
    world.finish().await;
}

#[tokio::test]
async fn after_a_day_an_id_is_free() {
    let world = world_with_staging().await;
    world.commit_files(one_file()).await.unwrap();
    let other = || repeatable("run-1", vec![write("b.sql", "1\n")]);
    world.advance(24 * HOUR - Duration::from_secs(60));
    assert_taken(world.commit_files(other()).await);
    world.advance(Duration::from_secs(120));
    let done = world.commit_files(other()).await.unwrap();
    assert_eq!(history(&world)[0], done.commit_sha);
    world.finish().await;
}

fn plain() -> Vec<FileChange> {
    vec![write("a.sql", "1\n"), write("first.sql", "1\n")]
}

fn with_modes() -> Vec<FileChange> {
    vec![executable("run.sh", "1\n"), write("first.sql", "1\n")]
}

/// How many requests a commit makes to GitHub, the first after the broker was started.
async fn requests_of(files: Vec<FileChange>) -> u32 {
    let (world, replica) = alone().await;
    let before = world.sim.requests().len();
    replica.commit_files(repeatable("run-1", files)).await.unwrap();
    (world.sim.requests().len() - before) as u32
}

/// A world whose only broker can be killed.
async fn alone() -> (World, Replica) {
    let mut world = world_with_staging().await;
    world.stop().await.unwrap();
    let replica = world.replica().await;
    (world, replica)
}

/// The broker is killed when the `number`-th request of a commit has had its effect, and another one is started.
async fn killed_at(number: u32, files: &[FileChange]) -> (World, Replica) {
    let (world, replica) = alone().await;
    let gate = Gate::new();
    world.sim.fault(Fault::nth("*", number, Effect::HoldAfter(gate.clone())));
    let (mut client, call) = (replica.broker.clone(), repeatable("run-1", files.to_vec()));
    let call = tokio::spawn(async move { client.commit_files(call).await });
    gate.arrived(1).await;
    replica.kill();
    call.await.unwrap().unwrap_err();
    gate.open();
    let replica = world.replica().await;
    (world, replica)
}

/// Calls again until the broker takes the first call for lost: within minutes.
async fn retry(world: &World, replica: &Replica, files: &[FileChange]) -> CommitFilesResponse {
    for _ in 0..10 {
        match replica.commit_files(repeatable("run-1", files.to_vec())).await {
            Ok(done) => return done,
            Err(refused) => assert_worth_a_retry(&refused),
        }
        world.advance(Duration::from_secs(30));
    }
    panic!("the id is still taken");
}

#[tokio::test]
async fn a_broker_killed_at_any_request_has_made_one_commit_after_the_retry() {
    for files in [plain(), with_modes()] {
        for number in 1..=requests_of(files.clone()).await {
            let (world, replica) = killed_at(number, &files).await;
            let done = retry(&world, &replica, &files).await;
            let history = history(&world);
            assert_eq!(history.len(), 3, "killed at request {number}");
            assert_eq!(history[0], done.commit_sha, "killed at request {number}");
            assert_eq!(retry(&world, &replica, &files).await, done);
            drop(replica);
        }
    }
}

/// What people did on top of a commit that the killed broker had made is not undone by the retry.
#[tokio::test]
async fn what_was_made_before_the_broker_was_killed_is_not_made_again() {
    for files in [plain(), with_modes()] {
        // The request that moves the branch is the last that has an effect on it, whichever it is.
        for number in 1..=requests_of(files.clone()).await {
            let (world, replica) = killed_at(number, &files).await;
            if history(&world).len() < 3 {
                continue;
            }
            let ours = world.sim.head(REPO, "staging").unwrap();
            let theirs = world.sim.commit(REPO, "staging", &[("first.sql", "by hand\n")]);
            let done = retry(&world, &replica, &files).await;
            assert_eq!(history(&world)[..2], [theirs, ours.clone()], "killed at request {number}");
            assert_eq!(done.commit_sha, ours);
            drop(replica);
        }
    }
}
