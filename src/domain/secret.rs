//! Secrets in memory.

use std::{fmt, sync::Arc};

use aws_lc_rs::digest;
use base64::{Engine, prelude::BASE64_STANDARD};
use secrecy::{ExposeSecret, SecretString};

/// A GitHub token of any kind and length. A clone is the same text, which is wiped from memory with the last of them; `Debug`
/// shows nothing of it, and there is no `Display`.
#[derive(Clone)]
pub struct Token(Arc<SecretString>);

/// How much of a token is shown to tell it from another: too little to help in guessing it.
const FINGERPRINT_LENGTH: usize = 4;

impl Token {
    /// Takes over a token's text.
    pub fn new(text: String) -> Self {
        Self(Arc::new(text.into()))
    }

    /// The token itself. Whoever calls this is responsible for where it goes.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// Standard base64 of the SHA-256 of the token: `hashed_token` in GitHub's audit log.
    pub fn hashed(&self) -> String {
        BASE64_STANDARD.encode(digest::digest(&digest::SHA256, self.expose().as_bytes()))
    }

    /// The last 4 characters.
    pub fn fingerprint(&self) -> String {
        let skipped = self.expose().chars().count().saturating_sub(FINGERPRINT_LENGTH);
        self.expose().chars().skip(skipped).collect()
    }
}

impl From<String> for Token {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_only_hash_and_fingerprint() {
        let token = Token::new("ghp_abcdefghijklmnop1234".to_owned());
        assert_eq!(format!("{token:?}"), "Token(..)");
        assert_eq!(token.fingerprint(), "1234");
        // printf ghp_abcdefghijklmnop1234 | openssl dgst -sha256 -binary | base64
        assert_eq!(token.hashed(), HASHED);
    }

    const HASHED: &str = "2vhvcJ2Sx6LVt9ZjoWIdNMpb1n3Se3t3QCUcQc/v/7M=";
}
