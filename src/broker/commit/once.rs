//! A request id makes a retry get the first answer.

use std::time::Duration;

use aws_lc_rs::digest;
use tracing::warn;

use super::{Access, CommitRequest, Committed};
use crate::{
    broker::{
        Broker,
        error::{Error, Reason},
    },
    domain::{BranchName, ChangeSet, Edit, ObjectId},
    store::{Begin, HeldRequest},
};

/// What a caller waits when the first call with the same id is still under way.
const RETRY_AFTER: Duration = Duration::from_secs(2);

/// The right to do the work of a request: of several calls with the same id one has it. A call without an id has its own.
pub(super) struct Claim<'a> {
    broker: &'a Broker,
    request: Option<HeldRequest<'a>>,
    /// A head on which the commit was tried without learning whether it was made.
    pub tried: Option<ObjectId>,
}

/// What a request's id says about it.
pub(super) enum Turn<'a> {
    /// The answer that an earlier call with the same id got.
    Answered(Committed),
    /// Nobody else is at it: the claim has to be [ended](Claim::end).
    Work(Claim<'a>),
}

impl Broker {
    /// Whose turn the work of a request is.
    pub(super) async fn claim<'a>(
        &'a self,
        request: &'a CommitRequest,
        access: &'a Access,
        branch: &BranchName,
        changes: &ChangeSet,
    ) -> Result<Turn<'a>, Error> {
        let claim = |request, tried| Turn::Work(Claim { broker: self, request, tried });
        let Some(id) = request.request_id.as_deref() else { return Ok(claim(None, None)) };
        let held = HeldRequest { account: access.account(), id, since: self.now() };
        let hash = content_hash(request, access, branch, changes);
        match self.store().begin_request(held.account, id, &hash, held.since).await? {
            Begin::New { tried } => Ok(claim(Some(held), tried)),
            Begin::Done(answer) => {
                serde_json::from_str(&answer).map(Turn::Answered).map_err(Error::internal)
            }
            Begin::InProgress => Err(Error::new(
                Reason::RequestInProgress,
                "a call with this request_id is under way; try again for its answer",
            )
            .retry_after(RETRY_AFTER)),
            Begin::Mismatch => Err(Error::invalid(
                "request_id",
                "was used before for another request; choose a new one",
            )),
        }
    }
}

impl Claim<'_> {
    /// Notes that the commit is about to be made on `head`: if its answer is lost, and this process too, the retry finds it.
    pub async fn about_to_commit_on(&self, head: ObjectId) -> Result<(), Error> {
        if let Some(request) = self.request {
            self.broker.store().note_attempt(request, head).await?;
        }
        Ok(())
    }

    /// Keeps the answer for a retry. A call that failed is forgotten, so that a retry does the work; unless it may have been
    /// done all the same: then the retry looks for it first.
    pub async fn end(self, result: &Result<Committed, Error>) {
        let Some(request) = self.request else { return };
        let (store, now) = (self.broker.store(), self.broker.now());
        let answer =
            result.as_ref().ok().and_then(|committed| serde_json::to_string(committed).ok());
        let noted = match (answer, self.tried) {
            (Some(answer), _) => store.finish_request(request, &answer, now).await,
            (None, Some(_)) => store.leave_request(request, now).await,
            (None, None) => store.abandon_request(request).await,
        };
        if let Err(error) = noted {
            // What was done stands. A retry finds the call under way, and later the commit where it was tried.
            warn!(account = %request.account, %error, "the end of a request could not be stored");
        }
    }
}

/// Hash of all that decides what a commit becomes.
fn content_hash(
    request: &CommitRequest,
    access: &Access,
    branch: &BranchName,
    changes: &ChangeSet,
) -> String {
    let text = |value: Option<String>| value.unwrap_or_default();
    let mut hash = digest::Context::new(&digest::SHA256);
    let mut field = |bytes: &[u8]| {
        hash.update(&(bytes.len() as u64).to_be_bytes());
        hash.update(bytes);
    };
    field(access.binding.repository_id.to_string().as_bytes());
    field(branch.as_str().as_bytes());
    field(text(request.base.as_ref().map(ToString::to_string)).as_bytes());
    field(request.message.as_str().as_bytes());
    field(text(request.expected_head.map(|id| id.to_string())).as_bytes());
    for (path, edit) in changes.iter() {
        field(path.as_str().as_bytes());
        match edit {
            Edit::Delete => field(b"delete"),
            Edit::Chmod(mode) => {
                field(b"chmod");
                field(mode.as_str().as_bytes());
            }
            Edit::Write { content, mode } => {
                field(b"write");
                field(mode.map_or("keep", |mode| mode.as_str()).as_bytes());
                field(content);
            }
        }
    }
    hash.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}
