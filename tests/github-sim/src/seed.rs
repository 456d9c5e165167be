//! What a simulated GitHub holds when it starts; every item can also be added while it runs.
//!
//! The types are read from JSON by the binary. A field left out takes the default that its comment names.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::Level;

/// Everything a simulator starts with. Items may refer to items of the lists before them.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Seed {
    /// People.
    pub users: Vec<User>,
    /// Organizations.
    pub orgs: Vec<Org>,
    /// GitHub Apps.
    pub apps: Vec<App>,
    /// Repositories, each a real bare git repository.
    pub repositories: Vec<Repository>,
    /// Installations of the Apps.
    pub installations: Vec<Installation>,
    /// Personal access tokens.
    pub pats: Vec<Pat>,
    /// The user as whom `/login/oauth/authorize` approves at once; the first user when left out.
    pub authorize_as: Option<String>,
    /// Text that push protection takes for a secret.
    pub secret_patterns: Vec<String>,
}

/// A person.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct User {
    /// The login, unique over users and organizations.
    pub login: String,
    /// The numeric id; the next free one when left out.
    pub id: Option<u64>,
    /// The address that `GET /user/emails` lists, which is private.
    pub email: Option<String>,
}

/// An organization.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Org {
    /// The login, unique over users and organizations.
    pub login: String,
    /// The numeric id; the next free one when left out.
    pub id: Option<u64>,
    /// The members; each must be a known user.
    pub members: Vec<Member>,
    /// Whether SAML single sign-on is enforced: a token must be authorized for it.
    pub saml_sso: bool,
    /// What the organization allows personal access tokens.
    pub pat_policy: PatPolicy,
    /// What a member may do with every repository; GitHub's own default is read.
    pub base_permission: Option<Level>,
}

/// A membership of an organization.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Member {
    /// The member's login.
    pub login: String,
    /// `admin` (an owner) or `member`.
    #[serde(default)]
    pub role: Role,
}

/// The role of a member of an organization.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// An owner, who administers every repository.
    Admin,
    /// An ordinary member.
    #[default]
    Member,
}

/// What an organization allows personal access tokens.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum PatPolicy {
    /// Both kinds.
    #[default]
    Allow,
    /// Fine-grained tokens only.
    ForbidClassic,
    /// Classic tokens only.
    ForbidFineGrained,
}

/// A GitHub App.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct App {
    /// The App id; the next free one when left out.
    pub id: Option<u64>,
    /// The client id; made up from the id when left out.
    pub client_id: Option<String>,
    /// The OAuth client secret.
    pub client_secret: String,
    /// The slug of its page and of its bot user.
    pub slug: String,
    /// The name shown; the slug when left out.
    pub name: Option<String>,
    /// The login of the account that owns the App.
    pub owner: String,
    /// Public keys as PEM (SPKI or PKCS#1); a JWT signed by any of them is accepted.
    pub public_key_pem: Vec<String>,
    /// What the App asks for, and what a new installation is granted.
    pub permissions: BTreeMap<String, Level>,
    /// Where `/login/oauth/authorize` may send the browser; any address when empty.
    pub callback_urls: Vec<String>,
    /// Where the browser goes after an installation.
    pub setup_url: Option<String>,
    /// Whether user tokens of this App never expire (and so come without a refresh token).
    pub user_tokens_never_expire: bool,
    /// Whether it is an OAuth App: user tokens are `gho_` with scopes and never expire, and there is nothing
    /// to install.
    pub oauth_app: bool,
    /// Whether installing asks the person for authorization too, and so leads to the first callback URL with
    /// a code instead of to the setup URL.
    pub request_oauth_on_install: bool,
    /// Whether the browser is also sent back when the repositories of an installation were changed.
    pub setup_on_update: bool,
    /// The page of the product, linked where the person stays on GitHub.
    pub homepage_url: Option<String>,
    /// Where webhooks are sent (plain `http://`); none are sent when left out.
    pub webhook_url: Option<String>,
    /// The secret that signs webhooks; they are unsigned when it is empty.
    pub webhook_secret: String,
    /// The events subscribed to beside those that every App gets; `repository` when left out.
    pub events: Option<Vec<String>>,
}

