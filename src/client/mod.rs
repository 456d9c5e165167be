//! The commands of a sandbox: they ask a broker for a token, and store nothing.
//!
//! * [`git_credential`]: git's credential helper; [`description`] reads what git asks.
//! * [`token`]: the token alone, for everything else.
//! * [`flags`]: which broker, which account, and who asks. [`channel`]: the way to the broker.
//!
//! What they answer is for standard output and goes nowhere else. The memory that a token passed through is wiped when it is
//! freed, as all memory of the program is.

mod channel;
mod description;
mod error;
mod flags;
mod git_credential;
mod token;

use zeroize::Zeroizing;

pub use channel::Address;
pub use error::Error;
pub use flags::{AskedPermission, Flags};
pub use git_credential::{GitCredential, git_credential};
pub use token::{PrintToken, token};

/// What a command prints on standard output: all of it secret; empty if it has no answer.
pub type Answer = Zeroizing<String>;
