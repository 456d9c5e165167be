//! Integration tests: one binary, one module per capability.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a test stops where it fails, and makes its own clients"
)]

mod access;
mod app_keys;
mod audit;
mod bad_input;
mod browser;
mod budgets;
mod callback;
mod canary;
mod commit;
mod configuration;
mod connect;
mod docs;
mod engine;
mod engine_contract;
mod errors;
mod flow_app_approval;
mod flow_app_staging;
mod flow_assistant_issues;
mod flow_project_upgrade;
mod flow_ticket_sandbox;
mod grpcurl;
mod harden;
mod harness;
mod helm;
mod hostile;
mod layout;
mod lies;
mod metrics;
mod oauth;
mod octokit;
mod places;
mod postgres;
mod promote;
mod quotas;
mod refusals;
mod renewal;
mod replicas;
mod repositories;
mod sandbox;
mod schemas;
mod serve;
mod sites;
mod store;
mod tls;
mod tokens;
mod verify;
mod webhooks;
