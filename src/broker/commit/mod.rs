//! CommitFiles: one commit of any number of files to the staging branch, or to a work branch that the policy allows.
//!
//! * [`work`]: read, plan, apply, and again when the head moves or an answer is lost.
//! * [`branch`]: what the branch has now, as far as the request touches it.
//! * [`plan`]: what differs, and how it can be sent. Pure.
//! * [`apply`]: the one request, or the few, that make the commit.
//! * [`once`]: a request id makes a retry get the first answer.
//!
//! The head of the branch is read, and the commit is made only if it is still there: what somebody else pushed
//! meanwhile is never lost. Nothing is sent a second time before the state has been read again.

mod apply;
mod branch;
mod once;
mod plan;
mod work;

use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, timeout_at};
use tracing::info;

use super::{
    Broker, Call,
    access::Access,
    error::{Error, FieldViolation, Reason},
    refusal::Failed,
};
use crate::domain::{
    AccountId, BranchName, ChangeSet, CommitMessage, Edit, Level, ObjectId, Permission,
    Permissions, RepoId, RepoName, RepoPath, Subdirectory, is_protected, is_workflow,
};
use work::Work;

/// What is to be committed.
#[derive(Clone, Debug)]
pub struct CommitRequest {
    /// A bound repository; the active one by default.
    pub repository: Option<RepoName>,
    /// The staging branch by default. Another one only if the policy lets the caller work on it.
    pub branch: Option<BranchName>,
    /// Headline and body.
    pub message: CommitMessage,
    /// The files, relative to the binding's subdirectory.
    pub changes: ChangeSet,
    /// Where the branch must be.
    pub expected_head: Option<ObjectId>,
    /// The caller's own name for this call.
    pub request_id: Option<String>,
    /// When the caller stops waiting: nothing is begun after it.
    pub deadline: Instant,
}

/// The branch after the call.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
pub struct Committed {
    /// Head of the branch, 40 hex digits.
    pub commit_sha: String,
    /// Its page.
    pub url: String,
    /// The branch.
    pub branch: String,
    /// True if nothing differed.
    pub unchanged: bool,
    /// How many files of each kind.
    pub counts: Counts,
}

/// Files of a commit by what happened to them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, serde::Serialize, serde::Deserialize)]
pub struct Counts {
    /// Did not exist before.
    pub added: usize,
    /// Content or mode differs.
    pub changed: usize,
    /// No longer exist.
    pub deleted: usize,
    /// Already were as asked.
    pub unchanged: usize,
}

const PERMISSIONS: Permissions = Permissions::NONE
    .with(Permission::CONTENTS, Level::Write)
    .with(Permission::METADATA, Level::Read);
/// Long enough for a large commit.
const MIN_TTL: Duration = Duration::from_secs(5 * 60);

impl Broker {
    /// Makes the commit, or none if nothing differs.
    pub async fn commit(&self, call: &Call, request: CommitRequest) -> Result<Committed, Error> {
        let mut access = self.access(call, request.repository.as_ref()).await?;
        let turn = self.turn(call.account(), access.binding.repository_id);
        let _turn = match turn.try_lock() {
            Ok(turn) => turn,
            Err(_) => {
                let waited = timeout_at(request.deadline, turn.lock()).await;
                let turn = waited.map_err(|_| too_late())?;
                // While others had their turn the account may have been disconnected, or its token replaced.
                access = self.access(call, Some(&access.binding.repository)).await?;
                turn
            }
        };
        let branch = target(&mut access, request.branch.as_ref())?;
        let changes = place(&request.changes, &access.binding.subdirectory)?;
        let_protected(&mut access, &changes)?;
        if let Some(answer) = self.first_answer(&request, &access, &branch, &changes).await? {
            call.trail.note(|record| record.commit = Some(answer.commit_sha.clone()));
            return Ok(answer);
        }
        let result = self.commit_now(&request, &access, &branch, &changes).await;
        self.remember(call.account(), &request, &result).await;
        result
    }

