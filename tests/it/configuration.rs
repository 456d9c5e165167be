//! The command as an operator runs it: `check-config`, `migrate`, `serve`, signals and logs.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Output, Stdio},
};

const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

fn ghbroker(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ghbroker"));
    command.args(arguments).current_dir(folder).env_clear();
    command
}

fn run(folder: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = ghbroker(folder, arguments).output().unwrap();
    (status.code(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("kek"), KEY).unwrap();
    folder
}

#[test]
fn every_mistake_is_reported_at_once() {
    let folder = folder();
    let file = "[server]\nlisten = \"0.0.0.0:50051\"\n[database]\nurl = \"mysql://root:hunter2@db/x\"\n\
                [github]\napi_url = \"http://github.example\"\n[github.app]\nissuer = \"Iv1\"\nprivate_key = \"missing.pem\"\n\
                [log]\nlevel = \"info\"\nformat = \"xml\"\n[server.tls]\ncertificate = \"a\"\nprivate_key = \"b\"\nclient_ca = \"c\"\n";
    std::fs::write(folder.path().join("bad.toml"), file).unwrap();
    let (code, stdout, stderr) = run(folder.path(), &["check-config", "--config", "bad.toml"]);
    assert_eq!((code, stdout.as_str()), (Some(78), ""));
    let named = [
        "server.listen",
        "database.url",
        "encryption.keys",
        "github.api_url",
        "github.app.private_key missing.pem",
        "log.format",
        "server.tls.certificate",
        "server.tls.private_key",
        "server.tls.client_ca",
    ];
    for mistake in named {
        assert!(stderr.contains(mistake), "{mistake} is not in:\n{stderr}");
    }
    assert!(!stderr.contains("hunter2"));
    let (code, _, same) = run(folder.path(), &["serve", "--config", "bad.toml"]);
    assert_eq!((code, same), (Some(78), stderr), "serve says the same, and starts nothing");
}

#[test]
fn a_file_that_cannot_be_read_is_not_said_to_be_missing_from_the_configuration() {
    let folder = folder();
    let file = "[server.tls]\ncertificate = \"a\"\nprivate_key = \"b\"\nclient_ca = \"c\"\n[auth]\nrequire = \"mtls\"\n";
    std::fs::write(folder.path().join("bad.toml"), file).unwrap();
    let flags = ["check-config", "--config", "bad.toml", "--encryption-key", "kek"];
    let (_, _, stderr) = run(folder.path(), &flags);
    assert!(stderr.contains("server.tls.client_ca c: "), "{stderr}");
    assert!(!stderr.contains("server.tls.client_ca is missing"), "{stderr}");
}

#[test]
fn pages_that_browsers_are_sent_to_are_checked() {
    let folder = folder();
    let file = "[connect]\ncallback_url = \"https://portal.example/callback\"\n\
                return_urls = [\"http://portal.example/done\", \"https://portal.example/done?a=b\", \"http://127.0.0.1/done\"]\n";
    std::fs::write(folder.path().join("bad.toml"), file).unwrap();
    let flags = ["check-config", "--config", "bad.toml", "--encryption-key", "kek"];
    let (code, _, stderr) = run(folder.path(), &flags);
    assert_eq!(code, Some(78), "{stderr}");
    for mistake in [
        "github.oauth is missing: users are sent back to connect.callback_url",
        "connect.return_urls \"http://portal.example/done\" must be an https:// address",
        "connect.return_urls \"https://portal.example/done?a=b\" must be an https:// address without a query",
    ] {
        assert!(stderr.contains(mistake), "{mistake} is not in:\n{stderr}");
    }
    assert!(!stderr.contains("127.0.0.1"), "{stderr}");
}

#[test]
fn further_sites_are_checked_as_the_first_one_is() {
    let folder = folder();
    std::fs::write(folder.path().join("app.pem"), &crate::harness::app_key().0).unwrap();
    let app = "app.issuer = \"Iv1\"\napp.private_key = \"app.pem\"\n";
    let file = format!(
        "[github]\n{app}[sites.GHES]\napi_url = \"no url\"\n[sites.default]\n[sites.\"a.b\"]\n\
         [sites.half]\napi_url = \"https://ghe.example/api/v3\"\napp.issuer = \"Iv2\"\nap.issuer = \"x\"\n\
         webhooks.secrets = [\"missing\"]\noauth.client_id = \"Iv2\"\n\
         [sites.same]\n{app}[sites.former]\napp.former_issuers = [\"Iv1\"]\n"
    );
    let file = format!("{file}\n[sites]\nnumber = 5\n");
    std::fs::write(folder.path().join("bad.toml"), file).unwrap();
    let flags = ["check-config", "--config", "bad.toml", "--encryption-key", "kek"];
    let (code, _, stderr) = run(folder.path(), &flags);
    assert_eq!(code, Some(78), "{stderr}");
    for mistake in [
        "sites.GHES: must be 1 to 32 characters of a-z 0-9 -",
        "sites.a.b: must be 1 to 32 characters",
        "sites.default cannot be named so: that is the site of [github]",
        "sites.half.graphql_url and sites.half.web_url left out",
        "sites.half.app.private_key is missing",
        "sites.half.ap is unknown",
        "sites.half.webhooks.secrets missing: ",
        "server.http_listen is missing: [sites.half.webhooks] is served there",
        "sites.half.oauth.client_secret is missing",
        "sites.number must be a section",
        "the sites default and former are the same: the App \"Iv1\" on github.com",
        "the sites former and same are the same: the App \"Iv1\" on github.com",
    ] {
        assert!(stderr.contains(mistake), "{mistake} is not in:\n{stderr}");
    }
    assert!(!stderr.contains("sites.GHES.api_url"), "{stderr}");
    std::fs::write(folder.path().join("bad.toml"), "sites = 5\n").unwrap();
    let (_, _, stderr) = run(folder.path(), &flags);
    assert!(stderr.contains("sites must have a section for each site: [sites.NAME]"), "{stderr}");
}

#[test]
fn the_summary_has_every_site() {
    let folder = folder();
    std::fs::write(folder.path().join("app.pem"), &crate::harness::app_key().0).unwrap();
    std::fs::write(folder.path().join("secret"), "0123456789abcdef").unwrap();
    let file = "[server]\nhttp_listen = \"127.0.0.1:0\"\n[connect]\ncallback_url = \"https://portal.example/callback\"\n\
                [sites.ghes]\napi_url = \"https://ghe.example/api/v3\"\n\
                graphql_url = \"https://ghe.example/api/graphql\"\nweb_url = \"https://ghe.example\"\n\
                app.issuer = \"Iv1.ghes\"\napp.private_key = \"app.pem\"\noauth.client_id = \"Iv1.ghes\"\n\
                oauth.client_secret = \"secret\"\nwebhooks.secrets = [\"secret\"]\n\
                [sites.second]\napp.issuer = \"Iv1.second\"\napp.private_key = \"app.pem\"\n";
    std::fs::write(folder.path().join("good.toml"), file).unwrap();
    let flags = ["check-config", "--config", "good.toml", "--encryption-key", "kek"];
    let (code, stdout, stderr) = run(folder.path(), &flags);
    assert_eq!(code, Some(0), "{stderr}");
    for line in [
        "site ghes: https://ghe.example/api/v3, https://ghe.example/api/graphql, https://ghe.example/; Iv1.ghes, oauth, webhooks",
        "site second: https://api.github.com/, https://api.github.com/graphql, https://github.com/; Iv1.second",
    ] {
        assert!(stdout.lines().any(|said| said == line), "{line} is not in:\n{stdout}");
    }
    assert!(!stdout.contains("0123456789abcdef"));
}

#[test]
fn what_has_a_wrong_type_or_is_unknown_hides_no_other_mistake() {
    let folder = folder();
    let file = "log = 1\n[server]\nlisten = 5\nlisen = \"127.0.0.1:1\"\n[server.tls]\n\
                [github]\napi_url = \"no url\"\n[github.oauth]\nclient_id = \"Iv1\"\n[limits]\nconnections = \"hunter2\"\ncalls_in_flight = 0\n[tokns]\n";
    std::fs::write(folder.path().join("bad.toml"), file).unwrap();
    std::fs::write(folder.path().join("short"), "AAEC").unwrap();
    let keys = ["--encryption-key", "short", "--encryption-key", "gone"];
    let mut command = ghbroker(folder.path(), &["check-config", "--config", "bad.toml"]);
    let output = command
        .args(keys)
        .env("GHBROKER_HEALTH_LISTEN", "foo")
        .env("GHBROKER_DATABASE_URL", "sqlite:hunter2.db")
        .output()
        .unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(78), "{stderr}");
    for mistake in [
        "log must be a section",
        "server.listen must be a text",
        "server.lisen is unknown",
        "tokns is unknown",
        "server.health_listen \"foo\": must be IP:PORT",
        "server.tls.certificate is missing",
        "server.tls.private_key is missing",
        "database.url must be sqlite://PATH",
        "encryption.keys short",
        "encryption.keys gone",
        "github.api_url: ",
        "github.graphql_url and github.web_url left out",
        "github.oauth.client_secret is missing",
        "limits.connections must be a whole number",
        "limits.calls_in_flight must be 1 to 1000000, not 0",
    ] {
        assert!(stderr.contains(mistake), "{mistake} is not in:\n{stderr}");
    }
    assert!(!stderr.contains("hunter2"), "{stderr}");
}

