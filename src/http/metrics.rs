//! `GET /metrics`.

use axum::{extract, http::header::CONTENT_TYPE, response::IntoResponse};

use super::State;
use crate::metrics;

/// All counters.
pub(super) async fn text(extract::State(state): extract::State<State>) -> impl IntoResponse {
    ([(CONTENT_TYPE, metrics::CONTENT_TYPE)], state.metrics.text())
}
