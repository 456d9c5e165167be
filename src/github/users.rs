//! Who a token belongs to.

use serde::Deserialize;
use time::OffsetDateTime;

use super::{GitHub, call::Call, error::Result, headers};
use crate::domain::Token;

/// The user that a token acts for, and what the answer's headers tell about the token.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AuthenticatedUser {
    /// User id.
    pub id: i64,
    /// Login.
    pub login: String,
    /// Scopes of a classic token; none for other kinds.
    pub scopes: Option<Vec<String>>,
    /// The token's end, if it has one, by GitHub's clock.
    pub token_expires_at: Option<OffsetDateTime>,
}

#[derive(Deserialize)]
struct UserJson {
    id: i64,
    login: String,
}

impl GitHub {
    /// The user behind a personal access token or OAuth token. `Unauthorized`: GitHub does not take it.
    pub async fn user(&self, token: &Token) -> Result<AuthenticatedUser> {
        let answer = self.send(&Call::get("/user", self.route(["user"])), Some(token)).await?;
        let UserJson { id, login } = answer.read()?;
        Ok(AuthenticatedUser {
            id,
            login,
            scopes: headers::scopes(&answer.headers),
            token_expires_at: headers::token_expires_at(&answer.headers),
        })
    }
}
