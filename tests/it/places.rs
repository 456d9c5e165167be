//! Places of the broker that somebody holds without working: a body that does not come, a stream that stays open, a change
//! that goes on without its caller.

use std::time::Duration;

use ghbroker::{
    auth::{KeySource, Required, ServiceAccountSettings},
    proto::{CommitFilesRequest, GetConnectionRequest, GetRepoTokenRequest},
};
use github_sim::{Effect, Fault, Gate};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    time::timeout,
};
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
/// More than half of what a caller may have under way.
static BIG: [u8; 80_000] = [b'x'; 80_000];
const ANY_HEADER: (&str, &str) = ("x-nothing", "at-all");

async fn commit(world: &World, path: &str) -> Result<(), tonic::Status> {
    timeout(LONG, world.commit("Add", vec![write(path, BIG)])).await.unwrap().map(drop)
}

/// Whoever gives up and comes again could otherwise have any number of commits under way.
#[tokio::test]
async fn a_change_keeps_its_place_when_its_caller_is_gone() {
    let mut world = World::configured(|config| {
        config.limits.request_bytes_in_flight_per_caller = 100_000;
    })
    .await;
    world.register(ACCOUNT, INSTALLATION).await;
    world.configure(ACCOUNT, REPO).await;
    let gate = Gate::new();
    world.sim.fault(Fault::once("POST /graphql createCommitOnBranch", Effect::Hold(gate.clone())));
    let (account, message, files) = (ACCOUNT.into(), "Add".into(), vec![write("a.sql", BIG)]);
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
    assert_reason(&refused, Code::ResourceExhausted, "QUOTA_EXCEEDED");
    gate.open();
    world.until(async || commit(&world, "b.sql").await.ok()).await;
    world.finish().await;
}

#[tokio::test]
async fn a_change_whose_caller_is_gone_is_ended_before_the_broker_stops() {
    let mut world = World::connected().await;
    let gate = Gate::new();
    world.sim.fault(Fault::once("POST /graphql createCommitOnBranch", Effect::Hold(gate.clone())));
    let (account, message, files) = (ACCOUNT.into(), "Add".into(), vec![write("a.sql", "x")]);
    let request = CommitFilesRequest { account, message, files, ..Default::default() };
    let mut client = world.broker.clone();
    let given_up = tokio::spawn(async move { client.commit_files(request).await });
    gate.arrived(1).await;
    given_up.abort();
    drop(given_up.await);
    let address = world.address.clone();
    let open = async {
        while tokio::net::TcpStream::connect(&address).await.is_ok() {}
        // Long enough for a broker to stop that waits for nothing.
        for _ in 0..1000 {
            tokio::task::yield_now().await;
        }
        gate.open();
    };
    let (stopped, ()) = tokio::join!(world.stop(), open);
    stopped.unwrap();
    let last = world.audit().pop().unwrap();
    assert_eq!((&last["rpc"], &last["phase"]), (&"CommitFiles".into(), &"end".into()));
    assert!(last["commit"].is_string(), "{last}");
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

/// Whose every call is denied would otherwise be the one who is not counted.
#[tokio::test]
async fn a_caller_without_rights_has_a_rate_too() {
    let world = World::configured(|config| {
        let policy = config.policy.as_ref().unwrap().with_file_name("nothing-allowed.toml");
        std::fs::write(&policy, "").unwrap();
        config.policy = Some(policy);
        (config.limits.calls_per_second_per_caller, config.limits.burst_per_caller) = (1, 2);
    })
    .await;
    let call = || world.get_connection(GetConnectionRequest { account: ACCOUNT.into() });
    for _ in 0..2 {
        let refused = call().await.unwrap_err();
        assert_reason(&refused, Code::PermissionDenied, "CALLER_NOT_ALLOWED");
    }
    assert_reason(&call().await.unwrap_err(), Code::ResourceExhausted, "QUOTA_EXCEEDED");
    world.finish().await;
}

/// Nobody knows whose calls they are, and so no quota counts them.
#[tokio::test]
async fn calls_that_are_not_let_in_yet_have_a_limit_too() {
    let issuer = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/jwks", issuer.local_addr().unwrap());
    // Lists no key at the start, and then says nothing any more.
    let issuer = tokio::spawn(async move {
        let (mut first, _) = issuer.accept().await.unwrap();
        first.read_u8().await.unwrap();
        first
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 11\r\n\r\n{\"keys\":[]}")
            .await
            .unwrap();
        let _open = (first, issuer.accept().await.unwrap());
        std::future::pending::<()>().await
    });
    let world = World::configured(move |config| {
        let keys = KeySource::Url { url: url.parse().unwrap(), ca: None, bearer_token_file: None };
        let settings = ServiceAccountSettings::new("issuer".into(), "ghbroker".into(), keys);
        config.auth = Required::ServiceAccount(settings);
        config.limits.calls_in_flight = 1;
    });
    let world = world.await;
    let call = || {
        let mut request = Request::new(GetConnectionRequest { account: ACCOUNT.into() });
        // {"alg":"RS256","kid":"x"}
        let token = "Bearer eyJhbGciOiJSUzI1NiIsImtpZCI6IngifQ.e30.x";
        request.metadata_mut().insert("authorization", token.parse().unwrap());
        let mut admin = world.admin.clone();
        tokio::spawn(async move { admin.get_connection(request).await })
    };
    let refused = call().await.unwrap().unwrap_err();
    assert_reason(&refused, Code::Unauthenticated, "CALLER_NOT_AUTHENTICATED");
    world.skew(Duration::from_secs(11));
    let (mut first, mut second) = (call(), call());
    let (refused, waiting) = tokio::select! {
        refused = &mut first => (refused, second),
        refused = &mut second => (refused, first),
    };
    assert_reason(&refused.unwrap().unwrap_err(), Code::Unavailable, "OVERLOADED");
    waiting.abort();
    issuer.abort();
}

/// Each line is room on a disk, and when that is full nobody is served.
#[tokio::test]
async fn who_is_not_known_cannot_fill_the_audit() {
    let world = World::configured(|config| config.auth = Required::Certificate).await;
    for _ in 0..150 {
        let request = GetConnectionRequest { account: ACCOUNT.into() };
        let refused = world.get_connection(request).await.unwrap_err();
        assert_reason(&refused, Code::Unauthenticated, "CALLER_NOT_AUTHENTICATED");
    }
    assert_eq!(world.audit().len(), 100);
    world.finish().await;
}
