//! OpenPromotionPr: the pull request from staging to production, or of a work branch to one of both.
//!
//! * [`ends`]: which branch goes where. Pure.
//! * [`ahead`]: whether there is anything to promote.
//! * [`pull`]: the pull request: found, retargeted, opened, brought up to date.
//! * [`extras`]: labels and reviewers. [`auto_merge`]: GitHub merges it by itself.
//! * [`warning`]: what of these could not be done.
//!
//! Once there is a pull request its number is what the caller needs most: what cannot be put on it is a warning, not an error.

mod ahead;
mod auto_merge;
mod ends;
mod extras;
mod pull;
mod warning;

use std::time::Duration;

use tracing::info;

use super::{
    Broker, Call,
    access::Access,
    error::{Error, Reason},
    refusal::Failed,
};
use crate::{
    domain::{BranchName, Level, MergeMethod, Permission, Permissions, RepoName, Token},
    github::{self, GitHub, Pull},
};
use ends::Ends;
pub use warning::{Warning, WarningCode};

/// What is to be promoted.
#[derive(Clone, Debug)]
pub struct PromoteRequest {
    /// A bound repository; the active one by default.
    pub repository: Option<RepoName>,
    /// The branch to merge: the staging branch by default. Another one only if the policy lets the caller work on it.
    pub head: Option<BranchName>,
    /// The branch to merge into: production by default. A work branch may also go to staging.
    pub base: Option<BranchName>,
    /// Title; a default one, or the one that it has, if not given.
    pub title: Option<String>,
    /// Description; left as it is if not given.
    pub body: Option<String>,
    /// Open it as a draft.
    pub draft: bool,
    /// Labels to put on it.
    pub labels: Vec<String>,
    /// Logins of those whose review is requested.
    pub reviewers: Vec<String>,
    /// Slugs of the teams whose review is requested.
    pub team_reviewers: Vec<String>,
    /// How GitHub is to merge it by itself; left as it is if not given.
    pub auto_merge: Option<MergeMethod>,
    /// If the head has one open pull request and that goes elsewhere, it is this one.
    pub retarget: bool,
}

/// The open pull request.
#[derive(Clone, Debug)]
pub struct Promoted {
    /// Its number.
    pub number: i64,
    /// Its page.
    pub url: String,
    /// False if it was open already.
    pub created: bool,
    /// Commits of the head that the base does not have.
    pub commits_ahead: u64,
    /// The branch that is promoted.
    pub head: BranchName,
    /// The branch that it goes to.
    pub base: BranchName,
    /// Whether it can be merged without conflicts; none if GitHub does not know yet.
    pub mergeable: Option<bool>,
    /// True if it is a draft.
    pub draft: bool,
    /// True if GitHub will merge it by itself.
    pub auto_merge_enabled: bool,
    /// What was asked for and could not be done.
    pub warnings: Vec<Warning>,
}

/// What promotion does: read both branches, write a pull request.
const PERMISSIONS: Permissions = Permissions::NONE
    .with(Permission::CONTENTS, Level::Read)
    .with(Permission::METADATA, Level::Read)
    .with(Permission::PULL_REQUESTS, Level::Write);
/// Long enough for the few calls of one promotion.
const MIN_TTL: Duration = Duration::from_secs(120);

/// One promotion under way.
struct Promotion<'a> {
    broker: &'a Broker,
    access: &'a Access,
    token: &'a Token,
    request: &'a PromoteRequest,
    ends: &'a Ends,
}

impl Broker {
    /// Opens the pull request, or brings the open one up to date.
    pub async fn promote(&self, call: &Call, request: PromoteRequest) -> Result<Promoted, Error> {
        let mut access = self.access(call, request.repository.as_ref()).await?;
        let asked = request.head.as_ref().unwrap_or(&access.binding.staging);
        call.trail.note(|record| {
            record.branch = Some(asked.to_string());
            record.auto_merge = request.auto_merge.map(MergeMethod::name);
        });
        let ends = Ends::of(&mut access, &request)?;
        let mut permissions = PERMISSIONS;
        if request.auto_merge.is_some() {
            access.call = access.call.for_auto_merge().ok_or_else(auto_merge_not_allowed)?;
            // It will be this credential that merges.
            permissions = permissions.with(Permission::CONTENTS, Level::Write);
        }
        let (token, _) = self.enter(&access, permissions, MIN_TTL).await?;
        let promotion = Promotion {
            broker: self,
            access: &access,
            token: &token.token,
            request: &request,
            ends: &ends,
        };
        match promotion.run().await {
            Ok(promoted) => {
                info!(
                    account = %call.account(), repository = %access.binding.repository,
                    head = %promoted.head, base = %promoted.base, number = promoted.number,
                    created = promoted.created, auto_merge = promoted.auto_merge_enabled,
                    warnings = promoted.warnings.len(), "promotion pull request"
                );
                Ok(promoted)
            }
            Err(Failed::GitHub(error)) => Err(self.refused(&access, error).await),
            Err(Failed::Known(error)) => Err(error),
        }
    }
}

fn auto_merge_not_allowed() -> Error {
    Error::new(
        Reason::CallerNotAllowed,
        "no rule of the broker's policy lets this caller have GitHub merge by itself; leave `auto_merge` out, or ask its operator for such a rule",
    )
}

impl Promotion<'_> {
    async fn run(&self) -> Result<Promoted, Failed> {
        let commits_ahead = self.commits_ahead().await?;
        let (pull, created) = self.pull().await?;
        self.access.call.trail.note(|record| record.pull_request = Some(pull.number));
        let mut warnings = Vec::new();
        self.add_labels(&pull, &mut warnings).await;
        self.request_reviews(&pull, &mut warnings).await;
        let auto_merge_enabled = self.auto_merge(&pull, &mut warnings).await;
        Ok(Promoted {
            number: pull.number,
            url: pull.url,
            created,
            commits_ahead,
            head: self.ends.head.clone(),
            base: self.ends.base.clone(),
            mergeable: pull.mergeable,
            draft: pull.draft,
            auto_merge_enabled,
            warnings,
        })
    }

    fn github(&self) -> &GitHub {
        self.broker.github()
    }

    fn repository(&self) -> &RepoName {
        &self.access.binding.repository
    }

    /// The pull request as it is now.
    async fn read(&self, number: i64) -> Result<Pull, github::Error> {
        self.github().pull(self.token, self.repository(), number).await
    }
}
