//! Logs.

use std::{
    error::Error,
    io::{IsTerminal, Write},
    panic,
};

use tracing::{dispatcher, error};
use tracing_subscriber::{EnvFilter, fmt};

use crate::config::Log;

/// Sends logs to stderr, one line an event. Does nothing if logs go somewhere already (in tests).
pub fn install(log: &Log) {
    let filter = EnvFilter::try_new(&log.filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let lines = fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let installed = if log.json {
        lines.json().flatten_event(true).with_current_span(true).with_span_list(false).try_init()
    } else {
        lines.with_target(false).with_ansi(std::io::stderr().is_terminal()).try_init()
    };
    // Fails only where a test has installed its own.
    drop(installed);
}

/// Makes a panic say where it happened and nothing more: its message may hold what was being worked on. The place goes to
/// the log, and to stderr as long as there is none.
pub fn quiet_panics() {
    panic::set_hook(Box::new(|info| {
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        if dispatcher::has_been_set() {
            error!(place, "a task panicked; this is a bug of the broker");
        } else {
            // Not eprintln: a panic about a closed stderr would end the process here.
            drop(writeln!(
                std::io::stderr(),
                "ghbroker panicked at {place}; this is a bug of the broker"
            ));
        }
    }));
}

/// What is behind an error, in one line; none if nothing is.
pub fn causes(error: &dyn Error) -> Option<String> {
    let mut causes = Vec::new();
    let mut next = error.source();
    while let Some(cause) = next {
        causes.push(cause.to_string());
        next = cause.source();
    }
    (!causes.is_empty()).then(|| causes.join(": "))
}
