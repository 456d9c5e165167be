//! Who sits at the browser. There is no password: a login is enough.

use super::form::Form;
use super::html::{escape, hidden, page, redirect};
use crate::http::{Answer, Arrived, Outcome, Refusal, encode};
use crate::hub::Hub;
use crate::secrets::letters;
use crate::world::{Account, AccountKind, World};

/// The name of GitHub's own cookie.
const COOKIE: &str = "user_session";

/// The person of the request's cookie.
pub(super) fn user(world: &World, arrived: &Arrived) -> Option<Account> {
    let cookies = arrived.headers.get_all("cookie").iter().filter_map(|v| v.to_str().ok());
    let value = cookies
        .flat_map(|line| line.split(';'))
        .filter_map(|cookie| cookie.trim().split_once('='))
        .find(|(name, _)| *name == COOKIE)?
        .1;
    world.accounts.get(world.sessions.get(value)?).cloned()
}

/// The person of the request's cookie, or the page on which to sign in first.
pub(super) fn needed(hub: &Hub, arrived: &Arrived) -> Result<Account, Answer> {
    user(&hub.world(), arrived).ok_or_else(|| {
        // What was posted is gone; the person begins again at the page's address.
        let here = match arrived.query.as_str() {
            "" => arrived.path.clone(),
            query => format!("{}?{query}", arrived.path),
        };
        redirect(format!("/login?return_to={}", encode(&here)))
    })
}

/// Whether the request comes from a browser in which nobody is signed in.
pub(super) fn is_browser(arrived: &Arrived) -> bool {
    let accept = arrived.headers.get("accept").and_then(|v| v.to_str().ok());
    accept.is_some_and(|accept| accept.contains("text/html"))
}

/// `GET /login` and `POST /login`: signs in whoever is named, or asks.
pub(super) fn login(hub: &Hub, form: &Form) -> Outcome {
    // Only addresses of this server: `//host` would be another's.
    let local = |to: &&str| to.starts_with('/') && !to.starts_with("//") && !to.contains('\\');
    let to = form.get("return_to").filter(local).unwrap_or("/login");
    let mut world = hub.world();
    let Some(login) = form.get("login") else { return Ok(ask(&world, to)) };
    let user = world.account(login).filter(|a| matches!(a.kind, AccountKind::User));
    let id = user.ok_or_else(|| Refusal::new(422, "Incorrect username or password."))?.id;
    let cookie = format!("{}; Path=/; HttpOnly; SameSite=Lax", begin(&mut world, id));
    let to = if to == "/login" { format!("/login?as={}", encode(login)) } else { to.to_owned() };
    Ok(redirect(to).with("set-cookie", cookie))
}

/// Signs a person in, and gives the cookie back as a browser sends it.
pub(crate) fn begin(world: &mut World, user: u64) -> String {
    let session = letters(48);
    world.sessions.insert(session.clone(), user);
    format!("{COOKIE}={session}")
}

fn ask(world: &World, to: &str) -> Answer {
    let people = world.accounts.values().filter(|a| matches!(a.kind, AccountKind::User));
    let names: Vec<String> =
        people.map(|a| format!("<option value=\"{}\">", escape(&a.login))).collect();
    let body = format!(
        "<form method=\"post\" action=\"/login\" id=\"login-form\">{}\
         <p><label for=\"login\">Username</label>\
         <input type=\"text\" id=\"login\" name=\"login\" list=\"people\" autofocus></p>\
         <datalist id=\"people\">{}</datalist>\
         <p><button type=\"submit\" class=\"go\" id=\"sign-in\">Sign in</button></p></form>",
        hidden("return_to", to),
        names.join("")
    );
    page(200, "Sign in to GitHub", None, &body)
}

/// `GET /logout`
pub(super) fn logout() -> Answer {
    redirect("/login").with("set-cookie", format!("{COOKIE}=; Path=/; Max-Age=0"))
}
