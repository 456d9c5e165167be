//! Installation tokens: kept in memory, minted once for all who wait, renewed before anyone notices.
//!
//! * [`slot`]: what is kept for each key.
//! * [`cache`]: the map of them, and the warm path.
//! * [`mint`]: one mint in flight for each key, as a task of its own.
//! * [`sweep`]: renewal ahead of time, and forgetting.
//! * [`error`]: why there is no token.
//!
//! Nothing here is ever written to disk. Whoever asks has been authorized before: the cache decides nothing.

mod cache;
mod error;
mod mint;
mod slot;
mod sweep;

pub use cache::{TokenCache, Vended};
pub use error::MintError;
pub use slot::{CachedToken, Key};
pub use sweep::keep_fresh;