#[test]
fn webhooks_need_a_port_and_secrets_that_are_some() {
    let folder = folder();
    std::fs::write(folder.path().join("empty"), " \n").unwrap();
    std::fs::write(folder.path().join("good"), "s3cret-of-the-hook\n").unwrap();
    let check = |file: &str| {
        std::fs::write(folder.path().join("hooks.toml"), file).unwrap();
        run(folder.path(), &["check-config", "--config", "hooks.toml", "--encryption-key", "kek"])
    };
    for (file, mistake) in [
        ("[webhooks]\nsecrets = [\"good\"]", "server.http_listen is missing"),
        ("[server]\nhttp_listen = \"x\"\n", "server.http_listen \"x\": must be IP:PORT"),
        ("[webhooks]\nsecrets = []", "webhooks.secrets is missing"),
        ("[webhooks]\n", "webhooks.secrets is missing"),
        ("[webhooks]\nsecrets = [\"good\", \"empty\"]", "webhooks.secrets empty: is empty"),
        ("[webhooks]\nsecrets = [\"gone\"]", "webhooks.secrets gone: "),
        ("[webhooks]\nsecret = [\"good\"]", "webhooks.secret is unknown"),
    ] {
        let (code, _, stderr) = check(file);
        assert!(code == Some(78) && stderr.contains(mistake), "{mistake} is not in:\n{stderr}");
        assert!(!stderr.contains("s3cret"), "{stderr}");
    }
    let good = "[server]\nhttp_listen = \"127.0.0.1:8080\"\n[webhooks]\nsecrets = [\"good\"]";
    let (code, stdout, stderr) = check(good);
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stdout.contains("http:        127.0.0.1:8080 (plaintext)\nwebhooks:    taken, signed"));
}

