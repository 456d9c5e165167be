//! The pages on which a person installs an App: the account first, then the repositories.

use std::collections::BTreeSet;

use super::form::Form;
use super::html::{button, escape, hidden, page, redirect};
use super::leaving::{self, Done};
use super::{selection, session};
use crate::change::NewInstallation;
use crate::http::{Answer, Arrived, Outcome, Refusal, encode};
use crate::hub::Hub;
use crate::seed::Selection;
use crate::world::{Account, App, World};

fn app(world: &World, slug: &str) -> Result<App, Refusal> {
    let app = world.apps.values().find(|app| app.slug == slug && !app.oauth);
    app.cloned().ok_or_else(Refusal::not_found)
}

/// `GET /apps/{slug}/installations/new`: the accounts to choose from.
///
/// Without a browser, where nobody can be asked, the newest installation is led back at once.
pub(super) fn new(hub: &Hub, slug: &str, arrived: &Arrived) -> Outcome {
    let app = app(&hub.world(), slug)?;
    let query = Form::query(arrived);
    let Some(user) = session::user(&hub.world(), arrived) else {
        return match session::needed(hub, arrived) {
            Err(sign_in) if session::is_browser(arrived) => Ok(sign_in),
            _ => at_once(&hub.world(), &app, &query),
        };
    };
    let world = hub.world();
    let mut accounts = vec![&user];
    accounts.extend(world.accounts.values().filter(|a| a.role_of(user.id).is_some()));
    let state = query.get("state");
    let suggested = query.number("suggested_target_id");
    match accounts[..] {
        [only] => return Ok(redirect(next(hub, &world, &app, only, state))),
        _ if suggested.is_some() => {
            let target = accounts.iter().find(|a| Some(a.id) == suggested);
            let target = target.ok_or_else(Refusal::not_found)?;
            return Ok(redirect(next(hub, &world, &app, target, state)));
        }
        _ => {}
    }
    let mut list = String::new();
    for account in accounts {
        let login = escape(&account.login);
        let offer = match world.installed(app.id, account.id) {
            Some(_) if !world.administers(user.id, account.id) => {
                "<span class=\"note\">Installed; an owner can configure it</span>".to_owned()
            }
            installed => {
                let text = if installed.is_some() { "Configure" } else { "Install" };
                let url = escape(&next(hub, &world, &app, account, state));
                format!("<a class=\"button\" id=\"account-{login}\" href=\"{url}\">{text}</a>")
            }
        };
        list += &format!("<li class=\"row\"><span>{login}</span>{offer}</li>");
    }
    let title = format!("Install {}", app.name);
    let body = format!("<p>Where do you want to install it?</p><ul id=\"accounts\">{list}</ul>");
    Ok(page(200, &title, Some(&user.login), &body))
}

/// The page that an account leads to: where it is installed, GitHub shows the installation, and what the App
/// meant by its state is lost.
fn next(hub: &Hub, world: &World, app: &App, account: &Account, state: Option<&str>) -> String {
    if let Some(installation) = world.installed(app.id, account.id) {
        return installation.page(world, &hub.urls);
    }
    let state = state.map(|state| format!("&state={}", encode(state))).unwrap_or_default();
    format!("/apps/{}/installations/new/permissions?target_id={}{state}", app.slug, account.id)
}

fn at_once(world: &World, app: &App, query: &Form) -> Outcome {
    let target = app.setup_url.as_ref().or(app.callback_urls.first());
    let target = target.ok_or_else(|| {
        Refusal::new(404, "The App has neither a setup URL nor a callback URL to return to.")
    })?;
    let installation = world
        .installations
        .values()
        .rfind(|i| i.app_id == app.id)
        .ok_or_else(|| Refusal::new(404, "The App has no installation; seed one."))?;
    let mut url = format!(
        "{target}{}installation_id={}&setup_action=install",
        if target.contains('?') { '&' } else { '?' },
        installation.id
    );
    if let Some(state) = query.get("state") {
        url.push_str(&format!("&state={}", encode(state)));
    }
    Ok(redirect(url))
}

/// `GET /apps/{slug}/installations/new/permissions`: the repositories to choose from.
pub(super) fn permissions(hub: &Hub, slug: &str, arrived: &Arrived) -> Outcome {
    let user = match session::needed(hub, arrived) {
        Ok(user) => user,
        Err(sign_in) => return Ok(sign_in),
    };
    let world = hub.world();
    let app = app(&world, slug)?;
    let query = Form::query(arrived);
    let target = target(&world, &user, &query)?;
    if world.installed(app.id, target.id).is_some() {
        return Ok(redirect(next(hub, &world, &app, &target, None)));
    }
    Ok(ask(&world, &app, &user, &target, query.get("state"), None))
}

