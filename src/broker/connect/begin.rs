//! Sending a browser to GitHub.

use aws_lc_rs::{digest, rand};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use time::OffsetDateTime;
use tracing::info;
use url::Url;
use uuid::Uuid;

use crate::{
    broker::{
        Broker, Call,
        error::{Error, Reason},
        refusal,
    },
    crypto::Place,
    domain::{AccountId, Attempt, AttemptKind, Invalid, Token},
    github::{Authorize, Kind},
    store::{StoredAttempt, VERIFIER_COLUMN, VERIFIER_TABLE},
};

/// What a connection is begun with.
#[derive(Clone, Debug)]
pub struct BeginRequest {
    /// Where the browser goes at the end, as the caller wrote it; empty for the first page that is registered.
    pub return_url: String,
    /// Login of the organization or user that the platform knows to be this customer's.
    pub expected_login: Option<String>,
    /// Whom GitHub suggests to sign in as.
    pub login_hint: Option<String>,
}

/// A connection that was begun.
#[derive(Clone, Debug)]
pub struct Begun {
    /// GitHub's page for the browser.
    pub url: Url,
    /// What GitHub's redirect brings back.
    pub state: Token,
    /// Until when.
    pub expires_at: OffsetDateTime,
}

/// Long enough to sign in at GitHub and to find the right organization, and as long as GitHub's own codes live.
const ATTEMPT_LIFE: time::Duration = time::Duration::minutes(10);
/// Random bytes of a `state`: 128 bits cannot be guessed.
const STATE_BYTES: usize = 16;
/// Random bytes of a PKCE verifier, as RFC 7636 recommends.
const VERIFIER_BYTES: usize = 32;

impl Broker {
    /// Begins the installation of the App.
    pub async fn begin_installation(
        &self,
        call: &Call,
        request: BeginRequest,
    ) -> Result<Begun, Error> {
        let return_url = self.return_url(&request)?;
        let mut url = self.github().install_page().await.map_err(refusal::cannot_ask)?;
        let state = random_hex::<STATE_BYTES>()?;
        url.query_pairs_mut().append_pair("state", state.expose());
        let attempt =
            self.attempt(call, AttemptKind::Installation, return_url, request.expected_login);
        self.begin(call, attempt, state, None, url).await
    }

    /// Begins "Connect GitHub".
    pub async fn begin_oauth(&self, call: &Call, request: BeginRequest) -> Result<Begun, Error> {
        let return_url = self.return_url(&request)?;
        let Some(callback_url) = &self.connecting().callback_url else {
            return Err(Error::new(
                Reason::AppNotConfigured,
                "this broker has no connect.callback_url configured for GitHub to send browsers back to; ask its operator",
            ));
        };
        let state = random_hex::<STATE_BYTES>()?;
        let verifier = random_base64::<VERIFIER_BYTES>()?;
        let challenge = digest::digest(&digest::SHA256, verifier.expose().as_bytes());
        let url = self.github().authorize_url(Authorize {
            state: &state,
            challenge: &BASE64_URL_SAFE_NO_PAD.encode(challenge),
            redirect_uri: callback_url,
            login: request.login_hint.as_deref(),
        });
        let url = url.map_err(|error| match error.kind {
            Kind::AppNotConfigured => no_oauth_client(),
            _ => refusal::cannot_ask(error),
        })?;
        let attempt = self.attempt(call, AttemptKind::OAuth, return_url, None);
        self.begin(call, attempt, state, Some(verifier), url).await
    }

    fn attempt(
        &self,
        call: &Call,
        kind: AttemptKind,
        return_url: Option<Url>,
        expected_login: Option<String>,
    ) -> Attempt {
        Attempt {
            account: call.account().clone(),
            caller: call.caller().clone(),
            kind,
            return_url: return_url.map(String::from).unwrap_or_default(),
            expected_login,
            expires_at: self.now() + ATTEMPT_LIFE,
        }
    }

