//! What is called as the App: the App itself, its installations, and their tokens.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::{
    GitHub,
    call::{Answer, Call},
    error::{Error, Kind, Result},
    wire::or_default,
};
use crate::domain::{InstallationId, Permissions, RepoId, RepoName, Token};

/// GitHub's limit for one token.
const MAX_REPOSITORIES: usize = 500;

/// The App.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct App {
    /// App id.
    pub id: i64,
    /// Name in URLs; empty if the host does not say.
    pub slug: String,
    /// Client id, if the host says it.
    pub client_id: Option<String>,
    /// What the App asks for; an installation may have been granted less.
    pub permissions: Permissions,
}

/// An installation of the App.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Installation {
    /// Installation id.
    pub id: InstallationId,
    /// The App that it is of.
    pub app_id: i64,
    /// Who installed it.
    pub account: InstallationAccount,
    /// What was granted.
    pub permissions: Permissions,
    /// `all` or `selected`.
    pub repository_selection: String,
    /// True while it is suspended.
    pub suspended: bool,
    /// The page on which it is configured.
    pub html_url: String,
}

/// Who installed the App.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InstallationAccount {
    /// Id of the user, organization or enterprise.
    pub id: i64,
    /// Login; the slug of an enterprise.
    pub login: String,
    /// `User`, `Organization` or `Enterprise`.
    pub kind: String,
}

