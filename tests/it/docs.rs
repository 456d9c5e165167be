//! What the documentation says of policy and configuration, held against the program.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use ghbroker::{
    broker::Outcome,
    domain::{Limits, Method, Policy},
};

use crate::harness::app_key;

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn read(name: &str) -> String {
    fs::read_to_string(file(name)).unwrap()
}

/// The text of the blocks of code in a language.
fn blocks(document: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    let inside = |rest: &str| rest.split("```").next().unwrap().to_owned();
    document.split(&fence).skip(1).map(inside).collect()
}

/// The cells of the rows of all tables.
fn rows(document: &str) -> Vec<Vec<String>> {
    let cells =
        |line: &str| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect();
    document.lines().filter(|line| line.starts_with('|')).map(cells).collect()
}

/// The text of a cell that is all code.
fn code(cell: &str) -> Option<&str> {
    cell.strip_prefix('`')?.strip_suffix('`')
}

fn check_config(arguments: &[&str]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("kek"), "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=").unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_ghbroker"));
    command.args(["check-config", "--encryption-key", "kek"]).args(arguments);
    command.current_dir(folder.path()).env_clear().output().unwrap()
}

#[test]
fn the_policy_of_the_page_is_the_example_and_can_be_used() {
    let example = read("examples/policy.toml");
    Policy::parse(&example).unwrap();
    assert_eq!(blocks(&read("docs/access.md"), "toml"), [example]);
}

#[test]
fn what_explain_says_on_the_page_is_what_it_says() {
    let page = blocks(&read("docs/access.md"), "console").join("");
    let mut asked = 0;
    for command in page.split("$ ").filter(|command| command.contains("--explain")) {
        let (line, shown) = command.split_once('\n').unwrap();
        let question: Vec<&str> = line.split("--explain ").nth(1).unwrap().split(' ').collect();
        let policy = file("examples/policy.toml");
        let arguments = [&["--policy", policy.to_str().unwrap(), "--explain"], &*question].concat();
        let output = check_config(&arguments);
        assert_eq!(String::from_utf8(output.stdout).unwrap().trim_end(), shown.trim_end());
        let allowed = shown.starts_with("ALLOWED");
        assert_eq!(output.status.code(), Some(i32::from(!allowed)), "{line}");
        asked += 1;
    }
    assert_eq!(asked, 3);
}

#[test]
fn the_roles_of_the_page_are_those_of_the_broker() {
    let rows = rows(&read("docs/access.md"));
    let at = rows.iter().position(|row| row[0] == "RPC").unwrap();
    let roles = &rows[at][1..];
    let table: BTreeMap<&str, &[String]> =
        rows[at + 2..].iter().take(Method::ALL.len()).map(|row| (&*row[0], &row[1..])).collect();
    assert_eq!(roles.len(), 4);
    for (column, role) in roles.iter().enumerate() {
        let rule = format!(
            "[[rule]]\nname = \"x\"\ncallers = [\"anonymous\"]\naccounts = [\"*\"]\nrole = \"{role}\""
        );
        let policy = Policy::parse(&rule).unwrap();
        for method in Method::ALL {
            let allowed = policy.may_call(&"anonymous".parse().unwrap(), method).is_some();
            assert_eq!(table[method.name()][column] == "yes", allowed, "{role} {method}");
        }
    }
}

/// `{seconds, bytes or count}` of each limit as `Debug` has it: `call_timeout: 30s`.
fn default_limits() -> BTreeMap<String, u64> {
    let text = format!("{:?}", Limits::default());
    let fields = text.trim_start_matches("Limits { ").trim_end_matches(" }").split(", ");
    let pair = |field: &str| {
        let (name, value) = field.split_once(": ").unwrap();
        match value.strip_suffix('s') {
            Some(seconds) => (format!("limits.{name}_seconds"), seconds.parse().unwrap()),
            None => (format!("limits.{name}"), value.parse().unwrap()),
        }
    };
    fields.map(pair).collect()
}

