//! Logs.

use std::error::Error;

use tracing_subscriber::{EnvFilter, fmt};

use crate::config::Log;

/// Sends logs to stderr, one line an event. Does nothing if logs go somewhere already (in tests).
pub fn install(log: &Log) {
    let filter = EnvFilter::try_new(&log.filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let lines = fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let installed = if log.json {
        lines.json().flatten_event(true).with_current_span(true).with_span_list(false).try_init()
    } else {
        lines.with_target(false).try_init()
    };
    // Fails only where a test has installed its own.
    drop(installed);
}

/// What is behind an error, in one line.
pub fn causes(error: &dyn Error) -> String {
    let mut causes = Vec::new();
    let mut next = error.source();
    while let Some(cause) = next {
        causes.push(cause.to_string());
        next = cause.source();
    }
    causes.join(": ")
}
