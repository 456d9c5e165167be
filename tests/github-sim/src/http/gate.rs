//! Whether a caller may come to a repository at all.

use super::call::{encode, forbidden};
use super::{Call, Refusal};
use crate::level::Level;
use crate::seed::PatPolicy;
use crate::world::{AccountKind, Caller, Meta, TokenKind, World};

/// The repository of the path, if the caller may do there what the route does.
pub(super) fn repository(call: &Call<'_>, needed: &[(&str, Level)]) -> Result<Meta, Refusal> {
    let (owner, name) = (call.param("owner"), call.param("repo"));
    let world = call.hub.world();
    let Some(repo) = world.repository(owner, name) else {
        let moved = world.moved_repository(owner, name).ok_or_else(Refusal::not_found)?;
        if !world.sees(&call.caller, &moved.meta) {
            return Err(Refusal::not_found());
        }
        return Err(redirect(call, moved.meta.id));
    };
    let repo = repo.meta.clone();
    if !world.sees(&call.caller, &repo) {
        return Err(Refusal::not_found());
    }
    org_gate(&world, &call.caller, repo.owner_id, &call.hub.urls.web)?;
    let enough = |(permission, level): &(&str, Level)| {
        world.level(&call.caller, &repo, permission) >= *level
    };
    if !needed.is_empty() && !needed.iter().any(enough) {
        return Err(match call.caller {
            Caller::Anonymous => Refusal::new(401, "Requires authentication"),
            _ => forbidden(&call.caller),
        });
    }
    let writes = !matches!(call.method.as_str(), "GET" | "HEAD");
    // Unarchiving is the one change that an archived repository takes.
    let settings = call.path.split('/').count() == 4;
    if repo.archived && writes && !settings {
        return Err(Refusal::new(403, "Repository was archived so is read-only."));
    }
    if repo.disabled && !settings {
        return Err(Refusal::new(403, "Repository access blocked"));
    }
    Ok(repo)
}

/// Where a moved repository is found now.
fn redirect(call: &Call<'_>, id: u64) -> Refusal {
    let below: Vec<&str> = call.path.split('/').skip(4).collect();
    let mut url = format!("{}/repositories/{id}", call.hub.urls.api);
    for part in below {
        url.push('/');
        url.push_str(part);
    }
    let query: Vec<String> = call
        .query
        .iter()
        .map(|(name, value)| format!("{}={}", encode(name), encode(value)))
        .collect();
    if !query.is_empty() {
        url = format!("{url}?{}", query.join("&"));
    }
    let (status, text) = match call.method.as_str() {
        "GET" | "HEAD" => (301, "Moved Permanently"),
        _ => (307, "Temporary Redirect"),
    };
    Refusal::new(status, text).with("location", url)
}

/// What an organization demands of personal access tokens.
pub(crate) fn org_gate(
    world: &World,
    caller: &Caller,
    owner: u64,
    web: &str,
) -> Result<(), Refusal> {
    let Some(account) = world.accounts.get(&owner) else { return Ok(()) };
    let AccountKind::Organization { saml_sso, pat_policy, .. } = &account.kind else {
        return Ok(());
    };
    let login = &account.login;
    match (caller.token(), pat_policy) {
        (Some(TokenKind::Classic { .. }), PatPolicy::ForbidClassic) => Err(Refusal::new(
            403,
            format!(
                "`{login}` forbids access via a personal access token (classic). Please use a GitHub \
                 App, OAuth App, or a personal access token with fine-grained permissions."
            ),
        )),
        (Some(TokenKind::FineGrained { .. }), PatPolicy::ForbidFineGrained) => Err(Refusal::new(
            403,
            format!("`{login}` forbids access via a fine-grained personal access token."),
        )),
        (Some(TokenKind::Classic { sso_authorized: false, .. }), _) if *saml_sso => {
            let url = format!("{web}/orgs/{login}/sso?authorization_request=ABCDEF");
            let text = "Resource protected by organization SAML enforcement. You must grant your Personal \
                        Access token access to this organization.";
            Err(Refusal::new(403, text).with("x-github-sso", format!("required; url={url}")))
        }
        _ => Ok(()),
    }
}
