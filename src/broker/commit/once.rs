//! A request id makes a retry get the first answer.

use std::time::Duration;

use aws_lc_rs::digest;
use tracing::warn;

use super::{Access, ChangeSet, CommitRequest, Committed, Edit};
use crate::{
    broker::{
        Broker,
        error::{Error, Reason},
    },
    domain::{AccountId, BranchName},
    store::Begin,
};

/// What a caller waits when the first call with the same id is still under way.
const RETRY_AFTER: Duration = Duration::from_secs(2);

impl Broker {
    /// The answer that an earlier call with the same request id got. None if this is the first one: then its end
    /// has to be [remembered](Broker::remember).
    pub(super) async fn first_answer(
        &self,
        request: &CommitRequest,
        access: &Access,
        branch: &BranchName,
        changes: &ChangeSet,
    ) -> Result<Option<Committed>, Error> {
        let Some(request_id) = &request.request_id else { return Ok(None) };
        let hash = content_hash(request, access, branch, changes);
        match self.store().begin_request(access.account(), request_id, &hash, self.now()).await? {
            Begin::New => Ok(None),
            Begin::Done(answer) => serde_json::from_str(&answer).map(Some).map_err(Error::internal),
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

    /// Keeps the answer for a retry; a failed call is forgotten, so that a retry does the work.
    pub(super) async fn remember(
        &self,
        account: &AccountId,
        request: &CommitRequest,
        result: &Result<Committed, Error>,
    ) {
        let Some(request_id) = &request.request_id else { return };
        let answer =
            result.as_ref().ok().and_then(|committed| serde_json::to_string(committed).ok());
        let noted = match answer {
            Some(answer) => {
                self.store().finish_request(account, request_id, &answer, self.now()).await
            }
            None => self.store().abandon_request(account, request_id).await,
        };
        if let Err(error) = noted {
            // The commit stands. A retry finds the call under way, and later plans anew: nothing differs then.
            warn!(%account, %error, "the end of a request could not be stored");
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
    let mut hash = digest::Context::new(&digest::SHA256);
    let mut field = |bytes: &[u8]| {
        hash.update(&(bytes.len() as u64).to_be_bytes());
        hash.update(bytes);
    };
    field(access.binding.repository_id.to_string().as_bytes());
    field(branch.as_str().as_bytes());
    field(request.message.as_str().as_bytes());
    field(request.expected_head.map(|id| id.to_string()).unwrap_or_default().as_bytes());
    for (path, edit) in changes.iter() {
        field(path.as_str().as_bytes());
        match edit {
            Edit::Delete => field(b"delete"),
            Edit::Chmod(mode) => field(mode.as_str().as_bytes()),
            Edit::Write { content, mode } => {
                field(mode.map_or("keep", |mode| mode.as_str()).as_bytes());
                field(content);
            }
        }
    }
    hash.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}
