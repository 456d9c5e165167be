//! Making repositories.

use serde::Serialize;

use super::{
    GitHub,
    call::Call,
    error::Result,
    repositories::{Repository, RepositoryJson},
};
use crate::domain::{RepoName, Token};

/// A repository that is to be made.
#[derive(Clone, Copy, Debug)]
pub struct NewRepository<'a> {
    /// Owner and name.
    pub name: &'a RepoName,
    /// A sentence about it; may be empty.
    pub description: &'a str,
    /// True if not everybody shall see it.
    pub private: bool,
    /// True if the owner is the token's user, and not an organization.
    pub own: bool,
}

#[derive(Serialize)]
struct NewRepositoryJson<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    description: &'a str,
    private: bool,
    /// A first commit, so that there is a default branch.
    auto_init: bool,
}

impl GitHub {
    /// Makes a repository, with a first commit. Never sent twice. `AlreadyExists`; `NotFound`: there is no such organization,
    /// or not for this token; `Forbidden`.
    pub async fn create_repository(
        &self,
        token: &Token,
        new: NewRepository<'_>,
    ) -> Result<Repository> {
        let call = if new.own {
            Call::post("/user/repos", self.route(["user", "repos"]))
        } else {
            Call::post("/orgs/{org}/repos", self.route(["orgs", new.name.owner(), "repos"]))
        };
        let body = NewRepositoryJson {
            name: new.name.name(),
            description: new.description,
            private: new.private,
            auto_init: true,
        };
        let answer = self.send(&call.json(&body, 0)?, Some(token)).await?;
        Ok(answer.read::<RepositoryJson>()?.into())
    }
}
