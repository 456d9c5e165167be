//! The log of requests, for assertions.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::world::Credential;

/// One request that reached the simulator.
#[derive(Clone, Debug)]
pub struct Seen {
    /// `GET`, `POST`, ...
    pub method: String,
    /// The path as it was sent, without the query.
    pub path: String,
    /// The route, such as `GET /repos/{owner}/{repo}`, `POST /graphql` or `git-receive-pack`.
    pub route: String,
    /// The first field of a GraphQL document: `createCommitOnBranch`, `repository`, ...
    pub field: Option<String>,
    /// The status answered; nothing while the request is under way, and when it was dropped.
    pub status: Option<u16>,
    /// What the request was authenticated with.
    pub credential: Credential,
    /// The size of the body in bytes (0 for a streamed git request).
    pub body_bytes: usize,
    /// The `Accept` header.
    pub accept: Option<String>,
    /// The `X-GitHub-Api-Version` header.
    pub api_version: Option<String>,
}

impl Seen {
    /// Whether it is of a route, which may end with a field of GraphQL: `POST /graphql createCommitOnBranch`.
    pub fn is_of(&self, route: &str) -> bool {
        matches(route, &self.route, self.field.as_deref())
    }
}

/// Whether a request of a route, for a field if it is GraphQL's, is of those that `wanted` names.
pub(crate) fn matches(wanted: &str, route: &str, field: Option<&str>) -> bool {
    match wanted.strip_prefix(route) {
        Some("") => true,
        Some(rest) => field.is_some() && rest.strip_prefix(' ') == field,
        None => false,
    }
}

/// All requests in the order in which they came.
#[derive(Debug, Default)]
pub(crate) struct Log {
    seen: Mutex<Vec<Seen>>,
    unknown: Mutex<Vec<String>>,
    /// Whether each request is also written to standard error.
    chatty: bool,
}

impl Log {
    pub fn new(chatty: bool) -> Self {
        Self { chatty, ..Self::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Seen>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a request that has come, and returns its place.
    pub fn begin(&self, seen: Seen) -> usize {
        let mut all = self.lock();
        all.push(seen);
        all.len() - 1
    }

    pub fn credential(&self, place: usize, credential: Credential, body_bytes: usize) {
        if let Some(seen) = self.lock().get_mut(place) {
            seen.credential = credential;
            seen.body_bytes = body_bytes;
        }
    }

    /// Notes how a request ended.
    pub fn end(&self, place: usize, status: Option<u16>) {
        let mut all = self.lock();
        let Some(seen) = all.get_mut(place) else { return };
        seen.status = status;
        if self.chatty {
            let status = status.map_or("dropped".to_owned(), |s| s.to_string());
            eprintln!("{} {} -> {status} {:?}", seen.method, seen.route, seen.credential);
        }
    }

    pub fn all(&self) -> Vec<Seen> {
        self.lock().clone()
    }

    pub fn unknown(&self, what: String) {
        self.unknown.lock().unwrap_or_else(PoisonError::into_inner).push(what);
    }

    pub fn unknowns(&self) -> Vec<String> {
        self.unknown.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
