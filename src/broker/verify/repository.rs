//! Checks of the repository: does it resolve, are its branches there.

use super::{Check, FindingCode};
use crate::{
    broker::{
        access::default_staging,
        credential::Credential,
        error::{Error, Reason},
        refusal::{self, Context},
    },
    domain::{BranchName, CredentialSource, RepoName, Token},
    github::{Kind, Repository},
};

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
            Err(error) if matches!(error.kind, Kind::NotFound | Kind::Forbidden) => {
                let context = Context { source: credential.source(), repository: name };
                let refused = context.explain(error);
                self.failed(
                    code,
                    refused.message,
                    "Check the name, and the credential's access to it.",
                    "",
                );
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
            let what = if found.archived { "archived" } else { "disabled" };
            let message =
                format!("{} is {what}, so that nothing can be written to it.", found.name);
            self.failed(code, message, "Unarchive it, or configure another repository.", &settings);
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

        let Some(production_exists) = self.branch(token, repository, &production).await? else {
            return Ok(());
        };
        let Some(staging_exists) = self.branch(token, repository, &staging).await? else {
            return Ok(());
        };
        let branches_page = format!("{}/branches", repository.html_url);
        let code = FindingCode::ProductionBranchExists;
        if production_exists {
            self.ok(code, format!("The branch {production} exists."));
        } else {
            let message = format!("There is no branch {production}.");
            self.failed(
                code,
                message,
                "Create it, or configure another production branch.",
                &branches_page,
            );
        }
        let code = FindingCode::StagingBranchExists;
        if staging_exists {
            self.ok(code, format!("The branch {staging} exists."));
        } else if production_exists {
            let message = format!(
                "There is no branch {staging} yet; the first commit creates it from {production}."
            );
            self.warning(code, message, "", &branches_page);
        } else {
            let message = format!("There is no branch {staging}, and none to create it from.");
            self.failed(
                code,
                message,
                "Create it, or configure another staging branch.",
                &branches_page,
            );
        }
        self.rules(token, repository, source, &staging, staging_exists).await
    }

    /// Whether the branch exists; none if the repository is empty, which is a finding of its own.
    async fn branch(
        &mut self,
        token: &Token,
        repository: &Repository,
        branch: &BranchName,
    ) -> Result<Option<bool>, Error> {
        match self.broker.github().branch_head(token, &repository.name, branch).await {
            Ok(head) => Ok(Some(head.is_some())),
            Err(error) if error.kind == Kind::EmptyRepository => {
                let message =
                    format!("{} is empty: it has no branch to work from.", repository.name);
                let fix = "Make a first commit, for example a README.";
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