#[test]
fn the_limits_of_the_page_are_those_of_the_broker() {
    let number = |text: &str| text.replace(',', "").parse::<u64>().unwrap();
    let mut defaults = BTreeMap::new();
    let mut bounds = String::new();
    for row in rows(&read("docs/configuration.md")) {
        let Some(key) = code(&row[0]).filter(|key| key.starts_with("limits.")) else { continue };
        defaults.insert(key.to_owned(), number(&row[1]));
        let (least, most) = row[2].split_once(" to ").unwrap();
        bounds += &format!("  - {key} must be {} to {}, not 0\n", number(least), number(most));
    }
    assert_eq!(defaults, default_limits());

    // Nothing may be 0, so that each says what it may be.
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("zero.toml");
    let zero = |key: &String| format!("{} = 0\n", key.trim_start_matches("limits."));
    fs::write(&config, format!("[limits]\n{}", defaults.keys().map(zero).collect::<String>()))
        .unwrap();
    let said = check_config(&["--config", config.to_str().unwrap()]).stderr;
    let said = String::from_utf8(said).unwrap();
    let sorted = |text: &str| {
        let mut lines: Vec<_> =
            text.lines().skip_while(|line| !line.starts_with("  -")).map(str::to_owned).collect();
        lines.sort();
        lines
    };
    assert_eq!(sorted(&said), sorted(&bounds));
}

#[test]
fn the_page_names_every_key_of_the_configuration_and_no_other() {
    let page = read("docs/configuration.md");
    let mut sections: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for row in rows(&page) {
        if let Some((section, key)) = code(&row[0]).and_then(|key| key.rsplit_once('.')) {
            sections.entry(section.to_owned()).or_default().push(key.to_owned());
        }
    }
    // Of a type that none has: a known key says that it must be another one, an unknown one that it is unknown.
    let mut text = String::new();
    for (section, keys) in &sections {
        text += &format!("[{section}]\n");
        keys.iter().for_each(|key| text += &format!("{key} = 1979-05-27\n"));
    }
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("all.toml");
    fs::write(&config, text).unwrap();
    let said = check_config(&["--config", config.to_str().unwrap()]).stderr;
    let said = String::from_utf8(said).unwrap();
    assert!(!said.contains("unknown"), "{said}");

    let source = ["auth", "check", "github", "limits", "tls"]
        .map(|name| read(&format!("src/config/{name}.rs")))
        .join("");
    let known = source.split('"').filter(|text| {
        let word = |part: &str| {
            !part.is_empty() && part.chars().all(|c| c.is_ascii_lowercase() || c == '_')
        };
        text.contains('.') && text.split('.').all(word)
    });
    let missing: Vec<&str> = known
        .filter(|key| !page.contains(&format!("`{key}")) && !sections.contains_key(*key))
        .collect();
    assert!(missing.is_empty(), "not on the page: {missing:?}");
}

#[test]
fn the_page_has_every_field_of_a_line_of_the_audit_in_its_order() {
    let source = read("src/audit/record.rs");
    let body = source.split("pub struct Record {").nth(1).unwrap().split("\n}").next().unwrap();
    let field =
        |line: &str| Some(line.trim().strip_prefix("pub ")?.split_once(':').unwrap().0.to_owned());
    let fields: Vec<String> = body.lines().filter_map(field).collect();
    let page = read("docs/audit.md");
    let named: Vec<String> =
        rows(&page).iter().filter_map(|row| code(&row[0]).map(str::to_owned)).collect();
    assert_eq!(named, fields);
    for line in blocks(&page, "json").iter().flat_map(|block| block.lines()) {
        let line: serde_json::Map<String, serde_json::Value> = serde_json::from_str(line).unwrap();
        assert!(line.keys().all(|key| fields.contains(key)), "{line:?}");
    }
}

