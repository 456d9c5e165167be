//! The words of the broker as types: pure, no I/O. Text from outside becomes one of these at the edge,
//! so that nothing inside checks it again.

mod account;
mod address;
mod attempt;
mod base;
mod binding;
mod branch;
mod caller;
mod change;
mod clock;
mod connecting;
mod connection;
mod limits;
mod merge;
mod message;
mod method;
mod object;
mod path;
mod pattern;
mod permissions;
mod policy;
mod preference;
mod protected;
mod redact;
mod repository;
mod secret;
mod site;
mod spiffe;
mod tree;
mod webhook;

pub use account::AccountId;
pub use address::is_private;
pub use attempt::{Attempt, AttemptKind};
pub use base::Base;
pub use binding::{Binding, MAX_WORK_BRANCHES};
pub use branch::BranchName;
pub use caller::{Caller, ServiceAccount};
pub use change::{ChangeSet, Edit, FileMode, InvalidChanges, MAX_DIRECTORIES, MAX_FILES};
pub use clock::{Clock, SystemClock};
pub use connecting::{Connecting, OUTCOME_NAMES};
pub use connection::{
    Awaited, ConnectionStatus, CredentialSource, Installation, InstallationId, OAuthUser, Pat,
    PatKind, SealedSecret,
};
pub use limits::Limits;
pub use merge::MergeMethod;
pub use message::CommitMessage;
pub use method::Method;
pub use object::ObjectId;
pub use path::{RepoPath, Subdirectory};
pub use pattern::BranchPattern;
pub use permissions::{Level, Permission, Permissions};
pub use policy::{Explanation, Grant, Policy};
pub use preference::Choice;
pub use protected::{is_protected, is_workflow};
pub use redact::{REDACTED, redact};
pub use repository::{RepoId, RepoName, RepositoryState, is_login};
pub use secret::Token;
pub use site::SiteName;
pub use spiffe::SpiffeId;
pub use tree::{Entries, Entry, EntryMode};
pub use webhook::{Change as WebhookChange, EventName as WebhookEventName, WebhookEvent};

/// Why a text is not what it should be: a phrase that follows the field's name ("must be ...").
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Invalid(pub String);

impl Invalid {
    pub(crate) fn new(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }
}
