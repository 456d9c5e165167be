//! Binding a repository.

use tracing::info;

use crate::{
    broker::{
        Broker, Call, access::default_staging, credential::Credential, error::Error, refusal,
    },
    domain::{
        AccountId, Base, Binding, BranchName, BranchPattern, RepoName, RepositoryState,
        Subdirectory,
    },
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
    /// Where the staging branch begins; `Some(None)` and a new binding: production.
    pub staging_base: Option<Option<Base>>,
    /// Do not make the staging branch; a new binding makes it.
    pub staging_must_exist: Option<bool>,
    /// Branches to work on beside staging; a new binding has none.
    pub work_branches: Option<Vec<BranchPattern>>,
    /// Make it the active one.
    pub activate: bool,
}

impl BindRequest {
    /// The binding of `found` as it is to be: what is not given is as in `bound`, the one before.
    fn over(
        self,
        bound: Option<&Binding>,
        account: &AccountId,
        found: Repository,
    ) -> Result<Binding, Error> {
        let staging = match self.staging.or_else(|| bound.map(|b| b.staging.clone())) {
            Some(staging) => staging,
            None => default_staging()?,
        };
        let production = self
            .production
            .or_else(|| bound.map(|b| b.production.clone()))
            .unwrap_or(found.default_branch);
        let staging_base =
            self.staging_base.unwrap_or_else(|| bound.and_then(|b| b.staging_base.clone()));
        if production == staging {
            return Err(Error::invalid(
                "staging_branch",
                format!("must differ from the production branch ({production})"),
            ));
        }
        if staging_base == Some(Base::Branch(staging.clone())) {
            return Err(Error::invalid(
                "staging_base",
                format!("must differ from the staging branch ({staging})"),
            ));
        }
        Ok(Binding {
            account: account.clone(),
            repository_id: found.id,
            repository: found.name,
            staging,
            staging_base,
            staging_must_exist: self
                .staging_must_exist
                .unwrap_or_else(|| bound.is_some_and(|b| b.staging_must_exist)),
            production,
            work_branches: self
                .work_branches
                .or_else(|| bound.map(|b| b.work_branches.clone()))
                .unwrap_or_default(),
            subdirectory: self
                .subdirectory
                .or_else(|| bound.map(|b| b.subdirectory.clone()))
                .unwrap_or_default(),
            active: self.activate,
            state: if found.archived {
                RepositoryState::Archived
            } else {
                RepositoryState::Available
            },
            seen_at: found.updated_at,
        })
    }
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
        let activate = request.activate;
        let binding = request.over(bound, call.account(), found)?;
        let stored = self.store().put_binding(&binding, activate).await?;
        info!(
            account = %stored.account, repository = %stored.repository, staging = %stored.staging,
            production = %stored.production, active = stored.active,
            staging_base = stored.staging_base.as_ref().map(tracing::field::display),
            staging_must_exist = stored.staging_must_exist, work_branches = ?stored.work_branches, "repository bound"
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
        if let Credential::User(user) = credential {
            self.usable(user)?;
        }
        let token = self.probe_token(call, credential, repository, None).await?;
        let context = refusal::Context { source: credential.source(), repository };
        self.look_at(&token, repository).await.map_err(|error| context.explain(error))
    }
}
