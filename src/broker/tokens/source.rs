//! Where tokens come from.

use std::future::Future;

use super::{CachedToken, Key, MintError};
use crate::{domain::Token, github};

/// What the engine needs of GitHub.
pub trait Source: Clone + Send + Sync + 'static {
    /// A new token for exactly `key`. `ahead`: nobody waits for it.
    fn mint(
        &self,
        key: &Key,
        ahead: bool,
    ) -> impl Future<Output = Result<github::MintedToken, MintError>> + Send;

    /// Whether a new token works already: a cheap read of what it is for.
    fn prove(&self, key: &Key, token: &CachedToken) -> impl Future<Output = Proof> + Send;

    /// Ends a token before its time.
    fn end(&self, token: &Token) -> impl Future<Output = Result<(), github::Error>> + Send;

    /// How far the source's clock is ahead of the machine's.
    fn clock_offset(&self) -> time::Duration;

    /// A number in 0..1, by which renewals are spread.
    fn random(&self) -> f64 {
        rand::random()
    }
}

/// What trying out a new token has shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Proof {
    /// It reads what it is for.
    Works,
    /// It is refused: not every machine of GitHub may know it yet.
    Refused,
    /// It could not be tried out.
    Unknown,
}
