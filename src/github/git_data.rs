//! git's objects, over REST.

use serde::{Deserialize, Serialize, de};

use super::{
    GitHub,
    call::Call,
    error::Result,
    wire::{Base64, Sha, base64_length, or_default, parsed},
};
use crate::domain::{CommitMessage, EntryMode, FileMode, ObjectId, RepoName, RepoPath, Token};

/// A commit.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Commit {
    /// Its id.
    pub id: ObjectId,
    /// Its tree.
    pub tree: ObjectId,
    /// Its parents.
    pub parents: Vec<ObjectId>,
    /// Its whole message.
    pub message: String,
    /// Its page.
    pub html_url: String,
}

/// A directory, or with everything below it.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub struct Tree {
    /// What is in it.
    #[serde(rename = "tree")]
    pub entries: Vec<TreeEntry>,
    /// True if GitHub left some out.
    #[serde(default, deserialize_with = "or_default")]
    pub truncated: bool,
}

/// One entry of a tree.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub struct TreeEntry {
    /// Path relative to the tree; not one that the broker would write, necessarily.
    pub path: String,
    /// What it is.
    #[serde(deserialize_with = "mode")]
    pub mode: EntryMode,
    /// Its object.
    #[serde(rename = "sha", deserialize_with = "parsed")]
    pub id: ObjectId,
}

/// GitHub writes a mode in git's octal digits.
fn mode<'de, D: de::Deserializer<'de>>(
    deserializer: D,
) -> std::result::Result<EntryMode, D::Error> {
    let digits = String::deserialize(deserializer)?;
    let number = u32::from_str_radix(&digits, 8).ok();
    number.and_then(EntryMode::of).ok_or_else(|| de::Error::custom("no mode of git"))
}

/// One change for a new tree.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewEntry {
    /// Which file.
    pub path: RepoPath,
    /// Its mode; of no meaning for a deletion.
    pub mode: FileMode,
    /// What it becomes.
    pub content: Content,
}

/// What a file of a tree becomes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Content {
    /// This blob, which the repository has.
    Blob(ObjectId),
    /// This text, sent within the tree: saves a request, but all text of a tree together must stay below 2 MB.
    Text(String),
    /// Nothing: it is removed, which is an error if it is not there.
    Delete,
}

impl NewEntry {
    /// About how many bytes it takes of a request.
    pub fn size(&self) -> usize {
        let text = match &self.content {
            Content::Text(text) => text.len(),
            Content::Blob(_) | Content::Delete => 0,
        };
        text + self.path.as_str().len() + ENTRY_SIZE
    }
}

#[derive(Serialize)]
struct NewBlob<'a> {
    content: Base64<'a>,
    encoding: &'static str,
}

#[derive(Serialize)]
struct NewTree<'a> {
    base_tree: String,
    tree: Vec<NewEntryJson<'a>>,
}

#[derive(Serialize)]
struct NewEntryJson<'a> {
    path: &'a str,
    mode: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(flatten)]
    content: ContentJson<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum ContentJson<'a> {
    Content(&'a str),
    /// `null` removes the file.
    Sha(Option<String>),
}

impl<'a> From<&'a Content> for ContentJson<'a> {
    fn from(content: &'a Content) -> Self {
        match content {
            Content::Blob(id) => Self::Sha(Some(id.to_string())),
            Content::Text(text) => Self::Content(text),
            Content::Delete => Self::Sha(None),
        }
    }
}

#[derive(Serialize)]
struct NewCommit<'a> {
    message: &'a str,
    tree: String,
    parents: [String; 1],
}

#[derive(Deserialize)]
struct CommitJson {
    #[serde(deserialize_with = "parsed")]
    sha: ObjectId,
    tree: Sha,
    #[serde(default)]
    parents: Vec<Sha>,
    #[serde(default)]
    message: String,
    #[serde(default, deserialize_with = "or_default")]
    html_url: String,
}

impl From<CommitJson> for Commit {
    fn from(json: CommitJson) -> Self {
        Self {
            id: json.sha,
            tree: json.tree.sha,
            parents: json.parents.into_iter().map(|parent| parent.sha).collect(),
            message: json.message,
            html_url: json.html_url,
        }
    }
}

/// What every file is to GitHub.
const BLOB: &str = "blob";
/// Length of an entry of a new tree in JSON, without its path.
const ENTRY_SIZE: usize = 120;

