//! GetRepoToken: a token for one repository with no more permissions than asked for.

use std::time::Duration;

use time::OffsetDateTime;
use tracing::{debug, info};

use super::{
    Broker, Call,
    credential::{Credential, UserToken},
    error::{Error, Reason},
    refusal,
};
use crate::{
    audit::Cache,
    domain::{AccountId, ConnectionStatus, CredentialSource, Permissions, RepoName, Token},
    github::Kind,
};

/// GitHub is not asked more often about one account's token, however often it is reported.
pub(super) const ASK_EVERY: Duration = Duration::from_secs(10);

/// What is asked for.
#[derive(Clone, Debug)]
pub struct VendRequest {
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
    /// What GitHub granted; empty for a user's token, which says nothing about itself.
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
    pub async fn vend(&self, call: &Call, request: VendRequest) -> Result<VendedToken, Error> {
        let call = call.for_permissions(request.permissions)?;
        let access = self.access(&call, request.repository.as_ref()).await?;
        let source = access.credential.source();
        if matches!(access.credential, Credential::User(_)) {
            access.call.for_unnarrowed_token().ok_or_else(|| {
                Error::new(
                    Reason::TokenNotAllowed,
                    format!(
                        "this account is connected by {}, which cannot be narrowed to a repository, and no rule of the \
                         broker's policy lets this caller have such tokens; connect it by App installation",
                        source.noun()
                    ),
                )
            })?;
        }
        let granted = self.repo_token(&access, request.permissions, request.min_ttl).await?;
        let stale = match &access.credential {
            Credential::App { .. } => granted.cache == Some(Cache::Stale),
            // There is no other one: what is left of it is told, by GitHub's clock, as its end is.
            Credential::User(_) => granted.expires_at.is_some_and(|end| {
                end - self.now() - self.github().clock_offset() < request.min_ttl
            }),
        };
        if let (Some(name), Some(end)) = (&granted.repository, granted.expires_at)
            && *name != access.binding.repository
        {
            Box::pin(self.learn_name(&access.binding, name, end)).await;
        }
        // Somebody else may have taken the bound name over: callers must not clone from there.
        let repository = granted.repository.unwrap_or_else(|| access.binding.repository.clone());
        // No more than that: each is in the audit.
        debug!(
            account = %call.account(), %repository, source = source.as_str(),
            permissions = %request.permissions, stale,
            hashed_token = &*granted.hashed, "token found for a caller"
        );
        Ok(VendedToken {
            clone_url: self.github().clone_url(&repository),
            token: granted.token,
            expires_at: granted.expires_at,
            source,
            permissions: granted.permissions,
            repository,
            stale,
        })
    }

    /// Forgets a token that a caller says GitHub answered 401 to: a cached one, or the stored token of a user once
    /// GitHub itself says so.
    pub async fn reject_token(&self, call: &Call, token: &Token) -> Result<bool, Error> {
        let account = call.account();
        call.trail.note(|record| record.hashed_token = Some(token.hashed().into()));
        let dropped = self.inner.tokens.reject(account, token)
            || self.own_token_is_dead(account, token).await?;
        info!(%account, dropped, "a caller reports a rejected token");
        Ok(dropped)
    }

    /// Asks GitHub about the account's own token. One that it refuses is not used any more: without a person's doing
    /// there is no other one, so that a caller's word is not enough.
    async fn own_token_is_dead(&self, account: &AccountId, token: &Token) -> Result<bool, Error> {
        let Some(own) = self.own_token(account, token).await? else { return Ok(false) };
        if self.usable(&own).is_err() || !self.inner.token_checks.may(account, self.now()) {
            return Ok(false);
        }
        match self.github().user(token).await {
            Err(error) if error.kind == Kind::Unauthorized => {
                self.note_user_token(account, &own, ConnectionStatus::Revoked).await;
                Ok(true)
            }
            Ok(_) => Ok(false),
            Err(error) => Err(refusal::cannot_ask(error)),
        }
    }

    /// The stored token of a user that `token` is, if it is one of the account's.
    async fn own_token(
        &self,
        account: &AccountId,
        token: &Token,
    ) -> Result<Option<UserToken>, Error> {
        let pat = self.store().pat(account).await?;
        let pat = pat.map(|(pat, sealed)| self.open_pat(pat, sealed)).transpose()?;
        let user = self.store().oauth_user(account).await?;
        let user = user.map(|(user, sealed)| self.open_oauth_token(&user, sealed)).transpose()?;
        let hash = token.hashed();
        Ok([pat, user].into_iter().flatten().find(|own| own.token.hashed() == hash))
    }
}
