//! The broker's program, as an operator starts it, before a GitHub simulator that counts.

use std::{fs, path::Path, time::Duration};

use aws_lc_rs::{
    encoding::{AsDer, Pkcs8V1Der},
    rsa::{KeyPair, KeySize},
    signature::KeyPair as _,
};
use base64::{Engine, prelude::BASE64_STANDARD};
use github_sim::{Level, Options, Sim, seed};

use super::Result;
use crate::program::Program;

/// The client id of the App, which [`Program`] starts the broker with.
pub const CLIENT_ID: &str = "Iv23benchClientId001";
pub const ACCOUNT: &str = "tenant-acme";
pub const INSTALLATION: u64 = 4711;
/// The route of a mint, as the simulator counts it.
pub const MINT: &str = "POST /app/installations/{installation_id}/access_tokens";
const APP: u64 = 77;
/// Every permission that a benchmark asks for.
const PERMISSIONS: [&str; 5] = ["contents", "pull_requests", "issues", "checks", "deployments"];
/// A tick of `/proc/PID/stat`: Linux tells programs of 100 in a second on every machine.
pub const TICK: Duration = Duration::from_millis(10);

/// A GitHub with an organization that has the App installed, and the files of a broker for it.
pub struct Place {
    pub sim: Sim,
    pub folder: tempfile::TempDir,
}

impl Place {
    /// With a configuration of the broker that has these sections beside those that it cannot do without. Its audit is the
    /// file `audit`.
    pub async fn new(options: Options, sections: &str) -> Result<Self> {
        let pair = KeyPair::generate(KeySize::Rsa2048)?;
        let private: Pkcs8V1Der = pair.as_der()?;
        let public = pem("RSA PUBLIC KEY", pair.public_key().as_ref());
        let sim = Sim::start(options, github(public)).await?;
        let place = Self { sim, folder: tempfile::tempdir()? };
        place.write("kek", &BASE64_STANDARD.encode([7; 32]))?;
        place.write("app.pem", &pem("PRIVATE KEY", private.as_ref()))?;
        let folder = place.path().display();
        let config = format!(
            "[encryption]\nkeys = [\"{folder}/kek\"]\n[audit]\ntarget = \"{folder}/audit\"\n\
             [database]\nurl = \"sqlite://{folder}/ghbroker.db\"\n\
             [github.app]\nprivate_key = \"{folder}/app.pem\"\n{sections}"
        );
        place.write("ghbroker.toml", &config)?;
        Ok(place)
    }

    pub fn write(&self, name: &str, text: &str) -> Result<()> {
        Ok(fs::write(self.path().join(name), text)?)
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Starts the program, and waits until it is ready.
    pub fn serve(&self) -> Program {
        Program::serve(self.path(), &self.sim)
    }
}

/// Time of the processor that the program has used, in user mode and in the kernel, in steps of 10 ms.
pub fn processor(program: &Program) -> Result<Duration> {
    let text = about(program, "stat")?;
    let (_, fields) = text.rsplit_once(')').ok_or("/proc/PID/stat has no name")?;
    // The 14th and 15th field of all, which begin with the id and the name.
    let ticks = fields.split_whitespace().skip(11).take(2).map(str::parse::<u32>);
    Ok(TICK * ticks.sum::<std::result::Result<u32, _>>()?)
}

/// What `/proc` says of the program.
pub fn about(program: &Program, what: &str) -> Result<String> {
    Ok(fs::read_to_string(format!("/proc/{}/{what}", program.child.id()))?)
}

/// An organization with the App installed.
fn github(public_key: String) -> seed::Seed {
    let level = |name: &str| (name.to_owned(), Level::Write);
    let permissions = PERMISSIONS.into_iter().map(level).chain([("metadata".into(), Level::Read)]);
    seed::Seed {
        users: vec![seed::User { login: "alice".into(), ..Default::default() }],
        orgs: vec![seed::Org {
            login: "acme".into(),
            members: vec![seed::Member { login: "alice".into(), role: seed::Role::Admin }],
            ..Default::default()
        }],
        apps: vec![seed::App {
            id: Some(APP),
            client_id: Some(CLIENT_ID.into()),
            client_secret: "secret".into(),
            slug: "ghbroker-bench".into(),
            owner: "acme".into(),
            public_key_pem: vec![public_key],
            permissions: permissions.collect(),
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

pub fn pem(label: &str, der: &[u8]) -> String {
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", BASE64_STANDARD.encode(der))
}
