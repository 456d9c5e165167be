//! Secrets that leave a trace: the real program at TRACE, known secrets through every RPC and many failures, and then a
//! search of everything that it wrote, said to callers or left on the disk.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread::JoinHandle,
};

use aws_lc_rs::{hmac, rand};
use base64::{Engine, prelude::BASE64_STANDARD, prelude::BASE64_URL_SAFE_NO_PAD};
use ghbroker::proto::{
    self, connection_admin_client::ConnectionAdminClient,
    credential_broker_client::CredentialBrokerClient,
};
use github_sim::{Effect, Fault, Level, Options, Sim, SimClock, TokenFormat, seed};
use serde_json::json;
use time::OffsetDateTime;
use tonic::{
    Code, Request, Status,
    metadata::MetadataValue,
    transport::{Certificate, Channel, ClientTlsConfig, Endpoint},
};

use crate::harness::{
    self, ACCOUNT, APP_CLIENT_SECRET, CLIENT_ID, INSTALLATION, MINT, REPO, WEBHOOK_SECRET,
    executable, person,
    pki::{Authority, Issued},
    tokens_of_kubernetes::{AUDIENCE, KEY, claims, jwks},
    write,
};

/// An account that is connected by a personal access token.
const BY_PAT: &str = "tenant-pat";
/// An account whose user has authorized the broker.
const BY_OAUTH: &str = "tenant-oauth";
/// Where browsers come back to.
const CALLBACK: &str = "https://portal.example/github/callback";
/// Who calls, by certificate; by token it is `example/canary`.
const WORKLOAD: &str = "spiffe://example.org/canary";
const USER: &str = "GET /user";

