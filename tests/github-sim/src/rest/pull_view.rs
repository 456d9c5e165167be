//! How pull requests look in JSON, and how they follow their branches.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::{issues, merge, view};
use crate::clock::iso;
use crate::git::Git;
use crate::http::{Call, Refusal};
use crate::hub::Hub;
use crate::urls::{Urls, node_id};
use crate::world::{Issue, Meta, Pull, World};

/// Brings the open pull requests up to date with their branches: heads and bases move, a pull request whose
/// head has come into its base is merged, and one whose head branch is gone is closed.
pub(crate) fn refresh(hub: &Hub, repo: &Meta) -> Result<(), Refusal> {
    let git = Git::at(&repo.dir);
    let heads: HashMap<String, String> = git
        .refs("refs/heads/")?
        .into_iter()
        .map(|r| (r.name.trim_start_matches("refs/heads/").to_owned(), r.oid))
        .collect();
    let now = hub.clock.seconds();
    let mut moved_bases = Vec::new();
    {
        let mut world = hub.world();
        let Some(repository) = world.repositories.get_mut(&repo.id) else { return Ok(()) };
        for issue in repository.issues.values_mut().filter(|issue| issue.open) {
            let Some(pull) = &mut issue.pull else { continue };
            if let Some(base) = heads.get(&pull.base).filter(|base| **base != pull.base_sha) {
                pull.base_sha.clone_from(base);
                moved_bases.push((issue.number, pull.base_sha.clone(), pull.head_sha.clone()));
            }
            match heads.get(&pull.head) {
                Some(head) if *head != pull.head_sha => {
                    pull.head_sha.clone_from(head);
                    issue.updated_at = now;
                }
                Some(_) => {}
                None => {
                    issue.open = false;
                    issue.closed_at = Some(now);
                }
            }
        }
    }
    for (number, base, head) in moved_bases {
        if git.is_ancestor(&head, &base) {
            let mut world = hub.world();
            merge::mark_merged(&mut world, repo.id, number, &base, None, now);
        }
    }
    Ok(())
}

/// GitHub's `pull-request-simple`.
pub(crate) fn simple(world: &World, urls: &Urls, repo: &Meta, issue: &Issue, pull: &Pull) -> Value {
    let (api, page) = (view::api(urls, repo), view::page(urls, repo));
    let number = issue.number;
    let me = format!("{api}/pulls/{number}");
    let html = format!("{page}/pull/{number}");
    let user = |id: &u64| world.accounts.get(id).map(|a| a.json(urls));
    let anonymous = crate::world::Caller::Anonymous;
    let repository = view::repository(world, urls, repo, &anonymous);
    let side = |branch: &str, sha: &str| {
        json!({
            "label": format!("{}:{branch}", repo.owner),
            "ref": branch, "sha": sha, "user": user(&repo.owner_id), "repo": repository,
        })
    };
    let reviewers: Vec<Value> = pull.reviewers.iter().filter_map(user).collect();
    let link = |url: String| json!({"href": url});
    let auto_merge = pull.auto_merge.as_ref().map(|(method, by)| {
        json!({
            "enabled_by": user(by), "merge_method": method.to_lowercase(),
            "commit_title": issue.title, "commit_message": "",
        })
    });
    let links = json!({
        "self": link(me.clone()), "html": link(html.clone()),
        "issue": link(format!("{api}/issues/{number}")),
        "comments": link(format!("{api}/issues/{number}/comments")),
        "review_comments": link(format!("{me}/comments")),
        "review_comment": link(format!("{api}/pulls/comments{{/number}}")),
        "commits": link(format!("{me}/commits")),
        "statuses": link(format!("{api}/statuses/{}", pull.head_sha)),
    });
    json!({
        "url": me, "id": pull.id,
        "node_id": node_id("PullRequest", &format!("{}:{number}", repo.id)),
        "html_url": html,
        "diff_url": format!("{html}.diff"), "patch_url": format!("{html}.patch"),
        "issue_url": format!("{api}/issues/{number}"),
        "commits_url": format!("{me}/commits"),
        "review_comments_url": format!("{me}/comments"),
        "review_comment_url": format!("{api}/pulls/comments{{/number}}"),
        "comments_url": format!("{api}/issues/{number}/comments"),
        "statuses_url": format!("{api}/statuses/{}", pull.head_sha),
        "number": number,
        "state": if issue.open { "open" } else { "closed" },
        "locked": false,
        "title": issue.title, "user": user(&issue.user_id), "body": issue.body,
        "labels": issues::labels(world, urls, repo, issue),
        "milestone": null, "active_lock_reason": null,
        "created_at": iso(issue.created_at), "updated_at": iso(issue.updated_at),
        "closed_at": issue.closed_at.map(iso), "merged_at": pull.merged_at.map(iso),
        "merge_commit_sha": pull.merge_commit,
        "assignee": issue.assignees.first().and_then(user),
        "assignees": issue.assignees.iter().filter_map(user).collect::<Vec<_>>(),
        "requested_reviewers": reviewers, "requested_teams": [],
        "head": side(&pull.head, &pull.head_sha),
        "base": side(&pull.base, &pull.base_sha),
        "_links": links,
        "author_association": "CONTRIBUTOR",
        "auto_merge": auto_merge,
        "draft": pull.draft,
    })
}

/// GitHub's `pull-request`: with what git has to be asked for.
pub(super) fn full(call: &Call<'_>, issue: &Issue, pull: &Pull) -> Result<Value, Refusal> {
    let repo = call.repo()?;
    let git = call.git()?;
    let base = git.merge_base(&pull.base_sha, &pull.head_sha);
    let changes = git.changes(base.as_deref(), &pull.head_sha)?;
    let commits = git.count(&format!("{}..{}", pull.base_sha, pull.head_sha))?;
    let (mergeable, state) = merge::mergeable(call.hub, repo, issue, pull)?;
    let world = call.hub.world();
    let mut body = simple(&world, &call.hub.urls, repo, issue, pull);
    let more = json!({
        "merged": pull.merged_at.is_some(),
        "mergeable": mergeable, "rebaseable": false, "mergeable_state": state,
        "merged_by": pull.merged_by.and_then(|id| world.accounts.get(&id)).map(|a| a.json(&call.hub.urls)),
        "comments": issue.comments.len(), "review_comments": 0,
        "maintainer_can_modify": pull.maintainer_can_modify,
        "commits": commits,
        "additions": changes.iter().map(|c| c.additions).sum::<u64>(),
        "deletions": changes.iter().map(|c| c.deletions).sum::<u64>(),
        "changed_files": changes.len(),
    });
    if let (Value::Object(body), Value::Object(more)) = (&mut body, more) {
        body.extend(more);
    }
    Ok(body)
}
