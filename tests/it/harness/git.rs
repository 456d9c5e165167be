//! The real git, on the simulator's bare repositories and on clones.

use std::{path::Path, process::Command};

/// Runs git in `folder`; it must succeed.
#[track_caller]
pub fn git(folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git").arg("-C").arg(folder).args(arguments).output().unwrap();
    assert!(
        output.status.success(),
        "git {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// `mode path` of every file of a commit.
#[track_caller]
pub fn files(repository: &Path, revision: &str) -> Vec<String> {
    let listed = git(
        repository,
        &[
            "-c",
            "core.quotePath=false",
            "ls-tree",
            "-r",
            "--format=%(objectmode) %(path)",
            revision,
        ],
    );
    listed.lines().map(str::to_owned).collect()
}

/// Number of commits that `revision` has.
#[track_caller]
pub fn commits(repository: &Path, revision: &str) -> usize {
    git(repository, &["rev-list", "--count", revision]).trim().parse().unwrap()
}

/// Clones over smart HTTP with a brokered token.
#[track_caller]
pub fn clone(url: &str, token: &str, branch: &str, into: &Path) {
    let url = url.replacen("://", &format!("://x-access-token:{token}@"), 1);
    let arguments = ["-c", "credential.helper=", "clone", "--quiet", "--branch", branch, &url];
    let output = Command::new("git")
        .args(arguments)
        .arg(into)
        .env("GIT_TERMINAL_PROMPT", "0")
        .output()
        .unwrap();
    assert!(output.status.success(), "git clone: {}", String::from_utf8_lossy(&output.stderr));
}
