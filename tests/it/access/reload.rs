//! Rules that change while serving, and rules that cannot be used.

use std::{sync::Arc, time::Duration};

use ghbroker::app::{self, Listeners};
use tokio::sync::watch;
use tonic::Code;

use super::{ask, assert_let_in, assert_not_allowed, operator, rule};
use crate::harness::{INSTALLATION, REPO, World, door::Door, lines::Lines, seed};

/// How often the broker looks at its files.
const LOOK: Duration = Duration::from_secs(5);
const REPORT: &str = "changed files cannot be used; what was in force before stays in force";
const IN_FORCE: &str = "changed files are in force";

/// Steps through time until the log has so many lines with this message.
async fn until_said(world: &World, lines: &Lines, message: &str, times: usize) -> String {
    world
        .until(async || {
            world.advance(LOOK);
            // About as slow as the broker's own look, so that not much more time goes by than has to.
            assert!(tokio::fs::metadata(world.folder()).await.is_ok());
            lines.all(message).get(times - 1).cloned()
        })
        .await
}

#[tokio::test]
async fn a_changed_policy_is_in_force_once_the_broker_has_looked() {
    let world = World::guarded(seed(), Door::new("either", &operator())).await;
    let (lines, _guard) = Lines::watch();
    let (operator_calls, new) = (world.workload("operator").await, world.workload("new").await);
    assert_let_in(&ask(&operator_calls).await);
    assert_not_allowed(&ask(&new).await);
    world.door().rule(&rule("new", "role = \"operator\"\naccounts = [\"*\"]"));
    assert_let_in(&ask(&operator_calls).await);
    until_said(&world, &lines, IN_FORCE, 1).await;
    assert_not_allowed(&ask(&operator_calls).await);
    assert_let_in(&ask(&new).await);
    assert_eq!(world.audit().pop().unwrap()["rule"], "new");
    world.finish().await;
}

#[tokio::test]
async fn a_token_in_the_cache_is_not_for_a_caller_whose_rule_is_gone() {
    let consumer = rule("consumer", "role = \"consumer\"\naccounts = [\"ours\"]");
    let mut world = World::guarded(seed(), Door::new("either", &consumer)).await;
    world.register("ours", INSTALLATION).await;
    world.configure("ours", REPO).await;
    let (lines, _guard) = Lines::watch();
    let consumer = world.workload("consumer").await;
    consumer.call("GetRepoToken", "ours", "").await.unwrap();
    let asked = world.sim.requests().len();
    world.door().rule(&operator());
    until_said(&world, &lines, IN_FORCE, 1).await;
    assert_not_allowed(&consumer.call("GetRepoToken", "ours", "").await.unwrap_err());
    world.door().rule(&rule("consumer", "role = \"consumer\"\naccounts = [\"ours\"]"));
    until_said(&world, &lines, IN_FORCE, 2).await;
    consumer.call("GetRepoToken", "ours", "").await.unwrap();
    assert_eq!(world.audit().pop().unwrap()["cache"], "hit");
    assert_eq!(world.sim.requests().len(), asked, "it was in the cache all the time");
    world.finish().await;
}

#[tokio::test]
async fn an_invalid_policy_is_reported_and_changes_nothing() {
    let world = World::guarded(seed(), Door::new("either", &operator())).await;
    let (lines, _guard) = Lines::watch();
    let operator_calls = world.workload("operator").await;
    let twice = format!("{0}{0}", operator());
    for (times, (rules, says)) in [
        ("[[rule]]\nname = \"half", "line"),
        (
            "[[rule]]\nname = \"x\"\ncallers = [\"*\"]\naccounts = [\"*\"]\nrole = \"boss\"\n",
            "boss",
        ),
        (&twice, "another rule has this name"),
        (
            "[[rule]]\nname = \"x\"\ncallers = []\naccounts = []\nrole = \"admin\"\n",
            "must not be empty",
        ),
        ("[[rules]]\n", "unknown field"),
    ]
    .into_iter()
    .enumerate()
    {
        world.door().rule(rules);
        let report = until_said(&world, &lines, REPORT, times + 1).await;
        assert!(
            report.contains("\"level\":\"ERROR\"") && report.contains("\"files\":\"policy\""),
            "{report}"
        );
        assert!(report.contains("policy.file ") && report.contains("policy.toml: "), "{report}");
        assert!(report.contains(says), "{says}: {report}");
        assert_let_in(&ask(&operator_calls).await);
    }
    world.door().rule("");
    until_said(&world, &lines, IN_FORCE, 1).await;
    assert_not_allowed(&ask(&operator_calls).await);
    assert_eq!(lines.all(REPORT).len(), 5, "each is reported once");
    world.finish().await;
}