/// Which repositories a token is for.
#[derive(Clone, Copy, Debug)]
pub enum RepoScope<'a> {
    /// By id, which survives renames; 1 to 500.
    Ids(&'a [RepoId]),
    /// By name, where the id is not known yet.
    Name(&'a RepoName),
}

/// A new installation token.
#[derive(Clone, Debug)]
pub struct MintedToken {
    /// The token.
    pub token: Token,
    /// Its end, by GitHub's clock.
    pub expires_at: OffsetDateTime,
    /// What GitHub granted: as asked, and `metadata: read`.
    pub permissions: Permissions,
    /// The repositories that it is for, if GitHub lists them.
    pub repository_ids: Option<Vec<RepoId>>,
}

impl GitHub {
    /// The App that the configured key belongs to.
    pub async fn app(&self) -> Result<App> {
        let call = Call::get("/app", self.route(["app"]));
        Ok(self.send_as_app(call).await?.read::<AppJson>()?.into())
    }

    /// An installation. `NotFound`: uninstalled, or another App's.
    pub async fn installation(&self, id: InstallationId) -> Result<Installation> {
        let url = self.route(["app", "installations", &id.to_string()]);
        let call = Call::get("/app/installations/{installation_id}", url);
        self.send_as_app(call).await?.read::<InstallationJson>()?.try_into()
    }

    /// The installation that reaches a repository. `NotFound`: there is none, or no such repository.
    pub async fn repository_installation(&self, repo: &RepoName) -> Result<Installation> {
        let url = self.repo_route(repo, ["installation"]);
        let call = Call::get("/repos/{owner}/{repo}/installation", url).following();
        self.send_as_app(call).await?.read::<InstallationJson>()?.try_into()
    }

    /// A new token of an installation, for `scope` and no more than `permissions`, which must not be empty.
    ///
    /// `NotFound`: uninstalled. `Suspended`. `Forbidden`: the permissions were not granted. `RepositoryNotAccessible`.
    pub async fn mint(
        &self,
        id: InstallationId,
        scope: RepoScope<'_>,
        permissions: Permissions,
    ) -> Result<MintedToken> {
        let url = self.route(["app", "installations", &id.to_string(), "access_tokens"]);
        let body = MintRequest::new(scope, permissions)?;
        // A mint whose answer was lost leaves a token that nobody has: it may be repeated.
        let call = Call::post("/app/installations/{installation_id}/access_tokens", url)
            .repeatable()
            .json(&body, 0)?;
        self.send_as_app(call).await?.read::<MintedJson>()?.try_into()
    }

    /// Ends an installation token before its time. One that GitHub no longer knows is ended already.
    pub async fn revoke(&self, token: &Token) -> Result<()> {
        let call = Call::delete("/installation/token", self.route(["installation", "token"]));
        match self.send(&call, Some(token)).await {
            Err(error) if error.kind != Kind::Unauthorized => Err(error),
            _ => Ok(()),
        }
    }

    /// Sends a call with the App's JWT; once more if GitHub refused that only because the clocks differ.
    async fn send_as_app(&self, call: Call) -> Result<Answer> {
        let signer = self.inner.signer.as_ref().ok_or_else(no_app)?;
        let clock = &self.inner.clock;
        let signed = signer.jwt(clock)?;
        match self.send(&call, Some(&signed.jwt)).await {
            Err(refused) if signer.renew_after(&signed, &refused, clock) => {
                self.send(&call, Some(&signer.jwt(clock)?.jwt)).await
            }
            result => result,
        }
    }
}

fn no_app() -> Error {
    Error::new(
        Kind::AppNotConfigured,
        "no GitHub App is configured; set its client id (or App id) and private key",
    )
}

#[derive(Serialize)]
struct MintRequest<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    repository_ids: Option<Vec<i64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    repositories: Option<[&'a str; 1]>,
    permissions: BTreeMap<&'static str, &'static str>,
}

impl<'a> MintRequest<'a> {
    /// Refuses what GitHub would read as "everything".
    fn new(scope: RepoScope<'a>, permissions: Permissions) -> Result<Self> {
        if permissions.is_empty() {
            return Err(Error::new(Kind::Invalid, "a token needs at least one permission"));
        }
        let (repository_ids, repositories) = match scope {
            RepoScope::Name(repo) => (None, Some([repo.name()])),
            RepoScope::Ids(ids) if (1..=MAX_REPOSITORIES).contains(&ids.len()) => {
                (Some(ids.iter().map(|id| id.0).collect()), None)
            }
            RepoScope::Ids(_) => {
                let message = format!("a token is for 1 to {MAX_REPOSITORIES} repositories");
                return Err(Error::new(Kind::Invalid, message));
            }
        };
        Ok(Self { repository_ids, repositories, permissions: permissions.to_map() })
    }
}

/// GitHub's permissions; values that are not strings are none that the broker knows.
type PermissionsJson = BTreeMap<String, serde_json::Value>;

fn permissions(granted: &PermissionsJson) -> Permissions {
    let known = granted.iter().filter_map(|(name, level)| Some((name.as_str(), level.as_str()?)));
    Permissions::from_github(known)
}

#[derive(Deserialize)]
struct AppJson {
    id: i64,
    slug: Option<String>,
    client_id: Option<String>,
    #[serde(default, deserialize_with = "or_default")]
    permissions: PermissionsJson,
}

impl From<AppJson> for App {
    fn from(app: AppJson) -> Self {
        Self {
            id: app.id,
            slug: app.slug.unwrap_or_default(),
            client_id: app.client_id,
            permissions: permissions(&app.permissions),
        }
    }
}

#[derive(Deserialize)]
struct InstallationJson {
    id: i64,
    app_id: i64,
    account: Option<AccountJson>,
    target_type: Option<String>,
    #[serde(default, deserialize_with = "or_default")]
    permissions: PermissionsJson,
    #[serde(default, deserialize_with = "or_default")]
    repository_selection: String,
    suspended_at: Option<String>,
    #[serde(default, deserialize_with = "or_default")]
    html_url: String,
}

#[derive(Deserialize)]
struct AccountJson {
    id: i64,
    login: Option<String>,
    /// What an enterprise has in the place of a login.
    slug: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
}

impl TryFrom<InstallationJson> for Installation {
    type Error = Error;

    fn try_from(json: InstallationJson) -> Result<Self> {
        let account = json.account.ok_or_else(|| {
            Error::new(Kind::Malformed, "GitHub does not say who the installation belongs to")
        })?;
        Ok(Self {
            id: InstallationId(json.id),
            app_id: json.app_id,
            account: InstallationAccount {
                id: account.id,
                login: account.login.or(account.slug).unwrap_or_default(),
                kind: account.kind.or(json.target_type).unwrap_or_default(),
            },
            permissions: permissions(&json.permissions),
            repository_selection: json.repository_selection,
            suspended: json.suspended_at.is_some(),
            html_url: json.html_url,
        })
    }
}

#[derive(Deserialize)]
struct MintedJson {
    token: String,
    expires_at: String,
    #[serde(default, deserialize_with = "or_default")]
    permissions: PermissionsJson,
    repositories: Option<Vec<RepositoryJson>>,
}

#[derive(Deserialize)]
struct RepositoryJson {
    id: i64,
}

impl TryFrom<MintedJson> for MintedToken {
    type Error = Error;

    fn try_from(json: MintedJson) -> Result<Self> {
        let token = Token::new(json.token);
        let expires_at = OffsetDateTime::parse(&json.expires_at, &Rfc3339).map_err(|_| {
            Error::new(Kind::Malformed, "the new token's expires_at is not a date and time")
        })?;
        if token.expose().is_empty() {
            return Err(Error::new(Kind::Malformed, "the new token is empty"));
        }
        let ids = |all: Vec<RepositoryJson>| all.into_iter().map(|repo| RepoId(repo.id)).collect();
        Ok(Self {
            token,
            expires_at,
            permissions: permissions(&json.permissions),
            repository_ids: json.repositories.map(ids),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Level, Permission};

    const READ: Permissions = Permissions::NONE.with(Permission::CONTENTS, Level::Read);

    #[test]
    fn never_asks_for_everything() {
        let ids = [RepoId(1)];
        let many = vec![RepoId(1); 501];
        assert!(MintRequest::new(RepoScope::Ids(&ids), Permissions::NONE).is_err());
        assert!(MintRequest::new(RepoScope::Ids(&[]), READ).is_err());
        assert!(MintRequest::new(RepoScope::Ids(&many), READ).is_err());
    }

    #[test]
    fn asks_as_documented() {
        let repo: RepoName = "acme/shop".parse().unwrap();
        let cases = [
            (
                RepoScope::Ids(&[RepoId(7)]),
                r#"{"repository_ids":[7],"permissions":{"contents":"read"}}"#,
            ),
            (
                RepoScope::Name(&repo),
                r#"{"repositories":["shop"],"permissions":{"contents":"read"}}"#,
            ),
        ];
        for (scope, json) in cases {
            let request = MintRequest::new(scope, READ).unwrap();
            assert_eq!(serde_json::to_string(&request).unwrap(), json);
        }
    }

    #[test]
    fn reads_installations_of_users_and_enterprises() {
        let read = |account: &str| -> Result<Installation> {
            let json = format!(
                r#"{{"id":1,"app_id":2,"account":{account},"target_type":"Enterprise",
                    "permissions":{{"contents":"write","new":7}},"suspended_at":null,"x":[]}}"#
            );
            serde_json::from_str::<InstallationJson>(&json).unwrap().try_into()
        };
        let user = read(r#"{"id":3,"login":"ann","type":"User"}"#).unwrap();
        assert_eq!((user.account.login.as_str(), user.account.kind.as_str()), ("ann", "User"));
        assert_eq!(user.permissions.to_string(), "contents:write");
        assert!(!user.suspended);
        let enterprise = read(r#"{"id":3,"slug":"big"}"#).unwrap().account;
        assert_eq!((enterprise.login.as_str(), enterprise.kind.as_str()), ("big", "Enterprise"));
        assert_eq!(read("null").unwrap_err().kind, Kind::Malformed);
    }

    #[test]
    fn reads_minted_tokens() {
        let json = r#"{"token":"ghs_x","expires_at":"2026-11-20T13:00:00Z",
            "permissions":{"contents":"read"},"repositories":[{"id":7,"name":"shop"}]}"#;
        let minted: MintedToken =
            serde_json::from_str::<MintedJson>(json).unwrap().try_into().unwrap();
        assert_eq!(minted.repository_ids, Some(vec![RepoId(7)]));
        assert_eq!(minted.expires_at, time::macros::datetime!(2026-11-20 13:00:00 UTC));
        let bare = r#"{"token":"ghs_x","expires_at":"2026-11-20T13:00:00Z"}"#;
        let minted: MintedToken =
            serde_json::from_str::<MintedJson>(bare).unwrap().try_into().unwrap();
        assert_eq!(minted.repository_ids, None);
    }
}
