//! Issues and their comments. Every pull request is an issue too.

use serde_json::{Value, json};

use super::view;
use crate::clock::iso;
use crate::http::{Answer, Call, Input, Outcome, Page, Refusal};
use crate::urls::{Urls, node_id};
use crate::world::{Comment, Issue, Meta, World};

/// The labels of an issue.
pub(super) fn labels(world: &World, urls: &Urls, repo: &Meta, issue: &Issue) -> Vec<Value> {
    let Some(repository) = world.repositories.get(&repo.id) else { return Vec::new() };
    issue
        .labels
        .iter()
        .filter_map(|name| repository.labels.iter().find(|label| label.name == *name))
        .map(|label| super::labels::show(urls, repo, label))
        .collect()
}

/// GitHub's `issue`.
pub(crate) fn show(world: &World, urls: &Urls, repo: &Meta, issue: &Issue) -> Value {
    let (api, page) = (view::api(urls, repo), view::page(urls, repo));
    let number = issue.number;
    let me = format!("{api}/issues/{number}");
    let kind = if issue.pull.is_some() { "pull" } else { "issues" };
    let user = |id: &u64| world.accounts.get(id).map(|a| a.json(urls));
    let mut body = json!({
        "id": issue.id, "node_id": node_id("Issue", &issue.id.to_string()),
        "url": me, "repository_url": api,
        "labels_url": format!("{me}/labels{{/name}}"),
        "comments_url": format!("{me}/comments"), "events_url": format!("{me}/events"),
        "html_url": format!("{page}/{kind}/{number}"),
        "number": number, "state": if issue.open { "open" } else { "closed" },
        "state_reason": null, "title": issue.title, "body": issue.body,
        "user": user(&issue.user_id), "labels": labels(world, urls, repo, issue),
        "assignee": issue.assignees.first().and_then(user),
        "assignees": issue.assignees.iter().filter_map(user).collect::<Vec<_>>(),
        "milestone": null, "locked": false, "comments": issue.comments.len(),
        "closed_at": issue.closed_at.map(iso), "created_at": iso(issue.created_at),
        "updated_at": iso(issue.updated_at), "author_association": "CONTRIBUTOR",
    });
    if let Some(pull) = &issue.pull {
        body["pull_request"] = json!({
            "url": format!("{api}/pulls/{number}"),
            "html_url": format!("{page}/pull/{number}"),
            "diff_url": format!("{page}/pull/{number}.diff"),
            "patch_url": format!("{page}/pull/{number}.patch"),
            "merged_at": pull.merged_at.map(iso),
        });
    }
    body
}

/// Looks at the stored issue of the path.
pub(super) fn with<T>(
    call: &Call<'_>,
    look: impl FnOnce(&World, &Issue) -> T,
) -> Result<T, Refusal> {
    let number = call.id("issue_number")?;
    let repo = call.repo()?;
    let world = call.hub.world();
    let issue = world.repositories.get(&repo.id).and_then(|r| r.issues.get(&number));
    Ok(look(&world, issue.ok_or_else(Refusal::not_found)?))
}

/// Changes the stored issue of the path.
pub(super) fn change<T>(
    call: &Call<'_>,
    change: impl FnOnce(&mut Issue) -> Result<T, Refusal>,
) -> Result<T, Refusal> {
    let number = call.id("issue_number")?;
    call.change(|world, id| {
        let repository = world.repositories.get_mut(&id).ok_or_else(Refusal::not_found)?;
        change(repository.issues.get_mut(&number).ok_or_else(Refusal::not_found)?)
    })
}

/// The fields that issues and pull requests change alike.
pub(super) fn apply(issue: &mut Issue, input: &Input, now: i64) -> Result<(), Refusal> {
    if let Some(title) = input.text("title")? {
        issue.title = title.to_owned();
    }
    if input.has("body") {
        issue.body = input.text("body")?.map(str::to_owned);
    }
    if let Some(state) = input.text("state")? {
        issue.open = state == "open";
        issue.closed_at = (!issue.open).then_some(now);
    }
    issue.updated_at = now;
    Ok(())
}

