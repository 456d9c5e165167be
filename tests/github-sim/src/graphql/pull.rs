//! Pull requests.

use serde_json::{Value, json};

use super::connection::Connection;
use super::context::Context;
use super::execute::gap;
use super::node::{Answered, Arguments, Failure, Got, Node, text};
use crate::clock::iso;
use crate::git::Git;
use crate::level::Level;
use crate::rest;
use crate::urls::node_id;
use crate::world::{Issue, Meta, Pull};

/// A pull request by its number.
pub(super) fn by_number(context: &mut Context<'_>, repo: &Meta, number: u64) -> Answered {
    context.need(repo, "pull_requests", Level::Read)?;
    rest::refresh(context.hub, repo)?;
    let world = context.hub.world();
    let issue = world.repositories.get(&repo.id).and_then(|r| r.issues.get(&number));
    let found = issue.and_then(|issue| issue.pull.as_ref().map(|pull| (issue, pull)));
    match found {
        Some((issue, pull)) => Ok(Got::node(node(repo, issue, pull))),
        None => Err(Failure::not_found(format!(
            "Could not resolve to a PullRequest with the number of {number}."
        ))),
    }
}

fn node(repo: &Meta, issue: &Issue, pull: &Pull) -> Node {
    Node::Pull(repo.clone(), Box::new(issue.clone()), Box::new(pull.clone()))
}

/// The state in GraphQL's words.
fn state(issue: &Issue, pull: &Pull) -> &'static str {
    match (pull.merged_at, issue.open) {
        (Some(_), _) => "MERGED",
        (None, true) => "OPEN",
        (None, false) => "CLOSED",
    }
}

/// The pull requests of a repository, or those whose head is one branch.
pub(super) fn list(
    context: &mut Context<'_>,
    repo: &Meta,
    arguments: &Arguments,
    head: Option<&str>,
) -> Answered {
    context.need(repo, "pull_requests", Level::Read)?;
    rest::refresh(context.hub, repo)?;
    let states = arguments.get("states").and_then(Value::as_array);
    let head = head.or_else(|| text(arguments, "headRefName"));
    let base = text(arguments, "baseRefName");
    let mut nodes: Vec<(i64, u64, Node)> = {
        let world = context.hub.world();
        let issues = world.repositories.get(&repo.id).map(|r| r.issues.values());
        issues
            .into_iter()
            .flatten()
            .filter_map(|issue| issue.pull.as_ref().map(|pull| (issue, pull)))
            .filter(|(_, pull)| head.is_none_or(|head| head == pull.head))
            .filter(|(_, pull)| base.is_none_or(|base| base == pull.base))
            .filter(|(issue, pull)| {
                states.is_none_or(|states| states.iter().any(|s| s == state(issue, pull)))
            })
            .map(|(issue, pull)| (issue.updated_at, issue.number, node(repo, issue, pull)))
            .collect()
    };
    let order = arguments.get("orderBy");
    let is = |name: &str, value: &str| order.is_some_and(|order| order[name] == value);
    if is("field", "UPDATED_AT") {
        nodes.sort_by_key(|(updated, number, _)| (*updated, *number));
    }
    if is("direction", "DESC") {
        nodes.reverse();
    }
    let nodes = nodes.into_iter().map(|(_, _, node)| node).collect();
    Connection::of("PullRequestConnection", "PullRequestEdge", nodes, arguments)
}

/// Fields of `PullRequest`.
pub(super) fn resolve(
    context: &mut Context<'_>,
    repo: &Meta,
    issue: &Issue,
    pull: &Pull,
    field: &str,
) -> Answered {
    let number = issue.number;
    Ok(match field {
        "id" => node_id("PullRequest", &format!("{}:{number}", repo.id)).into(),
        "fullDatabaseId" => pull.id.to_string().into(),
        "number" => number.into(),
        "title" => issue.title.clone().into(),
        "body" => issue.body.clone().unwrap_or_default().into(),
        "state" => state(issue, pull).into(),
        "closed" => (!issue.open).into(),
        "merged" => pull.merged_at.is_some().into(),
        "mergedAt" => json!(pull.merged_at.map(iso)).into(),
        "createdAt" => iso(issue.created_at).into(),
        "updatedAt" => iso(issue.updated_at).into(),
        "isDraft" => pull.draft.into(),
        "isCrossRepository" => false.into(),
        "headRefName" => pull.head.clone().into(),
        "headRefOid" => pull.head_sha.clone().into(),
        "baseRefName" => pull.base.clone().into(),
        "baseRefOid" => pull.base_sha.clone().into(),
        "url" => format!("{}/{}/pull/{number}", context.hub.urls.web, repo.full_name()).into(),
        "repository" => Got::node(Node::Repository(repo.clone())),
        "author" => account(context, issue.user_id),
        "mergeable" => match rest::mergeable(context.hub, repo, issue, pull)?.0 {
            Some(true) => "MERGEABLE",
            Some(false) => "CONFLICTING",
            None => "UNKNOWN",
        }
        .into(),
        "autoMergeRequest" => Got::maybe(pull.auto_merge.as_ref().map(|_| {
            Node::AutoMerge(repo.clone(), Box::new(issue.clone()), Box::new(pull.clone()))
        })),
        "additions" | "deletions" | "changedFiles" => {
            let git = Git::at(&repo.dir);
            let base = git.merge_base(&pull.base_sha, &pull.head_sha);
            let changes = git.changes(base.as_deref(), &pull.head_sha)?;
            match field {
                "additions" => changes.iter().map(|c| c.additions).sum::<u64>().into(),
                "deletions" => changes.iter().map(|c| c.deletions).sum::<u64>().into(),
                _ => changes.len().into(),
            }
        }
        _ => return Err(gap("PullRequest", field)),
    })
}

fn account(context: &Context<'_>, id: u64) -> Got {
    Got::maybe(context.hub.world().accounts.get(&id).cloned().map(Node::Account))
}

/// Fields of `AutoMergeRequest`.
pub(super) fn auto_merge(
    context: &mut Context<'_>,
    repo: &Meta,
    issue: &Issue,
    pull: &Pull,
    field: &str,
) -> Answered {
    let Some((method, by)) = &pull.auto_merge else { return Ok(Value::Null.into()) };
    Ok(match field {
        "enabledBy" => account(context, *by),
        "mergeMethod" => method.clone().into(),
        "pullRequest" => Got::node(node(repo, issue, pull)),
        _ => return Err(gap("AutoMergeRequest", field)),
    })
}
