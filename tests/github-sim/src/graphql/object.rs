//! Git objects: commits, trees, blobs.

use serde_json::{Value, json};

use super::connection::Connection;
use super::context::Context;
use super::execute::gap;
use super::node::{Answered, Arguments, Got, Node, text};
use crate::clock::iso;
use crate::git::{Commit, Entry, Git, Ident};
use crate::urls::node_id;
use crate::world::Meta;

/// A blob longer than this is shown without its text.
const LONGEST_TEXT: usize = 512 * 1024;
/// Git takes a blob with a NUL in its first bytes for binary.
const LOOKED_AT: usize = 8000;

/// The object of an oid; null when there is none.
pub(super) fn by_oid(context: &mut Context<'_>, repo: &Meta, oid: &str) -> Answered {
    let Some(object) = context.reader(repo)?.read(oid)? else { return Ok(Value::Null.into()) };
    Ok(match object.kind.as_str() {
        "commit" => {
            let commit = context.reader(repo)?.commit(oid)?;
            Got::maybe(commit.map(|commit| Node::Commit(repo.clone(), Box::new(commit))))
        }
        "tree" => Got::node(Node::Tree(repo.clone(), object.oid)),
        "tag" => Got::node(Node::Tag(repo.clone(), object.oid)),
        _ => Got::node(Node::Blob(repo.clone(), object.oid, object.data)),
    })
}

/// The object of an expression such as `main:path/to/file`; null when there is none.
pub(super) fn by_expression(context: &mut Context<'_>, repo: &Meta, text: &str) -> Answered {
    let (revision, path) = match text.split_once(':') {
        Some((revision, path)) => (revision, Some(path)),
        None => (text, None),
    };
    let head = Git::at(&repo.dir).head(revision);
    let revision = head.as_deref().unwrap_or(if revision.is_empty() { "HEAD" } else { revision });
    let spec = match path {
        Some(path) => format!("{revision}:{}", path.trim_end_matches('/')),
        None => revision.to_owned(),
    };
    by_oid(context, repo, &spec)
}

/// Fields of `GitObject`.
pub(super) fn common(
    context: &mut Context<'_>,
    kind: &'static str,
    repo: &Meta,
    oid: &str,
    field: &str,
) -> Answered {
    Ok(match field {
        "id" => node_id(kind, &format!("{}:{oid}", repo.id)).into(),
        "oid" => oid.into(),
        "abbreviatedOid" => oid.get(..7).into(),
        "commitUrl" => format!("{}/{}/commit/{oid}", context.hub.urls.web, repo.full_name()).into(),
        "repository" => Got::node(Node::Repository(repo.clone())),
        _ => return Err(gap(kind, field)),
    })
}

/// Fields of `Commit`.
pub(super) fn commit(
    context: &mut Context<'_>,
    repo: &Meta,
    commit: &Commit,
    field: &str,
    arguments: &Arguments,
) -> Answered {
    let git = Git::at(&repo.dir);
    let message = commit.message.trim_end_matches('\n');
    let (headline, body) = message.split_once('\n').unwrap_or((message, ""));
    Ok(match field {
        "author" => Got::node(Node::GitActor(commit.author.clone())),
        "committer" => Got::node(Node::GitActor(commit.committer.clone())),
        "authoredDate" => iso(commit.author.when).into(),
        "committedDate" => iso(commit.committer.when).into(),
        "message" => message.into(),
        "messageHeadline" => headline.into(),
        "messageBody" => body.trim_start_matches('\n').into(),
        "tree" => Got::node(Node::Tree(repo.clone(), commit.tree.clone())),
        "url" => {
            format!("{}/{}/commit/{}", context.hub.urls.web, repo.full_name(), commit.oid).into()
        }
        "signature" => {
            Got::maybe(commit.signature.as_ref().map(|_| Node::Signature(Box::new(commit.clone()))))
        }
        "file" => {
            let path = text(arguments, "path").unwrap_or_default();
            let entries = git.tree(&commit.oid, true)?;
            let found = entries.into_iter().find(|entry| entry.path == path);
            Got::maybe(found.map(|entry| Node::TreeEntry(repo.clone(), entry)))
        }
        "additions" | "deletions" | "changedFilesIfAvailable" => {
            let changes = git.changes(commit.parents.first().map(String::as_str), &commit.oid)?;
            match field {
                "additions" => changes.iter().map(|c| c.additions).sum::<u64>().into(),
                "deletions" => changes.iter().map(|c| c.deletions).sum::<u64>().into(),
                _ => changes.len().into(),
            }
        }
        "parents" => {
            let nodes = commits(&git, repo, &commit.parents)?;
            Connection::of("CommitConnection", "CommitEdge", nodes, arguments)?
        }
        "history" => {
            let mut options = vec![commit.oid.as_str()];
            if let Some(path) = text(arguments, "path") {
                options.extend(["--", path]);
            }
            let nodes = commits(&git, repo, &git.history(&options)?)?;
            Connection::of("CommitHistoryConnection", "CommitEdge", nodes, arguments)?
        }
        _ => return common(context, "Commit", repo, &commit.oid, field),
    })
}

