//! Logs.

mod fields;

use std::{
    error::Error,
    io::{IsTerminal, Write},
    panic,
};

use tracing::{dispatcher, error};
use tracing_subscriber::{
    EnvFilter,
    fmt::{
        self, SubscriberBuilder,
        format::{Format, Json},
    },
};

use crate::config::Log;
use fields::JsonFields;

/// Sends logs to stderr, one line an event. Does nothing if logs go somewhere already (in tests).
pub fn install(log: &Log) {
    let filter = EnvFilter::try_new(&log.filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let lines = fmt::fmt();
    let installed = if log.json {
        json(lines).with_env_filter(filter).with_writer(std::io::stderr).try_init()
    } else {
        let lines = lines.with_env_filter(filter).with_writer(std::io::stderr);
        lines.with_target(false).with_ansi(std::io::stderr().is_terminal()).try_init()
    };
    // Fails only where a test has installed its own.
    drop(installed);
}

/// One JSON object a line, with the fields of the span that it is in.
fn json(lines: SubscriberBuilder) -> SubscriberBuilder<JsonFields, Format<Json>> {
    lines
        .json()
        .flatten_event(true)
        .with_current_span(true)
        .with_span_list(false)
        .fmt_fields(JsonFields)
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
