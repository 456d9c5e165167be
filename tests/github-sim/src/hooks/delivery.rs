//! One delivery, and how it went.

use bytes::Bytes;

/// A webhook that was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The number of this delivery; a redelivery has its own.
    pub id: u64,
    /// `X-GitHub-Delivery`, which a redelivery keeps.
    pub guid: String,
    /// The App that it was for.
    pub app_id: u64,
    /// `installation`, `repository`, ...
    pub event: String,
    /// `created`, `deleted`, ...
    pub action: Option<String>,
    /// The installation it is about.
    pub installation_id: Option<u64>,
    /// The repository it is about.
    pub repository_id: Option<u64>,
    /// Whether it was sent again on demand.
    pub redelivery: bool,
    /// When it was sent, in seconds since the epoch.
    pub delivered_at: i64,
    /// The status answered; nothing while it is under way and when there was no answer.
    pub status: Option<u16>,
    /// `OK`, `Invalid HTTP Response: 503`, `timed out`, `failed to connect to host`; `pending` while under way.
    pub outcome: String,
}

/// A delivery with what was sent.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub shown: Delivery,
    /// The payload, byte for byte.
    pub body: Bytes,
}

/// How a delivery ended.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Outcome {
    Answered(u16),
    TimedOut,
    NoConnection,
}

impl Delivery {
    pub(super) fn finish(&mut self, outcome: Outcome) {
        (self.status, self.outcome) = match outcome {
            Outcome::Answered(status) if (200..300).contains(&status) => {
                (Some(status), "OK".to_owned())
            }
            Outcome::Answered(status) => (Some(status), format!("Invalid HTTP Response: {status}")),
            Outcome::TimedOut => (None, "timed out".to_owned()),
            Outcome::NoConnection => (None, "failed to connect to host".to_owned()),
        };
    }

    /// Makes it the next attempt of the same delivery.
    pub(super) fn again(&mut self, id: u64, now: i64) {
        (self.id, self.delivered_at, self.redelivery) = (id, now, true);
        (self.status, self.outcome) = (None, "pending".to_owned());
    }
}

/// A random UUID in its usual form.
pub(crate) fn guid() -> String {
    let mut bytes = [0_u8; 16];
    // A failing random source leaves zeros: two GUIDs would be alike, which a test would notice.
    let _ = aws_lc_rs::rand::fill(&mut bytes);
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let part = |from: usize, to: usize| &hex[from..to];
    [part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)].join("-")
}
