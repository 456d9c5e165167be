//! Pull requests.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use serde_json::Value;

use super::issues;
use super::pull_view::{full, refresh, simple};
use crate::http::{Answer, Call, Input, Outcome, Page, Refusal};
use crate::world::{Issue, Meta, Pull};

/// The longest body.
const LONGEST_BODY: usize = 65_536;
const LONGEST_TITLE: usize = 256;

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
        Refusal::custom(
            "PullRequest",
            format!("{field} is too long (maximum is {most} characters)"),
        )
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
    Ok(Answer::created(unknown_yet(full(call, &issue, &pull)?)))
}

/// GitHub only begins to find out whether the branches merge when a pull request is opened or goes elsewhere.
fn unknown_yet(mut body: Value) -> Value {
    body["mergeable"] = Value::Null;
    body["mergeable_state"] = "unknown".into();
    body
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
        return Err(Refusal::custom(
            "PullRequest",
            "state cannot be changed. The pull request is merged.",
        ));
    }
    let base = input.text("base")?.filter(|base| *base != pull.base);
    let base = base.map(|base| new_base(call, &issue, &pull, base)).transpose()?;
    let goes_elsewhere = base.is_some();
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
    let body = full(call, &issue, &pull)?;
    Ok(Answer::ok(if goes_elsewhere { unknown_yet(body) } else { body }))
}

/// Another base branch and its commit, if the pull request can go there.
fn new_base(
    call: &Call<'_>,
    issue: &Issue,
    pull: &Pull,
    base: &str,
) -> Result<(String, String), Refusal> {
    let refused = |text: String| Err(Refusal::custom("PullRequest", text));
    let git = call.git()?;
    let sha = git.head(base).ok_or_else(|| Refusal::invalid("PullRequest", "base", "invalid"))?;
    if !issue.open {
        return refused("Cannot change the base branch of a closed pull request.".to_owned());
    }
    let head = &pull.head;
    let world = call.hub.world();
    let others = world.repositories.get(&call.repo()?.id).map(|r| r.issues.values());
    let mut pulls = others.into_iter().flatten().filter(|i| i.open).filter_map(|i| i.pull.as_ref());
    if pulls.any(|other| other.head == *head && other.base == base) {
        return refused(format!(
            "A pull request already exists for base branch '{base}' and head branch '{head}'"
        ));
    }
    drop(world);
    if git.count(&format!("{sha}..{}", pull.head_sha))? == 0 {
        return refused(format!(
            "There are no new commits between base branch '{base}' and head branch '{head}'"
        ));
    }
    Ok((base.to_owned(), sha))
}
