//! Trees over REST.

use serde_json::{Value, json};

use super::view;
use crate::git::{Content, Edit, Entry, Git, TreeError};
use crate::http::{Answer, Call, Input, Outcome, Refusal};
use crate::policy;

/// The most entries of a recursive listing.
const MOST_ENTRIES: usize = 100_000;
/// The most bytes of a recursive listing, roughly as GitHub counts them.
const MOST_BYTES: usize = 7 * 1024 * 1024;
/// About this much inline content is more than GitHub takes in one request.
const MOST_INLINE: usize = 2_500_000;

fn show(call: &Call<'_>, sha: &str, entries: Vec<Entry>) -> Result<Value, Refusal> {
    let api = view::api(&call.hub.urls, call.repo()?);
    let mut bytes = 0;
    let mut truncated = false;
    let mut shown = Vec::new();
    for entry in entries {
        bytes += entry.path.len() + 140;
        if shown.len() == MOST_ENTRIES || bytes > MOST_BYTES {
            truncated = true;
            break;
        }
        let mut one = json!({
            "path": entry.path, "mode": entry.mode, "type": entry.kind, "sha": entry.oid,
        });
        if entry.kind != "commit" {
            one["url"] = json!(format!("{api}/git/{}s/{}", entry.kind, entry.oid));
        }
        if let Some(size) = entry.size {
            one["size"] = json!(size);
        }
        shown.push(one);
    }
    Ok(json!({
        "sha": sha, "url": format!("{api}/git/trees/{sha}"), "tree": shown, "truncated": truncated,
    }))
}

pub(super) fn get(call: &Call<'_>) -> Outcome {
    let git = call.filled_git()?;
    let spec = call.param("ref");
    let tree = tree_oid(&git, spec).ok_or_else(Refusal::not_found)?;
    // GitHub takes any value, also `0` and `false`, for yes.
    let recursive = call.query("recursive").is_some();
    Ok(Answer::ok(show(call, &tree, git.tree(&tree, recursive)?)?))
}

/// The tree of a tree's oid, a commit's oid, or a branch or tag name.
pub(super) fn tree_oid(git: &Git, spec: &str) -> Option<String> {
    if spec.starts_with('-') {
        return None;
    }
    [format!("refs/heads/{spec}^{{tree}}"), format!("{spec}^{{tree}}")]
        .iter()
        .find_map(|spec| git.text(&["rev-parse", "--verify", "--quiet", spec]).ok())
}

pub(super) fn create(call: &Call<'_>) -> Outcome {
    let input = call.input()?;
    let git = call.filled_git()?;
    let list = input.needed_list("tree")?;
    let base = match input.text("base_tree")? {
        None => None,
        Some(base) => Some(
            tree_oid(&git, base)
                .ok_or_else(|| Refusal::new(422, "base_tree is not a valid tree oid"))?,
        ),
    };
    if list.is_empty() {
        return Err(Refusal::new(422, "Invalid tree info"));
    }
    let edits = list.iter().map(|v| edit(&Input::of("tree", v)?)).collect::<Result<Vec<_>, _>>()?;
    check_workflows(call, &edits)?;
    check_objects(&git, &edits)?;
    check_contents(call, &edits)?;
    let sha = git.edit_tree(base.as_deref(), &edits).map_err(|error| match error {
        TreeError::Missing(_) => Refusal::new(422, "GitRPC::BadObjectState"),
        // The paths contradict each other, or cannot stand in a tree.
        TreeError::Git(error) => {
            Refusal::new(422, format!("Invalid tree info ({})", error.command))
        }
    })?;
    Ok(Answer::created(show(call, &sha, git.tree(&sha, false)?)?))
}

