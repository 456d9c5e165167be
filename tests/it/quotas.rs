//! How much one caller may take, and all of them: over the port, with callers that are told apart.

use std::time::Duration;

use futures_util::future::join_all;
use github_sim::{Effect, Fault, Gate};
use tokio::task::JoinHandle;
use tonic::{Code, Status};

use crate::harness::{
    self, ACCOUNT, INSTALLATION, MINT, REPO, World, caller::Caller, door::Door,
    status::assert_reason,
};

const RULES: &str = r#"
[[rule]]
name = "all"
callers = ["spiffe://example.org/*"]
role = "committer"
accounts = ["*"]
"#;

/// A world with these limits, connected by its own caller.
async fn world(limits: &str) -> World {
    let door = Door::new("mtls", RULES).with_limits(limits);
    let mut world = World::guarded(harness::seed(), door).await;
    world.register(ACCOUNT, INSTALLATION).await;
    world.configure(ACCOUNT, REPO).await;
    world
}

/// A call that waits at GitHub until the gate opens.
async fn held(
    world: &World,
    caller: &Caller,
    rpc: &'static str,
    gate: &Gate,
) -> JoinHandle<Result<(), Status>> {
    world.sim.fault(Fault::once(MINT, Effect::Hold(gate.clone())));
    let caller = caller.clone();
    let call = tokio::spawn(async move { caller.call(rpc, ACCOUNT, "").await });
    gate.arrived(1).await;
    call
}

#[tokio::test]
async fn one_caller_with_all_its_calls_under_way_takes_nothing_from_another() {
    let world = world("calls_in_flight_per_caller = 1").await;
    let (one, other) = (world.workload("one").await, world.workload("other").await);
    let gate = Gate::new();
    let call = held(&world, &one, "GetRepoToken", &gate).await;
    let refused = one.call("VerifyRepo", ACCOUNT, "").await.unwrap_err();
    let details = assert_reason(&refused, Code::ResourceExhausted, "QUOTA_EXCEEDED");
    let info = details.error_info().unwrap();
    assert_eq!(info.metadata["limit"], "limits.calls_in_flight_per_caller");
    let violation = &details.quota_failure().unwrap().violations[0];
    assert_eq!(violation.subject, "spiffe://example.org/one");
    other.call("VerifyRepo", ACCOUNT, "").await.unwrap();
    gate.open();
    call.await.unwrap().unwrap();
    one.call("VerifyRepo", ACCOUNT, "").await.unwrap();
    world.finish().await;
}

#[tokio::test]
async fn who_calls_too_often_is_told_when_to_come_back() {
    let world = world("calls_per_second_per_caller = 1\nburst_per_caller = 2").await;
    let (one, other) = (world.workload("one").await, world.workload("other").await);
    for _ in 0..2 {
        one.call("GetRepoToken", ACCOUNT, "").await.unwrap();
    }
    let refused = one.call("GetRepoToken", ACCOUNT, "").await.unwrap_err();
    let details = assert_reason(&refused, Code::ResourceExhausted, "QUOTA_EXCEEDED");
    assert_eq!(
        details.error_info().unwrap().metadata["limit"],
        "limits.calls_per_second_per_caller"
    );
    let wait = details.retry_info().unwrap().retry_delay.unwrap();
    assert!(wait > Duration::ZERO && wait <= Duration::from_secs(1), "{wait:?}");
    other.call("GetRepoToken", ACCOUNT, "").await.unwrap();
    world.advance(wait);
    one.call("GetRepoToken", ACCOUNT, "").await.unwrap();
    world.finish().await;
}

#[tokio::test]
async fn a_flood_of_refused_calls_leaves_their_connection_as_it_is() {
    // Of 2,000 too few are reset for HTTP/2 to end the connection.
    const CALLS: usize = 5000;
    let world = world("calls_per_second_per_caller = 1\nburst_per_caller = 2").await;
    let one = world.workload("one").await;
    let calls = join_all((0..CALLS).map(|_| one.call("GetRepoToken", ACCOUNT, ""))).await;
    let refused: Vec<Status> = calls.into_iter().filter_map(Result::err).collect();
    assert_eq!(refused.len(), CALLS - 2);
    for refused in refused {
        assert_reason(&refused, Code::ResourceExhausted, "QUOTA_EXCEEDED");
    }
    world.finish().await;
}

