use std::time::Duration;

use futures_util::future::join_all;
use ghbroker::{
    domain::{AccountId, ObjectId},
    store::{Begin, HeldRequest, REQUEST_LIFE, Store, TAKEOVER_AFTER},
};
use time::OffsetDateTime;

use super::{Db, NOW, account, on_both};

on_both!(
    a_retry_gets_the_first_answer,
    other_content_under_one_id_is_refused,
    of_many_calls_one_does_the_work,
    an_abandoned_request_is_new_again,
    a_dead_calls_request_is_taken_over,
    what_was_tried_is_known_to_whoever_takes_over,
    a_request_that_was_left_is_free_for_its_own_content_alone,
    of_many_takeovers_one_does_the_work,
    an_answer_is_forgotten_after_its_life,
    pruning_takes_only_the_old,
);

/// A request of which nothing was tried yet.
const NEW: Begin = Begin::New { tried: None };
const ANSWER: &str = r#"{"sha":"ü"}"#;

fn held<'a>(account: &'a AccountId, id: &'a str, since: OffsetDateTime) -> HeldRequest<'a> {
    HeldRequest { account, id, since }
}

async fn begin(store: &Store, id: &str, content: &str, now: OffsetDateTime) -> Begin {
    store.begin_request(&account("a"), id, content, now).await.unwrap()
}

async fn a_retry_gets_the_first_answer(db: Db) {
    let store = db.store().await;
    let owner = account("a");
    assert_eq!(begin(&store, "r", "h", NOW).await, NEW);
    assert_eq!(begin(&store, "r", "h", NOW).await, Begin::InProgress);
    // Another account's id of the same text is another request.
    let other = store.begin_request(&account("b"), "r", "h", NOW).await.unwrap();
    assert_eq!(other, NEW);
    store.finish_request(held(&owner, "r", NOW), ANSWER, NOW).await.unwrap();
    // A second end of the same request, as after a takeover, changes nothing.
    store.finish_request(held(&owner, "r", NOW), "{}", NOW).await.unwrap();
    store.abandon_request(held(&owner, "r", NOW)).await.unwrap();
    assert_eq!(begin(&store, "r", "h", NOW).await, Begin::Done(ANSWER.to_owned()));
    let other = store.begin_request(&account("b"), "r", "h", NOW).await.unwrap();
    assert_eq!(other, Begin::InProgress);
}

async fn other_content_under_one_id_is_refused(db: Db) {
    let store = db.store().await;
    assert_eq!(begin(&store, "r", "h", NOW).await, NEW);
    assert_eq!(begin(&store, "r", "H", NOW).await, Begin::Mismatch);
    // Also where the first call has died: its content may be committed already.
    let later = NOW + TAKEOVER_AFTER + Duration::from_secs(1);
    assert_eq!(begin(&store, "r", "H", later).await, Begin::Mismatch);
    store.finish_request(held(&account("a"), "r", NOW), ANSWER, NOW).await.unwrap();
    assert_eq!(begin(&store, "r", "H", NOW).await, Begin::Mismatch);
    assert_eq!(begin(&store, "r", "h", NOW).await, Begin::Done(ANSWER.to_owned()));
}

/// Begins one request many times at once on two replicas; says how many may do the work.
async fn begin_at_once(db: &Db, id: &str, now: OffsetDateTime) -> usize {
    let replicas = [db.store().await, db.store().await];
    let calls = (0..8).zip(replicas.iter().cycle()).map(|(_, store)| begin(store, id, "h", now));
    let seen = join_all(calls).await;
    assert!(seen.iter().all(|begin| [NEW, Begin::InProgress].contains(begin)), "{seen:?}");
    seen.iter().filter(|begin| **begin == NEW).count()
}

async fn of_many_calls_one_does_the_work(db: Db) {
    for round in 0..5 {
        assert_eq!(begin_at_once(&db, &format!("r{round}"), NOW).await, 1);
    }
}

async fn of_many_takeovers_one_does_the_work(db: Db) {
    let store = db.store().await;
    for round in 0..5 {
        let id = format!("r{round}");
        assert_eq!(begin(&store, &id, "h", NOW).await, NEW);
        let later = NOW + TAKEOVER_AFTER + Duration::from_secs(1);
        assert_eq!(begin_at_once(&db, &id, later).await, 1);
    }
}

async fn an_abandoned_request_is_new_again(db: Db) {
    let store = db.store().await;
    assert_eq!(begin(&store, "r", "h", NOW).await, NEW);
    assert_eq!(begin(&store, "s", "h", NOW).await, NEW);
    store.abandon_request(held(&account("b"), "r", NOW)).await.unwrap();
    assert_eq!(begin(&store, "r", "h", NOW).await, Begin::InProgress);
    store.abandon_request(held(&account("a"), "r", NOW)).await.unwrap();
    // The failed content changed nothing, so the id is free for any other.
    assert_eq!(begin(&store, "r", "H", NOW).await, NEW);
    assert_eq!(begin(&store, "s", "h", NOW).await, Begin::InProgress);
}

