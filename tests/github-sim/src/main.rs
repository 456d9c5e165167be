//! `github-sim --seed FILE|- [--listen 127.0.0.1:0] [--root DIR]`: the simulator as a process.
//!
//! Prints one JSON line with its addresses when it listens, and ends at SIGTERM or ctrl-c.

use std::io::Read;
use std::process::ExitCode;

use github_sim::{Options, Seed, Sim, SimClock};
use tokio::signal::unix::{SignalKind, signal};

const USAGE: &str = "usage: github-sim --seed FILE|- [--listen 127.0.0.1:0] [--root DIR]";

type Failure = Box<dyn std::error::Error>;

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("github-sim: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Failure> {
    let (options, seed) = arguments()?;
    let sim = Sim::start(options, seed).await?;
    let addresses = serde_json::json!({
        "api_url": sim.api_url(),
        "graphql_url": sim.graphql_url(),
        "web_url": sim.web_url(),
        "pid": std::process::id(),
    });
    println!("{addresses}");
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = terminate.recv() => {}
        interrupted = tokio::signal::ctrl_c() => interrupted?,
    }
    Ok(())
}

fn arguments() -> Result<(Options, Seed), Failure> {
    let mut options = Options { clock: SimClock::real(), log: true, ..Options::default() };
    let mut seed = None;
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let value = arguments.next().ok_or(USAGE)?;
        match name.as_str() {
            "--seed" => seed = Some(read(&value)?),
            "--listen" => options.listen = value.parse()?,
            "--root" => options.root = Some(value.into()),
            _ => return Err(USAGE.into()),
        }
    }
    Ok((options, seed.ok_or(USAGE)?))
}

fn read(name: &str) -> Result<Seed, Failure> {
    let text = if name == "-" {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text)?;
        text
    } else {
        std::fs::read_to_string(name).map_err(|error| format!("cannot read {name}: {error}"))?
    };
    serde_json::from_str(&text).map_err(|error| format!("the seed {name} is wrong: {error}").into())
}
