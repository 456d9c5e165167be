//! Fields of requests become domain types. Every bad field is collected, so that a caller mends them in one go.

use std::{str::FromStr, time::Duration};

use crate::{
    broker::{Error, FieldViolation},
    domain::Invalid,
};

/// The bad fields of one request.
#[derive(Default)]
pub(super) struct Fields {
    violations: Vec<FieldViolation>,
}

/// Builds a request's domain type, or reports all of its bad fields.
pub(super) fn parse<T>(build: impl FnOnce(&mut Fields) -> Option<T>) -> Result<T, Error> {
    let mut fields = Fields::default();
    match build(&mut fields) {
        Some(parsed) if fields.violations.is_empty() => Ok(parsed),
        _ => Err(Error::invalid_fields(fields.violations)),
    }
}

impl Fields {
    /// Notes that `field` cannot be what it is.
    pub fn wrong(&mut self, field: impl Into<String>, description: impl Into<String>) {
        self.violations
            .push(FieldViolation { field: field.into(), description: description.into() });
    }

    /// A field that must be given.
    pub fn required<T: FromStr<Err = Invalid>>(&mut self, field: &str, text: &str) -> Option<T> {
        text.parse().map_err(|Invalid(reason)| self.wrong(field, reason)).ok()
    }

    /// A field that may be empty: `Some(None)` then.
    pub fn optional<T: FromStr<Err = Invalid>>(
        &mut self,
        field: &str,
        text: &str,
    ) -> Option<Option<T>> {
        if text.is_empty() { Some(None) } else { self.required(field, text).map(Some) }
    }

    /// A text of at most `max` characters without control characters other than line ends and tabs.
    pub fn text(&mut self, field: &str, text: String, max: usize) -> Option<String> {
        if text.chars().count() > max {
            self.wrong(field, format!("must be at most {max} characters long"));
        } else if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
            self.wrong(field, "must not contain control characters");
        } else {
            return Some(text);
        }
        None
    }

    /// A text of one line.
    pub fn line(&mut self, field: &str, text: String, max: usize) -> Option<String> {
        if text.contains(['\n', '\r']) {
            self.wrong(field, "must be a single line");
            return None;
        }
        self.text(field, text, max)
    }

    /// A duration within bounds; `default` when absent.
    pub fn duration(
        &mut self,
        field: &str,
        given: Option<prost_types::Duration>,
        default: Duration,
        max: Duration,
    ) -> Option<Duration> {
        let Some(given) = given else { return Some(default) };
        match duration(given) {
            Some(duration) if duration <= max => Some(duration),
            _ => {
                self.wrong(field, format!("must be 0 to {} seconds", max.as_secs()));
                None
            }
        }
    }
}

/// A duration that is not negative and as protobuf defines it. The conversion of prost-types overflows at the smallest
/// one, and carries surplus nanoseconds over.
fn duration(given: prost_types::Duration) -> Option<Duration> {
    let nanos = u32::try_from(given.nanos).ok().filter(|nanos| *nanos < 1_000_000_000)?;
    Some(Duration::new(u64::try_from(given.seconds).ok()?, nanos))
}
