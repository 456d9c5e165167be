//! CommitFiles by its contract: what a caller is told, and what git has afterwards, whatever requests it takes.
//!
//! * [`as_git`]: random changes, beside git making the same.
//! * [`race`]: with people who push, and with other replicas.
//! * [`faults`]: with every single request lost in turn.
//! * [`once`]: what a request id promises.
//! * [`late`]: what comes late.
//! * [`limits`]: the largest commits, and what must pass untouched.

mod as_git;
mod faults;
mod late;
mod limits;
mod once;
mod race;

use std::{path::Path, time::Duration};

use ghbroker::proto::{CommitFilesRequest, CommitFilesResponse, FileChange};
use tonic::{Code, Status};
use tonic_types::StatusExt;

use crate::harness::{ACCOUNT, REPO, World, git::git, status::assert_reason, write};

/// A commit to staging.
fn request(files: Vec<FileChange>) -> CommitFilesRequest {
    CommitFilesRequest {
        account: ACCOUNT.into(),
        message: "Change".into(),
        files,
        ..Default::default()
    }
}

/// The same, which can be repeated.
fn repeatable(id: &str, files: Vec<FileChange>) -> CommitFilesRequest {
    CommitFilesRequest { request_id: id.into(), ..request(files) }
}

/// A world in which staging has its first commit.
async fn world_with_staging() -> World {
    let world = World::connected().await;
    world.commit("First", vec![write("first.sql", "0\n")]).await.unwrap();
    world
}

/// Commits of staging, newest first.
fn history(world: &World) -> Vec<String> {
    git(&world.sim.git_dir(REPO), &["rev-list", "staging"]).lines().map(str::to_owned).collect()
}

/// Text of a file of a revision.
fn text(repository: &Path, revision: &str, path: &str) -> String {
    git(repository, &["show", &format!("{revision}:{path}")])
}

/// Calls until there is an answer, as a caller does who was told to try again: so many times, with the same request id.
async fn patiently(
    world: &World,
    tries: usize,
    mut call: impl AsyncFnMut() -> Result<CommitFilesResponse, Status>,
) -> CommitFilesResponse {
    for _ in 1..tries {
        match call().await {
            Ok(done) => return done,
            Err(refused) => assert_worth_a_retry(&refused),
        }
        world.advance(Duration::from_secs(2));
    }
    call().await.unwrap()
}

/// Asserts that a status says that the same call can be made again: it is under way, others were faster, or GitHub is away.
#[track_caller]
fn assert_worth_a_retry(refused: &Status) {
    let details = refused.get_error_details();
    match details.error_info().map(|info| info.reason.as_str()) {
        Some(reason @ ("REQUEST_IN_PROGRESS" | "HEAD_MOVED")) => {
            assert_reason(refused, Code::Aborted, reason)
        }
        _ => assert_reason(refused, Code::Unavailable, "GITHUB_UNAVAILABLE"),
    };
}
