//! All of the broker's HTTP with GitHub. Nothing outside of this module names an HTTP client.
//!
//! ```text
//!  the App        people and accounts      a repository                     git                       proposals
//!  app  tokens    users  oauth             repositories  rulesets           branches  git_data        pulls  labels
//!   \    |        repository_list          compare  contents                commit_on_branch          reviewers
//!  key_ring-jwt                            new_repository  probes           swap_branch  snapshot     auto_merge
//!      |                                                                            |                     |
//!      |                 pages   fresh                                            graphql --------------- +
//!      |                       |                                                    |
//!      +-----------------------+-----------------+----------------------------------+
//!                                    |
//!                                  send                    quotas, places, breaker, retries, headers
//!                                    |
//!    payer -> quota  mint_budget  places   breaker   retry   clock
//!                                    |
//!                    call   headers   sort -> error (clean, rules)
//! ```
//!
//! A call returns its result, or an [`Error`] with everything that GitHub said. Reads, and what is the same done twice,
//! are sent again after failures that may pass; commits, branches, pull requests and new repositories never are.

mod app;
mod auto_merge;
mod branches;
mod breaker;
mod call;
mod clean;
mod clock;
mod commit_on_branch;
mod compare;
mod contents;
mod count;
mod error;
mod fresh;
mod git_data;
mod graphql;
mod headers;
mod jwt;
mod key_ring;
mod labels;
mod limits;
mod mint_budget;
mod new_repository;
mod oauth;
mod pages;
mod payer;
mod places;
mod probes;
mod pulls;
mod quota;
mod repositories;
mod repository_list;
mod retry;
mod reviewers;
mod rules;
mod rulesets;
mod send;
mod settings;
mod signing_key;
mod snapshot;
mod sort;
mod swap_branch;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod tokens;
mod users;
mod wire;

use std::{error::Error as _, sync::Arc};

use reqwest::{Client, redirect};
use url::{Origin, Url};

pub use app::{Installation, InstallationAccount};
pub use commit_on_branch::{CommitOnBranch, PushedCommit};
pub use compare::Comparison;
pub use error::{Context, Detail, Error, Kind, Result};
pub use git_data::{Commit, Content, NewEntry};
pub use headers::RateLimit;
pub use new_repository::NewRepository;
pub use oauth::{Authorize, Code, UserTokens};
pub use probes::Probe;
pub use pulls::{NewPull, Pull, PullChange};
pub use repositories::{Repository, Role};
pub use repository_list::{RepositoryList, RepositoryPage};
pub use reviewers::Reviewers;
pub use rules::RefusedRule;
pub use rulesets::{Limit, Rule};
pub use settings::{AppIdentity, BuildError, Limits, OAuthClient, Settings};
pub use signing_key::{AppKeys, SigningKey};
pub use snapshot::{At, Head, Look, RepositoryState, Snapshot};
pub use tokens::{MintedToken, RepoScope};
pub use users::AuthenticatedUser;

use self::{
    breaker::Breaker,
    clock::GitHubClock,
    key_ring::KeyRing,
    mint_budget::MintBudget,
    payer::{Payer, Tokens},
    places::Places,
    quota::Quotas,
};
use crate::{
    domain::{Clock, InstallationId, RepoName},
    metrics::Requests,
};

/// The client. Cheap to clone; every clone shares connections, limits and breakers.
#[derive(Clone)]
pub struct GitHub {
    inner: Arc<Inner>,
    /// True if its calls can wait.
    background: bool,
    counted: Arc<Requests>,
}

struct Inner {
    settings: Settings,
    client: Client,
    clock: GitHubClock,
    /// The App's, if there is one.
    keys: Option<KeyRing>,
    places: Places,
    mint_budget: MintBudget,
    quotas: Quotas,
    /// Which installation a token is of.
    tokens: Tokens,
    /// One for each server that the settings name; calls go to no other one.
    breakers: Vec<(Origin, Breaker)>,
}

impl GitHub {
    /// Builds the client. Nothing is sent yet.
    pub fn new(settings: Settings, clock: Arc<dyn Clock>) -> std::result::Result<Self, BuildError> {
        settings.check_urls()?;
        let client = Client::builder()
            .user_agent(concat!("ghbroker/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(settings.limits.connect_timeout)
            // Redirects are followed by hand, to the same server only; and a variable of the environment must not
            // send credentials by way of another machine.
            .redirect(redirect::Policy::none())
            .no_proxy()
            .build()
            .map_err(|error| BuildError::Tls(cause(&error)))?;
        let places = Places::new(settings.limits.in_flight, clock.clone());
        let clock = GitHubClock::new(clock);
        let inner = Inner {
            client,
            keys: settings.app.as_ref().and_then(KeyRing::new),
            places,
            mint_budget: MintBudget::new(settings.limits.mints_per_minute, clock.ours()),
            quotas: Quotas::default(),
            tokens: Tokens::default(),
            breakers: breakers(&settings),
            clock,
            settings,
        };
        Ok(Self { inner: Arc::new(inner), background: false, counted: Arc::default() })
    }

    /// The same client for what can wait: its calls leave half of the places, and of the budget for new tokens, to those
    /// of others, and give way to them.
    #[must_use]
    pub fn in_background(&self) -> Self {
        Self { background: true, ..self.clone() }
    }

    /// True if GitHub has told nothing of this installation that what can wait should spare it for: less than a tenth
    /// of a quota left, or too many requests.
    pub fn spare(&self, id: InstallationId) -> bool {
        self.inner.quotas.spare(&Payer::Installation(id), self.inner.clock.now())
    }

    /// Address of the web site.
    pub fn web_url(&self) -> &Url {
        &self.inner.settings.web_url
    }

    /// What `git clone` takes.
    pub fn clone_url(&self, repo: &RepoName) -> String {
        // Nothing in a name of a repository has to be encoded.
        let base = self.inner.settings.web_url.as_str().trim_end_matches('/');
        [base, "/", repo.as_str(), ".git"].concat()
    }

    /// How far GitHub's clock is ahead of ours, as its last answers have it. GitHub's times (a token's end) are by that
    /// clock.
    pub fn clock_offset(&self) -> time::Duration {
        self.inner.clock.offset()
    }

    /// URL of a route of the REST API; each segment is encoded.
    fn route<'a>(&self, segments: impl IntoIterator<Item = &'a str>) -> Url {
        below(&self.inner.settings.api_url, segments)
    }

    /// URL of a route below `/repos/{owner}/{repo}`.
    fn repo_route<'a>(
        &self,
        repo: &'a RepoName,
        segments: impl IntoIterator<Item = &'a str>,
    ) -> Url {
        self.route(["repos", repo.owner(), repo.name()].into_iter().chain(segments))
    }
}

fn below<'a>(base: &Url, segments: impl IntoIterator<Item = &'a str>) -> Url {
    let mut url = base.clone();
    // Only a URL without a host has no segments; `check_urls` lets none pass.
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().extend(segments);
    }
    url
}

fn breakers(settings: &Settings) -> Vec<(Origin, Breaker)> {
    let limits = &settings.limits;
    let mut breakers: Vec<(Origin, Breaker)> = Vec::new();
    for url in [&settings.api_url, &settings.graphql_url, &settings.web_url] {
        if breakers.iter().all(|(origin, _)| *origin != url.origin()) {
            let breaker = Breaker::new(limits.breaker_failures, limits.breaker_open);
            breakers.push((url.origin(), breaker));
        }
    }
    breakers
}

fn cause(error: &reqwest::Error) -> String {
    error.source().map_or_else(|| error.to_string(), ToString::to_string)
}
