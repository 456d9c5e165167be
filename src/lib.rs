//! ghbroker: one gRPC service that alone holds a GitHub App's key, and does with it what a platform's services need.
//!
//! ```text
//!  main → cli ─┬→ app ─┬→ rpc ─┬→ broker ─┬→ github ──→ domain
//!              │       ├→ http ┘          ├→ store ───→ domain
//!              │       └→ config          ├→ crypto ──→ domain
//!              └→ client                  ├→ auth ────→ domain
//!                                         ├→ audit ───→ domain
//!                                         └→ metrics
//! ```
//!
//! A module uses what is to its right, never what is to its left or beside it; `app` alone puts the leaves together.
//!
//! * [`cli`]: the commands.
//! * [`config`]: file, environment and flags, checked as a whole.
//! * [`telemetry`]: where logs go.
//! * [`app`]: builds, serves, stops.
//! * [`client`]: the commands of a sandbox, which ask a broker for a token.
//! * [`rpc`]: gRPC: parse, one call, translate. The contract itself is in `proto/`, generated as [`proto`].
//! * [`http`]: plain HTTP: GitHub's webhooks, browsers on their way back from GitHub, and metrics.
//! * [`broker`]: the use cases.
//! * [`github`]: all HTTP to GitHub.
//! * [`store`]: the database; its schema is the crate `migrations`.
//! * [`crypto`]: secrets at rest.
//! * [`auth`]: who is calling.
//! * [`audit`]: who was given what.
//! * [`metrics`]: what is counted.
//! * [`domain`]: the words, as types.
//! * [`json`]: lines of the log and of the audit, written in place.

pub mod app;
pub mod audit;
pub mod auth;
pub mod broker;
pub mod cli;
pub mod client;
pub mod config;
pub mod crypto;
pub mod domain;
pub mod github;
pub mod http;
mod json;
pub mod metrics;
pub mod proto;
pub mod rpc;
pub mod store;
pub mod telemetry;
