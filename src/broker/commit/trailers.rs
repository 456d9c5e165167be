//! Who asked for a commit, at the end of its message, where the broker is configured so.

use super::CommitRequest;
use crate::{
    broker::{Broker, Call},
    domain::CommitMessage,
};

const CALLER: &str = "Ghbroker-Caller";
const REQUEST: &str = "Ghbroker-Request-Id";

impl Broker {
    /// The message to commit with. The id is the caller's own for its request, or else the broker's for the call, which its
    /// log and audit have.
    pub(super) fn message(&self, call: &Call, request: &CommitRequest) -> CommitMessage {
        if !self.inner.parts.commit_trailers {
            return request.message.clone();
        }
        let (caller, id) = call.caller_and_id();
        let id = request.request_id.clone().unwrap_or(id);
        request.message.with_trailers(&[(CALLER, &caller), (REQUEST, &id)])
    }
}
