//! Connecting an account, showing what it is connected with, and undoing it.
//!
//! ```text
//!  begin -> a browser at GitHub -> callback (or the portal, by RPC) -> installation | oauth
//! ```
//!
//! * [`begin`]: sending a browser to GitHub. [`callback`]: its way back, and [`landing`]: where it ends.
//! * [`installation`]: registering an App installation. [`awaited`]: one that an organization owner has to approve.
//! * [`oauth`]: "Connect GitHub". [`pat`]: storing a personal access token.
//! * [`repository`]: binding a repository.
//! * [`show`]: what an account is connected with; [`list`]: all accounts. [`switch`]: switching it off. [`disconnect`]: undoing it.

mod awaited;
mod begin;
mod callback;
mod disconnect;
mod installation;
mod landing;
mod list;
mod oauth;
mod pat;
mod repository;
mod show;
mod switch;

pub(super) use awaited::{LOOK_EVERY, LOOK_EVERY_IF_GONE};
pub use begin::{BeginRequest, Begun};
pub(super) use callback::FORGIVE_EVERY;
pub use disconnect::Disconnected;
pub use installation::{RegisterRequest, SetupAction};
pub use landing::{Callback, Landing, Outcome};
pub use list::{ListRequest, Listed, Summary};
pub use repository::BindRequest;
pub use show::Connection;
pub(super) use show::EXPIRES_SOON;
