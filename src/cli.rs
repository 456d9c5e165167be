//! The command line.

use std::{io::Write, process::ExitCode, sync::Arc};

use clap::{Parser, Subcommand};
use tracing::error;

use crate::{
    app::{self, Listeners},
    config::{Config, Flags, Log},
    domain::{Invalid, Policy, SystemClock},
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
    CheckConfig {
        #[command(flatten)]
        flags: Box<Flags>,
        /// Say what the policy decides about a call, and by which rule; a caller is a SPIFFE id,
        /// system:serviceaccount:NAMESPACE:NAME or anonymous. Ends with 1 if the call is denied
        #[arg(long, num_args = 3, value_names = ["CALLER", "RPC", "ACCOUNT"])]
        explain: Option<Vec<String>>,
    },
}

/// Exit code for a configuration that cannot work, as sysexits.h has it (EX_CONFIG).
const EXIT_CONFIG: u8 = 78;

/// What has to be so before a secret is read, for every command: panics say nothing of it, and no other process sees it.
pub fn prepare() {
    telemetry::quiet_panics();
    for exposed in app::harden() {
        say(&mut std::io::stderr(), &format!("ghbroker: {exposed}"));
    }
}

/// Runs a command to its end.
pub fn run(cli: Cli) -> ExitCode {
    let flags = match &cli.command {
        Command::Serve(flags) | Command::Migrate(flags) => flags,
        Command::CheckConfig { flags, .. } => flags,
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
        Command::CheckConfig { explain: Some(question), .. } => explain(&config, &question),
        Command::CheckConfig { .. } => {
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

/// Says what the policy decides about a call.
fn explain(config: &Config, question: &[String]) -> ExitCode {
    let explained = match config.policy() {
        Ok(policy) => explanation(&policy, question),
        Err(mistakes) => Err(mistakes.to_string()),
    };
    match explained {
        Ok((true, text)) => {
            say(&mut std::io::stdout(), &text);
            ExitCode::SUCCESS
        }
        Ok((false, text)) => {
            say(&mut std::io::stdout(), &text);
            ExitCode::FAILURE
        }
        Err(mistake) => {
            say(&mut std::io::stderr(), &mistake);
            ExitCode::from(EXIT_CONFIG)
        }
    }
}

/// Whether the call is allowed, and why; or what is wrong with the question.
fn explanation(policy: &Policy, question: &[String]) -> Result<(bool, String), String> {
    let [caller, method, account] = question else {
        return Err("--explain takes CALLER RPC ACCOUNT".to_owned());
    };
    let wrong = |what: &str, text: &str, Invalid(why): Invalid| format!("{what} {text:?} {why}");
    let explained = policy.explain(
        &caller.parse().map_err(|error| wrong("CALLER", caller, error))?,
        method.parse().map_err(|error| wrong("RPC", method, error))?,
        &account.parse().map_err(|error| wrong("ACCOUNT", account, error))?,
    );
    Ok((explained.is_allowed(), explained.to_string()))
}

async fn serve(config: Config) -> Result<(), app::Error> {
    let listeners = Listeners::bind(&config).await?;
    app::run(config, listeners, Arc::new(SystemClock), app::until_signal()).await
}

/// Prints for a person. A closed pipe is no failure of the command.
fn say(to: &mut impl Write, text: &str) {
    drop(writeln!(to, "{text}"));
}