#[tokio::test]
async fn a_broker_with_all_its_calls_under_way_sheds_the_next_one() {
    let world = world("calls_in_flight = 1").await;
    let (one, other) = (world.workload("one").await, world.workload("other").await);
    let gate = Gate::new();
    let call = held(&world, &one, "GetRepoToken", &gate).await;
    let asked = world.sim.requests().len();
    let shed = other.call("VerifyRepo", ACCOUNT, "").await.unwrap_err();
    let details = assert_reason(&shed, Code::Unavailable, "OVERLOADED");
    assert_eq!(details.error_info().unwrap().metadata["limit"], "limits.calls_in_flight");
    assert_eq!(world.sim.requests().len(), asked);
    gate.open();
    call.await.unwrap().unwrap();
    other.call("VerifyRepo", ACCOUNT, "").await.unwrap();
    world.finish().await;
}

/// A commit of so many bytes.
async fn commit(caller: &Caller, path: &str, bytes: usize) -> Result<(), Status> {
    let request = ghbroker::proto::CommitFilesRequest {
        account: ACCOUNT.into(),
        message: "Add".into(),
        files: vec![harness::write(path, vec![b'x'; bytes])],
        ..Default::default()
    };
    caller.broker().commit_files(request).await.map(drop)
}

#[tokio::test]
async fn requests_take_no_more_memory_than_configured() {
    const MIB: usize = 1024 * 1024;
    let limits = "commit_bytes = 2097152\nrequest_bytes_in_flight = 3145728\nrequest_bytes_in_flight_per_caller = 2097152";
    let world = world(limits).await;
    let (one, other) = (world.workload("one").await, world.workload("other").await);
    let gate = Gate::new();
    world.sim.fault(Fault::once(MINT, Effect::Hold(gate.clone())));
    let first = one.clone();
    let held = tokio::spawn(async move { commit(&first, "a", MIB * 3 / 2).await });
    gate.arrived(1).await;

    let refused = commit(&one, "b", MIB).await.unwrap_err();
    let details = assert_reason(&refused, Code::ResourceExhausted, "QUOTA_EXCEEDED");
    let limit = &details.error_info().unwrap().metadata["limit"];
    assert_eq!(limit, "limits.request_bytes_in_flight_per_caller");
    let shed = commit(&other, "c", MIB * 7 / 4).await.unwrap_err();
    let details = assert_reason(&shed, Code::Unavailable, "OVERLOADED");
    let limit = &details.error_info().unwrap().metadata["limit"];
    assert_eq!(limit, "limits.request_bytes_in_flight");
    // Small requests are no question of memory.
    one.call("GetConnection", ACCOUNT, "").await.unwrap_err();
    other.call("GetRepoToken", ACCOUNT, "").await.unwrap();

    gate.open();
    held.await.unwrap().unwrap();
    commit(&one, "b", MIB * 3 / 2).await.unwrap();
    commit(&other, "c", MIB * 7 / 4).await.unwrap();
    world.finish().await;
}

/// The deadline is the machine's own time: a second of it is waited for.
#[tokio::test]
async fn a_call_takes_no_longer_than_configured_though_its_caller_waits() {
    let world = world("call_timeout_seconds = 1").await;
    let one = world.workload("one").await;
    let gate = Gate::new();
    let call = held(&world, &one, "GetRepoToken", &gate).await;
    let late = call.await.unwrap().unwrap_err();
    assert_reason(&late, Code::DeadlineExceeded, "DEADLINE_EXCEEDED");
    gate.open();
    one.call("GetRepoToken", ACCOUNT, "").await.unwrap();
    world.finish().await;
}

#[tokio::test]
async fn sizes_of_requests_are_those_of_the_configuration() {
    let world = world("request_bytes = 65536\ncommit_bytes = 1048576").await;
    let one = world.workload("one").await;
    let promote = |bytes: usize| ghbroker::proto::OpenPromotionPrRequest {
        account: ACCOUNT.into(),
        body: Some("x".repeat(bytes)),
        ..Default::default()
    };
    let refused = one.broker().open_promotion_pr(promote(65_536)).await.unwrap_err();
    assert_reason(&refused, Code::InvalidArgument, "INVALID_FIELD");
    assert!(refused.message().contains("CommitFiles takes 1 MiB"), "{}", refused.message());
    let let_in = one.broker().open_promotion_pr(promote(65_000)).await.unwrap_err();
    assert_reason(&let_in, Code::FailedPrecondition, "BRANCH_MISSING");
    world.finish().await;
}
