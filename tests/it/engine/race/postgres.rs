//! Two replicas on one PostgreSQL.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use ghbroker::proto::{CommitFilesRequest, CommitFilesResponse};
use github_sim::{Effect, Fault, Gate};
use tonic::Status;

use super::PATIENCE;
use crate::{
    engine::{history, patiently, repeatable},
    harness::{ACCOUNT, INSTALLATION, REPO, World, executable, replica::Replica, write},
};

/// Two brokers: the world's own, and another one.
async fn two() -> (World, Replica) {
    let mut world = World::start_on_postgres().await;
    world.register(ACCOUNT, INSTALLATION).await;
    world.configure(ACCOUNT, REPO).await;
    let replica = world.replica().await;
    (world, replica)
}

/// The `number`-th call, at one or the other.
async fn call(
    world: &World,
    replica: &Replica,
    number: usize,
    request: CommitFilesRequest,
) -> Result<CommitFilesResponse, Status> {
    match number % 2 {
        0 => world.commit_files(request).await,
        _ => replica.commit_files(request).await,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_id_at_both_at_once_makes_one_commit_and_one_answer() {
    for round in 0..5 {
        let (world, replica) = two().await;
        let file = if round % 2 == 0 { write("a", "1\n") } else { executable("a", "1\n") };
        let calls = (0..4).map(|number| {
            let request = repeatable("run-1", vec![file.clone()]);
            let (world, replica) = (&world, &replica);
            patiently(world, PATIENCE, async move || {
                call(world, replica, number, request.clone()).await
            })
        });
        let answers = join_all(calls).await;
        assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
        assert_eq!(history(&world).len(), 2);
        world.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_retry_at_the_other_one_gets_the_first_answer() {
    let (world, replica) = two().await;
    let request = || repeatable("run-1", vec![write("a", "1\n")]);
    let first = world.commit_files(request()).await.unwrap();
    world.sim.commit(REPO, "staging", &[("a", "by hand\n")]);
    assert_eq!(replica.commit_files(request()).await.unwrap(), first);
    let other = repeatable("run-1", vec![write("a", "2\n")]);
    let refused = replica.commit_files(other).await.unwrap_err();
    assert_eq!(crate::harness::status::bad_fields(&refused), ["request_id"]);
    assert_eq!(history(&world).len(), 3);
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn different_commits_at_both_all_land() {
    const CALLS: usize = 12;
    let (world, replica) = two().await;
    let calls = (0..CALLS).map(|number| {
        let path = format!("f{number}");
        let file = if number % 3 == 0 { executable(&path, "1\n") } else { write(&path, "1\n") };
        let request = repeatable(&path, vec![file]);
        let (world, replica) = (&world, &replica);
        patiently(world, PATIENCE, async move || {
            call(world, replica, number, request.clone()).await
        })
    });
    let answers = join_all(calls).await;
    let landed: BTreeSet<_> = answers.into_iter().map(|done| done.commit_sha).collect();
    let history = history(&world);
    assert_eq!(history[..CALLS].iter().cloned().collect::<BTreeSet<_>>(), landed);
    assert_eq!(history.len(), 1 + CALLS);
    world.finish().await;
}

/// A replica dies between the effect and the answer, and the caller goes to the other one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_replica_did_not_end_the_other_one_ends() {
    for file in [write("a", "1\n"), executable("a", "1\n")] {
        for number in 1.. {
            let (world, replica) = two().await;
            let gate = Gate::new();
            world.sim.fault(Fault::nth("*", number, Effect::HoldAfter(gate.clone())));
            let request = repeatable("run-1", vec![file.clone()]);
            let (mut client, sent) = (replica.broker.clone(), request.clone());
            let mut call = tokio::spawn(async move { client.commit_files(sent).await });
            tokio::select! {
                () = gate.arrived(1) => {}
                // There were not so many requests.
                done = &mut call => {
                    done.unwrap().unwrap();
                    assert!(number > 2);
                    break;
                }
            }
            replica.kill();
            call.await.unwrap().unwrap_err();
            gate.open();
            let retry = async || world.commit_files(request.clone()).await;
            let done = patiently(&world, 5 * 30, retry).await;
            assert_eq!(history(&world).len(), 2, "killed at request {number}");
            assert_eq!(history(&world)[0], done.commit_sha, "killed at request {number}");
            world.finish().await;
        }
    }
}
