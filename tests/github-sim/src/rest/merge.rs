//! Merging pull requests.

use serde_json::json;

use super::commits::web_flow;
use super::pulls;
use crate::git::{Git, NewCommit};
use crate::http::{Answer, Call, Outcome, Refusal};
use crate::hub::Hub;
use crate::policy::{self, Update};
use crate::world::{Issue, Meta, Pull, World};

/// GitHub's `mergeable` and `mergeable_state`.
pub(crate) fn mergeable(
    hub: &Hub,
    repo: &Meta,
    issue: &Issue,
    pull: &Pull,
) -> Result<(Option<bool>, &'static str), Refusal> {
    if !issue.open {
        return Ok((None, "unknown"));
    }
    let git = Git::at(&repo.dir);
    if git.merge_tree(&pull.base_sha, &pull.head_sha)?.is_none() {
        return Ok((Some(false), "dirty"));
    }
    if pull.draft {
        return Ok((Some(true), "draft"));
    }
    let update = Update {
        branch: &pull.base,
        old: Some(&pull.base_sha),
        new: Some(&pull.head_sha),
        merge: true,
    };
    let blocked = policy::check(hub, repo, &git, &update).is_err();
    Ok((Some(true), if blocked { "blocked" } else { "clean" }))
}

pub(super) fn merged(call: &Call<'_>) -> Outcome {
    match pulls::find(call)?.1.merged_at {
        Some(_) => Ok(Answer::empty()),
        None => Err(Refusal::not_found()),
    }
}

/// Notes that a pull request is merged.
pub(super) fn mark_merged(
    world: &mut World,
    repository: u64,
    number: u64,
    commit: &str,
    by: Option<u64>,
    now: i64,
) {
    let issue = world.repositories.get_mut(&repository).and_then(|r| r.issues.get_mut(&number));
    let Some(issue) = issue else { return };
    issue.open = false;
    issue.closed_at = Some(now);
    issue.updated_at = now;
    if let Some(pull) = &mut issue.pull {
        pull.merged_at = Some(now);
        pull.merged_by = by;
        pull.merge_commit = Some(commit.to_owned());
        pull.auto_merge = None;
    }
}

/// `PUT /repos/{owner}/{repo}/pulls/{pull_number}/merge`
pub(super) fn merge(call: &Call<'_>) -> Outcome {
    let input = call.input()?;
    let method = input.text("merge_method")?.unwrap_or("merge").to_owned();
    let repo = call.repo()?;
    let _writing = repo.writing.lock();
    let (issue, pull) = pulls::find(call)?;
    if pull.merged_at.is_some() || !issue.open || pull.draft {
        return Err(Refusal::new(405, "Pull Request is not mergeable"));
    }
    match method.as_str() {
        "merge" | "squash" => {}
        "rebase" => {
            return Err(Refusal::new(405, "Rebase merges are not allowed on this repository."));
        }
        _ => return Err(Refusal::new(422, "Invalid request.\n\nmerge_method is not valid.")),
    }
    if input.text("sha")?.is_some_and(|sha| sha != pull.head_sha) {
        return Err(Refusal::new(409, "Head branch was modified. Review and try the merge again."));
    }
    let git = call.git()?;
    let tree = git
        .merge_tree(&pull.base_sha, &pull.head_sha)?
        .ok_or_else(|| Refusal::new(405, "Pull Request is not mergeable"))?;
    let actor = call.actor()?;
    let authors = web_flow(&actor, call.now());
    let (title, parents) = if method == "merge" {
        let title =
            format!("Merge pull request #{} from {}/{}", issue.number, repo.owner, pull.head);
        (title, vec![pull.base_sha.clone(), pull.head_sha.clone()])
    } else {
        (format!("{} (#{})", issue.title, issue.number), vec![pull.base_sha.clone()])
    };
    let title = input.text("commit_title")?.map_or(title, str::to_owned);
    let text = input.text("commit_message")?.unwrap_or(&issue.title);
    let oid = git.write_commit(&NewCommit {
        tree,
        parents,
        author: authors.author,
        committer: authors.committer,
        message: format!("{title}\n\n{text}"),
        signed: true,
    })?;
    let update =
        Update { branch: &pull.base, old: Some(&pull.base_sha), new: Some(&oid), merge: true };
    policy::check(call.hub, repo, &git, &update).map_err(|violation| violation.refusal(405))?;
    git.move_ref(&format!("refs/heads/{}", pull.base), Some(&pull.base_sha), &oid).map_err(
        |_| Refusal::new(409, "Base branch was modified. Review and try the merge again."),
    )?;
    call.hub.pushed(repo.id);
    let now = call.now();
    let mut world = call.hub.world();
    mark_merged(&mut world, repo.id, issue.number, &oid, Some(actor.id), now);
    Ok(Answer::ok(json!({
        "sha": oid, "merged": true, "message": "Pull Request successfully merged",
    })))
}
