use std::time::Duration;

use ghbroker::{
    domain::{
        AccountId, Awaited, ConnectionStatus, Installation, InstallationId, RepoName,
        RepositoryState,
    },
    store::{Elsewhere, Heeded, SeenRepository, Store},
};

use super::{
    Db, NOW, account, binding, installation, oauth_user, on_both, pat, put_oauth_user, sealed,
};

on_both!(
    what_is_known_is_not_asked_for,
    every_write_is_seen_at_once_by_who_wrote,
    what_another_one_wrote_is_seen_when_it_is_heeded,
    every_change_is_told_of_whoever_makes_it,
    a_renewal_is_told_to_nobody,
    the_database_is_asked_while_nothing_is_heard,
    an_account_with_many_bindings_is_asked_for,
    old_changes_are_forgotten,
    of_more_changes_than_are_read_at_once_none_is_skipped,
);

/// A replica that has heard what was changed.
async fn heeding(db: &Db) -> (Store, Heeded) {
    let (store, mut heeded) = (db.store().await, Heeded::default());
    assert!(heed(&store, &mut heeded).await.is_empty());
    (store, heeded)
}

/// The accounts that others have changed.
async fn heed(store: &Store, heeded: &mut Heeded) -> Vec<AccountId> {
    let Elsewhere::These(mut accounts) = store.heed_changes(heeded, NOW).await.unwrap() else {
        panic!("none was missed");
    };
    accounts.sort();
    accounts
}

/// What a replica knows of an account: installation and status, and names of bindings.
async fn known(store: &Store, owner: &str) -> (Option<(i64, ConnectionStatus)>, Vec<String>) {
    let owner = account(owner);
    let view = store.view(&owner, NOW).await.unwrap();
    let mut names = Vec::new();
    for name in [None, Some("acme/one"), Some("acme/two"), Some("other/one")] {
        let name: Option<RepoName> = name.map(|name| name.parse().unwrap());
        let binding = store.viewed_binding(&owner, &view, name.as_ref()).await.unwrap();
        names.extend(binding.map(|binding| binding.repository.to_string()));
    }
    (view.installation.map(|(id, status)| (id.0, status)), names)
}

/// Takes tables away, so that whatever asks for them fails.
async fn hide(db: &Db) {
    for table in ["installations", "bindings"] {
        db.execute(&format!("ALTER TABLE {table} RENAME TO hidden_{table}")).await.unwrap();
    }
}

async fn what_is_known_is_not_asked_for(db: Db) {
    let (store, _) = heeding(&db).await;
    store.bind_installation(&installation("a", 1)).await.unwrap();
    store.put_binding(&binding("a", 1, "acme/one"), true).await.unwrap();
    let before = known(&store, "a").await;
    assert_eq!(before.0, Some((1, ConnectionStatus::Active)));
    assert_eq!(before.1, ["acme/one", "acme/one"]);
    hide(&db).await;
    assert_eq!(known(&store.clone(), "a").await, before, "clones know the same");
    assert!(store.view(&account("b"), NOW).await.is_err());
}

async fn every_write_is_seen_at_once_by_who_wrote(db: Db) {
    let (store, _) = heeding(&db).await;
    let owner = account("a");
    let active = ConnectionStatus::Active;
    let seen = async || known(&store, "a").await;
    assert_eq!(seen().await, (None, vec![]));
    let awaited =
        Awaited { account: owner.clone(), expected_login: None, requester_id: None, since: NOW };
    store.await_installation(&awaited).await.unwrap();
    assert_eq!(seen().await.0, None);
    assert!(store.bind_awaited(&installation("a", 1)).await.unwrap());
    assert_eq!(seen().await.0, Some((1, active)));
    store.bind_installation(&installation("a", 2)).await.unwrap();
    assert_eq!(seen().await.0, Some((2, active)));
    let suspended = ConnectionStatus::Suspended;
    store.set_installation_status(&owner, InstallationId(2), suspended, NOW).await.unwrap();
    assert_eq!(seen().await.0, Some((2, suspended)));
    store.put_binding(&binding("a", 1, "acme/one"), true).await.unwrap();
    assert_eq!(seen().await.1, ["acme/one", "acme/one"]);
    store.put_binding(&binding("a", 2, "acme/two"), true).await.unwrap();
    assert_eq!(seen().await.1, ["acme/two", "acme/one", "acme/two"]);

    let before = store.installation_by_id(InstallationId(2)).await.unwrap().unwrap();
    let after = Installation { status: active, github_login: "other".into(), ..before.clone() };
    assert!(store.follow_installation(&before, &after, NOW).await.unwrap());
    assert_eq!(seen().await, (Some((2, active)), vec!["other/two".into(), "other/one".into()]));
    let name = "acme/two".parse().unwrap();
    let repository = SeenRepository {
        id: binding("a", 2, "acme/two").repository_id,
        name: &name,
        state: RepositoryState::Available,
        at: None,
    };
    store.follow_repository(repository).await.unwrap();
    assert_eq!(seen().await.1, ["acme/two", "acme/two", "other/one"]);
    store.enable_installation(&owner, false).await.unwrap();
    assert_eq!(seen().await.0, None);
    store.enable_installation(&owner, true).await.unwrap();
    assert_eq!(seen().await.0, Some((2, active)));
    store.disconnect(&owner).await.unwrap();
    assert_eq!(seen().await, (None, vec![]));
}