/// The account that is named, if the person belongs to it.
fn target(world: &World, user: &Account, form: &Form) -> Result<Account, Refusal> {
    let account = form.number("target_id").and_then(|id| world.accounts.get(&id));
    let own = |a: &&Account| a.id == user.id || a.role_of(user.id).is_some();
    account.filter(own).cloned().ok_or_else(Refusal::not_found)
}

fn ask(
    world: &World,
    app: &App,
    user: &Account,
    target: &Account,
    state: Option<&str>,
    error: Option<&str>,
) -> Answer {
    let owner = world.administers(user.id, target.id);
    let error =
        error.map(|e| format!("<p class=\"error\" id=\"error\">{e}</p>")).unwrap_or_default();
    let go = match (owner, app.request_oauth_on_install) {
        (false, _) => button("go", "request", "Request"),
        (true, true) => button("go", "install", "Install &amp; Authorize"),
        (true, false) => button("go", "install", "Install"),
    };
    let note =
        if owner { "" } else { "<p class=\"note\">An owner has to approve your request.</p>" };
    let status = if error.is_empty() { 200 } else { 422 };
    let body = format!(
        "{error}<form method=\"post\" action=\"/apps/{}/installations\" id=\"install-form\">{}{}\
         <h2>On {}</h2>{}<h2>With these permissions</h2>{}{note}<p>{go}{}</p></form>",
        escape(&app.slug),
        hidden("target_id", &target.id.to_string()),
        hidden("state", state.unwrap_or_default()),
        escape(&target.login),
        selection::fields(world, target.id, user.id, Selection::All, &BTreeSet::new()),
        selection::permissions(app),
        button("", "cancel", "Cancel"),
    );
    page(status, &format!("Install {}", app.name), Some(&user.login), &body)
}

/// `POST /apps/{slug}/installations`
pub(super) fn install(hub: &Hub, slug: &str, arrived: &Arrived) -> Outcome {
    let Some(user) = session::user(&hub.world(), arrived) else { return Err(Refusal::not_found()) };
    let form = Form::body(arrived);
    let (app, target, owner, chosen) = {
        let world = hub.world();
        let (app, target) = (app(&world, slug)?, target(&world, &user, &form)?);
        let owner = world.administers(user.id, target.id);
        let chosen = selection::chosen(&world, target.id, user.id, &form);
        (app, target, owner, chosen)
    };
    let state = form.get("state");
    if form.get("do") == Some("cancel") {
        return Ok(stayed(&app, &user, "Nothing was installed", ""));
    }
    let Some((selection, repositories)) = chosen else {
        let error = Some("Select at least one repository.");
        return Ok(ask(&hub.world(), &app, &user, &target, state, error));
    };
    let new = NewInstallation {
        app_id: app.id,
        account_id: target.id,
        selection,
        repositories,
        by: user.id,
        requester: None,
    };
    let done = match (owner, form.get("do")) {
        (true, Some("install")) => match hub.install(new) {
            Some(id) => Done::Install(id),
            None => return Ok(redirect(next(hub, &hub.world(), &app, &target, None))),
        },
        // An owner need not ask anybody, and nobody else can install.
        (false, Some("request")) => {
            hub.request_installation(new);
            Done::Request
        }
        _ => return Err(Refusal::not_found()),
    };
    let world = &mut *hub.world();
    if let Some(url) = leaving::address(hub, world, &app, user.id, done, state) {
        return Ok(redirect(url));
    }
    Ok(match done {
        Done::Install(_) | Done::Update(_) => redirect(next(hub, world, &app, &target, None)),
        Done::Request => stayed(&app, &user, "Request sent", "The owners have been asked."),
    })
}

/// The page for somebody who is not sent back to the App.
pub(super) fn stayed(app: &App, user: &Account, title: &str, text: &str) -> Answer {
    let home = match &app.homepage_url {
        Some(url) => {
            let (url, name) = (escape(url), escape(&app.name));
            format!("<p><a id=\"homepage\" href=\"{url}\">Back to {name}</a></p>")
        }
        None => String::new(),
    };
    page(200, title, Some(&user.login), &format!("<p id=\"result\">{text}</p>{home}"))
}
