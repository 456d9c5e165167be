//! The head of a branch and the directories that matter, in one GraphQL query.

use std::{
    collections::{BTreeMap, HashMap},
    fmt::Write as _,
};

use serde::{Deserialize, de};
use serde_json::json;

use super::{
    At, Head, Look, RepositoryState, Snapshot, directories,
    listing::{Directory, assemble},
};
use crate::{
    domain::{Entry, EntryMode, ObjectId, RepoId, RepoName, Token},
    github::{
        GitHub,
        error::{Error, Kind, Result},
        wire::{or_default, parsed},
    },
};

/// Directories that one query asks for. GitHub bounds the work of a query in ways that it does not tell, and gives it 10 s; people
/// ask for hundreds of objects at once without trouble. What is too much for it is read over REST.
const DIRECTORIES_AT_ONCE: usize = 1000;

/// Bytes that their names have in one query. Their paths can be long, and nobody says what GitHub takes.
const NAMES_AT_ONCE: usize = 256 * 1024;

const ROUTE: &str = "repository";
const ROOT: &str = "repository(owner: $owner, name: $name)";
const REPOSITORY: &str = "id databaseId nameWithOwner isArchived isDisabled isEmpty";
const COMMIT: &str = "... on Commit { oid message url parents(first: 2) { nodes { oid } } \
                      tree { oid entries { name mode oid } } }";
const TREE: &str = "... on Tree { oid entries { name mode oid } }";

#[derive(Deserialize)]
struct Data {
    repository: Option<RepositoryJson>,
    /// By their aliases. Apart from the repository, whose names are known: what is not would be kept twice while it is read.
    #[serde(default)]
    directories: HashMap<String, Option<FoundJson>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RepositoryJson {
    id: String,
    database_id: i64,
    #[serde(deserialize_with = "parsed")]
    name_with_owner: RepoName,
    #[serde(default, deserialize_with = "or_default")]
    is_archived: bool,
    #[serde(default, deserialize_with = "or_default")]
    is_disabled: bool,
    #[serde(default, deserialize_with = "or_default")]
    is_empty: bool,
    branch: Option<RefJson<CommitJson>>,
    commit: Option<CommitJson>,
    beside: Option<RefJson<OidJson>>,
}

/// A directory; of a file or submodule nothing is asked, so that its object is empty.
#[derive(Deserialize)]
struct FoundJson {
    oid: Option<String>,
    entries: Option<Vec<EntryJson>>,
}

#[derive(Deserialize)]
struct RefJson<T> {
    target: Option<T>,
}

#[derive(Deserialize)]
struct OidJson {
    #[serde(deserialize_with = "parsed")]
    oid: ObjectId,
}

#[derive(Deserialize)]
struct CommitJson {
    #[serde(deserialize_with = "parsed")]
    oid: ObjectId,
    #[serde(default)]
    message: String,
    #[serde(default)]
    url: String,
    parents: ParentsJson,
    tree: TreeJson,
}

#[derive(Deserialize)]
struct ParentsJson {
    nodes: Vec<OidJson>,
}

#[derive(Deserialize)]
struct TreeJson {
    #[serde(deserialize_with = "parsed")]
    oid: ObjectId,
    entries: Vec<EntryJson>,
}

#[derive(Deserialize)]
struct EntryJson {
    name: String,
    #[serde(deserialize_with = "mode")]
    mode: EntryMode,
    #[serde(deserialize_with = "parsed")]
    oid: ObjectId,
}

/// GitHub writes a mode as the number that git's octal digits mean.
fn mode<'de, D: de::Deserializer<'de>>(
    deserializer: D,
) -> std::result::Result<EntryMode, D::Error> {
    let number = u32::deserialize(deserializer)?;
    EntryMode::of(number).ok_or_else(|| de::Error::custom("no mode of git"))
}

impl From<TreeJson> for Directory {
    fn from(json: TreeJson) -> Self {
        let entry = |entry: EntryJson| (entry.name, Entry { mode: entry.mode, id: entry.oid });
        Self { id: json.oid, entries: json.entries.into_iter().map(entry).collect() }
    }
}

impl GitHub {
    /// The snapshot; none if the branch moved while it was read. More directories than one query can have are read by
    /// further ones, at the commit that the first one found.
    pub(super) async fn query_snapshot(
        &self,
        token: &Token,
        look: &Look<'_>,
    ) -> Result<Option<Snapshot>> {
        let all: Vec<&str> = directories(look.paths).into_iter().collect();
        let mut chunks = chunks(&all);
        let first = chunks.next().unwrap_or_default();
        let (answer, mut below) = self.ask(token, look, first).await?;
        let state = RepositoryState {
            id: RepoId(answer.database_id),
            node_id: Some(answer.id),
            archived: answer.is_archived,
            disabled: answer.is_disabled,
            empty: answer.is_empty,
            name: answer.name_with_owner,
        };
        let beside = answer.beside.and_then(|found| found.target).map(|target| target.oid);
        let commit = answer.branch.and_then(|branch| branch.target).or(answer.commit);
        let Some(commit) = commit else {
            return Ok(Some(Snapshot { repository: state, head: None, beside }));
        };
        for more in chunks {
            let look = Look { at: At::Commit(commit.oid), ..*look };
            below.extend(self.ask(token, &look, more).await?.1);
        }
        let top = Directory::from(commit.tree);
        let Some(entries) = assemble(&top, &below, look.paths) else { return Ok(None) };
        let head = Head {
            id: commit.oid,
            tree: top.id,
            parents: commit.parents.nodes.into_iter().map(|parent| parent.oid).collect(),
            message: commit.message,
            url: commit.url,
            entries,
        };
        Ok(Some(Snapshot { repository: state, head: Some(head), beside }))
    }