fn commits(git: &Git, repo: &Meta, oids: &[String]) -> Result<Vec<Node>, super::node::Failure> {
    let commits = git.commits(oids)?;
    Ok(commits.into_iter().map(|c| Node::Commit(repo.clone(), Box::new(c))).collect())
}

/// Fields of `Tree`.
pub(super) fn tree(context: &mut Context<'_>, repo: &Meta, oid: &str, field: &str) -> Answered {
    if field != "entries" {
        return common(context, "Tree", repo, oid, field);
    }
    let entries = Git::at(&repo.dir).tree(oid, false)?;
    Ok(Got::Nodes(entries.into_iter().map(|entry| Node::TreeEntry(repo.clone(), entry)).collect()))
}

/// Fields of `TreeEntry`.
pub(super) fn entry(
    context: &mut Context<'_>,
    repo: &Meta,
    entry: &Entry,
    field: &str,
) -> Answered {
    let name = entry.path.rsplit('/').next().unwrap_or_default();
    Ok(match field {
        "name" => name.into(),
        "path" => entry.path.clone().into(),
        "extension" => {
            name.rsplit_once('.').map_or(String::new(), |(_, end)| format!(".{end}")).into()
        }
        // The mode is shown as the number that its octal digits mean.
        "mode" => u32::from_str_radix(&entry.mode, 8).unwrap_or(0).into(),
        "type" => entry.kind.clone().into(),
        "oid" => entry.oid.clone().into(),
        "size" => entry.size.unwrap_or(0).into(),
        "isGenerated" => false.into(),
        "object" => by_oid(context, repo, &entry.oid)?,
        _ => return Err(gap("TreeEntry", field)),
    })
}

/// Fields of `Blob`.
pub(super) fn blob(
    context: &mut Context<'_>,
    repo: &Meta,
    oid: &str,
    data: &[u8],
    field: &str,
) -> Answered {
    let binary = data.iter().take(LOOKED_AT).any(|byte| *byte == 0);
    Ok(match field {
        "byteSize" => data.len().into(),
        "isBinary" => binary.into(),
        "isTruncated" => (!binary && data.len() > LONGEST_TEXT).into(),
        "text" if binary => Value::Null.into(),
        "text" => {
            let end = data.len().min(LONGEST_TEXT);
            String::from_utf8_lossy(&data[..end]).into_owned().into()
        }
        _ => return common(context, "Blob", repo, oid, field),
    })
}

/// Fields of `GitActor`.
pub(super) fn actor(context: &mut Context<'_>, ident: &Ident, field: &str) -> Answered {
    Ok(match field {
        "name" => ident.name.clone().into(),
        "email" => ident.email.clone().into(),
        "date" => iso(ident.when).into(),
        "user" => {
            let world = context.hub.world();
            let mut users = world.accounts.values().filter(|a| a.type_name() == "User");
            Got::maybe(users.find(|a| a.email() == ident.email).cloned().map(Node::Account))
        }
        _ => return Err(gap("GitActor", field)),
    })
}

/// Fields of `GitSignature`.
pub(super) fn signature(commit: &Commit, field: &str) -> Answered {
    let valid = commit.verified();
    Ok(match field {
        "isValid" | "wasSignedByGitHub" => valid.into(),
        "state" => if valid { "VALID" } else { "UNKNOWN_KEY" }.into(),
        "signature" => json!(commit.signature).into(),
        _ => return Err(gap("GpgSignature", field)),
    })
}
