//! Binding a repository.

use tracing::info;

use crate::{
    broker::{
        Broker, Call, access::default_staging, credential::Credential, error::Error, refusal,
    },
    domain::{Binding, BranchName, RepoName, Subdirectory},
    github::Repository,
};

/// A repository to work with.
#[derive(Clone, Debug)]
pub struct BindRequest {
    /// The repository.
    pub repository: RepoName,
    /// Branch for commits. What is not given is kept; a new binding has `staging`.
    pub staging: Option<BranchName>,
    /// Branch for promotion; a new binding has the repository's default branch.
    pub production: Option<BranchName>,
    /// Directory that paths are relative to; a new binding has the root.
    pub subdirectory: Option<Subdirectory>,
    /// Make it the active one.
    pub activate: bool,
}

impl Broker {
    /// Looks a repository up with the account's credential and binds it.
    pub async fn bind_repository(
        &self,
        call: &Call,
        request: BindRequest,
    ) -> Result<Binding, Error> {
        let call = call.for_repository(Some(&request.repository))?;
        let account = call.account();
        let credential = self.credential(account).await?;
        call.trail.note(|record| credential.note(record));
        let found = self.look_up(&call, &credential, &request.repository).await?;
        call.trail.note(|record| record.repository_ids = vec![found.id.0]);
        // It may have another name now.
        let call = call.for_repository(Some(&found.name))?;
        let bindings = self.store().bindings(account).await?;
        let bound = bindings.iter().find(|binding| binding.repository_id == found.id);
        let staging = match request.staging.or_else(|| bound.map(|b| b.staging.clone())) {
            Some(staging) => staging,
            None => default_staging()?,
        };
        let production = request
            .production
            .or_else(|| bound.map(|b| b.production.clone()))
            .unwrap_or(found.default_branch);
        let subdirectory = request
            .subdirectory
            .or_else(|| bound.map(|b| b.subdirectory.clone()))
            .unwrap_or_default();
        if production == staging {
            return Err(Error::invalid(
                "staging_branch",
                format!("must differ from the production branch ({production})"),
            ));
        }
        let binding = Binding {
            account: call.account().clone(),
            repository_id: found.id,
            repository: found.name,
            staging,
            production,
            subdirectory,
            active: request.activate,
        };
        let stored = self.store().put_binding(&binding, request.activate).await?;
        info!(
            account = %stored.account, repository = %stored.repository, staging = %stored.staging,
            production = %stored.production, active = stored.active, "repository bound"
        );
        Ok(stored)
    }

    /// A repository as the account's credential sees it.
    async fn look_up(
        &self,
        call: &Call,
        credential: &Credential,
        repository: &RepoName,
    ) -> Result<Repository, Error> {
        if let Credential::Pat(pat) = credential {
            self.usable(pat)?;
        }
        let token = self.probe_token(call, credential, repository, None).await?;
        let context = refusal::Context { source: credential.source(), repository };
        self.look_at(&token, repository).await.map_err(|error| context.explain(error))
    }
}