/// The program, on a GitHub of its own, and all that is secret between them.
struct Lab {
    sim: Sim,
    folder: tempfile::TempDir,
    child: Child,
    stderr: JoinHandle<Vec<u8>>,
    broker: CredentialBrokerClient<Channel>,
    admin: ConnectionAdminClient<Channel>,
    http: String,
    secrets: Vec<(&'static str, Vec<u8>)>,
    /// All that callers were told, but for tokens that they asked for.
    told: String,
}

fn unique(prefix: &str, length: usize) -> String {
    let mut bytes = vec![0; length];
    rand::fill(&mut bytes).unwrap();
    let letter = |byte: &u8| char::from(b'a' + byte % 26);
    format!("{prefix}{}", bytes.iter().map(letter).collect::<String>())
}

fn with_token<T>(message: T, token: &str) -> Request<T> {
    let mut request = Request::new(message);
    let bearer: MetadataValue<_> = format!("Bearer {token}").parse().unwrap();
    request.metadata_mut().insert("authorization", bearer);
    request
}

/// Everything that an operator configures: callers need a certificate and a token, and the audit is a file.
fn configuration(folder: &Path, sim: &Sim, kek: &str, authority: &Authority, server: &Issued) {
    let file = |name: &str, text: &str| std::fs::write(folder.join(name), text).unwrap();
    file("kek", kek);
    let policy = std::fs::read_to_string(harness::everything_allowed()).unwrap();
    let callers = format!("{WORKLOAD:?}, \"system:serviceaccount:example:canary\"");
    file("policy.toml", &policy.replace("\"anonymous\"", &callers));
    file("ca.crt", &authority.pem());
    file("tls.crt", &server.certificate);
    file("tls.key", &server.key);
    file("jwks.json", &jwks(&[&KEY]));
    file("app.pem", &harness::app_key().0);
    file("client-secret", APP_CLIENT_SECRET);
    file("hook", WEBHOOK_SECRET);
    let urls = format!(
        "api_url = {:?}\ngraphql_url = {:?}\nweb_url = {:?}",
        sim.api_url(),
        sim.graphql_url(),
        sim.web_url()
    );
    file(
        "ghbroker.toml",
        &format!(
            "[server]\nlisten = \"127.0.0.1:0\"\nhttp_listen = \"127.0.0.1:0\"\n[webhooks]\nsecrets = [\"hook\"]\n[encryption]\nkeys = [\"kek\"]\n[policy]\nfile = \"policy.toml\"\n\
             [server.tls]\ncertificate = \"tls.crt\"\nprivate_key = \"tls.key\"\nclient_ca = \"ca.crt\"\n\
             [auth]\nrequire = \"both\"\n[auth.service_account]\naudience = {AUDIENCE:?}\njwks_file = \"jwks.json\"\n\
             [audit]\ntarget = \"./audit.jsonl\"\n[log]\nlevel = \"trace\"\n[github]\n{urls}\n[github.app]\nissuer = {CLIENT_ID:?}\nprivate_key = \"app.pem\"\n\
             [github.oauth]\nclient_id = {CLIENT_ID:?}\nclient_secret = \"client-secret\"\n\
             [connect]\ncallback_url = {CALLBACK:?}\nreturn_urls = [\"https://portal.example/done\"]\n"
        ),
    );
}

fn ghbroker(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ghbroker"));
    command.args(arguments).args(["--config", "ghbroker.toml"]).current_dir(folder).env_clear();
    command
}

/// Everything that the child writes; its addresses, of gRPC and of HTTP, are told on the way, as soon as it is ready.
fn follow(child: &mut Child) -> (JoinHandle<Vec<u8>>, mpsc::Receiver<String>) {
    let (told, address) = mpsc::channel();
    let mut lines = BufReader::new(child.stderr.take().unwrap());
    let reader = std::thread::spawn(move || {
        let (mut all, mut listen) = (Vec::new(), String::new());
        loop {
            let from = all.len();
            if lines.read_until(b'\n', &mut all).unwrap() == 0 {
                return all;
            }
            let line = String::from_utf8_lossy(&all[from..]).into_owned();
            if line.contains("gRPC port") || line.contains("HTTP port") {
                let port = line.split("127.0.0.1:").nth(1).unwrap();
                let port: String = port.chars().take_while(char::is_ascii_digit).collect();
                listen += &format!("127.0.0.1:{port} ");
            }
            if line.contains("ready") && !line.contains("not ready") && !listen.is_empty() {
                drop(told.send(std::mem::take(&mut listen)));
            }
        }
    });
    (reader, address)
}

impl Lab {
    async fn start(log_format: &str, tokens: TokenFormat) -> Self {
        let options = Options { clock: SimClock::real(), ..Options::default() };
        let sim = Sim::start(options, harness::seed()).await.unwrap();
        sim.set_token_format(tokens);
        let folder = tempfile::tempdir().unwrap();
        let mut kek = [0; 32];
        rand::fill(&mut kek).unwrap();
        let kek_text = BASE64_STANDARD.encode(kek);
        drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
        let authority = Authority::new("ours");
        let (server, caller) = (authority.server(), authority.client(WORKLOAD));
        configuration(folder.path(), &sim, &kek_text, &authority, &server);
        let (pem, _) = harness::app_key();
        let der = pem.lines().nth(1).unwrap();
        let secrets = vec![
            ("key-encryption key", kek_text.into_bytes()),
            ("key-encryption key, raw", kek.to_vec()),
            ("private key", der.as_bytes().to_vec()),
            ("private key, raw", BASE64_STANDARD.decode(der).unwrap()),
            ("client secret", APP_CLIENT_SECRET.into()),
            ("webhook secret", WEBHOOK_SECRET.into()),
            ("key of the server's certificate", server.key.clone().into_bytes()),
            ("key of the caller's certificate", caller.key.clone().into_bytes()),
        ];
        let mut child = ghbroker(folder.path(), &["serve", "--log-format", log_format])
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (stderr, address) = follow(&mut child);
        let tls = ClientTlsConfig::new()
            .domain_name("localhost")
            .ca_certificate(Certificate::from_pem(authority.pem()))
            .identity(caller.identity());
        let addresses = address.recv().unwrap();
        let (grpc, http) = addresses.trim().split_once(' ').unwrap();
        let endpoint = Endpoint::from_shared(format!("https://{grpc}")).unwrap();
        let channel = endpoint.tls_config(tls).unwrap().connect().await.unwrap();
        let broker = CredentialBrokerClient::new(channel.clone());
        let admin = ConnectionAdminClient::new(channel);
        let (http, told) = (format!("http://{http}"), String::new());
        Self { sim, folder, child, stderr, broker, admin, http, secrets, told }
    }

