//! Checks of the repository: does it resolve, are its branches there.

use super::{Check, FindingCode, rules::Staging};
use crate::{
    broker::{
        access::default_staging,
        credential::Credential,
        error::{Error, Reason},
        refusal::{self, Context},
    },
    domain::{Base, BranchName, CredentialSource, RepoName, Token},
    github::{Kind, Repository},
};

/// What is seen of a branch.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Seen {
    Exists,
    Missing,
    /// The whole repository has no commit yet.
    Empty,
}

impl Check<'_> {
    /// None if the repository cannot be seen, so that nothing in it can be checked.
    pub(super) async fn resolve(
        &mut self,
        credential: &Credential,
        name: &RepoName,
    ) -> Result<Option<(Token, Repository)>, Error> {
        let code = FindingCode::RepositoryResolves;
        let bound = self.binding.as_ref().map(|binding| binding.repository_id);
        let call = self.call;
        let token = match self.broker.probe_token(call, credential, name, bound).await {
            Ok(token) => token,
            Err(error) if error.reason == Reason::RepoNotAccessible => {
                self.failed(
                    code,
                    error.message,
                    "Add the repository to the App's installation.",
                    "",
                );
                return Ok(None);
            }
            Err(error) if error.reason == Reason::PermissionNotGranted => {
                let fix = "An owner of the organization has to accept the App's new permissions.";
                self.failed(FindingCode::PermissionsGranted, error.message, fix, "");
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        let found = match self.broker.look_at(&token, name).await {
            Ok(found) => found,
            Err(error) if error.kind == Kind::SsoRequired => {
                let url = error.sso_url.clone().unwrap_or_default();
                let message =
                    format!("{} requires single sign-on for this credential.", name.owner());
                self.failed(
                    FindingCode::OrganizationApproves,
                    message,
                    "Authorize the token for the organization.",
                    &url,
                );
                return Ok(None);
            }
            // What an organization does not let in: classic tokens, addresses that are not on its list.
            Err(error) if error.kind == Kind::Forbidden => {
                let message = format!("{} does not let it in: {}", name.owner(), error.sentence());
                self.failed(
                    FindingCode::OrganizationApproves,
                    message,
                    "Use what the organization allows, or ask one of its owners.",
                    "",
                );
                return Ok(None);
            }
            Err(error) if matches!(error.kind, Kind::NotFound | Kind::ReadOnly) => {
                let is_hidden = error.kind == Kind::NotFound;
                let context = Context { source: credential.source(), repository: name };
                let refused = context.explain(error);
                self.failed(
                    code,
                    refused.message,
                    "Check the name, and the credential's access to it.",
                    "",
                );
                if let (Credential::User(user), true) = (credential, is_hidden) {
                    self.may_wait_for_approval(user.kind, name.owner());
                }
                return Ok(None);
            }
            Err(error) => return Err(refusal::cannot_ask(error)),
        };
        self.ok(
            FindingCode::OrganizationApproves,
            format!("{} lets the credential in.", found.name.owner()),
        );
        self.describe(name, &found);
        Ok(Some((token.token, found)))
    }

    fn describe(&mut self, name: &RepoName, found: &Repository) {
        let code = FindingCode::RepositoryResolves;
        let settings = format!("{}/settings", found.html_url);
        let replaced = self.binding.as_ref().is_some_and(|bound| bound.repository_id != found.id);
        if replaced {
            let message = format!("{name} is another repository than the one that was configured.");
            self.failed(code, message, "Configure the repository anew.", &found.html_url);
        } else if found.archived || found.disabled {
            let (what, fix) = if found.archived {
                ("archived", "Unarchive it, or configure another repository.")
            } else {
                ("disabled", "Settle it with GitHub's support, or configure another repository.")
            };
            let message =
                format!("{} is {what}, so that nothing can be written to it.", found.name);
            self.failed(code, message, fix, &settings);
        } else if found.moved {
            let message = format!("{name} is {} now.", found.name);
            let fix = "Configure the repository under its new name.";
            if self.binding.is_some() {
                self.failed(code, message, fix, &found.html_url);
            } else {
                self.warning(code, message, fix, &found.html_url);
            }
        } else {
            self.ok(code, format!("{} resolves.", found.name));
        }
    }

    pub(super) async fn branches(
        &mut self,
        token: &Token,
        repository: &Repository,
        source: CredentialSource,
    ) -> Result<(), Error> {
        let bound = self.binding.as_ref();
        let staging = self.request.staging.clone().or_else(|| bound.map(|b| b.staging.clone()));
        let production =
            self.request.production.clone().or_else(|| bound.map(|b| b.production.clone()));
        let staging = staging.map_or_else(default_staging, Ok)?;
        let production = production.unwrap_or_else(|| repository.default_branch.clone());

        let Some(on_production) = self.branch(token, repository, source, &production).await? else {
            return Ok(());
        };
        let Some(on_staging) = self.branch(token, repository, source, &staging).await? else {
            return Ok(());
        };
        self.describe_production(repository, &production, on_production);
        let bound = self.binding.as_ref().filter(|bound| bound.staging == staging);
        let must_exist = bound.is_some_and(|bound| bound.staging_must_exist);
        let base = bound.and_then(|bound| bound.staging_base.clone());
        let on_base = match &base {
            _ if on_staging == Seen::Exists => Seen::Exists,
            Some(Base::Commit(commit)) if on_production == Seen::Exists => {
                let (github, name) = (self.broker.github(), &repository.name);
                let head = github.branch_head(token, name, &production).await;
                let found = match head.map_err(refusal::cannot_ask)? {
                    Some(head) => github.is_ancestor(token, name, *commit, head).await,
                    None => Ok(false),
                };
                if found.map_err(refusal::cannot_ask)? { Seen::Exists } else { Seen::Missing }
            }
            Some(Base::Branch(base)) if *base != production => {
                let Some(on_base) = self.branch(token, repository, source, base).await? else {
                    return Ok(());
                };
                on_base
            }
            _ => on_production,
        };
        let base = match base {
            None => production.to_string(),
            Some(Base::Branch(base)) => base.to_string(),
            Some(Base::Commit(commit)) => format!("commit {commit} of {production}"),
        };
        self.describe_staging(repository, (&staging, on_staging), must_exist, (&base, on_base));
        let exists = on_staging == Seen::Exists;
        let staging = Staging { branch: &staging, exists, source };
        self.rules(token, repository, staging).await
    }

    fn describe_production(&mut self, repository: &Repository, name: &BranchName, seen: Seen) {
        let page = format!("{}/branches", repository.html_url);
        let code = FindingCode::ProductionBranchExists;
        match seen {
            Seen::Exists => self.ok(code, format!("The branch {name} exists.")),
            Seen::Empty => {
                let message = format!("There is no branch {name} yet; the first commit makes it.");
                self.warning(code, message, "", &page);
            }
            Seen::Missing => {
                let message = format!("There is no branch {name}.");
                let fix = "Create it, or configure another production branch.";
                self.failed(code, message, fix, &page);
            }
        }
    }

    /// `base` is what the branch begins at if it is missing.
    fn describe_staging(
        &mut self,
        repository: &Repository,
        (name, seen): (&BranchName, Seen),
        must_exist: bool,
        (base, on_base): (&str, Seen),
    ) {
        let page = format!("{}/branches", repository.html_url);
        let code = FindingCode::StagingBranchExists;
        if seen == Seen::Exists {
            self.ok(code, format!("The branch {name} exists."));
        } else if must_exist {
            let message = format!(
                "There is no branch {name}, and the broker is configured not to create it."
            );
            let fix = "Create it, or configure the repository without staging_must_exist.";
            self.failed(code, message, fix, &page);
        } else if on_base == Seen::Missing {
            let message = format!("There is no branch {name}, and no {base} to create it from.");
            let fix = "Create it, or configure another staging_base or another staging branch.";
            self.failed(code, message, fix, &page);
        } else {
            let message =
                format!("There is no branch {name} yet; the first commit creates it from {base}.");
            self.warning(code, message, "", &page);
        }
    }

    /// What is seen of a branch; none if branches cannot be read, which is a finding of its own.
    async fn branch(
        &mut self,
        token: &Token,
        repository: &Repository,
        source: CredentialSource,
        branch: &BranchName,
    ) -> Result<Option<Seen>, Error> {
        match self.broker.github().branch_head(token, &repository.name, branch).await {
            Ok(Some(_)) => Ok(Some(Seen::Exists)),
            Ok(None) => Ok(Some(Seen::Missing)),
            Err(error) if error.kind == Kind::EmptyRepository => {
                let message =
                    format!("{} is empty; the first commit makes a start.", repository.name);
                self.warning(FindingCode::RepositoryResolves, message, "", &repository.html_url);
                Ok(Some(Seen::Empty))
            }
            Err(error) if error.kind == Kind::ReadOnly => {
                let context = Context { source, repository: &repository.name };
                let message = context.explain(error).message;
                let fix = "Settle it with GitHub's support, or configure another repository.";
                self.failed(FindingCode::RepositoryResolves, message, fix, &repository.html_url);
                Ok(None)
            }
            Err(error) if matches!(error.kind, Kind::Forbidden | Kind::NotFound) => {
                let message = format!(
                    "The branches of {} cannot be read: {}",
                    repository.name, error.message
                );
                let fix = "The credential needs at least Contents: read.";
                self.failed(FindingCode::PermissionsGranted, message, fix, &repository.html_url);
                Ok(None)
            }
            Err(error) => Err(refusal::cannot_ask(error)),
        }
    }
}
