//! What each event does.

use tracing::info;

use crate::{
    broker::{
        Broker,
        error::{Error, Reason},
        refusal,
    },
    domain::{
        AccountId, ConnectionStatus, Installation, InstallationId, WebhookChange, WebhookEvent,
        WebhookEventName,
    },
    github::{self, Kind},
    store::SeenRepository,
};

/// An installation changes so rarely that it is another one at each of so many looks only if something is wrong.
const LOOKS: usize = 3;
/// The action by which GitHub says that an installation reaches less than before.
const REPOSITORIES_TAKEN: &str = "removed";
/// Actions after which a repository is not where the account's installation reaches it.
const LOST: [&str; 2] = ["transferred", "deleted"];

impl Broker {
    /// Makes what is stored follow an event. Returns the accounts that it was about. May be done any number of times.
    pub(super) async fn apply(&self, event: &WebhookEvent) -> Result<Vec<AccountId>, Error> {
        let tokens = &self.inner.tokens;
        let accounts = match &event.change {
            WebhookChange::Uninstalled { installation } => {
                let account = self.uninstalled(*installation).await?;
                account.iter().for_each(|account| drop(tokens.purge(account)));
                account.into_iter().collect()
            }
            WebhookChange::Installation { installation, requester } => {
                match self.look_at_installation(*installation).await? {
                    Some(now) => {
                        self.installation_changed(&now, event).await?;
                        vec![now.account]
                    }
                    None => {
                        self.installation_appeared(*installation, *requester).await?;
                        Vec::new()
                    }
                }
            }
            WebhookChange::Repository { repository, name, state, at } => {
                let seen = SeenRepository { id: *repository, name, state: *state, at: *at };
                let accounts = self.store().follow_repository(seen).await?;
                for account in &accounts {
                    if LOST.contains(&event.action.as_str()) {
                        tokens.forget_repository(account, *repository);
                    }
                    self.take_over_names(account).await?;
                    info!(%account, repository = %name, state = state.as_str(), "repository followed");
                }
                accounts
            }
            WebhookChange::UserRevoked { user } => {
                self.user_revoked(*user).await?;
                Vec::new()
            }
        };
        Ok(accounts)
    }

    /// Tokens that are good for less than before go at once. Others are as good as they were, and what was refused may be
    /// granted now.
    async fn installation_changed(
        &self,
        now: &Installation,
        event: &WebhookEvent,
    ) -> Result<(), Error> {
        let taken = event.name == WebhookEventName::InstallationRepositories
            && event.action == REPOSITORIES_TAKEN;
        if now.status != ConnectionStatus::Active || taken {
            self.inner.tokens.forget_tokens(&now.account);
            return Ok(());
        }
        self.inner.tokens.forgive_account(&now.account);
        self.take_over_names(&now.account).await
    }

    /// Tokens live through a new name of their repository: what is stored has it by now.
    pub(in crate::broker) async fn take_over_names(
        &self,
        account: &AccountId,
    ) -> Result<(), Error> {
        for binding in self.store().bindings(account).await? {
            self.inner.tokens.rename(account, binding.repository_id, &binding.repository);
        }
        Ok(())
    }

    /// Final by itself: installed again, it has another id. So GitHub is not asked, and need not be there.
    async fn uninstalled(&self, id: InstallationId) -> Result<Option<AccountId>, Error> {
        let Some(Installation { account, .. }) = self.store().installation_by_id(id).await? else {
            return Ok(None);
        };
        let revoked = ConnectionStatus::Revoked;
        self.store().set_installation_status(&account, id, revoked, self.now()).await?;
        info!(%account, installation = %id, "installation followed: uninstalled");
        Ok(Some(account))
    }

    /// Looks at GitHub how a bound installation is now. None if no account has it.
    pub(in crate::broker) async fn look_at_installation(
        &self,
        id: InstallationId,
    ) -> Result<Option<Installation>, Error> {
        for _ in 0..LOOKS {
            // Before GitHub is asked: what somebody else learns in between is newer than the answer.
            let Some(before) = self.store().installation_by_id(id).await? else { return Ok(None) };
            let after = match self.github().installation(id).await {
                Ok(found) => seen(&before, found),
                Err(error) if error.kind == Kind::NotFound => {
                    Installation { status: ConnectionStatus::Revoked, ..before.clone() }
                }
                Err(error) => return Err(refusal::cannot_ask(error)),
            };
            if self.store().follow_installation(&before, &after, self.now()).await? {
                info!(
                    account = %before.account, installation = %id, github_login = after.github_login,
                    before = before.status.as_str(), status = after.status.as_str(), "installation followed"
                );
                return Ok(Some(after));
            }
        }
        let message = "the installation is changing; it is looked at again later";
        Err(Error::new(Reason::Internal, message))
    }
}

/// An installation as GitHub shows it now. Its account and its page are not always said, and change together.
fn seen(before: &Installation, found: github::Installation) -> Installation {
    let or = |said: String, known: &String| if said.is_empty() { known.clone() } else { said };
    Installation {
        status: if found.suspended {
            ConnectionStatus::Suspended
        } else {
            ConnectionStatus::Active
        },
        github_login: or(found.account.login, &before.github_login),
        settings_url: or(found.html_url, &before.settings_url),
        ..before.clone()
    }
}
