//! The use cases: what the broker does, free of gRPC.
//!
//! * [`call`]: the calls that are let in, and what is noted of them.
//! * [`credential`]: which credential an account uses. [`access`]: its right to a repository. [`repo_token`]: the token for it;
//!   [`probe`]: one that only looks.
//! * [`tokens`]: the cache of installation tokens.
//! * [`connect`]: registering, storing, binding, disconnecting.
//! * [`verify`]: "save and test".
//! * [`vend`]: the answer to GetRepoToken.
//! * [`commit`]: one commit to the staging branch, or to a work branch.
//! * [`promote`]: the pull request from staging to production, or of a work branch.
//! * [`error`], [`refusal`]: how they fail; [`learn`]: what a failure tells about the account.

mod access;
mod call;
mod commit;
mod connect;
mod credential;
mod error;
mod learn;
mod probe;
mod promote;
mod refusal;
mod repo_token;
pub mod tokens;
mod vend;
mod verify;

use std::sync::Arc;

pub use call::{Call, Trail};
pub use commit::{CommitRequest, Committed, Counts};
pub use connect::{BindRequest, Connection, Disconnected, RegisterRequest, SetupAction};
pub use error::{Error, FieldViolation, Reason};
pub use promote::{PromoteRequest, Promoted, Warning, WarningCode};
pub use vend::{VendRequest, VendedToken};
pub use verify::{Finding, FindingCode, FindingLevel, Findings, VerifyRequest};

use crate::{
    audit::Audit,
    crypto::KeySet,
    domain::{AccountId, Clock, Policy, RepoId},
    github::GitHub,
    store::Store,
};
use arc_swap::ArcSwap;
use dashmap::DashMap;
use tokens::TokenCache;

/// The broker: all use cases are its methods. Cheap to clone.
#[derive(Clone)]
pub struct Broker {
    inner: Arc<Inner>,
}

/// What the broker is made of.
pub struct Parts {
    /// GitHub.
    pub github: GitHub,
    /// The database.
    pub store: Store,
    /// Keys that seal secrets at rest.
    pub keys: KeySet,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// What callers may do: the rules that are in force now.
    pub policy: Arc<ArcSwap<Policy>>,
    /// Where calls are written down.
    pub audit: Audit,
    /// True if commits say at their end who asked for them.
    pub commit_trailers: bool,
}

struct Inner {
    parts: Parts,
    tokens: TokenCache,
    /// One commit at a time for each repository of an account: GitHub advises against parallel changes, and they would only
    /// race. Not across accounts: nobody can make another one wait.
    turns: DashMap<(AccountId, RepoId), Arc<tokio::sync::Mutex<()>>>,
    /// When GitHub was asked whether it still takes an account's personal access token.
    pats_asked_about: DashMap<AccountId, time::OffsetDateTime>,
}

impl Broker {
    /// A broker with an empty token cache.
    pub fn new(parts: Parts) -> Self {
        let tokens = TokenCache::new(parts.github.clone(), parts.clock.clone());
        let (turns, pats_asked_about) = (DashMap::new(), DashMap::new());
        Self { inner: Arc::new(Inner { parts, tokens, turns, pats_asked_about }) }
    }

    /// The token cache, to be kept fresh by [`tokens::keep_fresh`].
    pub fn tokens(&self) -> &TokenCache {
        &self.inner.tokens
    }

    fn github(&self) -> &GitHub {
        &self.inner.parts.github
    }

    fn store(&self) -> &Store {
        &self.inner.parts.store
    }

    fn now(&self) -> time::OffsetDateTime {
        self.inner.parts.clock.now()
    }
}