#[test]
fn a_database_url_that_could_not_be_opened_is_a_mistake() {
    let folder = folder();
    for url in
        ["sqlite:a.db", "sqlite://", "sqlite://a.db?mode=ro", "postgres://u:hunter2@h:port/d"]
    {
        let arguments = ["serve", "--encryption-key", "kek", "--database-url", url];
        let (code, _, stderr) = run(folder.path(), &arguments);
        assert_eq!(code, Some(78), "{url}: {stderr}");
        assert!(stderr.contains("database.url ") && !stderr.contains("hunter2"), "{stderr}");
    }
}

#[test]
fn a_broken_file_is_a_mistake_that_names_the_line() {
    let folder = folder();
    let text = "[database]\nurl = \"postgres://u:hunter2@h\n";
    std::fs::write(folder.path().join("bad.toml"), text).unwrap();
    let arguments = ["check-config", "--config", "bad.toml", "--encryption-key", "kek"];
    let (code, _, stderr) = run(folder.path(), &arguments);
    assert_eq!(code, Some(78));
    assert!(stderr.contains("line 2") && !stderr.contains("hunter2"), "{stderr}");
}

#[test]
fn without_an_encryption_key_it_does_not_start() {
    let folder = folder();
    let (code, _, stderr) = run(folder.path(), &["serve"]);
    assert_eq!(code, Some(78));
    assert!(
        stderr.contains("encryption.keys is missing") && stderr.contains("openssl rand -base64 32"),
        "{stderr}"
    );
    assert!(
        !folder.path().join("ghbroker.db").exists(),
        "nothing is made before the configuration is right"
    );
}