    async fn ask<'a>(
        &self,
        token: &Token,
        look: &Look<'_>,
        directories: &[&'a str],
    ) -> Result<(RepositoryJson, Listed<'a>)> {
        // Full names: a tag may be called as a branch is.
        let (head, revision) = match look.at {
            At::Branch(branch) => {
                let name = format!("refs/heads/{branch}");
                (name.clone(), name)
            }
            At::Commit(id) => (id.to_string(), id.to_string()),
        };
        let mut variables = serde_json::Map::new();
        let mut set = |name: String, value: String| variables.insert(name, json!(value));
        set("owner".to_owned(), look.repository.owner().to_owned());
        set("name".to_owned(), look.repository.name().to_owned());
        set("head".to_owned(), head);
        set("beside".to_owned(), format!("refs/heads/{}", look.beside));
        for (n, directory) in directories.iter().enumerate() {
            set(alias(n), format!("{revision}:{directory}"));
        }
        let query = document(look.at, directories.len());
        let data: Data = self.query(token, (ROUTE, &query), variables).await?;
        // GitHub says what is wrong when there is no such repository.
        let nothing = || Error::new(Kind::Malformed, "GraphQL says nothing of the repository");
        let repository = data.repository.ok_or_else(nothing)?;
        Ok((repository, listed(data.directories, directories)?))
    }
}

/// The directories of each query.
fn chunks<'a, 'b>(all: &'a [&'b str]) -> impl Iterator<Item = &'a [&'b str]> {
    let (mut count, mut bytes) = (1, 0);
    all.chunk_by(move |_, next| {
        (count, bytes) = (count + 1, bytes + next.len());
        let fits = count <= DIRECTORIES_AT_ONCE && bytes <= NAMES_AT_ONCE;
        if !fits {
            (count, bytes) = (1, next.len());
        }
        fits
    })
}

fn alias(n: usize) -> String {
    format!("d{n}")
}

