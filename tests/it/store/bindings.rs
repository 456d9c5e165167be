use futures_util::future::join_all;
use ghbroker::{
    domain::{Binding, RepoId},
    store::{Error, Settings, Store},
};

use super::{Db, account, binding, on_both, settings};

on_both!(
    the_first_one_is_active,
    changing_one_keeps_what_is_active,
    activating_one_deactivates_the_other,
    of_many_activations_one_stays,
    of_many_first_ones_one_is_active,
    a_call_given_up_anywhere_leaves_no_half_and_no_lock,
    the_database_itself_allows_one_active,
    an_error_shows_nothing_of_the_row,
    found_by_name_whatever_its_case,
    another_hosts_bindings_are_not_seen,
    a_reused_name_is_the_newer_repositorys,
    listed_active_first_then_by_name,
    an_unreadable_row_is_named,
    what_the_version_before_writes_has_the_defaults,
);

async fn active(store: &Store, owner: &str) -> Option<RepoId> {
    store.binding(&account(owner), None).await.unwrap().map(|binding| binding.repository_id)
}

async fn the_first_one_is_active(db: Db) {
    let store = db.store().await;
    assert_eq!(active(&store, "a").await, None);
    let put = store.put_binding(&binding("a", 1, "acme/one"), false).await.unwrap();
    assert_eq!(put, Binding { active: true, ..binding("a", 1, "acme/one") });
    assert_eq!(store.binding(&account("a"), None).await.unwrap(), Some(put));
    let second = store.put_binding(&binding("a", 2, "acme/two"), false).await.unwrap();
    assert!(!second.active);
    // The same repository for another account is that account's own first one.
    assert!(store.put_binding(&binding("b", 2, "acme/two"), false).await.unwrap().active);
    assert_eq!(active(&store, "a").await, Some(RepoId(1)));
}

async fn changing_one_keeps_what_is_active(db: Db) {
    let store = db.store().await;
    store.put_binding(&binding("a", 1, "acme/one"), false).await.unwrap();
    store.put_binding(&binding("a", 2, "acme/two"), false).await.unwrap();
    for (id, is_active) in [(1, true), (2, false)] {
        let changed = Binding {
            staging: "next".parse().unwrap(),
            staging_base: (id == 1).then(|| "release/1".parse().unwrap()),
            staging_must_exist: id == 1,
            work_branches: Vec::new(),
            production: "live".parse().unwrap(),
            subdirectory: "".parse().unwrap(),
            active: is_active,
            ..binding("a", id, "acme/renamed")
        };
        let given = Binding { active: !is_active, ..changed.clone() };
        assert_eq!(store.put_binding(&given, false).await.unwrap(), changed);
        let read = store.bindings(&account("a")).await.unwrap();
        assert!(read.contains(&changed), "{read:?}");
    }
    assert_eq!(db.count("bindings").await, 2);
}

async fn activating_one_deactivates_the_other(db: Db) {
    let store = db.store().await;
    for (id, name) in [(1, "acme/one"), (2, "acme/two"), (3, "acme/three")] {
        assert!(store.put_binding(&binding("a", id, name), true).await.unwrap().active);
        assert_eq!(active(&store, "a").await, Some(RepoId(id)));
    }
    store.put_binding(&binding("b", 9, "acme/nine"), true).await.unwrap();
    store.put_binding(&binding("a", 1, "acme/one"), true).await.unwrap();
    assert_eq!(active(&store, "a").await, Some(RepoId(1)));
    assert_eq!(active(&store, "b").await, Some(RepoId(9)));
    assert_eq!(db.count("bindings WHERE active").await, 2);
}

async fn of_many_activations_one_stays(db: Db) {
    let replicas = [db.store().await, db.store().await];
    for _ in 0..10 {
        let calls = (1..=6).zip(replicas.iter().cycle()).map(|(id, store)| async move {
            store.put_binding(&binding("a", id, &format!("acme/r{id}")), true).await
        });
        for result in join_all(calls).await {
            assert!(result.unwrap().active);
        }
        assert_eq!(db.count("bindings WHERE active").await, 1);
    }
    assert_eq!(db.count("bindings").await, 6);
}

async fn of_many_first_ones_one_is_active(db: Db) {
    let replicas = [db.store().await, db.store().await];
    for round in 0..10 {
        let owner = format!("account-{round}");
        let calls = (1..=4).zip(replicas.iter().cycle()).map(|(id, store)| {
            let binding = binding(&owner, id, &format!("acme/r{id}"));
            async move { store.put_binding(&binding, false).await.unwrap() }
        });
        let active = join_all(calls).await.iter().filter(|binding| binding.active).count();
        assert_eq!(active, 1);
        assert_eq!(db.count(&format!("bindings WHERE active AND account = '{owner}'")).await, 1);
    }
}