    async fn begin(
        &self,
        call: &Call,
        attempt: Attempt,
        state: Token,
        verifier: Option<Token>,
        url: Url,
    ) -> Result<Begun, Error> {
        let (account, expires_at) = (call.account(), attempt.expires_at);
        let row_id = Uuid::now_v7().to_string();
        let place = verifier_place(account, &row_id, 1);
        let seal =
            |verifier: Token| self.inner.parts.keys.seal(&place, verifier.expose().as_bytes());
        let verifier = verifier.map(seal).transpose().map_err(Error::internal)?;
        info!(%account, kind = attempt.kind.as_str(), "a browser is sent to GitHub");
        let begun = StoredAttempt { attempt, state_hash: state.hashed(), verifier };
        self.store().begin_attempt(&begun).await?;
        Ok(Begun { url, state, expires_at })
    }

    fn return_url(&self, request: &BeginRequest) -> Result<Option<Url>, Error> {
        let checked = self.connecting().return_url(&request.return_url);
        checked.map_err(|Invalid(why)| Error::invalid("return_url", why))
    }

    /// What a caller of RPCs has begun. It stays, so that what fails for a passing reason can be tried again.
    pub(super) async fn attempt_of(
        &self,
        call: &Call,
        kind: AttemptKind,
        state: &Token,
    ) -> Result<StoredAttempt, Error> {
        let found = self.store().attempt(&state.hashed(), self.now()).await?;
        let is_its = |found: &StoredAttempt| {
            let attempt = &found.attempt;
            attempt.kind == kind
                && attempt.account == *call.account()
                && attempt.caller == *call.caller()
        };
        found.filter(is_its).ok_or_else(unknown_state)
    }

    /// Uses an attempt up: from here on nobody else finishes it.
    pub(super) async fn use_up(&self, attempt: &StoredAttempt) -> Result<(), Error> {
        let used = self.store().end_attempt(&attempt.state_hash).await?;
        used.then_some(()).ok_or_else(unknown_state)
    }

    /// The same for one that takes a while to finish: disconnecting the account meanwhile still stops it.
    pub(super) async fn take_up(&self, attempt: &StoredAttempt) -> Result<(), Error> {
        let taken = self.store().take_attempt(&attempt.state_hash).await?;
        taken.then_some(()).ok_or_else(unknown_state)
    }

    /// The PKCE verifier of an attempt.
    pub(super) fn verifier(&self, attempt: &StoredAttempt) -> Result<Option<Token>, Error> {
        let Some(sealed) = &attempt.verifier else { return Ok(None) };
        let place = verifier_place(&attempt.attempt.account, &sealed.row_id, sealed.row_version);
        let plain = self.inner.parts.keys.open(&place, sealed).map_err(Error::internal)?;
        let text = std::str::from_utf8(&plain).map_err(Error::internal)?;
        Ok(Some(Token::new(text.to_owned())))
    }
}

fn verifier_place<'a>(account: &'a AccountId, row_id: &'a str, row_version: i64) -> Place<'a> {
    Place { table: VERIFIER_TABLE, column: VERIFIER_COLUMN, account, row_id, row_version }
}

fn random<const N: usize>() -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    rand::fill(&mut bytes).map_err(|_| Error::internal("no random bytes"))?;
    Ok(bytes)
}

fn random_hex<const N: usize>() -> Result<Token, Error> {
    Ok(Token::new(random::<N>()?.iter().map(|byte| format!("{byte:02x}")).collect()))
}

fn random_base64<const N: usize>() -> Result<Token, Error> {
    Ok(Token::new(BASE64_URL_SAFE_NO_PAD.encode(random::<N>()?)))
}

pub(super) fn no_oauth_client() -> Error {
    Error::new(
        Reason::AppNotConfigured,
        "this broker has no OAuth client configured for the App of this site ([github.oauth]), so that nobody can authorize it; ask its operator",
    )
}

pub(super) fn unknown_state() -> Error {
    Error::new(
        Reason::StateUnknown,
        "this `state` is not known: it works once and for 10 minutes, for the account and the caller that it was begun by; \
         begin again",
    )
}
