use std::time::Duration;

use futures_util::future::join_all;
use ghbroker::{
    domain::{Awaited, ConnectionStatus, Installation, InstallationId},
    store::{Error, Settings, Store},
};

use super::{Db, NOW, account, installation, on_both, settings};

on_both!(
    comes_back_as_it_was_bound,
    binding_again_keeps_the_first_day,
    another_installation_replaces_the_old_one,
    of_many_accounts_one_gets_an_installation,
    the_database_itself_keeps_installations_apart,
    status_follows_the_installation,
    approval_can_be_pending_for_many,
    another_hosts_installations_are_not_seen,
    an_unreadable_row_is_named,
);

async fn comes_back_as_it_was_bound(db: Db) {
    let store = db.store().await;
    assert_eq!(store.installation(&account("a")).await.unwrap(), None);
    for status in ConnectionStatus::ALL {
        let bound = Installation { status, ..installation("a", i64::MAX) };
        store.bind_installation(&bound).await.unwrap();
        assert_eq!(store.installation(&account("a")).await.unwrap(), Some(bound));
    }
    assert_eq!(store.installation(&account("A")).await.unwrap(), None);
}

async fn binding_again_keeps_the_first_day(db: Db) {
    let store = db.store().await;
    store.bind_installation(&installation("a", 1)).await.unwrap();
    let later = NOW + Duration::from_secs(3600);
    let again = Installation {
        github_login: "renamed".to_owned(),
        registered_at: later,
        ..installation("a", 1)
    };
    store.bind_installation(&again).await.unwrap();
    let read = store.installation(&account("a")).await.unwrap().unwrap();
    assert_eq!(read, Installation { registered_at: NOW, ..again });

    let other = Installation { registered_at: later, ..installation("a", 2) };
    store.bind_installation(&other).await.unwrap();
    assert_eq!(store.installation(&account("a")).await.unwrap(), Some(other));
}

async fn another_installation_replaces_the_old_one(db: Db) {
    let store = db.store().await;
    store.bind_installation(&installation("a", 1)).await.unwrap();
    store.bind_installation(&installation("a", 2)).await.unwrap();
    let read = store.installation(&account("a")).await.unwrap().unwrap();
    assert_eq!(read.id, Some(InstallationId(2)));
    // The old one is free again, the new one is not.
    store.bind_installation(&installation("b", 1)).await.unwrap();
    let taken = store.bind_installation(&installation("b", 2)).await;
    assert_eq!(taken, Err(Error::InstallationTaken));
    let kept = store.installation(&account("b")).await.unwrap().unwrap();
    assert_eq!(kept.id, Some(InstallationId(1)));
}

async fn of_many_accounts_one_gets_an_installation(db: Db) {
    let replicas = [db.store().await, db.store().await];
    for round in 0..10 {
        let accounts: Vec<String> = (0..6).map(|n| format!("account-{round}-{n}")).collect();
        let calls = accounts.iter().zip(replicas.iter().cycle()).map(|(name, store)| async move {
            store.bind_installation(&installation(name, round)).await
        });
        let results = join_all(calls).await;
        let won: Vec<_> = accounts.iter().zip(&results).filter(|(_, r)| r.is_ok()).collect();
        assert_eq!(won.len(), 1, "{results:?}");
        let lost = results.iter().filter(|r| **r == Err(Error::InstallationTaken)).count();
        assert_eq!(lost, 5, "{results:?}");
        assert_eq!(db.count(&format!("installations WHERE installation_id = {round}")).await, 1);
        let winner = replicas[0].installation(&account(won[0].0)).await.unwrap().unwrap();
        assert_eq!(winner.id, Some(InstallationId(round)));
    }
}

