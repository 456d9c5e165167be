//! The command line.

use std::{io::Write, num::NonZeroUsize, process::ExitCode, sync::Arc, thread};

use clap::{Parser, Subcommand};
use tracing::error;

use crate::{
    app::{self, Listeners},
    client::{self, Answer, GitCredential, PrintToken},
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
    /// Be git's credential helper: answer it with a token for a repository of an account
    ///
    /// For `git config credential.https://github.com.helper '!ghbroker git-credential'`. The token may read and write the
    /// repository's contents, unless --permission says otherwise, and is stored nowhere.
    GitCredential(Box<GitCredential>),
    /// Print a token for a repository of an account: a secret, for whoever reads standard output
    ///
    /// The token may read the repository's contents, unless --permission says otherwise.
    Token(Box<PrintToken>),
}

/// Least threads that serve, also on one processor: one may be held up by the disk that the audit is on.
const LEAST_WORKERS: usize = 2;
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
    // The crypto library has to be chosen before a certificate is read. Fails only if it was chosen already.
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
    match cli.command {
        Command::GitCredential(command) => {
            ask(client::git_credential(&command, std::io::stdin().lock()))
        }
        Command::Token(command) => ask(client::token(&command)),
        Command::CheckConfig { flags, explain: None } => configured(&flags, |config| {
            say(&mut std::io::stdout(), &config.summary());
            ExitCode::SUCCESS
        }),
        Command::CheckConfig { flags, explain: Some(question) } => {
            configured(&flags, |config| explain(&config, &question))
        }
        Command::Migrate(flags) => {
            configured(&flags, |config| block_on(&config.log, app::migrate(&config)))
        }
        Command::Serve(flags) => {
            configured(&flags, |config| block_on(&config.log.clone(), serve(config)))
        }
    }
}

/// Runs a command that needs the whole configuration, or says every mistake of it.
fn configured(flags: &Flags, command: impl FnOnce(Config) -> ExitCode) -> ExitCode {
    match Config::load(flags) {
        Ok(config) => command(config),
        Err(mistakes) => {
            say(&mut std::io::stderr(), &mistakes.to_string());
            ExitCode::from(EXIT_CONFIG)
        }
    }
}

/// Runs a command that asks a broker, and prints nothing but its answer.
fn ask(question: impl Future<Output = Result<Answer, client::Error>>) -> ExitCode {
    let answered = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => {
            let answered = runtime.block_on(question).map_err(|error| error.to_string());
            // A look for a name that nobody answers must not hold up the end.
            runtime.shutdown_background();
            answered
        }
        Err(error) => Err(format!("the runtime cannot start: {error}")),
    };
    let printed = answered.and_then(|answer| {
        let mut out = std::io::stdout().lock();
        let written = out.write_all(answer.as_bytes()).and_then(|()| out.flush());
        written.map_err(|error| format!("the answer cannot be written: {error}"))
    });
    match printed {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            say(&mut std::io::stderr(), &format!("ghbroker: {why}"));
            ExitCode::FAILURE
        }
    }
}

/// Runs a command that logs to its end.
fn block_on(log: &Log, command: impl Future<Output = Result<(), app::Error>>) -> ExitCode {
    telemetry::install(log);
    let workers = thread::available_parallelism().map_or(LEAST_WORKERS, NonZeroUsize::get);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(workers.max(LEAST_WORKERS))
        .enable_all()
        .build();
    let result = match runtime {
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
