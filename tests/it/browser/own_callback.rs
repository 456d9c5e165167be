//! A portal's own page for GitHub's redirect. It knows what the broker cannot: whether it was begun in this browser.

use std::sync::Arc;

use axum::{
    extract::{RawQuery, State},
    http::{HeaderMap, header::COOKIE},
};
use ghbroker::proto::{RegisterInstallationRequest, SetupAction};
use tonic::Code;
use tonic_types::StatusExt;

use super::portal::{BEGUN, Page, Portal, named};

/// Path of the page: the App's callback URL.
pub const PATH: &str = "/github/callback";
/// The portal's own reason to refuse.
pub const NOT_BEGUN_HERE: &str = "NOT_BEGUN_HERE";

/// Finishes an installation by RPC.
pub async fn finish(
    State(portal): State<Arc<Portal>>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Page {
    let query = query.unwrap_or_default();
    let state = named(&query, "state").unwrap_or_default();
    // An owner who approved, or somebody who chose other repositories: there is nothing to finish.
    if state.is_empty() && named(&query, "installation_id").is_some() {
        return portal.shows("updated", None).await;
    }
    // Whoever sends somebody else a link of their own would have that one's GitHub in their account.
    if state.is_empty() || begun_here(&headers).as_ref() != Some(&state) {
        return portal.shows("refused", Some(NOT_BEGUN_HERE)).await;
    }
    let installation_id = named(&query, "installation_id").and_then(|id| id.parse().ok());
    let (setup_action, outcome) = match named(&query, "setup_action").as_deref() {
        Some("request") => (SetupAction::Request, "pending"),
        _ => (SetupAction::Install, "connected"),
    };
    let request = RegisterInstallationRequest {
        account: portal.account.clone(),
        installation_id: installation_id.unwrap_or_default(),
        setup_action: setup_action.into(),
        code: named(&query, "code").unwrap_or_default(),
        state,
        ..Default::default()
    };
    match portal.broker.clone().register_installation(request).await {
        Ok(_) => portal.shows(outcome, None).await,
        Err(failed) if failed.code() == Code::Unavailable => portal.shows("failed", None).await,
        Err(refused) => {
            let details = refused.get_error_details();
            portal.shows("refused", details.error_info().map(|info| info.reason.as_str())).await
        }
    }
}

/// The state of the browser's cookie.
fn begun_here(headers: &HeaderMap) -> Option<String> {
    let cookies = headers.get(COOKIE)?.to_str().ok()?;
    let mut pairs = cookies.split("; ").filter_map(|cookie| cookie.split_once('='));
    pairs.find(|(name, _)| *name == BEGUN).map(|(_, state)| state.to_owned())
}
