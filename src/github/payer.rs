//! Whose quota a request is counted in, and whose share of the broker's own limits it takes.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
};

use aws_lc_rs::digest::{SHA256, digest};
use time::OffsetDateTime;

use super::call::{Call, Credential};
use crate::domain::{InstallationId, Token};

/// Who pays for a request. GitHub counts each of them apart.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) enum Payer {
    /// The App, by its JWT.
    App,
    /// An installation, by any of its tokens.
    Installation(InstallationId),
    /// A token of a user, by its SHA-256.
    Token(TokenHash),
    /// The App's OAuth client.
    Client,
    /// Nobody: GitHub counts by address.
    Nobody,
}

/// SHA-256 of a token: the token itself is kept nowhere for this.
pub(super) type TokenHash = [u8; 32];

/// Who a request is for.
#[derive(Clone, Debug)]
pub(super) struct For {
    /// Whose quota it is counted in.
    pub(super) payer: Payer,
    /// Whose share it takes of places, of the budget for mints and of patience: the payer, but for what the App does for
    /// an installation.
    pub(super) tenant: Payer,
}

/// Tokens that are remembered at most: 20 MB. One that was forgotten counts as a payer of its own.
const MAX_TOKENS: usize = 1 << 18;

/// Which installation a token is of: nothing in a token says so.
#[derive(Default)]
pub(super) struct Tokens {
    // A std mutex: held for a few instructions, never across an await.
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    installations: HashMap<TokenHash, InstallationId>,
    /// In the order of the mints, which is that of the ends: all live for an hour.
    ends: VecDeque<(OffsetDateTime, TokenHash)>,
}

impl Tokens {
    /// Remembers a token that was minted just now, until its end; both times are by GitHub's clock.
    pub(super) fn learn(
        &self,
        token: &Token,
        id: InstallationId,
        ends_at: OffsetDateTime,
        now: OffsetDateTime,
    ) {
        let hash = hash(token);
        let mut known = self.lock();
        while known.ends.front().is_some_and(|(end, _)| *end <= now)
            || known.ends.len() >= MAX_TOKENS
        {
            if let Some((_, ended)) = known.ends.pop_front() {
                known.installations.remove(&ended);
            }
        }
        known.installations.insert(hash, id);
        known.ends.push_back((ends_at, hash));
    }

    /// Forgets a token that was ended.
    pub(super) fn forget(&self, token: &Token) {
        self.lock().installations.remove(&hash(token));
    }

    /// Who a call with this credential is for.
    pub(super) fn of(&self, call: &Call, credential: &Credential<'_>) -> For {
        let payer = match credential {
            Credential::App(_) => Payer::App,
            Credential::Basic(_) => Payer::Client,
            Credential::Nothing => Payer::Nobody,
            Credential::Bearer(token) | Credential::Git { token, .. } => self.payer(token),
        };
        let tenant = call.of_installation.map_or_else(|| payer.clone(), Payer::Installation);
        For { payer, tenant }
    }

    fn payer(&self, token: &Token) -> Payer {
        let hash = hash(token);
        let installation = self.lock().installations.get(&hash).copied();
        installation.map_or(Payer::Token(hash), Payer::Installation)
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        // A panic between the two collections would only leave a token that is forgotten late.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn hash(token: &Token) -> TokenHash {
    // SHA-256 always has this length.
    digest(&SHA256, token.expose().as_bytes()).as_ref().try_into().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use time::{Duration, macros::datetime};

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-20 12:00 UTC);

    fn token(text: &str) -> Token {
        Token::new(text.to_owned())
    }

    #[test]
    fn a_token_is_its_installations_until_it_ends_or_is_revoked() {
        let tokens = Tokens::default();
        let hour = Duration::hours(1);
        for (name, id) in [("a", 1), ("b", 1), ("c", 2)] {
            tokens.learn(&token(name), InstallationId(id), NOW + hour, NOW);
        }
        let one = Payer::Installation(InstallationId(1));
        assert_eq!((tokens.payer(&token("a")), tokens.payer(&token("b"))), (one.clone(), one));
        tokens.forget(&token("a"));
        assert_eq!(tokens.payer(&token("a")), Payer::Token(hash(&token("a"))));
        // The next mint after their end lets go of them.
        tokens.learn(&token("d"), InstallationId(3), NOW + hour * 2, NOW + hour);
        assert_eq!(tokens.lock().installations.len(), 1);
        assert_eq!(tokens.lock().ends.len(), 1);
    }

    #[test]
    fn so_many_tokens_are_remembered() {
        let tokens = Tokens::default();
        for number in 0..=MAX_TOKENS {
            let token = token(&number.to_string());
            tokens.learn(&token, InstallationId(1), NOW + Duration::hours(1), NOW);
        }
        assert_eq!(tokens.lock().installations.len(), MAX_TOKENS);
        assert_eq!(tokens.payer(&token("0")), Payer::Token(hash(&token("0"))));
        assert_eq!(tokens.payer(&token("1")), Payer::Installation(InstallationId(1)));
    }

    #[test]
    fn what_the_app_does_for_an_installation_is_paid_by_the_app() {
        let tokens = Tokens::default();
        let call = Call::get("", "https://api.github.com/x".parse().unwrap());
        let jwt = token("jwt");
        let made =
            tokens.of(&call.clone().of_installation(InstallationId(1)), &Credential::App(&jwt));
        assert_eq!(made.payer, Payer::App);
        assert_eq!(made.tenant, Payer::Installation(InstallationId(1)));
        let made = tokens.of(&call, &Credential::App(&jwt));
        assert_eq!((made.payer, made.tenant), (Payer::App, Payer::App));
    }
}
