//! Tokens whose signature was checked before: it costs more than all the rest of a call, and a caller sends the same token for
//! an hour.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use aws_lc_rs::digest::{SHA256, digest};
use dashmap::DashMap;
use time::OffsetDateTime;

use super::verify::Proven;
use crate::{
    auth::{Keys, Refused},
    domain::ServiceAccount,
};

/// Most tokens that are remembered: each is of somebody who has proven who it is, so that a cluster has no more callers.
const MOST: usize = 10_000;
/// All of them are looked through no more often than in so many seconds: with more good tokens than that, each call would.
const SWEEP_EVERY: u64 = 60;

/// What was proven by tokens, by their hashes: a token itself is kept nowhere.
#[derive(Default)]
pub(super) struct Seen {
    tokens: DashMap<[u8; 32], Entry>,
    /// When they were looked through last: seconds since 1970.
    swept: AtomicI64,
}

struct Entry {
    /// What it was checked with: under other keys it is checked anew.
    keys: Arc<Keys>,
    proven: Proven,
}

impl Seen {
    /// Whose token this is, if its signature was checked with just these keys. Its times are checked each time.
    pub fn account(
        &self,
        token: &str,
        keys: &Arc<Keys>,
        now: OffsetDateTime,
    ) -> Option<Result<ServiceAccount, Refused>> {
        let entry = self.tokens.get(&hash(token)?)?;
        Arc::ptr_eq(&entry.keys, keys).then(|| entry.proven.account_at(now))
    }

    /// Remembers a good token.
    pub fn keep(&self, token: &str, keys: &Arc<Keys>, proven: Proven, now: OffsetDateTime) {
        let Some(hash) = hash(token) else { return };
        if self.tokens.len() >= MOST && self.is_time(now) {
            self.tokens.retain(|_, kept| {
                Arc::ptr_eq(&kept.keys, keys) && kept.proven.account_at(now).is_ok()
            });
        }
        // More good tokens than callers: they are checked each time.
        if self.tokens.len() < MOST {
            self.tokens.insert(hash, Entry { keys: keys.clone(), proven });
        }
    }

    /// True for one of all who ask at the same time.
    fn is_time(&self, now: OffsetDateTime) -> bool {
        let now = now.unix_timestamp();
        let due = |swept: i64| (now.abs_diff(swept) >= SWEEP_EVERY).then_some(now);
        self.swept.fetch_update(Ordering::Relaxed, Ordering::Relaxed, due).is_ok()
    }
}

fn hash(token: &str) -> Option<[u8; 32]> {
    digest(&SHA256, token.as_bytes()).as_ref().try_into().ok()
}