/// A caller who hangs up drops the call's future wherever it is, also inside a transaction.
async fn a_call_given_up_anywhere_leaves_no_half_and_no_lock(db: Db) {
    let store = db.store().await;
    let mut given_up = 0;
    for patience in 0..120 {
        let binding = binding("a", patience % 3, "acme/one");
        let waits = async {
            for _ in 0..patience {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            biased;
            put = store.put_binding(&binding, true) => assert!(put.unwrap().active),
            () = waits => given_up += 1,
        }
        let active = store.bindings(&account("a")).await.unwrap();
        assert!(active.iter().filter(|binding| binding.active).count() <= 1, "{active:?}");
    }
    assert!(given_up > 0);
    assert!(store.put_binding(&binding("a", 5, "acme/five"), true).await.unwrap().active);
    assert_eq!(db.count("bindings WHERE active").await, 1);
}

async fn the_database_itself_allows_one_active(db: Db) {
    let store = db.store().await;
    store.put_binding(&binding("a", 1, "acme/one"), true).await.unwrap();
    store.put_binding(&binding("a", 2, "acme/two"), false).await.unwrap();
    for wrong in [
        "active = true",
        "staging = production",
        "staging_base = staging",
        "account = ''",
        "repository_id = 1",
    ] {
        let update = format!("UPDATE bindings SET {wrong} WHERE repository_id = 2");
        assert!(db.execute(&update).await.is_err(), "{wrong}");
    }
}

async fn an_error_shows_nothing_of_the_row(db: Db) {
    let store = db.store().await;
    // The edge refuses this; PostgreSQL's own error would repeat the whole row.
    let same = Binding { production: "staging".parse().unwrap(), ..binding("a", 1, "acme/one") };
    let error = store.put_binding(&same, true).await.unwrap_err();
    assert!(matches!(error, Error::Internal(_)), "{error:?}");
    assert!(!format!("{error} {error:?}").contains("acme"), "{error:?}");
    assert_eq!(store.bindings(&account("a")).await.unwrap(), []);
}

async fn found_by_name_whatever_its_case(db: Db) {
    let store = db.store().await;
    store.put_binding(&binding("a", 1, "Acme/One"), true).await.unwrap();
    store.put_binding(&binding("a", 2, "acme/two"), false).await.unwrap();
    let find = async |owner: &str, name: &str| {
        let name = name.parse().unwrap();
        let found = store.binding(&account(owner), Some(&name)).await.unwrap();
        found.map(|binding| (binding.repository_id, binding.repository.to_string()))
    };
    assert_eq!(find("a", "aCME/oNE").await, Some((RepoId(1), "Acme/One".to_owned())));
    assert_eq!(find("a", "acme/two").await, Some((RepoId(2), "acme/two".to_owned())));
    assert_eq!(find("a", "acme/three").await, None);
    assert_eq!(find("b", "acme/one").await, None);

    store.put_binding(&binding("a", 1, "acme/Three"), false).await.unwrap();
    assert_eq!(find("a", "acme/one").await, None);
    assert_eq!(find("a", "acme/three").await, Some((RepoId(1), "acme/Three".to_owned())));
    assert_eq!(active(&store, "a").await, Some(RepoId(1)));
}

async fn another_hosts_bindings_are_not_seen(db: Db) {
    let store = db.store().await;
    let elsewhere = Settings { github_host: "ghe.example".to_owned(), ..settings() };
    let elsewhere = Store::connect(&db.url, elsewhere).await.unwrap();
    store.put_binding(&binding("a", 1, "acme/one"), true).await.unwrap();
    assert_eq!(elsewhere.bindings(&account("a")).await.unwrap(), []);
    assert_eq!(active(&elsewhere, "a").await, None);
    // The same number is another repository there.
    elsewhere.put_binding(&binding("b", 1, "other/one"), true).await.unwrap();
    assert_eq!(active(&elsewhere, "b").await, Some(RepoId(1)));
    let here = store.bindings(&account("a")).await.unwrap();
    assert_eq!(here, [Binding { active: true, ..binding("a", 1, "acme/one") }]);
}

async fn a_reused_name_is_the_newer_repositorys(db: Db) {
    let store = db.store().await;
    for id in [5, 9, 7] {
        store.put_binding(&binding("a", id, "acme/one"), false).await.unwrap();
    }
    let found = store.binding(&account("a"), Some(&"acme/one".parse().unwrap())).await.unwrap();
    assert_eq!(found.unwrap().repository_id, RepoId(9));
}

async fn listed_active_first_then_by_name(db: Db) {
    let store = db.store().await;
    assert_eq!(store.bindings(&account("a")).await.unwrap(), []);
    for (id, name) in [(4, "acme/Bee"), (3, "acme/cat"), (2, "acme/ant"), (1, "acme/dog")] {
        store.put_binding(&binding("a", id, name), id == 3).await.unwrap();
    }
    store.put_binding(&binding("b", 5, "acme/eel"), false).await.unwrap();
    let listed = store.bindings(&account("a")).await.unwrap();
    let names: Vec<&str> = listed.iter().map(|binding| binding.repository.name()).collect();
    assert_eq!(names, ["cat", "ant", "Bee", "dog"]);
}

async fn an_unreadable_row_is_named(db: Db) {
    let store = db.store().await;
    for column in
        ["repository", "staging", "staging_base", "production", "work_branches", "subdirectory"]
    {
        store.put_binding(&binding("a", 1, "acme/one"), true).await.unwrap();
        db.execute(&format!("UPDATE bindings SET {column} = '../x..y'")).await.unwrap();
        let corrupt = Error::Corrupt { table: "bindings", column: column.to_owned() };
        assert_eq!(store.binding(&account("a"), None).await.unwrap_err(), corrupt);
        assert_eq!(store.bindings(&account("a")).await.unwrap_err(), corrupt);
        assert!(!corrupt.to_string().contains("x..y"));
    }
}

/// During an upgrade its replicas still write, into the new schema.
async fn what_the_version_before_writes_has_the_defaults(db: Db) {
    let store = db.store().await;
    let host = settings().github_host;
    db.execute(&format!(
        "INSERT INTO bindings (account, host, repository_id, repository, staging, production, subdirectory, active) \
         VALUES ('a', '{host}', 1, 'acme/one', 'staging', 'main', 'warehouse/dbt', true)"
    ))
    .await
    .unwrap();
    let defaults = Binding {
        staging_base: None,
        staging_must_exist: false,
        work_branches: Vec::new(),
        active: true,
        ..binding("a", 1, "acme/one")
    };
    assert_eq!(store.bindings(&account("a")).await.unwrap(), [defaults]);
}
