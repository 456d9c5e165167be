//! Commits over REST: git's own, and GitHub's view of them.

use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::trees::tree_oid;
use super::view;
use crate::git::{Git, Ident, NewCommit};
use crate::http::{Answer, Call, Input, Outcome, Page, Refusal};
use crate::world::{Account, TokenKind};

/// Who stands in a commit, and whether GitHub signs it.
#[derive(Clone, Debug)]
pub(crate) struct Authors {
    pub author: Ident,
    pub committer: Ident,
    pub signed: bool,
}

/// What GitHub itself commits for somebody: it is the committer, and it signs.
pub(crate) fn web_flow(actor: &Account, now: i64) -> Authors {
    Authors { author: actor_ident(actor, now), committer: github(now), signed: true }
}

fn github(when: i64) -> Ident {
    Ident { name: "GitHub".to_owned(), email: "noreply@github.com".to_owned(), when }
}

fn actor_ident(actor: &Account, when: i64) -> Ident {
    Ident { name: actor.login.clone(), email: actor.email(), when }
}

/// An author or committer of the request: a name and an address, and perhaps a date.
pub(super) fn ident(input: &Input, field: &str, now: i64) -> Result<Option<Ident>, Refusal> {
    let Some(who) = input.object(field)? else { return Ok(None) };
    let name = who.needed_text("name")?.to_owned();
    let email = who.needed_text("email")?.to_owned();
    let when = match who.text("date")? {
        None => now,
        Some(date) => OffsetDateTime::parse(date, &Rfc3339)
            .map_err(|_| {
                Refusal::new(422, format!("Invalid request.\n\n{date} is not a valid date-time."))
            })?
            .unix_timestamp(),
    };
    if name.trim().is_empty() {
        return Err(Refusal::new(422, format!("{field}.name can't be blank")));
    }
    Ok(Some(Ident { name, email, when }))
}

/// `POST /git/commits`
pub(super) fn create(call: &Call<'_>) -> Outcome {
    let input = call.input()?;
    let git = call.filled_git()?;
    let now = call.now();
    let message = input.needed_text("message")?.to_owned();
    let tree = input.needed_text("tree")?.to_owned();
    if git.kinds(&[&tree])?.first() != Some(&Some("tree".to_owned())) {
        return Err(Refusal::new(422, "Tree SHA does not exist"));
    }
    let parents = input.texts("parents")?.unwrap_or_default();
    let named: Vec<&str> = parents.iter().map(String::as_str).collect();
    if git.kinds(&named)?.iter().any(|kind| kind.as_deref() != Some("commit")) {
        return Err(Refusal::new(422, "Parent SHA does not exist or is not a commit object"));
    }
    let author = ident(&input, "author", now)?;
    let committer = ident(&input, "committer", now)?;
    // Only a bot's commit with no custom author or committer is signed here.
    let bot = matches!(call.caller.token(), Some(TokenKind::Installation { .. }));
    let signed = bot && author.is_none() && committer.is_none() && !input.has("signature");
    let actor = actor_ident(&call.actor()?, now);
    let author = author.unwrap_or(actor);
    let committer = committer.unwrap_or_else(|| author.clone());
    let commit = NewCommit { tree, parents, author, committer, message, signed };
    let oid = git.write_commit(&commit)?;
    let made = git.commit(&oid)?.ok_or_else(Refusal::not_found)?;
    Ok(Answer::created(view::git_commit(&call.hub.urls, call.repo()?, &made)))
}

/// `GET /git/commits/{commit_sha}`
pub(super) fn get_git(call: &Call<'_>) -> Outcome {
    let git = call.filled_git()?;
    let found = git
        .object(call.param("commit_sha"))?
        .filter(|object| object.kind == "commit")
        .ok_or_else(Refusal::not_found)?;
    let commit = git.commit(&found.oid)?.ok_or_else(Refusal::not_found)?;
    Ok(Answer::ok(view::git_commit(&call.hub.urls, call.repo()?, &commit)))
}

/// The commit that a branch, a tag or an oid names.
pub(super) fn resolve(git: &Git, spec: &str) -> Option<String> {
    git.head(spec).or_else(|| git.commit_oid(spec))
}

fn no_commit(spec: &str) -> Refusal {
    Refusal::new(422, format!("No commit found for SHA: {spec}"))
}

pub(super) fn list(call: &Call<'_>) -> Outcome {
    let git = call.filled_git()?;
    let repo = call.repo()?;
    let start = call.query("sha").unwrap_or(&repo.default_branch);
    let start = resolve(&git, start).ok_or_else(Refusal::not_found)?;
    let mut options = vec![start];
    for (name, option) in [("since", "--since"), ("until", "--until"), ("author", "--author")] {
        options.extend(call.query(name).map(|value| format!("{option}={value}")));
    }
    if let Some(path) = call.query("path") {
        options.extend(["--".to_owned(), path.to_owned()]);
    }
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    let page = Page::of(call, git.history(&options)?);
    let mut commits = git.commits(&page.items)?.into_iter();
    let world = call.hub.world();
    Ok(page
        .map(|_| match commits.next() {
            Some(commit) => view::commit(&world, &call.hub.urls, repo, &commit),
            None => Value::Null,
        })
        .answer())
}

pub(super) fn get(call: &Call<'_>) -> Outcome {
    let git = call.filled_git()?;
    let repo = call.repo()?;
    let spec = call.param("ref");
    let oid = resolve(&git, spec).ok_or_else(|| no_commit(spec))?;
    let accept = call.header("accept").unwrap_or_default();
    if accept.contains("application/vnd.github.sha") || accept.contains("github.v3.sha") {
        return Ok(Answer::text(200, oid));
    }
    let commit = git.commit(&oid)?.ok_or_else(|| no_commit(spec))?;
    let changes = git.changes(commit.parents.first().map(String::as_str), &oid)?;
    let mut body = view::commit(&call.hub.world(), &call.hub.urls, repo, &commit);
    let (additions, deletions) =
        changes.iter().fold((0, 0), |(a, d), c| (a + c.additions, d + c.deletions));
    body["stats"] =
        json!({"additions": additions, "deletions": deletions, "total": additions + deletions});
    let files = changes.iter().map(|c| view::change(&call.hub.urls, repo, &oid, c));
    body["files"] = files.collect();
    Ok(Answer::ok(body))
}

/// The combined status: nothing ever reports one.
pub(super) fn status(call: &Call<'_>) -> Outcome {
    let git = call.filled_git()?;
    let oid = resolve(&git, call.param("ref")).ok_or_else(Refusal::not_found)?;
    let repo = call.repo()?;
    let api = view::api(&call.hub.urls, repo);
    let world = call.hub.world();
    Ok(Answer::ok(json!({
        "state": "pending", "statuses": [], "sha": oid, "total_count": 0,
        "repository": view::repository(&world, &call.hub.urls, repo, &call.caller),
        "commit_url": format!("{api}/commits/{oid}"),
        "url": format!("{api}/commits/{oid}/status"),
    })))
}

/// The check runs of a commit: there are none.
pub(super) fn check_runs(call: &Call<'_>) -> Outcome {
    let git = call.filled_git()?;
    let spec = call.param("ref");
    resolve(&git, spec).or_else(|| tree_oid(&git, spec)).ok_or_else(|| no_commit(spec))?;
    Ok(Answer::ok(json!({"total_count": 0, "check_runs": []})))
}
