//! A simulator of GitHub behind a real HTTP port, over real bare git repositories.
//!
//! ```text
//! sim.rs       the handle: start, change things, ask what was seen
//! seed.rs      what it starts with              plant.rs   putting that into the world
//! hub.rs       what every request shares        world/     the state behind one mutex
//! http/        port, faults, callers, limits    rest/      the REST routes: one table, one file per noun
//! graphql/     schema, validation, execution    web/       smart HTTP of git, OAuth pages
//! policy/      what refuses a change            git/       the real git, by its plumbing commands
//! change/      what happens, and who is told    hooks/     webhooks on their way
//! fault.rs     faults on demand                 seen.rs    the log of requests
//! ```
//!
//! It is written from GitHub's documented behaviour and shares no type with the client it tests. What it
//! does not simulate answers 501 and makes [`Sim::finish`] panic.

// GitHub's repositories have more fields than `json!` takes by default.
#![recursion_limit = "256"]

mod change;
mod clock;
mod fault;
mod git;
mod graphql;
mod hooks;
mod http;
mod hub;
mod level;
mod plant;
mod policy;
mod rest;
mod secrets;
pub mod seed;
mod seen;
mod sim;
mod urls;
mod web;
mod world;

pub use clock::SimClock;
pub use fault::{Effect, Fault, Gate};
pub use hooks::Delivery;
pub use level::Level;
pub use secrets::TokenFormat;
pub use seed::{Seed, SeedError};
pub use seen::Seen;
pub use sim::{Options, Sim, StartError};
pub use world::{Credential, Operator, Pattern, ReplicationLag, Rule};
