use std::collections::HashSet;

use futures_util::future::join_all;
use ghbroker::{
    domain::{
        ConnectionStatus, Installation, InstallationId, RepoId, RepoName, RepositoryState,
        WebhookChange, WebhookEvent, WebhookEventName,
    },
    store::{CLAIM_LIFE, Claimed, DELIVERY_LIFE, SeenRepository, Settings, Store},
};
use time::Duration;

use super::{Db, NOW, account, binding, installation, on_both, settings};

on_both!(
    a_delivery_is_taken_once,
    each_is_claimed_by_one,
    what_is_claimed_comes_back_when_its_time_is_up,
    what_another_has_claimed_is_its_own,
    finished_ones_are_forgotten_and_waiting_ones_kept,
    another_host_is_another_world,
    an_installation_is_followed_if_it_is_as_it_was,
    the_bindings_follow_their_owner,
    a_repository_is_followed_in_every_account,
    what_is_older_changes_nothing,
);

fn event(installation: i64) -> WebhookEvent {
    WebhookEvent {
        name: WebhookEventName::Installation,
        action: "deleted".into(),
        change: WebhookChange::Uninstalled { installation: InstallationId(installation) },
    }
}

async fn claim(store: &Store) -> Option<Claimed> {
    store.claim_delivery(NOW).await.unwrap()
}

async fn a_delivery_is_taken_once(db: Db) {
    let store = db.store().await;
    let event = event(1);
    let take = || store.take_delivery("one", &event, NOW);
    let taken = join_all((0..8).map(|_| take())).await;
    assert_eq!(taken.into_iter().filter(|taken| *taken.as_ref().unwrap()).count(), 1);
    let claimed = claim(&store).await.unwrap();
    assert_eq!((claimed.id.as_str(), claimed.attempt, &claimed.event), ("one", 1, &event));
    store.finish_delivery(&claimed, &[account("a")], NOW).await.unwrap();
    assert!(!take().await.unwrap(), "it is known when it is done, too");
    assert_eq!(claim(&store).await, None);
}

async fn each_is_claimed_by_one(db: Db) {
    let store = db.store().await;
    for id in 0..10 {
        assert!(store.take_delivery(&format!("d{id}"), &event(id), NOW).await.unwrap());
    }
    let replicas = [db.connect().await, db.connect().await];
    let claims = (0..14).map(|at| replicas[at % 2].claim_delivery(NOW));
    let claimed = join_all(claims).await.into_iter().filter_map(Result::unwrap);
    let ids: Vec<String> = claimed.map(|claimed| claimed.id).collect();
    assert_eq!((ids.len(), ids.iter().collect::<HashSet<_>>().len()), (10, 10));
}

async fn what_is_claimed_comes_back_when_its_time_is_up(db: Db) {
    let store = db.store().await;
    store.take_delivery("one", &event(1), NOW).await.unwrap();
    let first = claim(&store).await.unwrap();
    let almost = NOW + CLAIM_LIFE - Duration::seconds(1);
    assert_eq!(store.claim_delivery(almost).await.unwrap(), None);
    let second = store.claim_delivery(NOW + CLAIM_LIFE).await.unwrap().unwrap();
    assert_eq!((first.attempt, second.attempt), (1, 2));

    store.postpone_delivery(&second, NOW + Duration::hours(1)).await.unwrap();
    assert_eq!(store.claim_delivery(NOW + Duration::minutes(59)).await.unwrap(), None);
    let third = store.claim_delivery(NOW + Duration::hours(1)).await.unwrap().unwrap();
    assert_eq!(third.attempt, 3);
    store.give_delivery_up(&third, NOW).await.unwrap();
    assert_eq!(store.claim_delivery(NOW + Duration::days(1)).await.unwrap(), None);
}

async fn what_another_has_claimed_is_its_own(db: Db) {
    let store = db.store().await;
    store.take_delivery("one", &event(1), NOW).await.unwrap();
    let late = claim(&store).await.unwrap();
    let now = NOW + CLAIM_LIFE;
    let holder = store.claim_delivery(now).await.unwrap().unwrap();
    store.finish_delivery(&late, &[], now).await.unwrap();
    store.give_delivery_up(&late, now).await.unwrap();
    store.postpone_delivery(&late, now).await.unwrap();
    assert_eq!(store.claim_delivery(now).await.unwrap(), None, "the holder still has it");
    store.postpone_delivery(&holder, now).await.unwrap();
    assert!(store.claim_delivery(now).await.unwrap().is_some());
}

async fn finished_ones_are_forgotten_and_waiting_ones_kept(db: Db) {
    let store = db.store().await;
    for id in ["waiting", "done", "given up"] {
        store.take_delivery(id, &event(1), NOW).await.unwrap();
    }
    while let Some(claimed) = claim(&store).await {
        match claimed.id.as_str() {
            "done" => store.finish_delivery(&claimed, &[], NOW).await.unwrap(),
            "given up" => store.give_delivery_up(&claimed, NOW).await.unwrap(),
            _ => {}
        }
    }
    let prune = async |now| store.prune_deliveries(now - DELIVERY_LIFE).await.unwrap();
    assert_eq!(prune(NOW + DELIVERY_LIFE).await, 0);
    assert_eq!(prune(NOW + DELIVERY_LIFE + Duration::seconds(1)).await, 2);
    assert!(!store.take_delivery("waiting", &event(1), NOW).await.unwrap());
    assert!(store.take_delivery("done", &event(1), NOW).await.unwrap());
}

