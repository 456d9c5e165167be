//! How repositories and commits look in JSON: the shapes of GitHub's OpenAPI description.

use serde_json::{Value, json};

use crate::clock::iso;
use crate::git::{Commit, Ident};
use crate::http::encode;
use crate::level::Level;
use crate::urls::{Urls, node_id};
use crate::world::{Caller, Meta, World};

/// The addresses of a repository's parts: name of the field, and what follows the repository's own.
const PARTS: &[(&str, &str)] = &[
    ("archive_url", "/{archive_format}{/ref}"),
    ("assignees_url", "/assignees{/user}"),
    ("blobs_url", "/git/blobs{/sha}"),
    ("branches_url", "/branches{/branch}"),
    ("collaborators_url", "/collaborators{/collaborator}"),
    ("comments_url", "/comments{/number}"),
    ("commits_url", "/commits{/sha}"),
    ("compare_url", "/compare/{base}...{head}"),
    ("contents_url", "/contents/{+path}"),
    ("contributors_url", "/contributors"),
    ("deployments_url", "/deployments"),
    ("downloads_url", "/downloads"),
    ("events_url", "/events"),
    ("forks_url", "/forks"),
    ("git_commits_url", "/git/commits{/sha}"),
    ("git_refs_url", "/git/refs{/sha}"),
    ("git_tags_url", "/git/tags{/sha}"),
    ("hooks_url", "/hooks"),
    ("issue_comment_url", "/issues/comments{/number}"),
    ("issue_events_url", "/issues/events{/number}"),
    ("issues_url", "/issues{/number}"),
    ("keys_url", "/keys{/key_id}"),
    ("labels_url", "/labels{/name}"),
    ("languages_url", "/languages"),
    ("merges_url", "/merges"),
    ("milestones_url", "/milestones{/number}"),
    ("notifications_url", "/notifications{?since,all,participating}"),
    ("pulls_url", "/pulls{/number}"),
    ("releases_url", "/releases{/id}"),
    ("stargazers_url", "/stargazers"),
    ("statuses_url", "/statuses/{sha}"),
    ("subscribers_url", "/subscribers"),
    ("subscription_url", "/subscription"),
    ("tags_url", "/tags"),
    ("teams_url", "/teams"),
    ("trees_url", "/git/trees{/sha}"),
];

/// The address of a repository in the API.
pub(crate) fn api(urls: &Urls, repo: &Meta) -> String {
    format!("{}/repos/{}", urls.api, repo.full_name())
}

/// The address of a repository's page.
pub(crate) fn page(urls: &Urls, repo: &Meta) -> String {
    format!("{}/{}", urls.web, repo.full_name())
}

/// GitHub's `full-repository`.
pub(crate) fn repository(world: &World, urls: &Urls, repo: &Meta, caller: &Caller) -> Value {
    let (api, page) = (api(urls, repo), page(urls, repo));
    let host = urls.web.trim_start_matches("http://");
    let open_issues = world
        .repositories
        .get(&repo.id)
        .map_or(0, |r| r.issues.values().filter(|issue| issue.open).count());
    let owner = world.accounts.get(&repo.owner_id);
    let mut body = json!({
        "id": repo.id,
        "node_id": repo.node_id(),
        "name": repo.name,
        "full_name": repo.full_name(),
        "private": repo.private,
        "visibility": if repo.private { "private" } else { "public" },
        "owner": owner.map(|a| a.json(urls)),
        "html_url": page,
        "description": repo.description,
        "fork": false,
        "url": api,
        "clone_url": format!("{page}.git"),
        "git_url": format!("git://{host}/{}.git", repo.full_name()),
        "ssh_url": format!("git@{host}:{}.git", repo.full_name()),
        "svn_url": page,
        "mirror_url": null,
        "homepage": null,
        "language": null,
        "license": null,
        "forks": 0, "forks_count": 0,
        "stargazers_count": 0,
        "watchers": 0, "watchers_count": 0,
        "size": 0,
        "default_branch": repo.default_branch,
        "open_issues": open_issues, "open_issues_count": open_issues,
        "is_template": false,
        "topics": [],
        "has_issues": true, "has_projects": false, "has_wiki": false, "has_pages": false,
        "has_discussions": false, "has_downloads": true,
        "archived": repo.archived,
        "disabled": repo.disabled,
        "web_commit_signoff_required": false,
        "pushed_at": iso(repo.pushed_at),
        "created_at": iso(repo.created_at),
        "updated_at": iso(repo.pushed_at),
        "subscribers_count": 0, "network_count": 0,
        "allow_squash_merge": true, "allow_merge_commit": true, "allow_rebase_merge": false,
        "allow_auto_merge": repo.allow_auto_merge,
        "delete_branch_on_merge": false,
    });
    for (field, rest) in PARTS {
        body[*field] = json!(format!("{api}{rest}"));
    }
    if !matches!(caller, Caller::Anonymous | Caller::App { .. }) {
        body["permissions"] = permissions(world, repo, caller);
    }
    body
}