async fn the_database_itself_keeps_installations_apart(db: Db) {
    let store = db.store().await;
    store.bind_installation(&installation("a", 1)).await.unwrap();
    let insert = |account: &str, id: i64, status: &str| {
        format!(
            "INSERT INTO installations (account, host, app, installation_id, github_account_id, github_login, status, \
             registered_at, updated_at) SELECT '{account}', host, app, {id}, github_account_id, \
             github_login, '{status}', registered_at, updated_at FROM installations"
        )
    };
    for (account, id, status) in [("b", 1, "active"), ("", 2, "active"), ("b", 2, "fine")] {
        let inserted = db.execute(&insert(account, id, status)).await;
        assert!(inserted.is_err(), "{account:?} {id} {status}");
    }
    assert_eq!(db.execute(&insert("b", 2, "active")).await.unwrap(), 1);
}

async fn status_follows_the_installation(db: Db) {
    let store = db.store().await;
    store.bind_installation(&installation("a", 1)).await.unwrap();
    store.bind_installation(&installation("b", 2)).await.unwrap();
    let suspended = ConnectionStatus::Suspended;
    let set = async |owner: &str, id| {
        store
            .set_installation_status(
                &account(owner),
                InstallationId(id),
                suspended,
                time::OffsetDateTime::UNIX_EPOCH,
            )
            .await
            .unwrap()
    };
    // A late message about an installation that the account no longer has.
    assert!(!set("a", 2).await);
    assert!(!set("c", 1).await);
    assert!(set("a", 1).await);
    assert!(!set("a", 1).await, "it is so already");
    let status =
        async |owner: &str| store.installation(&account(owner)).await.unwrap().unwrap().status;
    assert_eq!(status("a").await, suspended);
    assert_eq!(status("b").await, ConnectionStatus::Active);
}

async fn approval_can_be_pending_for_many(db: Db) {
    let store = db.store().await;
    for owner in ["a", "b"] {
        let awaited = Awaited {
            account: account(owner),
            expected_login: Some("acme".to_owned()),
            requester_id: Some(5),
            since: NOW,
        };
        store.await_installation(&awaited).await.unwrap();
        assert_eq!(store.awaited(&account(owner)).await.unwrap(), Some(awaited));
        let pending = store.installation(&account(owner)).await.unwrap().unwrap();
        assert_eq!((pending.id, pending.status), (None, ConnectionStatus::PendingApproval));
    }
    assert_eq!(store.awaited_of(5).await.unwrap().len(), 2);
    store.bind_installation(&installation("a", 1)).await.unwrap();
    assert_eq!(store.awaited(&account("a")).await.unwrap(), None);
    assert_eq!(store.awaited_of(5).await.unwrap().len(), 1);
}

async fn another_hosts_installations_are_not_seen(db: Db) {
    let store = db.store().await;
    let elsewhere = Settings { github_host: "ghe.example".to_owned(), ..settings() };
    let elsewhere = Store::connect(&db.url, elsewhere).await.unwrap();
    store.bind_installation(&installation("a", 1)).await.unwrap();
    assert_eq!(elsewhere.installation(&account("a")).await.unwrap(), None);
    // The same number is another installation there.
    elsewhere.bind_installation(&installation("b", 1)).await.unwrap();
}

async fn an_unreadable_row_is_named(db: Db) {
    let store = db.store().await;
    store.bind_installation(&installation("a", 1)).await.unwrap();
    db.execute("UPDATE installations SET account = 'not an id'").await.unwrap();
    // Such an account cannot be asked for; the row is not found.
    assert_eq!(store.installation(&account("a")).await.unwrap(), None);
    if db.is_sqlite() {
        // PostgreSQL's own types rule this out.
        store.bind_installation(&installation("b", 2)).await.unwrap();
        let set = "UPDATE installations SET registered_at = 'yesterday' WHERE account = 'b'";
        db.execute(set).await.unwrap();
        let error = store.installation(&account("b")).await.unwrap_err();
        let column = "registered_at".to_owned();
        assert_eq!(error, Error::Corrupt { table: "installations", column });
        assert!(!error.to_string().contains("yesterday"), "{error}");
    }
}