/// Two rules for one caller: before the change both RPCs are the first one's, after it both are the second one's.
fn generation(name: &str) -> String {
    let rules = ["GetConnection", "VerifyRepo"].map(|rpc| {
        format!(
            "[[rule]]\nname = \"{name} {rpc}\"\ncallers = [\"spiffe://example.org/web\"]\naccounts = [\"{name}\"]\n\
             rpcs = [{rpc:?}]\n"
        )
    });
    rules.concat()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_load_a_call_is_decided_by_the_old_rules_or_by_the_new_ones() {
    let world = World::guarded(seed(), Door::new("mtls", &generation("first"))).await;
    let (count, mut counted) = watch::channel(0_usize);
    let (stop, stopped) = watch::channel(false);
    let mut callers = Vec::new();
    for _ in 0..4 {
        let (web, count, stopped) = (world.workload("web").await, count.clone(), stopped.clone());
        callers.push(tokio::spawn(async move {
            let mut moved = false;
            while !*stopped.borrow() {
                for rpc in ["GetConnection", "VerifyRepo"] {
                    for (account, before) in [("first", true), ("second", false)] {
                        let code = web.call(rpc, account, "").await.unwrap_err().code();
                        assert!(matches!(code, Code::NotFound | Code::PermissionDenied), "{code}");
                        let by_the_new = (code == Code::NotFound) != before;
                        assert!(by_the_new || !moved, "{rpc} went back to the old rules");
                        moved = by_the_new;
                    }
                }
                count.send_modify(|count| *count += 1);
            }
            moved
        }));
    }
    // If all callers fail nobody counts any more, and the test ends.
    drop(count);
    let enough = async |counted: &mut watch::Receiver<usize>| {
        let more = *counted.borrow() + 20;
        counted.wait_for(|count| *count >= more).await.unwrap();
    };
    enough(&mut counted).await;
    world.door().rule(&generation("second"));
    let web = world.workload("web").await;
    world
        .until(async || {
            world.advance(LOOK);
            let status = web.call("GetConnection", "second", "").await.unwrap_err();
            (status.code() == Code::NotFound).then_some(())
        })
        .await;
    enough(&mut counted).await;
    stop.send_replace(true);
    for caller in callers {
        assert!(caller.await.unwrap(), "every caller came to the new rules");
    }
    world.finish().await;
}

#[tokio::test]
async fn at_the_start_a_policy_with_mistakes_stops_with_all_of_them() {
    let door = Door::new("either", &operator());
    let sim = crate::harness::simulator(seed()).await;
    let config = || crate::harness::config(&sim, "sqlite://never-made.db");
    let good = door.configure(config()).unwrap();
    door.rule("[[rule]]\nname = \"a\"\ncallers = [\"web\"]\naccounts = [\"*\"]\nrole = \"boss\"\n\
               [[rule]]\nname = \"a\"\ncallers = []\naccounts = [\"*\"]\nrpcs = [\"Nope\"]\nwork_branches = [\"x\"]\n");
    let mistakes = door.configure(config()).unwrap_err().to_string();
    // As above, when the file is changed between the check and the start.
    let listeners = Listeners::bind(&good).await.unwrap();
    let clock = Arc::new(ghbroker::domain::SystemClock);
    let stopped = app::run(good, listeners, clock, std::future::pending()).await.unwrap_err();
    for said in [mistakes, stopped.to_string()] {
        for mistake in [
            "\"web\"",
            "\"boss\"",
            "has this name",
            "callers must not be empty",
            "\"Nope\"",
            "work_branches has no effect",
        ] {
            assert!(said.contains(mistake), "{mistake} is not in:\n{said}");
        }
    }
    assert!(!std::path::Path::new("never-made.db").exists());
}
