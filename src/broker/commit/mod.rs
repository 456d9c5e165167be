//! CommitFiles: one commit of any number of files to the staging branch, or to a work branch that the policy allows.
//!
//! * [`scope`]: which branch and which paths, and whether the caller may. Pure.
//! * [`once`]: a request id makes a retry get the first answer.
//! * [`work`]: read, plan, apply, and again when the head moves or an answer is lost.
//! * [`begin`]: where a branch begins that does not exist yet.
//! * [`plan`]: what differs, and how it can be sent. Pure.
//! * [`trailers`]: who asked for it, at the end of the message.
//! * [`apply`]: the one request, or the few, that make the commit.
//!
//! The head of the branch is read, and the commit is made only if it is still there: what somebody else pushed
//! meanwhile is never lost. Nothing is sent a second time before the state has been read again.

mod apply;
mod begin;
mod once;
mod plan;
mod scope;
mod trailers;
mod work;

use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, timeout_at};
use tracing::info;

use super::{
    Broker, Call,
    access::Access,
    error::{Error, Reason},
    refusal::Failed,
    repo_token::RepoToken,
};
use crate::domain::{
    AccountId, Base, BranchName, ChangeSet, CommitMessage, ObjectId, RepoId, RepoName,
};
use once::{Claim, Turn};
use work::Work;

/// What is to be committed.
#[derive(Clone, Debug)]
pub struct CommitRequest {
    /// A bound repository; the active one by default.
    pub repository: Option<RepoName>,
    /// The staging branch by default. Another one only if the policy lets the caller work on it.
    pub branch: Option<BranchName>,
    /// Where a work branch begins that does not exist yet; at production by default.
    pub base: Option<Base>,
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
        let asked = request.branch.as_ref().unwrap_or(&access.binding.staging);
        call.trail.note(|record| {
            record.branch = Some(asked.to_string());
            record.client_request_id.clone_from(&request.request_id);
        });
        let branch = scope::branch(&mut access, &request)?;
        let changes = scope::place(&request.changes, &access.binding.subdirectory)?;
        scope::let_protected(&mut access, &changes)?;
        let mut claim = match self.claim(&request, &access, &branch, &changes).await? {
            Turn::Work(claim) => claim,
            Turn::Answered(answer) => {
                call.trail.note(|record| record.commit = Some(answer.commit_sha.clone()));
                info!(commit = %answer.commit_sha, "answered as the first call with this request_id");
                return Ok(answer);
            }
        };
        let result = self.commit_now(&request, &access, &branch, &changes, &mut claim).await;
        claim.end(&result).await;
        result
    }

    async fn commit_now(
        &self,
        request: &CommitRequest,
        access: &Access,
        branch: &BranchName,
        changes: &ChangeSet,
        claim: &mut Claim<'_>,
    ) -> Result<Committed, Error> {
        let (message, paths) = (&self.message(&access.call, request), &changes.paths());
        let work = Work { broker: self, access, branch, request, message, changes, paths };
        let first = |token: RepoToken| {
            let work = &work;
            async move { work.first_look(&token).await }
        };
        let permissions = scope::permissions(changes);
        let entered = self.enter_by(access, permissions, MIN_TTL, first);
        let (token, snapshot) =
            timeout_at(request.deadline, entered).await.map_err(|_| too_late())??;
        match work.run(&token.token, snapshot, claim).await {
            Ok(committed) => {
                access.call.trail.note(|record| record.commit = Some(committed.commit_sha.clone()));
                let Counts { added, changed, deleted, unchanged } = committed.counts;
                info!(
                    account = %access.account(), repository = %access.binding.repository, %branch,
                    commit = %committed.commit_sha, nothing_differed = committed.unchanged,
                    files_added = added, files_changed = changed, files_deleted = deleted, files_unchanged = unchanged,
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
