//! One commit on a branch in one request: GraphQL's `createCommitOnBranch`.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{
    GitHub,
    error::{Error, Kind, Result},
    wire::{Base64, base64_length, parsed},
};
use crate::domain::{BranchName, CommitMessage, ObjectId, RepoName, RepoPath, Token};

/// A commit to make on a branch that exists. Every file becomes an ordinary one: the mutation knows no modes.
#[derive(Clone, Copy, Debug)]
pub struct CommitOnBranch<'a> {
    /// The branch.
    pub branch: &'a BranchName,
    /// Where the branch has to be; anywhere else the commit is refused as `Stale`.
    pub expected_head: ObjectId,
    /// Its message.
    pub message: &'a CommitMessage,
    /// Files to write, with their content.
    pub additions: &'a [(&'a RepoPath, &'a Bytes)],
    /// Files to remove, each of which has to exist.
    pub deletions: &'a [RepoPath],
}

/// A commit that is on its branch.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PushedCommit {
    /// Its id.
    pub id: ObjectId,
    /// Its page.
    pub url: String,
}

const ROUTE: &str = "createCommitOnBranch";
const MUTATION: &str = "mutation ($input: CreateCommitOnBranchInput!) { \
                        createCommitOnBranch(input: $input) { commit { oid url } } }";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Input<'a> {
    branch: BranchJson<'a>,
    expected_head_oid: String,
    message: Message<'a>,
    file_changes: FileChanges<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct BranchJson<'a> {
    repository_name_with_owner: &'a str,
    branch_name: &'a str,
}

#[derive(Serialize)]
struct Message<'a> {
    headline: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    body: &'a str,
}

#[derive(Serialize)]
struct FileChanges<'a> {
    additions: Vec<Addition<'a>>,
    deletions: Vec<Deletion<'a>>,
}

#[derive(Serialize)]
struct Addition<'a> {
    path: &'a str,
    contents: Base64<'a>,
}

#[derive(Serialize)]
struct Deletion<'a> {
    path: &'a str,
}

#[derive(Deserialize)]
struct Data {
    #[serde(rename = "createCommitOnBranch")]
    payload: Option<Payload>,
}

#[derive(Deserialize)]
struct Payload {
    commit: Option<CommitJson>,
}

#[derive(Deserialize)]
struct CommitJson {
    #[serde(deserialize_with = "parsed")]
    oid: ObjectId,
    url: Option<String>,
}

impl Data {
    fn commit(self) -> Option<CommitJson> {
        self.payload?.commit
    }

    fn has_commit(&self) -> bool {
        self.payload.as_ref().is_some_and(|payload| payload.commit.is_some())
    }
}

impl<'a> Input<'a> {
    fn new(repo: &'a RepoName, commit: &CommitOnBranch<'a>) -> Self {
        let additions = commit.additions.iter();
        let deletions = commit.deletions.iter();
        Self {
            branch: BranchJson {
                repository_name_with_owner: repo.as_str(),
                branch_name: commit.branch.as_str(),
            },
            expected_head_oid: commit.expected_head.to_string(),
            message: commit.message.into(),
            file_changes: FileChanges {
                additions: additions
                    .map(|(path, content)| Addition {
                        path: path.as_str(),
                        contents: Base64(content),
                    })
                    .collect(),
                deletions: deletions.map(|path| Deletion { path: path.as_str() }).collect(),
            },
        }
    }
}

impl<'a> From<&'a CommitMessage> for Message<'a> {
    fn from(message: &'a CommitMessage) -> Self {
        Self { headline: message.headline(), body: message.body() }
    }
}

impl CommitOnBranch<'_> {
    /// About how many bytes the request has.
    pub fn size(&self) -> usize {
        /// Names and quotes around one file.
        const PER_FILE: usize = 40;
        /// Everything else but the message.
        const FRAME: usize = 600;
        let additions = self
            .additions
            .iter()
            .map(|(path, content)| base64_length(content.len()) + path.as_str().len() + PER_FILE);
        let deletions = self.deletions.iter().map(|path| path.as_str().len() + PER_FILE);
        additions.chain(deletions).sum::<usize>() + self.message.as_str().len() + FRAME
    }
}

impl GitHub {
    /// Commits on a branch, in one step with the check that the branch is where it is expected.
    ///
    /// `Stale`: it is not. `NotFound`: no such branch or repository. `Unsupported`: the host lacks the mutation.
    pub async fn commit_on_branch(
        &self,
        token: &Token,
        repo: &RepoName,
        commit: CommitOnBranch<'_>,
    ) -> Result<PushedCommit> {
        let input = Input::new(repo, &commit);
        let data: Data =
            self.mutate(token, (ROUTE, MUTATION), input, commit.size(), Data::has_commit).await?;
        let made = data.commit().ok_or_else(|| {
            Error::new(Kind::Malformed, "GitHub made a commit but does not say which")
        })?;
        Ok(PushedCommit { id: made.oid, url: made.url.unwrap_or_default() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(message: &str) -> serde_json::Value {
        let (path, content) = ("a/ü.sql".parse().unwrap(), Bytes::from_static(b"select 1\n"));
        let additions = [(&path, &content)];
        let deletions = ["old".parse().unwrap()];
        let commit = CommitOnBranch {
            branch: &"staging".parse().unwrap(),
            expected_head: ObjectId::of_blob(b""),
            message: &message.parse().unwrap(),
            additions: &additions,
            deletions: &deletions,
        };
        serde_json::to_value(Input::new(&"acme/shop".parse().unwrap(), &commit)).unwrap()
    }

    #[test]
    fn asks_as_the_schema_has_it() {
        let expected = serde_json::json!({
            "branch": { "repositoryNameWithOwner": "acme/shop", "branchName": "staging" },
            "expectedHeadOid": "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391",
            "message": { "headline": "Add" },
            "fileChanges": {
                "additions": [{ "path": "a/ü.sql", "contents": "c2VsZWN0IDEK" }],
                "deletions": [{ "path": "old" }],
            },
        });
        assert_eq!(json("Add"), expected);
    }
}
