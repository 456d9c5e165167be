//! What of an error goes out: nothing in the form of a secret, and no more than fits into an answer.
//!
//! A status travels in headers. Clients take 16 KiB of them, some only 8, and end the whole connection with all of its other
//! calls when there are more. With these limits a status takes less than 8 KiB: the details are sent in base64, a third
//! longer than they are, and have the message a second time, for a failed precondition or a quota a third time.

use crate::{
    broker::{Error, FieldViolation},
    domain::redact,
};

/// Longest message, as it is sent.
const MAX_MESSAGE: usize = 1536;
/// Longest value of the metadata; no reason has more than two beside the request id.
const MAX_VALUE: usize = 512;
/// Longest description of one bad field.
const MAX_DESCRIPTION: usize = 512;
/// Most bad fields that are named; one more says how many are not.
const MAX_VIOLATIONS: usize = 20;
/// All bad fields together.
const MAX_VIOLATIONS_BYTES: usize = 2560;
/// What one bad field takes beside its text.
const VIOLATION_OVERHEAD: usize = 10;

/// The error as the caller and the log may see it.
pub(super) fn presentable(mut error: Error) -> Error {
    error.violations = some_of(error.violations);
    error.message = present(&error.message, MAX_MESSAGE);
    for (_, value) in &mut error.metadata {
        *value = present(value, MAX_VALUE);
    }
    error
}

/// The first of the bad fields, and how many more there are.
fn some_of(violations: Vec<FieldViolation>) -> Vec<FieldViolation> {
    let total = violations.len();
    let mut room = MAX_VIOLATIONS_BYTES;
    let mut named: Vec<FieldViolation> = violations
        .into_iter()
        .take(MAX_VIOLATIONS)
        .map_while(|mut violation| {
            violation.field = present(&violation.field, MAX_VALUE);
            violation.description = present(&violation.description, MAX_DESCRIPTION);
            let size = violation.field.len() + violation.description.len() + VIOLATION_OVERHEAD;
            room = room.checked_sub(size)?;
            Some(violation)
        })
        .collect();
    if named.len() < total {
        let description = format!("and {} more fields are wrong", total - named.len());
        named.push(FieldViolation { field: String::new(), description });
    }
    named
}

/// `text` without secrets, cut so that it takes at most `max` bytes when it is sent. `...` is in the place of what is cut off.
fn present(text: &str, max: usize) -> String {
    // Before it is cut: half a secret would not be known for one.
    let text = redact(text);
    let mut sent = 0;
    let end = text.char_indices().find(|(_, c)| {
        sent += sent_length(*c);
        sent > max
    });
    match end {
        Some((end, _)) => format!("{}...", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

/// Bytes of a character in the header of a message: what is not plain is percent-encoded.
fn sent_length(c: char) -> usize {
    if c.is_ascii_alphanumeric() || "-_.,:;/()[]".contains(c) { 1 } else { 3 * c.len_utf8() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::{FieldViolation, Reason};

    fn invalid(count: usize) -> Error {
        let violation = |index| FieldViolation {
            field: format!("files[{index}].path"),
            description: "must not have an empty part, . or ..".to_owned(),
        };
        let mut error = Error::new(Reason::InvalidField, "files[0].path must not ...");
        error.violations = (0..count).map(violation).collect();
        error
    }

    #[test]
    fn a_few_fields_are_all_named() {
        let error = presentable(invalid(20));
        assert_eq!(error.violations.len(), 20);
        assert_eq!(error.message, "files[0].path must not ...");
    }

    #[test]
    fn of_many_fields_the_first_are_named_and_all_are_counted() {
        for (count, more) in [(21, "and 1 more"), (10_000, "and 9980 more")] {
            let violations = presentable(invalid(count)).violations;
            assert_eq!(violations.len(), 21);
            assert_eq!(violations[19].field, "files[19].path");
            assert!(violations[20].description.starts_with(more), "{:?}", violations[20]);
        }
    }

    #[test]
    fn nothing_is_longer_than_fits() {
        let mut error = invalid(1);
        error.message = "ü ".repeat(10_000);
        error.metadata = vec![("paths", "a".repeat(10_000))];
        error.violations[0].description = "é".repeat(10_000);
        let error = presentable(error);
        let sent: usize = error.message.chars().map(sent_length).sum();
        assert!(sent <= MAX_MESSAGE + "...".len(), "{sent}");
        assert_eq!(error.metadata[0].1.len(), MAX_VALUE + "...".len());
        assert!(error.violations[0].description.len() <= MAX_DESCRIPTION + "...".len());
    }

    #[test]
    fn no_secret_gets_out_not_even_its_begin() {
        let secret = format!("ghp_{}", "a1B2".repeat(9));
        let mut error = Error::new(Reason::RepoNotAccessible, format!("acme/{secret} is unknown"));
        error.metadata = vec![("repository", format!("acme/{secret}"))];
        let error = presentable(error);
        assert_eq!(error.message, "acme/[redacted] is unknown");
        assert_eq!(error.metadata[0].1, "acme/[redacted]");
        for before in 0..40 {
            let text = format!("{}{secret}", "x".repeat(before));
            assert!(!present(&text, 40).contains("ghp_"), "{before}");
        }
    }
}
