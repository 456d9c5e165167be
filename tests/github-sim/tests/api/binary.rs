//! The simulator as a process.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

#[tokio::test]
async fn the_binary_reads_a_seed_says_where_it_listens_and_ends_at_sigterm() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_github-sim"))
        .args(["--seed", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let seed = json!({
        "users": [{"login": "mona"}],
        "repositories": [{"owner": "mona", "name": "site", "files": {"a.txt": "a\n"}}],
        "pats": [{"token": "ghp_mona", "owner": "mona", "kind": "classic", "scopes": ["repo"]}],
    });
    child.stdin.take().unwrap().write_all(seed.to_string().as_bytes()).unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let told: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(told["pid"], child.id());
    let url = format!("{}/repos/mona/site", told["api_url"].as_str().unwrap());
    let client = reqwest::Client::builder().user_agent("lab").build().unwrap();
    let answer = client.get(url).bearer_auth("ghp_mona").send().await.unwrap();
    assert_eq!(answer.status(), 200);
    drop(answer);
    let killed = Command::new("kill").arg(child.id().to_string()).status().unwrap();
    assert!(killed.success());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    let log = String::from_utf8(output.stderr).unwrap();
    assert!(log.contains("GET /repos/{owner}/{repo} -> 200 Pat"), "{log}");
    assert!(!log.contains("ghp_mona"));
}

#[test]
fn a_wrong_seed_is_said() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_github-sim"))
        .args(["--seed", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(br#"{"userz": []}"#).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(!output.status.success() && output.stdout.is_empty());
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("unknown field `userz`"), "{text}");
}
