//! How a branch differs from another one, or from a commit.

use serde::{Deserialize, de::DeserializeOwned};

use super::{
    GitHub,
    call::Call,
    error::{Kind, Result},
    wire::Sha,
};
use crate::domain::{BranchName, ObjectId, RepoName, Token};

/// What one branch has that the other has not.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Comparison {
    /// Commits that only the head has.
    pub ahead_by: u64,
    /// The tree that the base has.
    pub base_tree: ObjectId,
    /// The tree of the head, if the answer went as far.
    pub head_tree: Option<ObjectId>,
}

/// Commits of a comparison that are read. Most promotions have fewer; a page of them is some 100 KB.
const COMMITS: &str = "30";
/// Where only their number matters.
const NO_MORE: &str = "1";

#[derive(Deserialize)]
struct ComparisonJson {
    ahead_by: u64,
    base_commit: CommitJson,
    #[serde(default)]
    commits: Vec<CommitJson>,
}

#[derive(Deserialize)]
struct AheadJson {
    ahead_by: u64,
}

#[derive(Deserialize)]
struct BranchJson {
    commit: CommitJson,
}

#[derive(Deserialize)]
struct CommitJson {
    commit: WithTree,
}

#[derive(Deserialize)]
struct WithTree {
    tree: Sha,
}

impl CommitJson {
    fn tree(&self) -> ObjectId {
        self.commit.tree.sha
    }
}

impl From<ComparisonJson> for Comparison {
    fn from(json: ComparisonJson) -> Self {
        // The oldest come first: the last one is the head if there is no further page.
        let complete = u64::try_from(json.commits.len()) == Ok(json.ahead_by);
        Self {
            ahead_by: json.ahead_by,
            base_tree: json.base_commit.tree(),
            head_tree: json.commits.last().filter(|_| complete).map(CommitJson::tree),
        }
    }
}

impl GitHub {
    /// How `head` differs from `base`. `NotFound` if one of them does not exist, or they have no history in common.
    pub async fn compare(
        &self,
        token: &Token,
        repo: &RepoName,
        base: &BranchName,
        head: &BranchName,
    ) -> Result<Comparison> {
        let comparison = self.comparison(token, repo, base.as_str(), head.as_str(), COMMITS).await;
        comparison.map(|json: ComparisonJson| json.into())
    }

    /// True if a commit is in the history of another one; of what is not there nothing is. By ids: the name of a branch could be
    /// that of a tag, too.
    pub async fn is_ancestor(
        &self,
        token: &Token,
        repo: &RepoName,
        commit: ObjectId,
        of: ObjectId,
    ) -> Result<bool> {
        let (base, head) = (of.to_string(), commit.to_string());
        match self.comparison(token, repo, &base, &head, NO_MORE).await {
            Ok(AheadJson { ahead_by }) => Ok(ahead_by == 0),
            Err(error) if matches!(error.kind, Kind::NotFound | Kind::Invalid) => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn comparison<D: DeserializeOwned>(
        &self,
        token: &Token,
        repo: &RepoName,
        base: &str,
        head: &str,
        commits: &str,
    ) -> Result<D> {
        let mut url = self.repo_route(repo, ["compare", &format!("{base}...{head}")]);
        url.query_pairs_mut().append_pair("per_page", commits);
        let call = Call::get("/repos/{owner}/{repo}/compare/{basehead}", url);
        self.send(&call, Some(token)).await?.read()
    }

    /// The tree that a branch has. `NotFound` if there is no such branch.
    pub async fn branch_tree(
        &self,
        token: &Token,
        repo: &RepoName,
        branch: &BranchName,
    ) -> Result<ObjectId> {
        let url = self.repo_route(repo, ["branches", branch.as_str()]);
        let call = Call::get("/repos/{owner}/{repo}/branches/{branch}", url);
        Ok(self.send(&call, Some(token)).await?.read::<BranchJson>()?.commit.tree())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn comparison(ahead: u64, commits: &[&str]) -> Comparison {
        let tree = |tree: &str| serde_json::json!({"commit": {"tree": {"sha": tree}}});
        let commits: Vec<_> = commits.iter().map(|id| tree(id)).collect();
        let json = serde_json::json!({
            "ahead_by": ahead, "base_commit": tree(&"a".repeat(40)), "commits": commits,
        });
        serde_json::from_value::<ComparisonJson>(json).unwrap().into()
    }

    #[test]
    fn the_last_commit_is_the_head_only_if_all_are_there() {
        let (b, c) = ("b".repeat(40), "c".repeat(40));
        let both = comparison(2, &[&b, &c]);
        assert_eq!(both.base_tree.to_string(), "a".repeat(40));
        assert_eq!(both.head_tree.map(|id| id.to_string()), Some(c));
        assert_eq!(comparison(3, &[&b]).head_tree, None);
        assert_eq!(comparison(0, &[]).head_tree, None);
    }
}