    /// A secret that goes to the broker from now on.
    fn secret(&mut self, name: &'static str, secret: String) -> String {
        self.secrets.push((name, secret.clone().into_bytes()));
        secret
    }

    /// A request with a ServiceAccount token that no other has.
    fn proven<T>(&mut self, message: T) -> Request<T> {
        let mut claims = claims("canary", OffsetDateTime::now_utc());
        claims["jti"] = json!(unique("", 200));
        let token = self.secret("ServiceAccount token", KEY.token(&claims));
        with_token(message, &token)
    }

    /// Keeps what a caller was told.
    fn tell<T: std::fmt::Debug>(
        &mut self,
        answer: Result<tonic::Response<T>, Status>,
    ) -> Result<T, Status> {
        self.told += &format!("{answer:?}\n");
        if let Err(status) = &answer {
            self.told += &String::from_utf8_lossy(status.details());
        }
        answer.map(tonic::Response::into_inner)
    }

    async fn register(&mut self, code: String) -> Result<(), Status> {
        let request = proto::RegisterInstallationRequest {
            account: ACCOUNT.into(),
            installation_id: INSTALLATION,
            code,
            ..Default::default()
        };
        let request = self.proven(request);
        let answer = self.broker.clone().register_installation(request).await;
        self.tell(answer).map(drop)
    }

    async fn set_pat(&mut self, account: &str, token: String) -> Result<(), Status> {
        let request = proto::SetPatRequest { account: account.into(), token, ..Default::default() };
        let request = self.proven(request);
        let answer = self.broker.clone().set_pat(request).await;
        self.tell(answer).map(drop)
    }

    async fn configure(&mut self, account: &str) {
        let (account, repository) = (account.into(), REPO.into());
        let request = proto::ConfigureRepoRequest { account, repository, ..Default::default() };
        let request = self.proven(request);
        let answer = self.admin.clone().configure_repo(request).await;
        self.tell(answer).unwrap();
    }

    /// The token is a secret from then on. Equal permissions give the very token that a commit or a promotion works with.
    async fn token(&mut self, account: &str, permissions: &[(&str, &str)]) -> Result<(), Status> {
        let permissions = permissions.iter().map(|(n, l)| ((*n).into(), (*l).into())).collect();
        let request = proto::GetRepoTokenRequest {
            account: account.into(),
            permissions,
            ..Default::default()
        };
        let request = self.proven(request);
        let answer = self.broker.clone().get_repo_token(request).await;
        let token = self.tell(answer)?.token;
        self.secret("token", token);
        Ok(())
    }

    async fn work(&mut self, account: &str) {
        let verify = proto::VerifyRepoRequest { account: account.into(), ..Default::default() };
        let request = self.proven(verify);
        let answer = self.broker.clone().verify_repo(request).await;
        self.tell(answer).unwrap();
        let plain = vec![write(&format!("{account}.sql"), "select 1\n")];
        let script = vec![executable(&format!("{account}.sh"), "#!/bin/sh\n")];
        for files in [plain, script] {
            let request = proto::CommitFilesRequest {
                account: account.into(),
                message: "Add".into(),
                files,
                request_id: unique("", 8),
                ..Default::default()
            };
            let request = self.proven(request);
            let answer = self.broker.clone().commit_files(request).await;
            self.tell(answer).unwrap();
        }
        let promote =
            proto::OpenPromotionPrRequest { account: account.into(), ..Default::default() };
        let request = self.proven(promote);
        let answer = self.broker.clone().open_promotion_pr(request).await;
        self.tell(answer).unwrap();
        let get = proto::GetConnectionRequest { account: account.into() };
        let request = self.proven(get);
        let answer = self.admin.clone().get_connection(request).await;
        self.tell(answer).unwrap();
    }

