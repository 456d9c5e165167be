use std::time::Duration;

use ghbroker::{
    domain::{ConnectionStatus, OAuthUser},
    store::{Settings, Store},
};

use super::{Db, NOW, account, oauth_user, on_both, put_oauth_user, sealed, settings};

on_both!(
    comes_back_as_it_was_put,
    another_hosts_users_are_not_seen,
    of_many_replicas_one_renews,
    what_was_replaced_is_not_renewed,
    only_those_that_can_be_renewed_are_renewed_before_they_end,
);

async fn comes_back_as_it_was_put(db: Db) {
    let store = db.store().await;
    assert_eq!(store.oauth_user(&account("a")).await.unwrap(), None);
    put_oauth_user(&store, &oauth_user("a"), &sealed("r1")).await;
    let endless = OAuthUser {
        scopes: vec!["repo".to_owned()],
        expires_at: None,
        refresh_expires_at: None,
        status: ConnectionStatus::Revoked,
        ..oauth_user("a")
    };
    put_oauth_user(&store, &endless, &sealed("r2")).await;
    assert_eq!(store.oauth_user(&account("a")).await.unwrap(), Some((endless, sealed("r2"))));
    assert_eq!(db.count("oauth_users").await, 1);
}

async fn another_hosts_users_are_not_seen(db: Db) {
    let store = db.store().await;
    let elsewhere = Settings { github_host: "ghe.example".to_owned(), ..settings() };
    let elsewhere = Store::connect(&db.url, elsewhere).await.unwrap();
    let user = oauth_user("a");
    put_oauth_user(&store, &user, &sealed("r1")).await;
    assert_eq!(elsewhere.oauth_user(&user.account).await.unwrap(), None);
    assert!(elsewhere.oauth_users_of(user.user_id).await.unwrap().is_empty());
    assert_eq!(store.oauth_users_of(user.user_id).await.unwrap(), [(user, sealed("r1"))]);
}

async fn of_many_replicas_one_renews(db: Db) {
    let store = db.store().await;
    let (user, first) = (oauth_user("a"), sealed("r1"));
    put_oauth_user(&store, &user, &first).await;
    let minute = Duration::from_secs(60);
    let claim = async |who: &str, now| {
        store.claim_renewal(&user.account, &first, who, now, now + minute).await.unwrap()
    };
    assert!(claim("one", NOW).await && !claim("two", NOW).await);
    assert!(claim("two", NOW + minute).await, "the first one has died");
    let next = ghbroker::domain::SealedSecret { row_version: 2, ..first.clone() };
    assert!(!store.renew_oauth_user(&user, &next, "one").await.unwrap(), "it was too late");
    assert!(store.renew_oauth_user(&user, &next, "two").await.unwrap());
    assert_eq!(store.oauth_user(&user.account).await.unwrap(), Some((user.clone(), next)));
    assert!(!claim("three", NOW + minute).await, "that pair is no more");
}

async fn what_was_replaced_is_not_renewed(db: Db) {
    let store = db.store().await;
    let (user, first) = (oauth_user("a"), sealed("r1"));
    put_oauth_user(&store, &user, &first).await;
    let until = NOW + Duration::from_secs(60);
    assert!(store.claim_renewal(&user.account, &first, "one", NOW, until).await.unwrap());
    put_oauth_user(&store, &user, &sealed("r2")).await;
    let next = ghbroker::domain::SealedSecret { row_version: 2, ..first.clone() };
    assert!(!store.renew_oauth_user(&user, &next, "one").await.unwrap());
    let revoked = ConnectionStatus::Revoked;
    assert!(!store.set_oauth_user_status(&user.account, &first, revoked).await.unwrap());
    assert_eq!(store.oauth_user(&user.account).await.unwrap(), Some((user, sealed("r2"))));
}

/// Few are renewed at once: those that never can be must not take the place of the others.
async fn only_those_that_can_be_renewed_are_renewed_before_they_end(db: Db) {
    let store = db.store().await;
    let day = Duration::from_secs(24 * 3600);
    let ends = |owner: &str, at| OAuthUser { refresh_expires_at: Some(at), ..oauth_user(owner) };
    for user in [
        ends("ended", NOW),
        OAuthUser { status: ConnectionStatus::Revoked, ..ends("revoked", NOW + day) },
        OAuthUser { enabled: false, ..ends("switched-off", NOW + day) },
        ends("second", NOW + 3 * day),
        ends("first", NOW + 2 * day),
        ends("later", NOW + 15 * day),
    ] {
        put_oauth_user(&store, &user, &sealed(user.account.as_str())).await;
    }
    let ending = async |limit| store.oauth_users_ending(NOW, NOW + 14 * day, limit).await.unwrap();
    assert_eq!(ending(1).await, [account("first")]);
    assert_eq!(ending(10).await, [account("first"), account("second")]);
}
