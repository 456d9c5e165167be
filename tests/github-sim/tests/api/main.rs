//! The simulator over its real port, as GitHub's documentation says it should behave.

mod app;
mod binary;
mod changes;
mod faults;
mod git;
mod graphql;
mod headers;
mod hooks;
mod issues;
mod lab;
mod oauth;
mod pats;
mod pulls;
mod repositories;
mod rules;
