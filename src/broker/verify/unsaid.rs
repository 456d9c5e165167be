//! Tokens of which GitHub does not say what they may do: a fine-grained personal access token, and the token of a GitHub App's
//! user. What can be tried out without changing anything is.

use super::{
    Check, FindingCode,
    credential::{capital, may_push, what},
};
use crate::{
    broker::{credential::UserTokenKind, error::Error, refusal},
    domain::{PatKind, Token},
    github::{Probe, Repository},
};

impl Check<'_> {
    pub(super) async fn unsaid(
        &mut self,
        kind: UserTokenKind,
        token: &Token,
        repository: &Repository,
    ) -> Result<(), Error> {
        let code = FindingCode::PermissionsGranted;
        if !may_push(repository) {
            self.no_push(repository);
            return Ok(());
        }
        let mut lacking = Vec::new();
        // What anybody may read says nothing of the token.
        if repository.private && !self.may(token, repository, Probe::PullRequests).await? {
            lacking.push("Pull requests: read and write");
        }
        if repository.private && !self.may(token, repository, Probe::Contents).await? {
            lacking.push("Contents: read and write");
        } else if is_writable(repository) && !self.may(token, repository, Probe::Push).await? {
            lacking.push("Contents: write");
        }
        let (fix, page) = self.where_granted(kind);
        if !lacking.is_empty() {
            let message = format!("{} lacks {}.", capital(what(kind)), lacking.join(", and "));
            self.failed(code, message, fix, &page);
            return Ok(());
        }
        let seen = match (repository.private, is_writable(repository)) {
            (true, true) => "reads contents and pull requests, and may push",
            (false, true) => "may push",
            (true, false) => "reads contents and pull requests",
            (false, false) => "is accepted",
        };
        let message = format!(
            "{} {seen}. GitHub does not tell whether it may open pull requests, or change files in .github/workflows.",
            capital(what(kind))
        );
        self.warning(code, message, fix, &page);
        Ok(())
    }

    async fn may(
        &self,
        token: &Token,
        repository: &Repository,
        probe: Probe,
    ) -> Result<bool, Error> {
        let tried = self.broker.github().probe(token, &repository.name, probe).await;
        tried.map_err(refusal::cannot_ask)
    }

    /// What has to be granted, and where.
    fn where_granted(&self, kind: UserTokenKind) -> (&'static str, String) {
        match kind {
            UserTokenKind::Pat(kind) => (
                "Make sure that it has Contents and Pull requests: read and write, for this repository.",
                self.broker.tokens_page(kind),
            ),
            UserTokenKind::OAuth => (
                "Make sure that the App is installed there, with Contents and Pull requests: read and write.",
                String::new(),
            ),
        }
    }

    /// A fine-grained token that an organization has yet to approve sees nothing of it but what everybody sees.
    pub(super) fn may_wait_for_approval(&mut self, kind: UserTokenKind, owner: &str) {
        if kind != UserTokenKind::Pat(PatKind::FineGrained) {
            return;
        }
        let message = format!(
            "If {owner} is an organization, its owners may have yet to approve this fine-grained token: until then it sees no private repository."
        );
        let fix = "Look whether it is pending, and ask an owner of the organization.";
        let page = self.broker.tokens_page(PatKind::FineGrained);
        self.warning(FindingCode::OrganizationApproves, message, fix, &page);
    }
}

/// Nobody pushes to one that is not: that says nothing of the token.
fn is_writable(repository: &Repository) -> bool {
    !repository.archived && !repository.disabled
}