impl GitHub {
    /// A commit.
    pub async fn commit(&self, token: &Token, repo: &RepoName, id: ObjectId) -> Result<Commit> {
        let url = self.repo_route(repo, ["git", "commits", &id.to_string()]);
        let call = Call::get("/repos/{owner}/{repo}/git/commits/{commit_sha}", url);
        Ok(self.send(&call, Some(token)).await?.read::<CommitJson>()?.into())
    }

    /// A tree, by its id or that of a commit; `recursive` with everything below it, up to what GitHub can list.
    pub async fn tree(
        &self,
        token: &Token,
        repo: &RepoName,
        id: ObjectId,
        recursive: bool,
    ) -> Result<Tree> {
        let mut url = self.repo_route(repo, ["git", "trees", &id.to_string()]);
        if recursive {
            // Any value means yes, even `0`.
            url.query_pairs_mut().append_pair("recursive", "1");
        }
        let call = Call::get("/repos/{owner}/{repo}/git/trees/{tree_sha}", url);
        self.send(&call, Some(token)).await?.read()
    }

    /// Stores a file's content.
    pub async fn create_blob(
        &self,
        token: &Token,
        repo: &RepoName,
        content: &[u8],
    ) -> Result<ObjectId> {
        let body = NewBlob { content: Base64(content), encoding: "base64" };
        let size = base64_length(content.len()) + ENTRY_SIZE;
        let url = self.repo_route(repo, ["git", "blobs"]);
        let call = Call::post("/repos/{owner}/{repo}/git/blobs", url).upload().json(&body, size)?;
        Ok(self.send(&call, Some(token)).await?.read::<Sha>()?.sha)
    }

    /// A new tree: `base` with `entries` changed.
    pub async fn create_tree(
        &self,
        token: &Token,
        repo: &RepoName,
        base: ObjectId,
        entries: &[NewEntry],
    ) -> Result<ObjectId> {
        let size = entries.iter().map(|entry| entry.size()).sum();
        let tree = entries.iter().map(|entry| NewEntryJson {
            path: entry.path.as_str(),
            mode: entry.mode.as_str(),
            kind: BLOB,
            content: (&entry.content).into(),
        });
        let body = NewTree { base_tree: base.to_string(), tree: tree.collect() };
        let url = self.repo_route(repo, ["git", "trees"]);
        let call = Call::post("/repos/{owner}/{repo}/git/trees", url).upload().json(&body, size)?;
        Ok(self.send(&call, Some(token)).await?.read::<Sha>()?.sha)
    }

    /// A new commit, on no branch yet. Author and committer are left to GitHub: only so it signs an App's commit.
    pub async fn create_commit(
        &self,
        token: &Token,
        repo: &RepoName,
        message: &CommitMessage,
        tree: ObjectId,
        parent: ObjectId,
    ) -> Result<Commit> {
        let body = NewCommit {
            message: message.as_str(),
            tree: tree.to_string(),
            parents: [parent.to_string()],
        };
        let url = self.repo_route(repo, ["git", "commits"]);
        let call = Call::post("/repos/{owner}/{repo}/git/commits", url).json(&body, 0)?;
        Ok(self.send(&call, Some(token)).await?.read::<CommitJson>()?.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_removed_file_is_an_explicit_null() {
        let entry = NewEntryJson {
            path: "a",
            mode: "100644",
            kind: BLOB,
            content: (&Content::Delete).into(),
        };
        let json = serde_json::to_string(&entry).unwrap();
        assert_eq!(json, r#"{"path":"a","mode":"100644","type":"blob","sha":null}"#);
    }

    #[test]
    fn reads_trees() {
        let json = r#"{"sha":"x","tree":[
            {"path":"a b","mode":"100755","type":"blob","sha":"e69de29bb2d1d6434b8b29ae775ad8c2e48c5391","size":0},
            {"path":"sub","mode":"160000","type":"commit","sha":"e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"}]}"#;
        let tree: Tree = serde_json::from_str(json).unwrap();
        assert_eq!(tree.entries[0].id, ObjectId::of_blob(b""));
        let modes = [tree.entries[0].mode, tree.entries[1].mode];
        assert_eq!(modes, [EntryMode::File(FileMode::Executable), EntryMode::Submodule]);
        assert!(!tree.truncated);
    }
}
