//! OpenPromotionPr: the pull request from staging to production.

use std::time::Duration;

use tracing::info;

use super::{
    Broker, Call,
    access::Access,
    error::{Error, Reason},
    refusal::Failed,
};
use crate::{
    domain::{Binding, BranchName, Level, Permission, Permissions, RepoName, Token},
    github::{self, Kind, NewPull, Pull},
};

/// What is to be promoted.
#[derive(Clone, Debug)]
pub struct PromoteRequest {
    /// A bound repository; the active one by default.
    pub repository: Option<RepoName>,
    /// Title; a default one, or the one that it has, if not given.
    pub title: Option<String>,
    /// Description; left as it is if not given.
    pub body: Option<String>,
    /// Open it as a draft.
    pub draft: bool,
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
    /// Commits of staging that production does not have.
    pub commits_ahead: u64,
    /// The branch that is promoted.
    pub head: BranchName,
    /// The branch that it goes to.
    pub base: BranchName,
}

/// What promotion does: read both branches, write a pull request.
const PERMISSIONS: Permissions = Permissions::NONE
    .with(Permission::CONTENTS, Level::Read)
    .with(Permission::METADATA, Level::Read)
    .with(Permission::PULL_REQUESTS, Level::Write);
/// Long enough for the few calls of one promotion.
const MIN_TTL: Duration = Duration::from_secs(120);

impl Broker {
    /// Opens the pull request, or brings the open one up to date.
    pub async fn promote(&self, call: &Call, request: PromoteRequest) -> Result<Promoted, Error> {
        let access = self.access(call, request.repository.as_ref()).await?;
        let (token, _) = self.enter(&access, PERMISSIONS, MIN_TTL).await?;
        match self.promote_with(&request, &access, &token.token).await {
            Ok(promoted) => {
                call.trail.note(|record| record.pull_request = Some(promoted.number));
                info!(
                    account = %call.account(), repository = %access.binding.repository,
                    number = promoted.number, created = promoted.created, "promotion pull request"
                );
                Ok(promoted)
            }
            Err(Failed::GitHub(error)) => Err(self.refused(&access, error).await),
            Err(Failed::Known(error)) => Err(error),
        }
    }

    async fn promote_with(
        &self,
        request: &PromoteRequest,
        access: &Access,
        token: &Token,
    ) -> Result<Promoted, Failed> {
        let (github, binding) = (self.github(), &access.binding);
        let comparison =
            github.compare(token, &binding.repository, &binding.production, &binding.staging).await;
        let commits_ahead = match comparison {
            Ok(comparison) => comparison.ahead_by,
            Err(error) if error.kind == Kind::NotFound => {
                return Err(self.missing_branch(access, token, error).await);
            }
            Err(error) => return Err(error.into()),
        };
        if commits_ahead == 0 {
            return Err(Failed::Known(nothing_to_promote(binding)));
        }
        let (pull, created) = match self.open_pull(access, token).await? {
            Some(pull) => (pull, false),
            None => self.create_pull(request, access, token).await?,
        };
        let pull =
            if created { pull } else { self.update_pull(request, access, token, pull).await? };
        Ok(Promoted {
            number: pull.number,
            url: pull.url,
            created,
            commits_ahead,
            head: binding.staging.clone(),
            base: binding.production.clone(),
        })
    }

    async fn open_pull(
        &self,
        access: &Access,
        token: &Token,
    ) -> Result<Option<Pull>, github::Error> {
        let binding = &access.binding;
        let open = self
            .github()
            .open_pulls(token, &binding.repository, &binding.staging, &binding.production)
            .await?;
        Ok(open.into_iter().next())
    }

    /// Creates the pull request. Somebody may have been faster, or the answer may be lost: then the open one is looked up.
    async fn create_pull(
        &self,
        request: &PromoteRequest,
        access: &Access,
        token: &Token,
    ) -> Result<(Pull, bool), Failed> {
        let binding = &access.binding;
        let title = request
            .title
            .clone()
            .unwrap_or_else(|| format!("Promote {} to {}", binding.staging, binding.production));
        let new = NewPull {
            title: &title,
            body: request.body.as_deref(),
            head: &binding.staging,
            base: &binding.production,
            draft: request.draft,
        };
        let error = match self.github().create_pull(token, &binding.repository, &new).await {
            Ok(pull) => return Ok((pull, true)),
            Err(error) => error,
        };
        if error.kind == Kind::NothingToMerge {
            // Somebody merged since the branches were compared.
            return Err(Failed::Known(nothing_to_promote(binding).caused_by(error)));
        }
        let lost = error.effect_unknown();
        if !lost && error.kind != Kind::AlreadyExists {
            return Err(error.into());
        }
        match self.open_pull(access, token).await? {
            Some(pull) => Ok((pull, lost)),
            None => Err(error.into()),
        }
    }

    async fn update_pull(
        &self,
        request: &PromoteRequest,
        access: &Access,
        token: &Token,
        pull: Pull,
    ) -> Result<Pull, github::Error> {
        let title = request.title.as_deref().filter(|title| *title != pull.title);
        let body = request.body.as_deref().filter(|body| *body != pull.body);
        if title.is_none() && body.is_none() {
            return Ok(pull);
        }
        self.github().update_pull(token, &access.binding.repository, pull.number, title, body).await
    }

    async fn missing_branch(&self, access: &Access, token: &Token, error: github::Error) -> Failed {
        let binding = &access.binding;
        for branch in [&binding.staging, &binding.production] {
            match self.github().branch_head(token, &binding.repository, branch).await {
                Ok(Some(_)) => {}
                Ok(None) => return Failed::Known(branch_missing(branch, &binding.repository)),
                Err(error) => return error.into(),
            }
        }
        error.into()
    }
}

fn nothing_to_promote(binding: &Binding) -> Error {
    Error::new(
        Reason::NothingToPromote,
        format!("{} has no commits that {} does not have", binding.staging, binding.production),
    )
}

pub(super) fn branch_missing(branch: &BranchName, repository: &RepoName) -> Error {
    Error::new(
        Reason::BranchMissing,
        format!(
            "{repository} has no branch {branch}; create it on GitHub, or configure another branch"
        ),
    )
    .with("branch", branch)
}