async fn a_dead_calls_request_is_taken_over(db: Db) {
    let store = db.store().await;
    assert_eq!(begin(&store, "r", "h", NOW).await, NEW);
    let limit = NOW + TAKEOVER_AFTER;
    assert_eq!(begin(&store, "r", "h", limit).await, Begin::InProgress);
    let after = limit + Duration::from_secs(1);
    assert_eq!(begin(&store, "r", "h", after).await, NEW);
    // Whoever had it before and lives on ends nothing of it any more.
    let (owner, before) = (account("a"), NOW);
    store.note_attempt(held(&owner, "r", before), head("1")).await.unwrap();
    store.finish_request(held(&owner, "r", before), "{}", after).await.unwrap();
    store.leave_request(held(&owner, "r", before), after).await.unwrap();
    store.abandon_request(held(&owner, "r", before)).await.unwrap();
    // The time starts anew.
    assert_eq!(begin(&store, "r", "h", after + TAKEOVER_AFTER).await, Begin::InProgress);
    store.finish_request(held(&account("a"), "r", after), ANSWER, after).await.unwrap();
    let much_later = after + TAKEOVER_AFTER + TAKEOVER_AFTER;
    assert_eq!(begin(&store, "r", "h", much_later).await, Begin::Done(ANSWER.to_owned()));
}

async fn an_answer_is_forgotten_after_its_life(db: Db) {
    let store = db.store().await;
    assert_eq!(begin(&store, "r", "h", NOW).await, NEW);
    store.finish_request(held(&account("a"), "r", NOW), ANSWER, NOW).await.unwrap();
    let end = NOW + REQUEST_LIFE;
    assert_eq!(begin(&store, "r", "h", end).await, Begin::Done(ANSWER.to_owned()));
    let after = end + Duration::from_secs(1);
    assert_eq!(begin(&store, "r", "H", after).await, NEW);
    assert_eq!(begin(&store, "r", "H", after).await, Begin::InProgress);
}

async fn pruning_takes_only_the_old(db: Db) {
    let store = db.store().await;
    // Parts of a second, and another offset than UTC: SQLite compares times as text.
    let moments = [(1, 999), (2, 0), (2, 1), (2, 999), (3, 0), (12, 0)];
    for (second, milli) in moments {
        let east = time::UtcOffset::from_hms(2, 0, 0).unwrap();
        let then = (NOW + Duration::from_millis(second * 1000 + milli)).to_offset(east);
        assert_eq!(begin(&store, &format!("{second}.{milli}"), "h", then).await, NEW);
    }
    let since = NOW + Duration::from_secs(2);
    store.finish_request(held(&account("a"), "2.0", since), ANSWER, NOW).await.unwrap();
    assert_eq!(store.prune_requests(NOW + Duration::from_secs(2)).await.unwrap(), 1);
    assert_eq!(store.prune_requests(NOW + Duration::from_secs(3)).await.unwrap(), 3);
    assert_eq!(db.count("commit_requests").await, 2);
}

fn head(text: &str) -> ObjectId {
    ObjectId::of_blob(text.as_bytes())
}

async fn what_was_tried_is_known_to_whoever_takes_over(db: Db) {
    let store = db.store().await;
    assert_eq!(begin(&store, "r", "h", NOW).await, NEW);
    store.note_attempt(held(&account("a"), "r", NOW), head("1")).await.unwrap();
    store.note_attempt(held(&account("a"), "r", NOW), head("2")).await.unwrap();
    let later = NOW + TAKEOVER_AFTER + Duration::from_secs(1);
    assert_eq!(begin(&store, "r", "h", later).await, Begin::New { tried: Some(head("2")) });
    // A day later the id is free for anything, and what was tried then is of no matter.
    let forgotten = later + REQUEST_LIFE + Duration::from_secs(1);
    assert_eq!(begin(&store, "r", "other", forgotten).await, NEW);
}

async fn a_request_that_was_left_is_free_for_its_own_content_alone(db: Db) {
    let store = db.store().await;
    assert_eq!(begin(&store, "r", "h", NOW).await, NEW);
    store.note_attempt(held(&account("a"), "r", NOW), head("1")).await.unwrap();
    store.leave_request(held(&account("a"), "r", NOW), NOW).await.unwrap();
    assert_eq!(begin(&store, "r", "H", NOW).await, Begin::Mismatch);
    assert_eq!(begin(&store, "r", "h", NOW).await, Begin::New { tried: Some(head("1")) });
    assert_eq!(begin(&store, "r", "h", NOW).await, Begin::InProgress);
    store.finish_request(held(&account("a"), "r", NOW), ANSWER, NOW).await.unwrap();
    assert_eq!(begin(&store, "r", "h", NOW).await, Begin::Done(ANSWER.to_owned()));
}