pub(super) fn list(call: &Call<'_>) -> Outcome {
    let repo = call.repo()?;
    let world = call.hub.world();
    let state = call.query("state").unwrap_or("open");
    let wanted: Vec<&str> =
        call.query("labels").map(|l| l.split(',').collect()).unwrap_or_default();
    let Some(repository) = world.repositories.get(&repo.id) else {
        return Err(Refusal::not_found());
    };
    let shown = repository
        .issues
        .values()
        .rev()
        .filter(|issue| state == "all" || issue.open == (state == "open"))
        .filter(|issue| wanted.iter().all(|name| issue.labels.iter().any(|label| label == name)))
        .map(|issue| show(&world, &call.hub.urls, repo, issue))
        .collect();
    Ok(Page::of(call, shown).answer())
}

pub(super) fn get(call: &Call<'_>) -> Outcome {
    let repo = call.repo()?;
    with(call, |world, issue| Answer::ok(show(world, &call.hub.urls, repo, issue)))
}

pub(super) fn create(call: &Call<'_>) -> Outcome {
    let input = call.input()?;
    let repo = call.repo()?;
    let title = input.needed_text("title")?.to_owned();
    let body = input.text("body")?.map(str::to_owned);
    let labels = input.texts("labels")?.unwrap_or_default();
    let user = call.actor()?;
    let now = call.now();
    let mut world = call.hub.world();
    let labels = super::labels::ensure(&mut world, repo.id, &labels)?;
    let id = world.fresh_id();
    let repository = world.repositories.get_mut(&repo.id).ok_or_else(Refusal::not_found)?;
    let issue = Issue {
        id,
        number: repository.next_number(),
        title,
        body,
        user_id: user.id,
        open: true,
        labels,
        assignees: Vec::new(),
        comments: Vec::new(),
        created_at: now,
        updated_at: now,
        closed_at: None,
        pull: None,
    };
    repository.issues.insert(issue.number, issue.clone());
    Ok(Answer::created(show(&world, &call.hub.urls, repo, &issue)))
}

pub(super) fn update(call: &Call<'_>) -> Outcome {
    let input = call.input()?;
    let repo = call.repo()?;
    if input.text("state")?.is_some_and(|state| !["open", "closed"].contains(&state)) {
        return Err(Refusal::invalid("Issue", "state", "invalid"));
    }
    let labels = match input.texts("labels")? {
        Some(labels) => Some(super::labels::ensure(&mut call.hub.world(), repo.id, &labels)?),
        None => None,
    };
    let now = call.now();
    change(call, |issue| {
        apply(issue, &input, now)?;
        if let Some(labels) = labels {
            issue.labels = labels;
        }
        Ok(())
    })?;
    get(call)
}

fn show_comment(
    world: &World,
    urls: &Urls,
    repo: &Meta,
    issue: &Issue,
    comment: &Comment,
) -> Value {
    let (api, page) = (view::api(urls, repo), view::page(urls, repo));
    json!({
        "id": comment.id, "node_id": node_id("IssueComment", &comment.id.to_string()),
        "url": format!("{api}/issues/comments/{}", comment.id),
        "html_url": format!("{page}/issues/{}#issuecomment-{}", issue.number, comment.id),
        "issue_url": format!("{api}/issues/{}", issue.number),
        "user": world.accounts.get(&comment.user_id).map(|a| a.json(urls)),
        "body": comment.body, "author_association": "CONTRIBUTOR",
        "created_at": iso(comment.created_at), "updated_at": iso(comment.created_at),
    })
}

pub(super) fn comments(call: &Call<'_>) -> Outcome {
    let repo = call.repo()?;
    let shown = with(call, |world, issue| {
        let show = |c| show_comment(world, &call.hub.urls, repo, issue, c);
        issue.comments.iter().map(show).collect()
    })?;
    Ok(Page::of(call, shown).answer())
}

pub(super) fn comment(call: &Call<'_>) -> Outcome {
    let input = call.input()?;
    let repo = call.repo()?;
    let body = input.needed_text("body")?.to_owned();
    if body.is_empty() {
        return Err(Refusal::invalid("IssueComment", "body", "missing_field"));
    }
    let user_id = call.actor()?.id;
    let id = call.hub.world().fresh_id();
    let made = Comment { id, user_id, body, created_at: call.now() };
    change(call, |issue| {
        issue.comments.push(made.clone());
        Ok(())
    })?;
    let shown = with(call, |world, issue| show_comment(world, &call.hub.urls, repo, issue, &made))?;
    Ok(Answer::created(shown))
}
