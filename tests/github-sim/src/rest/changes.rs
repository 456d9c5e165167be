//! Differences: compare, and the files and commits of a pull request.

use serde_json::{Value, json};

use super::commits::resolve;
use super::{pulls, view};
use crate::git::Git;
use crate::http::{Answer, Call, Outcome, Page, Refusal, encode};

/// The most files that a comparison lists.
const MOST_FILES: usize = 300;

/// One side of a comparison: `branch`, `owner:branch` or `owner:repo:branch`, of this very repository.
fn side(call: &Call<'_>, git: &Git, spec: &str) -> Result<String, Refusal> {
    let repo = call.repo()?;
    let parts: Vec<&str> = spec.split(':').collect();
    let branch = match parts[..] {
        [branch] => Some(branch),
        [owner, branch] if owner.eq_ignore_ascii_case(&repo.owner) => Some(branch),
        [owner, name, branch]
            if owner.eq_ignore_ascii_case(&repo.owner) && name.eq_ignore_ascii_case(&repo.name) =>
        {
            Some(branch)
        }
        _ => None,
    };
    branch.and_then(|branch| resolve(git, branch)).ok_or_else(Refusal::not_found)
}

pub(super) fn compare(call: &Call<'_>) -> Outcome {
    let repo = call.repo()?;
    let git = call.git()?;
    if git.is_empty()? {
        return Err(Refusal::not_found());
    }
    let spec = call.param("basehead");
    let (base, head) = spec.split_once("...").ok_or_else(Refusal::not_found)?;
    let (base_oid, head_oid) = (side(call, &git, base)?, side(call, &git, head)?);
    let relation = git.compare(&base_oid, &head_oid)?.ok_or_else(|| {
        Refusal::new(404, format!("No common ancestor between {base} and {head}."))
    })?;
    let ahead = git.history(&["--reverse", &format!("{base_oid}..{head_oid}")])?;
    let total = ahead.len();
    let first_page = call.query("page").is_none_or(|page| page == "1");
    let page = Page::of(call, ahead);
    let commits = git.commits(&page.items)?;
    let ends = git.commits(&[base_oid, relation.merge_base.clone()])?;
    let changes =
        if first_page { git.changes(Some(&relation.merge_base), &head_oid)? } else { vec![] };
    let urls = &call.hub.urls;
    let files: Vec<Value> =
        changes.iter().take(MOST_FILES).map(|c| view::change(urls, repo, &head_oid, c)).collect();
    let (api, html) = (view::api(urls, repo), view::page(urls, repo));
    let range = format!("{}...{}", encode(base), encode(head));
    let world = call.hub.world();
    let show = |c: &_| view::commit(&world, urls, repo, c);
    let mut body = json!({
        "url": format!("{api}/compare/{range}"),
        "html_url": format!("{html}/compare/{range}"),
        "permalink_url": format!("{html}/compare/{range}"),
        "diff_url": format!("{html}/compare/{range}.diff"),
        "patch_url": format!("{html}/compare/{range}.patch"),
        "base_commit": ends.first().map(show),
        "merge_base_commit": ends.get(1).map(show),
        "status": relation.status(),
        "ahead_by": relation.ahead,
        "behind_by": relation.behind,
        "total_commits": total,
        "files": files,
    });
    body["commits"] = commits.iter().map(show).collect();
    let paged = page.map(|_| Value::Null).answer();
    let mut answer = Answer::ok(body);
    answer.headers = paged.headers;
    Ok(answer)
}

pub(super) fn pull_files(call: &Call<'_>) -> Outcome {
    let repo = call.repo()?;
    let (_, pull) = pulls::find(call)?;
    let git = call.git()?;
    let base = git.merge_base(&pull.base_sha, &pull.head_sha);
    let changes = git.changes(base.as_deref(), &pull.head_sha)?;
    let show = |c| view::change(&call.hub.urls, repo, &pull.head_sha, &c);
    Ok(Page::of(call, changes).map(show).answer())
}

pub(super) fn pull_commits(call: &Call<'_>) -> Outcome {
    let repo = call.repo()?;
    let (_, pull) = pulls::find(call)?;
    let git = call.git()?;
    let range = format!("{}..{}", pull.base_sha, pull.head_sha);
    let page = Page::of(call, git.history(&["--reverse", &range])?);
    let mut commits = git.commits(&page.items)?.into_iter();
    let world = call.hub.world();
    Ok(page
        .map(|_| match commits.next() {
            Some(commit) => view::commit(&world, &call.hub.urls, repo, &commit),
            None => Value::Null,
        })
        .answer())
}
