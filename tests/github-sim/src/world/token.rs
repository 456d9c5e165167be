//! Tokens: what each kind may reach, and when it stops working.

use std::collections::{BTreeMap, BTreeSet};

use crate::level::Level;

/// A secret that GitHub gave out.
#[derive(Clone, Debug)]
pub(crate) struct Token {
    pub id: u64,
    pub kind: TokenKind,
    pub expires_at: Option<i64>,
    /// Refused with 401 before this time (replication lag).
    pub usable_from: i64,
    /// Refused with 401 for so many uses more (replication lag).
    pub refusals_left: u32,
}

/// What a token stands for.
#[derive(Clone, Debug)]
pub(crate) enum TokenKind {
    /// `ghs_`
    Installation {
        installation_id: u64,
        /// The repositories it was narrowed to.
        repositories: Option<BTreeSet<u64>>,
        permissions: BTreeMap<String, Level>,
    },
    /// `ghu_`
    UserToServer { user_id: u64, app_id: u64 },
    /// `gho_`, of an OAuth App
    OAuth { user_id: u64, app_id: u64, scopes: Vec<String> },
    /// `ghr_`; `access` is the `ghu_` that dies with it.
    Refresh { user_id: u64, app_id: u64, access: String },
    /// `ghp_`
    Classic { user_id: u64, scopes: Vec<String>, sso_authorized: bool },
    /// `github_pat_`
    FineGrained {
        user_id: u64,
        owner_id: u64,
        repositories: Option<BTreeSet<u64>>,
        permissions: BTreeMap<String, Level>,
        /// Whether the organization has yet to approve it: public things can be read meanwhile.
        pending: bool,
    },
}

impl TokenKind {
    /// The user and the App of a token that stands on the user's authorization of the App.
    pub fn authorized(&self) -> Option<(u64, u64)> {
        match self {
            Self::UserToServer { user_id, app_id }
            | Self::Refresh { user_id, app_id, .. }
            | Self::OAuth { user_id, app_id, .. } => Some((*user_id, *app_id)),
            Self::Installation { .. } | Self::Classic { .. } | Self::FineGrained { .. } => None,
        }
    }
}

impl Token {
    /// Whether the token has ended by `now`.
    pub fn expired(&self, now: i64) -> bool {
        self.expires_at.is_some_and(|end| end <= now)
    }
}
