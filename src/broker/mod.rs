//! The use cases: what the broker does, free of gRPC. A broker is one of a site, which is one App on one host.
//!
//! * [`sites`]: all sites of the process, and which of them is an account's.
//! * [`call`]: the calls that are let in, and what is noted of them.
//! * [`credential`]: which credential an account uses. [`user_tokens`]: a user's, [`renewal`]: kept fresh. [`access`]: its right to a repository. [`repo_token`]: the token for it;
//!   [`probe`]: one that only looks.
//! * [`tokens`]: the cache of installation tokens.
//! * [`connect`]: registering, storing, binding, disconnecting.
//! * [`repositories`]: what the credential reaches, and making more.
//! * [`verify`]: "save and test".
//! * [`vend`]: the answer to GetRepoToken.
//! * [`commit`]: one commit to the staging branch, or to a work branch.
//! * [`promote`]: the pull request from staging to production, or of a work branch.
//! * [`seldom`]: what is done only so often.
//! * [`webhooks`]: following what GitHub tells. [`elsewhere`]: what another replica did counts here, too.
//! * [`error`], [`refusal`]: how they fail; [`learn`]: what a failure tells about the account.

mod access;
mod call;
mod commit;
mod connect;
mod credential;
mod elsewhere;
mod error;
mod learn;
mod probe;
mod promote;
mod refusal;
mod renewal;
mod repo_token;
mod repositories;
mod seldom;
mod sites;
pub mod tokens;
mod user_tokens;
mod vend;
mod verify;
mod webhooks;

use std::sync::Arc;

pub use call::{AnyAccount, Call, Trail};
pub use commit::{CommitRequest, Committed, Counts};
pub use connect::{
    BeginRequest, Begun, BindRequest, Callback, Connection, Disconnected, Landing, ListRequest,
    Listed, Outcome, RegisterRequest, SetupAction, Summary,
};
pub use error::{Error, FieldViolation, Reason};
pub use promote::{PromoteRequest, Promoted, Warning, WarningCode};
pub use renewal::keep_users_fresh;
pub use repositories::{
    CreateRequest, Created, ListPlace, ListedRepositories, RepositoriesRequest,
    RepositoryPermission, VisibleRepository,
};
pub use sites::{Site, Sites};
pub use vend::{VendRequest, VendedToken};
pub use verify::{Finding, FindingCode, FindingLevel, Findings, VerifyRequest};

use crate::{
    audit::Audit,
    crypto::KeySet,
    domain::{AccountId, Clock, Connecting, Policy, RepoId, SiteName},
    github::GitHub,
    metrics::Metrics,
    store::Store,
};
use arc_swap::ArcSwap;
use dashmap::DashMap;
use seldom::Seldom;
use tokens::TokenCache;
use tokio::sync::Notify;

/// The broker of one site: all use cases are its methods. Cheap to clone.
#[derive(Clone)]
pub struct Broker {
    inner: Arc<Inner>,
}

/// What the brokers of all sites have in common.
pub struct Parts {
    /// Keys that seal secrets at rest.
    pub keys: KeySet,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// What callers may do: the rules that are in force now.
    pub policy: Arc<ArcSwap<Policy>>,
    /// Where calls are written down.
    pub audit: Audit,
    /// How accounts are connected.
    pub connecting: Connecting,
    /// What is counted.
    pub metrics: Metrics,
    /// True if commits say at their end who asked for them.
    pub commit_trailers: bool,
}

/// All that is learned of GitHub is in here, so that nothing of one site is ever taken for another one's.
struct Inner {
    parts: Arc<Parts>,
    site: Site,
    tokens: TokenCache,
    /// One commit at a time for each repository of an account: GitHub advises against parallel changes, and they would only
    /// race. Not across accounts: nobody can make another one wait.
    turns: DashMap<(AccountId, RepoId), Arc<tokio::sync::Mutex<()>>>,
    /// Asking GitHub whether it still takes an account's own token.
    token_checks: Seldom<AccountId>,
    /// Looking at GitHub what became of an account's installation.
    looks: Seldom<AccountId>,
    /// The same for one that was uninstalled.
    looks_at_gone: Seldom<AccountId>,
    /// Following a repository's new name without a webhook.
    renames: Seldom<AccountId>,
    /// Forgetting refusals because a browser says that something was changed.
    forgiven: Seldom<()>,
    /// When the token of each account's user was last used.
    user_tokens_in_use: DashMap<AccountId, time::OffsetDateTime>,
    /// Tells the worker that a webhook was stored.
    delivered: Notify,
}

impl Broker {
    /// A broker with an empty token cache.
    fn new(parts: Arc<Parts>, site: Site) -> Self {
        let name = site.name.as_str();
        let counted = parts.metrics.tokens(name);
        let site = Site { github: site.github.counting(parts.metrics.requests(name)), ..site };
        let tokens = TokenCache::counting(site.github.clone(), parts.clock.clone(), counted);
        let inner = Inner {
            parts,
            site,
            tokens,
            turns: DashMap::new(),
            token_checks: Seldom::once_in(vend::ASK_EVERY),
            looks: Seldom::once_in(connect::LOOK_EVERY),
            looks_at_gone: Seldom::once_in(connect::LOOK_EVERY_IF_GONE),
            renames: Seldom::once_in(learn::RENAME_EVERY),
            forgiven: Seldom::once_in(connect::FORGIVE_EVERY),
            user_tokens_in_use: DashMap::new(),
            delivered: Notify::new(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// The name of its site.
    pub fn name(&self) -> &SiteName {
        &self.inner.site.name
    }

    /// The token cache, to be kept fresh by [`tokens::keep_fresh`].
    pub fn tokens(&self) -> &TokenCache {
        &self.inner.tokens
    }

    fn github(&self) -> &GitHub {
        &self.inner.site.github
    }

    fn store(&self) -> &Store {
        &self.inner.site.store
    }

    fn connecting(&self) -> &Connecting {
        &self.inner.parts.connecting
    }

    fn now(&self) -> time::OffsetDateTime {
        self.inner.parts.clock.now()
    }
}
