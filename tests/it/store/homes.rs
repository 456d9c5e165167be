use std::time::Duration;

use futures_util::future::join_all;
use ghbroker::{
    domain::{InstallationId, WebhookChange, WebhookEvent, WebhookEventName},
    store::{Error, Heeded, Home, Store},
};

use super::{
    Db, NOW, account, attempt, binding, installation, oauth_user, on_both, pat, put_oauth_user,
    sealed,
};

on_both!(
    the_first_connection_is_the_home,
    whatever_connects_claims_it,
    of_many_sites_at_once_one_becomes_the_home,
    disconnecting_leaves_no_home,
    another_apps_rows_are_not_seen,
    rows_without_an_app_are_the_first_ones,
    in_memory_each_site_has_what_it_has_read,
    what_a_person_moves_is_known_when_it_is_heeded,
    what_was_stored_before_has_a_home,
);

fn home(app: &str) -> Home {
    Home { host: "github.com".into(), app: app.into() }
}

/// The same database as another App on the same host sees it.
fn second(store: &Store) -> Store {
    store.at("github.com", "Iv1.second", Vec::new())
}

async fn the_first_connection_is_the_home(db: Db) {
    let store = db.store().await;
    let (other, a) = (second(&store), account("a"));
    assert_eq!(store.home(&a).await.unwrap(), None);
    store.put_pat(&pat("a"), &sealed("r1")).await.unwrap();
    for seen_by in [&store, &other] {
        assert_eq!(seen_by.home(&a).await.unwrap(), Some(home("Iv1.app")));
    }
    assert!(store.is_at(&home("Iv1.app")) && !other.is_at(&home("Iv1.app")));
    let elsewhere = store.at("ghe.example", "Iv1.app", Vec::new());
    assert!(!elsewhere.is_at(&home("Iv1.app")));
    store.put_pat(&pat("a"), &sealed("r2")).await.unwrap();
    other.put_pat(&pat("b"), &sealed("r3")).await.unwrap();
    let mut homes = store.homes().await.unwrap();
    homes.sort_by(|(one, _), (other, _)| one.app.cmp(&other.app));
    assert_eq!(homes, [(home("Iv1.app"), 1), (home("Iv1.second"), 1)]);
    let listed = store.accounts(None, 10).await.unwrap();
    let expected = [("a", "Iv1.app"), ("b", "Iv1.second")];
    assert_eq!(listed, expected.map(|(name, app)| (account(name), Some(home(app)))));
}

async fn whatever_connects_claims_it(db: Db) {
    let store = db.store().await;
    let other = second(&store);
    store.put_pat(&pat("a"), &sealed("r1")).await.unwrap();
    let elsewhere = Err(Error::ConnectedElsewhere);
    assert_eq!(other.put_pat(&pat("a"), &sealed("r2")).await, elsewhere);
    assert_eq!(other.bind_installation(&installation("a", 1)).await, elsewhere);
    let refused = other.put_binding(&binding("a", 1, "acme/one"), true).await.unwrap_err();
    assert_eq!(refused, Error::ConnectedElsewhere);
    other.begin_attempt(&attempt("a", "state")).await.unwrap();
    assert!(other.take_attempt("state").await.unwrap());
    let user = oauth_user("a");
    let refused = other.connect_oauth_user(&user, &sealed("r3"), "state").await.unwrap_err();
    assert_eq!(refused, Error::ConnectedElsewhere);
    for table in ["installations", "bindings", "oauth_users"] {
        assert_eq!(db.count(table).await, 0, "{table}");
    }
    assert_eq!(store.pat(&account("a")).await.unwrap(), Some((pat("a"), sealed("r1"))));
}

