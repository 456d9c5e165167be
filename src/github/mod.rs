//! All of the broker's HTTP with GitHub. Nothing outside of this module names an HTTP client.
//!
//! ```text
//!  the App        people and accounts      a repository                     git                       proposals
//!  app  tokens    users  oauth             repositories  rulesets           branches  git_data        pulls  labels
//!   \    |        repository_list          compare  contents                commit_on_branch          reviewers
//!   +-jwt-+                                new_repository  probes           swap_branch  snapshot     auto_merge
//!      |                                                                            |                     |
//!      |                 pages   fresh                                            graphql --------------- +
//!      |                       |                                                    |
//!      +-----------------------+-----------------+----------------------------------+
//!                                    |
//!                                  send                    limits, breaker, retries, headers
//!                                    |
//!        call   breaker   retry   headers   sort -> error (clean, rules)
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
mod commit_on_branch;
mod compare;
mod contents;
mod error;
mod fresh;
mod git_data;
mod graphql;
mod headers;
mod jwt;
mod labels;
mod new_repository;
mod oauth;
mod pages;
mod probes;
mod pulls;
mod repositories;
mod repository_list;
mod retry;
mod reviewers;
mod rules;
mod rulesets;
mod send;
mod settings;
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
use tokio::sync::Semaphore;
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
pub use settings::{AppIdentity, BuildError, Limits, OAuthClient, Settings, SigningKey};
pub use snapshot::{At, Head, Look, RepositoryState, Snapshot};
pub use tokens::{MintedToken, RepoScope};
pub use users::AuthenticatedUser;

use self::{
    breaker::Breaker,
    jwt::{GitHubClock, Signer},
};
use crate::domain::{Clock, RepoName};

/// The client. Cheap to clone; every clone shares connections, limits and breakers.
#[derive(Clone)]
pub struct GitHub {
    inner: Arc<Inner>,
}

struct Inner {
    settings: Settings,
    client: Client,
    clock: GitHubClock,
    signer: Option<Signer>,
    slots: Semaphore,
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
        let inner = Inner {
            client,
            clock: GitHubClock::new(clock),
            signer: settings.app.clone().map(Signer::new),
            slots: Semaphore::new(settings.limits.in_flight),
            breakers: breakers(&settings),
            settings,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Address of the web site.
    pub fn web_url(&self) -> &Url {
        &self.inner.settings.web_url
    }

    /// What `git clone` takes.
    pub fn clone_url(&self, repo: &RepoName) -> String {
        let name = format!("{}.git", repo.name());
        below(&self.inner.settings.web_url, [repo.owner(), &name]).into()
    }

    /// How far GitHub's clock is ahead of ours, as its last answer had it. GitHub's times (a token's end) are by that
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
