use base64::{Engine, prelude::BASE64_STANDARD};
use ghbroker::{
    crypto::{Kek, KeySet, Place},
    domain::{ConnectionStatus, Pat, PatKind},
    store::{Error, PAT_TOKEN_COLUMN, PAT_TOKEN_TABLE, Settings, Store},
};

use super::{Db, account, on_both, pat, sealed, settings};

on_both!(
    comes_back_as_it_was_put,
    a_new_one_replaces_the_old_one,
    another_hosts_tokens_are_not_seen,
    status_follows_the_row,
    the_token_is_nowhere_in_the_database,
    an_unreadable_row_is_named,
);

async fn comes_back_as_it_was_put(db: Db) {
    let store = db.store().await;
    assert_eq!(store.pat(&account("a")).await.unwrap(), None);
    let classic = pat("a");
    let fine_grained = Pat {
        kind: PatKind::FineGrained,
        scopes: vec![],
        expires_at: None,
        status: ConnectionStatus::Expired,
        ..pat("b")
    };
    for (pat, row_id) in [(&classic, "r1"), (&fine_grained, "r2")] {
        store.put_pat(pat, &sealed(row_id)).await.unwrap();
    }
    assert_eq!(store.pat(&account("a")).await.unwrap(), Some((classic, sealed("r1"))));
    assert_eq!(store.pat(&account("b")).await.unwrap(), Some((fine_grained, sealed("r2"))));
}

async fn a_new_one_replaces_the_old_one(db: Db) {
    let store = db.store().await;
    store.put_pat(&pat("a"), &sealed("r1")).await.unwrap();
    let new = Pat { fingerprint: "9876".to_owned(), scopes: vec![], ..pat("a") };
    store.put_pat(&new, &sealed("r2")).await.unwrap();
    assert_eq!(store.pat(&account("a")).await.unwrap(), Some((new, sealed("r2"))));
    assert_eq!(db.count("pats").await, 1);
}

async fn another_hosts_tokens_are_not_seen(db: Db) {
    let store = db.store().await;
    let elsewhere = Settings { github_host: "ghe.example".to_owned(), ..settings() };
    let elsewhere = Store::connect(&db.url, elsewhere).await.unwrap();
    store.put_pat(&pat("a"), &sealed("r1")).await.unwrap();
    assert_eq!(elsewhere.pat(&account("a")).await.unwrap(), None);
    let refused = elsewhere.put_pat(&pat("a"), &sealed("r2")).await.unwrap_err();
    assert_eq!(refused, Error::ConnectedElsewhere);
    store.disconnect(&account("a")).await.unwrap();
    elsewhere.put_pat(&pat("a"), &sealed("r2")).await.unwrap();
    assert_eq!(store.pat(&account("a")).await.unwrap(), None);
}

async fn status_follows_the_row(db: Db) {
    let store = db.store().await;
    store.put_pat(&pat("a"), &sealed("r1")).await.unwrap();
    store.put_pat(&pat("a"), &sealed("r2")).await.unwrap();
    let revoked = ConnectionStatus::Revoked;
    let status = async || store.pat(&account("a")).await.unwrap().unwrap().0.status;
    // GitHub refused the old token while the new one was being stored.
    assert!(!store.set_pat_status(&account("a"), "r1", revoked).await.unwrap());
    assert!(!store.set_pat_status(&account("b"), "r2", revoked).await.unwrap());
    assert_eq!(status().await, ConnectionStatus::Active);
    assert!(store.set_pat_status(&account("a"), "r2", revoked).await.unwrap());
    assert_eq!(status().await, revoked);
}

async fn the_token_is_nowhere_in_the_database(db: Db) {
    const TOKEN: &str = "ghp_canaryCANARYcanaryCANARYcanaryCA1234";
    let keys = KeySet::new(Kek::from_base64(&BASE64_STANDARD.encode([5; 32])).unwrap(), vec![]);
    let owner = account("a");
    let place = Place {
        table: PAT_TOKEN_TABLE,
        column: PAT_TOKEN_COLUMN,
        account: &owner,
        row_id: "r1",
        row_version: 1,
    };
    let store = db.store().await;
    store.put_pat(&pat("a"), &keys.seal(&place, TOKEN.as_bytes()).unwrap()).await.unwrap();

    let dump = db.dump().await;
    let has = |text: &str| dump.windows(text.len()).any(|bytes| bytes == text.as_bytes());
    assert!(has("octocat"), "the dump must show what is stored");
    let hex: String = TOKEN.bytes().map(|byte| format!("{byte:02x}")).collect();
    for form in [TOKEN, &TOKEN[4..], &hex, &BASE64_STANDARD.encode(TOKEN)[..50]] {
        assert!(!has(form), "the token is in the database as {form}");
    }

    let (_, read) = store.pat(&owner).await.unwrap().unwrap();
    assert_eq!(keys.open(&place, &read).unwrap().as_slice(), TOKEN.as_bytes());
}

async fn an_unreadable_row_is_named(db: Db) {
    let store = db.store().await;
    store.put_pat(&pat("a"), &sealed("r1")).await.unwrap();
    db.execute("UPDATE pats SET scopes = 'repo,workflow'").await.unwrap();
    let error = store.pat(&account("a")).await.unwrap_err();
    assert_eq!(error, Error::Corrupt { table: "pats", column: "scopes".to_owned() });
    assert!(!error.to_string().contains("workflow"), "{error}");
    for wrong in ["kind = 'gold'", "status = 'fine'", "account = ''", "token_sealed = NULL"] {
        assert!(db.execute(&format!("UPDATE pats SET {wrong}")).await.is_err(), "{wrong}");
    }
}
