//! The process around the calls: health, reflection, drain, TLS, limits.

use std::{pin::Pin, sync::Arc, time::Duration};

use ghbroker::{
    app::{self, Listeners},
    config::Config,
    domain::{Clock, SystemClock},
    proto,
};
use github_sim::{Effect, Fault, Gate};
use sqlx::{Connection, Row, SqliteConnection};
use tonic::{
    Code,
    transport::{Channel, Endpoint},
};
use tonic_health::{
    ServingStatus,
    pb::{HealthCheckRequest, health_client::HealthClient},
};

use crate::harness::{self, ACCOUNT, MINT, World, lines::Lines, status::assert_reason, write};

pub async fn health(channel: Channel, service: &str) -> Result<ServingStatus, Code> {
    let request = HealthCheckRequest { service: service.into() };
    let answer = HealthClient::new(channel).check(request).await.map_err(|status| status.code())?;
    Ok(if answer.get_ref().status == ServingStatus::Serving as i32 {
        ServingStatus::Serving
    } else {
        ServingStatus::NotServing
    })
}

#[tokio::test]
async fn health_is_served_for_the_whole_and_for_each_service() {
    let world = World::start().await;
    let channel = harness::connect(&world.address).await;
    for service in ["", "liveness", "ghbroker.v1.CredentialBroker", "ghbroker.v1.ConnectionAdmin"] {
        assert_eq!(health(channel.clone(), service).await, Ok(ServingStatus::Serving), "{service}");
    }
    assert_eq!(health(channel, "no.such.Service").await, Err(Code::NotFound));
    world.finish().await;
}

#[tokio::test]
async fn stopping_lets_calls_finish_and_takes_no_new_ones() {
    let mut world = World::connected().await;
    let gate = Gate::new();
    world.sim.fault(Fault::once(MINT, Effect::Hold(gate.clone())));
    let mut client = world.broker.clone();
    let request = proto::GetRepoTokenRequest { account: ACCOUNT.into(), ..Default::default() };
    let call = tokio::spawn(async move { client.get_repo_token(request).await });
    gate.arrived(1).await;
    let address = world.address.clone();
    let stopped = tokio::spawn(async move {
        let result = world.stop().await;
        (world, result)
    });
    // The port closes while the call is still under way.
    let endpoint = Endpoint::from_shared(format!("http://{address}")).unwrap();
    while endpoint.connect().await.is_ok() {
        tokio::task::yield_now().await;
    }
    assert!(!call.is_finished());
    gate.open();
    assert!(!call.await.unwrap().unwrap().into_inner().token.is_empty());
    let (_world, result) = stopped.await.unwrap();
    result.unwrap();
}

/// A clock at which whatever waits by it panics.
struct BrokenClock;

impl Clock for BrokenClock {
    fn now(&self) -> time::OffsetDateTime {
        SystemClock.now()
    }

    fn sleep(&self, _: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(async { panic!("a bug in a background task") })
    }
}

#[tokio::test]
async fn a_background_task_that_dies_ends_the_broker() {
    let world = World::start().await;
    let url = format!("sqlite://{}/other.db", world.folder().display());
    let config = harness::config(&world.sim, &url);
    let listeners = Listeners::bind(&config).await.unwrap();
    let running = app::run(config, listeners, Arc::new(BrokenClock), std::future::pending());
    let ended = tokio::time::timeout(Duration::from_secs(20), running).await;
    assert!(matches!(ended, Ok(Err(app::Error::Background))), "{ended:?}");
    world.finish().await;
}

#[tokio::test]
async fn the_answers_of_commits_are_forgotten_after_a_day() {
    let world = World::connected().await;
    let request = proto::CommitFilesRequest {
        account: ACCOUNT.into(),
        message: "Add a model".into(),
        files: vec![write("a.sql", "select 1\n")],
        request_id: "run-1".into(),
        ..Default::default()
    };
    world.broker.clone().commit_files(request).await.unwrap();
    let url = format!("sqlite://{}/ghbroker.db", world.folder().display());
    let mut database = SqliteConnection::connect(&url).await.unwrap();
    let mut kept = async || -> i64 {
        let count = sqlx::query("SELECT count(*) FROM commit_requests");
        count.fetch_one(&mut database).await.unwrap().get(0)
    };
    world.advance(Duration::from_secs(23 * 60 * 60));
    assert_eq!(kept().await, 1, "a retry still gets the first answer");
    let forgotten = async || {
        // Step by step: the task may go to sleep only after the clock was moved.
        world.advance(Duration::from_secs(60 * 60));
        (kept().await == 0).then_some(())
    };
    world.until(forgotten).await;
    world.finish().await;
}

#[tokio::test]
async fn a_request_that_is_too_large_is_refused_before_anything_is_done() {
    let world = World::connected().await;
    let asked = world.sim.requests().len();
    let huge = vec![b'x'; 49 * 1024 * 1024];
    let refused = world.commit("Too large", vec![write("huge.bin", huge)]).await.unwrap_err();
    assert_reason(&refused, Code::InvalidArgument, "INVALID_FIELD");
    assert_eq!(world.sim.requests().len(), asked);
    world.finish().await;
}

#[tokio::test]
async fn a_port_in_use_is_said_with_its_address() {
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let world = World::start().await;
    let config =
        Config { listen: taken.local_addr().unwrap(), ..harness::config(&world.sim, "sqlite://x") };
    let refused = Listeners::bind(&config).await.err().unwrap();
    assert!(refused.to_string().contains(&taken.local_addr().unwrap().to_string()), "{refused}");
    world.finish().await;
}

/// Only with a flag that says so, which stays in a file long after its reason is gone.
#[tokio::test]
async fn a_port_that_is_open_to_the_network_is_said_aloud() {
    const OPEN: [&str; 2] = [
        "nobody is asked who they are: everybody who reaches the gRPC port can call",
        "tokens cross the network in plaintext: everybody on the way can read them",
    ];
    for (listen, warnings) in [("127.0.0.1:0", 0), ("0.0.0.0:0", 1)] {
        let (lines, _guard) = Lines::watch();
        let world = World::configured(move |config| config.listen = listen.parse().unwrap()).await;
        world.until(async || lines.all("ready").pop()).await;
        for open in OPEN {
            assert_eq!(lines.all(open).len(), warnings, "{listen}: {open}");
        }
        world.finish().await;
    }
}
