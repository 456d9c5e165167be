//! The REST routes. The table is the map: the first row that fits a path answers it, so longer paths that
//! begin alike come first.

mod apps;
mod blobs;
mod branches;
mod changes;
mod commits;
mod contents;
mod create;
mod emails;
mod hooks;
mod installations;
mod issues;
mod labels;
mod listing;
mod merge;
mod meta;
mod oauth_apps;
mod orgs;
mod pull_view;
mod pulls;
mod refs;
mod repos;
mod reviews;
mod rules;
mod search;
mod trees;
mod users;
pub(crate) mod view;

pub(crate) use commits::web_flow;
pub(crate) use issues::show as issue_json;
pub(crate) use merge::mergeable;
pub(crate) use orgs::simple as organization_json;
pub(crate) use pull_view::{refresh, simple as pull_json};
pub(crate) use trees::valid_path;

use crate::http::Needs::{App, Client, Installation, Open, Person, Repo, Token};
use crate::http::{Call, Needs, Outcome, Route};
use crate::level::Level::{Read, Write};

const METADATA: Needs = Repo(&[("metadata", Read)]);
const CONTENTS_READ: Needs = Repo(&[("contents", Read)]);
const CONTENTS_WRITE: Needs = Repo(&[("contents", Write)]);
/// Commit statuses and checks have permissions of their own, beside contents.
const PULLS_READ: Needs = Repo(&[("pull_requests", Read)]);
const PULLS_WRITE: Needs = Repo(&[("pull_requests", Write)]);
const ISSUES_READ: Needs = Repo(&[("issues", Read), ("pull_requests", Read)]);
const ISSUES_WRITE: Needs = Repo(&[("issues", Write), ("pull_requests", Write)]);
const ADMIN_READ: Needs = Repo(&[("administration", Read)]);
const ADMIN_WRITE: Needs = Repo(&[("administration", Write)]);

