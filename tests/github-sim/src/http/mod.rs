//! From bytes on the port to a handler and back: what every request goes through.

mod answer;
mod auth;
mod call;
mod gate;
mod input;
pub(crate) mod jwt;
mod page;
mod pipeline;
mod rate;
mod rest;
mod route;
mod server;

pub(crate) use answer::{Answer, DOCS, Outcome, Payload, Refusal};
pub(crate) use auth::{basic, token};
pub(crate) use call::{Call, decode, encode, forbidden, pairs};
pub(crate) use gate::org_gate;
pub(crate) use input::Input;
pub(crate) use page::Page;
pub(crate) use pipeline::{Arrived, authenticate};
pub(crate) use rate::{Bucket, Rates};
pub(crate) use route::{Needs, Route};
pub(crate) use server::serve;