fn document(at: At<'_>, directories: usize) -> String {
    let (kind, head) = match at {
        At::Branch(_) => {
            ("String!", format!("branch: ref(qualifiedName: $head) {{ target {{ {COMMIT} }} }}"))
        }
        At::Commit(_) => ("GitObjectID!", format!("commit: object(oid: $head) {{ {COMMIT} }}")),
    };
    let mut variables = format!("$owner: String!, $name: String!, $head: {kind}, $beside: String!");
    let fields =
        format!("{REPOSITORY} {head} beside: ref(qualifiedName: $beside) {{ target {{ oid }} }}");
    let mut below = String::new();
    for alias in (0..directories).map(alias) {
        // Writing to a text does not fail.
        let _ = write!(variables, ", ${alias}: String!");
        let _ = write!(below, " {alias}: object(expression: ${alias}) {{ {TREE} }}");
    }
    if !below.is_empty() {
        below = format!(" directories: {ROOT} {{{below} }}");
    }
    format!("query ({variables}) {{ {ROOT} {{ {fields} }}{below} }}")
}

/// Directories by their paths; what is none, or not there, is none.
type Listed<'a> = BTreeMap<&'a str, Option<Directory>>;

fn listed<'a>(
    mut found: HashMap<String, Option<FoundJson>>,
    directories: &[&'a str],
) -> Result<Listed<'a>> {
    let mut listed = BTreeMap::new();
    for (n, path) in directories.iter().enumerate() {
        let directory = found.remove(&alias(n)).flatten().map(FoundJson::directory).transpose()?;
        listed.insert(*path, directory.flatten());
    }
    Ok(listed)
}

impl FoundJson {
    fn directory(self) -> Result<Option<Directory>> {
        match (self.oid.map(|id| id.parse()), self.entries) {
            (None, None) => Ok(None),
            (Some(Ok(oid)), Some(entries)) => Ok(Some(TreeJson { oid, entries }.into())),
            _ => Err(Error::new(
                Kind::Malformed,
                "a directory in the answer of GraphQL is not as documented",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{BranchName, FileMode};

    #[test]
    fn asks_for_just_the_directories_that_are_touched() {
        let branch: BranchName = "staging".parse().unwrap();
        let text = document(At::Branch(&branch), 2);
        assert!(text.starts_with("query ($owner: String!, $name: String!, $head: String!, $beside: String!, $d0: String!, $d1: String!)"));
        assert!(text.contains("branch: ref(qualifiedName: $head) { target { ... on Commit {"));
        assert!(text.contains(
            "d1: object(expression: $d1) { ... on Tree { oid entries { name mode oid } } }"
        ));
        assert!(!text.contains("d2"));
        assert!(text.contains(" directories: repository(owner: $owner, name: $name) { d0: "));
        assert!(!document(At::Branch(&branch), 0).contains("directories"));
        let at = At::Commit(ObjectId::of_blob(b""));
        assert!(document(at, 0).contains("commit: object(oid: $head) {"));
    }

    #[test]
    fn reads_modes_as_github_writes_them() {
        let json = r#"{"oid":"e69de29bb2d1d6434b8b29ae775ad8c2e48c5391","entries":[
            {"name":"a","mode":33188,"oid":"e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"},
            {"name":"b","mode":33261,"oid":"e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"},
            {"name":"c","mode":16384,"oid":"e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"},
            {"name":"d","mode":40960,"oid":"e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"},
            {"name":"e","mode":57344,"oid":"e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"}]}"#;
        let directory = Directory::from(serde_json::from_str::<TreeJson>(json).unwrap());
        let modes: Vec<EntryMode> = directory.entries.iter().map(|(_, entry)| entry.mode).collect();
        let (regular, executable) = (FileMode::Regular, FileMode::Executable);
        assert_eq!(
            modes,
            [
                EntryMode::File(regular),
                EntryMode::File(executable),
                EntryMode::Directory,
                EntryMode::Symlink,
                EntryMode::Submodule,
            ]
        );
    }
}