async fn another_host_is_another_world(db: Db) {
    let store = db.store().await;
    let there = Settings { github_host: "ghe.example".into(), ..settings() };
    let there = Store::connect(&db.url, there).await.unwrap();
    store.take_delivery("one", &event(1), NOW).await.unwrap();
    assert_eq!(claim(&there).await, None);
    assert!(there.take_delivery("one", &event(1), NOW).await.unwrap());
    store.bind_installation(&installation("a", 1)).await.unwrap();
    assert_eq!(there.installation_by_id(InstallationId(1)).await.unwrap(), None);
    store.put_binding(&binding("a", 1, "acme/one"), true).await.unwrap();
    let name: RepoName = "acme/two".parse().unwrap();
    let seen =
        SeenRepository { id: RepoId(1), name: &name, state: RepositoryState::Archived, at: None };
    assert!(there.follow_repository(seen).await.unwrap().is_empty());
    assert_eq!(store.bindings(&account("a")).await.unwrap()[0].repository.as_str(), "acme/one");
}

async fn an_installation_is_followed_if_it_is_as_it_was(db: Db) {
    let store = db.store().await;
    store.bind_installation(&installation("a", 1)).await.unwrap();
    store.bind_installation(&installation("b", 2)).await.unwrap();
    let before = store.installation_by_id(InstallationId(1)).await.unwrap().unwrap();
    assert_eq!(before.account, account("a"));
    let follow = async |status| {
        let after = Installation { status, ..before.clone() };
        store.follow_installation(&before, &after, NOW).await.unwrap()
    };
    assert!(follow(ConnectionStatus::Suspended).await);
    let status = async |id| store.installation(&account(id)).await.unwrap().unwrap().status;
    assert_eq!(status("a").await, ConnectionStatus::Suspended);
    // It was active then, and is not now.
    assert!(!follow(ConnectionStatus::Active).await);
    assert_eq!(status("a").await, ConnectionStatus::Suspended);
    assert_eq!(status("b").await, ConnectionStatus::Active);
}

async fn the_bindings_follow_their_owner(db: Db) {
    let store = db.store().await;
    store.bind_installation(&installation("a", 1)).await.unwrap();
    let before = store.installation(&account("a")).await.unwrap().unwrap();
    let owner = before.github_login.as_str();
    for (id, who, name) in [
        (1, "a", format!("{owner}/one")),
        (2, "a", format!("{}/two", owner.to_uppercase())),
        (3, "a", format!("{owner}-labs/three")),
        (1, "b", format!("{owner}/one")),
    ] {
        store.put_binding(&binding(who, id, &name), false).await.unwrap();
    }
    let renamed = Installation {
        github_login: "New-Name".to_owned(),
        settings_url: "https://github.com/organizations/New-Name/settings/installations/7"
            .to_owned(),
        ..before.clone()
    };
    assert!(store.follow_installation(&before, &renamed, NOW).await.unwrap());
    assert_eq!(store.installation(&before.account).await.unwrap(), Some(renamed));
    let names = async |who| -> Vec<String> {
        let bindings = store.bindings(&account(who)).await.unwrap();
        let mut names: Vec<_> = bindings.iter().map(|b| b.repository.as_str().to_owned()).collect();
        names.sort();
        names
    };
    let labs = format!("{owner}-labs/three");
    assert_eq!(names("a").await, ["New-Name/one", "New-Name/two", labs.as_str()]);
    assert_eq!(names("b").await, [format!("{owner}/one")], "by its own installation, if at all");
}

async fn a_repository_is_followed_in_every_account(db: Db) {
    let store = db.store().await;
    store.put_binding(&binding("a", 1, "acme/one"), true).await.unwrap();
    store.put_binding(&binding("b", 1, "acme/one"), true).await.unwrap();
    store.put_binding(&binding("b", 2, "acme/two"), false).await.unwrap();
    let name: RepoName = "globex/Uno".parse().unwrap();
    let seen = SeenRepository {
        id: RepoId(1),
        name: &name,
        state: RepositoryState::Archived,
        at: Some(NOW),
    };
    let mut accounts = store.follow_repository(seen).await.unwrap();
    accounts.sort();
    assert_eq!(accounts, [account("a"), account("b")]);
    for (who, active) in [("a", true), ("b", true)] {
        let followed = &store.bindings(&account(who)).await.unwrap()[0];
        assert_eq!(followed.repository.as_str(), "globex/Uno");
        assert_eq!(followed.state, RepositoryState::Archived);
        assert_eq!((followed.seen_at, followed.active), (Some(NOW), active));
    }
    let other = &store.bindings(&account("b")).await.unwrap()[1];
    assert_eq!((other.repository.as_str(), other.seen_at), ("acme/two", None));
}

async fn what_is_older_changes_nothing(db: Db) {
    let store = db.store().await;
    store.put_binding(&binding("a", 1, "acme/one"), true).await.unwrap();
    let told = async |name: &str, state, at: i64| {
        let (name, at) = (name.parse::<RepoName>().unwrap(), NOW + Duration::seconds(at));
        let seen = SeenRepository { id: RepoId(1), name: &name, state, at: Some(at) };
        store.follow_repository(seen).await.unwrap();
        let binding = store.bindings(&account("a")).await.unwrap().remove(0);
        (binding.repository.as_str().to_owned(), binding.state)
    };
    use RepositoryState::{Archived, Available, Deleted};
    let two = || "acme/two".to_owned();
    assert_eq!(told("acme/two", Available, 2).await, (two(), Available));
    assert_eq!(told("acme/old", Archived, 1).await, (two(), Available));
    assert_eq!(told("acme/two", Archived, 2).await, (two(), Archived), "in the same second");
    assert_eq!(told("acme/two", Deleted, 3).await, (two(), Deleted));
    assert_eq!(told("acme/old", Available, 4).await, (two(), Deleted));
}