async fn what_another_one_wrote_is_seen_when_it_is_heeded(db: Db) {
    let (store, mut heeded) = heeding(&db).await;
    let (other, mut heeded_there) = (db.connect().await, Heeded::default());
    heed(&other, &mut heeded_there).await;
    store.bind_installation(&installation("a", 1)).await.unwrap();
    heed(&store, &mut heeded).await;
    let before = known(&store, "a").await;
    for round in 0..3 {
        let id = 10 + round;
        other.bind_installation(&installation("a", id)).await.unwrap();
        let after = known(&store, "a").await;
        assert_ne!(after.0, Some((id, ConnectionStatus::Active)), "not known yet: {round}");
        let elsewhere = heed(&store, &mut heeded).await;
        // SQLite has one replica, so that all that was written is its own.
        let told = if db.is_sqlite() { vec![] } else { vec![account("a")] };
        assert_eq!(elsewhere, told, "{round}");
        assert_eq!(known(&store, "a").await.0, Some((id, ConnectionStatus::Active)), "{round}");
        assert!(heed(&store, &mut heeded).await.is_empty(), "it is told once: {round}");
    }
    assert_eq!(before.0, Some((1, ConnectionStatus::Active)));
    let there = heed(&other, &mut heeded_there).await;
    let told = if db.is_sqlite() { vec![] } else { vec![account("a")] };
    assert_eq!(there, told, "the first one's");
}

/// How many changes a statement past the store makes; each is to be of `owner`.
async fn changes_of(db: &Db, owner: &str, sql: &str) -> i64 {
    db.execute("DELETE FROM changes").await.unwrap();
    db.execute(sql).await.unwrap();
    let of = |what: &str| format!("changes WHERE account {what} '{owner}'");
    assert_eq!(db.count(&of("<>")).await, 0, "{sql}");
    db.count(&of("=")).await
}

async fn every_change_is_told_of_whoever_makes_it(db: Db) {
    let store = db.store().await;
    for (owner, id) in [("a", 1), ("b", 2)] {
        store.bind_installation(&installation(owner, id)).await.unwrap();
        store.put_binding(&binding(owner, 1, "acme/one"), true).await.unwrap();
        store.put_binding(&binding(owner, 2, "acme/two"), false).await.unwrap();
        store.put_pat(&pat(owner), &sealed(owner)).await.unwrap();
        put_oauth_user(&store, &oauth_user(owner), &sealed(owner)).await;
    }
    for (sql, changes) in [
        ("UPDATE installations SET enabled = false WHERE account = 'a'", 1),
        ("UPDATE bindings SET repository = 'acme/x' WHERE account = 'a'", 2),
        ("UPDATE pats SET host = 'ghe.example' WHERE account = 'a'", 1),
        ("UPDATE oauth_users SET host = 'ghe.example' WHERE account = 'a'", 1),
        ("UPDATE homes SET app = 'Iv1.other' WHERE account = 'a'", 1),
        ("UPDATE installations SET enabled = false WHERE account = 'nobody'", 0),
        ("DELETE FROM installations WHERE account = 'a'", 1),
        ("DELETE FROM bindings WHERE account = 'a'", 2),
        ("DELETE FROM pats WHERE account = 'a'", 1),
        ("DELETE FROM oauth_users WHERE account = 'a'", 1),
        ("DELETE FROM homes WHERE account = 'a'", 1),
        ("INSERT INTO homes VALUES ('a', 'github.com', 'Iv1.app')", 1),
    ] {
        assert_eq!(changes_of(&db, "a", sql).await, changes, "{sql}");
    }
    // Both the one that it was and the one that it is.
    db.execute("DELETE FROM changes").await.unwrap();
    db.execute("UPDATE installations SET account = 'c' WHERE account = 'b'").await.unwrap();
    assert_eq!(db.count("changes WHERE account = 'b'").await, 1);
    assert_eq!(db.count("changes WHERE account = 'c'").await, 1);
}

