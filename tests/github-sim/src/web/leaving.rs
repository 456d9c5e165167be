//! Where the browser goes from the installation pages: back to the App, if the App wants it back.

use super::oauth::code_for;
use crate::http::encode;
use crate::hub::Hub;
use crate::world::{App, World};

/// What has been done, as `setup_action` has it, with the installation if there is one.
#[derive(Clone, Copy, Debug)]
pub(super) enum Done {
    Install(u64),
    Update(u64),
    /// An owner has to agree, so there is no installation to speak of.
    Request,
}

/// The App's address to return to; nothing if the person stays on GitHub.
///
/// An App that asks for authorization while it is installed gets a code at its first callback URL; any other
/// is called at its setup URL. The state is given back only where the person came from the App.
pub(super) fn address(
    hub: &Hub,
    world: &mut World,
    app: &App,
    user: u64,
    done: Done,
    state: Option<&str>,
) -> Option<String> {
    if matches!(done, Done::Update(_)) && !app.setup_on_update {
        return None;
    }
    let mut query = Vec::new();
    let target = if app.request_oauth_on_install {
        let target = app.callback_urls.first()?;
        query.push(format!("code={}", code_for(hub, world, app, user, target)));
        target
    } else {
        app.setup_url.as_ref()?
    };
    let action = match done {
        Done::Install(id) | Done::Update(id) => {
            query.push(format!("installation_id={id}"));
            if matches!(done, Done::Install(_)) { "install" } else { "update" }
        }
        Done::Request => "request",
    };
    query.push(format!("setup_action={action}"));
    query.extend(state.map(|state| format!("state={}", encode(state))));
    let joint = if target.contains('?') { '&' } else { '?' };
    Some(format!("{target}{joint}{}", query.join("&")))
}
