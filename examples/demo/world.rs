//! The two processes of the demo, and what they need.

use std::{
    fs,
    io::{BufRead, BufReader},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use aws_lc_rs::{
    encoding::{AsDer, Pkcs8V1Der},
    rand::{SecureRandom, SystemRandom},
    rsa::{KeyPair, KeySize},
    signature::KeyPair as _,
};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

use crate::{Result, calls::Account, install::RETURN_URL};

/// Everything that the demo writes; emptied at each start.
pub const FOLDER: &str = "target/demo";
/// The installation of the App on the organization `acme`.
pub const INSTALLATION_ID: i64 = 4711;

const CLIENT_ID: &str = "Iv23demoClientId0001";
/// How long the broker may take to get ready.
const START: Duration = Duration::from_secs(30);
/// Lines of its log that are shown if it does not: enough for every mistake of a configuration.
const LOG_END: usize = 10;

/// Broker and simulator, stopped on drop unless they are kept.
pub struct World {
    broker: Option<Child>,
    simulator: Option<Child>,
    broker_address: String,
    http_address: String,
    pat: String,
}

impl World {
    /// Starts both and waits until they answer.
    pub async fn start() -> Result<Self> {
        stop_kept();
        drop(fs::remove_dir_all(FOLDER));
        fs::create_dir_all(FOLDER)?;
        let public_key = write_keys()?;
        let pat = format!("ghp_{}", random_letters(36)?);
        let http_address = free_address()?;
        let seed = seed(&public_key, &pat, &http_address);
        fs::write(file("seed.json"), serde_json::to_vec_pretty(&seed)?)?;

        // The owner from the start: whatever fails from here on, what runs is stopped.
        let mut world = Self {
            broker: None,
            simulator: None,
            broker_address: free_address()?,
            http_address,
            pat,
        };
        let simulator = start("github-sim", &["--seed", "target/demo/seed.json"], Stdio::piped())?;
        let urls = first_line(world.simulator.insert(simulator))?;
        println!("GitHub simulator: {}", url(&urls, "web_url"));

        fs::write(
            file("ghbroker.toml"),
            config(&world.broker_address, &world.http_address, &urls),
        )?;
        fs::write(file("policy.toml"), POLICY)?;
        let broker =
            start("ghbroker", &["serve", "--config", "target/demo/ghbroker.toml"], Stdio::null())?;
        world.broker = Some(broker);
        world.wait_until_ready().await?;
        println!("Broker:           {} (SQLite, plaintext on loopback)", world.broker_address);
        Ok(world)
    }

    /// `host:port` of the broker.
    pub fn broker_address(&self) -> &str {
        &self.broker_address
    }

    /// The personal access token of the second account.
    pub fn pat(&self) -> &str {
        &self.pat
    }

    async fn wait_until_ready(&mut self) -> Result<()> {
        let address = format!("http://{}", self.broker_address);
        let endpoint = tonic::transport::Endpoint::from_shared(address)?;
        let ready = async {
            while !serves(&endpoint).await {
                if let Some(status) =
                    self.broker.as_mut().map(Child::try_wait).transpose()?.flatten()
                {
                    return Err(format!("the broker ended, {status}:\n{}", log_end()?).into());
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            Ok(())
        };
        match tokio::time::timeout(START, ready).await {
            Ok(ended) => ended,
            Err(_) => Err(format!("the broker did not get ready:\n{}", log_end()?).into()),
        }
    }

    /// Stops both; the broker must drain and end with 0.
    pub async fn stop(&mut self) -> Result<()> {
        if let Some(mut broker) = self.broker.take() {
            terminate(broker.id());
            let status = tokio::task::spawn_blocking(move || broker.wait()).await??;
            if !status.success() {
                return Err(format!("the broker did not stop in order: {status}").into());
            }
        }
        Ok(())
    }

    /// Leaves both running, and notes their ids for the next start.
    pub fn keep(&mut self) -> Result<()> {
        let kept = [self.broker.take(), self.simulator.take()];
        let ids: Vec<String> = kept.iter().flatten().map(|child| child.id().to_string()).collect();
        fs::write(file("pids"), ids.join(" "))?;
        Ok(())
    }

    /// Prints commands to copy.
    pub fn print_commands(&self, account: &Account) -> Result<()> {
        let address = &self.broker_address;
        let call = |service: &str, rpc: &str, body: Value| {
            println!("grpcurl -plaintext -d '{body}' {address} ghbroker.v1.{service}/{rpc}");
        };
        let name = account.name;
        println!("\ngrpcurl -plaintext {address} list");
        println!("grpcurl -plaintext {address} describe ghbroker.v1.CredentialBroker");
        call("ConnectionAdmin", "GetConnection", json!({"account": name}));
        call(
            "ConnectionAdmin",
            "BeginInstallation",
            json!({"account": name, "expected_github_login": "acme"}),
        );
        call(
            "CredentialBroker",
            "RegisterInstallation",
            json!({"account": name, "installation_id": INSTALLATION_ID, "expected_github_login": "acme"}),
        );
        call("CredentialBroker", "VerifyRepo", json!({"account": name}));
        call(
            "CredentialBroker",
            "GetRepoToken",
            json!({"account": name, "permissions": {"contents": "read"}}),
        );
        let content = BASE64_STANDARD.encode("select 1 as id\n");
        call(
            "CredentialBroker",
            "CommitFiles",
            json!({"account": name, "message": "Add a model", "files": [{"path": "models/one.sql", "content": content}]}),
        );
        call("CredentialBroker", "OpenPromotionPr", json!({"account": name, "title": "Promote"}));
        let set_pat = json!({"account": "globex", "token": self.pat});
        fs::write(file("set-pat.json"), set_pat.to_string())?;
        let call = format!("grpcurl -plaintext -d @ {address} ghbroker.v1.CredentialBroker/SetPat");
        println!("{call} < {FOLDER}/set-pat.json");
        println!("\ntail -f {FOLDER}/ghbroker.log");
        println!("kill $(cat {FOLDER}/pids)    # stops both");
        Ok(())
    }
}

impl Drop for World {
    fn drop(&mut self) {
        for mut child in [self.broker.take(), self.simulator.take()].into_iter().flatten() {
            drop(child.kill());
            drop(child.wait());
        }
    }
}

/// True if the broker says that it is ready.
async fn serves(endpoint: &tonic::transport::Endpoint) -> bool {
    let Ok(channel) = endpoint.connect().await else { return false };
    let check = tonic_health::pb::HealthCheckRequest { service: String::new() };
    let serving = tonic_health::ServingStatus::Serving as i32;
    let answer = tonic_health::pb::health_client::HealthClient::new(channel).check(check).await;
    answer.is_ok_and(|answer| answer.get_ref().status == serving)
}

/// The last lines of the broker's log.
fn log_end() -> Result<String> {
    let log = fs::read_to_string(file("ghbroker.log"))?;
    let lines: Vec<&str> = log.lines().collect();
    Ok(lines.get(lines.len().saturating_sub(LOG_END)..).unwrap_or_default().join("\n"))
}

/// Stops what an earlier `KEEP=1` has left.
fn stop_kept() {
    let Ok(ids) = fs::read_to_string(file("pids")) else { return };
    for id in ids.split_whitespace().filter_map(|id| id.parse::<u32>().ok()) {
        // A process id can have been given away meanwhile: only our own programs are stopped.
        let program = fs::read_link(format!("/proc/{id}/exe")).unwrap_or_default();
        if program.file_name().is_some_and(|name| name == "ghbroker" || name == "github-sim") {
            terminate(id);
        }
    }
}

fn terminate(id: u32) {
    drop(Command::new("kill").arg(id.to_string()).status());
}

pub fn file(name: &str) -> PathBuf {
    Path::new(FOLDER).join(name)
}

/// Starts a program that was built beside this one; its log goes to a file named after it.
fn start(program: &str, arguments: &[&str], stdout: Stdio) -> Result<Child> {
    let here = std::env::current_exe()?;
    let folder =
        here.parent().and_then(Path::parent).ok_or("the demo is not where cargo puts it")?;
    let log = fs::File::create(file(&format!("{program}.log")))?;
    let child = Command::new(folder.join(program))
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(stdout)
        .stderr(log)
        .spawn()
        .map_err(|error| {
            format!("{program} does not start: {error}; run `make demo`, which builds it")
        })?;
    Ok(child)
}

fn first_line(child: &mut Child) -> Result<Value> {
    let stdout = child.stdout.take().ok_or("the simulator has no output")?;
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line)?;
    serde_json::from_str(&line).map_err(|_| "the simulator did not start".into())
}

fn url<'a>(urls: &'a Value, name: &str) -> &'a str {
    urls.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn free_address() -> Result<String> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string())
}

