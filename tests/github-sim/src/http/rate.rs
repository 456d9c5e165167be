//! The primary rate limits: one bucket per caller and resource, refilled an hour after its first use.

use std::collections::HashMap;
use std::sync::Mutex;

use crate::world::{Caller, TokenKind, World};

/// A bucket as a caller finds it after a request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bucket {
    pub limit: u64,
    pub used: u64,
    pub reset: i64,
    pub resource: &'static str,
}

impl Bucket {
    pub fn remaining(&self) -> u64 {
        self.limit.saturating_sub(self.used)
    }

    /// GitHub's `rate-limit`.
    pub fn json(&self) -> serde_json::Value {
        serde_json::json!({
            "limit": self.limit, "used": self.used, "remaining": self.remaining(),
            "reset": self.reset, "resource": self.resource,
        })
    }

    /// The headers of an answer.
    pub fn headers(&self) -> [(&'static str, String); 5] {
        [
            ("x-ratelimit-limit", self.limit.to_string()),
            ("x-ratelimit-remaining", self.remaining().to_string()),
            ("x-ratelimit-used", self.used.to_string()),
            ("x-ratelimit-reset", self.reset.to_string()),
            ("x-ratelimit-resource", self.resource.to_owned()),
        ]
    }
}

/// Whose bucket it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Owner {
    Address,
    App(u64),
    Installation(u64),
    User(u64),
}

impl std::fmt::Display for Owner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Address => write!(f, "127.0.0.1"),
            Self::App(id) => write!(f, "app ID {id}"),
            Self::Installation(id) => write!(f, "installation ID {id}"),
            Self::User(id) => write!(f, "user ID {id}"),
        }
    }
}

/// All buckets.
#[derive(Debug, Default)]
pub(crate) struct Rates(Mutex<HashMap<(Owner, &'static str), Use>>);

/// What was used, and when that is forgotten.
type Use = (u64, i64);

const HOUR: i64 = 3600;
const MINUTE: i64 = 60;

impl Rates {
    /// Counts a request (`cost` 0: only looks) and returns the bucket, and the caller's name when it was
    /// used up already.
    pub fn charge(
        &self,
        world: &World,
        caller: &Caller,
        resource: &'static str,
        cost: u64,
        now: i64,
    ) -> (Bucket, Option<String>) {
        let owner = owner(caller);
        let limit = limit(world, &owner, resource);
        let span = if resource == "search" { MINUTE } else { HOUR };
        let text = owner.to_string();
        let mut buckets = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let (used, reset) = buckets.entry((owner, resource)).or_insert((0, now + span));
        if *reset <= now {
            (*used, *reset) = (0, now + span);
        }
        let exceeded = cost > 0 && *used >= limit;
        if !exceeded {
            *used += cost;
        }
        (Bucket { limit, used: *used, reset: *reset, resource }, exceeded.then_some(text))
    }

    /// Takes a request back that turned out to cost nothing.
    pub fn refund(
        &self,
        world: &World,
        caller: &Caller,
        resource: &'static str,
        now: i64,
    ) -> Bucket {
        {
            let mut buckets = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            if let Some((used, _)) = buckets.get_mut(&(owner(caller), resource)) {
                *used = used.saturating_sub(1);
            }
        }
        self.charge(world, caller, resource, 0, now).0
    }
}

fn owner(caller: &Caller) -> Owner {
    match (caller, caller.token()) {
        (Caller::App { app_id } | Caller::Client { app_id }, _) => Owner::App(*app_id),
        (_, Some(TokenKind::Installation { installation_id, .. })) => {
            Owner::Installation(*installation_id)
        }
        _ => caller.user_id().map_or(Owner::Address, Owner::User),
    }
}

/// 5,000 an hour, and for an installation 50 more for each repository over 20, up to 12,500.
fn limit(world: &World, owner: &Owner, resource: &str) -> u64 {
    match (resource, owner) {
        ("search", Owner::Address) => 10,
        ("search", _) => 30,
        (_, Owner::Address) => 60,
        (_, Owner::Installation(id)) => {
            let repositories = world.installations.get(id).map_or(0, |installation| {
                let covered =
                    |r: &&crate::world::Repository| installation.covers(r.meta.id, r.meta.owner_id);
                world.repositories.values().filter(covered).count()
            });
            let more = u64::try_from(repositories.saturating_sub(20)).unwrap_or(0) * 50;
            (5000 + more).min(12_500)
        }
        _ => 5000,
    }
}