/// One entry of the request.
fn edit(entry: &Input) -> Result<Edit, Refusal> {
    let malformed = |text: &str| Refusal::new(422, text);
    let path = entry.text("path")?.ok_or_else(|| malformed("tree.path missing"))?.to_owned();
    if !valid_path(&path) {
        return Err(malformed("tree.path contains a malformed path component"));
    }
    let content = entry.text("content")?;
    let sha = entry.text("sha")?;
    if content.is_none() && sha.is_none() && entry.has("sha") {
        return Ok(Edit::Delete { path });
    }
    let mode = entry.text("mode")?.ok_or_else(|| malformed("Must supply a valid tree.mode"))?;
    let kind = entry.text("type")?;
    let fits = match mode {
        "100644" | "100755" | "120000" => kind.is_none_or(|kind| kind == "blob"),
        "040000" => kind.is_none_or(|kind| kind == "tree"),
        "160000" => kind.is_none_or(|kind| kind == "commit"),
        _ => return Err(malformed("Must supply a valid tree.mode")),
    };
    if !fits {
        return Err(malformed("Must supply a valid tree.mode"));
    }
    match (sha, content) {
        (Some(_), Some(_)) => Err(malformed("Must supply either tree.sha or tree.content.")),
        (Some(oid), None) if mode == "040000" => Ok(Edit::Graft { path, oid: oid.to_owned() }),
        (Some(oid), None) => {
            Ok(Edit::Put { path, mode: mode.to_owned(), content: Content::Oid(oid.to_owned()) })
        }
        (None, Some(text)) => {
            let content = Content::Bytes(text.as_bytes().to_vec());
            Ok(Edit::Put { path, mode: mode.to_owned(), content })
        }
        (None, None) => Err(malformed("Must supply either tree.sha or tree.content.")),
    }
}

/// Whether a path may stand in a tree: no empty, dotted or `.git` part.
pub(crate) fn valid_path(path: &str) -> bool {
    !path.contains('\0')
        && path
            .split('/')
            .all(|part| !matches!(part, "" | "." | "..") && !part.eq_ignore_ascii_case(".git"))
}

/// An App gets 403 for workflow files, a person 404, without the permission for them.
fn check_workflows(call: &Call<'_>, edits: &[Edit]) -> Result<(), Refusal> {
    let touches = edits.iter().any(|edit| match edit {
        Edit::Put { path, .. } | Edit::Delete { path } => policy::is_workflow(path),
        Edit::Graft { path, .. } => path == ".github" || path == ".github/workflows",
    });
    if touches && !policy::may_change_workflows(call.hub, &call.caller, call.repo()?) {
        return Err(match call.caller.is_integration() {
            true => Refusal::new(403, "Resource not accessible by integration"),
            false => Refusal::not_found(),
        });
    }
    Ok(())
}

/// Every object that is named must be there and of the kind its mode says.
fn check_objects(git: &Git, edits: &[Edit]) -> Result<(), Refusal> {
    let named: Vec<(&str, &str)> = edits
        .iter()
        .filter_map(|edit| match edit {
            Edit::Put { mode, content: Content::Oid(oid), .. } if mode != "160000" => {
                Some((oid.as_str(), "blob"))
            }
            Edit::Graft { oid, .. } => Some((oid.as_str(), "tree")),
            _ => None,
        })
        .collect();
    let oids: Vec<&str> = named.iter().map(|(oid, _)| *oid).collect();
    let wrong =
        |oid: &str, kind: &str| Refusal::new(422, format!("tree.sha {oid} is not a valid {kind}"));
    let odd = |oid: &&str| oid.len() != 40 || !oid.bytes().all(|b| b.is_ascii_hexdigit());
    if let Some(oid) = oids.iter().copied().find(|oid| odd(oid)) {
        return Err(wrong(oid, "blob"));
    }
    for ((oid, kind), found) in named.iter().zip(git.kinds(&oids)?) {
        if found.as_deref() != Some(*kind) {
            return Err(wrong(oid, kind));
        }
    }
    Ok(())
}

fn check_contents(call: &Call<'_>, edits: &[Edit]) -> Result<(), Refusal> {
    let inline = || {
        edits.iter().filter_map(|edit| match edit {
            Edit::Put { content: Content::Bytes(data), .. } => Some(data.as_slice()),
            _ => None,
        })
    };
    if inline().map(<[u8]>::len).sum::<usize>() > MOST_INLINE {
        return Err(Refusal::new(
            422,
            "Sorry, your input was too large to process. Consider creating \
                                       the blobs/trees in a local clone of the repository and then \
                                       pushing it to GitHub.",
        ));
    }
    policy::check_secrets(call.hub, inline()).map_err(|violation| violation.refusal(409))
}
