//! GetRepoToken: a token for one repository with no more permissions than asked for.

use std::time::Duration;

use time::OffsetDateTime;
use tracing::info;

use super::{
    Broker,
    access::Credential,
    error::{Error, Reason},
};
use crate::domain::{AccountId, CredentialSource, Permissions, RepoName, Token};

/// What is asked for.
#[derive(Clone, Debug)]
pub struct VendRequest {
    /// Who asks.
    pub account: AccountId,
    /// A bound repository; the active one by default.
    pub repository: Option<RepoName>,
    /// What the token must be able to do.
    pub permissions: Permissions,
    /// Life that it must have left.
    pub min_ttl: Duration,
}

/// What is handed out.
#[derive(Clone, Debug)]
pub struct VendedToken {
    /// The token.
    pub token: Token,
    /// Its end, if it has one.
    pub expires_at: Option<OffsetDateTime>,
    /// What it is.
    pub source: CredentialSource,
    /// What GitHub granted; empty for a PAT, which says nothing about itself.
    pub permissions: Permissions,
    /// The repository, by the name that it has now.
    pub repository: RepoName,
    /// Where to clone it from.
    pub clone_url: String,
    /// True if it has less life left than asked for.
    pub stale: bool,
}

impl Broker {
    /// Hands out a token. Cached and renewed ahead of time for App installations.
    pub async fn vend(&self, request: VendRequest) -> Result<VendedToken, Error> {
        let access = self.access(&request.account, request.repository.as_ref()).await?;
        let source = access.credential.source();
        if matches!(access.credential, Credential::Pat(_)) && !self.inner.parts.hand_out_pats {
            return Err(Error::new(
                Reason::TokenNotAllowed,
                "this account is connected by a personal access token, which cannot be narrowed to a repository, \
                 and the operator does not allow handing such tokens out; connect it by App installation",
            ));
        }
        let granted = self.repo_token(&access, request.permissions, request.min_ttl).await?;
        // Somebody else may have taken the bound name over: callers must not clone from there.
        let repository = granted.repository.unwrap_or(access.binding.repository);
        info!(
            account = %request.account, %repository, ?source,
            permissions = %request.permissions, stale = granted.stale,
            hashed_token = granted.token.hashed(), "token handed out"
        );
        Ok(VendedToken {
            clone_url: self.github().clone_url(&repository),
            token: granted.token,
            expires_at: granted.expires_at,
            source,
            permissions: granted.permissions,
            repository,
            stale: granted.stale,
        })
    }

    /// Forgets a cached token that GitHub answered 401 to.
    pub fn reject_token(&self, account: &AccountId, token: &Token) -> bool {
        let dropped = self.inner.tokens.reject(account, token);
        info!(%account, dropped, "a caller reports a rejected token");
        dropped
    }
}
