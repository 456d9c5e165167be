//! The root of queries, accounts, repositories and refs.

use serde_json::{Value, json};

use super::connection::Connection;
use super::context::Context;
use super::execute::gap;
use super::node::{Answered, Arguments, Failure, Got, Node, text};
use super::{object, pull};
use crate::clock::iso;
use crate::git::Git;
use crate::level::Level;
use crate::urls::node_id;
use crate::world::{Account, Meta};

/// Fields of `Query`.
pub(super) fn query(context: &mut Context<'_>, field: &str, arguments: &Arguments) -> Answered {
    let argument = |name: &str| text(arguments, name).unwrap_or_default();
    match field {
        "repository" => {
            let repo = context.repository(argument("owner"), argument("name"))?;
            Ok(Got::node(Node::Repository(repo)))
        }
        "viewer" => {
            let world = context.hub.world();
            Ok(Got::maybe(world.actor(&context.caller).cloned().map(Node::Account)))
        }
        "repositoryOwner" => {
            let world = context.hub.world();
            Ok(Got::maybe(world.account(argument("login")).cloned().map(Node::Account)))
        }
        "rateLimit" => Ok(Got::node(Node::RateLimit)),
        "node" => node(context, argument("id")),
        _ => Err(gap("Query", field)),
    }
}

/// A repository, ref or pull request by its id.
fn node(context: &mut Context<'_>, id: &str) -> Answered {
    let repo = context.repository_of_node(id)?;
    let (kind, key) = crate::urls::read_node_id(id).unwrap_or_default();
    let part = key.split_once(':').map(|(_, part)| part.to_owned()).unwrap_or_default();
    match kind.as_str() {
        "Repository" => Ok(Got::node(Node::Repository(repo))),
        "Ref" => reference_node(context, &repo, &part),
        "Commit" => object::by_oid(context, &repo, &part),
        "PullRequest" => pull::by_number(context, &repo, part.parse().unwrap_or(0)),
        _ => Err(Failure::not_found(format!(
            "Could not resolve to a node with the global id of '{id}'."
        ))),
    }
}

pub(super) fn rate_limit(context: &mut Context<'_>, field: &str) -> Answered {
    let bucket = context.bucket;
    Ok(match field {
        "cost" | "nodeCount" => 1.into(),
        "limit" => bucket.limit.into(),
        "remaining" => bucket.remaining().into(),
        "used" => bucket.used.into(),
        "resetAt" => iso(bucket.reset).into(),
        _ => return Err(gap("RateLimit", field)),
    })
}

pub(super) fn account(context: &mut Context<'_>, account: &Account, field: &str) -> Answered {
    Ok(match field {
        "id" => account.node_id().into(),
        "databaseId" => account.id.into(),
        "login" => account.login.clone().into(),
        "name" => account.login.clone().into(),
        "url" => format!("{}/{}", context.hub.urls.web, account.login).into(),
        _ => return Err(gap(account.type_name(), field)),
    })
}

/// Fields of `Repository`.
pub(super) fn resolve(
    context: &mut Context<'_>,
    repo: &Meta,
    field: &str,
    arguments: &Arguments,
) -> Answered {
    Ok(match field {
        "id" => repo.node_id().into(),
        "databaseId" => repo.id.into(),
        "autoMergeAllowed" => repo.allow_auto_merge.into(),
        "createdAt" => iso(repo.created_at).into(),
        "pushedAt" => iso(repo.pushed_at).into(),
        "description" => json!(repo.description).into(),
        "isArchived" => repo.archived.into(),
        "isDisabled" => repo.disabled.into(),
        "isEmpty" => Git::at(&repo.dir).is_empty()?.into(),
        "isFork" => false.into(),
        "isPrivate" => repo.private.into(),
        "visibility" => if repo.private { "PRIVATE" } else { "PUBLIC" }.into(),
        "name" => repo.name.clone().into(),
        "nameWithOwner" => repo.full_name().into(),
        "url" => format!("{}/{}", context.hub.urls.web, repo.full_name()).into(),
        "owner" => {
            let world = context.hub.world();
            Got::maybe(world.accounts.get(&repo.owner_id).cloned().map(Node::Account))
        }
        "viewerPermission" => viewer_permission(context, repo),
        "defaultBranchRef" => {
            context.need(repo, "contents", Level::Read)?;
            reference_node(context, repo, &format!("refs/heads/{}", repo.default_branch))?
        }
        "ref" => {
            context.need(repo, "contents", Level::Read)?;
            let name = text(arguments, "qualifiedName").unwrap_or_default();
            let full = if name.starts_with("refs/") {
                name.to_owned()
            } else {
                format!("refs/heads/{name}")
            };
            reference_node(context, repo, &full)?
        }
        "refs" => refs(context, repo, arguments)?,
        "object" => {
            context.need(repo, "contents", Level::Read)?;
            let spec = text(arguments, "oid").or_else(|| text(arguments, "expression"));
            let spec = spec.ok_or_else(|| {
                Failure::unprocessable("Either oid or expression must be provided.")
            })?;
            object::by_expression(context, repo, spec)?
        }
        "pullRequest" => {
            let number = arguments.get("number").and_then(Value::as_u64).unwrap_or(0);
            pull::by_number(context, repo, number)?
        }
        "pullRequests" => pull::list(context, repo, arguments, None)?,
        _ => return Err(gap("Repository", field)),
    })
}

fn viewer_permission(context: &Context<'_>, repo: &Meta) -> Got {
    let world = context.hub.world();
    let role = match context.caller.user_id() {
        Some(user) => world.role(user, repo),
        None => world.level(&context.caller, repo, "contents").max(Level::Read),
    };
    match role {
        Level::Admin => "ADMIN".into(),
        Level::Write => "WRITE".into(),
        Level::Read => "READ".into(),
        Level::None => Got::Value(Value::Null),
    }
}

fn refs(context: &mut Context<'_>, repo: &Meta, arguments: &Arguments) -> Answered {
    context.need(repo, "contents", Level::Read)?;
    let prefix = text(arguments, "refPrefix").unwrap_or_default();
    let words = text(arguments, "query").unwrap_or_default();
    let nodes = Git::at(&repo.dir)
        .refs(prefix)?
        .into_iter()
        .filter(|r| r.name.contains(words))
        .map(|r| Node::Ref(repo.clone(), r.name, r.oid))
        .collect();
    Connection::of("RefConnection", "RefEdge", nodes, arguments)
}

/// A ref by its full name; null when there is none.
pub(super) fn reference_node(_: &mut Context<'_>, repo: &Meta, full: &str) -> Answered {
    let found = Git::at(&repo.dir).reference(full)?;
    Ok(Got::maybe(found.map(|r| Node::Ref(repo.clone(), r.name, r.oid))))
}

/// Fields of `Ref`.
pub(super) fn reference(
    context: &mut Context<'_>,
    repo: &Meta,
    name: &str,
    oid: &str,
    field: &str,
    arguments: &Arguments,
) -> Answered {
    let cut = ["refs/heads/", "refs/tags/"].into_iter().find(|prefix| name.starts_with(prefix));
    let prefix = cut.unwrap_or("refs/");
    let short = name.trim_start_matches(prefix);
    Ok(match field {
        "id" => node_id("Ref", &format!("{}:{name}", repo.id)).into(),
        "name" => short.into(),
        "prefix" => prefix.into(),
        "repository" => Got::node(Node::Repository(repo.clone())),
        "target" => object::by_oid(context, repo, oid)?,
        "associatedPullRequests" => pull::list(context, repo, arguments, Some(short))?,
        _ => return Err(gap("Ref", field)),
    })
}
