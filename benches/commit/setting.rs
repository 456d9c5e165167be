//! The broker's program, as an operator starts it, before a GitHub simulator that counts.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use ghbroker::proto::{
    CommitFilesRequest, ConfigureRepoRequest, FileChange, RegisterInstallationRequest,
    connection_admin_client::ConnectionAdminClient,
    credential_broker_client::CredentialBrokerClient, file_change::Change,
};
use github_sim::{Options, seed};
use tonic::transport::Channel;

use crate::{
    common::{
        Result,
        place::{ACCOUNT, INSTALLATION, MINT, Place, about, processor},
    },
    program::Program,
};

/// Files of a folder.
const FOLDER: usize = 50;

/// A broker that has the account connected.
pub struct Setting {
    place: Place,
    program: Program,
    broker: CredentialBrokerClient<Channel>,
    admin: ConnectionAdminClient<Channel>,
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
        let place = Place::new(Options::default(), "").await?;
        let program = place.serve();
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
        Ok(Self { place, program, broker, admin })
    }

    /// A repository whose staging branch is there.
    pub async fn repository(&self, name: &str) -> Result<String> {
        self.place.sim.add_repository(&seed::Repository {
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
        let (before, used) = (self.place.sim.requests().len(), processor(&self.program)?);
        let start = Instant::now();
        self.broker.clone().commit_files(request).await?;
        let time = start.elapsed();
        let mut seen = self.place.sim.requests().split_off(before);
        seen.retain(|seen| seen.route != MINT);
        Ok(Cost {
            requests: seen.len(),
            sent: seen.iter().map(|seen| seen.body_bytes).sum(),
            time,
            processor: processor(&self.program)?.saturating_sub(used),
            peak: self.peak()?,
        })
    }

    fn peak(&self) -> Result<usize> {
        let text = about(&self.program, "status")?;
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB")).ok_or("no VmHWM")?;
        Ok(kib.parse::<usize>()? * 1024)
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
