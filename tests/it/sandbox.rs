//! Git in a sandbox: the real program as the credential helper of a real git in an empty home, and nothing of the token left.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Output, Stdio},
    time::Duration,
};

use ghbroker::proto;
use github_sim::{Sim, seed};
use serde_json::json;
use tokio::{io::AsyncWriteExt, net::TcpListener, process::Command};

use crate::harness::{
    self, ACCOUNT, INSTALLATION, REPO, World, door::Door, git::git, tokens_of_kubernetes,
};

/// A repository that the installation reaches, and that is bound to nobody.
const UNBOUND: &str = "acme/ledger";

/// The rule of the page, for the account of the world.
fn rule() -> String {
    let page = page();
    let rule = page.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
    let rule = rule.replace("\"acme\"", &format!("{ACCOUNT:?}"));
    rule.replace(
        "\"spiffe://example.org/sandbox\"",
        "\"spiffe://example.org/sandbox\", \"system:serviceaccount:example:sandbox\"",
    )
}

fn page() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/git.md")).unwrap()
}

/// The commands of a block of the page.
fn commands(block: usize) -> String {
    let page = page();
    let block = page.split("```console\n").nth(block).unwrap().split("```").next().unwrap();
    let lines: Vec<&str> = block.lines().map(|line| line.strip_prefix("$ ").unwrap()).collect();
    lines.join("\n")
}

/// [`World::connected`] behind a door, with a second repository.
async fn world(required: &str) -> World {
    let mut seed = harness::seed();
    let (owner, name) = UNBOUND.split_once('/').unwrap();
    seed.repositories.push(seed::Repository {
        owner: owner.into(),
        name: name.into(),
        ..Default::default()
    });
    let mut world = World::guarded(seed, Door::new(required, &rule())).await;
    world.register(ACCOUNT, INSTALLATION).await;
    world.configure(ACCOUNT, REPO).await;
    world
}

/// A machine of its own: an empty home, a folder to work in, and what shows who it is.
pub struct Sandbox {
    folder: tempfile::TempDir,
    variables: Vec<(String, String)>,
}

impl Sandbox {
    /// It shows the certificate of `name`.
    pub fn with_certificate(world: &World, name: &str) -> Self {
        let mut sandbox = Self::anonymous(world);
        let issued = world.door().certificate(name);
        for (variable, file, text) in [
            ("GHBROKER_CERT", "tls.crt", issued.certificate),
            ("GHBROKER_KEY", "tls.key", issued.key),
        ] {
            let path = sandbox.identity(file, &text);
            sandbox.set(variable, &path);
        }
        sandbox
    }

    /// It knows nothing.
    fn empty() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["home", "work", "identity"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        Self { folder, variables: Vec::new() }
    }

    /// It knows the broker, and shows nothing.
    fn anonymous(world: &World) -> Self {
        let mut sandbox = Self::empty();
        let port = world.address.rsplit_once(':').unwrap().1;
        sandbox.set("GHBROKER_ADDRESS", &format!("https://localhost:{port}"));
        sandbox.set("GHBROKER_ACCOUNT", ACCOUNT);
        let ca = sandbox.identity("ca.crt", &world.door().authority.pem());
        sandbox.set("GHBROKER_CA", &ca);
        sandbox
    }

    fn set(&mut self, variable: &str, value: &str) {
        self.variables.retain(|(name, _)| name != variable);
        self.variables.push((variable.to_owned(), value.to_owned()));
    }

