//! Installations that an organization owner has to approve.
//!
//! GitHub sends no browser back when the owner has: a webhook tells, or the next look does.

use std::time::Duration;

use tracing::{debug, info, warn};

use crate::{
    broker::{Broker, credential::Held, error::Error, refusal},
    domain::{
        AccountId, Awaited, Choice, ConnectionStatus, CredentialSource, Installation,
        InstallationId,
    },
    github::{self, Kind},
};

/// GitHub is not asked more often about one account's installation, however often its connection is looked at.
pub(in crate::broker) const LOOK_EVERY: Duration = Duration::from_secs(10);
/// Nor so often about one that was uninstalled, which rarely was a mistake of somebody's.
pub(in crate::broker) const LOOK_EVERY_IF_GONE: Duration = Duration::from_secs(10 * 60);

impl Broker {
    /// Whether GitHub may know more of the installation than was last seen, and it matters.
    pub(in crate::broker) fn may_have_changed(&self, held: &Held, choice: &Choice) -> bool {
        let Some(installation) = &held.installation else { return false };
        match installation.state() {
            ConnectionStatus::PendingApproval => true,
            // Another credential is used in its place: once it works again, it comes first.
            ConnectionStatus::Suspended | ConnectionStatus::Revoked => {
                choice.source != Some(CredentialSource::AppInstallation)
            }
            _ => false,
        }
    }

    /// Looks at GitHub what became of the installation of an account; says whether it is another one now.
    pub(in crate::broker) async fn look_again(&self, account: &AccountId, held: &mut Held) -> bool {
        let status = held.installation.as_ref().map(|installation| installation.status);
        let looks = match status {
            Some(ConnectionStatus::Revoked) => &self.inner.looks_at_gone,
            _ => &self.inner.looks,
        };
        if !looks.may(account, self.now()) {
            return false;
        }
        let changed = match held.installation.as_ref().and_then(|installation| installation.id) {
            Some(id) => self.look_at_installation(id).await.map(drop),
            None => self.look_for_awaited(account).await,
        };
        match changed {
            Ok(()) => match self.store().installation(account).await {
                Ok(now) => {
                    let changed = now != held.installation;
                    if changed {
                        // What was refused to it before may be allowed now.
                        self.inner.tokens.forget_tokens(account);
                    }
                    held.installation = now;
                    changed
                }
                Err(error) => {
                    warn!(%account, %error, "the installation could not be read again");
                    false
                }
            },
            Err(error) => {
                debug!(%account, %error, "it could not be seen what became of the installation");
                false
            }
        }
    }

    /// Looks whether the installation that an account waits for is there.
    pub(in crate::broker) async fn look_for_approval(&self, account: &AccountId, held: &mut Held) {
        let status = held.installation.as_ref().map(|installation| installation.status);
        if status == Some(ConnectionStatus::PendingApproval) {
            self.look_again(account, held).await;
        }
    }

    /// An installation that GitHub has told of, and that no account has: it is bound if exactly one account waits for it.
    pub(in crate::broker) async fn installation_appeared(
        &self,
        id: InstallationId,
        requester_id: Option<i64>,
    ) -> Result<(), Error> {
        let found = match self.github().installation(id).await {
            Ok(found) => found,
            Err(error) if error.kind == Kind::NotFound => return Ok(()),
            Err(error) => return Err(refusal::cannot_ask(error)),
        };
        let login = &found.account.login;
        let mut waiting = match requester_id {
            Some(requester) => self.store().awaited_of(requester).await?,
            None => Vec::new(),
        };
        let expects = |awaited: &Awaited| match &awaited.expected_login {
            Some(expected) => expected.eq_ignore_ascii_case(login),
            None => true,
        };
        waiting.retain(expects);
        if waiting.is_empty() {
            waiting = self.store().awaited_on(login).await?;
        }
        match waiting.as_slice() {
            [awaited] => self.bind_awaited(&awaited.account, found).await,
            _ => {
                debug!(installation = %id, waiting = waiting.len(), "no one account waits for this installation");
                Ok(())
            }
        }
    }

    /// Asks whether the App is installed on the organization that an account waits for.
    async fn look_for_awaited(&self, account: &AccountId) -> Result<(), Error> {
        let Some(Awaited { expected_login: Some(login), .. }) =
            self.store().awaited(account).await?
        else {
            return Ok(());
        };
        match self.github().installation_on(&login).await {
            Ok(found) if found.account.login.eq_ignore_ascii_case(&login) => {
                self.bind_awaited(account, found).await
            }
            Ok(_) => Ok(()),
            Err(error) if error.kind == Kind::NotFound => Ok(()),
            Err(error) => Err(refusal::cannot_ask(error)),
        }
    }

    /// Binds an installation to the account that waits for it, if it still does.
    async fn bind_awaited(
        &self,
        account: &AccountId,
        found: github::Installation,
    ) -> Result<(), Error> {
        let installation = self.as_bound(account, found);
        if self.store().bind_awaited(&installation).await? {
            self.bound(&installation);
        }
        Ok(())
    }

    /// Binds an installation that is proven to be an account's.
    pub(super) async fn bind_found(
        &self,
        account: &AccountId,
        found: github::Installation,
    ) -> Result<(), Error> {
        let installation = self.as_bound(account, found);
        self.store().bind_installation(&installation).await?;
        self.bound(&installation);
        Ok(())
    }

    fn as_bound(&self, account: &AccountId, found: github::Installation) -> Installation {
        let status =
            if found.suspended { ConnectionStatus::Suspended } else { ConnectionStatus::Active };
        Installation {
            account: account.clone(),
            id: Some(found.id),
            github_account_id: Some(found.account.id),
            github_login: found.account.login,
            status,
            enabled: true,
            settings_url: found.html_url,
            registered_at: self.now(),
        }
    }

    fn bound(&self, installation: &Installation) {
        let Installation { account, id, github_login, .. } = installation;
        // What was learned before (a refusal, a token of an earlier installation) no longer holds.
        self.inner.tokens.forget_tokens(account);
        let installation = id.map(tracing::field::display);
        info!(%account, installation, github_login, "installation registered");
    }
}
