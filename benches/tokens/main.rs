//! What a token costs: of a broker that has it, and of GitHub. `make bench` runs it.
//!
//! * [`warm`]: GetRepoToken of a cached token beside the health service's Check, which does nothing.
//! * [`herd`]: many callers at once for a token that nobody has yet.
//! * [`day`]: a thousand keys in steady use, and [`outage`]: GitHub is away. [`town`]: who uses them.
//! * [`many`]: a million keys: what they take of memory, and of throughput.
//! * [`load`]: the process that calls.
//! * [`door`]: what stands before the broker. [`quiet`]: measuring while the machine is left alone.
//!
//! Names of parts as arguments run only these.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "it stops where it fails, and the table is what it is for"
)]

#[path = "../../tests/it/harness/clock.rs"]
mod clock;
#[path = "../common/mod.rs"]
mod common;
mod day;
mod door;
mod herd;
mod load;
mod many;
mod outage;
#[allow(dead_code, reason = "the tests need more of it")]
#[path = "../../tests/it/harness/pki.rs"]
mod pki;
#[path = "../../tests/it/harness/program.rs"]
mod program;
mod quiet;
#[allow(dead_code, reason = "the tests need more of it")]
#[path = "../../tests/it/harness/tokens_of_kubernetes.rs"]
mod tokens_of_kubernetes;
mod town;
mod warm;

use std::{env, process::ExitCode};

use mimalloc::MiMalloc;
use zeroizing_alloc::ZeroAlloc;

use common::{
    Result,
    place::{CLIENT_ID, pem},
    summary::{self, Figure},
};

/// As the broker's program has it.
#[global_allocator]
static ALLOCATOR: ZeroAlloc<MiMalloc> = ZeroAlloc(MiMalloc);

/// A figure without a bound.
fn figure(name: impl Into<String>, value: f64, unit: &str) -> Figure {
    // What is beyond that is noise, and hard to read.
    let value = if value < 10.0 { (value * 1000.0).round() / 1000.0 } else { value.round() };
    let (name, unit) = (name.into(), unit.to_owned());
    Figure { name, value: value.into(), unit, bound: None, holds: true }
}

/// One that may be at most so much.
fn at_most(bound: f64, figure: Figure) -> Figure {
    let holds = figure.value.as_f64().is_some_and(|value| value <= bound);
    Figure { bound: Some(bound.into()), holds, ..figure }
}

/// One that has to be at least so much.
fn at_least(bound: f64, figure: Figure) -> Figure {
    let holds = figure.value.as_f64().is_some_and(|value| value >= bound);
    Figure { bound: Some(bound.into()), holds, ..figure }
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn main() -> Result<ExitCode> {
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
    let asked: Vec<String> = env::args().skip(1).filter(|arg| arg != "--bench").collect();
    if asked.first().is_some_and(|first| first == load::ROLE) {
        load::run()?;
        return Ok(ExitCode::SUCCESS);
    }
    let wanted = |part: &str| asked.is_empty() || asked.iter().any(|asked| asked == part);
    // First, while there is nothing else in memory.
    let mut figures = if wanted("many") { many::measure()? } else { Vec::new() };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        if wanted("warm") {
            figures.extend(warm::measure().await?);
        }
        if wanted("herd") {
            figures.extend(herd::measure().await?);
        }
        if wanted("day") {
            figures.extend(day::measure().await?);
        }
        if wanted("outage") {
            figures.extend(outage::measure().await?);
        }
        Result::Ok(())
    })?;
    let held = summary::write("tokens", figures)?;
    Ok(if held { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