    async fn report(&mut self, account: &str, token: String) {
        let request = proto::ReportRejectedTokenRequest { account: account.into(), token };
        let request = self.proven(request);
        let answer = self.broker.clone().report_rejected_token(request).await;
        drop(self.tell(answer));
    }

    /// What a portal does to connect an account by its user, and to choose a repository.
    async fn connect_github(&mut self) {
        let account = BY_OAUTH.to_owned();
        let begin =
            proto::BeginInstallationRequest { account: account.clone(), ..Default::default() };
        let request = self.proven(begin);
        // Its answer is the caller's own secret.
        let begun = self.admin.clone().begin_installation(request).await.unwrap().into_inner();
        self.secret("state of an installation", begun.state);

        // A code that GitHub refuses, and one that it takes.
        for wrong in ["x", ""] {
            let begin = proto::BeginOAuthRequest {
                account: account.clone(),
                login_hint: "alice".into(),
                ..Default::default()
            };
            let request = self.proven(begin);
            let begun = self.admin.clone().begin_o_auth(request).await.unwrap().into_inner();
            let state = self.secret("state of an authorization", begun.state);
            let (_, mut brought) = person::back_from(&begun.authorize_url).await;
            let code = format!("{}{wrong}", brought.remove("code").unwrap());
            let code = self.secret("code of an authorization", code);
            let account = account.clone();
            let request = self.proven(proto::CompleteOAuthRequest { account, state, code });
            let answer = self.admin.clone().complete_o_auth(request).await;
            assert_eq!(self.tell(answer).is_ok(), wrong.is_empty());
        }
    }

    /// What else a portal does with an account.
    async fn choose(&mut self, account: &str, source: proto::CredentialSource) {
        let account = account.to_owned();
        let list =
            proto::ListRepositoriesRequest { account: account.clone(), ..Default::default() };
        let request = self.proven(list);
        let answer = self.admin.clone().list_repositories(request).await;
        self.tell(answer).unwrap();
        let create = proto::CreateRepositoryRequest {
            repository: format!("acme/{account}"),
            account: account.clone(),
            ..Default::default()
        };
        let request = self.proven(create);
        let answer = self.admin.clone().create_repository(request).await;
        self.tell(answer).unwrap();
        for enabled in [false, true] {
            let switch = proto::SetCredentialEnabledRequest {
                account: account.clone(),
                source: source.into(),
                enabled: Some(enabled),
            };
            let request = self.proven(switch);
            let answer = self.admin.clone().set_credential_enabled(request).await;
            self.tell(answer).unwrap();
        }
        let request = self.proven(proto::ListConnectionsRequest::default());
        let answer = self.admin.clone().list_connections(request).await;
        self.tell(answer).unwrap();
    }

    /// GitHub's webhook, and somebody's. What signs is no secret, but what is not followed of a body may be one.
    async fn webhooks(&mut self) {
        let key = hmac::Key::new(hmac::HMAC_SHA256, WEBHOOK_SECRET.as_bytes());
        let private = self.secret("what a webhook says", unique("private-", 30));
        let installation = json!({"id": INSTALLATION, "account": {"id": 1}, "more": private});
        let broken = json!({"action": "suspend", "installation": private});
        for body in [json!({"action": "suspend", "installation": installation}), broken] {
            let body = body.to_string();
            let tag = hmac::sign(&key, body.as_bytes());
            let digits: String = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
            for signature in [format!("sha256={digits}"), format!("sha256={}", "0".repeat(64))] {
                let request = reqwest::Client::new()
                    .post(format!("{}/webhooks/github", self.http))
                    .header("content-type", "application/json")
                    .header("x-github-event", "installation")
                    .header("x-github-delivery", unique("", 20))
                    .header("x-hub-signature-256", signature)
                    .body(body.clone());
                self.told += &request.send().await.unwrap().text().await.unwrap();
            }
        }
    }

