//! Files by their paths.

use bytes::Bytes;
use serde_json::{Value, json};

use super::blobs::{decode_base64, encode_base64};
use super::commits::{ident, resolve, web_flow};
use super::{trees, view};
use crate::git::{Content, Edit, Entry, Git, NewCommit};
use crate::http::{Answer, Call, Input, Outcome, Payload, Refusal, encode};
use crate::policy::{self, Update};

/// A file larger than this is answered without its content.
const LARGEST_INLINE: u64 = 1024 * 1024;

/// GitHub's `content-*` without what depends on the kind.
fn entry(call: &Call<'_>, path: &str, at: &str, found: &Entry) -> Result<Value, Refusal> {
    let repo = call.repo()?;
    let (api, page) = (view::api(&call.hub.urls, repo), view::page(&call.hub.urls, repo));
    let encoded: Vec<String> = path.split('/').map(encode).collect();
    let encoded = encoded.join("/");
    let url = format!("{api}/contents/{encoded}?ref={}", encode(at));
    let git_url = format!("{api}/git/{}s/{}", found.kind, found.oid);
    let kind = match (found.kind.as_str(), found.mode.as_str()) {
        ("tree", _) => "dir",
        ("commit", _) => "submodule",
        (_, "120000") => "symlink",
        _ => "file",
    };
    let word = if kind == "dir" { "tree" } else { "blob" };
    let html_url = format!("{page}/{word}/{at}/{encoded}");
    let download = (kind == "file").then(|| format!("{page}/raw/{at}/{encoded}"));
    Ok(json!({
        "type": kind,
        "name": path.rsplit('/').next(),
        "path": path,
        "sha": found.oid,
        "size": found.size.unwrap_or(0),
        "url": url, "git_url": git_url, "html_url": html_url, "download_url": download,
        "_links": {"self": url, "git": git_url, "html": html_url},
    }))
}

/// The entry at a path of a commit.
fn find(git: &Git, commit: &str, path: &str) -> Result<Option<Entry>, Refusal> {
    if path.is_empty() || path.starts_with('/') || path.ends_with('/') {
        return Ok(None);
    }
    let args = ["ls-tree", "-z", "-l", "--full-tree", commit, "--", path];
    let listing = String::from_utf8_lossy(&git.run(&args)?).into_owned();
    let record = listing.trim_end_matches('\0');
    let Some((head, found)) = record.split_once('\t') else { return Ok(None) };
    let words: Vec<&str> = head.split_whitespace().collect();
    let [mode, kind, oid, size] = words[..] else { return Ok(None) };
    Ok((found == path).then(|| Entry {
        mode: mode.to_owned(),
        kind: kind.to_owned(),
        oid: oid.to_owned(),
        size: size.parse().ok(),
        path: path.to_owned(),
    }))
}

pub(super) fn get(call: &Call<'_>) -> Outcome {
    let repo = call.repo()?;
    let git = call.git()?;
    let path = call.param("path");
    if git.is_empty()? {
        return Err(Refusal::new(404, "This repository is empty."));
    }
    let at = call.query("ref").unwrap_or(&repo.default_branch);
    let commit = resolve(&git, at)
        .ok_or_else(|| Refusal::new(404, format!("No commit found for the ref {at}")))?;
    if path.is_empty() {
        return directory(call, &git, &commit, path, at);
    }
    let found = find(&git, &commit, path)?.ok_or_else(Refusal::not_found)?;
    if found.kind == "tree" {
        return directory(call, &git, &found.oid, path, at);
    }
    let mut body = entry(call, path, at, &found)?;
    if found.kind == "commit" {
        return Ok(Answer::ok(body));
    }
    let data = git.object(&found.oid)?.ok_or_else(Refusal::not_found)?.data;
    if call.wants_raw() {
        let kind = "application/vnd.github.raw; charset=utf-8";
        return Ok(Answer::new(200, Payload::Raw(kind, Bytes::from(data))));
    }
    let large = found.size.unwrap_or(0) > LARGEST_INLINE;
    body["encoding"] = json!(if large { "none" } else { "base64" });
    body["content"] = json!(if large { String::new() } else { encode_base64(&data) });
    if found.mode == "120000" {
        body["target"] = json!(String::from_utf8_lossy(&data));
    }
    Ok(Answer::ok(body))
}

fn directory(call: &Call<'_>, git: &Git, tree: &str, path: &str, at: &str) -> Outcome {
    let mut shown = Vec::new();
    for found in git.tree(tree, false)? {
        let full =
            if path.is_empty() { found.path.clone() } else { format!("{path}/{}", found.path) };
        shown.push(entry(call, &full, at, &found)?);
    }
    Ok(Answer::ok(Value::Array(shown)))
}

/// What both ways of changing a file share: the branch, its head and the file that is there.
struct Target {
    git: Git,
    branch: String,
    head: Option<String>,
    found: Option<Entry>,
}

