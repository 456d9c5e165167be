//! Places of the broker that somebody holds without working: a body that does not come, a stream that stays open, a change
//! that goes on without its caller.

use std::time::Duration;

use ghbroker::proto::{CommitFilesRequest, GetConnectionRequest, GetRepoTokenRequest};
use github_sim::{Effect, Fault, Gate};
use tokio::time::timeout;
use tonic::{
    Code, Request,
    codec::{Codec, EncodeBody},
};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
use tonic_prost::ProstCodec;
use tonic_reflection::pb::v1::{
    ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
};

use crate::{
    errors::call_raw,
    harness::{ACCOUNT, INSTALLATION, REPO, World, connect, status::assert_reason, write},
};

/// Never waited for.
const LONG: Duration = Duration::from_secs(20);
const SHORT: Duration = Duration::from_millis(50);
const ANY_HEADER: (&str, &str) = ("x-nothing", "at-all");

async fn commit(world: &World, path: &str) -> Result<(), tonic::Status> {
    timeout(LONG, world.commit("Add", vec![write(path, "x")])).await.unwrap().map(drop)
}

/// Whoever gives up and comes again could otherwise have any number of commits under way.
#[tokio::test]
async fn a_change_keeps_its_place_when_its_caller_is_gone() {
    let mut world = World::configured(|config| config.limits.commits_in_flight = 1).await;
    world.register(ACCOUNT, INSTALLATION).await;
    world.configure(ACCOUNT, REPO).await;
    let gate = Gate::new();
    world.sim.fault(Fault::once("POST /graphql", Effect::Hold(gate.clone())));
    let (account, message, files) = (ACCOUNT.into(), "Add".into(), vec![write("a.sql", "x")]);
    let request = CommitFilesRequest { account, message, files, ..Default::default() };
    let mut client = world.broker.clone();
    let given_up = tokio::spawn(async move { client.commit_files(request).await });
    gate.arrived(1).await;
    given_up.abort();
    drop(given_up.await);
    // Long enough for the broker to hear of it.
    for _ in 0..20 {
        let request = GetConnectionRequest { account: ACCOUNT.into() };
        world.get_connection(request).await.unwrap();
    }
    let refused = commit(&world, "b.sql").await.unwrap_err();
    assert_reason(&refused, Code::Unavailable, "OVERLOADED");
    gate.open();
    world.until(async || commit(&world, "b.sql").await.ok()).await;
    world.finish().await;
}

/// Without a deadline of its caller's, too: who sends a byte a second would hold its place for ever.
#[tokio::test]
async fn a_request_that_does_not_come_is_not_waited_for() {
    let world = World::configured(|config| {
        config.limits.call_timeout = SHORT;
        config.limits.commit_timeout = SHORT;
    })
    .await;
    for method in [
        "ghbroker.v1.CredentialBroker/CommitFiles",
        "ghbroker.v1.CredentialBroker/GetRepoToken",
        "grpc.health.v1.Health/Check",
    ] {
        let encoder = ProstCodec::<GetRepoTokenRequest, ()>::default().encoder();
        let never = EncodeBody::new_client(encoder, tokio_stream::pending(), None, None);
        let body = reqwest::Body::wrap(never);
        let late = timeout(LONG, call_raw(&world, &format!("/{method}"), ANY_HEADER, body)).await;
        let late = late.expect("the broker waits");
        assert_eq!(late.code(), Code::DeadlineExceeded, "{method}");
        if method.starts_with("ghbroker") {
            assert_reason(&late, Code::DeadlineExceeded, "DEADLINE_EXCEEDED");
        }
    }
    world.finish().await;
}

#[tokio::test]
async fn streams_count_for_as_long_as_they_are_open() {
    let world = World::configured(|config| config.limits.calls_in_flight_per_caller = 2).await;
    let mut health = HealthClient::new(connect(&world.address).await);
    let mut streams = Vec::new();
    for _ in 0..2 {
        let mut stream = health.watch(HealthCheckRequest::default()).await.unwrap().into_inner();
        assert!(stream.message().await.unwrap().is_some());
        streams.push(stream);
    }
    let refused = health.watch(HealthCheckRequest::default()).await.unwrap_err();
    assert_reason(&refused, Code::ResourceExhausted, "QUOTA_EXCEEDED");
    streams.pop();
    world.until(async || health.check(HealthCheckRequest::default()).await.ok()).await;
    drop(streams);
    world.finish().await;
}

/// It was allowed when it was opened, and would be for as long as it stays open.
#[tokio::test]
async fn a_stream_of_reflection_ends_with_the_time_of_a_call() {
    let world = World::configured(|config| config.limits.call_timeout = SHORT).await;
    let mut reflection = ServerReflectionClient::new(connect(&world.address).await);
    let never = tokio_stream::pending::<ServerReflectionRequest>();
    let stream = reflection.server_reflection_info(Request::new(never)).await.unwrap();
    let end = timeout(LONG, stream.into_inner().message()).await.expect("the stream stays open");
    assert!(!matches!(end, Ok(Some(_))), "{end:?}");
    world.finish().await;
}
