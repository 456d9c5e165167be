use std::time::Duration;

use ghbroker::{
    domain::SealedSecret,
    store::{Begin, HeldRequest, Store},
};

use super::{
    Db, NOW, TABLES, account, attempt, binding, installation, oauth_user, on_both, pat,
    put_oauth_user, sealed,
};

on_both!(
    leaves_nothing_of_the_account_and_all_of_the_others,
    says_whether_there_was_anything,
    a_user_is_given_back_as_it_was_at_the_end,
    of_a_user_who_comes_and_a_disconnect_at_once_nothing_is_left,
);

async fn fill(store: &Store, owner: &str, id: i64) {
    store.bind_installation(&installation(owner, id)).await.unwrap();
    store.put_pat(&pat(owner), &sealed(&format!("row-{owner}"))).await.unwrap();
    put_oauth_user(store, &oauth_user(owner), &sealed(&format!("user-{owner}"))).await;
    store.begin_attempt(&attempt(owner, &format!("hash-{owner}"))).await.unwrap();
    store.put_binding(&binding(owner, 1, "acme/one"), true).await.unwrap();
    store.put_binding(&binding(owner, 2, "acme/two"), false).await.unwrap();
    for request in ["r", "s"] {
        let begun = store.begin_request(&account(owner), request, "h", NOW).await.unwrap();
        assert_eq!(begun, Begin::New { tried: None });
    }
    let (owner, id) = (&account(owner), "r");
    store.finish_request(HeldRequest { account: owner, id, since: NOW }, "{}", NOW).await.unwrap();
}

async fn leaves_nothing_of_the_account_and_all_of_the_others(db: Db) {
    let store = db.store().await;
    fill(&store, "gone", 1).await;
    fill(&store, "kept", 2).await;
    let mut before = Vec::new();
    for table in TABLES {
        before.push(db.count(&format!("{table} WHERE account = 'kept'")).await);
    }
    assert_eq!(before, [1, 1, 1, 1, 2, 2, 1]);

    assert!(store.disconnect(&account("gone")).await.unwrap().existed);

    for (table, before) in TABLES.into_iter().zip(before) {
        assert_eq!(db.count(&format!("{table} WHERE account = 'gone'")).await, 0, "{table}");
        assert_eq!(db.count(&format!("{table} WHERE account = 'kept'")).await, before, "{table}");
    }
    // The end of a call that was at work meanwhile brings nothing back; the installation is free.
    let (owner, id) = (&account("gone"), "s");
    store.finish_request(HeldRequest { account: owner, id, since: NOW }, "{}", NOW).await.unwrap();
    assert_eq!(db.count("commit_requests WHERE account = 'gone'").await, 0);
    store.bind_installation(&installation("other", 1)).await.unwrap();
}

async fn says_whether_there_was_anything(db: Db) {
    let store = db.store().await;
    assert!(!store.disconnect(&account("a")).await.unwrap().existed);
    store.put_pat(&pat("a"), &sealed("r1")).await.unwrap();
    assert!(store.disconnect(&account("a")).await.unwrap().existed);
    assert!(!store.disconnect(&account("a")).await.unwrap().existed);
    store.put_binding(&binding("a", 1, "acme/one"), false).await.unwrap();
    assert!(store.disconnect(&account("a")).await.unwrap().existed);
}

/// Somebody who is on the way to connect `owner`, as far as taking the attempt.
async fn on_the_way(store: &Store, owner: &str, state_hash: &str) {
    store.begin_attempt(&attempt(owner, state_hash)).await.unwrap();
    assert!(store.take_attempt(state_hash).await.unwrap());
    assert!(!store.take_attempt(state_hash).await.unwrap(), "only once");
    assert!(store.attempt(state_hash, NOW).await.unwrap().is_none(), "nobody finds it any more");
}

async fn a_user_is_given_back_as_it_was_at_the_end(db: Db) {
    let store = db.store().await;
    let (owner, first) = (account("a"), sealed("r1"));
    on_the_way(&store, "a", "h").await;
    assert!(store.connect_oauth_user(&oauth_user("a"), &first, "h").await.unwrap());
    assert!(!store.connect_oauth_user(&oauth_user("a"), &first, "h").await.unwrap(), "only once");
    let until = NOW + Duration::from_secs(60);
    assert!(store.claim_renewal(&owner, &first, "claim", NOW, until).await.unwrap());
    let next = SealedSecret { row_version: first.row_version + 1, bytes: vec![9; 40], ..first };
    assert!(store.renew_oauth_user(&oauth_user("a"), &next, "claim").await.unwrap());
    let deleted = store.disconnect(&owner).await.unwrap();
    assert!(deleted.existed);
    assert_eq!(deleted.user, Some((oauth_user("a"), next)));
    assert!(store.disconnect(&owner).await.unwrap().user.is_none());
}

async fn of_a_user_who_comes_and_a_disconnect_at_once_nothing_is_left(db: Db) {
    let store = db.store().await;
    for round in 0..20 {
        let (hash, row) = (format!("h{round}"), format!("r{round}"));
        on_the_way(&store, "a", &hash).await;
        let (user, sealed, owner) = (oauth_user("a"), sealed(&row), account("a"));
        let (connected, deleted) = tokio::join!(
            store.connect_oauth_user(&user, &sealed, &hash),
            store.disconnect(&owner),
        );
        assert_eq!(deleted.unwrap().user.is_some(), connected.unwrap(), "{round}");
        assert_eq!(store.oauth_user(&owner).await.unwrap(), None, "{round}");
    }
}