/// A repository.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Repository {
    /// The login of the owner.
    pub owner: String,
    /// The name, without the owner.
    pub name: String,
    /// The numeric id; the next free one when left out.
    pub id: Option<u64>,
    /// Whether it is private (the default).
    pub private: bool,
    /// The default branch; `main` when left out.
    pub default_branch: String,
    /// Further branches that start at the first commit of the default branch.
    pub branches: Vec<String>,
    /// The files of the first commit, path to text.
    pub files: BTreeMap<String, String>,
    /// A directory whose files make the first commit (executable bits kept), instead of `files`.
    pub import_from: Option<PathBuf>,
    /// Whether it has no commit at all.
    pub empty: bool,
    /// Whether it is archived, and so read-only.
    pub archived: bool,
    /// Whether GitHub has disabled it.
    pub disabled: bool,
    /// Whether draft pull requests are supported (the default).
    pub allow_draft: bool,
    /// Whether auto-merge may be enabled on its pull requests.
    pub allow_auto_merge: bool,
    /// What people beside the owner may do, login to level.
    pub collaborators: BTreeMap<String, Level>,
}

impl Default for Repository {
    fn default() -> Self {
        Self {
            owner: String::new(),
            name: String::new(),
            id: None,
            private: true,
            default_branch: "main".to_owned(),
            branches: Vec::new(),
            files: BTreeMap::new(),
            import_from: None,
            empty: false,
            archived: false,
            disabled: false,
            allow_draft: true,
            allow_auto_merge: false,
            collaborators: BTreeMap::new(),
        }
    }
}

/// An installation of an App on an account.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Installation {
    /// The numeric id; the next free one when left out.
    pub id: Option<u64>,
    /// The App that is installed.
    pub app_id: u64,
    /// The login of the account it is installed on.
    pub account: String,
    /// Whether it covers every repository of the account (the default) or those named.
    pub repository_selection: Selection,
    /// Names (without owner) of the repositories when `selected`.
    pub repositories: Vec<String>,
    /// What the account granted; what the App asks for when left out.
    pub permissions: Option<BTreeMap<String, Level>>,
    /// Whether it is suspended.
    pub suspended: bool,
}

/// Which repositories an installation covers.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Selection {
    /// Every repository of the account, also later ones.
    #[default]
    All,
    /// Those named.
    Selected,
}

/// A personal access token.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Pat {
    /// The secret; a random one in GitHub's format when left out.
    pub token: Option<String>,
    /// The login of the person whose token it is.
    pub owner: String,
    /// `classic` (the default) or `fine_grained`.
    pub kind: PatKind,
    /// Scopes of a classic token: `repo`, `workflow`, `read:org`, ...
    pub scopes: Vec<String>,
    /// Permissions of a fine-grained token.
    pub permissions: BTreeMap<String, Level>,
    /// The account whose repositories a fine-grained token reaches; its owner when left out.
    pub resource_owner: Option<String>,
    /// Names (without owner) of the repositories of a fine-grained token; all when left out.
    pub repositories: Option<Vec<String>>,
    /// Whether the organization has yet to approve a fine-grained token.
    pub pending_approval: bool,
    /// When it ends, RFC 3339; never when left out.
    #[serde(with = "time::serde::rfc3339::option")]
    pub expires_at: Option<time::OffsetDateTime>,
    /// Whether it is authorized for SAML single sign-on.
    pub sso_authorized: bool,
}

/// The kind of a personal access token.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum PatKind {
    /// `ghp_`, with scopes.
    #[default]
    Classic,
    /// `github_pat_`, with permissions and repositories.
    FineGrained,
}

/// Why an item could not be added.
#[derive(Debug)]
pub struct SeedError(pub String);

impl std::fmt::Display for SeedError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the seed is wrong: {}", self.0)
    }
}

impl std::error::Error for SeedError {}
