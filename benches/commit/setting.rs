//! The broker's program, as an operator starts it, before a GitHub simulator that counts.

use std::{
    collections::BTreeMap,
    fs,
    time::{Duration, Instant},
};

use aws_lc_rs::{
    encoding::{AsDer, Pkcs8V1Der},
    rsa::{KeyPair, KeySize},
    signature::KeyPair as _,
};
use base64::{Engine, prelude::BASE64_STANDARD};
use ghbroker::proto::{
    CommitFilesRequest, ConfigureRepoRequest, FileChange, RegisterInstallationRequest,
    connection_admin_client::ConnectionAdminClient,
    credential_broker_client::CredentialBrokerClient, file_change::Change,
};
use github_sim::{Level, Options, Sim, seed};
use tonic::transport::Channel;

use crate::{Result, program::Program};

const ACCOUNT: &str = "tenant-acme";
const APP: u64 = 77;
const INSTALLATION: u64 = 4711;
/// The token's request is once an hour, whatever is committed.
const MINT: &str = "POST /app/installations/{installation_id}/access_tokens";
/// Files of a folder.
const FOLDER: usize = 50;
/// A tick of `/proc/PID/stat`: Linux tells programs of 100 in a second on every machine.
const TICK: Duration = Duration::from_millis(10);

/// A broker that has the account connected.
pub struct Setting {
    sim: Sim,
    program: Program,
    broker: CredentialBrokerClient<Channel>,
    admin: ConnectionAdminClient<Channel>,
    _folder: tempfile::TempDir,
}

/// What a call cost.
pub struct Cost {
    /// Requests to GitHub, without the one for a token.
    pub requests: usize,
    /// Bytes of their bodies.
    pub sent: usize,
    /// Time until the caller had the answer, GitHub's included.
    pub time: Duration,
    /// Time of the processor that the broker used.
    pub processor: Duration,
    /// The most memory that the broker has had since it was started, in bytes.
    pub peak: usize,
}

impl Setting {
    pub async fn start() -> Result<Self> {
        let pair = KeyPair::generate(KeySize::Rsa2048)?;
        let private: Pkcs8V1Der = pair.as_der()?;
        let public = pem("RSA PUBLIC KEY", pair.public_key().as_ref());
        let sim = Sim::start(Options::default(), github(public)).await?;
        let folder = tempfile::tempdir()?;
        fs::write(folder.path().join("kek"), BASE64_STANDARD.encode([7; 32]))?;
        fs::write(folder.path().join("app.pem"), pem("PRIVATE KEY", private.as_ref()))?;
        let config = "[encryption]\nkeys = [\"kek\"]\n[audit]\ntarget = \"./audit\"\n\
                      [github.app]\nprivate_key = \"app.pem\"\n";
        fs::write(folder.path().join("ghbroker.toml"), config)?;
        let program = Program::serve(folder.path(), &sim);
        let channel =
            Channel::from_shared(format!("http://{}", program.address))?.connect().await?;
        let mut broker = CredentialBrokerClient::new(channel.clone());
        let install = RegisterInstallationRequest {
            account: ACCOUNT.into(),
            installation_id: INSTALLATION as i64,
            expected_github_login: "acme".into(),
            ..Default::default()
        };
        broker.register_installation(install).await?;
        let admin = ConnectionAdminClient::new(channel);
        Ok(Self { sim, program, broker, admin, _folder: folder })
    }

    /// A repository whose staging branch is there.
    pub async fn repository(&self, name: &str) -> Result<String> {
        self.sim.add_repository(&seed::Repository {
            owner: "acme".into(),
            name: name.into(),
            files: BTreeMap::from([("README.md".into(), "# Files\n".into())]),
            ..Default::default()
        })?;
        let repository = format!("acme/{name}");
        let bind = ConfigureRepoRequest {
            account: ACCOUNT.into(),
            repository: repository.clone(),
            ..Default::default()
        };
        self.admin.clone().configure_repo(bind).await?;
        let first = FileChange { path: "first.sql".into(), ..file(0, 0, 1, false) };
        self.commit(&repository, vec![first]).await?;
        Ok(repository)
    }

    /// Commits to staging.
    pub async fn commit(&self, repository: &str, files: Vec<FileChange>) -> Result<Cost> {
        let request = CommitFilesRequest {
            account: ACCOUNT.into(),
            repository: repository.into(),
            message: "Change".into(),
            files,
            ..Default::default()
        };
        let (before, processor) = (self.sim.requests().len(), self.processor()?);
        let start = Instant::now();
        self.broker.clone().commit_files(request).await?;
        let time = start.elapsed();
        let mut seen = self.sim.requests().split_off(before);
        seen.retain(|seen| seen.route != MINT);
        Ok(Cost {
            requests: seen.len(),
            sent: seen.iter().map(|seen| seen.body_bytes).sum(),
            time,
            processor: self.processor()?.saturating_sub(processor),
            peak: self.peak()?,
        })
    }

    fn processor(&self) -> Result<Duration> {
        let text = self.about("stat")?;
        let (_, fields) = text.rsplit_once(')').ok_or("/proc/PID/stat has no name")?;
        // The 14th and 15th field of all, which begin with the id and the name: in user mode and in the kernel.
        let ticks = fields.split_whitespace().skip(11).take(2).map(str::parse::<u32>);
        Ok(TICK * ticks.sum::<std::result::Result<u32, _>>()?)
    }

    fn peak(&self) -> Result<usize> {
        let text = self.about("status")?;
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB")).ok_or("no VmHWM")?;
        Ok(kib.parse::<usize>()? * 1024)
    }

    fn about(&self, what: &str) -> Result<String> {
        Ok(fs::read_to_string(format!("/proc/{}/{what}", self.program.child.id()))?)
    }
}

/// A file with content of its own for each number and version.
pub fn file(number: usize, version: usize, size: usize, binary: bool) -> FileChange {
    let line = match binary {
        true => [&[0xff, 0, 0xfe][..], &number.to_be_bytes(), &version.to_be_bytes()].concat(),
        false => {
            format!("select {number} as id, {version} as version from {{{{ ref('model') }}}}\n")
                .into_bytes()
        }
    };
    let content: Vec<u8> = line.into_iter().cycle().take(size).collect();
    FileChange {
        path: format!("models/{}/{number}.sql", number / FOLDER),
        change: Some(Change::Content(content.into())),
        mode: 0,
    }
}

/// An organization with the App installed.
fn github(public_key: String) -> seed::Seed {
    let permissions =
        [("contents", Level::Write), ("pull_requests", Level::Write), ("metadata", Level::Read)];
    seed::Seed {
        users: vec![seed::User { login: "alice".into(), ..Default::default() }],
        orgs: vec![seed::Org {
            login: "acme".into(),
            members: vec![seed::Member { login: "alice".into(), role: seed::Role::Admin }],
            ..Default::default()
        }],
        apps: vec![seed::App {
            id: Some(APP),
            client_id: Some(crate::CLIENT_ID.into()),
            client_secret: "secret".into(),
            slug: "ghbroker-bench".into(),
            owner: "acme".into(),
            public_key_pem: vec![public_key],
            permissions: permissions.map(|(name, level)| (name.to_owned(), level)).into(),
            ..Default::default()
        }],
        installations: vec![seed::Installation {
            id: Some(INSTALLATION),
            app_id: APP,
            account: "acme".into(),
            ..Default::default()
        }],
        ..Default::default()
    }
}

fn pem(label: &str, der: &[u8]) -> String {
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", BASE64_STANDARD.encode(der))
}
