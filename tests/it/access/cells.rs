//! Every cell of (RPC x caller x account), over the real port.

use std::time::Duration;

use serde_json::{Value, json};
use tonic::{Code, Status};

use super::{assert_not_allowed, assert_not_authenticated, rule, said};
use crate::harness::{
    INSTALLATION, REPO, World,
    caller::{Caller, RPCS},
    door::Door,
    seed,
    status::assert_reason,
};

/// Who may call what for its accounts: `yes`, `no` (known, and no rule lets it) or `who?` (not known).
///
/// `listed` has a rule with a list of RPCs, `stranger` a good credential and no rule, and `nobody` no credential.
const TABLE: &str = "
                        consumer  committer  admin  operator  listed  stranger  nobody
RegisterInstallation    no        no         yes    no        no      no        who?
SetPat                  no        no         yes    no        yes     no        who?
VerifyRepo              no        yes        yes    yes       no      no        who?
GetRepoToken            yes       yes        no     no        no      no        who?
CommitFiles             no        yes        no     no        no      no        who?
OpenPromotionPr         no        yes        no     no        no      no        who?
ReportRejectedToken     yes       yes        no     no        no      no        who?
ConfigureRepo           no        no         yes    no        no      no        who?
GetConnection           no        no         yes    yes       yes     no        who?
Disconnect              no        no         yes    no        no      no        who?
BeginInstallation       no        no         yes    no        no      no        who?
BeginOAuth              no        no         yes    no        no      no        who?
CompleteOAuth           no        no         yes    no        no      no        who?
ListRepositories        no        no         yes    no        no      no        who?
CreateRepository        no        no         yes    no        no      no        who?
SetCredentialEnabled    no        no         yes    no        no      no        who?
ListConnections         no        no         yes    yes       no      no        who?
Reflection.v1           no        no         yes    yes       no      no        who?
Reflection.v1alpha      no        no         yes    yes       no      no        who?
Health                  yes       yes        yes    yes       yes     yes       who?
";

/// The accounts of `ours-*` are every rule's; those of `theirs-*` no rule's.
const ALLOWED: [&str; 2] = ["ours-connected", "ours-absent"];
const FORBIDDEN: [&str; 2] = ["theirs-connected", "theirs-absent"];
/// RPCs that write into the audit before they begin.
const CHANGING: [&str; 12] = [
    "RegisterInstallation",
    "SetPat",
    "CommitFiles",
    "OpenPromotionPr",
    "ReportRejectedToken",
    "ConfigureRepo",
    "Disconnect",
    "BeginInstallation",
    "BeginOAuth",
    "CompleteOAuth",
    "CreateRepository",
    "SetCredentialEnabled",
];

fn rules() -> String {
    let ours = |what: &str| format!("{what}\naccounts = [\"ours-*\"]");
    let mut rules = rule("listed", &ours("rpcs = [\"SetPat\", \"GetConnection\"]"));
    for role in ["consumer", "committer", "admin", "operator"] {
        rules += &rule(role, &ours(&format!("role = \"{role}\"")));
    }
    rules
}

/// What an allowed call is answered for an account that is not connected; none for success.
fn absent(rpc: &str) -> Option<(Code, &'static str)> {
    match rpc {
        // Its installation is the one of `ours-connected`.
        "RegisterInstallation" => Some((Code::AlreadyExists, "INSTALLATION_TAKEN")),
        "SetPat" | "ReportRejectedToken" | "Disconnect" | "BeginInstallation" => None,
        "BeginOAuth" | "CompleteOAuth" => connected(rpc),
        _ => Some((Code::NotFound, "ACCOUNT_NOT_CONNECTED")),
    }
}

/// What it is answered for one that is.
fn connected(rpc: &str) -> Option<(Code, &'static str)> {
    let reason = match rpc {
        // There is no `connect.callback_url`.
        "BeginOAuth" => "APP_NOT_CONFIGURED",
        // Nobody has begun what it would complete.
        "CompleteOAuth" => "STATE_UNKNOWN",
        // It would, with Administration.
        "CreateRepository" => "PERMISSION_NOT_GRANTED",
        _ => return None,
    };
    Some((Code::FailedPrecondition, reason))
}

