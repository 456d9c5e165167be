//! "Connect GitHub": a user authorizes the broker.

use tracing::info;
use uuid::Uuid;

use crate::{
    broker::{
        Broker, Call,
        error::{Error, Reason},
        refusal,
    },
    domain::{AttemptKind, ConnectionStatus, OAuthUser, SealedSecret, Token},
    github::{Code, Kind},
};

use super::{begin::unknown_state, installation::not_exchanged};

impl Broker {
    /// Finishes what [`Broker::begin_oauth`] began: stores the user's tokens, encrypted, in place of earlier ones.
    pub async fn complete_oauth(
        &self,
        call: &Call,
        state: &Token,
        code: &Token,
    ) -> Result<OAuthUser, Error> {
        let attempt = self.attempt_of(call, AttemptKind::OAuth, state).await?;
        let verifier = self.verifier(&attempt)?;
        // A code works once: whoever comes with the same state is too late.
        self.take_up(&attempt).await?;
        let tokens = self
            .github()
            .exchange_code(Code {
                code,
                verifier: verifier.as_ref(),
                redirect_uri: self.connecting().callback_url.as_ref(),
            })
            .await
            .map_err(not_exchanged)?;
        call.trail.note(|record| record.hashed_token = Some(tokens.access.hashed().into()));
        let account = call.account();
        let found = match self.github().user(&tokens.access).await {
            Ok(found) => found,
            Err(error) => {
                self.end_user_tokens(account, &tokens.access, tokens.refresh.as_ref()).await;
                return Err(match error.kind {
                    Kind::Suspended => refusal::user_suspended().caused_by(error),
                    Kind::Unauthorized | Kind::Forbidden | Kind::SsoRequired => Error::new(
                        Reason::CredentialRejected,
                        "GitHub does not accept the user's new authorization; let the user connect GitHub again",
                    )
                    .caused_by(error),
                    _ => refusal::cannot_ask(error),
                });
            }
        };
        let user = OAuthUser {
            account: account.clone(),
            login: found.login,
            user_id: found.id,
            scopes: tokens.scopes.clone(),
            expires_at: tokens.expires_at,
            refresh_expires_at: tokens.refresh_expires_at,
            fingerprint: tokens.access.fingerprint(),
            status: ConnectionStatus::Active,
            enabled: true,
            connected_at: self.now(),
        };
        let sealed = self.seal_user_tokens(account, &Uuid::now_v7().to_string(), &tokens)?;
        let before = self.store().oauth_user(account).await?;
        let connected = self.store().connect_oauth_user(&user, &sealed, &attempt.state_hash).await;
        if !matches!(connected, Ok(true)) {
            self.end_user_tokens(account, &tokens.access, tokens.refresh.as_ref()).await;
            // The account was disconnected meanwhile.
            return Err(connected.err().map_or_else(unknown_state, Error::from));
        }
        if let Some((before, sealed)) = before {
            self.end_stored_pair(&before, &sealed).await;
        }
        info!(%account, login = %user.login, fingerprint = %user.fingerprint, "a user has authorized the broker");
        Ok(user)
    }

    /// A user of GitHub has taken an authorization back: those that GitHub does not take any more are noted.
    pub(in crate::broker) async fn user_revoked(&self, user_id: i64) -> Result<(), Error> {
        let mut looked = Ok(());
        for (user, sealed) in self.store().oauth_users_of(user_id).await? {
            // One account that cannot be looked at now keeps no other one waiting.
            if let Err(error) = self.look_at_user(&user, sealed).await {
                looked = Err(error);
            }
        }
        looked
    }

    async fn look_at_user(&self, user: &OAuthUser, sealed: SealedSecret) -> Result<(), Error> {
        let account = &user.account;
        let held = self.open_oauth_token(user, sealed.clone())?;
        match self.github().user(&held.token).await {
            // The user has authorized the broker again meanwhile, or for this account only.
            Ok(_) => Ok(()),
            Err(error) if error.kind == Kind::Unauthorized => {
                info!(%account, login = %user.login, "the user has taken the authorization back");
                let revoked = ConnectionStatus::Revoked;
                self.store().set_oauth_user_status(account, &sealed, revoked).await?;
                Ok(())
            }
            Err(error) => Err(refusal::cannot_ask(error)),
        }
    }
}
