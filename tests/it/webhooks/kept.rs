//! What GitHub was told is taken is not lost, whatever becomes of the process, of GitHub or of a replica.

use std::time::Duration;

use ghbroker::proto::ConnectionStatus;
use github_sim::{Effect, Fault, Gate};
use reqwest::StatusCode;

use super::{Delivery, LOOK, deliveries, events, status, until_status};
use crate::harness::{INSTALLATION, World};

/// After this what a process that died was about is anybody's.
const CLAIM: Duration = Duration::from_secs(2 * 60);

#[tokio::test]
async fn it_is_followed_after_a_stop_in_between() {
    let mut world = World::connected().await;
    world.sim.suspend(INSTALLATION as u64);
    let gate = Gate::new();
    world.sim.fault(Fault::always(LOOK, Effect::Hold(gate.clone())));
    let delivery = Delivery::installation("suspend");
    delivery.taken(&world.http).await;
    gate.arrived(1).await;
    world.stop().await.unwrap();
    world.sim.clear_faults();
    gate.open();

    world.start_again().await;
    assert_eq!(status(&world).await, ConnectionStatus::Active, "nobody has told it yet");
    world.advance(CLAIM);
    until_status(&world, ConnectionStatus::Suspended).await;
    assert_eq!(delivery.send(&world.http).await, StatusCode::CONFLICT, "it knows it still");
}

#[tokio::test]
async fn another_replica_goes_on_with_what_a_dead_one_had() {
    let world = World::connected().await;
    world.sim.suspend(INSTALLATION as u64);
    let replica = world.replica().await;
    let gate = Gate::new();
    world.sim.fault(Fault::once(LOOK, Effect::Hold(gate.clone())));
    Delivery::installation("suspend").taken(&replica.http).await;
    gate.arrived(1).await;
    replica.kill();
    assert_eq!(status(&world).await, ConnectionStatus::Active);
    world.advance(CLAIM);
    until_status(&world, ConnectionStatus::Suspended).await;
    assert_eq!(events(&world, "installation", "done").await, 1);
}

#[tokio::test]
async fn of_two_replicas_one_does_the_work() {
    let world = World::connected().await;
    let replica = world.replica().await;
    let before = world.sim.count(LOOK);
    let sent: Vec<_> = (0..20).map(|_| Delivery::installation("unsuspend")).collect();
    for (at, delivery) in sent.iter().enumerate() {
        delivery.taken([&world.http, &replica.http][at % 2]).await;
        // Whoever took it, the other one knows it, too.
        let again = delivery.send([&replica.http, &world.http][at % 2]).await;
        assert_eq!(again, StatusCode::CONFLICT);
        world.advance(Duration::from_secs(5));
    }
    let done = async || {
        let counter = "ghbroker_webhook_events_total{event=\"installation\",outcome=\"done\"}";
        let here = super::counted(&world.http, counter).await;
        let there = super::counted(&replica.http, counter).await;
        (here + there == 20).then_some(())
    };
    world.until(done).await;
    assert_eq!(world.sim.count(LOOK), before + 20);
}

#[tokio::test]
async fn it_is_tried_again_when_github_is_away() {
    let world = World::connected().await;
    world.sim.suspend(INSTALLATION as u64);
    world.sim.fault(Fault::always(LOOK, Effect::Status { status: 502, html: true }));
    Delivery::installation("suspend").taken(&world.http).await;
    let retried = async |times| {
        let count =
            async || (events(&world, "installation", "retried").await >= times).then_some(());
        world.until(count).await;
    };
    retried(1).await;
    world.advance(Duration::from_secs(5));
    retried(2).await;
    assert_eq!(status(&world).await, ConnectionStatus::Active);
    world.sim.clear_faults();
    // Longer than the second delay, and than the breaker's.
    world.advance(Duration::from_secs(60));
    until_status(&world, ConnectionStatus::Suspended).await;
    assert_eq!(events(&world, "installation", "given_up").await, 0);
}

#[tokio::test]
async fn it_is_given_up_in_the_end() {
    let world = World::connected().await;
    world.sim.fault(Fault::always(LOOK, Effect::Status { status: 502, html: true }));
    Delivery::installation("suspend").taken(&world.http).await;
    for tries in 1..20 {
        let retried =
            async || (events(&world, "installation", "retried").await == tries).then_some(());
        world.until(retried).await;
        world.advance(Duration::from_secs(10 * 60));
    }
    let given_up = async || (events(&world, "installation", "given_up").await == 1).then_some(());
    world.until(given_up).await;
    assert_eq!(events(&world, "installation", "retried").await, 19);
    // The next one is none the worse for it, and the first one's id is known.
    world.sim.clear_faults();
    world.advance(Duration::from_secs(60));
    super::follow(&world, &Delivery::installation("unsuspend")).await;
}

#[tokio::test]
async fn one_that_waits_for_github_holds_up_no_other() {
    let world = World::connected().await;
    let gate = Gate::new();
    world.sim.fault(Fault::always(LOOK, Effect::Hold(gate.clone())));
    Delivery::installation("suspend").taken(&world.http).await;
    gate.arrived(1).await;
    Delivery::installation("deleted").taken(&world.http).await;
    until_status(&world, ConnectionStatus::Revoked).await;
    // What the first one sees is older than what is known by now: it looks again.
    world.sim.uninstall(INSTALLATION as u64);
    gate.open();
    let done = async || (events(&world, "installation", "done").await == 2).then_some(());
    world.until(done).await;
    assert_eq!(status(&world).await, ConnectionStatus::Revoked);
}

#[tokio::test]
async fn it_is_forgotten_after_a_week() {
    let world = World::connected().await;
    let delivery = Delivery::installation("unsuspend");
    super::follow(&world, &delivery).await;
    world.advance(Duration::from_secs(6 * 24 * 3600));
    assert_eq!(delivery.send(&world.http).await, StatusCode::CONFLICT);
    world.advance(Duration::from_secs(24 * 3600));
    let forgotten = async || {
        // Old rows are looked for every hour.
        world.advance(Duration::from_secs(3600));
        (delivery.send(&world.http).await == StatusCode::ACCEPTED).then_some(())
    };
    world.until(forgotten).await;
    assert_eq!(deliveries(&world, "accepted").await, 2);
}

/// Replicas do not share SQLite.
mod postgres {
    use ghbroker::proto::GetRepoTokenRequest;
    use tonic::Code;

    use super::*;
    use crate::harness::{ACCOUNT, REPO, status::assert_reason};

    #[tokio::test]
    async fn what_one_replica_follows_counts_on_the_other() {
        let mut world = World::start_on_postgres().await;
        world.register(ACCOUNT, INSTALLATION).await;
        world.configure(ACCOUNT, REPO).await;
        let replica = world.replica().await;
        let request = GetRepoTokenRequest { account: ACCOUNT.into(), ..Default::default() };
        let ask = async || replica.broker.clone().get_repo_token(request.clone()).await;
        ask().await.unwrap();
        world.sim.uninstall(INSTALLATION as u64);
        super::super::follow(&world, &Delivery::installation("deleted")).await;
        ask().await.expect("it has that token still");
        world.advance(Duration::from_secs(5));
        let refused = world.until(async || ask().await.err()).await;
        assert_reason(&refused, Code::FailedPrecondition, "INSTALLATION_GONE");
    }
}