fn is_for_an_account(rpc: &str) -> bool {
    rpc != "Health" && rpc != "ListConnections" && !rpc.starts_with("Reflection")
}

/// Name of an RPC in the audit.
fn audited(rpc: &str) -> &str {
    match rpc {
        "Health" => "/grpc.health.v1.Health/Check",
        _ if rpc.starts_with("Reflection") => "ServerReflection",
        _ => rpc,
    }
}

/// One caller of the table.
struct Column {
    name: &'static str,
    caller: Caller,
    /// As the audit has it: the caller, and how it was authenticated.
    known_as: (Value, &'static str),
}

/// A world with two connected accounts, and all callers of the table.
struct Lab {
    world: World,
    columns: Vec<Column>,
    pat: String,
    /// For accounts that are absent, each for one call.
    calls: usize,
}

impl Lab {
    async fn start(by_token: bool) -> Self {
        let world = World::guarded(seed(), Door::new("either", &rules())).await;
        let scopes = vec!["repo".into()];
        let pat = world.pat(github_sim::seed::Pat { scopes, ..Default::default() });
        let mut columns = Vec::new();
        for name in TABLE.lines().nth(1).unwrap().split_whitespace() {
            let (caller, known_as) = match name {
                "nobody" => (world.caller(None, &[]).await, (Value::Null, "none")),
                _ if by_token => {
                    let id = json!(format!("system:serviceaccount:example:{name}"));
                    (world.service_account(name).await, (id, "service_account"))
                }
                _ => {
                    let id = json!(format!("spiffe://example.org/{name}"));
                    (world.workload(name).await, (id, "mtls"))
                }
            };
            columns.push(Column { name, caller, known_as });
        }
        let mut lab = Self { world, columns, pat, calls: 0 };
        lab.connect_ours().await;
        let theirs = "theirs-connected";
        let request = ghbroker::proto::SetPatRequest {
            account: theirs.into(),
            token: lab.pat.clone(),
            ..Default::default()
        };
        lab.world.set_pat(request).await.unwrap();
        lab.world.configure(theirs, REPO).await;
        lab
    }

    async fn connect_ours(&mut self) {
        self.world.register("ours-connected", INSTALLATION).await;
        self.world.configure("ours-connected", REPO).await;
    }

    /// Makes one call, and checks what it left in the audit: these fields of these lines.
    async fn call(
        &self,
        at: usize,
        rpc: &str,
        account: &str,
        lines: &[Value],
    ) -> Result<(), Status> {
        let before = self.world.audit().len();
        let column = &self.columns[at];
        let answer = column.caller.call(rpc, account, &self.pat).await;
        let written = self.world.audit_after(before);
        let expected: Vec<Value> = lines
            .iter()
            .map(|line| {
                let (caller, by) = &column.known_as;
                let mut all = json!({ "caller": caller, "authenticated_by": by, "rpc": audited(rpc),
                                      "account": null, "rule": null, "reason": null });
                all.as_object_mut().unwrap().extend(line.as_object().unwrap().clone());
                all
            })
            .collect();
        let shown =
            ["caller", "authenticated_by", "rpc", "account", "rule", "reason", "phase", "decision"];
        let written: Vec<Value> = written
            .iter()
            .map(|line| shown.iter().map(|key| ((*key).to_owned(), line[key].clone())).collect())
            .collect();
        assert_eq!(written, expected, "audit of {rpc} by {} for {account}", column.name);
        answer
    }

    /// A call that must be refused: how it was.
    async fn refused(&self, at: usize, rpc: &str, account: &str, decision: &str) -> Status {
        let mut line = json!({ "phase": "end", "decision": "deny" });
        line["reason"] = match decision {
            "who?" => json!("CALLER_NOT_AUTHENTICATED"),
            _ => json!("CALLER_NOT_ALLOWED"),
        };
        // Whom no rule lets call the RPC at all is refused before the request is read.
        if decision == "yes" {
            line["account"] = json!(account);
        }
        let status = self.call(at, rpc, account, &[line]).await.expect_err(rpc);
        match decision {
            "who?" => assert_not_authenticated(
                &status,
                "neither a ServiceAccount token nor a client certificate was sent",
            ),
            _ => assert_not_allowed(&status),
        }
        status
    }

