//! What does not start because everybody could call, and what `check-config` says of the rules.

use std::{fs, path::Path, process::Command};

const POLICY: &str = r#"
[[rule]]
name = "generator"
callers = ["system:serviceaccount:build:generator"]
role = "committer"
accounts = ["acme"]
work_branches = ["adagent/*"]

[[rule]]
name = "portal"
callers = ["spiffe://example.org/portal"]
role = "admin"
accounts = ["*"]

[[rule]]
name = "the whole network"
callers = ["anonymous"]
rpcs = ["VerifyRepo"]
accounts = ["*"]
"#;
const TOKENS: &str = "[auth.service_account]\naudience = \"ghbroker\"\njwks_file = \"jwks.json\"\n";
const TLS: &str = "[server.tls]\ncertificate = \"tls.crt\"\nprivate_key = \"tls.key\"\n";

/// A folder with every file that a configuration here may name.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let server = crate::harness::pki::Authority::new("ours").server();
    for (name, text) in [
        ("kek", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="),
        ("policy.toml", POLICY),
        ("jwks.json", "{\"keys\":[]}"),
        ("tls.crt", &server.certificate),
        ("tls.key", &server.key),
        ("ca.crt", &server.certificate),
    ] {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

/// Exit code and output of `ghbroker check-config` with this file.
fn check(folder: &Path, file: &str, arguments: &[&str]) -> (Option<i32>, String, String) {
    fs::write(folder.join("ghbroker.toml"), file).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_ghbroker"))
        .args(["check-config", "--config", "ghbroker.toml", "--encryption-key", "kek"])
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn beyond_loopback_callers_have_to_prove_who_they_are_over_tls() {
    let folder = folder();
    let policy = ["--policy", "policy.toml"];
    let beyond = "beyond loopback callers have to prove who they are, over TLS";
    for listen in ["0.0.0.0:1", "[::]:1", "192.0.2.7:1", "[::ffff:0.0.0.0]:1"] {
        let server = format!("[server]\nlisten = \"{listen}\"\n");
        let with = |more: &str| format!("{server}{more}");
        for file in [server.clone(), with(TLS), with(TOKENS)] {
            let (code, stdout, stderr) = check(folder.path(), &file, &policy);
            assert_eq!((code, stdout.as_str()), (Some(78), ""), "{file}");
            assert!(stderr.contains(beyond) && stderr.contains(listen), "{file}\n{stderr}");
        }
        let certificates = format!("{TLS}client_ca = \"ca.crt\"\n");
        for file in [with(&format!("{TLS}{TOKENS}")), with(&certificates)] {
            let (code, _, stderr) = check(folder.path(), &file, &policy);
            assert_eq!(code, Some(0), "{file}\n{stderr}");
        }
    }
    for listen in ["127.0.0.1:1", "[::1]:1"] {
        let (code, _, stderr) =
            check(folder.path(), &format!("[server]\nlisten = \"{listen}\"\n"), &[]);
        assert_eq!(code, Some(0), "{stderr}");
    }
}

#[test]
fn the_dangerous_flag_needs_a_policy_that_says_what_anybody_may() {
    let folder = folder();
    let open = "[server]\nlisten = \"0.0.0.0:1\"\n";
    let flag = "--dangerously-serve-unauthenticated";
    let (code, _, stderr) = check(folder.path(), open, &[flag]);
    assert_eq!(code, Some(78));
    assert!(
        stderr.contains("policy.file is missing") && stderr.contains("\"anonymous\""),
        "{stderr}"
    );
    let (code, stdout, stderr) = check(folder.path(), open, &[flag, "--policy", "policy.toml"]);
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stdout.contains("not asked who they are: anonymous"), "{stdout}");
    let in_file = format!("{open}dangerously_serve_unauthenticated = true\n");
    assert_eq!(check(folder.path(), &in_file, &["--policy", "policy.toml"]).0, Some(0));
    // No variable: what is left lying in an environment opens nothing.
    let output = Command::new(env!("CARGO_BIN_EXE_ghbroker"))
        .args([
            "check-config",
            "--listen",
            "0.0.0.0:1",
            "--encryption-key",
            "kek",
            "--policy",
            "policy.toml",
        ])
        .current_dir(folder.path())
        .env_clear()
        .env("GHBROKER_DANGEROUSLY_SERVE_UNAUTHENTICATED", "true")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(78));
}

#[test]
fn callers_that_are_known_need_a_policy() {
    let folder = folder();
    for file in [TOKENS.to_owned(), format!("{TLS}client_ca = \"ca.crt\"\n")] {
        let (code, _, stderr) = check(folder.path(), &file, &[]);
        assert_eq!(code, Some(78));
        assert!(stderr.contains("policy.file is missing: what callers may do"), "{stderr}");
    }
}

#[test]
fn check_config_explains_a_decision_by_its_rule() {
    let folder = folder();
    let explain = |question: &[&str]| {
        let arguments = [&["--policy", "policy.toml", "--explain"], question].concat();
        check(folder.path(), TOKENS, &arguments)
    };
    let generator = "system:serviceaccount:build:generator";
    let (code, stdout, stderr) = explain(&[generator, "CommitFiles", "acme"]);
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    assert!(
        stdout.starts_with(&format!("ALLOWED: {generator} may call CommitFiles for account acme")),
        "{stdout}"
    );
    assert!(stdout.contains("by rule \"generator\"") && stdout.contains("adagent/*"), "{stdout}");
    assert!(!stdout.contains("portal"), "{stdout}");

    for (question, why) in [
        ([generator, "CommitFiles", "globex"], "rule \"generator\" is not about this account"),
        ([generator, "SetPat", "acme"], "rule \"generator\" does not allow this RPC"),
        (["anonymous", "SetPat", "acme"], "rule \"the whole network\" does not allow this RPC"),
        (
            ["spiffe://example.org/portal", "GetRepoToken", "acme"],
            "rule \"portal\" does not allow this RPC",
        ),
        (
            ["spiffe://example.org/other", "SetPat", "acme"],
            "rule \"portal\" is not about this caller",
        ),
        (
            ["spiffe://example.org/portal+system:serviceaccount:build:generator", "SetPat", "acme"],
            "rule \"portal\" is not about this caller",
        ),
    ] {
        let (code, stdout, stderr) = explain(&question);
        assert_eq!((code, stderr.as_str()), (Some(1), ""), "{question:?}");
        assert!(
            stdout.starts_with("DENIED: no rule says that ") && stdout.contains(why),
            "{stdout}"
        );
    }

    for (question, says) in [
        (["portal", "SetPat", "acme"], "CALLER \"portal\" must be"),
        ([generator, "setPat", "acme"], "RPC \"setPat\" is not an RPC"),
        ([generator, "SetPat", "not an account"], "ACCOUNT \"not an account\""),
    ] {
        let (code, stdout, stderr) = explain(&question);
        assert_eq!((code, stdout.as_str()), (Some(78), ""), "{question:?}");
        assert!(stderr.contains(says), "{stderr}");
    }
}
