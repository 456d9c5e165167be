//! Connecting an account, showing what it is connected with, and undoing it.
//!
//! * [`installation`]: registering an App installation.
//! * [`pat`]: storing a personal access token.
//! * [`repository`]: binding a repository.

mod installation;
mod pat;
mod repository;

use futures_util::{StreamExt, stream};
use tracing::{info, warn};

pub use installation::{RegisterRequest, SetupAction};
pub use repository::BindRequest;

use super::{Broker, Call, credential::not_connected, error::Error};
use crate::domain::{AccountId, Binding, ConnectionStatus, CredentialSource, Installation, Pat};

/// What an account is connected with.
#[derive(Clone, Debug)]
pub struct Connection {
    /// The credential in use; none if there is no usable one.
    pub effective: Option<CredentialSource>,
    /// The installation, if there is one.
    pub installation: Option<Installation>,
    /// The token, if there is one.
    pub pat: Option<Pat>,
    /// All bindings, the active one first.
    pub bindings: Vec<Binding>,
}

/// What was undone.
#[derive(Clone, Copy, Debug)]
pub struct Disconnected {
    /// False if there was nothing.
    pub existed: bool,
    /// Cached tokens that GitHub confirmed as revoked.
    pub tokens_revoked: usize,
}

/// Revocations at once: an account rarely has more cached tokens than this.
const REVOKE_AT_ONCE: usize = 8;

impl Broker {
    /// What an account is connected with, from the database alone.
    pub async fn connection(&self, call: &Call) -> Result<Connection, Error> {
        let account = call.account();
        let installation = self.store().installation(account).await?;
        let pat = self.store().pat(account).await?.map(|(pat, _)| pat);
        let mut bindings = self.store().bindings(account).await?;
        if installation.is_none() && pat.is_none() && bindings.is_empty() {
            return Err(not_connected());
        }
        bindings.retain(|binding| call.may_see(&binding.repository));
        let usable = |status: ConnectionStatus| status == ConnectionStatus::Active;
        let effective = match (&installation, &pat) {
            (Some(installation), _) if installation.id.is_some() => {
                usable(installation.status).then_some(CredentialSource::AppInstallation)
            }
            (_, Some(pat)) => usable(self.pat_status(pat)).then_some(CredentialSource::Pat),
            _ => None,
        };
        let pat = pat.map(|pat| Pat { status: self.pat_status(&pat), ..pat });
        Ok(Connection { effective, installation, pat, bindings })
    }

    fn pat_status(&self, pat: &Pat) -> ConnectionStatus {
        match pat.expires_at {
            Some(end) if end <= self.now() => ConnectionStatus::Expired,
            _ => pat.status,
        }
    }

    /// Deletes all of an account, and ends at GitHub the tokens that are cached for it. A task of its own: once the
    /// account is deleted nobody else knows of its tokens, so that a caller who gives up must not stop it half way.
    pub async fn disconnect(&self, call: &Call) -> Result<Disconnected, Error> {
        let (broker, account) = (self.clone(), call.account().clone());
        let work = tokio::spawn(async move { broker.disconnect_now(&account).await });
        work.await.map_err(Error::internal)?
    }

    async fn disconnect_now(&self, account: &AccountId) -> Result<Disconnected, Error> {
        let existed = self.store().disconnect(account).await?;
        let cached = self.inner.tokens.purge(account);
        let revoked = stream::iter(cached)
            .map(async |cached| match self.github().revoke(&cached.token).await {
                Ok(()) => true,
                Err(error) => {
                    warn!(%account, %error, "a cached token could not be revoked; it ends by itself within the hour");
                    false
                }
            })
            .buffer_unordered(REVOKE_AT_ONCE)
            .filter(|revoked| std::future::ready(*revoked))
            .count()
            .await;
        info!(%account, existed, revoked, "account disconnected");
        Ok(Disconnected { existed, tokens_revoked: revoked })
    }
}