    /// Browsers on their way back from GitHub, some with what is worth nothing, and where they are sent on to.
    async fn browsers(&mut self) {
        let account = BY_OAUTH.to_owned();
        let request = proto::BeginInstallationRequest { account, ..Default::default() };
        let request = self.proven(request);
        let answer = self.admin.clone().begin_installation(request).await;
        let state = self.tell(answer).unwrap().state;
        let state = self.secret("state of an installation", state);
        let code = person::authorize(&self.sim, "mallory").await;
        let code = self.secret("OAuth code of a stranger", code);
        self.comes(&format!("installation_id={INSTALLATION}&code={code}&state={state}")).await;

        let account = BY_OAUTH.to_owned();
        let request = proto::BeginOAuthRequest { account, ..Default::default() };
        let request = self.proven(request);
        let answer = self.admin.clone().begin_o_auth(request).await;
        let begun = self.tell(answer).unwrap();
        let state = self.secret("state of OAuth", begun.state);
        let (_, mut brought) = person::back_from(&begun.authorize_url).await;
        let code = self.secret("OAuth code of a user", brought.remove("code").unwrap());
        let query = format!("code={code}&state={state}");
        assert!(self.comes(&query).await.contains("outcome=connected"));
        self.comes(&query).await;
        let forged = self.secret("forged state", unique("", 32));
        self.comes(&format!("error={forged}&state={forged}")).await;
        self.token(BY_OAUTH, &[]).await.unwrap_err();
    }

    /// Comes back, and says where to.
    async fn comes(&mut self, query: &str) -> String {
        let redirects = reqwest::redirect::Policy::none();
        let client = reqwest::Client::builder().redirect(redirects).build().unwrap();
        let answer = client.get(format!("{}/github/callback?{query}", self.http)).send().await;
        let location = answer.unwrap().headers()["location"].to_str().unwrap().to_owned();
        self.told += &location;
        location
    }

    /// What goes right.
    async fn everything(&mut self) {
        let code = person::authorize(&self.sim, "alice").await;
        let code = self.secret("OAuth code", code);
        self.register(code).await.unwrap();
        self.webhooks().await;
        self.browsers().await;
        let pat = self.secret("personal access token", unique("ghp_", 36));
        let scopes = vec!["repo".into()];
        let known = seed::Pat {
            token: Some(pat.clone()),
            owner: "alice".into(),
            scopes,
            ..Default::default()
        };
        self.sim.add_pat(&known).unwrap();
        self.set_pat(BY_PAT, pat).await.unwrap();
        self.connect_github().await;
        let granted = ["administration", "contents", "issues", "pull_requests"];
        let granted = granted.map(|name| (name, Level::Write));
        let granted = granted.into_iter().chain([("metadata", Level::Read)]);
        self.sim.set_installation_permissions(INSTALLATION as u64, granted);
        for (account, source) in [
            (ACCOUNT, proto::CredentialSource::AppInstallation),
            (BY_PAT, proto::CredentialSource::Pat),
            (BY_OAUTH, proto::CredentialSource::OauthUser),
        ] {
            self.choose(account, source).await;
            self.configure(account).await;
            self.work(account).await;
            self.token(account, &[]).await.unwrap();
            self.token(account, &[("contents", "write")]).await.unwrap();
            self.token(account, &[("contents", "read"), ("pull_requests", "write")]).await.unwrap();
        }
    }

    /// Callers who are not let in, each with a credential that is somebody's secret all the same.
    async fn strangers(&mut self) {
        let good = claims("canary", OffsetDateTime::now_utc());
        let claim = |name: &str, value: serde_json::Value| {
            let mut claims = good.clone();
            claims["jti"] = json!(unique("", 200));
            claims[name] = value;
            KEY.token(&claims)
        };
        let good = claim("nothing", json!(1));
        let bad = [
            claim("exp", json!(1)),
            claim("nbf", json!(4_000_000_000_i64)),
            claim("aud", json!(["somebody-else"])),
            claim("iss", json!("https://somebody.else")),
            claim("sub", json!("system:node:one")),
            claim("sub", json!("system:serviceaccount:example:other")),
            format!("{good}x"),
            good.replacen('.', "..", 1),
            unique("not-a-token-", 200),
        ];
        for token in bad {
            let token = self.secret("token of a stranger", token);
            let request = proto::GetConnectionRequest { account: ACCOUNT.into() };
            let answer = self.admin.clone().get_connection(with_token(request, &token)).await;
            let refused = self.tell(answer).unwrap_err().code();
            assert!(matches!(refused, Code::Unauthenticated | Code::PermissionDenied), "{token}");
        }
    }