async fn of_many_sites_at_once_one_becomes_the_home(db: Db) {
    let store = db.store().await;
    let a = account("a");
    for round in 0..5 {
        let sites: Vec<Store> =
            (0..4).map(|site| store.at("github.com", &format!("Iv1.{site}"), Vec::new())).collect();
        let connect = async |site: &Store| {
            let sealed = sealed(&format!("{round} {}", site.site().app));
            site.put_pat(&pat("a"), &sealed).await
        };
        let done = join_all(sites.iter().map(connect)).await;
        let at = store.home(&a).await.unwrap().unwrap();
        for (site, done) in sites.iter().zip(&done) {
            let expected = if site.is_at(&at) { Ok(()) } else { Err(Error::ConnectedElsewhere) };
            assert_eq!(*done, expected, "{at:?}");
        }
        store.disconnect(&a).await.unwrap();
    }
}

async fn disconnecting_leaves_no_home(db: Db) {
    let store = db.store().await;
    let (other, a) = (second(&store), account("a"));
    put_oauth_user(&other, &oauth_user("a"), &sealed("r1")).await;
    // Deleted from whichever site; its tokens are told to its own one only.
    let deleted = store.disconnect(&a).await.unwrap();
    assert!(deleted.existed && deleted.user.is_none());
    assert_eq!(store.home(&a).await.unwrap(), None);
    put_oauth_user(&store, &oauth_user("a"), &sealed("r2")).await;
    assert!(store.disconnect(&a).await.unwrap().user.is_some());
}

async fn another_apps_rows_are_not_seen(db: Db) {
    let store = db.store().await;
    let (other, a) = (second(&store), account("a"));
    store.bind_installation(&installation("a", 1)).await.unwrap();
    put_oauth_user(&store, &oauth_user("a"), &sealed("r1")).await;
    store.begin_attempt(&attempt("a", "state")).await.unwrap();
    assert_eq!(other.installation(&a).await.unwrap(), None);
    assert_eq!(other.installation_by_id(InstallationId(1)).await.unwrap(), None);
    assert_eq!(other.oauth_user(&a).await.unwrap(), None);
    assert!(other.oauth_users_of(oauth_user("a").user_id).await.unwrap().is_empty());
    assert!(other.attempt("state", NOW).await.unwrap().is_none());
    assert!(store.attempt("state", NOW).await.unwrap().is_some());
    assert_eq!(other.begun_at("state").await.unwrap(), Some(home("Iv1.app")));
    assert!(!other.enable_installation(&a, false).await.unwrap());
    assert!(!other.enable_oauth_user(&a, false).await.unwrap());

    let event = WebhookEvent {
        name: WebhookEventName::Installation,
        action: "deleted".into(),
        change: WebhookChange::Uninstalled { installation: InstallationId(1) },
    };
    for app in [&store, &other] {
        assert!(app.take_delivery("one", &event, NOW).await.unwrap(), "each App is told");
        assert!(!app.take_delivery("one", &event, NOW).await.unwrap(), "once");
    }
    for app in [&store, &other] {
        let claimed = app.claim_delivery(NOW).await.unwrap().unwrap();
        assert_eq!(app.claim_delivery(NOW).await.unwrap(), None, "the other's is not its");
        app.finish_delivery(&claimed, &[account("a")], NOW).await.unwrap();
    }
    assert_eq!(db.count("deliveries WHERE state = 'done'").await, 2);
}

async fn rows_without_an_app_are_the_first_ones(db: Db) {
    let store = db.store().await;
    let (other, a) = (second(&store), account("a"));
    store.bind_installation(&installation("a", 1)).await.unwrap();
    put_oauth_user(&store, &oauth_user("a"), &sealed("r1")).await;
    for table in ["homes", "installations", "oauth_users"] {
        db.execute(&format!("UPDATE {table} SET app = ''")).await.unwrap();
    }
    assert!(store.is_at(&home("")) && !other.is_at(&home("")));
    assert!(store.installation(&a).await.unwrap().is_some());
    assert!(store.oauth_user(&a).await.unwrap().is_some());
    assert_eq!(other.installation(&a).await.unwrap(), None);
    assert_eq!(other.oauth_user(&a).await.unwrap(), None);
    assert_eq!(other.put_pat(&pat("a"), &sealed("r2")).await, Err(Error::ConnectedElsewhere));
    store.put_pat(&pat("a"), &sealed("r2")).await.unwrap();
    assert_eq!(store.home(&a).await.unwrap(), Some(home("Iv1.app")), "said from then on");
}