    /// A call that is let in, for an account that is connected or not.
    async fn let_in(&mut self, at: usize, rpc: &str, account: &str) {
        let is_connected = account == ALLOWED[0];
        let account =
            if is_connected { account.to_owned() } else { format!("{account}-{}", self.calls) };
        self.calls += 1;
        let expected = if is_connected { connected(rpc) } else { absent(rpc) };
        let mut line =
            json!({ "decision": "allow", "rule": self.columns[at].name, "account": account });
        let mut lines = Vec::new();
        if CHANGING.contains(&rpc) {
            line["phase"] = json!("begin");
            lines.push(line.clone());
        }
        line["phase"] = json!("end");
        line["reason"] = expected.map_or(Value::Null, |(_, reason)| json!(reason));
        lines.push(line);
        match (self.call(at, rpc, &account, &lines).await, expected) {
            (Ok(()), None) => {}
            (Err(status), Some((code, reason))) => {
                assert_reason(&status, code, reason);
            }
            (answer, expected) => panic!("{rpc} for {account}: {answer:?} and not {expected:?}"),
        }
    }

    /// The refused calls of a row: they are answered the same for every account, and leave nothing.
    async fn refuse_row(&self, rpc: &str, row: &[&str]) {
        let state = async || (self.world.footprint(), self.world.stored().await);
        let before = state().await;
        for (at, decision) in row.iter().enumerate() {
            let accounts: Vec<&str> = match *decision {
                _ if !is_for_an_account(rpc) && *decision == "yes" => continue,
                _ if !is_for_an_account(rpc) => vec![""],
                "yes" => FORBIDDEN.to_vec(),
                _ => [ALLOWED, FORBIDDEN].concat(),
            };
            let mut answers = Vec::new();
            for account in accounts {
                answers.push(said(&self.refused(at, rpc, account, decision).await));
            }
            let first = answers[0].clone();
            answers.into_iter().for_each(|answer| assert_eq!(answer, first, "{rpc}"));
        }
        assert_eq!(state().await, before, "a refused {rpc} left something");
    }
}

async fn every_cell(by_token: bool) {
    let mut lab = Lab::start(by_token).await;
    let rows: Vec<Vec<&str>> =
        TABLE.lines().skip(2).map(|row| row.split_whitespace().collect()).collect();
    let rpcs: Vec<&str> = rows.iter().map(|row| row[0]).collect();
    assert_eq!(rpcs, RPCS, "the table has a row for each");
    for row in &rows {
        let (rpc, row) = (row[0], &row[1..]);
        assert_eq!(row.len(), lab.columns.len(), "{rpc} has a cell for each caller");
        // Of nobody's calls not all are written down, but so many in a second.
        lab.world.advance(Duration::from_secs(1));
        lab.refuse_row(rpc, row).await;
        for (at, _) in row.iter().enumerate().filter(|(_, decision)| **decision == "yes") {
            if !is_for_an_account(rpc) {
                // Probes would fill the audit, and learn nothing.
                let line =
                    json!({ "phase": "end", "decision": "allow", "rule": lab.columns[at].name });
                let lines = if rpc == "Health" { vec![] } else { vec![line] };
                lab.call(at, rpc, "", &lines).await.unwrap();
                continue;
            }
            for account in ALLOWED {
                lab.let_in(at, rpc, account).await;
            }
            if rpc == "Disconnect" {
                lab.connect_ours().await;
            }
        }
    }
    lab.world.finish().await;
}

#[tokio::test]
async fn every_cell_by_certificate() {
    every_cell(false).await;
}

#[tokio::test]
async fn every_cell_by_service_account() {
    every_cell(true).await;
}