#[test]
fn the_page_of_refusals_has_every_rule_reason_and_key() {
    let page = read("docs/refusals.md");
    let contract = read("proto/ghbroker/v1/credential_broker.proto");
    let rows = rows(&page);
    let named: Vec<&str> = rows.iter().filter_map(|row| code(&row[0])).collect();
    let source = read("src/github/rules.rs");
    let names = source.split("const NAMES").nth(1).unwrap().split("];").next().unwrap();
    let mut known: Vec<&str> = names.split('"').skip(1).step_by(2).collect();
    assert_eq!(known.len(), named.len(), "{known:?} {named:?}");
    known.retain(|rule| !named.contains(rule));
    assert!(known.is_empty(), "not on the page: {known:?}");

    let words = page.split('`').skip(1).step_by(2);
    let reasons: Vec<&str> = words
        .filter(|word| word.len() > 5 && word.chars().all(|c| c.is_ascii_uppercase() || c == '_'))
        .collect();
    assert!(reasons.len() > 10);
    for reason in reasons {
        assert!(contract.contains(reason), "{reason} is not in the contract");
    }
    for key in rows.iter().filter(|row| row.len() == 5).filter_map(|row| row[2].split('`').nth(1)) {
        let key = key.split(':').next().unwrap();
        assert!(contract.contains(&format!("//   {key}: ")), "{key} is not in the contract");
    }
}

/// The first cells, all code, of the rows of the table with this heading.
fn column<'a>(rows: &'a [Vec<String>], heading: &str) -> Vec<&'a str> {
    let at = rows.iter().position(|row| row[0] == heading).unwrap();
    let rows = &rows[at + 2..];
    // The heading of the next table stands before its dashes.
    let next = rows.iter().position(|row| row[0].starts_with("---"));
    rows[..next.map_or(rows.len(), |dashes| dashes - 1)]
        .iter()
        .map_while(|row| code(&row[0]))
        .collect()
}

#[test]
fn the_page_of_connecting_has_every_outcome_reason_and_status() {
    let page = read("docs/connecting.md");
    let rows = rows(&page);
    let outcomes = [
        Outcome::Connected,
        Outcome::Pending,
        Outcome::Updated,
        Outcome::Cancelled,
        Outcome::Refused,
        Outcome::Failed,
    ];
    assert_eq!(column(&rows, "`outcome`"), outcomes.map(Outcome::as_str));
    let contract = read("proto/ghbroker/v1/credential_broker.proto");
    let failed = page.split("Those of `failed`: ").nth(1).unwrap().split(". ").next().unwrap();
    let failed: Vec<&str> = failed.split('`').skip(1).step_by(2).collect();
    for reason in [column(&rows, "`reason`"), failed].concat() {
        assert!(contract.contains(reason), "{reason} is not in the contract");
    }
    let statuses = read("proto/ghbroker/v1/connection.proto");
    let statuses = statuses.split("enum ConnectionStatus {").nth(1).unwrap().split('}').next();
    let known: BTreeSet<&str> = statuses
        .unwrap()
        .lines()
        .filter_map(|line| line.trim().strip_prefix("CONNECTION_STATUS_")?.split(' ').next())
        .filter(|status| *status != "UNSPECIFIED")
        .collect();
    assert_eq!(column(&rows, "`status`").into_iter().collect::<BTreeSet<_>>(), known);
}

#[test]
fn the_configuration_of_the_page_of_connecting_can_be_used() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let mut config = blocks(&read("docs/connecting.md"), "toml").concat();
    for (name, text) in [
        ("app.pem", &*app_key().0),
        ("client-secret", "secret"),
        ("webhook-secret", "0123456789abcdef0123456789abcdef"),
    ] {
        config = config.replace(&format!("\"{name}\""), &format!("{:?}", file(name, text)));
    }
    let output = check_config(&["--config", &file("ghbroker.toml", &config)]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
