//! The real git, driven by its plumbing commands. Nothing here knows about GitHub.

mod commit;
mod diff;
mod objects;
mod refs;
mod tree;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

pub(crate) use commit::{Commit, Ident, NewCommit};
pub(crate) use diff::Change;
pub(crate) use objects::{Object, Reader};
pub(crate) use refs::Reference;
pub(crate) use tree::{Content, Edit, Entry, TreeError};

/// The oid that stands for "nothing" in ref updates.
pub(crate) const ZERO: &str = "0000000000000000000000000000000000000000";

/// One bare repository, or one that a push is about to change.
#[derive(Clone, Debug)]
pub(crate) struct Git {
    dir: PathBuf,
    /// Where a push keeps its objects until it is accepted: git's own variables for it.
    quarantine: Vec<(String, String)>,
}

/// A git command that failed.
#[derive(Debug)]
pub(crate) struct GitError {
    pub command: String,
    pub text: String,
}

impl std::fmt::Display for GitError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "git {} failed: {}", self.command, self.text.trim())
    }
}

impl std::error::Error for GitError {}

pub(crate) type Result<T> = std::result::Result<T, GitError>;

/// A git command that reads no configuration of the machine or of its user.
pub(crate) fn bare_command() -> Command {
    let mut command = Command::new("git");
    for name in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY"] {
        command.env_remove(name);
    }
    command
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

impl Git {
    pub fn at(dir: &Path) -> Self {
        Self { dir: dir.to_owned(), quarantine: Vec::new() }
    }

    /// The same repository as a push in progress sees it.
    pub fn in_quarantine(dir: &Path, variables: Vec<(String, String)>) -> Self {
        Self { dir: dir.to_owned(), quarantine: variables }
    }

    /// Makes an empty bare repository.
    pub fn init(dir: &Path, default_branch: &str) -> Result<Self> {
        let head = format!("--initial-branch={default_branch}");
        let mut command = bare_command();
        command.args(["init", "--quiet", "--bare", "--template=", &head]).arg(dir);
        finish(command, None)?;
        Ok(Self::at(dir))
    }

    /// A git command on this repository.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = bare_command();
        command.env("GIT_DIR", &self.dir).envs(self.quarantine.iter().cloned()).args(args);
        command
    }

    /// Runs a command and returns what it printed.
    pub fn run(&self, args: &[&str]) -> Result<Vec<u8>> {
        finish(self.command(args), None)
    }

    /// Runs a command that reads `input`.
    pub fn feed(&self, args: &[&str], input: &[u8]) -> Result<Vec<u8>> {
        finish(self.command(args), Some(input))
    }

    /// Runs a command and returns what it printed as trimmed text.
    pub fn text(&self, args: &[&str]) -> Result<String> {
        Ok(String::from_utf8_lossy(&self.run(args)?).trim().to_owned())
    }

    /// Whether a command succeeds.
    pub fn succeeds(&self, args: &[&str]) -> bool {
        self.run(args).is_ok()
    }
}

/// Runs a command to its end, writing its input from a thread so that neither side waits for the other.
pub(crate) fn finish(mut command: Command, input: Option<&[u8]>) -> Result<Vec<u8>> {
    let name = command.get_args().map(|a| a.to_string_lossy()).collect::<Vec<_>>().join(" ");
    let failed = |text: String| GitError { command: name.clone(), text };
    if input.is_some() {
        command.stdin(Stdio::piped());
    }
    let mut child = command
        .spawn()
        .map_err(|e| failed(format!("cannot start git ({e}); is git installed and on PATH?")))?;
    let stdin = child.stdin.take();
    let output = std::thread::scope(|scope| {
        if let (Some(mut stdin), Some(input)) = (stdin, input) {
            // A command that ends early closes the pipe; its exit code tells the story.
            scope.spawn(move || stdin.write_all(input));
        }
        child.wait_with_output()
    })
    .map_err(|e| failed(e.to_string()))?;
    if output.status.success() {
        Ok(output.stdout)
    } else {
        Err(failed(String::from_utf8_lossy(&output.stderr).into_owned()))
    }
}