const fn row(
    method: &'static str,
    template: &'static str,
    needs: Needs,
    handler: fn(&Call<'_>) -> Outcome,
) -> Route {
    Route { method, template, needs, handler }
}

/// Every REST route that is simulated.
pub(crate) static ROUTES: &[Route] = &[
    // Apps and installations
    row("GET", "/app", App, apps::get),
    row("GET", "/apps/{app_slug}", Open, apps::by_slug),
    row("GET", "/app/hook/config", App, hooks::config),
    row("GET", "/app/hook/deliveries", App, hooks::list),
    row("GET", "/app/hook/deliveries/{delivery_id}", App, hooks::get),
    row("POST", "/app/hook/deliveries/{delivery_id}/attempts", App, hooks::redeliver),
    row("GET", "/app/installation-requests", App, installations::requests),
    row("GET", "/app/installations", App, installations::list),
    row("GET", "/app/installations/{installation_id}", App, installations::get),
    row("DELETE", "/app/installations/{installation_id}", App, installations::delete),
    row("PUT", "/app/installations/{installation_id}/suspended", App, installations::suspend),
    row("DELETE", "/app/installations/{installation_id}/suspended", App, installations::unsuspend),
    row("POST", "/app/installations/{installation_id}/access_tokens", App, apps::mint),
    row("GET", "/repos/{owner}/{repo}/installation", App, installations::of_repository),
    row("GET", "/orgs/{org}/installation", App, installations::of_org),
    row("GET", "/users/{username}/installation", App, installations::of_user),
    row("GET", "/installation/repositories", Installation, installations::repositories),
    row("DELETE", "/installation/token", Installation, apps::revoke),
    // OAuth applications and credentials
    row("POST", "/applications/{client_id}/token", Client, oauth_apps::check),
    row("PATCH", "/applications/{client_id}/token", Client, oauth_apps::reset),
    row("DELETE", "/applications/{client_id}/token", Client, oauth_apps::delete),
    row("DELETE", "/applications/{client_id}/grant", Client, oauth_apps::delete_grant),
    row("POST", "/credentials/revoke", Open, oauth_apps::revoke_credentials),
    // People and organizations
    row("GET", "/user", Person, users::me),
    row("GET", "/user/emails", Person, emails::list),
    row("GET", "/user/installations", Person, users::installations),
    row(
        "GET",
        "/user/installations/{installation_id}/repositories",
        Person,
        users::installation_repositories,
    ),
    row("GET", "/user/repos", Person, users::repositories),
    row("POST", "/user/repos", Token, create::for_user),
    row("GET", "/user/orgs", Person, users::orgs),
    row("GET", "/users/{username}", Open, users::get),
    row("GET", "/users/{username}/repos", Open, users::repositories_of),
    row("GET", "/orgs/{org}", Open, orgs::get),
    row("GET", "/orgs/{org}/repos", Open, orgs::repositories),
    row("POST", "/orgs/{org}/repos", Token, create::for_org),
    // Repositories
    row("GET", "/repos/{owner}/{repo}", METADATA, repos::get),
    row("PATCH", "/repos/{owner}/{repo}", ADMIN_WRITE, repos::update),
    row("DELETE", "/repos/{owner}/{repo}", ADMIN_WRITE, repos::delete),
    row("GET", "/repos/{owner}/{repo}/branches", CONTENTS_READ, branches::list),
    row(
        "GET",
        "/repos/{owner}/{repo}/branches/{branch}/protection",
        ADMIN_READ,
        branches::protection,
    ),
    row("GET", "/repos/{owner}/{repo}/branches/{branch}", CONTENTS_READ, branches::get),
    row("GET", "/repos/{owner}/{repo}/rules/branches/{branch}", METADATA, rules::of_branch),
    row("GET", "/repos/{owner}/{repo}/rulesets", METADATA, rules::list),
    row("GET", "/repos/{owner}/{repo}/rulesets/{ruleset_id}", METADATA, rules::get),
    // Git data
    row("GET", "/repos/{owner}/{repo}/git/ref/{ref}", CONTENTS_READ, refs::get),
    row("GET", "/repos/{owner}/{repo}/git/matching-refs/{ref}", CONTENTS_READ, refs::matching),
    row("POST", "/repos/{owner}/{repo}/git/refs", CONTENTS_WRITE, refs::create),
    row("PATCH", "/repos/{owner}/{repo}/git/refs/{ref}", CONTENTS_WRITE, refs::update),
    row("DELETE", "/repos/{owner}/{repo}/git/refs/{ref}", CONTENTS_WRITE, refs::delete),
    row("POST", "/repos/{owner}/{repo}/git/blobs", CONTENTS_WRITE, blobs::create),
    row("GET", "/repos/{owner}/{repo}/git/blobs/{file_sha}", CONTENTS_READ, blobs::get),
    row("POST", "/repos/{owner}/{repo}/git/trees", CONTENTS_WRITE, trees::create),
    row("GET", "/repos/{owner}/{repo}/git/trees/{ref}", CONTENTS_READ, trees::get),
    row("POST", "/repos/{owner}/{repo}/git/commits", CONTENTS_WRITE, commits::create),
    row("GET", "/repos/{owner}/{repo}/git/commits/{commit_sha}", CONTENTS_READ, commits::get_git),
    // Contents and history
    row("GET", "/repos/{owner}/{repo}/contents/{path}", CONTENTS_READ, contents::get),
    row("PUT", "/repos/{owner}/{repo}/contents/{path}", CONTENTS_WRITE, contents::put),
    row("DELETE", "/repos/{owner}/{repo}/contents/{path}", CONTENTS_WRITE, contents::delete),
    row("GET", "/repos/{owner}/{repo}/commits", CONTENTS_READ, commits::list),
    row(
        "GET",
        "/repos/{owner}/{repo}/commits/{ref}/status",
        Repo(&[("statuses", Read)]),
        commits::status,
    ),
    row(
        "GET",
        "/repos/{owner}/{repo}/commits/{ref}/check-runs",
        Repo(&[("checks", Read)]),
        commits::check_runs,
    ),
    row("GET", "/repos/{owner}/{repo}/commits/{ref}", CONTENTS_READ, commits::get),
    row("GET", "/repos/{owner}/{repo}/compare/{basehead}", CONTENTS_READ, changes::compare),
    // Pull requests
    row("GET", "/repos/{owner}/{repo}/pulls", PULLS_READ, pulls::list),
    row("POST", "/repos/{owner}/{repo}/pulls", PULLS_WRITE, pulls::create),
    row("GET", "/repos/{owner}/{repo}/pulls/{pull_number}", PULLS_READ, pulls::get),
    row("PATCH", "/repos/{owner}/{repo}/pulls/{pull_number}", PULLS_WRITE, pulls::update),
    row("GET", "/repos/{owner}/{repo}/pulls/{pull_number}/merge", PULLS_READ, merge::merged),
    row("PUT", "/repos/{owner}/{repo}/pulls/{pull_number}/merge", CONTENTS_WRITE, merge::merge),
    row("GET", "/repos/{owner}/{repo}/pulls/{pull_number}/files", PULLS_READ, changes::pull_files),
    row(
        "GET",
        "/repos/{owner}/{repo}/pulls/{pull_number}/commits",
        PULLS_READ,
        changes::pull_commits,
    ),
    row(
        "GET",
        "/repos/{owner}/{repo}/pulls/{pull_number}/requested_reviewers",
        PULLS_READ,
        reviews::requested,
    ),
    row(
        "POST",
        "/repos/{owner}/{repo}/pulls/{pull_number}/requested_reviewers",
        PULLS_WRITE,
        reviews::request,
    ),
    row(
        "DELETE",
        "/repos/{owner}/{repo}/pulls/{pull_number}/requested_reviewers",
        PULLS_WRITE,
        reviews::remove,
    ),
    row("GET", "/repos/{owner}/{repo}/pulls/{pull_number}/reviews", PULLS_READ, reviews::list),
    row("POST", "/repos/{owner}/{repo}/pulls/{pull_number}/reviews", PULLS_WRITE, reviews::create),
    // Issues and labels
    row("GET", "/repos/{owner}/{repo}/issues", ISSUES_READ, issues::list),
    row("POST", "/repos/{owner}/{repo}/issues", Repo(&[("issues", Write)]), issues::create),
    row("GET", "/repos/{owner}/{repo}/issues/{issue_number}", ISSUES_READ, issues::get),
    row("PATCH", "/repos/{owner}/{repo}/issues/{issue_number}", ISSUES_WRITE, issues::update),
    row(
        "GET",
        "/repos/{owner}/{repo}/issues/{issue_number}/comments",
        ISSUES_READ,
        issues::comments,
    ),
    row(
        "POST",
        "/repos/{owner}/{repo}/issues/{issue_number}/comments",
        ISSUES_WRITE,
        issues::comment,
    ),
    row("GET", "/repos/{owner}/{repo}/issues/{issue_number}/labels", ISSUES_READ, labels::of_issue),
    row("POST", "/repos/{owner}/{repo}/issues/{issue_number}/labels", ISSUES_WRITE, labels::add),
    row("PUT", "/repos/{owner}/{repo}/issues/{issue_number}/labels", ISSUES_WRITE, labels::set),
    row(
        "DELETE",
        "/repos/{owner}/{repo}/issues/{issue_number}/labels/{name}",
        ISSUES_WRITE,
        labels::remove,
    ),
    row("GET", "/repos/{owner}/{repo}/labels", ISSUES_READ, labels::list),
    row("POST", "/repos/{owner}/{repo}/labels", ISSUES_WRITE, labels::create),
    row("GET", "/repos/{owner}/{repo}/labels/{name}", ISSUES_READ, labels::get),
    // Search and the rest
    row("GET", "/search/code", Token, search::code),
    row("GET", "/search/issues", Open, search::issues),
    row("GET", "/rate_limit", Open, meta::rate_limit),
    row("GET", "/meta", Open, meta::get),
    row("GET", "/zen", Open, meta::zen),
];
