//! Repositories: what they are.

use serde::Deserialize;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::{
    GitHub,
    call::Call,
    error::Result,
    wire::{or_default, parsed},
};
use crate::domain::{BranchName, RepoId, RepoName, Token};

/// A repository as a credential sees it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Repository {
    /// Id, which survives renames.
    pub id: RepoId,
    /// Its id in GraphQL, if the host says it.
    pub node_id: Option<String>,
    /// Its name now.
    pub name: RepoName,
    /// Its default branch.
    pub default_branch: BranchName,
    /// True if it is archived, and so read-only.
    pub archived: bool,
    /// True if GitHub has disabled it.
    pub disabled: bool,
    /// True if it is not public.
    pub private: bool,
    /// Its page.
    pub html_url: String,
    /// A sentence about it; may be empty.
    pub description: String,
    /// When it was made, by GitHub's clock, if the host says it.
    pub created_at: Option<OffsetDateTime>,
    /// What the user behind the credential may do there, if GitHub says so; the credential itself may be able to do less.
    pub permissions: Option<Role>,
    /// True if it was asked for by another name than it has now.
    pub moved: bool,
    /// When it was changed last, if GitHub says so.
    pub updated_at: Option<OffsetDateTime>,
}

/// What a user may do in a repository.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Deserialize)]
#[serde(default)]
pub struct Role {
    /// May read.
    pub pull: bool,
    /// May write.
    pub push: bool,
    /// May change settings and rules, too.
    pub admin: bool,
}

#[derive(Deserialize)]
pub(super) struct RepositoryJson {
    id: i64,
    node_id: Option<String>,
    #[serde(deserialize_with = "parsed")]
    full_name: RepoName,
    #[serde(deserialize_with = "parsed")]
    default_branch: BranchName,
    #[serde(default, deserialize_with = "or_default")]
    archived: bool,
    #[serde(default, deserialize_with = "or_default")]
    disabled: bool,
    #[serde(default, deserialize_with = "or_default")]
    private: bool,
    #[serde(default, deserialize_with = "or_default")]
    html_url: String,
    #[serde(default, deserialize_with = "or_default")]
    description: String,
    created_at: Option<String>,
    permissions: Option<Role>,
    updated_at: Option<String>,
}

impl RepositoryJson {
    /// What it says of a repository that was asked for by `name`.
    fn of(self, name: &RepoName) -> Repository {
        let moved = self.full_name != *name;
        Repository { moved, ..Repository::from(self) }
    }
}

impl From<RepositoryJson> for Repository {
    fn from(json: RepositoryJson) -> Self {
        let time = |text: Option<String>| OffsetDateTime::parse(&text?, &Rfc3339).ok();
        Self {
            id: RepoId(json.id),
            node_id: json.node_id,
            name: json.full_name,
            default_branch: json.default_branch,
            archived: json.archived,
            disabled: json.disabled,
            private: json.private,
            html_url: json.html_url,
            description: json.description,
            created_at: time(json.created_at),
            permissions: json.permissions,
            moved: false,
            updated_at: time(json.updated_at),
        }
    }
}

impl GitHub {
    /// The same as [`GitHub::repository`], for a token that may have been minted just now.
    pub async fn repository_for(
        &self,
        token: &Token,
        fresh: bool,
        repo: &RepoName,
    ) -> Result<Repository> {
        self.while_fresh(fresh, || self.repository(token, repo)).await
    }

    /// A repository, also by a name that it had before. `NotFound`: it does not exist, or not for this token.
    pub async fn repository(&self, token: &Token, repo: &RepoName) -> Result<Repository> {
        self.read_repository(Some(token), repo).await
    }

    /// The same without any credential, as everybody sees it. GitHub takes 60 such requests an hour from one address.
    pub async fn public_repository(&self, repo: &RepoName) -> Result<Repository> {
        self.read_repository(None, repo).await
    }

    async fn read_repository(&self, token: Option<&Token>, repo: &RepoName) -> Result<Repository> {
        let call = Call::get("/repos/{owner}/{repo}", self.repo_route(repo, [])).following();
        let json: RepositoryJson = self.send(&call, token).await?.read()?;
        Ok(json.of(repo))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_is_there() {
        let json = r#"{"id":7,"full_name":"Acme/shop","default_branch":"main","private":true,"disabled":null,
            "permissions":{"admin":false,"push":true,"pull":true,"triage":true}}"#;
        let repository: RepositoryJson = serde_json::from_str(json).unwrap();
        assert!(repository.private && !repository.archived);
        assert_eq!(repository.permissions, Some(Role { pull: true, push: true, admin: false }));
    }
}
