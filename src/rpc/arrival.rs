//! A call as it comes in: known before its request is read.

use std::{net::SocketAddr, sync::Arc};

use tokio::time::Instant;
use tonic::codegen::http::HeaderMap;
use uuid::Uuid;

use super::quota::Ticket;
use crate::domain::Caller;

/// What the guard has found out about a call, for its handler. Without one no handler does anything.
#[derive(Clone, Debug)]
pub(super) struct Arrival {
    /// Id of the call in logs, audit and errors.
    pub request_id: Uuid,
    /// Who makes it.
    pub caller: Caller,
    /// Where it comes from.
    pub peer: SocketAddr,
    /// The trace that it is part of.
    pub trace_id: Option<String>,
    /// When it has to end.
    pub deadline: Instant,
    /// Its place among the calls under way: kept by whatever works for it, also when its caller is gone.
    pub place: Arc<Ticket>,
}

/// The trace id of a `traceparent` header (W3C Trace Context): 32 hex digits, not all 0.
pub(super) fn trace_id(headers: &HeaderMap) -> Option<String> {
    let mut fields = headers.get("traceparent")?.to_str().ok()?.split('-');
    let id = fields.nth(1)?;
    let digits = id.len() == 32 && id.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    (digits && id.bytes().any(|b| b != b'0')).then(|| id.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_id_is_32_hex_digits_or_nothing() {
        let read = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("traceparent", value.parse().unwrap());
            trace_id(&headers)
        };
        let id = "4bf92f3577b34da6a3ce929d0e0e4736";
        assert_eq!(read(&format!("00-{id}-00f067aa0ba902b7-01")).as_deref(), Some(id));
        for bad in [
            "",
            "00",
            "00-xyz-1-01",
            &format!("00-{}-1-01", "0".repeat(32)),
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-1-01",
        ] {
            assert_eq!(read(bad), None, "{bad}");
        }
        assert_eq!(trace_id(&HeaderMap::new()), None);
    }
}
