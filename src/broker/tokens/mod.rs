//! Installation tokens: kept in memory, minted once for all who wait, renewed before anyone notices.
//!
//! * [`cache`]: what is kept for each key, and the warm path.
//! * [`mint`]: one mint in flight for each key, as a task of its own.
//! * [`sweep`]: renewal ahead of time, and forgetting.
//!
//! Nothing here is ever written to disk. Whoever asks has been authorized before: the cache decides nothing.

mod cache;
mod mint;
mod sweep;

pub use cache::{Key, TokenCache, Vended};
pub use mint::MintError;
pub use sweep::keep_fresh;