    fn unset(&mut self, variable: &str) {
        self.variables.retain(|(name, _)| name != variable);
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file of what shows who the sandbox is.
    fn identity(&self, name: &str, text: &str) -> String {
        let path = self.path("identity").join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// A program of the sandbox, with what it reads.
    pub async fn run(&self, program: &str, arguments: &[&str], input: &str) -> Output {
        let ours = Path::new(env!("CARGO_BIN_EXE_ghbroker")).parent().unwrap();
        let path = format!("{}:{}", ours.display(), std::env::var("PATH").unwrap());
        let mut child = Command::new(program)
            .args(arguments)
            .current_dir(self.path("work"))
            .env_clear()
            .env("PATH", path)
            .env("HOME", self.path("home"))
            .envs([("GIT_CONFIG_NOSYSTEM", "1"), ("GIT_TERMINAL_PROMPT", "0")])
            .envs([("GIT_AUTHOR_NAME", "A Sandbox"), ("GIT_AUTHOR_EMAIL", "sandbox@example.org")])
            .envs([
                ("GIT_COMMITTER_NAME", "A Sandbox"),
                ("GIT_COMMITTER_EMAIL", "sandbox@example.org"),
            ])
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        // Fails for a program that has ended without reading it.
        drop(stdin.write_all(input.as_bytes()).await);
        drop(stdin);
        child.wait_with_output().await.unwrap()
    }

    async fn ghbroker(&self, arguments: &[&str], input: &str) -> Said {
        Said::of(self.run("ghbroker", arguments, input).await)
    }

    /// What the helper says to `get` for this host, with further lines.
    pub async fn get(&self, sim: &Sim, more: &str) -> Said {
        self.ghbroker(&["git-credential", "get"], &format!("{}{more}", description(sim))).await
    }

    pub async fn git(&self, arguments: &[&str]) -> Said {
        Said::of(self.run("git", arguments, "").await)
    }

    /// Does what a block of the page says, with what this sandbox has for what the page has. Returns what was printed.
    async fn follow_the_page(&self, block: usize, sim: &Sim) -> String {
        let script = commands(block)
            .replace("https://ghbroker.example:50051", &self.variables[0].1)
            .replace("ACCOUNT=acme", &format!("ACCOUNT={ACCOUNT}"))
            .replace("/var/run/ghbroker", self.path("identity").to_str().unwrap())
            .replace("https://github.com", sim.web_url());
        let said = Said::of(self.run("sh", &["-e", "-c", &script], "").await);
        assert!(said.ok && said.err.is_empty(), "{script}: {said:?}");
        said.out
    }

    /// Makes the program git's helper, as the page says.
    pub async fn configure(&self, sim: &Sim) {
        let setting = format!("credential.{}.helper", sim.web_url());
        let said = self.git(&["config", "--global", &setting, "!ghbroker git-credential"]).await;
        assert!(said.ok, "{said:?}");
    }

    /// Every file that is there now and has this text in it.
    pub fn holding(&self, text: &str) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut folders = vec![self.path("home"), self.path("work")];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if contains(&fs::read(&path).unwrap(), text) {
                    found.push(path);
                }
            }
        }
        found
    }
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

