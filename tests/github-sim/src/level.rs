//! How much of one permission is granted, and the permission names that GitHub knows.

use serde::{Deserialize, Serialize};

/// How much of a permission is granted; each level includes the ones before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Nothing.
    #[default]
    None,
    /// Reading.
    Read,
    /// Reading and changing.
    Write,
    /// Everything, for the few permissions that know it.
    Admin,
}

impl Level {
    /// The word used in GitHub's JSON and headers.
    pub fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Read => "read",
            Self::Write => "write",
            Self::Admin => "admin",
        }
    }

    pub(crate) fn parse(word: &str) -> Option<Self> {
        match word {
            "read" => Some(Self::Read),
            "write" => Some(Self::Write),
            "admin" => Some(Self::Admin),
            _ => None,
        }
    }
}

/// The permission names of GitHub's `app-permissions` schema that concern repositories and members.
pub(crate) const KNOWN_PERMISSIONS: &[&str] = &[
    "actions",
    "administration",
    "checks",
    "codespaces",
    "contents",
    "dependabot_secrets",
    "deployments",
    "discussions",
    "environments",
    "issues",
    "members",
    "metadata",
    "organization_administration",
    "organization_hooks",
    "organization_projects",
    "organization_secrets",
    "organization_self_hosted_runners",
    "organization_user_blocking",
    "packages",
    "pages",
    "pull_requests",
    "repository_custom_properties",
    "repository_hooks",
    "repository_projects",
    "secret_scanning_alerts",
    "secrets",
    "security_events",
    "single_file",
    "statuses",
    "vulnerability_alerts",
    "workflows",
];

/// The permissions that users grant an App by authorizing it.
pub(crate) const USER_PERMISSIONS: &[&str] = &[
    "emails",
    "followers",
    "git_ssh_keys",
    "gpg_keys",
    "interaction_limits",
    "profile",
    "starring",
];
