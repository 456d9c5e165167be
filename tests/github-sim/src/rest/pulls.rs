//! Pull requests.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};

use serde_json::{Value, json};

use super::{issues, merge, view};
use crate::clock::iso;
use crate::git::Git;
use crate::http::{Answer, Call, Input, Outcome, Page, Refusal};
use crate::hub::Hub;
use crate::urls::{Urls, node_id};
use crate::world::{Issue, Meta, Pull, World};

/// The longest body.
const LONGEST_BODY: usize = 65_536;
const LONGEST_TITLE: usize = 256;

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

/// The pull request of the path, up to date.
pub(super) fn find(call: &Call<'_>) -> Result<(Issue, Pull), Refusal> {
    let repo = call.repo()?;
    let number = call.id("pull_number")?;
    refresh(call.hub, repo)?;
    let world = call.hub.world();
    let issue = world
        .repositories
        .get(&repo.id)
        .and_then(|r| r.issues.get(&number))
        .ok_or_else(Refusal::not_found)?;
    let pull = issue.pull.clone().ok_or_else(Refusal::not_found)?;
    Ok((issue.clone(), pull))
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
fn full(call: &Call<'_>, issue: &Issue, pull: &Pull) -> Result<Value, Refusal> {
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

pub(super) fn get(call: &Call<'_>) -> Outcome {
    let (issue, pull) = find(call)?;
    Ok(Answer::ok(full(call, &issue, &pull)?))
}

pub(super) fn list(call: &Call<'_>) -> Outcome {
    let repo = call.repo()?;
    refresh(call.hub, repo)?;
    let state = call.query("state").unwrap_or("open");
    // Without the owner GitHub ignores the filter.
    let head = call.query("head").filter(|head| head.contains(':'));
    let base = call.query("base");
    let world = call.hub.world();
    let Some(repository) = world.repositories.get(&repo.id) else {
        return Err(Refusal::not_found());
    };
    let mut found: Vec<(&Issue, &Pull)> = repository
        .issues
        .values()
        .filter_map(|issue| issue.pull.as_ref().map(|pull| (issue, pull)))
        .filter(|(issue, _)| state == "all" || issue.open == (state == "open"))
        .filter(|(_, pull)| {
            let label = format!("{}:{}", repo.owner, pull.head);
            head.is_none_or(|head| head.eq_ignore_ascii_case(&label))
        })
        .filter(|(_, pull)| base.is_none_or(|base| base == pull.base))
        .collect();
    let by_update = call.query("sort") == Some("updated");
    let newest_first = match call.query("direction") {
        Some(direction) => direction == "desc",
        None => call.query("sort").is_none_or(|sort| sort == "created"),
    };
    let key = |issue: &Issue| (if by_update { issue.updated_at } else { 0 }, issue.number);
    match newest_first {
        true => found.sort_by_key(|(issue, _)| Reverse(key(issue))),
        false => found.sort_by_key(|(issue, _)| key(issue)),
    }
    let show = |(issue, pull)| simple(&world, &call.hub.urls, repo, issue, pull);
    Ok(Page::of(call, found).map(show).answer())
}

/// What creating and changing check alike.
fn check_text(input: &Input) -> Result<(), Refusal> {
    let too_long = |field: &str, most: usize| {
        Refusal::custom("PullRequest", format!("{field} is too long (maximum is {most} characters)"))
    };
    if input.text("body")?.is_some_and(|body| body.chars().count() > LONGEST_BODY) {
        return Err(too_long("body", LONGEST_BODY));
    }
    match input.text("title")? {
        Some(title) if title.trim().is_empty() => {
            Err(Refusal::invalid("PullRequest", "title", "missing_field"))
        }
        Some(title) if title.chars().count() > LONGEST_TITLE => {
            Err(too_long("title", LONGEST_TITLE))
        }
        _ => Ok(()),
    }
}

pub(super) fn create(call: &Call<'_>) -> Outcome {
    let input = call.input()?;
    let repo = call.repo()?;
    let title = input.needed_text("title")?.to_owned();
    let (head, base) = (input.needed_text("head")?, input.needed_text("base")?.to_owned());
    check_text(&input)?;
    let git = call.git()?;
    let base_sha =
        git.head(&base).ok_or_else(|| Refusal::invalid("PullRequest", "base", "invalid"))?;
    let head = match head.split_once(':') {
        None => Some(head),
        Some((owner, head)) => owner.eq_ignore_ascii_case(&repo.owner).then_some(head),
    };
    let invalid_head = || Refusal::invalid("PullRequest", "head", "invalid");
    let head = head.ok_or_else(invalid_head)?.to_owned();
    let head_sha = git.head(&head).ok_or_else(invalid_head)?;
    let draft = input.flag("draft")?.unwrap_or(false);
    if draft && !repo.allow_draft {
        let text = "Draft pull requests are not supported in this repository.";
        return Err(Refusal::custom("PullRequest", text));
    }
    if git.count(&format!("{base_sha}..{head_sha}"))? == 0 {
        return Err(Refusal::custom(
            "PullRequest",
            format!("No commits between {base} and {head}"),
        ));
    }
    if git.merge_base(&base_sha, &head_sha).is_none() {
        let text = format!("The {head} branch has no history in common with {base}");
        return Err(Refusal::custom("PullRequest", text));
    }
    let pull = Pull {
        id: 0,
        head,
        base,
        head_sha,
        base_sha,
        draft,
        maintainer_can_modify: input.flag("maintainer_can_modify")?.unwrap_or(false),
        reviewers: BTreeSet::new(),
        reviews: Vec::new(),
        merged_at: None,
        merged_by: None,
        merge_commit: None,
        auto_merge: None,
    };
    let body = input.text("body")?.map(str::to_owned);
    let (issue, pull) = open(call, repo, title, body, pull)?;
    Ok(Answer::created(full(call, &issue, &pull)?))
}

/// Numbers and stores a pull request, unless there is one for the same branches.
fn open(
    call: &Call<'_>,
    repo: &Meta,
    title: String,
    body: Option<String>,
    mut pull: Pull,
) -> Result<(Issue, Pull), Refusal> {
    let user = call.actor()?;
    refresh(call.hub, repo)?;
    let mut world = call.hub.world();
    let (id, pull_id) = (world.fresh_id(), world.fresh_id());
    let repository = world.repositories.get_mut(&repo.id).ok_or_else(Refusal::not_found)?;
    let same = |other: &Pull| other.head == pull.head && other.base == pull.base;
    if repository.issues.values().any(|i| i.open && i.pull.as_ref().is_some_and(same)) {
        return Err(Refusal::custom(
            "PullRequest",
            format!("A pull request already exists for {}:{}.", repo.owner, pull.head),
        ));
    }
    pull.id = pull_id;
    let now = call.now();
    let issue = Issue {
        id,
        number: repository.next_number(),
        title,
        body,
        user_id: user.id,
        open: true,
        labels: Vec::new(),
        assignees: Vec::new(),
        comments: Vec::new(),
        created_at: now,
        updated_at: now,
        closed_at: None,
        pull: Some(pull.clone()),
    };
    repository.issues.insert(issue.number, issue.clone());
    Ok((issue, pull))
}

/// `PATCH /repos/{owner}/{repo}/pulls/{pull_number}`
pub(super) fn update(call: &Call<'_>) -> Outcome {
    let input = call.input()?;
    check_text(&input)?;
    let (issue, pull) = find(call)?;
    let state = input.text("state")?;
    if state.is_some_and(|state| !["open", "closed"].contains(&state)) {
        return Err(Refusal::invalid("PullRequest", "state", "invalid"));
    }
    if state == Some("open") && pull.merged_at.is_some() {
        return Err(Refusal::custom("PullRequest", "state cannot be changed. The pull request is merged."));
    }
    let base = match input.text("base")? {
        None => None,
        Some(base) => {
            let sha = call.git()?.head(base);
            let invalid = || Refusal::invalid("PullRequest", "base", "invalid");
            Some((base.to_owned(), sha.ok_or_else(invalid)?))
        }
    };
    let now = call.now();
    call.change(|world, id| {
        let repository = world.repositories.get_mut(&id).ok_or_else(Refusal::not_found)?;
        let stored = repository.issues.get_mut(&issue.number).ok_or_else(Refusal::not_found)?;
        issues::apply(stored, &input, now)?;
        if let (Some((name, sha)), Some(pull)) = (base, &mut stored.pull) {
            (pull.base, pull.base_sha) = (name, sha);
        }
        Ok(())
    })?;
    let (issue, pull) = find(call)?;
    Ok(Answer::ok(full(call, &issue, &pull)?))
}
