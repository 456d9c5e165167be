//! How long a call may take: as long as the caller waits, and no longer than the broker allows.

use std::time::Duration;

use tokio::time::Instant;
use tonic::codegen::http::{Extensions, HeaderMap};

/// The header in which a caller says how long it waits.
const HEADER: &str = "grpc-timeout";
/// The answer has to be on its way before the caller gives up: so long before, ...
const MARGIN: Duration = Duration::from_millis(100);
/// ... or this part of the time, if that is less.
const MARGIN_PART: u32 = 10;

/// When a caller gives up.
#[derive(Clone, Copy)]
pub(super) struct Deadline {
    /// When the handler has to say that it was too long.
    handler: Instant,
    /// When the edge says so, for a call that has not come to its handler.
    pub edge: Instant,
}

impl Deadline {
    /// What the caller asks for; none if it does not, or in a form that is none.
    pub fn asked(headers: &HeaderMap) -> Option<Self> {
        let wait = parse(headers.get(HEADER)?.to_str().ok()?)?;
        let margin = MARGIN.min(wait / MARGIN_PART);
        let end = Instant::now().checked_add(wait)?;
        Some(Self { handler: end - margin, edge: end - margin / 2 })
    }

    /// When the handler of a call ends that may take `most`.
    pub fn of(extensions: &Extensions, most: Duration) -> Instant {
        let own = Instant::now() + most;
        extensions.get::<Self>().map_or(own, |asked| asked.handler.min(own))
    }
}

/// gRPC's form: up to 8 digits and a unit.
fn parse(text: &str) -> Option<Duration> {
    let (unit, digits) = text.as_bytes().split_last()?;
    if digits.is_empty() || digits.len() > 8 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let count: u64 = std::str::from_utf8(digits).ok()?.parse().ok()?;
    match unit {
        b'H' => Some(Duration::from_secs(count * 3600)),
        b'M' => Some(Duration::from_secs(count * 60)),
        b'S' => Some(Duration::from_secs(count)),
        b'm' => Some(Duration::from_millis(count)),
        b'u' => Some(Duration::from_micros(count)),
        b'n' => Some(Duration::from_nanos(count)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_grpcs_form_and_nothing_else() {
        for (text, wait) in [
            ("50m", Some(Duration::from_millis(50))),
            ("2S", Some(Duration::from_secs(2))),
            ("1M", Some(Duration::from_secs(60))),
            ("99999999H", Some(Duration::from_secs(99_999_999 * 3600))),
            ("7u", Some(Duration::from_micros(7))),
            ("0n", Some(Duration::ZERO)),
            ("", None),
            ("S", None),
            ("5", None),
            ("+5S", None),
            ("5s", None),
            ("123456789S", None),
        ] {
            assert_eq!(parse(text), wait, "{text:?}");
        }
    }
}
