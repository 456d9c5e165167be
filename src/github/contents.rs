//! Files by their paths: the one way to write to a repository that has no commit yet.

use serde::{Deserialize, Serialize};

use super::{
    GitHub,
    call::Call,
    error::Result,
    wire::{Base64, Sha},
};
use crate::domain::{CommitMessage, ObjectId, RepoName, RepoPath, Token};

#[derive(Serialize)]
struct NewFile<'a> {
    message: &'a str,
    content: Base64<'a>,
}

#[derive(Deserialize)]
struct WrittenJson {
    commit: Sha,
}

impl GitHub {
    /// Makes a file on the default branch, and that branch with it where the repository is empty. Returns the commit.
    /// `Invalid`: the file is there already.
    pub async fn create_file(
        &self,
        token: &Token,
        repo: &RepoName,
        path: &RepoPath,
        content: &[u8],
        message: &CommitMessage,
    ) -> Result<ObjectId> {
        let body = NewFile { message: message.as_str(), content: Base64(content) };
        let url = self.repo_route(repo, ["contents"].into_iter().chain(path.as_str().split('/')));
        let call = Call::put("/repos/{owner}/{repo}/contents/{path}", url).json(&body, 0)?;
        Ok(self.send(&call, Some(token)).await?.read::<WrittenJson>()?.commit.sha)
    }
}
