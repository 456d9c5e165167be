//! Installation tokens.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::{OffsetDateTime, UtcOffset, format_description::well_known::Rfc3339};

use super::{
    GitHub,
    call::Call,
    error::{Error, Kind, Result},
    wire::known,
};
use crate::domain::{InstallationId, Permissions, RepoId, RepoName, Token};

/// GitHub's limit for one token.
const MAX_REPOSITORIES: usize = 500;

/// Which repositories a token is for.
#[derive(Clone, Copy, Debug)]
pub enum RepoScope<'a> {
    /// By id, which survives renames; 1 to 500.
    Ids(&'a [RepoId]),
    /// By name, where the id is not known yet.
    Name(&'a RepoName),
    /// Everything that the installation reaches. Such a token never leaves the broker.
    All,
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
    /// True if it can do or reach more than the other fields can say: permissions that the broker does not know, or all
    /// repositories of the installation.
    pub unbounded: bool,
    /// The repositories that it is for, if GitHub lists them.
    pub repository_ids: Option<Vec<RepoId>>,
    /// The name that the first of them has now, if GitHub says it.
    pub repository: Option<RepoName>,
}

impl GitHub {
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
            .minting(id)
            .json(&body, 0)?;
        let json: MintedJson = self.send_as_app(call).await?.read()?;
        let unsaid = json.permissions.is_none();
        let mut minted = MintedToken::try_from(json)?;
        if unsaid {
            // GitHub always says it; a host that does not is believed to have done as it was asked.
            minted.permissions = permissions;
        }
        let inner = &self.inner;
        inner.tokens.learn(&minted.token, id, minted.expires_at, inner.clock.now());
        Ok(minted)
    }

    /// Ends an installation token before its time. One that GitHub no longer knows is ended already.
    pub async fn revoke(&self, token: &Token) -> Result<()> {
        let call = Call::delete("/installation/token", self.route(["installation", "token"]));
        match self.send(&call, Some(token)).await {
            Err(error) if error.kind != Kind::Unauthorized => Err(error),
            _ => {
                self.inner.tokens.forget(token);
                Ok(())
            }
        }
    }
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
    /// Refuses what GitHub would read as "everything" and does not say so.
    fn new(scope: RepoScope<'a>, permissions: Permissions) -> Result<Self> {
        if permissions.is_empty() {
            return Err(Error::new(Kind::Invalid, "a token needs at least one permission"));
        }
        let (repository_ids, repositories) = match scope {
            RepoScope::All => (None, None),
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

#[derive(Deserialize)]
struct MintedJson {
    token: String,
    expires_at: String,
    permissions: Option<BTreeMap<String, Value>>,
    repository_selection: Option<String>,
    repositories: Option<Vec<RepositoryJson>>,
}

#[derive(Deserialize)]
struct RepositoryJson {
    id: i64,
    full_name: Option<String>,
}

impl TryFrom<MintedJson> for MintedToken {
    type Error = Error;

    fn try_from(json: MintedJson) -> Result<Self> {
        let token = Token::new(json.token);
        let expires_at = OffsetDateTime::parse(&json.expires_at, &Rfc3339).ok();
        let expires_at =
            expires_at.and_then(|end| end.checked_to_offset(UtcOffset::UTC)).ok_or_else(|| {
                Error::new(Kind::Malformed, "the new token's expires_at is not a date and time")
            })?;
        if token.expose().is_empty() {
            return Err(Error::new(Kind::Malformed, "the new token is empty"));
        }
        let granted = json.permissions.unwrap_or_default();
        let permissions = known(&granted);
        let everywhere =
            json.repository_selection.as_deref() == Some("all") && json.repositories.is_none();
        let first = json.repositories.as_ref().and_then(|all| all.first()?.full_name.as_deref());
        let repository = first.and_then(|name| name.parse().ok());
        let ids = |all: Vec<RepositoryJson>| all.into_iter().map(|repo| RepoId(repo.id)).collect();
        Ok(Self {
            token,
            expires_at,
            permissions,
            unbounded: everywhere || permissions.iter().count() < granted.len(),
            repository_ids: json.repositories.map(ids),
            repository,
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
            (RepoScope::All, r#"{"permissions":{"contents":"read"}}"#),
        ];
        for (scope, json) in cases {
            let request = MintRequest::new(scope, READ).unwrap();
            assert_eq!(serde_json::to_string(&request).unwrap(), json);
        }
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