/// What the repository's `permissions` say: the user's role, or for an App what the token may do.
fn permissions(world: &World, repo: &Meta, caller: &Caller) -> Value {
    let role = match caller.user_id() {
        Some(user) => world.role(user, repo),
        None => match world.level(caller, repo, "contents") {
            level @ (Level::Write | Level::Admin) => level.min(Level::Write),
            _ => Level::Read,
        },
    };
    json!({
        "admin": role >= Level::Admin,
        "maintain": role >= Level::Admin,
        "push": role >= Level::Write,
        "triage": role >= Level::Write,
        "pull": role >= Level::Read,
    })
}

/// GitHub's `verification`.
pub(crate) fn verification(commit: &Commit) -> Value {
    let verified = commit.verified();
    let reason = match (&commit.signature, verified) {
        (_, true) => "valid",
        (None, _) => "unsigned",
        (Some(_), _) => "unknown_key",
    };
    json!({
        "verified": verified,
        "reason": reason,
        "signature": commit.signature,
        "payload": commit.signature.as_ref().map(|_| &commit.payload),
        "verified_at": verified.then(|| iso(commit.committer.when)),
    })
}

fn ident(who: &Ident) -> Value {
    json!({"name": who.name, "email": who.email, "date": iso(who.when)})
}

/// GitHub's `git-commit`.
pub(crate) fn git_commit(urls: &Urls, repo: &Meta, commit: &Commit) -> Value {
    let (api, page) = (api(urls, repo), page(urls, repo));
    let parents: Vec<Value> = commit
        .parents
        .iter()
        .map(|oid| {
            json!({
                "sha": oid,
                "url": format!("{api}/git/commits/{oid}"),
                "html_url": format!("{page}/commit/{oid}"),
            })
        })
        .collect();
    json!({
        "sha": commit.oid,
        "node_id": node_id("Commit", &format!("{}:{}", repo.id, commit.oid)),
        "url": format!("{api}/git/commits/{}", commit.oid),
        "html_url": format!("{page}/commit/{}", commit.oid),
        "author": ident(&commit.author),
        "committer": ident(&commit.committer),
        "tree": {"sha": commit.tree, "url": format!("{api}/git/trees/{}", commit.tree)},
        "message": message(commit),
        "parents": parents,
        "verification": verification(commit),
    })
}

/// GitHub's `commit`.
pub(crate) fn commit(world: &World, urls: &Urls, repo: &Meta, commit: &Commit) -> Value {
    let (api, page) = (api(urls, repo), page(urls, repo));
    let oid = &commit.oid;
    let account = |who: &Ident| {
        world.accounts.values().find(|a| a.email() == who.email).map(|a| a.json(urls))
    };
    let parents: Vec<Value> = commit
        .parents
        .iter()
        .map(|oid| {
            json!({
                "sha": oid,
                "url": format!("{api}/commits/{oid}"),
                "html_url": format!("{page}/commit/{oid}"),
            })
        })
        .collect();
    json!({
        "sha": oid,
        "node_id": node_id("Commit", &format!("{}:{oid}", repo.id)),
        "url": format!("{api}/commits/{oid}"),
        "html_url": format!("{page}/commit/{oid}"),
        "comments_url": format!("{api}/commits/{oid}/comments"),
        "commit": {
            "author": ident(&commit.author),
            "committer": ident(&commit.committer),
            "message": message(commit),
            "tree": {"sha": commit.tree, "url": format!("{api}/git/trees/{}", commit.tree)},
            "url": format!("{api}/git/commits/{oid}"),
            "comment_count": 0,
            "verification": verification(commit),
        },
        "author": account(&commit.author),
        "committer": account(&commit.committer),
        "parents": parents,
    })
}

/// GitHub shows a message without the line break at its end.
fn message(commit: &Commit) -> &str {
    commit.message.trim_end_matches('\n')
}

/// GitHub's `diff-entry`.
pub(crate) fn change(urls: &Urls, repo: &Meta, head: &str, change: &crate::git::Change) -> Value {
    let (api, page) = (api(urls, repo), page(urls, repo));
    let path: Vec<String> = change.path.split('/').map(encode).collect();
    let path = path.join("/");
    let mut body = json!({
        "sha": change.oid,
        "filename": change.path,
        "status": change.status,
        "additions": change.additions,
        "deletions": change.deletions,
        "changes": change.additions + change.deletions,
        "blob_url": format!("{page}/blob/{head}/{path}"),
        "raw_url": format!("{page}/raw/{head}/{path}"),
        "contents_url": format!("{api}/contents/{path}?ref={head}"),
    });
    if let Some(previous) = &change.previous {
        body["previous_filename"] = json!(previous);
    }
    if let Some(patch) = &change.patch {
        body["patch"] = json!(patch);
    }
    body
}
