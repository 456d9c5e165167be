//! The tokens of users who have authorized the broker: sealed, opened, and ended at GitHub.

use serde::{Deserialize, Serialize};
use tracing::warn;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::{
    Broker,
    credential::{UserToken, UserTokenKind},
    error::Error,
};
use crate::{
    crypto::Place,
    domain::{AccountId, ConnectionStatus, OAuthUser, SealedSecret, Token},
    github::UserTokens,
    store::{USER_TOKENS_COLUMN, USER_TOKENS_TABLE},
};

/// So long before its end a token is renewed: what refuses the renewal can be mended meanwhile.
pub(super) const AHEAD: time::Duration = time::Duration::minutes(15);

/// A pair as it is sealed.
#[derive(Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
pub(super) struct Pair {
    pub access: String,
    pub refresh: Option<String>,
}

fn place<'a>(account: &'a AccountId, row_id: &'a str, row_version: i64) -> Place<'a> {
    Place { table: USER_TOKENS_TABLE, column: USER_TOKENS_COLUMN, account, row_id, row_version }
}

impl Broker {
    /// A user's tokens, sealed for a row.
    pub(super) fn seal_user_tokens(
        &self,
        account: &AccountId,
        row_id: &str,
        tokens: &UserTokens,
    ) -> Result<SealedSecret, Error> {
        self.seal_pair(account, row_id, 1, tokens).map(|(_, sealed)| sealed)
    }

    pub(super) fn seal_pair(
        &self,
        account: &AccountId,
        row_id: &str,
        row_version: i64,
        tokens: &UserTokens,
    ) -> Result<(Pair, SealedSecret), Error> {
        let pair = Pair {
            access: tokens.access.expose().to_owned(),
            refresh: tokens.refresh.as_ref().map(|token| token.expose().to_owned()),
        };
        let plain = Zeroizing::new(serde_json::to_vec(&pair).map_err(Error::internal)?);
        let place = place(account, row_id, row_version);
        let sealed = self.inner.parts.keys.seal(&place, &plain).map_err(Error::internal)?;
        Ok((pair, sealed))
    }

    pub(super) fn open_pair(
        &self,
        account: &AccountId,
        sealed: &SealedSecret,
    ) -> Result<Pair, Error> {
        let place = place(account, &sealed.row_id, sealed.row_version);
        let plain = self.inner.parts.keys.open(&place, sealed).map_err(Error::internal)?;
        // serde's own words could repeat a part of it.
        serde_json::from_slice(&plain)
            .map_err(|_| Error::internal("a sealed pair of tokens does not read"))
    }

    /// The token of a user as it is stored, whatever its state.
    pub(super) fn open_oauth_token(
        &self,
        user: &OAuthUser,
        sealed: SealedSecret,
    ) -> Result<UserToken, Error> {
        let pair = self.open_pair(&user.account, &sealed)?;
        Ok(user_token(user, &pair, sealed, self.now()))
    }

    /// Ends at GitHub a stored pair that is not needed any more. What cannot be ended ends by itself.
    pub(super) async fn end_stored_pair(&self, user: &OAuthUser, sealed: &SealedSecret) -> bool {
        match self.open_pair(&user.account, sealed) {
            Ok(pair) => {
                let access = Token::new(pair.access.clone());
                let refresh = pair.refresh.clone().map(Token::new);
                self.end_user_tokens(&user.account, &access, refresh.as_ref()).await
            }
            Err(error) => {
                warn!(account = %user.account, %error, "the user's tokens cannot be read, nor ended at GitHub");
                false
            }
        }
    }

    /// Ends a user's tokens at GitHub; says whether it did.
    pub(super) async fn end_user_tokens(
        &self,
        account: &AccountId,
        access: &Token,
        refresh: Option<&Token>,
    ) -> bool {
        let ended = self.github().delete_user_token(access).await;
        // Whether the first ends it too, GitHub does not say.
        let refreshed = match refresh {
            Some(refresh) => self.github().revoke_credentials(&[refresh]).await,
            None => Ok(()),
        };
        for error in [&ended, &refreshed].into_iter().filter_map(|ended| ended.as_ref().err()) {
            warn!(%account, %error, "a user's token could not be ended at GitHub; it ends by itself");
        }
        ended.is_ok()
    }
}

/// What a call works with.
pub(super) fn user_token(
    user: &OAuthUser,
    pair: &Pair,
    sealed: SealedSecret,
    now: time::OffsetDateTime,
) -> UserToken {
    UserToken {
        token: Token::new(pair.access.clone()),
        kind: UserTokenKind::OAuth,
        scopes: user.scopes.clone(),
        // What is not renewed by then could not be.
        expires_at: user.expires_at.map(|end| if now < end - AHEAD { end - AHEAD } else { end }),
        fingerprint: user.fingerprint.clone(),
        status: match user.expires_at {
            // What could not be renewed in time.
            Some(end) if end <= now && user.state(now) == ConnectionStatus::Active => {
                ConnectionStatus::Expired
            }
            _ => user.state(now),
        },
        sealed,
    }
}
