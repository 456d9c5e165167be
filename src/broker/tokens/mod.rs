//! Installation tokens: kept in memory, minted once for all who wait, renewed before anyone notices.
//!
//! ```text
//!   get ----> cache ---------------> entry              one key: its token, its flight, its failure
//!               |   account -> scope   ^
//!   sweep ------+                      | land, swap
//!   (renewal)   +--------> flight -----+                a task of its own: mint, prove, swap
//!                            |
//!                          source ----> github          the only way to GitHub
//! ```
//!
//! * [`key`]: what a token is for, and the token.
//! * [`cache`]: all keys of one App on one host, by account. The warm path.
//! * [`entry`]: what is kept for one key, and every change of it.
//! * [`flight`]: minting, as a task of its own; renewing, while the old token serves.
//! * [`sweep`]: what is due. [`follow`]: what is told of accounts, and what their tokens do then.
//! * [`source`], [`github`]: where tokens come from.
//! * [`error`]: why there is no token. [`clock`]: the time, which does not go back.
//! * [`sync`]: what schedules: tokio, and in tests one that tries out every order (`model`). `simulation`: days of failures, by a seed.
//!
//! Nothing here is ever written to disk. Whoever asks has been authorized before: the cache decides nothing.

mod cache;
mod clock;
mod entry;
mod error;
mod flight;
mod follow;
mod github;
mod key;
#[cfg(test)]
mod model;
#[cfg(test)]
mod simulation;
mod source;
mod sweep;
mod sync;
#[cfg(test)]
mod tests;

pub use cache::{TokenCache, Vended};
pub use error::MintError;
pub(super) use github::mint;
pub(super) use key::LIFE;
pub use key::{CachedToken, Key};
pub use source::{Proof, Source};
pub use sweep::keep_fresh;