    /// What goes wrong.
    async fn failures(&mut self) {
        let code = self.secret("worthless OAuth code", unique("", 20));
        self.register(code).await.unwrap_err();
        let worthless = self.secret("worthless token", unique("github_pat_", 71));
        self.set_pat(BY_PAT, worthless.clone()).await.unwrap_err();
        let malformed = self.secret("malformed token", unique("", 40));
        self.set_pat(BY_PAT, malformed.clone()).await.unwrap_err();
        self.set_pat("no such account!", malformed).await.unwrap_err();
        self.report(ACCOUNT, worthless).await;
        let unreadable = [
            Effect::Garbage,
            Effect::Huge(20 << 20),
            Effect::SecondaryRateLimit { retry_after: Some(0), status: 403 },
        ];
        self.bad_moments(&unreadable).await;
        self.sim.fault(Fault::always("DELETE /installation/token", Effect::Garbage));
        let request = proto::DisconnectRequest { account: ACCOUNT.into() };
        let request = self.proven(request);
        let answer = self.admin.clone().disconnect(request).await;
        self.tell(answer).unwrap();
        self.sim.clear_faults();
        let code = person::authorize(&self.sim, "alice").await;
        let code = self.secret("another OAuth code", code);
        self.register(code).await.unwrap();
        self.configure(ACCOUNT).await;
        // Last, because they make the broker leave GitHub alone.
        let lost =
            [Effect::DropBefore, Effect::DropAfter, Effect::Status { status: 502, html: true }];
        self.bad_moments(&lost).await;
    }

    /// A mint and a new token while GitHub does this.
    async fn bad_moments(&mut self, effects: &[Effect]) {
        for effect in effects {
            self.sim.fault(Fault::always(MINT, effect.clone()));
            self.sim.fault(Fault::always(USER, effect.clone()));
            self.token(ACCOUNT, &[("issues", "read")]).await.unwrap_err();
            let pat = self.secret("token at a bad moment", unique("ghp_", 36));
            self.set_pat(BY_PAT, pat).await.unwrap_err();
            self.sim.clear_faults();
        }
    }

    /// Ends the program and gives back everything in which no secret may be.
    async fn traces(mut self) -> (Vec<(&'static str, Vec<u8>)>, Vec<(String, Vec<u8>)>) {
        let id = self.child.id().to_string();
        let mut traces = vec![("answers".to_owned(), self.told.into_bytes())];
        for name in ["cmdline", "environ"] {
            // Only Linux has them.
            traces.extend(
                std::fs::read(format!("/proc/{id}/{name}")).map(|read| (name.into(), read)),
            );
        }
        for entry in std::fs::read_dir(self.folder.path()).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if name.starts_with("ghbroker.db") || name == "audit.jsonl" {
                traces.push((name, std::fs::read(path).unwrap()));
            }
        }
        let checked = ghbroker(self.folder.path(), &["check-config"]).output().unwrap();
        traces.push(("check-config".into(), checked.stdout));
        assert!(Command::new("kill").arg(id).status().unwrap().success());
        assert_eq!(self.child.wait().unwrap().code(), Some(0));
        traces.push(("log".into(), self.stderr.join().unwrap()));
        (self.secrets, traces)
    }
}

/// The middle of a secret in each form in which something could have written it, alone or as a part of more.
fn forms(secret: &[u8]) -> Vec<Vec<u8>> {
    // What is at the edges may be public: a prefix, a fingerprint, the header of a JWT or of a key.
    let middle = &secret[secret.len() / 3..secret.len() * 5 / 6];
    let middle = &middle[..middle.len().min(48)];
    let hex: String = middle.iter().map(|byte| format!("{byte:02x}")).collect();
    let list: Vec<String> = middle.iter().map(u8::to_string).collect();
    let mut forms = vec![
        middle.to_vec(),
        hex.to_uppercase().into_bytes(),
        hex.into_bytes(),
        list.join(", ").into_bytes(),
        list.join(",").into_bytes(),
        middle.escape_ascii().to_string().into_bytes(),
    ];
    for shift in 0..3 {
        let whole = middle.len() - shift - (middle.len() - shift) % 3;
        let part = &middle[shift..shift + whole];
        forms.push(BASE64_STANDARD.encode(part).into_bytes());
        forms.push(BASE64_URL_SAFE_NO_PAD.encode(part).into_bytes());
    }
    forms
}

/// Bytes as a text of as many characters, in which the standard library searches fast.
fn text(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(*byte)).collect()
}

