//! Binding a repository.

use tracing::info;

use crate::{
    broker::{Broker, access::Credential, error::Error, refusal},
    domain::{AccountId, Binding, BranchName, RepoName, Subdirectory},
    github::Repository,
};

/// A repository to work with.
#[derive(Clone, Debug)]
pub struct BindRequest {
    /// Who binds it.
    pub account: AccountId,
    /// The repository.
    pub repository: RepoName,
    /// Branch for commits.
    pub staging: BranchName,
    /// Branch for promotion; the repository's default branch if not given.
    pub production: Option<BranchName>,
    /// Directory that paths are relative to.
    pub subdirectory: Subdirectory,
    /// Make it the active one.
    pub activate: bool,
}

impl Broker {
    /// Looks a repository up with the account's credential and binds it.
    pub async fn bind_repository(&self, request: BindRequest) -> Result<Binding, Error> {
        let credential = self.credential(&request.account).await?;
        let found = self.look_up(&request.account, &credential, &request.repository).await?;
        let production = request.production.unwrap_or(found.default_branch);
        if production == request.staging {
            return Err(Error::invalid(
                "staging_branch",
                format!("must differ from the production branch ({production})"),
            ));
        }
        let binding = Binding {
            account: request.account,
            repository_id: found.id,
            repository: found.name,
            staging: request.staging,
            production,
            subdirectory: request.subdirectory,
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
        account: &AccountId,
        credential: &Credential,
        repository: &RepoName,
    ) -> Result<Repository, Error> {
        if let Credential::Pat(pat) = credential {
            self.usable(pat)?;
        }
        let token = self.probe_token(account, credential, repository, None).await?;
        let context = refusal::Context { source: credential.source(), repository };
        self.look_at(&token, repository).await.map_err(|error| context.explain(error))
    }
}