fn target(call: &Call<'_>, input: &Input) -> Result<Target, Refusal> {
    let repo = call.repo()?;
    let git = call.git()?;
    let path = call.param("path");
    if !trees::valid_path(path) {
        return Err(Refusal::new(422, "path contains a malformed path component"));
    }
    let branch = input.text("branch")?.unwrap_or(&repo.default_branch);
    let branch = branch.strip_prefix("refs/heads/").unwrap_or(branch).to_owned();
    let head = git.head(&branch);
    if head.is_none() && !git.is_empty()? {
        return Err(Refusal::new(404, format!("Branch {branch} not found")));
    }
    let found = match &head {
        Some(head) => find(&git, head, path)?,
        None => None,
    };
    if policy::is_workflow(path) && !policy::may_change_workflows(call.hub, &call.caller, repo) {
        return Err(match call.caller.is_integration() {
            true => call.forbidden(),
            false => Refusal::not_found(),
        });
    }
    Ok(Target { git, branch, head, found })
}

/// Commits an edit onto the target's branch.
fn commit(call: &Call<'_>, input: &Input, target: &Target, edit: Edit) -> Result<Value, Refusal> {
    let repo = call.repo()?;
    let Target { git, branch, head, .. } = target;
    let now = call.now();
    let tree = git.edit_tree(head.as_deref(), &[edit]).map_err(|error| match error {
        crate::git::TreeError::Missing(_) => Refusal::not_found(),
        crate::git::TreeError::Git(_) => Refusal::new(422, "path cannot be written"),
    })?;
    let mut authors = web_flow(&call.actor()?, now);
    let (author, committer) = (ident(input, "author", now)?, ident(input, "committer", now)?);
    authors.signed = author.is_none() && committer.is_none();
    authors.author = author.or_else(|| committer.clone()).unwrap_or(authors.author);
    authors.committer = committer.unwrap_or(authors.committer);
    let oid = git.write_commit(&NewCommit {
        tree,
        parents: head.iter().cloned().collect(),
        author: authors.author,
        committer: authors.committer,
        message: input.needed_text("message")?.to_owned(),
        signed: authors.signed,
    })?;
    let update = Update { branch, old: head.as_deref(), new: Some(&oid), merge: false };
    policy::check(call.hub, repo, git, &update).map_err(|violation| violation.refusal(409))?;
    let name = format!("refs/heads/{branch}");
    git.move_ref(&name, head.as_deref(), &oid)
        .map_err(|_| Refusal::new(409, format!("is at another commit but expected {head:?}")))?;
    call.hub.pushed(repo.id);
    let made = git.commit(&oid)?.ok_or_else(Refusal::not_found)?;
    Ok(view::git_commit(&call.hub.urls, repo, &made))
}

/// The sha of the file as the caller last saw it must be the one that is there.
fn check_sha(path: &str, given: Option<&str>, found: Option<&Entry>) -> Result<(), Refusal> {
    match (given, found) {
        (None, Some(_)) => Err(Refusal::new(422, "Invalid request.\n\n\"sha\" wasn't supplied.")),
        (Some(given), Some(found)) if given != found.oid => {
            Err(Refusal::new(409, format!("{path} does not match {given}")))
        }
        (Some(given), None) => Err(Refusal::new(409, format!("{path} does not match {given}"))),
        _ => Ok(()),
    }
}

pub(super) fn put(call: &Call<'_>) -> Outcome {
    let input = call.input()?;
    input.needed_text("message")?;
    let data = decode_base64(input.needed_text("content")?)
        .ok_or_else(|| Refusal::new(422, "content is not valid Base64"))?;
    let repo = call.repo()?;
    let _writing = repo.writing.lock();
    let target = target(call, &input)?;
    let path = call.param("path").to_owned();
    check_sha(&path, input.text("sha")?, target.found.as_ref())?;
    policy::check_secrets(call.hub, std::iter::once(data.as_slice()))
        .map_err(|violation| violation.refusal(409))?;
    let mode = target.found.as_ref().map_or("100644", |f| f.mode.as_str()).to_owned();
    let edit = Edit::Put { path: path.clone(), mode, content: Content::Bytes(data) };
    let made = commit(call, &input, &target, edit)?;
    let now = made.get("sha").and_then(Value::as_str).unwrap_or_default();
    let found = find(&target.git, now, &path)?.ok_or_else(Refusal::not_found)?;
    let content = entry(call, &path, &target.branch, &found)?;
    let status = if target.found.is_some() { 200 } else { 201 };
    Ok(Answer::new(status, Payload::Json(json!({"content": content, "commit": made}))))
}

pub(super) fn delete(call: &Call<'_>) -> Outcome {
    // A DELETE may carry its fields in the body or in the query.
    let mut fields = serde_json::Map::new();
    for (name, value) in &call.query {
        fields.insert(name.clone(), json!(value));
    }
    let input = if call.body.is_empty() {
        Input::of("query", &Value::Object(fields))?
    } else {
        call.input()?
    };
    input.needed_text("message")?;
    let sha = input.needed_text("sha")?;
    let repo = call.repo()?;
    let _writing = repo.writing.lock();
    let target = target(call, &input)?;
    let path = call.param("path").to_owned();
    let found =
        target.found.as_ref().filter(|f| f.kind == "blob").ok_or_else(Refusal::not_found)?;
    check_sha(&path, Some(sha), Some(found))?;
    let made = commit(call, &input, &target, Edit::Delete { path })?;
    Ok(Answer::ok(json!({"content": null, "commit": made})))
}