/// Writes the App's private key and the key-encryption key; returns the App's public key.
fn write_keys() -> Result<String> {
    let pair = KeyPair::generate(KeySize::Rsa2048)?;
    let private: Pkcs8V1Der = pair.as_der()?;
    fs::write(file("app.pem"), pem("PRIVATE KEY", private.as_ref()))?;
    let mut kek = [0; 32];
    SystemRandom::new().fill(&mut kek)?;
    fs::write(file("encryption.key"), BASE64_STANDARD.encode(kek))?;
    Ok(pem("RSA PUBLIC KEY", pair.public_key().as_ref()))
}

fn pem(label: &str, der: &[u8]) -> String {
    let text = BASE64_STANDARD.encode(der);
    let lines: Vec<&str> = (0..text.len())
        .step_by(64)
        .filter_map(|at| text.get(at..(at + 64).min(text.len())))
        .collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

fn random_letters(count: usize) -> Result<String> {
    let mut bytes = vec![0; count];
    SystemRandom::new().fill(&mut bytes)?;
    Ok(bytes.into_iter().map(|byte| char::from(b'a' + byte % 26)).collect())
}

/// GitHub as the demo finds it: two customers, each with a repository that has a production branch.
fn seed(public_key: &str, pat: &str, http_address: &str) -> Value {
    let readme = json!({"README.md": "# Warehouse\n"});
    json!({
        "users": [{"login": "alice"}, {"login": "bob"}],
        "orgs": [
            {"login": "acme", "members": [{"login": "alice", "role": "admin"}]},
            {"login": "globex", "members": [{"login": "bob", "role": "admin"}]},
        ],
        "apps": [{
            "id": 1, "client_id": CLIENT_ID, "slug": "ghbroker-demo", "owner": "acme",
            "public_key_pem": [public_key],
            "setup_url": format!("http://{http_address}/github/callback"),
            "permissions": {"contents": "write", "pull_requests": "write", "metadata": "read"},
        }],
        "repositories": [
            {"owner": "acme", "name": "warehouse", "files": readme},
            {"owner": "globex", "name": "analytics", "files": readme},
        ],
        "installations": [{"id": INSTALLATION_ID, "app_id": 1, "account": "acme"}],
        "pats": [{"token": pat, "owner": "bob", "kind": "classic", "scopes": ["repo"]}],
    })
}

/// On loopback, without TLS, nobody is asked who they are: whoever calls may do what the demo does.
const POLICY: &str = r#"
[[rule]]
name = "the demo"
callers = ["anonymous"]
rpcs = [
    "BeginInstallation", "RegisterInstallation", "SetPat", "ConfigureRepo", "GetConnection", "Disconnect", "VerifyRepo",
    "GetRepoToken", "ReportRejectedToken", "CommitFiles", "OpenPromotionPr", "ServerReflection",
]
accounts = ["acme", "globex"]
permissions = { contents = "write" }
unnarrowed_tokens = true
"#;

fn config(address: &str, http_address: &str, urls: &Value) -> String {
    format!(
        "[server]\nlisten = \"{address}\"\nhttp_listen = \"{http_address}\"\n\n\
         [connect]\nreturn_urls = [\"{RETURN_URL}\"]\n\n\
         [database]\nurl = \"sqlite://{FOLDER}/ghbroker.db\"\n\n\
         [encryption]\nkeys = [\"{FOLDER}/encryption.key\"]\n\n\
         [github]\napi_url = \"{}\"\ngraphql_url = \"{}\"\nweb_url = \"{}\"\n\n\
         [github.app]\nissuer = \"{CLIENT_ID}\"\nprivate_key = \"{FOLDER}/app.pem\"\n\n\
         [policy]\nfile = \"{FOLDER}/policy.toml\"\n\n\
         [audit]\ntarget = \"{FOLDER}/audit.jsonl\"\n",
        url(urls, "api_url"),
        url(urls, "graphql_url"),
        url(urls, "web_url"),
    )
}
