//! The page of an installation, and the page of the requests to an organization: for the account's owners.

use super::form::Form;
use super::html::{button, escape, page, redirect};
use super::install::stayed;
use super::leaving::{self, Done};
use super::{selection, session};
use crate::http::{Answer, Arrived, Outcome, Refusal};
use crate::hub::Hub;
use crate::world::{Account, App, Installation, World};

/// An installation that the person may configure.
fn find(world: &World, id: &str, user: &Account) -> Result<(Installation, App), Refusal> {
    let id: u64 = id.parse().map_err(|_| Refusal::not_found())?;
    let installation = world.installations.get(&id).ok_or_else(Refusal::not_found)?;
    if !world.administers(user.id, installation.account_id) {
        return Err(Refusal::not_found());
    }
    let app = world.apps.get(&installation.app_id).ok_or_else(Refusal::not_found)?;
    Ok((installation.clone(), app.clone()))
}

/// `GET .../settings/installations/{installation_id}`
pub(super) fn installation(hub: &Hub, id: &str, arrived: &Arrived) -> Outcome {
    let user = match session::needed(hub, arrived) {
        Ok(user) => user,
        Err(sign_in) => return Ok(sign_in),
    };
    let world = hub.world();
    let (installation, app) = find(&world, id, &user)?;
    Ok(show(&world, &user, &installation, &app, None))
}

fn show(
    world: &World,
    user: &Account,
    it: &Installation,
    app: &App,
    error: Option<&str>,
) -> Answer {
    let login = world.accounts.get(&it.account_id).map_or("", |a| a.login.as_str());
    let (suspend, since) = match it.suspended_at {
        Some(_) => (
            button("", "unsuspend", "Unsuspend"),
            "<p class=\"error\" id=\"suspended\">This installation has been suspended.</p>",
        ),
        None => (button("", "suspend", "Suspend"), ""),
    };
    let accept = if app.asked_of_accounts() == it.permissions {
        String::new()
    } else {
        let (list, accept) =
            (selection::permissions(app), button("go", "accept", "Accept new permissions"));
        format!("<h2>New permissions are asked for</h2>{list}<p>{accept}</p>")
    };
    let error = error.map(|e| format!("<p class=\"error\" id=\"error\">{e}</p>"));
    let status = if error.is_some() { 422 } else { 200 };
    let body = format!(
        "{}{since}<form method=\"post\" id=\"installation-form\">{accept}<h2>On {}</h2>{}\
         <p>{}</p><h2>Danger zone</h2><p>{suspend}{}</p></form>",
        error.unwrap_or_default(),
        escape(login),
        selection::fields(world, it.account_id, user.id, it.selection, &it.repositories),
        button("go", "save", "Save"),
        button("danger", "uninstall", "Uninstall"),
    );
    page(status, &format!("Configure {}", app.name), Some(&user.login), &body)
}

/// `POST .../settings/installations/{installation_id}`
pub(super) fn change(hub: &Hub, id: &str, arrived: &Arrived) -> Outcome {
    let Some(user) = session::user(&hub.world(), arrived) else { return Err(Refusal::not_found()) };
    let form = Form::body(arrived);
    let (it, app) = find(&hub.world(), id, &user)?;
    match form.get("do") {
        Some("save") => {
            let chosen = selection::chosen(&hub.world(), it.account_id, user.id, &form);
            let Some((selection, ids)) = chosen else {
                let error = Some("Select at least one repository.");
                return Ok(show(&hub.world(), &user, &it, &app, error));
            };
            hub.set_repositories(it.id, selection, ids, user.id);
            let done = Done::Update(it.id);
            let back = leaving::address(hub, &mut hub.world(), &app, user.id, done, None);
            return Ok(redirect(back.unwrap_or_else(|| arrived.path.clone())));
        }
        Some("suspend") => hub.set_suspended(it.id, true, user.id),
        Some("unsuspend") => hub.set_suspended(it.id, false, user.id),
        Some("accept") => hub.accept_permissions(it.id, app.asked_of_accounts(), user.id),
        Some("uninstall") => {
            hub.uninstall(it.id, user.id);
            return Ok(stayed(&app, &user, "Uninstalled", "The App has no access any more."));
        }
        _ => return Err(Refusal::not_found()),
    }
    Ok(redirect(arrived.path.clone()))
}

/// An organization that the person owns.
fn organization(world: &World, login: &str, user: &Account) -> Result<Account, Refusal> {
    let org = world.account(login).filter(|a| a.is_organization());
    org.filter(|org| world.administers(user.id, org.id)).cloned().ok_or_else(Refusal::not_found)
}

/// `GET /organizations/{org}/settings/installation_requests`
pub(super) fn requests(hub: &Hub, org: &str, arrived: &Arrived) -> Outcome {
    let user = match session::needed(hub, arrived) {
        Ok(user) => user,
        Err(sign_in) => return Ok(sign_in),
    };
    let world = hub.world();
    let org = organization(&world, org, &user)?;
    let mut list = String::new();
    for request in world.requests.values().filter(|r| r.account_id == org.id) {
        let id = request.id;
        let name = world.apps.get(&request.app_id).map_or("", |app| app.name.as_str());
        let who = world.accounts.get(&request.requester_id).map_or("", |a| a.login.as_str());
        list += &format!(
            "<li class=\"row\"><span>{} asks for {}</span><span>\
             <button class=\"go\" id=\"approve-{id}\" name=\"approve\" value=\"{id}\">Approve</button>\
             <button id=\"deny-{id}\" name=\"deny\" value=\"{id}\">Deny</button></span></li>",
            escape(who),
            escape(name),
        );
    }
    let body = format!(
        "<form method=\"post\" id=\"requests-form\"><ul id=\"requests\">{list}</ul></form>"
    );
    let title = format!("Requests to install Apps on {}", org.login);
    Ok(page(200, &title, Some(&user.login), &body))
}

/// `POST /organizations/{org}/settings/installation_requests`: an owner who approves is sent to the App as one
/// who installs is.
pub(super) fn answer_request(hub: &Hub, org: &str, arrived: &Arrived) -> Outcome {
    let Some(user) = session::user(&hub.world(), arrived) else { return Err(Refusal::not_found()) };
    let form = Form::body(arrived);
    let (approved, denied) = (form.number("approve"), form.number("deny"));
    let id = approved.or(denied).ok_or_else(Refusal::not_found)?;
    let app = {
        let mut world = hub.world();
        let org = organization(&world, org, &user)?;
        let request = world.requests.get(&id).filter(|r| r.account_id == org.id);
        let app_id = request.ok_or_else(Refusal::not_found)?.app_id;
        if approved.is_none() {
            world.requests.remove(&id);
            return Ok(redirect(arrived.path.clone()));
        }
        world.apps.get(&app_id).cloned().ok_or_else(Refusal::not_found)?
    };
    let installed = hub.approve_request(id, user.id).ok_or_else(Refusal::not_found)?;
    let done = Done::Install(installed);
    let back = leaving::address(hub, &mut hub.world(), &app, user.id, done, None);
    Ok(redirect(back.unwrap_or_else(|| arrived.path.clone())))
}
