//! The page on which a person authorizes an App. Without a browser's session it agrees at once, as the user
//! that the seed names.

use super::form::Form;
use super::html::{button, escape, hidden, page, redirect};
use super::oauth::{Asked, scopes};
use super::{callback, session};
use crate::http::{Answer, Arrived, Outcome, Refusal, encode};
use crate::hub::Hub;
use crate::world::{Account, App, TokenKind, World};

/// What the page carries along until the person has decided.
const CARRIED: &[&str] =
    &["client_id", "redirect_uri", "state", "scope", "code_challenge", "code_challenge_method"];

const TROUBLE: &str = "https://docs.github.com/apps/managing-oauth-apps/\
    troubleshooting-authorization-request-errors";

/// Where the browser goes back to, and with what.
struct Way {
    app: App,
    target: String,
    state: Option<String>,
}

impl Way {
    fn back(&self, query: &str) -> Answer {
        let joint = if self.target.contains('?') { '&' } else { '?' };
        let state = self.state.as_ref().map(|s| format!("&state={}", encode(s)));
        redirect(format!("{}{joint}{query}{}", self.target, state.unwrap_or_default()))
    }

    fn error(&self, error: &str, description: &str) -> Answer {
        let text = encode(description).replace("%20", "+");
        let about = encode(&format!("{TROUBLE}#{}", error.replace('_', "-")));
        self.back(&format!("error={error}&error_description={text}&error_uri={about}"))
    }
}

/// Checks what the App asks for; the wrong address is told at the right one.
fn way(world: &World, form: &Form) -> Result<Result<Way, Answer>, Refusal> {
    let client = form.get("client_id").unwrap_or_default();
    let app = world.apps.values().find(|a| a.client_id == client).cloned();
    let app = app.ok_or_else(Refusal::not_found)?;
    let wanted = form.get("redirect_uri");
    let first = app.callback_urls.first();
    let target = match (wanted, first) {
        (Some(uri), _) if callback::allowed(&app, uri) => uri.to_owned(),
        (_, Some(first)) => first.clone(),
        (_, None) => {
            return Err(Refusal::new(404, "No redirect_uri, and the App has no callback URL."));
        }
    };
    let mismatch = wanted.is_some_and(|uri| uri != target);
    let way = Way { app, target, state: form.get("state").map(str::to_owned) };
    if mismatch {
        let text = "The redirect_uri MUST match the registered callback URL for this application.";
        return Ok(Err(way.error("redirect_uri_mismatch", text)));
    }
    let method = form.get("code_challenge_method");
    if (form.get("code_challenge").is_some() || method.is_some()) && method != Some("S256") {
        return Err(Refusal::new(400, "code_challenge_method must be S256."));
    }
    Ok(Ok(way))
}

/// `GET /login/oauth/authorize`
pub(super) fn ask(hub: &Hub, arrived: &Arrived) -> Outcome {
    let query = Form::query(arrived);
    let mut world = hub.world();
    let way = match way(&world, &query)? {
        Ok(way) => way,
        Err(mismatch) => return Ok(mismatch),
    };
    let user = match session::user(&world, arrived) {
        Some(user) => {
            let wanted = scopes(query.get("scope").unwrap_or_default());
            let asked = query.get("prompt") == Some("select_account");
            if asked || !authorized(&world, &way.app, user.id, &wanted) {
                return Ok(show(&way.app, &user, &query, &wanted));
            }
            user.id
        }
        None => somebody(&world, &query)?,
    };
    Ok(agree(hub, &mut world, &way, user, &query))
}

/// Whether the person has granted all of it before, and so is not asked again.
fn authorized(world: &World, app: &App, user: u64, wanted: &[String]) -> bool {
    if !world.authorizations.contains(&(user, app.id)) {
        return false;
    }
    let covers = |kind: &TokenKind| match kind {
        TokenKind::OAuth { user_id, app_id, scopes } => {
            (*user_id, *app_id) == (user, app.id) && wanted.iter().all(|s| scopes.contains(s))
        }
        _ => false,
    };
    !app.oauth || world.tokens.values().any(|token| covers(&token.kind))
}

/// The user as whom a request without a session is agreed to.
fn somebody(world: &World, query: &Form) -> Result<u64, Refusal> {
    let login = query.get("login").map(str::to_owned).or_else(|| world.authorize_as.clone());
    let user = match login {
        Some(login) => world.account(&login),
        None => world.accounts.values().find(|a| a.type_name() == "User"),
    };
    Ok(user.ok_or_else(|| Refusal::new(404, "Nobody to authorize as; seed a user."))?.id)
}

fn agree(hub: &Hub, world: &mut World, way: &Way, user: u64, form: &Form) -> Answer {
    world.authorizations.insert((user, way.app.id));
    let code = Asked {
        app: &way.app,
        user,
        redirect_uri: &way.target,
        scopes: scopes(form.get("scope").unwrap_or_default()),
        challenge: form.get("code_challenge"),
    };
    way.back(&format!("code={}", code.keep(hub, world)))
}

fn show(app: &App, user: &Account, query: &Form, wanted: &[String]) -> Answer {
    let carried = CARRIED.iter().filter_map(|name| Some(hidden(name, query.get(name)?)));
    let carried: Vec<String> = carried.collect();
    let scopes: Vec<String> =
        wanted.iter().map(|scope| format!("<li>{}</li>", escape(scope))).collect();
    let body = format!(
        "<p>{} would like permission to act on behalf of {}.</p><ul id=\"scopes\">{}</ul>\
         <form method=\"post\" action=\"/login/oauth/authorize\" id=\"authorize-form\">{}<p>{}{}</p></form>",
        escape(&app.name),
        escape(&user.login),
        scopes.join(""),
        carried.join(""),
        button("go", "authorize", &format!("Authorize {}", escape(&app.name))),
        button("", "cancel", "Cancel"),
    );
    page(200, &format!("Authorize {}", app.name), Some(&user.login), &body)
}

/// `POST /login/oauth/authorize`: what the person decided.
pub(super) fn decide(hub: &Hub, arrived: &Arrived) -> Outcome {
    let form = Form::body(arrived);
    let mut world = hub.world();
    let user = session::user(&world, arrived).ok_or_else(Refusal::not_found)?;
    let way = match way(&world, &form)? {
        Ok(way) => way,
        Err(mismatch) => return Ok(mismatch),
    };
    Ok(match form.get("do") {
        Some("authorize") => agree(hub, &mut world, &way, user.id, &form),
        _ => way.error("access_denied", "The user has denied your application access."),
    })
}
