//! `make demo`: the broker beside a GitHub simulator, and two accounts that connect, commit and promote; one leaves.
//!
//! * [`world`]: the two processes, their keys and their files, all below `target/demo`.
//! * [`calls`]: the RPCs, each shown as it is made and checked.
//! * [`install`]: a browser on its way to GitHub and back.
//! * [`ticket`]: those of a change in a branch of its own.
//! * [`checkout`]: what `git clone` shows afterwards.
//!
//! Ends with 0 only if every step was true. With `KEEP=1` both processes are left running.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "the demo talks to a person")]

mod calls;
mod checkout;
mod install;
mod ticket;
mod world;

use std::{error::Error, process::ExitCode};

use calls::{Account, Calls};
use ghbroker::proto::CredentialSource;
use world::World;

/// A step that was not true, or could not be made.
type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

#[tokio::main]
async fn main() -> ExitCode {
    #[allow(clippy::disallowed_methods, reason = "the demo is no part of the broker")]
    let keep = std::env::var("KEEP").is_ok_and(|keep| !keep.is_empty() && keep != "0");
    match demo(keep).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nFAILED: {error}\nThe logs are in {}", world::FOLDER);
            ExitCode::FAILURE
        }
    }
}

async fn demo(keep: bool) -> Result<()> {
    let mut world = World::start().await?;
    let mut calls = Calls::connect(world.broker_address()).await?;

    let acme = Account { name: "acme", repository: "acme/warehouse" };
    println!("\n== Account {}: connected by App installation", acme.name);
    calls.install(&acme).await?;
    calls.register(&acme, world::INSTALLATION_ID).await?;
    calls.whole_story(&acme, CredentialSource::AppInstallation).await?;

    let globex = Account { name: "globex", repository: "globex/analytics" };
    println!("\n== Account {}: connected by personal access token", globex.name);
    calls.set_pat(&globex, world.pat()).await?;
    calls.whole_story(&globex, CredentialSource::Pat).await?;

    println!("\n== Account {}: a change in a branch of its own", acme.name);
    calls.ticket(&acme).await?;

    println!("\n== The policy and the audit");
    calls.denied("initech").await?;
    calls.audited(&acme, &world::file("audit.jsonl")).await?;

    if keep {
        world.keep()?;
        println!("\nAll {} steps were true. Both processes are left running.", calls.steps());
        world.print_commands(&acme)?;
        return Ok(());
    }
    println!("\n== Account {}: the end of a connection", acme.name);
    calls.report_rejected(&acme).await?;
    calls.disconnect(&acme).await?;
    world.stop().await?;
    println!("\nAll {} steps were true.", calls.steps());
    Ok(())
}
