//! Tokens that are for no bound repository, and never leave the broker: one that only looks at a repository, and one for all
//! that an installation reaches.

use super::{
    Broker, Call,
    credential::Credential,
    error::{Error, Reason},
    refusal::Context,
    repo_token::RepoToken,
    tokens::{self, MintError},
};
use crate::{
    domain::{AccountId, InstallationId, Level, Permission, Permissions, RepoId, RepoName},
    github::RepoScope,
};

/// What looking at a repository needs: its description, its branches and their rules.
const PROBE: Permissions = Permissions::NONE
    .with(Permission::CONTENTS, Level::Read)
    .with(Permission::METADATA, Level::Read);

impl Broker {
    /// A token to look at a repository that may not be bound yet. Not cached: it is for a name, and names change.
    /// One that is `bound` is found by its id when it has another name now.
    pub(super) async fn probe_token(
        &self,
        call: &Call,
        credential: &Credential,
        repository: &RepoName,
        bound: Option<RepoId>,
    ) -> Result<RepoToken, Error> {
        call.trail.note(|record| record.requested_permissions = Some(PROBE));
        let token = self.find_probe(call.account(), credential, repository, bound).await?;
        call.trail.note(|record| token.note(record));
        Ok(token)
    }

    async fn find_probe(
        &self,
        account: &AccountId,
        credential: &Credential,
        repository: &RepoName,
        bound: Option<RepoId>,
    ) -> Result<RepoToken, Error> {
        let id = match credential {
            Credential::User(user) => return Ok(RepoToken::from(&**user)),
            Credential::App { id, .. } => *id,
        };
        let context = Context { source: credential.source(), repository };
        let probe = async |scope| match tokens::mint(self.github(), id, scope, PROBE).await {
            Ok(minted) => Ok(RepoToken::from(minted)),
            Err(error) => {
                Err(self.no_token(account, id, Some(&context), &error).await.caused_by(error))
            }
        };
        match (probe(RepoScope::Name(repository)).await, bound) {
            (Err(error), Some(bound)) if error.reason == Reason::RepoNotAccessible => {
                probe(RepoScope::Ids(&[bound])).await
            }
            (probed, _) => probed,
        }
    }

    /// A token for all that an installation reaches, with just `permissions`. Not cached, so that nothing can hand it out.
    pub(super) async fn installation_token(
        &self,
        call: &Call,
        id: InstallationId,
        permissions: Permissions,
    ) -> Result<RepoToken, Error> {
        call.trail.note(|record| record.requested_permissions = Some(permissions));
        let minted = tokens::mint(self.github(), id, RepoScope::All, permissions).await;
        let as_asked = minted.and_then(|minted| {
            let more = minted.permissions.missing_from(permissions);
            if more.is_empty() { Ok(minted) } else { Err(MintError::NotAsAsked) }
        });
        match as_asked {
            Ok(minted) => {
                let token = RepoToken::from(minted);
                call.trail.note(|record| token.note(record));
                Ok(token)
            }
            Err(error) => {
                let refused = self.no_token(call.account(), id, None, &error).await;
                Err(refused.caused_by(error))
            }
        }
    }
}
