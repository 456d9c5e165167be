//! Policy files: whatever is taken allows what a rule says, and nothing else, by a second reading of the same file.
#![no_main]

use ghbroker_fuzz::domain::{AccountId, Caller, Method, Policy};
use libfuzzer_sys::fuzz_target;
use toml::Table;

fuzz_target!(|text: &str| {
    let parsed = Policy::parse(text);
    assert_eq!(Policy::from_file(text.as_bytes()).is_ok(), parsed.is_ok());
    let policy = match parsed {
        Err(mistakes) => return assert!(!mistakes.is_empty(), "refused without a word"),
        Ok(policy) => policy,
    };
    let file: Table = toml::from_str(text).expect("what was taken is TOML");
    let rules: Vec<Rule> = file.get("rule").map_or(Vec::new(), |rules| {
        rules.as_array().expect("a list").iter().map(Rule::read).collect()
    });
    assert_eq!(policy.rules(), rules.len());

    let alone: Vec<Caller> = examples(STRANGERS, rules.iter().flat_map(|rule| &rule.callers));
    let callers: Vec<Caller> =
        alone.iter().cloned().chain(alone.iter().filter_map(half_known)).collect();
    let accounts: Vec<AccountId> =
        examples(&["stranger"], rules.iter().flat_map(|rule| &rule.accounts));
    for caller in &callers {
        for method in Method::ALL {
            let may = |rule: &&Rule| rule.allows(method) && rule.names(caller);
            let by = rules.iter().find(may).map(|rule| rule.name.as_str());
            assert_eq!(policy.may_call(caller, method), by, "{caller} {method}");
            for account in &accounts {
                let by = rules
                    .iter()
                    .filter(may)
                    .find(|rule| matches_any(&rule.accounts, account.as_str()));
                let grant = policy.admit(caller, method, account);
                let said = grant.as_ref().map(|grant| grant.rule());
                assert_eq!(said, by.map(|rule| rule.name.as_str()), "{caller} {method} {account}");
                assert_eq!(policy.explain(caller, method, account).is_allowed(), grant.is_some());
                if let (Some(grant), false) = (grant, rules.iter().any(|rule| rule.protected)) {
                    let ci = ".github/workflows/ci.yml".parse().expect("a path");
                    assert!(grant.protected_paths(&[&ci]).is_err(), "a protected path");
                }
            }
        }
    }
});

/// Callers beside those of the file.
const STRANGERS: &[&str] = &[
    "anonymous",
    "spiffe://stranger.invalid/x",
    "system:serviceaccount:stranger:x",
    "spiffe://stranger.invalid/x+system:serviceaccount:stranger:x",
];
/// One that has proven a second name, which may be of no rule.
fn half_known(caller: &Caller) -> Option<Caller> {
    match caller {
        Caller::Workload(id) => format!("{id}+{}", STRANGERS[2]).parse().ok(),
        Caller::ServiceAccount(account) => format!("{}+{account}", STRANGERS[1]).parse().ok(),
        Caller::Anonymous | Caller::Both(..) => None,
    }
}

/// At most so many of each, so that a long file is read in a moment.
const MAX_EXAMPLES: usize = 12;

/// Names that are of the patterns, and names that nearly are.
fn examples<'a, T: std::str::FromStr>(
    also: &[&str],
    patterns: impl Iterator<Item = &'a String>,
) -> Vec<T> {
    let near = |pattern: &'a String| {
        let names = ["x", "x/y", "", ":"].map(|some| pattern.replace('*', some));
        names.into_iter().chain([format!("{pattern}x").replace('*', "x"), pattern.to_uppercase()])
    };
    let names = also.iter().map(|name| (*name).to_owned()).chain(patterns.flat_map(near));
    names.filter_map(|name| name.parse().ok()).take(MAX_EXAMPLES).collect()
}

/// What a rule says, by its keys.
struct Rule {
    name: String,
    callers: Vec<String>,
    accounts: Vec<String>,
    role: Option<String>,
    rpcs: Vec<String>,
    protected: bool,
}

impl Rule {
    fn read(value: &toml::Value) -> Self {
        let list = |key: &str| -> Vec<String> {
            let list = value.get(key).and_then(|list| list.as_array());
            list.into_iter().flatten().map(|text| text.as_str().expect("text").to_owned()).collect()
        };
        let text = |key: &str| value.get(key).and_then(|text| text.as_str()).map(str::to_owned);
        Self {
            name: text("name").expect("a rule has a name"),
            callers: list("callers"),
            accounts: list("accounts"),
            role: text("role"),
            rpcs: list("rpcs"),
            protected: value.get("protected_paths").is_some(),
        }
    }

    fn allows(&self, method: Method) -> bool {
        use Method::*;
        let of_role: &[Method] = match self.role.as_deref() {
            None => return self.rpcs.iter().any(|name| name == method.name()),
            Some("consumer") => &[GetRepoToken, ReportRejectedToken],
            Some("committer") => {
                &[GetRepoToken, ReportRejectedToken, CommitFiles, OpenPromotionPr, VerifyRepo]
            }
            Some("admin") => &[
                BeginInstallation,
                RegisterInstallation,
                BeginOAuth,
                CompleteOAuth,
                SetPat,
                VerifyRepo,
                ListRepositories,
                CreateRepository,
                ConfigureRepo,
                SetCredentialEnabled,
                GetConnection,
                ListConnections,
                Disconnect,
                ServerReflection,
            ],
            Some("operator") => &[VerifyRepo, GetConnection, ListConnections, ServerReflection],
            Some(other) => panic!("a role that nobody knows: {other:?}"),
        };
        of_role.contains(&method)
    }

    fn names(&self, caller: &Caller) -> bool {
        caller.names().all(|name| matches_any(&self.callers, name))
    }
}

fn matches_any(patterns: &[String], name: &str) -> bool {
    let name: Vec<&str> = name.split('/').collect();
    patterns.iter().any(|pattern| {
        let mut parts: Vec<&str> = pattern.split('/').collect();
        // At the end it is one part at least.
        if parts.last() == Some(&"**") {
            parts.push("*");
        }
        matches(
            &parts,
            &name,
            |part| *part == "**",
            |part, other| {
                matches(
                    part.as_bytes(),
                    other.as_bytes(),
                    |byte| *byte == b'*',
                    |byte, other| byte == other,
                )
            },
        )
    })
}

/// Stars stand for any number of elements. In time that is a product, whatever the pattern is.
fn matches<P>(pattern: &[P], name: &[P], star: fn(&P) -> bool, same: fn(&P, &P) -> bool) -> bool {
    // At which places of the name the pattern so far can end.
    let mut ends = vec![false; name.len() + 1];
    ends[0] = true;
    for element in pattern {
        if star(element) {
            let first = ends.iter().position(|end| *end).unwrap_or(ends.len());
            ends[first..].fill(true);
        } else {
            for at in (1..ends.len()).rev() {
                ends[at] = ends[at - 1] && same(element, &name[at - 1]);
            }
            ends[0] = false;
        }
    }
    ends[name.len()]
}
