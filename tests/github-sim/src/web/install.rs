//! The page on which a person installs an App. It agrees at once, if there is an installation to speak of.

use crate::http::{Answer, Arrived, Outcome, Payload, Refusal, encode, pairs};
use crate::hub::Hub;

/// Sends the browser to the App's setup URL with the newest installation.
pub(super) fn new(hub: &Hub, slug: &str, arrived: &Arrived) -> Outcome {
    let world = hub.world();
    let app = world.apps.values().find(|a| a.slug == slug).ok_or_else(Refusal::not_found)?;
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
    if let Some((_, state)) = pairs(&arrived.query).into_iter().find(|(name, _)| name == "state") {
        url.push_str(&format!("&state={}", encode(&state)));
    }
    Ok(Answer::new(302, Payload::Empty).with("location", url))
}
