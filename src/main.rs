//! The `ghbroker` command.

use std::process::ExitCode;

use clap::Parser;
use ghbroker::cli::{self, Cli};

/// Small, frequent allocations of many tasks are what it is good at.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    cli::prepare();
    cli::run(Cli::parse())
}
