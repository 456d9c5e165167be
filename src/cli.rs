//! The command line.

use std::{io::Write, process::ExitCode, sync::Arc};

use clap::{Parser, Subcommand};
use tracing::error;

use crate::{
    app::{self, Listeners},
    config::{Config, Flags, Log},
    domain::SystemClock,
    telemetry::{self, causes},
};

/// A GitHub credential broker: one gRPC service that alone holds the App's key
#[derive(Parser, Debug)]
#[command(version, about)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Run the broker until SIGTERM or ctrl-c
    Serve(Box<Flags>),
    /// Bring the database's schema up to date and end
    Migrate(Box<Flags>),
    /// Say what would run, or every mistake of the configuration, and end
    CheckConfig(Box<Flags>),
}

/// Exit code for a configuration that cannot work, as sysexits.h has it (EX_CONFIG).
const EXIT_CONFIG: u8 = 78;

/// Runs a command to its end.
pub fn run(cli: Cli) -> ExitCode {
    let flags = match &cli.command {
        Command::Serve(flags) | Command::Migrate(flags) | Command::CheckConfig(flags) => flags,
    };
    // The crypto library has to be chosen before a certificate is read. Fails only if it was chosen already.
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
    let config = match Config::load(flags) {
        Ok(config) => config,
        Err(mistakes) => {
            say(&mut std::io::stderr(), &mistakes.to_string());
            return ExitCode::from(EXIT_CONFIG);
        }
    };
    match cli.command {
        Command::CheckConfig(_) => {
            say(&mut std::io::stdout(), &config.summary());
            ExitCode::SUCCESS
        }
        Command::Migrate(_) => block_on(&config.log, app::migrate(&config)),
        Command::Serve(_) => block_on(&config.log.clone(), serve(config)),
    }
}

/// Runs a command that logs to its end.
fn block_on(log: &Log, command: impl Future<Output = Result<(), app::Error>>) -> ExitCode {
    telemetry::install(log);
    telemetry::quiet_panics();
    let result = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(command),
        Err(error) => {
            error!(%error, "the runtime cannot start");
            return ExitCode::FAILURE;
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            error!(%error, cause = causes(&error), "stopped");
            ExitCode::FAILURE
        }
    }
}

async fn serve(config: Config) -> Result<(), app::Error> {
    let listeners = Listeners::bind(&config).await?;
    app::run(config, listeners, Arc::new(SystemClock), app::until_signal()).await
}

/// Prints for a person. A closed pipe is no failure of the command.
fn say(to: &mut impl Write, text: &str) {
    drop(writeln!(to, "{text}"));
}
