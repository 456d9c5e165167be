//! What keeps secrets in the process: no core dumps, no tracing, panics and help that say nothing.

#![cfg(target_os = "linux")]

use std::{
    fs,
    io::{BufRead, BufReader},
    os::unix::fs::MetadataExt,
    path::Path,
    process::{Child, Command, Output, Stdio},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use ghbroker::cli;

/// Tells a test that it runs as its own child.
const CHILD: &str = "GHBROKER_TEST_CHILD";
const SECRET: &str = "hunter2-and-more";

/// The program, serving.
fn serving(folder: &Path) -> Child {
    fs::write(folder.join("kek"), BASE64_STANDARD.encode([7; 32])).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_ghbroker"))
        .args(["serve", "--listen", "127.0.0.1:0", "--encryption-key", "kek", "--audit", "./audit"])
        .current_dir(folder)
        .env_clear()
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.as_mut().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("\"ready\"")), "the broker did not start");
    child
}

/// Runs one test of this binary again, as a process of its own: what it does there is for the whole process.
fn again(test: &str) -> Output {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args([test, "--exact", "--nocapture"]).env(CHILD, "yes").output().unwrap()
}

fn is_child() -> bool {
    std::env::var_os(CHILD).is_some()
}

fn core_limit(process: &str) -> String {
    let limits = fs::read_to_string(format!("/proc/{process}/limits")).unwrap();
    let line = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    line.split_whitespace().skip(4).take(2).collect::<Vec<_>>().join(" ")
}

#[test]
fn a_serving_broker_dumps_no_core() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = serving(folder.path());
    let process = child.id().to_string();
    let limit = core_limit(&process);
    // Whoever the broker runs as: what cannot be dumped belongs to root.
    let owner = fs::metadata(format!("/proc/{process}/mem")).unwrap().uid();
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(limit, "0 0");
    assert_eq!(owner, 0);
}

#[test]
fn no_process_may_trace_the_broker() {
    if is_child() {
        use rustix::process::{DumpableBehavior, dumpable_behavior};
        assert_eq!(dumpable_behavior(), Ok(DumpableBehavior::Dumpable));
        cli::prepare();
        assert_eq!(dumpable_behavior(), Ok(DumpableBehavior::NotDumpable));
        return;
    }
    let child = again("harden::no_process_may_trace_the_broker");
    assert!(child.status.success(), "{child:?}");
    assert!(String::from_utf8_lossy(&child.stdout).contains("1 passed"), "{child:?}");
}

#[test]
fn a_panic_says_its_place_only_even_before_there_is_a_log() {
    if is_child() {
        cli::prepare();
        panic!("was working on {SECRET}");
    }
    let child = again("harden::a_panic_says_its_place_only_even_before_there_is_a_log");
    assert!(!child.status.success(), "{child:?}");
    let [stdout, stderr] =
        [child.stdout, child.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    assert!(stderr.contains("ghbroker panicked at tests/it/harden.rs:"), "{stderr}");
    assert!(!(stdout + &stderr).contains(SECRET), "{stderr}");
}

#[test]
fn help_shows_no_variables_value() {
    // The names as the help has them, so that a new one is covered too.
    let help = |arguments: &[&str], variables: &[String]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ghbroker"));
        command.args(arguments).env_clear().envs(variables.iter().map(|name| (name, SECRET)));
        let output = command.output().unwrap();
        assert!(output.status.success(), "{arguments:?}");
        String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap()
    };
    for command in ["serve", "migrate", "check-config"] {
        for flag in ["--help", "-h"] {
            let plain = help(&[command, flag], &[]);
            let variables: Vec<String> = plain
                .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
                .filter(|word| word.starts_with("GHBROKER_"))
                .map(str::to_owned)
                .collect();
            assert!(variables.contains(&"GHBROKER_DATABASE_URL".to_owned()), "{plain}");
            assert!(variables.len() >= 12, "{variables:?}");
            assert_eq!(help(&[command, flag], &variables), plain);
        }
    }
}