    async fn commit_now(
        &self,
        request: &CommitRequest,
        access: &Access,
        branch: &BranchName,
        changes: &ChangeSet,
    ) -> Result<Committed, Error> {
        let (token, _) = self.enter(access, permissions(changes), MIN_TTL).await?;
        let work = Work { broker: self, access, branch, token: &token.token, request, changes };
        match work.run().await {
            Ok(committed) => {
                access.call.trail.note(|record| record.commit = Some(committed.commit_sha.clone()));
                info!(
                    account = %access.account(), repository = %access.binding.repository, %branch,
                    commit = %committed.commit_sha, unchanged = committed.unchanged, counts = ?committed.counts,
                    "files committed"
                );
                Ok(committed)
            }
            Err(Failed::Known(error)) => Err(error),
            Err(Failed::GitHub(error)) => Err(self.refused(access, error).await),
        }
    }

    fn turn(&self, account: &AccountId, repository: RepoId) -> Arc<tokio::sync::Mutex<()>> {
        // Forget the repositories that nobody waits for, now that the map is touched anyway.
        let (turns, key) = (&self.inner.turns, (account.clone(), repository));
        turns.retain(|other, turn| *other == key || Arc::strong_count(turn) > 1);
        turns.entry(key).or_default().clone()
    }
}

fn too_late() -> Error {
    Error::new(
        Reason::DeadlineExceeded,
        "the time of the call was over before the commit could be made; read the branch before you try again",
    )
}

/// The branch to commit to. Never production: what goes there, people merge.
fn target(access: &mut Access, asked: Option<&BranchName>) -> Result<BranchName, Error> {
    let (staging, production) = (&access.binding.staging, &access.binding.production);
    let Some(branch) = asked.filter(|branch| *branch != staging) else {
        return Ok(staging.clone());
    };
    access.call = access.call.for_work_branch(branch, production).ok_or_else(|| {
        Error::new(
            Reason::BranchNotAllowed,
            format!(
                "commits of this caller do not go to {branch}; leave `branch` empty for the staging branch {staging}"
            ),
        )
        .with("allowed", staging)
    })?;
    Ok(branch.clone())
}

/// Refuses protected paths that the policy does not let the caller write.
fn let_protected(access: &mut Access, changes: &ChangeSet) -> Result<(), Error> {
    let protected: Vec<&RepoPath> =
        changes.iter().map(|(path, _)| path).filter(|path| is_protected(path)).collect();
    if protected.is_empty() {
        return Ok(());
    }
    access.call = access.call.for_protected(&protected).map_err(|paths| {
        let paths: Vec<&str> = paths.into_iter().map(RepoPath::as_str).collect();
        Error::new(
            Reason::PathNotAllowed,
            format!(
                "these paths decide what runs or who reviews, and no rule of the broker's policy lets this caller write them: {}",
                paths.join(", ")
            ),
        )
        .with("paths", paths.join(","))
    })?;
    Ok(())
}

/// What the commit needs. `workflows` is asked for only where a workflow file is written.
fn permissions(changes: &ChangeSet) -> Permissions {
    if changes.iter().any(|(path, _)| is_workflow(path)) {
        PERMISSIONS.with(Permission::WORKFLOWS, Level::Write)
    } else {
        PERMISSIONS
    }
}

/// Prefixes every path with the binding's subdirectory.
fn place(changes: &ChangeSet, subdirectory: &Subdirectory) -> Result<ChangeSet, Error> {
    let mut placed = Vec::with_capacity(changes.len());
    let mut wrong = Vec::new();
    for (path, edit) in changes.iter() {
        match subdirectory.join(path) {
            Ok(path) => placed.push((path, edit.clone())),
            Err(error) => wrong.push(FieldViolation {
                field: "files.path".to_owned(),
                description: format!("{path}: with the subdirectory, {error}"),
            }),
        }
    }
    if !wrong.is_empty() {
        return Err(Error::invalid_fields(wrong));
    }
    ChangeSet::new(placed).map_err(|_| Error::invalid("files", "must not clash"))
}
