//! Registering an App installation.

use crate::{
    broker::{
        Broker, Call,
        credential::not_connected,
        error::{Error, Reason},
        refusal,
    },
    domain::{
        AccountId, AttemptKind, Awaited, ConnectionStatus, Installation, InstallationId, Token,
    },
    github::{self, AuthenticatedUser, Code, Kind},
    store::StoredAttempt,
};

use super::begin::no_oauth_client;

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
    /// What the browser was sent there with.
    pub state: Option<Token>,
    /// Proof of who installed it: an OAuth code.
    pub code: Option<Token>,
    /// Organization or user that the platform knows to be this customer's.
    pub expected_login: Option<String>,
}

impl Broker {
    /// Binds an installation to an account, once it is proven that it may be.
    pub async fn register_installation(
        &self,
        call: &Call,
        request: RegisterRequest,
    ) -> Result<Installation, Error> {
        let attempt = match &request.state {
            Some(state) => Some(self.attempt_of(call, AttemptKind::Installation, state).await?),
            None => None,
        };
        let done = match request.action {
            SetupAction::Requested => self.await_approval(call, &request, attempt.as_ref()).await,
            SetupAction::Installed(id) => self.register(call, id, &request, attempt.as_ref()).await,
        };
        if let (Err(error), Some(attempt)) = (&done, &attempt)
            && !error.reason.is_passing()
        {
            // What was refused once is not guessed at again with the same state.
            self.store().end_attempt(&attempt.state_hash).await?;
        }
        done
    }

    async fn register(
        &self,
        call: &Call,
        id: InstallationId,
        request: &RegisterRequest,
        attempt: Option<&StoredAttempt>,
    ) -> Result<Installation, Error> {
        call.trail.note(|record| record.installation_id = Some(id.0));
        let found = self.github().installation(id).await.map_err(|error| match error.kind {
            Kind::NotFound => refusal::gone().caused_by(error),
            Kind::Suspended => refusal::suspended().caused_by(error),
            _ => refusal::cannot_ask(error),
        })?;
        if found.suspended {
            return Err(refusal::suspended());
        }
        self.prove(call, &found, request, attempt).await?;
        if let Some(attempt) = attempt {
            self.use_up(attempt).await?;
        }
        self.bind_found(call.account(), found).await?;
        self.stored_installation(call.account()).await
    }

    /// Installation ids can be guessed, and the App's own key can read every one: that it exists proves nothing. All that
    /// is said of whose it is must hold, and something must be said; or the account had one there
    /// before, or its own user sees it.
    async fn prove(
        &self,
        call: &Call,
        found: &github::Installation,
        request: &RegisterRequest,
        attempt: Option<&StoredAttempt>,
    ) -> Result<(), Error> {
        let begun_for = attempt.and_then(|begun| begun.attempt.expected_login.as_deref());
        let mut proven = false;
        for login in [request.expected_login.as_deref(), begun_for].into_iter().flatten() {
            if !login.eq_ignore_ascii_case(&found.account.login) {
                return Err(not_owned());
            }
            proven = true;
        }
        if let Some(code) = &request.code {
            if !self.installer_sees(call, code, found).await? {
                return Err(not_owned());
            }
            proven = true;
        }
        if proven {
            return Ok(());
        }
        if self.had_one_there(call, found).await? || self.user_sees(call, found).await? {
            return Ok(());
        }
        Err(Error::new(
            Reason::InstallationNotProven,
            "nothing proves whose this installation is: let the App request user authorization during installation and send \
             the `code`; or let the user connect GitHub (BeginOAuth) first; or, if you know that this customer owns it, confirm that with its login in `expected_github_login`",
        ))
    }

    /// Whether the account's installation is, or was, on the same organization or user.
    async fn had_one_there(
        &self,
        call: &Call,
        found: &github::Installation,
    ) -> Result<bool, Error> {
        let before = self.store().installation(call.account()).await?;
        Ok(before.is_some_and(|before| before.github_account_id == Some(found.account.id)))
    }

