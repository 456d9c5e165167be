//! Mutations of refs and pull requests. Commits have a file of their own.

use serde_json::Value;

use super::context::Context;
use super::execute::gap;
use super::node::{Answered, Arguments, Failure, Got, Node, text};
use super::{commit, pull, repository};
use crate::git::{Git, ZERO};
use crate::level::Level;
use crate::policy::{self, Update, Violation};
use crate::rest;
use crate::urls::read_node_id;
use crate::world::{Meta, Pull};

/// Fields of `Mutation`.
pub(super) fn resolve(context: &mut Context<'_>, field: &str, arguments: &Arguments) -> Answered {
    let empty = Arguments::new();
    let input = arguments.get("input").and_then(Value::as_object).unwrap_or(&empty);
    let (type_name, mut fields) = match field {
        "createCommitOnBranch" => {
            ("CreateCommitOnBranchPayload", commit::create_on_branch(context, input)?)
        }
        "createRef" => ("CreateRefPayload", create_ref(context, input)?),
        "updateRefs" => ("UpdateRefsPayload", update_refs(context, input)?),
        "enablePullRequestAutoMerge" => {
            ("EnablePullRequestAutoMergePayload", enable_auto_merge(context, input)?)
        }
        "markPullRequestReadyForReview" => {
            ("MarkPullRequestReadyForReviewPayload", ready_for_review(context, input)?)
        }
        _ => return Err(gap("Mutation", field)),
    };
    let id = input.get("clientMutationId").cloned().unwrap_or(Value::Null);
    fields.push(("clientMutationId", id.into()));
    // What was just written is to be read by what follows in the same document.
    context.forget_readers();
    Ok(Got::node(Node::Payload(type_name, fields)))
}