/// What a program said.
#[derive(Debug)]
pub struct Said {
    pub ok: bool,
    code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Said {
    pub fn of(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let (ok, code) = (output.status.success(), output.status.code());
        Self { ok, code, out: text(output.stdout), err: text(output.stderr) }
    }

    /// The value of a line `key=value`.
    #[track_caller]
    pub fn value(&self, key: &str) -> &str {
        let line = |line: &'_ str| line.starts_with(&format!("{key}="));
        let found = self.out.lines().find(|text| line(text));
        &found.unwrap_or_else(|| panic!("no {key} in {self:?}"))[key.len() + 1..]
    }

    /// Nothing for git, and no fuss.
    #[track_caller]
    fn assert_silent(&self) {
        assert!(self.ok && self.out.is_empty() && self.err.is_empty(), "{self:?}");
    }

    /// Nothing for git, and a sentence for people.
    #[track_caller]
    fn assert_refused(&self, says: &str) {
        assert!(self.code == Some(1) && self.out.is_empty() && self.err.contains(says), "{self:?}");
    }
}

/// How git describes the credential for GitHub's host.
fn description(sim: &Sim) -> String {
    let (protocol, host) = sim.web_url().split_once("://").unwrap();
    format!("protocol={protocol}\nhost={host}\n")
}

#[tokio::test]
async fn git_clones_commits_and_pushes_as_the_page_says_and_keeps_nothing() {
    let world = world("mtls").await;
    let sandbox = Sandbox::with_certificate(&world, "sandbox");
    sandbox.follow_the_page(1, &world.sim).await;

    let work = sandbox.path("work/warehouse");
    let head = git(&work, &["rev-parse", "HEAD"]);
    assert_eq!(world.sim.head(REPO, "adagent/ticket-7").as_deref(), Some(head.trim()));
    let pushed = git(&world.sim.git_dir(REPO), &["show", "adagent/ticket-7:models/returns.sql"]);
    assert_eq!(pushed, "select 2 as id\n");

    let token = sandbox.get(&world.sim, "").await.value("password").to_owned();
    assert!(world.sim.accepts(&token));
    assert_eq!(sandbox.holding(&token), Vec::<PathBuf>::new());
    assert_eq!(sandbox.holding("ghs_"), Vec::<PathBuf>::new());
    let kept = sandbox.path("home/kept");
    fs::write(&kept, format!("machine github.com password {token}")).unwrap();
    assert_eq!(sandbox.holding(&token), [kept], "the search does not find what is there");

    let audit = world.audit();
    let given: Vec<_> = audit.iter().filter(|line| line["rpc"] == "GetRepoToken").collect();
    assert!(given.len() >= 3, "clone, push and this test have asked: {audit:?}");
    for line in given {
        assert_eq!(line["caller"], "spiffe://example.org/sandbox");
        assert_eq!(line["granted_permissions"]["contents"], "write");
    }
    world.finish().await;
}

#[tokio::test]
async fn the_other_commands_of_the_page_do_what_it_says() {
    let world = world("mtls").await;
    let sandbox = Sandbox::with_certificate(&world, "sandbox");
    sandbox.follow_the_page(2, &world.sim).await;
    sandbox.follow_the_page(3, &world.sim).await;
    let url = format!("{}/{REPO}.git", world.sim.web_url());
    let cloned = sandbox.git(&["clone", "--quiet", &url, "."]).await;
    assert!(cloned.ok, "{cloned:?}");
    let pushed = sandbox.git(&["push", "origin", "HEAD:adagent/ticket-8"]).await;
    assert!(!pushed.ok && world.sim.head(REPO, "adagent/ticket-8").is_none(), "{pushed:?}");

    fs::write(sandbox.path("work/build.sh"), "echo \"$GH_TOKEN\"").unwrap();
    let said = sandbox.follow_the_page(4, &world.sim).await;
    let (alone, json) = said.split_once('\n').unwrap();
    let json: serde_json::Value = serde_json::from_str(json).unwrap();
    assert!(world.sim.accepts(alone));
    assert_eq!(json["token"], alone);
    world.finish().await;
}

#[tokio::test]
async fn git_is_told_when_the_token_ends() {
    let world = world("mtls").await;
    let sandbox = Sandbox::with_certificate(&world, "sandbox");
    let minted = world.now().unix_timestamp();
    let said = sandbox
        .get(&world.sim, "capability[]=authtype\nwwwauth[]=Basic realm=\"GitHub\"\n\n")
        .await;
    let end = said.value("password_expiry_utc").to_owned();
    assert_eq!(end.parse::<i64>().unwrap(), minted + 3600, "GitHub's tokens live for an hour");
    let token = said.value("password");
    let lines = format!("username=x-access-token\npassword={token}\npassword_expiry_utc={end}\n");
    assert_eq!((said.ok, &*said.out, &*said.err), (true, &*lines, ""));
    world.finish().await;
}

#[tokio::test]
async fn a_token_that_github_refuses_is_erased_and_the_next_one_works() {
    let world = world("mtls").await;
    let sandbox = Sandbox::with_certificate(&world, "sandbox");
    sandbox.configure(&world.sim).await;
    let url = format!("{}/{REPO}.git", world.sim.web_url());
    assert!(sandbox.git(&["ls-remote", &url]).await.ok);
    let old = sandbox.get(&world.sim, "").await.value("password").to_owned();
    world.sim.revoke_token(&old);

    let refused = sandbox.git(&["ls-remote", &url]).await;
    assert!(!refused.ok && refused.err.contains("Authentication failed"), "{refused:?}");
    let again = sandbox.git(&["ls-remote", &url]).await;
    assert!(again.ok && again.out.contains("refs/heads/main"), "{again:?}");
    assert_ne!(sandbox.get(&world.sim, "").await.value("password"), old);
    for said in [refused, again] {
        assert!(!said.err.contains("ghs_") && !said.out.contains("ghs_"), "{said:?}");
    }
    world.finish().await;
}

#[tokio::test]
async fn what_another_helper_gave_is_not_told_to_the_broker() {
    let world = world("mtls").await;
    let sandbox = Sandbox::with_certificate(&world, "sandbox");
    let before = world.audit().len();
    let of_others = [
        "username=alice\npassword=ghp_alices-own\n",
        "password=ghp_alices-own\n",
        "username=x-access-token\n",
        "username=x-access-token\npassword=\n",
    ];
    for more in of_others {
        let input = format!("{}{more}", description(&world.sim));
        sandbox.ghbroker(&["git-credential", "erase"], &input).await.assert_silent();
    }
    let all = format!("{}username=x-access-token\npassword=ghs_x\n", description(&world.sim));
    for operation in ["store", "capability", "what-git-may-say-one-day"] {
        sandbox.ghbroker(&["git-credential", operation], &all).await.assert_silent();
    }
    assert_eq!(world.audit().len(), before);
    sandbox.ghbroker(&["git-credential", "erase"], &all).await.assert_silent();
    assert_eq!(world.audit().pop().unwrap()["rpc"], "ReportRejectedToken");
    world.finish().await;
}

#[tokio::test]
async fn another_host_another_user_and_what_is_no_repository_get_nothing() {
    let world = world("mtls").await;
    let mut sandbox = Sandbox::with_certificate(&world, "sandbox");
    let said =
        sandbox.ghbroker(&["git-credential", "get"], "protocol=https\nhost=gitlab.example\n").await;
    said.assert_silent();
    let port = world.sim.web_url().rsplit_once(':').unwrap().1;
    let said = format!("protocol=https\nhost=127.0.0.1:{port}\n");
    sandbox.ghbroker(&["git-credential", "get"], &said).await.assert_silent();

    // The broker is not even asked.
    let before = world.audit().len();
    for question in
        ["protocol=http\nhost=github.com\n", "protocol=https\nhost=evil@github.com\n", ""]
    {
        sandbox.ghbroker(&["git-credential", "get"], question).await.assert_silent();
    }
    for more in ["username=alice\n", "path=acme\n", "path=acme/warehouse.git/../ledger.git\n"] {
        sandbox.get(&world.sim, more).await.assert_silent();
    }
    sandbox.set("GHBROKER_REPOSITORY", REPO);
    sandbox.get(&world.sim, &format!("path={UNBOUND}.git\n")).await.assert_silent();
    assert_eq!(world.audit().len(), before);
    world.finish().await;
}

#[tokio::test]
async fn the_path_of_a_bound_repository_gets_a_token_and_another_one_none() {
    let world = world("mtls").await;
    let sandbox = Sandbox::with_certificate(&world, "sandbox");
    sandbox.configure(&world.sim).await;
    let setting = format!("credential.{}.useHttpPath", world.sim.web_url());
    assert!(sandbox.git(&["config", "--global", &setting, "true"]).await.ok);
    for end in ["", ".git"] {
        let url = format!("{}/{REPO}{end}", world.sim.web_url());
        assert!(sandbox.git(&["ls-remote", &url]).await.ok);
    }
    let url = format!("{}/{UNBOUND}.git", world.sim.web_url());
    let said = sandbox.git(&["ls-remote", &url]).await;
    assert!(!said.ok && said.err.contains("ghbroker: "), "{said:?}");
    let said = sandbox.get(&world.sim, &format!("path={UNBOUND}.git\n")).await;
    said.assert_refused("ghbroker: ");
    world.finish().await;
}

#[tokio::test]
async fn a_repository_with_another_name_than_git_has_gets_no_token_under_the_old_one() {
    let world = world("mtls").await;
    let sandbox = Sandbox::with_certificate(&world, "sandbox");
    let path = format!("path={REPO}.git\n");
    assert!(sandbox.get(&world.sim, &path).await.ok);
    world.sim.rename_repository(REPO, "depot");
    // Somebody else may have a repository of the old name once the token of the first look is gone.
    world.advance(Duration::from_secs(3600));
    let said = sandbox.get(&world.sim, &path).await;
    said.assert_refused("acme/warehouse is acme/depot now; change the address of the remote");
    assert!(said.err.contains(&format!("{}/acme/depot.git", world.sim.web_url())), "{said:?}");
    world.finish().await;
}

#[tokio::test]
async fn a_personal_token_is_given_where_a_rule_says_so_and_has_no_end() {
    let mut world = World::guarded(harness::seed(), Door::new("mtls", &rule())).await;
    let pat = world.pat(seed::Pat { scopes: vec!["repo".into()], ..Default::default() });
    let request =
        proto::SetPatRequest { account: ACCOUNT.into(), token: pat.clone(), ..Default::default() };
    world.set_pat(request).await.unwrap();
    world.configure(ACCOUNT, REPO).await;
    let sandbox = Sandbox::with_certificate(&world, "sandbox");
    sandbox.get(&world.sim, "").await.assert_refused("cannot be narrowed to a repository");

    world.door().rule(&format!("{}unnarrowed_tokens = true\n", rule()));
    let expected = format!("username=x-access-token\npassword={pat}\n");
    let given = async || {
        // The rules are read while time passes.
        world.advance(Duration::from_secs(5));
        Some(sandbox.get(&world.sim, "").await.out).filter(|out| !out.is_empty())
    };
    assert_eq!(world.until(given).await, expected);
    let told = sandbox.ghbroker(&["token", "--json"], "").await.out;
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert_eq!((&told["expire_time"], &told["permissions"]), (&json!(null), &json!({})));
    world.finish().await;
}

#[tokio::test]
async fn a_broker_on_this_machine_is_reached_without_tls() {
    let world = World::connected().await;
    let mut sandbox = Sandbox::empty();
    let address = format!("http://{}", world.address);
    sandbox.set("GHBROKER_ACCOUNT", "is-not-this-one");
    let said = sandbox.ghbroker(&["token", "--broker", &address, "--account", ACCOUNT], "").await;
    assert!(
        said.ok && world.sim.accepts(said.out.trim_end()),
        "a flag wins over its variable: {said:?}"
    );
    let said = sandbox.ghbroker(&["token"], "").await;
    assert!(said.code == Some(2) && said.err.contains("--broker"), "{said:?}");
    world.finish().await;
}

#[tokio::test]
async fn who_may_not_is_told_so() {
    let world = world("mtls").await;
    let stranger = Sandbox::with_certificate(&world, "stranger");
    let no_rule =
        "no rule of the broker's policy lets spiffe://example.org/stranger call GetRepoToken";
    stranger.get(&world.sim, "").await.assert_refused(no_rule);
    stranger.configure(&world.sim).await;
    let said = stranger.git(&["clone", &format!("{}/{REPO}.git", world.sim.web_url())]).await;
    assert!(!said.ok && said.err.contains(no_rule), "{said:?}");

    let mut sandbox = Sandbox::with_certificate(&world, "sandbox");
    let more = ["git-credential", "--permission", "administration:write", "get"];
    let said = sandbox.ghbroker(&more, &description(&world.sim)).await;
    said.assert_refused("administration:write");
    sandbox.set("GHBROKER_ACCOUNT", "somebody-else");
    sandbox.get(&world.sim, "").await.assert_refused("no rule of the broker's policy");
    Sandbox::anonymous(&world).get(&world.sim, "").await.assert_refused("certificate");
    world.finish().await;
}

#[tokio::test]
async fn a_service_account_shows_its_token_and_the_file_is_read_at_every_call() {
    let world = world("either").await;
    let mut sandbox = Sandbox::anonymous(&world);
    let file = sandbox.identity("token", "not-a-token\n");
    sandbox.set("GHBROKER_TOKEN_FILE", &file);
    sandbox.get(&world.sim, "").await.assert_refused("must be `Bearer` and one JWT");
    let claims = tokens_of_kubernetes::claims("sandbox", world.now());
    sandbox.identity("token", &format!("{}\n", tokens_of_kubernetes::KEY.token(&claims)));
    assert!(sandbox.get(&world.sim, "").await.value("password").starts_with("ghs_"));
    assert_eq!(world.audit().pop().unwrap()["caller"], "system:serviceaccount:example:sandbox");
    for (text, says) in [("", "holds no token"), ("a\nb", "holds no token")] {
        sandbox.identity("token", text);
        sandbox.get(&world.sim, "").await.assert_refused(says);
    }
    fs::remove_file(&file).unwrap();
    sandbox.get(&world.sim, "").await.assert_refused("--token-file");
    world.finish().await;
}

#[tokio::test]
async fn the_token_alone_is_printed_for_what_is_not_git() {
    let world = world("mtls").await;
    let sandbox = Sandbox::with_certificate(&world, "sandbox");
    let said = sandbox.ghbroker(&["token"], "").await;
    assert!(said.ok && said.err.is_empty(), "{said:?}");
    let token = said.out.strip_suffix('\n').unwrap();
    assert!(world.sim.accepts(token), "{token}");

    let said =
        sandbox.ghbroker(&["token", "--json", "--repository", REPO, "--min-ttl", "600"], "").await;
    let told: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    let end = world.now() + Duration::from_secs(3600);
    let end = end.format(&time::format_description::well_known::Rfc3339).unwrap();
    let expected = json!({
        "token": token, "expire_time": end, "username": "x-access-token",
        "source": "CREDENTIAL_SOURCE_APP_INSTALLATION",
        "permissions": {"contents": "read", "metadata": "read"}, "repository": REPO,
        "clone_url": format!("{}/{REPO}.git", world.sim.web_url()), "stale": false,
    });
    assert_eq!(told, expected);
    let keys: Vec<&String> = told.as_object().unwrap().keys().collect();
    assert!(keys.iter().all(|key| page().contains(&format!("`{key}`"))), "{keys:?}");
    world.finish().await;
}

#[tokio::test]
async fn a_broker_that_cannot_be_reached_is_named() {
    let world = world("mtls").await;
    let mut sandbox = Sandbox::with_certificate(&world, "sandbox");
    let wrong = harness::pki::Authority::new("theirs").pem();
    sandbox.identity("ca.crt", &wrong);
    sandbox.get(&world.sim, "").await.assert_refused("cannot be reached");
    sandbox.identity("ca.crt", "no certificate");
    sandbox.get(&world.sim, "").await.assert_refused("ca.crt: holds no certificate");
    sandbox.identity("ca.crt", &world.door().authority.pem());
    sandbox.identity("tls.key", "no key");
    sandbox.get(&world.sim, "").await.assert_refused("check the files of --ca, --cert and --key");

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let silent = format!("http://{}", listener.local_addr().unwrap());
    sandbox.set("GHBROKER_ADDRESS", &silent);
    sandbox.get(&world.sim, "").await.assert_refused("are for a broker at an https:// address");
    for variable in ["GHBROKER_CA", "GHBROKER_CERT", "GHBROKER_KEY"] {
        sandbox.unset(variable);
    }
    let said = sandbox.ghbroker(&["token", "--timeout", "1"], "").await;
    said.assert_refused(&format!("{silent} has not answered within 1s"));
    drop(listener);
    sandbox.get(&world.sim, "").await.assert_refused(&format!("{silent} cannot be reached"));

    sandbox.set("GHBROKER_ADDRESS", "http://10.0.0.1:50051");
    let said = sandbox.get(&world.sim, "").await;
    assert!(said.code == Some(2) && said.err.contains("only on loopback"), "{said:?}");
    world.finish().await;
}

#[tokio::test]
async fn help_names_every_flag_of_the_page_and_no_value() {
    let world = world("mtls").await;
    let sandbox = Sandbox::with_certificate(&world, "sandbox");
    let help = sandbox.ghbroker(&["git-credential", "--help"], "").await.out;
    let page = page();
    let flags = help.split_whitespace().filter(|word| word.starts_with("--"));
    let mut flags: Vec<&str> = flags.map(|word| word.trim_end_matches([',', '.'])).collect();
    flags.retain(|flag| *flag != "--help");
    assert!(flags.len() >= 10, "{flags:?}");
    for flag in flags {
        assert!(page.contains(&format!("`{flag}`")), "{flag} is not on the page");
    }
    for name in page.split('`').filter(|text| text.starts_with("GHBROKER_")) {
        assert!(help.contains(&format!("[env: {name}]")), "{name}: {help}");
    }
    assert!(!help.contains(ACCOUNT), "{help}");
    world.finish().await;
}
