//! `createCommitOnBranch`: files put and deleted in one commit that GitHub signs.

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::context::Context;
use super::mutations::{Fields, refused};
use super::node::{Arguments, Failure, text};
use super::{object, repository};
use crate::git::{Content, Edit, Git, NewCommit, TreeError};
use crate::level::Level;
use crate::policy::{self, Update};
use crate::rest::{valid_path, web_flow};
use crate::urls::read_node_id;
use crate::world::Meta;

/// From this many bytes of file contents on, GitHub refuses the commit.
const TOO_LARGE: usize = 40 * 1024 * 1024;

pub(super) fn create_on_branch(
    context: &mut Context<'_>,
    input: &Arguments,
) -> Result<Fields, Failure> {
    let (repo, branch) = branch(context, input)?;
    context.need(&repo, "contents", Level::Write)?;
    let edits = edits(input)?;
    check_edits(context, &repo, &edits)?;
    let git = Git::at(&repo.dir);
    let _writing = repo.writing.lock();
    let head = git.head(&branch).ok_or_else(|| Failure::not_found("Branch not found"))?;
    let expected = text(input, "expectedHeadOid").unwrap_or_default();
    if expected != head {
        return Err(Failure::new(
            "STALE_DATA",
            format!(
                "Expected branch to point to \"{expected}\" but it did not.  Pull and try again."
            ),
        ));
    }
    let tree = git.edit_tree(Some(&head), &edits).map_err(|error| match error {
        TreeError::Missing(path) => Failure::unprocessable(format!(
            "A path was requested for deletion which does not exist as of commit oid `{head}`: {path}"
        )),
        TreeError::Git(_) => Failure::unprocessable("The paths contradict each other."),
    })?;
    let actor = context.hub.world().actor(&context.caller).cloned();
    let actor = actor.ok_or_else(|| Failure::new("FORBIDDEN", "Nobody to commit as."))?;
    let authors = web_flow(&actor, context.hub.clock.seconds());
    let oid = git.write_commit(&NewCommit {
        tree,
        parents: vec![head.clone()],
        author: authors.author,
        committer: authors.committer,
        message: message(input),
        signed: authors.signed,
    })?;
    let update = Update { branch: &branch, old: Some(&head), new: Some(&oid), merge: false };
    policy::check(context.hub, &repo, &git, &update).map_err(|violation| refused(&violation))?;
    let name = format!("refs/heads/{branch}");
    git.move_ref(&name, Some(&head), &oid).map_err(|_| {
        let text =
            format!("Expected branch to point to \"{head}\" but it did not.  Pull and try again.");
        Failure::new("STALE_DATA", text)
    })?;
    context.hub.pushed(repo.id);
    context.forget_readers();
    Ok(vec![
        ("commit", object::by_oid(context, &repo, &oid)?),
        ("ref", repository::reference_node(context, &repo, &name)?),
    ])
}

/// The repository and the branch, by name or by the id of the ref.
fn branch(context: &Context<'_>, input: &Arguments) -> Result<(Meta, String), Failure> {
    let empty = Arguments::new();
    let branch = input.get("branch").and_then(Value::as_object).unwrap_or(&empty);
    if let Some(id) = text(branch, "id") {
        let repo = context.repository_of_node(id)?;
        let name = read_node_id(id)
            .and_then(|(_, key)| key.split_once(":refs/heads/").map(|(_, name)| name.to_owned()));
        return Ok((repo, name.ok_or_else(|| Failure::not_found("Branch not found"))?));
    }
    let both = (text(branch, "repositoryNameWithOwner"), text(branch, "branchName"));
    let (Some(full_name), Some(name)) = both else {
        return Err(Failure::unprocessable(
            "branch needs either id, or repositoryNameWithOwner and branchName.",
        ));
    };
    let (owner, repository) = full_name.split_once('/').unwrap_or((full_name, ""));
    let repo = context.repository(owner, repository)?;
    Ok((repo, name.strip_prefix("refs/heads/").unwrap_or(name).to_owned()))
}

/// The changes; every file becomes an ordinary one, whatever its mode was.
fn edits(input: &Arguments) -> Result<Vec<Edit>, Failure> {
    let list = |name: &str| {
        let changes = input.get("fileChanges").and_then(|changes| changes.get(name));
        changes.and_then(Value::as_array).cloned().unwrap_or_default()
    };
    let path = |value: &Value| value["path"].as_str().unwrap_or_default().to_owned();
    let mut edits: Vec<Edit> =
        list("deletions").iter().map(|v| Edit::Delete { path: path(v) }).collect();
    let mut bytes = 0;
    for addition in list("additions") {
        let contents = addition["contents"].as_str().unwrap_or_default();
        let data = STANDARD
            .decode(contents)
            .map_err(|_| Failure::unprocessable("contents is not valid Base64"))?;
        bytes += data.len();
        if bytes >= TOO_LARGE {
            return Err(Failure::unprocessable("The file changes are too large for one commit."));
        }
        let mode = "100644".to_owned();
        edits.push(Edit::Put { path: path(&addition), mode, content: Content::Bytes(data) });
    }
    Ok(edits)
}

fn check_edits(context: &Context<'_>, repo: &Meta, edits: &[Edit]) -> Result<(), Failure> {
    let mut paths = BTreeSet::new();
    let mut workflows = false;
    for edit in edits {
        let (Edit::Put { path, .. } | Edit::Delete { path } | Edit::Graft { path, .. }) = edit;
        if !valid_path(path) {
            return Err(Failure::unprocessable(format!("The path \"{path}\" is malformed.")));
        }
        if !paths.insert(path) {
            return Err(Failure::unprocessable(format!("The path \"{path}\" is given twice.")));
        }
        workflows |= policy::is_workflow(path);
    }
    if workflows && !policy::may_change_workflows(context.hub, &context.caller, repo) {
        return Err(crate::http::forbidden(&context.caller).into());
    }
    let contents = edits.iter().filter_map(|edit| match edit {
        Edit::Put { content: Content::Bytes(data), .. } => Some(data.as_slice()),
        _ => None,
    });
    policy::check_secrets(context.hub, contents).map_err(|violation| refused(&violation))
}

fn message(input: &Arguments) -> String {
    let empty = Arguments::new();
    let message = input.get("message").and_then(Value::as_object).unwrap_or(&empty);
    let headline = text(message, "headline").unwrap_or_default();
    match text(message, "body").filter(|body| !body.is_empty()) {
        Some(body) => format!("{headline}\n\n{body}"),
        None => headline.to_owned(),
    }
}