pub(super) type Fields = Vec<(&'static str, Got)>;

/// How a broken rule looks in GraphQL.
pub(super) fn refused(violation: &Violation) -> Failure {
    if violation.classic {
        return Failure::new("BRANCH_PROTECTION_RULE_VIOLATION", violation.message());
    }
    Failure::unprocessable(violation.message())
}

fn check(
    context: &Context<'_>,
    repo: &Meta,
    git: &Git,
    name: &str,
    old: Option<&str>,
    new: Option<&str>,
) -> Result<(), Failure> {
    let Some(branch) = name.strip_prefix("refs/heads/") else { return Ok(()) };
    let update = Update { branch, old, new, merge: false };
    policy::check(context.hub, repo, git, &update).map_err(|violation| refused(&violation))
}

fn create_ref(context: &mut Context<'_>, input: &Arguments) -> Result<Fields, Failure> {
    let repo = context.repository_of_node(text(input, "repositoryId").unwrap_or_default())?;
    context.need(&repo, "contents", Level::Write)?;
    let (name, oid) =
        (text(input, "name").unwrap_or_default(), text(input, "oid").unwrap_or_default());
    let git = Git::at(&repo.dir);
    if !name.starts_with("refs/") || !git.valid_ref_name(name) {
        return Err(Failure::unprocessable(format!("{name} is not a valid ref name.")));
    }
    let new = git.commit_oid(oid).ok_or_else(|| {
        Failure::not_found(format!("Could not resolve to a commit with the oid of '{oid}'."))
    })?;
    let _writing = repo.writing.lock();
    if git.reference(name)?.is_some() {
        let text = format!("A ref named \"{name}\" already exists in the repository.");
        return Err(Failure::unprocessable(text));
    }
    check(context, &repo, &git, name, None, Some(&new))?;
    git.move_ref(name, None, &new)
        .map_err(|_| Failure::unprocessable("Reference update failed"))?;
    context.hub.pushed(repo.id);
    Ok(vec![("ref", repository::reference_node(context, &repo, name)?)])
}

/// Moves all refs or none, each only from where the caller says it is.
fn update_refs(context: &mut Context<'_>, input: &Arguments) -> Result<Fields, Failure> {
    let repo = context.repository_of_node(text(input, "repositoryId").unwrap_or_default())?;
    context.need(&repo, "contents", Level::Write)?;
    let git = Git::at(&repo.dir);
    let _writing = repo.writing.lock();
    let mut moves = Vec::new();
    let empty = Vec::new();
    for update in input.get("refUpdates").and_then(Value::as_array).unwrap_or(&empty) {
        let value = |name: &str| update.get(name).and_then(Value::as_str);
        let name = value("name").unwrap_or_default();
        let after = value("afterOid").unwrap_or_default();
        let force = update.get("force").and_then(Value::as_bool).unwrap_or(false);
        if !git.valid_ref_name(name) {
            return Err(Failure::unprocessable(format!("{name} is not a valid ref name.")));
        }
        let old = git.reference(name)?.map(|r| r.oid);
        if let Some(before) = value("beforeOid") {
            let now = old.as_deref().unwrap_or(ZERO);
            if before != now {
                return Err(Failure::new(
                    "STALE_DATA",
                    format!(
                        "Expected \"{name}\" to point to \"{before}\" but it points to \"{now}\"."
                    ),
                ));
            }
        }
        let new = match after {
            ZERO => None,
            oid => Some(git.commit_oid(oid).ok_or_else(|| {
                Failure::unprocessable(format!("The object {oid} does not exist."))
            })?),
        };
        if let (Some(old), Some(new), false) = (&old, &new, force)
            && !git.is_ancestor(old, new)
        {
            return Err(Failure::unprocessable("Update is not a fast forward"));
        }
        check(context, &repo, &git, name, old.as_deref(), new.as_deref())?;
        moves.push((name.to_owned(), old, new));
    }
    git.move_refs(&moves).map_err(|_| Failure::unprocessable("Reference update failed"))?;
    context.hub.pushed(repo.id);
    Ok(Vec::new())
}

/// The pull request of a node id, with its repository.
fn find(context: &mut Context<'_>, input: &Arguments) -> Result<(Meta, u64), Failure> {
    let id = text(input, "pullRequestId").unwrap_or_default();
    let repo = context.repository_of_node(id)?;
    context.need(&repo, "pull_requests", Level::Write)?;
    rest::refresh(context.hub, &repo)?;
    let number = read_node_id(id).and_then(|(kind, key)| {
        let (_, number) = key.split_once(':')?;
        (kind == "PullRequest").then(|| number.parse().ok())?
    });
    let unknown =
        || Failure::not_found(format!("Could not resolve to a node with the global id of '{id}'."));
    Ok((repo, number.ok_or_else(unknown)?))
}

/// Changes a stored pull request that is open.
fn change(
    context: &Context<'_>,
    repo: &Meta,
    number: u64,
    change: impl FnOnce(&mut Pull),
) -> Result<(), Failure> {
    let mut world = context.hub.world();
    let issue = world.repositories.get_mut(&repo.id).and_then(|r| r.issues.get_mut(&number));
    match issue.and_then(|issue| issue.pull.as_mut().filter(|_| issue.open)) {
        Some(pull) => {
            change(pull);
            Ok(())
        }
        None => Err(Failure::unprocessable("The pull request is closed.")),
    }
}

fn enable_auto_merge(context: &mut Context<'_>, input: &Arguments) -> Result<Fields, Failure> {
    let (repo, number) = find(context, input)?;
    context.need(&repo, "contents", Level::Write)?;
    if !repo.allow_auto_merge {
        return Err(Failure::unprocessable("Auto merge is not allowed for this repository"));
    }
    let (issue, pull) = {
        let world = context.hub.world();
        let issue = world.repositories.get(&repo.id).and_then(|r| r.issues.get(&number)).cloned();
        let issue =
            issue.ok_or_else(|| Failure::not_found("Could not resolve to a PullRequest."))?;
        let pull = issue.pull.clone();
        (issue, pull.ok_or_else(|| Failure::not_found("Could not resolve to a PullRequest."))?)
    };
    if text(input, "expectedHeadOid").is_some_and(|oid| oid != pull.head_sha) {
        return Err(Failure::unprocessable("The head of the pull request has changed."));
    }
    // Nothing to wait for, or nothing that waiting would help.
    let state = rest::mergeable(context.hub, &repo, &issue, &pull)?.1;
    if matches!(state, "clean" | "draft") {
        let text = format!("Pull request Pull request is in {state} status");
        return Err(Failure::unprocessable(text));
    }
    let method = text(input, "mergeMethod").unwrap_or("MERGE").to_owned();
    let actor = context.hub.world().actor(&context.caller).cloned();
    let by = actor.as_ref().map_or(0, |actor| actor.id);
    change(context, &repo, number, |pull| pull.auto_merge = Some((method, by)))?;
    let pull = pull::by_number(context, &repo, number)?;
    Ok(vec![("pullRequest", pull), ("actor", Got::maybe(actor.map(Node::Account)))])
}

fn ready_for_review(context: &mut Context<'_>, input: &Arguments) -> Result<Fields, Failure> {
    let (repo, number) = find(context, input)?;
    change(context, &repo, number, |pull| pull.draft = false)?;
    Ok(vec![("pullRequest", pull::by_number(context, &repo, number)?)])
}
