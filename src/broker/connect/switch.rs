//! Switching a credential off and on.

use tracing::info;

use crate::{
    broker::{
        Broker, Call,
        error::{Error, Reason},
    },
    domain::{Choice, CredentialSource},
};

impl Broker {
    /// Switches one credential of an account; says which one is used now.
    pub async fn switch_credential(
        &self,
        call: &Call,
        source: CredentialSource,
        enabled: bool,
    ) -> Result<Choice, Error> {
        let account = call.account();
        call.trail.note(|record| record.source = Some(source.as_str()));
        let store = self.store();
        let existed = match source {
            CredentialSource::AppInstallation => {
                store.enable_installation(account, enabled).await?
            }
            CredentialSource::OAuthUser => store.enable_oauth_user(account, enabled).await?,
            CredentialSource::Pat => store.enable_pat(account, enabled).await?,
        };
        if !existed {
            return Err(Error::new(
                Reason::AccountNotConnected,
                format!("this account is not connected by {}", source.noun()),
            ));
        }
        if source == CredentialSource::AppInstallation && !enabled {
            self.revoke_cached(account).await;
        }
        info!(%account, source = source.as_str(), enabled, "credential switched");
        Ok(self.held(account).await?.choice(self.connecting().fallback, self.now()))
    }
}
