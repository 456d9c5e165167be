//! Why there is no answer.

use std::{io, path::PathBuf, time::Duration};

use super::Address;

/// Why a command has no answer, and what to do. Nothing in it is secret.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// What came on standard input is not what git sends.
    #[error("this is not what git says to a credential helper: {0}; let git call this command")]
    NotGit(&'static str),
    /// Standard input failed.
    #[error("standard input cannot be read: {0}; let git call this command")]
    Input(#[from] io::Error),
    /// A file that a flag names cannot be used.
    #[error("{flag} {}: {why}", path.display())]
    File {
        /// The flag.
        flag: &'static str,
        /// Its value.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// Files for TLS, and an address without it.
    #[error("--ca, --cert and --key are for a broker at an https:// address; {0} is none")]
    NoTls(Address),
    /// The files of TLS are read, and do not work.
    #[error("TLS cannot be set up ({0}); check the files of --ca, --cert and --key")]
    Tls(String),
    /// No connection, or one that broke.
    #[error(
        "the broker at {0} cannot be reached ({1}); check --broker, --ca and, if it wants to know who calls, --cert and --key"
    )]
    Unreachable(Address, String),
    /// The broker said no, and why.
    #[error("{0}")]
    Refused(String),
    /// Too slow.
    #[error(
        "the broker at {0} has not answered within {1:?}; try again, or allow more with --timeout"
    )]
    TimedOut(Address, Duration),
    /// The answer cannot be passed on.
    #[error("the broker's answer is not as the contract has it: {0}; check --broker")]
    Malformed(&'static str),
    /// The token would be for a repository that has another name than git asked for.
    #[error(
        "{asked} is {found} now; change the address of the remote: `git remote set-url origin {clone_url}`"
    )]
    Renamed {
        /// The name that git has.
        asked: String,
        /// The name on GitHub.
        found: String,
        /// Where to clone it from.
        clone_url: String,
    },
}
