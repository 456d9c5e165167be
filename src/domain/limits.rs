//! How much the broker takes on at once, and for how long.

use std::time::Duration;

/// Limits of serving. Each can be configured as `limits.NAME`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Longest that a call may take; GitHub answers within 10 s or not at all, and a call needs few of its answers.
    pub call_timeout: Duration,
    /// Longest that CommitFiles may take: it sends up to 48 MiB on.
    pub commit_timeout: Duration,
    /// Largest request in bytes, but for CommitFiles: a description of a pull request has up to 65,536 characters of 4
    /// bytes, and the rest is small.
    pub request_bytes: usize,
    /// Largest CommitFiles in bytes: it has the files.
    pub commit_bytes: usize,
    /// Largest header list of a call in bytes.
    pub header_list_bytes: u32,
    /// Streams that one connection may have open: more than a caller needs, few enough to bound memory.
    pub streams_per_connection: u32,
    /// Connections at once; more wait until one ends.
    pub connections: usize,
    /// A client that takes longer for its TLS handshake, or for the first bytes of HTTP/2, is not one.
    pub handshake_timeout: Duration,
    /// A connection is ended in order at about this age, so that Kubernetes, which balances connections and not calls, can
    /// send the next one to another replica.
    pub connection_age: Duration,
    /// A silent connection is asked at this interval whether it still lives, ...
    pub keepalive_interval: Duration,
    /// ... and closed when it does not answer for so long.
    pub keepalive_timeout: Duration,
    /// Calls at once; one more is refused.
    pub calls_in_flight: usize,
    /// Calls at once of one caller, so that none takes all of them.
    pub calls_in_flight_per_caller: usize,
    /// Bytes that the requests of all calls under way may have; what comes beyond is refused. The broker takes up to one and a
    /// half times as much of memory for them.
    pub request_bytes_in_flight: usize,
    /// Bytes that the requests of one caller's calls under way may have, so that none takes all of them.
    pub request_bytes_in_flight_per_caller: usize,
    /// Calls that one caller may make in a second, on average.
    pub calls_per_second_per_caller: u32,
    /// Calls that one caller may make at once after a pause.
    pub burst_per_caller: u32,
    /// Longest that a call waits for its line in the audit.
    pub audit_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            call_timeout: Duration::from_secs(30),
            commit_timeout: Duration::from_secs(60),
            request_bytes: (256 + 64) * 1024,
            commit_bytes: 48 * 1024 * 1024,
            header_list_bytes: 16 * 1024,
            streams_per_connection: 200,
            connections: 2_000,
            handshake_timeout: Duration::from_secs(5),
            connection_age: Duration::from_secs(5 * 60),
            keepalive_interval: Duration::from_secs(60),
            keepalive_timeout: Duration::from_secs(20),
            calls_in_flight: 4_000,
            request_bytes_in_flight: 384 * 1024 * 1024,
            calls_in_flight_per_caller: 2_000,
            request_bytes_in_flight_per_caller: 288 * 1024 * 1024,
            calls_per_second_per_caller: 10_000,
            burst_per_caller: 20_000,
            audit_timeout: Duration::from_secs(2),
        }
    }
}