#[test]
fn a_flag_wins_over_its_variable_and_both_over_the_file() {
    let folder = folder();
    std::fs::write(
        folder.path().join("c.toml"),
        "[server]\nlisten = \"127.0.0.1:1001\"\n[encryption]\nkeys = [\"kek\"]\n",
    )
    .unwrap();
    let listens = |flags: &[&str], variable: Option<&str>| {
        let mut command = ghbroker(folder.path(), &["check-config", "--config", "c.toml"]);
        command.args(flags).envs(variable.map(|value| ("GHBROKER_LISTEN", value)));
        let stdout = String::from_utf8(command.output().unwrap().stdout).unwrap();
        stdout.lines().next().unwrap().to_owned()
    };
    assert!(listens(&[], None).contains("127.0.0.1:1001"));
    assert!(listens(&[], Some("127.0.0.1:1002")).contains("127.0.0.1:1002"));
    assert!(
        listens(&["--listen", "127.0.0.1:1003"], Some("127.0.0.1:1002")).contains("127.0.0.1:1003")
    );
}

#[test]
fn check_config_says_what_would_run_and_no_secret() {
    let folder = folder();
    let mut command = ghbroker(folder.path(), &["check-config", "--encryption-key", "kek"]);
    command.env("GHBROKER_DATABASE_URL", "postgres://broker:hunter2@db/broker");
    let output = command.output().unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success());
    for part in [
        "127.0.0.1:50051",
        "127.0.0.1:50051 (plaintext)",
        "not asked who they are: anonymous",
        "audit:       stdout",
        "PostgreSQL",
        "https://api.github.com/, https://api.github.com/graphql, https://github.com/",
    ] {
        assert!(stdout.contains(part), "{part} is not in:\n{stdout}");
    }
    assert!(!stdout.contains("hunter2") && !stdout.contains(KEY));
}

#[test]
fn an_enterprise_server_has_all_three_addresses_or_nothing_goes_to_it() {
    let folder = folder();
    let check = |flags: &[&str]| {
        run(folder.path(), &[&["check-config", "--encryption-key", "kek"], flags].concat())
    };
    let api = ["--github-api-url", "https://ghes.example/api/v3"];
    let graphql = ["--github-graphql-url", "https://ghes.example/api/graphql"];
    let web = ["--github-web-url", "https://ghes.example"];
    let (code, _, stderr) = check(&api);
    assert_eq!(code, Some(78), "the token would go to github.com");
    assert!(stderr.contains("github.graphql_url and github.web_url left out"), "{stderr}");
    let (code, _, stderr) = check(&[graphql, web].concat());
    assert_eq!(code, Some(78));
    assert!(stderr.contains("github.api_url left out"), "{stderr}");
    let (code, stdout, _) = check(&[api, graphql, web].concat());
    assert_eq!(code, Some(0));
    let all =
        "https://ghes.example/api/v3, https://ghes.example/api/graphql, https://ghes.example/";
    assert!(stdout.contains(all), "{stdout}");
}

#[test]
fn serve_logs_json_drains_on_sigterm_and_ends_with_zero() {
    let folder = folder();
    let mut child = ghbroker(
        folder.path(),
        &["serve", "--listen", "127.0.0.1:0", "--encryption-key", "kek", "--audit", "./audit"],
    )
    .stderr(Stdio::piped())
    .spawn()
    .unwrap();
    let mut messages = Vec::new();
    for line in BufReader::new(child.stderr.take().unwrap()).lines() {
        let event: serde_json::Value = serde_json::from_str(&line.unwrap()).unwrap();
        messages.push(event["message"].as_str().unwrap().to_owned());
        if event["message"] == "ready" {
            assert!(Command::new("kill").arg(child.id().to_string()).status().unwrap().success());
        }
    }
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(messages.iter().any(|message| message.starts_with("stopping")), "{messages:?}");
    assert_eq!(messages.last().unwrap(), "stopped");
}

#[test]
fn migrate_makes_the_schema_and_can_be_repeated() {
    let folder = folder();
    for _ in 0..2 {
        let (code, _, stderr) = run(folder.path(), &["migrate", "--encryption-key", "kek"]);
        assert_eq!(code, Some(0), "{stderr}");
    }
    assert!(folder.path().join("ghbroker.db").exists());
}
