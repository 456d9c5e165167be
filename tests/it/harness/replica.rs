//! Another broker on the database and the GitHub of a world.

use std::sync::Arc;

use ghbroker::{
    audit::Target,
    config::Config,
    proto::{self, credential_broker_client::CredentialBrokerClient},
};
use tokio::{
    runtime::{Builder, Runtime},
    sync::oneshot,
};
use tonic::{Response, Status, transport::Channel};

use super::{Setup, World, client, connect, run};

/// A broker on threads of its own, so that it can end as a killed process does; that is how it ends when dropped.
pub struct Replica {
    pub broker: CredentialBrokerClient<Channel>,
    /// URL of its HTTP port.
    pub http: String,
    threads: Option<Runtime>,
    _running: oneshot::Sender<()>,
}

impl World {
    /// Starts another broker with the configuration, the clock, the database and the GitHub of this world, which has no door.
    pub async fn replica(&self) -> Replica {
        let threads = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let setup = self.setup_of_replica();
        let (urls, clock) = (self.urls.clone(), self.clock.clone());
        let (database_url, folder) = (self.database_url.clone(), self.folder.clone());
        let started = threads.spawn(async move {
            let (stop, _, ports) = run(&urls, &clock, &database_url, &folder, &setup).await;
            (stop, ports)
        });
        let (_running, ports) = started.await.unwrap();
        let channel = connect(&ports.grpc).await;
        let (broker, http) = (client(channel), ports.http);
        Replica { broker, http, threads: Some(threads), _running }
    }

    fn setup_of_replica(&self) -> Setup {
        let change = self.setup.change.clone();
        // Each process has an audit of its own.
        let audit = self.folder.path().join(format!("audit-{}.jsonl", uuid::Uuid::now_v7()));
        let changed = move |config: &mut Config| {
            change.iter().for_each(|change| change(config));
            config.audit = Target::File(audit.clone());
        };
        Setup { change: Some(Arc::new(changed)), ..Setup::default() }
    }
}

impl Replica {
    pub async fn commit_files(
        &self,
        request: proto::CommitFilesRequest,
    ) -> Result<proto::CommitFilesResponse, Status> {
        self.broker.clone().commit_files(request).await.map(Response::into_inner)
    }

    /// Ends it at once, with whatever it is about.
    pub fn kill(self) {
        drop(self);
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        if let Some(threads) = self.threads.take() {
            threads.shutdown_background();
        }
    }
}