async fn in_memory_each_site_has_what_it_has_read(db: Db) {
    let store = db.store().await;
    let (other, a) = (second(&store), account("a"));
    for site in [&store, &other] {
        site.heed_changes(&mut Heeded::default(), NOW).await.unwrap();
    }
    let seen = async |site: &Store| {
        let view = site.view(&a, NOW).await.unwrap();
        view.installation.map(|(id, _)| id.0)
    };
    store.bind_installation(&installation("a", 1)).await.unwrap();
    assert!(!store.is_known_home(&a, NOW), "nobody has asked yet");
    for _ in 0..2 {
        assert_eq!((seen(&store).await, seen(&other).await), (Some(1), None));
        assert!(store.is_known_home(&a, NOW) && !other.is_known_home(&a, NOW));
    }
    store.disconnect(&a).await.unwrap();
    assert!(!store.is_known_home(&a, NOW));
    other.bind_installation(&installation("a", 2)).await.unwrap();
    assert_eq!((seen(&store).await, seen(&other).await), (None, Some(2)));
    assert!(other.is_known_home(&a, NOW) && !store.is_known_home(&a, NOW));
    // From whichever site it is deleted.
    store.disconnect(&a).await.unwrap();
    assert!(!other.is_known_home(&a, NOW));
    assert_eq!(seen(&other).await, None);
    other.bind_installation(&installation("a", 2)).await.unwrap();
    assert_eq!(seen(&other).await, Some(2));
    let later = NOW + Duration::from_secs(60);
    assert!(!other.is_known_home(&a, later), "nobody has said for a minute what others did");
}

async fn what_a_person_moves_is_known_when_it_is_heeded(db: Db) {
    let store = db.store().await;
    let (other, a) = (second(&store), account("a"));
    let (mut heeded, mut heeded_there) = (Heeded::default(), Heeded::default());
    store.bind_installation(&installation("a", 1)).await.unwrap();
    for round in 0..2 {
        store.heed_changes(&mut heeded, NOW).await.unwrap();
        other.heed_changes(&mut heeded_there, NOW).await.unwrap();
        for site in [&store, &other] {
            site.view(&a, NOW).await.unwrap();
        }
        let known = [&store, &other].map(|site| site.is_known_home(&a, NOW));
        assert_eq!(known, [round == 0, round == 1]);
        db.execute("UPDATE homes SET app = 'Iv1.second'").await.unwrap();
    }
}

async fn what_was_stored_before_has_a_home(db: Db) {
    let store = db.store().await;
    store.bind_installation(&installation("by-app", 1)).await.unwrap();
    store.put_pat(&pat("by-app"), &sealed("r1")).await.unwrap();
    store.put_pat(&pat("by-pat"), &sealed("r2")).await.unwrap();
    put_oauth_user(&store, &oauth_user("by-user"), &sealed("r3")).await;
    store.put_binding(&binding("by-app", 1, "acme/one"), true).await.unwrap();
    for sql in [
        "DROP TABLE homes",
        "ALTER TABLE deliveries DROP COLUMN app",
        "ALTER TABLE connect_attempts DROP COLUMN app",
        "ALTER TABLE oauth_users DROP COLUMN app",
        "DELETE FROM seaql_migrations WHERE version LIKE '%_sites'",
    ] {
        db.execute(sql).await.unwrap();
    }
    drop(store);
    let store = db.store().await;
    for (name, app) in [("by-app", "Iv1.app"), ("by-pat", ""), ("by-user", "")] {
        assert_eq!(store.home(&account(name)).await.unwrap(), Some(home(app)), "{name}");
    }
    assert_eq!(db.count("homes").await, 3);
    assert!(store.oauth_user(&account("by-user")).await.unwrap().is_some());
}
