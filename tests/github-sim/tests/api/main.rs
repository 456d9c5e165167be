//! The simulator over its real port, as GitHub's documentation says it should behave.

mod app;
mod binary;
mod browser;
mod changes;
mod faults;
mod git;
mod graphql;
mod headers;
mod hooks;
mod issues;
mod lab;
mod narrow;
mod oauth;
mod pages;
mod pats;
mod pulls;
mod repositories;
mod rules;
