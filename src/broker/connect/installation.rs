//! Registering an App installation.

use tracing::info;

use crate::{
    broker::{
        Broker, Call,
        credential::not_connected,
        error::{Error, Reason},
        refusal,
    },
    domain::{AccountId, ConnectionStatus, Installation, InstallationId, Token},
    github::Kind,
};

/// Why GitHub sent the browser back from the install page.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SetupAction {
    /// There is an installation, new or changed.
    Installed(InstallationId),
    /// An organization owner was asked for one.
    Requested,
}

/// The redirect from GitHub's install page.
#[derive(Clone, Debug)]
pub struct RegisterRequest {
    /// What happened on the page.
    pub action: SetupAction,
    /// Proof of who installed it: an OAuth code.
    pub code: Option<Token>,
    /// Organization or user that the account says is its own.
    pub expected_login: Option<String>,
}

impl Broker {
    /// Binds an installation to an account, once it is proven that it may be.
    pub async fn register_installation(
        &self,
        call: &Call,
        request: RegisterRequest,
    ) -> Result<Installation, Error> {
        let account = call.account();
        let SetupAction::Installed(id) = request.action else {
            return self.await_approval(account).await;
        };
        call.trail.note(|record| record.installation_id = Some(id.0));
        let found = self.github().installation(id).await.map_err(|error| match error.kind {
            Kind::NotFound => refusal::gone().caused_by(error),
            Kind::Suspended => refusal::suspended().caused_by(error),
            _ => refusal::cannot_ask(error),
        })?;
        if found.suspended {
            return Err(refusal::suspended());
        }
        if request
            .expected_login
            .as_ref()
            .is_some_and(|login| !login.eq_ignore_ascii_case(&found.account.login))
        {
            return Err(not_owned());
        }
        if let Some(code) = &request.code {
            self.prove_owner(call, code, id).await?;
        }
        let installation = Installation {
            account: account.clone(),
            id: Some(id),
            github_account_id: Some(found.account.id),
            github_login: found.account.login,
            status: ConnectionStatus::Active,
            registered_at: self.now(),
        };
        self.store().bind_installation(&installation).await?;
        // What was learned before (a refusal, a token of an earlier installation) no longer holds.
        self.inner.tokens.purge(account);
        info!(%account, installation = %id, github_login = %installation.github_login, "installation registered");
        self.stored_installation(account).await
    }

    /// Notes that an organization owner was asked, unless there is an installation already that was not uninstalled.
    async fn await_approval(&self, account: &AccountId) -> Result<Installation, Error> {
        let pending = Installation {
            account: account.clone(),
            id: None,
            github_account_id: None,
            github_login: String::new(),
            status: ConnectionStatus::PendingApproval,
            registered_at: self.now(),
        };
        self.store().await_installation(&pending).await?;
        self.stored_installation(account).await
    }

    /// The record as it is now: bound again, an installation keeps the date of the first time.
    async fn stored_installation(&self, account: &AccountId) -> Result<Installation, Error> {
        self.store().installation(account).await?.ok_or_else(not_connected)
    }

    /// Installation ids can be guessed, and the App's own key can read every one: only the user who came back from
    /// GitHub can show that this one is theirs.
    async fn prove_owner(
        &self,
        call: &Call,
        code: &Token,
        id: InstallationId,
    ) -> Result<(), Error> {
        let github = self.github();
        let seen = match github.exchange_code(code.expose()).await {
            Ok(user) => {
                call.trail.note(|record| record.hashed_token = Some(user.hashed()));
                github.user_installations(&user).await
            }
            Err(error) => Err(error),
        };
        match seen {
            Ok(seen) if seen.contains(&id) => Ok(()),
            Ok(_) => Err(not_owned()),
            Err(error) if error.kind == Kind::AppNotConfigured => Err(Error::invalid(
                "code",
                "cannot be checked: this broker has no [github.oauth] configured",
            )),
            Err(error) if error.kind == Kind::Unauthorized => Err(Error::invalid(
                "code",
                "is not accepted by GitHub: it works once and for 10 minutes; go through the install page again",
            )
            .caused_by(error)),
            Err(error) => Err(refusal::cannot_ask(error)),
        }
    }
}

fn not_owned() -> Error {
    Error::new(
        Reason::InstallationNotOwned,
        "this installation is not on the GitHub account that was expected, or the user cannot see it; \
         install the App from your own account's page",
    )
}