    /// Whether the user who has authorized the broker for the account can see an installation.
    async fn user_sees(&self, call: &Call, found: &github::Installation) -> Result<bool, Error> {
        let Some((user, sealed)) = self.store().oauth_user(call.account()).await? else {
            return Ok(false);
        };
        let token = match self.oauth_token(user, sealed).await {
            Ok(token) => token,
            // It could not be renewed any more.
            Err(error) if error.reason == Reason::CredentialRejected => return Ok(false),
            Err(error) => return Err(error),
        };
        if self.usable(&token).is_err() {
            return Ok(false);
        }
        match self.is_theirs(&token.token, found).await {
            Ok(theirs) => Ok(theirs),
            Err(error) if error.kind == Kind::Unauthorized => {
                self.note_user_token(call.account(), &token, ConnectionStatus::Revoked).await;
                Ok(false)
            }
            Err(error) => Err(refusal::cannot_ask(error)),
        }
    }

    /// Whether the user of a token can see an installation, and may speak for it. Collaborators see it, too: of an
    /// organization that has to do, as GitHub tells an App no more; a user's own is that user's alone.
    async fn is_theirs(
        &self,
        user: &Token,
        found: &github::Installation,
    ) -> Result<bool, github::Error> {
        if !self.github().user_installations(user).await?.contains(&found.id) {
            return Ok(false);
        }
        if found.account.kind != "User" {
            return Ok(true);
        }
        Ok(self.github().user(user).await?.id == found.account.id)
    }

    /// Notes that an organization owner was asked, unless there is an installation already that was not uninstalled.
    async fn await_approval(
        &self,
        call: &Call,
        request: &RegisterRequest,
        attempt: Option<&StoredAttempt>,
    ) -> Result<Installation, Error> {
        let requester_id = match &request.code {
            Some(code) => Some(self.ask_user(call, code).await?.id),
            None => None,
        };
        if let Some(attempt) = attempt {
            self.use_up(attempt).await?;
        }
        let begun_for = attempt.and_then(|begun| begun.attempt.expected_login.clone());
        let awaited = Awaited {
            account: call.account().clone(),
            expected_login: request.expected_login.clone().or(begun_for),
            requester_id,
            since: self.now(),
        };
        self.store().await_installation(&awaited).await?;
        self.stored_installation(call.account()).await
    }

    /// The record as it is now: bound again, an installation keeps the date of the first time.
    async fn stored_installation(&self, account: &AccountId) -> Result<Installation, Error> {
        self.store().installation(account).await?.ok_or_else(not_connected)
    }

    /// Who came back from GitHub, by the code that came along.
    async fn ask_user(&self, call: &Call, code: &Token) -> Result<AuthenticatedUser, Error> {
        self.with_installer(call, code, async |token| self.github().user(token).await).await
    }

    /// Whether who came back from GitHub can see the installation.
    async fn installer_sees(
        &self,
        call: &Call,
        code: &Token,
        found: &github::Installation,
    ) -> Result<bool, Error> {
        let ask = async |token: &Token| self.is_theirs(token, found).await;
        self.with_installer(call, code, ask).await
    }

    /// Asks something as the user whom a code is of. The token for it is ended again: nobody needs it any more.
    async fn with_installer<T>(
        &self,
        call: &Call,
        code: &Token,
        ask: impl AsyncFnOnce(&Token) -> Result<T, github::Error>,
    ) -> Result<T, Error> {
        let code = Code { code, verifier: None, redirect_uri: None };
        let tokens = self.github().exchange_code(code).await.map_err(not_exchanged)?;
        call.trail.note(|record| record.hashed_token = Some(tokens.access.hashed().into()));
        let asked = ask(&tokens.access).await;
        self.end_user_tokens(call.account(), &tokens.access, tokens.refresh.as_ref()).await;
        asked.map_err(refusal::cannot_ask)
    }
}

/// Why a code gave no token.
pub(super) fn not_exchanged(error: github::Error) -> Error {
    match error.kind {
        Kind::AppNotConfigured => no_oauth_client().caused_by(error),
        Kind::Unauthorized => Error::invalid(
            "code",
            "is not accepted by GitHub: it works once and for 10 minutes; go to GitHub's page again",
        )
        .caused_by(error),
        _ => refusal::cannot_ask(error),
    }
}

fn not_owned() -> Error {
    Error::new(
        Reason::InstallationNotOwned,
        "this installation is not on the GitHub account that was expected, or the user cannot see it; \
         install the App from your own account's page",
    )
}
