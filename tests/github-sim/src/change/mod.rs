//! What happens on GitHub, from whichever side it comes, with the webhooks that tell of it.
//!
//! ```text
//! installations.rs   installed, uninstalled, suspended, other repositories or permissions, asked for
//! repositories.rs    made, renamed, transferred, archived, deleted
//! accounts.rs        an account renamed, an authorization taken back
//! payload.rs         how things look in webhooks
//! ```

mod accounts;
mod installations;
mod payload;
mod repositories;

pub(crate) use installations::NewInstallation;
