//! `[limits]`.

use std::{ops::RangeInclusive, time::Duration};

use super::check::Checker;
use crate::{domain::Limits, store::TAKEOVER_AFTER};

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;
const GIB: u64 = 1024 * MIB;
/// A commit that runs for longer would be taken for dead, and be made again by a retry: see [`TAKEOVER_AFTER`], which leaves
/// a minute for the last request that it has begun.
const MAX_COMMIT_S: u64 = 120;
const _: () = assert!(MAX_COMMIT_S + 60 <= TAKEOVER_AFTER.whole_seconds().unsigned_abs());

impl Checker<'_> {
    pub(super) fn limits(&mut self) -> Limits {
        let mut limits = Limits::default();
        let given = &mut limits;
        self.seconds("limits.call_timeout_seconds", 1..=600, &mut given.call_timeout);
        self.seconds("limits.commit_timeout_seconds", 1..=MAX_COMMIT_S, &mut given.commit_timeout);
        self.seconds("limits.handshake_timeout_seconds", 1..=60, &mut given.handshake_timeout);
        self.seconds("limits.connection_age_seconds", 10..=86_400, &mut given.connection_age);
        self.seconds("limits.keepalive_interval_seconds", 1..=3600, &mut given.keepalive_interval);
        self.seconds("limits.keepalive_timeout_seconds", 1..=600, &mut given.keepalive_timeout);
        self.seconds("limits.audit_timeout_seconds", 1..=30, &mut given.audit_timeout);
        self.count("limits.request_bytes", 64 * KIB..=4 * MIB, &mut given.request_bytes);
        self.count("limits.commit_bytes", MIB..=64 * MIB, &mut given.commit_bytes);
        // Below 8 KiB not even a ServiceAccount token of the largest size is sure to fit.
        self.count("limits.header_list_bytes", 12 * KIB..=MIB, &mut given.header_list_bytes);
        self.count("limits.streams_per_connection", 1..=10_000, &mut given.streams_per_connection);
        self.count("limits.connections", 1..=1_000_000, &mut given.connections);
        self.count("limits.calls_in_flight", 1..=1_000_000, &mut given.calls_in_flight);
        self.count(
            "limits.request_bytes_in_flight",
            MIB..=64 * GIB,
            &mut given.request_bytes_in_flight,
        );
        self.count(
            "limits.request_bytes_in_flight_per_caller",
            MIB..=64 * GIB,
            &mut given.request_bytes_in_flight_per_caller,
        );
        self.count(
            "limits.calls_in_flight_per_caller",
            1..=1_000_000,
            &mut given.calls_in_flight_per_caller,
        );
        self.count(
            "limits.calls_per_second_per_caller",
            1..=1_000_000,
            &mut given.calls_per_second_per_caller,
        );
        self.count("limits.burst_per_caller", 1..=1_000_000, &mut given.burst_per_caller);
        let least = limits.request_bytes_in_flight.min(limits.request_bytes_in_flight_per_caller);
        if least < limits.commit_bytes {
            self.wrong(
                "limits.request_bytes_in_flight and limits.request_bytes_in_flight_per_caller must be at least limits.commit_bytes: \
                 the largest commit could never come in",
            );
        }
        limits
    }

    fn seconds(&mut self, key: &str, bounds: RangeInclusive<u64>, limit: &mut Duration) {
        if let Some(seconds) = self.number(key, bounds) {
            *limit = Duration::from_secs(seconds);
        }
    }

    pub(super) fn count<T: TryFrom<u64>>(
        &mut self,
        key: &str,
        bounds: RangeInclusive<u64>,
        limit: &mut T,
    ) {
        if let Some(count) = self.number(key, bounds).and_then(|number| T::try_from(number).ok()) {
            *limit = count;
        }
    }

    fn number(&mut self, key: &str, bounds: RangeInclusive<u64>) -> Option<u64> {
        let number = self.file.number(key)?;
        if bounds.contains(&number) {
            return Some(number);
        }
        self.wrong(format!("{key} must be {} to {}, not {number}", bounds.start(), bounds.end()));
        None
    }
}