/// Where a secret was found, and what is around it.
fn finds(secrets: &[(&'static str, Vec<u8>)], traces: &[(String, Vec<u8>)]) -> Vec<String> {
    let mut found = Vec::new();
    for (trace, bytes) in traces {
        let all = text(bytes);
        for (name, secret) in secrets {
            for at in forms(secret).iter().filter_map(|form| all.find(&text(form))) {
                let around: String = all[at..].chars().take(100).collect();
                found.push(format!("{name} in {trace}: {around}"));
            }
        }
    }
    found
}

/// What looks like one of GitHub's tokens, a JWT or a key: those too that the test does not know.
fn suspects(log: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for prefix in ["ghs_", "ghp_", "github_pat_", "ghu_", "ghr_", "eyJ", "PRIVATE KEY"] {
        for (at, _) in log.match_indices(prefix) {
            let tail = log[at + prefix.len()..].bytes();
            let length =
                tail.take_while(|b| b.is_ascii_alphanumeric() || b"_.-".contains(b)).count();
            if length >= 8 || prefix == "PRIVATE KEY" {
                found.push(&log[at..at + prefix.len() + length]);
            }
        }
    }
    found
}

async fn leaves_no_trace(log_format: &str, tokens: TokenFormat) {
    let mut lab = Lab::start(log_format, tokens).await;
    lab.everything().await;
    lab.strangers().await;
    lab.failures().await;
    let (secrets, traces) = lab.traces().await;
    let log = text(&traces.last().unwrap().1);
    for shown in [
        "TRACE",
        "token found for a caller",
        "call refused",
        "call refused at the door",
        "a browser came back from GitHub",
        "a browser came from nowhere",
        "settings ACK",
        "starting new connection",
    ] {
        assert!(log.contains(shown), "{shown:?} is not logged: the search would be blind");
    }
    let found = finds(&secrets, &traces);
    assert!(found.is_empty(), "{} secrets were found:\n{}", found.len(), found.join("\n"));
    assert_eq!(suspects(&log), Vec::<&str>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_is_in_a_log_in_json_with_tokens_of_todays_format() {
    leaves_no_trace("json", TokenFormat::Stateless).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_is_in_a_log_in_text_with_tokens_of_the_old_format() {
    leaves_no_trace("text", TokenFormat::Classic).await;
}

#[test]
fn the_search_finds_every_form() {
    let secret = unique("ghp_", 36);
    let around = |text: String| vec![("a file".to_owned(), format!("x {text} y").into_bytes())];
    let bytes: Vec<String> = secret.bytes().map(|byte| byte.to_string()).collect();
    let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
    for written in [
        secret.clone(),
        hex,
        format!("[{}]", bytes.join(", ")),
        BASE64_STANDARD.encode(format!("x-access-token:{secret}")),
        BASE64_STANDARD.encode(format!("a:{secret}")),
        BASE64_STANDARD.encode(format!("ab:{secret}")),
    ] {
        let found = finds(&[("it", secret.clone().into_bytes())], &around(written.clone()));
        assert!(!found.is_empty(), "{written}");
    }
    assert!(finds(&[("it", secret.clone().into_bytes())], &around(secret[..12].into())).is_empty());
}
