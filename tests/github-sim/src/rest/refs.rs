//! Refs over REST.

use serde_json::{Value, json};

use super::view;
use crate::git::{Git, Reference};
use crate::http::{Answer, Call, Outcome, Page, Refusal, encode};
use crate::policy::{self, Update};
use crate::urls::node_id;

fn show(call: &Call<'_>, reference: &Reference) -> Result<Value, Refusal> {
    let repo = call.repo()?;
    let api = view::api(&call.hub.urls, repo);
    let path: Vec<String> = reference.name.split('/').map(encode).collect();
    let kind = &reference.kind;
    Ok(json!({
        "ref": reference.name,
        "node_id": node_id("Ref", &format!("{}:{}", repo.id, reference.name)),
        "url": format!("{api}/git/{}", path.join("/")),
        "object": {
            "sha": reference.oid,
            "type": kind,
            "url": format!("{api}/git/{kind}s/{}", reference.oid),
        },
    }))
}

/// The full name of the ref in the path, which GitHub takes with and without `refs/`.
fn full_name(call: &Call<'_>) -> String {
    let name = call.param("ref");
    format!("refs/{}", name.strip_prefix("refs/").unwrap_or(name))
}

pub(super) fn get(call: &Call<'_>) -> Outcome {
    let found = call.filled_git()?.reference(&full_name(call))?.ok_or_else(Refusal::not_found)?;
    Ok(Answer::ok(show(call, &found)?))
}

pub(super) fn matching(call: &Call<'_>) -> Outcome {
    let found = call.filled_git()?.refs(&full_name(call))?;
    let shown = found.iter().map(|r| show(call, r)).collect::<Result<Vec<_>, _>>()?;
    Ok(Page::of(call, shown).answer())
}

/// The commit that a request wants a ref to point at.
fn wanted_commit(git: &Git, sha: &str) -> Result<String, Refusal> {
    let full = sha.len() == 40 && sha.bytes().all(|b| b.is_ascii_hexdigit());
    if !full {
        return Err(Refusal::new(
            422,
            "The sha parameter must be exactly 40 characters and contain \
                                       only [0-9a-f].",
        ));
    }
    git.commit_oid(sha).ok_or_else(|| Refusal::new(422, "Object does not exist"))
}

pub(super) fn create(call: &Call<'_>) -> Outcome {
    let input = call.input()?;
    let git = call.filled_git()?;
    let name = input.needed_text("ref")?;
    let sha = input.needed_text("sha")?;
    let long_enough = name.starts_with("refs/") && name.matches('/').count() >= 2;
    if !long_enough || !git.valid_ref_name(name) {
        return Err(Refusal::new(422, format!("{name} is not a valid ref name.")));
    }
    let new = wanted_commit(&git, sha)?;
    let repo = call.repo()?;
    let _writing = repo.writing.lock();
    if git.reference(name)?.is_some() {
        return Err(Refusal::new(422, "Reference already exists"));
    }
    if let Some(branch) = name.strip_prefix("refs/heads/") {
        let update = Update { branch, old: None, new: Some(&new), merge: false };
        policy::check(call.hub, repo, &git, &update).map_err(|v| v.refusal(422))?;
    }
    git.move_ref(name, None, &new).map_err(|_| Refusal::new(422, "Reference update failed"))?;
    call.hub.pushed(repo.id);
    let made = Reference { name: name.to_owned(), oid: new, kind: "commit".to_owned() };
    Ok(Answer::created(show(call, &made)?))
}

pub(super) fn update(call: &Call<'_>) -> Outcome {
    let input = call.input()?;
    let git = call.filled_git()?;
    let name = full_name(call);
    let force = input.flag("force")?.unwrap_or(false);
    let new = wanted_commit(&git, input.needed_text("sha")?)?;
    let repo = call.repo()?;
    let _writing = repo.writing.lock();
    let now = git.reference(&name)?.ok_or_else(|| Refusal::new(422, "Reference does not exist"))?;
    if !force && !git.is_ancestor(&now.oid, &new) {
        return Err(Refusal::new(422, "Update is not a fast forward"));
    }
    if let Some(branch) = name.strip_prefix("refs/heads/") {
        let update = Update { branch, old: Some(&now.oid), new: Some(&new), merge: false };
        policy::check(call.hub, repo, &git, &update).map_err(|v| v.refusal(422))?;
    }
    git.move_ref(&name, Some(&now.oid), &new)
        .map_err(|_| Refusal::new(422, "Reference update failed"))?;
    call.hub.pushed(repo.id);
    Ok(Answer::ok(show(call, &Reference { oid: new, ..now })?))
}

pub(super) fn delete(call: &Call<'_>) -> Outcome {
    let git = call.filled_git()?;
    let name = full_name(call);
    let repo = call.repo()?;
    let _writing = repo.writing.lock();
    let now = git.reference(&name)?.ok_or_else(|| Refusal::new(422, "Reference does not exist"))?;
    if let Some(branch) = name.strip_prefix("refs/heads/") {
        let update = Update { branch, old: Some(&now.oid), new: None, merge: false };
        policy::check(call.hub, repo, &git, &update).map_err(|v| v.refusal(422))?;
    }
    git.delete_ref(&name, &now.oid)?;
    Ok(Answer::empty())
}
