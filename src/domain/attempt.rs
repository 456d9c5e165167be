//! Connections that a browser is on its way to make.

use time::OffsetDateTime;

use super::{AccountId, Caller};

/// What a browser was sent to GitHub for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AttemptKind {
    /// To install the App.
    Installation,
    /// To authorize the broker for a user.
    OAuth,
}

impl AttemptKind {
    /// Name in the database and in the address that the browser is sent on to.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Installation => "installation",
            Self::OAuth => "oauth",
        }
    }
}

/// One connection on its way: who began it, and for whom. Whoever finishes it knows its `state`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Attempt {
    /// The account that it is for.
    pub account: AccountId,
    /// Who began it.
    pub caller: Caller,
    /// What for.
    pub kind: AttemptKind,
    /// Where the browser goes at the end; empty where the portal finishes.
    pub return_url: String,
    /// Login of the organization or user that the platform knows to be this account's.
    pub expected_login: Option<String>,
    /// Until when it can be finished.
    pub expires_at: OffsetDateTime,
}
