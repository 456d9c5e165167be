use ghbroker::store::{Begin, HeldRequest, Store};

use super::{Db, NOW, TABLES, account, binding, installation, on_both, pat, sealed};

on_both!(leaves_nothing_of_the_account_and_all_of_the_others, says_whether_there_was_anything);

async fn fill(store: &Store, owner: &str, id: i64) {
    store.bind_installation(&installation(owner, id)).await.unwrap();
    store.put_pat(&pat(owner), &sealed(&format!("row-{owner}"))).await.unwrap();
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
    assert_eq!(before, [1, 1, 2, 2]);

    assert!(store.disconnect(&account("gone")).await.unwrap());

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
    assert!(!store.disconnect(&account("a")).await.unwrap());
    store.put_pat(&pat("a"), &sealed("r1")).await.unwrap();
    assert!(store.disconnect(&account("a")).await.unwrap());
    assert!(!store.disconnect(&account("a")).await.unwrap());
    store.put_binding(&binding("a", 1, "acme/one"), false).await.unwrap();
    assert!(store.disconnect(&account("a")).await.unwrap());
}