async fn a_renewal_is_told_to_nobody(db: Db) {
    let (store, seal) = (db.store().await, sealed("r"));
    put_oauth_user(&store, &oauth_user("a"), &seal).await;
    let before = db.count("changes").await;
    assert!(before > 0);
    let until = NOW + Duration::from_secs(60);
    assert!(store.claim_renewal(&account("a"), &seal, "claim", NOW, until).await.unwrap());
    let mut next = seal;
    next.row_version += 1;
    assert!(store.renew_oauth_user(&oauth_user("a"), &next, "claim").await.unwrap());
    assert_eq!(db.count("changes").await, before);
}

async fn the_database_is_asked_while_nothing_is_heard(db: Db) {
    let (store, mut heeded) = heeding(&db).await;
    store.bind_installation(&installation("a", 1)).await.unwrap();
    let id = async |at| store.view(&account("a"), at).await.unwrap().installation.unwrap().0.0;
    assert_eq!(id(NOW).await, 1);
    db.execute("UPDATE installations SET installation_id = 2").await.unwrap();
    let later = |seconds| NOW + Duration::from_secs(seconds);
    assert_eq!(id(later(14)).await, 1);
    assert_eq!(id(later(15)).await, 2);
    store.heed_changes(&mut heeded, later(20)).await.unwrap();
    assert_eq!(id(later(20)).await, 2);
    hide(&db).await;
    assert_eq!(id(later(30)).await, 2, "it is trusted again");
}

async fn an_account_with_many_bindings_is_asked_for(db: Db) {
    let (store, _) = heeding(&db).await;
    let name = |id| format!("acme/r{id}");
    for id in 1..=101 {
        store.put_binding(&binding("a", id, &name(id)), false).await.unwrap();
    }
    let owner = account("a");
    for id in [1, 50, 101] {
        let view = store.view(&owner, NOW).await.unwrap();
        let asked: RepoName = name(id).to_uppercase().parse().unwrap();
        let found = store.viewed_binding(&owner, &view, Some(&asked)).await.unwrap().unwrap();
        assert_eq!(found.repository_id.0, id);
        let active = store.viewed_binding(&owner, &view, None).await.unwrap().unwrap();
        assert_eq!(active.repository_id.0, 1);
    }
}

async fn old_changes_are_forgotten(db: Db) {
    let (store, mut heeded) = heeding(&db).await;
    store.bind_installation(&installation("a", 1)).await.unwrap();
    assert_eq!(store.prune_changes().await.unwrap(), 0);
    let old = if db.is_sqlite() { "at - 601" } else { "at - interval '601 seconds'" };
    db.execute(&format!("UPDATE changes SET at = {old}")).await.unwrap();
    assert_eq!(store.prune_changes().await.unwrap(), 2, "of its home, and of its installation");
    assert_eq!(db.count("changes").await, 0);
    // The numbers go on.
    heed(&store, &mut heeded).await;
    assert_eq!(known(&store, "a").await.0, Some((1, ConnectionStatus::Active)));
    db.execute("UPDATE installations SET enabled = false").await.unwrap();
    heed(&store, &mut heeded).await;
    assert_eq!(known(&store, "a").await.0, None);
}

async fn of_more_changes_than_are_read_at_once_none_is_skipped(db: Db) {
    let (store, mut heeded) = heeding(&db).await;
    for (owner, id) in [("a", 1), ("b", 2), ("c", 3)] {
        store.bind_installation(&installation(owner, id)).await.unwrap();
    }
    heed(&store, &mut heeded).await;
    let before = known(&store, "b").await;
    known(&store, "a").await;
    known(&store, "c").await;
    let off = |owner| format!("UPDATE installations SET enabled = false WHERE account = '{owner}'");
    db.execute(&off("a")).await.unwrap();
    let flood = "INSERT INTO changes (account) WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50001) \
                 SELECT 'of-others' FROM n";
    assert_eq!(db.execute(flood).await.unwrap(), 50_001);
    db.execute(&off("c")).await.unwrap();
    let told = heed(&store, &mut heeded).await;
    let all = [account("a"), account("c"), account("of-others")];
    assert_eq!(told, if db.is_sqlite() { &[] } else { &all[..] });
    assert!(heed(&store, &mut heeded).await.is_empty(), "it is told once");
    assert_eq!((known(&store, "a").await.0, known(&store, "c").await.0), (None, None));
    hide(&db).await;
    assert_eq!(known(&store, "b").await, before, "what nobody has changed is still known");
}

/// Transactions of people at the database, who take their time.
mod postgres_only {
    mod postgres {
        use sqlx::{Connection, PgConnection};

        use super::super::*;

