//! `GET /github/callback`: GitHub's redirect after its install page or "Connect GitHub". The connection is finished, and the
//! browser sent on to a page of the portal.

use axum::{
    extract::{self, RawQuery},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use tracing::{debug, warn};
use url::form_urlencoded;

use super::{State, answer};
use crate::{
    broker::{Callback, Landing, Outcome},
    domain::{InstallationId, Token},
    telemetry::causes,
};

/// Browsers at once: anybody can come, and each asks the database. People come one by one.
pub(super) const AT_ONCE: usize = 16;
/// What GitHub's addresses say; the rest is not read.
const NAMES: [&str; 5] = ["state", "code", "error", "installation_id", "setup_action"];
/// Longest value that is taken from the address; GitHub's codes have 20 characters.
const MAX_VALUE: usize = 1024;

/// Finishes what the browser was sent to GitHub for.
pub(super) async fn finish(
    extract::State(state): extract::State<State>,
    RawQuery(query): RawQuery,
) -> Response {
    let Ok(place) = state.callbacks.clone().try_acquire_owned() else {
        state.metrics.callback("busy");
        let sentence = "too many come at once; load this page again in a moment";
        return answer::error(StatusCode::SERVICE_UNAVAILABLE, sentence);
    };
    let callback = read(query.as_deref().unwrap_or_default());
    let landing = state.sites.finish_in_browser(callback, place).await;
    state.metrics.callback(landing.outcome.as_str());
    tell(&landing);
    send_on(landing)
}

/// Nothing is read from an address that says one thing twice, or at length: GitHub's do not.
fn read(query: &str) -> Callback {
    let mut callback = Callback::default();
    let mut said = Vec::new();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        let Some(name) = NAMES.into_iter().find(|known| *known == name) else { continue };
        if said.contains(&name) || value.len() > MAX_VALUE {
            return Callback::default();
        }
        said.push(name);
        if value.is_empty() {
            continue;
        }
        match name {
            "state" => callback.state = Some(Token::new(value.into_owned())),
            "code" => callback.code = Some(Token::new(value.into_owned())),
            "error" => callback.error = Some(value.into_owned()),
            "installation_id" => {
                let id = value.parse().ok().filter(|id| *id > 0);
                callback.installation_id = id.map(InstallationId);
            }
            _ => {
                callback.requested = value == "request";
                callback.changed = value == "install" || value == "update";
            }
        }
    }
    callback
}

fn tell(landing: &Landing) {
    let Some(error) = &landing.error else { return };
    let (request_id, reason, cause) = (landing.request_id, error.reason.word(), causes(error));
    match &landing.account {
        Some(account) => {
            warn!(%account, %request_id, reason, %error, cause, "a browser came back from GitHub and was not connected");
        }
        // Anybody can come without a state, as often as they like: that is counted, and fills no log.
        None => debug!(%request_id, reason, %error, cause, "a browser came from nowhere"),
    }
}

/// Away from the address with GitHub's code in it, of which the next page must not learn either.
fn send_on(landing: Landing) -> Response {
    let location = landing.url.and_then(|url| HeaderValue::try_from(String::from(url)).ok());
    let mut response = match location {
        Some(location) => (StatusCode::SEE_OTHER, [(header::LOCATION, location)]).into_response(),
        None => said(landing.outcome).into_response(),
    };
    let none = HeaderValue::from_static("no-referrer");
    response.headers_mut().insert(header::REFERRER_POLICY, none);
    response
}

/// Where no page of the portal is registered.
fn said(outcome: Outcome) -> (StatusCode, &'static str) {
    match outcome {
        Outcome::Connected => (StatusCode::OK, "GitHub is connected. You can close this page."),
        Outcome::Pending => (
            StatusCode::OK,
            "An owner of the organization has to approve the App on GitHub. You can close this page.",
        ),
        Outcome::Updated => {
            (StatusCode::OK, "Your changes on GitHub are noted. You can close this page.")
        }
        Outcome::Cancelled => {
            (StatusCode::OK, "GitHub was not connected, as you wished. You can close this page.")
        }
        Outcome::Refused => (
            StatusCode::BAD_REQUEST,
            "GitHub was not connected: the link was used, is too old, or is for what is not yours to connect. Begin again; if that \
             does not help, ask those who sent you to GitHub.",
        ),
        Outcome::Failed => (
            StatusCode::BAD_GATEWAY,
            "GitHub was not connected: something did not answer. Begin again in a few minutes.",
        ),
    }
}
