//! The right of an account to one of its repositories.

use std::sync::Arc;

use super::{
    Broker, Call,
    credential::Credential,
    error::{Error, Reason},
    refusal::Context,
};
use crate::domain::{AccountId, Binding, BranchName, RepoName};

/// The right of an account to work with one of its repositories. There is no other way to a token for a repository, but for one
/// that only looks.
pub(super) struct Access {
    /// Narrowed to the rules that allow this repository.
    pub call: Call,
    pub binding: Arc<Binding>,
    pub credential: Credential,
}

impl Access {
    pub fn account(&self) -> &AccountId {
        &self.binding.account
    }

    pub fn context(&self) -> Context<'_> {
        Context { source: self.credential.source(), repository: &self.binding.repository }
    }
}

impl Broker {
    /// The right of a call to its account's active repository, or to the bound one that it names.
    pub(super) async fn access(
        &self,
        call: &Call,
        repository: Option<&RepoName>,
    ) -> Result<Access, Error> {
        let call = call.for_repository(repository)?;
        let account = call.account();
        let view = self.store().view(account, self.now()).await?;
        let binding = self.store().viewed_binding(account, &view, repository).await?;
        let credential = self.credential_in(account, &view).await?;
        call.trail.note(|record| credential.note(record));
        let binding = binding.ok_or_else(|| not_bound(repository))?;
        // One that the caller may not use is to it as none.
        let call = call.for_bound(&binding.repository).ok_or_else(|| not_bound(repository))?;
        call.trail.note(|record| record.repository_ids = vec![binding.repository_id.0]);
        Ok(Access { call, binding, credential })
    }
}

/// The staging branch where neither a request nor a binding names one.
pub(super) fn default_staging() -> Result<BranchName, Error> {
    "staging".parse().map_err(Error::internal)
}

pub(super) fn not_bound(repository: Option<&RepoName>) -> Error {
    let what = match repository {
        Some(name) => format!("{name} is not"),
        None => "no repository is".to_owned(),
    };
    Error::new(
        Reason::RepoNotAccessible,
        format!("{what} configured for this account; call ConfigureRepo first"),
    )
}