        #[tokio::test]
        async fn a_transaction_that_took_long_is_seen_when_it_ends() {
            let db = Db::postgres().await;
            let (store, mut heeded) = heeding(&db).await;
            store.bind_installation(&installation("a", 1)).await.unwrap();
            store.bind_installation(&installation("b", 2)).await.unwrap();
            let mut person = PgConnection::connect(&db.url).await.unwrap();
            let mut transaction = person.begin().await.unwrap();
            let off = "UPDATE installations SET enabled = false WHERE account = 'a'";
            sqlx::query(off).execute(&mut *transaction).await.unwrap();
            // Longer than what is read twice by its time.
            let long_ago = "UPDATE changes SET at = at - interval '5 minutes'";
            sqlx::query(long_ago).execute(&mut *transaction).await.unwrap();
            for _ in 0..3 {
                store.enable_installation(&account("b"), true).await.unwrap();
                assert!(heed(&store, &mut heeded).await.is_empty());
                assert_eq!(known(&store, "a").await.0, Some((1, ConnectionStatus::Active)));
            }
            transaction.commit().await.unwrap();
            assert_eq!(heed(&store, &mut heeded).await, [account("a")]);
            assert_eq!(known(&store, "a").await.0, None);
        }

        #[tokio::test]
        async fn a_table_that_is_emptied_is_empty_here_too() {
            let db = Db::postgres().await;
            let (store, mut heeded) = heeding(&db).await;
            store.bind_installation(&installation("a", 1)).await.unwrap();
            assert_eq!(known(&store, "a").await.0, Some((1, ConnectionStatus::Active)));
            db.execute("TRUNCATE installations").await.unwrap();
            assert_eq!(store.heed_changes(&mut heeded, NOW).await.unwrap(), Elsewhere::Any);
            assert!(heed(&store, &mut heeded).await.is_empty(), "it is told once");
            assert_eq!(known(&store, "a").await.0, None);
        }

        /// A machine that was paused, and its clock with it. The database's clock is moved by hand here.
        #[tokio::test]
        async fn who_heeds_nothing_for_longer_than_changes_are_told_of_begins_anew() {
            let db = Db::postgres().await;
            for sql in [
                "CREATE TABLE away (seconds INT)",
                "INSERT INTO away VALUES (0)",
                "CREATE FUNCTION public.now() RETURNS timestamptz LANGUAGE sql STABLE AS \
                 'SELECT pg_catalog.now() + make_interval(secs => seconds) FROM public.away'",
                "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET search_path = public, pg_catalog', current_database()); END $$",
            ] {
                db.execute(sql).await.unwrap();
            }
            let (store, mut heeded) = heeding(&db).await;
            store.bind_installation(&installation("a", 1)).await.unwrap();
            for (seconds, missed) in [(480, false), (480 + 540, true)] {
                heed(&store, &mut heeded).await;
                known(&store, "a").await;
                db.execute(&format!("UPDATE away SET seconds = {seconds}")).await.unwrap();
                db.execute("UPDATE installations SET installation_id = installation_id + 1")
                    .await
                    .unwrap();
                if missed {
                    db.execute("DELETE FROM changes").await.unwrap();
                }
                let told = store.heed_changes(&mut heeded, NOW).await.unwrap();
                assert_eq!(told == Elsewhere::Any, missed, "{told:?}");
            }
            assert_eq!(known(&store, "a").await.0, Some((3, ConnectionStatus::Active)));
            assert!(heed(&store, &mut heeded).await.is_empty(), "it is told once");
        }

        /// Who may write to an account's row, but has no right to the table of changes.
        #[tokio::test]
        async fn a_person_with_few_rights_is_heeded_too() {
            let db = Db::postgres().await;
            let (store, mut heeded) = heeding(&db).await;
            store.bind_installation(&installation("a", 1)).await.unwrap();
            heed(&store, &mut heeded).await;
            let role = format!("operator_{}", uuid::Uuid::now_v7().simple());
            for sql in [
                format!("CREATE ROLE {role}"),
                format!("GRANT SELECT, UPDATE ON installations TO {role}"),
            ] {
                db.execute(&sql).await.unwrap();
            }
            let mut person = PgConnection::connect(&db.url).await.unwrap();
            let act = sqlx::AssertSqlSafe(format!("SET ROLE {role}"));
            sqlx::query(act).execute(&mut person).await.unwrap();
            let off = "UPDATE installations SET enabled = false";
            sqlx::query(off).execute(&mut person).await.unwrap();
            assert_eq!(heed(&store, &mut heeded).await, [account("a")]);
            assert_eq!(known(&store, "a").await.0, None);
        }
    }
}
