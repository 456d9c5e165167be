//! Where branches are, over REST.

use serde::{Deserialize, Serialize};

use super::{
    GitHub,
    call::Call,
    error::{Kind, Result},
    wire::Sha,
};
use crate::domain::{BranchName, ObjectId, RepoName, Token};

#[derive(Deserialize)]
struct RefJson {
    #[serde(rename = "ref")]
    name: String,
    object: Sha,
}

#[derive(Serialize)]
struct NewRef<'a> {
    #[serde(rename = "ref")]
    name: &'a str,
    sha: String,
}

#[derive(Serialize)]
struct MovedRef {
    sha: String,
    force: bool,
}

impl GitHub {
    /// The commit that a branch is at; none if there is no such branch. `EmptyRepository`: there is no branch at all.
    pub async fn branch_head(
        &self,
        token: &Token,
        repo: &RepoName,
        branch: &BranchName,
    ) -> Result<Option<ObjectId>> {
        let url = self.ref_route(repo, "ref", branch);
        let call = Call::get("/repos/{owner}/{repo}/git/ref/{ref}", url);
        let found: RefJson = match self.send(&call, Some(token)).await {
            Ok(answer) => answer.read()?,
            Err(error) if error.kind == Kind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        // A host that answers with the first ref that begins like this one must not be believed.
        Ok((found.name == full_name(branch)).then_some(found.object.sha))
    }

    /// Makes a branch. `AlreadyExists`; `RefusedByRules`.
    pub async fn create_branch(
        &self,
        token: &Token,
        repo: &RepoName,
        branch: &BranchName,
        at: ObjectId,
    ) -> Result<()> {
        let body = NewRef { name: &full_name(branch), sha: at.to_string() };
        let call =
            Call::post("/repos/{owner}/{repo}/git/refs", self.repo_route(repo, ["git", "refs"]));
        self.send(&call.json(&body, 0)?, Some(token)).await?;
        Ok(())
    }

    /// Moves a branch forward, never by force. `Stale`: it is not behind `to`; `NotFound`; `RefusedByRules`.
    pub async fn update_branch(
        &self,
        token: &Token,
        repo: &RepoName,
        branch: &BranchName,
        to: ObjectId,
    ) -> Result<()> {
        let body = MovedRef { sha: to.to_string(), force: false };
        let url = self.ref_route(repo, "refs", branch);
        let call = Call::patch("/repos/{owner}/{repo}/git/refs/{ref}", url).json(&body, 0)?;
        self.send(&call, Some(token)).await?;
        Ok(())
    }

    /// Route of a branch's ref: slashes of the branch stay slashes, as in GitHub's examples.
    fn ref_route(&self, repo: &RepoName, refs: &str, branch: &BranchName) -> url::Url {
        let branch = branch.as_str().split('/');
        self.repo_route(repo, ["git", refs, "heads"].into_iter().chain(branch))
    }
}

fn full_name(branch: &BranchName) -> String {
    format!("refs/heads/{branch}")
}
