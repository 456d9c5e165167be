//! Two replicas on one PostgreSQL.

use sqlx::PgConnection;

use super::*;
use crate::harness::{MINT, REPO, replica::Replica};

/// Two brokers that have a token for the account.
async fn two() -> (World, Replica) {
    let mut world = World::start_on_postgres().await;
    world.register(ACCOUNT, INSTALLATION).await;
    world.configure(ACCOUNT, REPO).await;
    let replica = world.replica().await;
    token(&world).await.unwrap();
    there(&replica).await.unwrap();
    (world, replica)
}

async fn there(replica: &Replica) -> Result<GetRepoTokenResponse, Status> {
    replica.broker.clone().get_repo_token(ask()).await.map(tonic::Response::into_inner)
}

async fn run(world: &World, statements: impl IntoIterator<Item = String>) {
    let mut database = PgConnection::connect(world.database_url()).await.unwrap();
    for sql in statements {
        sqlx::query(AssertSqlSafe(sql)).execute(&mut database).await.unwrap();
    }
}

async fn sql(world: &World, sql: &str) {
    run(world, [sql.to_owned()]).await;
}

/// Waits until the replica refuses, once the time has come for it.
async fn refused_there(world: &World, replica: &Replica, code: Code, reason: &str) {
    world.advance(POLL);
    let refused = world.until(async || there(replica).await.err()).await;
    assert_reason(&refused, code, reason);
}

#[tokio::test]
async fn a_warm_call_asks_the_database_for_nothing() {
    let (world, _replica) = two().await;
    until_known(&world, async |statements| run(&world, statements).await).await;
    for _ in 0..20 {
        token(&world).await.unwrap();
    }
}

#[tokio::test]
async fn another_active_repository_is_so_on_the_other_one() {
    let (world, replica) = two().await;
    another_repository(&world).await;
    assert_eq!(token(&world).await.unwrap().repository, "acme/orders");
    world.advance(POLL);
    let moved = async || (there(&replica).await.unwrap().repository == "acme/orders").then_some(());
    world.until(moved).await;
}

#[tokio::test]
async fn what_is_switched_off_is_off_on_the_other_one_and_its_tokens_end() {
    let (world, replica) = two().await;
    let cached = there(&replica).await.unwrap().token;
    switch(&world, false).await;
    refused_there(&world, &replica, Code::FailedPrecondition, "CREDENTIAL_DISABLED").await;
    world.until(async || (!world.sim.accepts(&cached)).then_some(())).await;
    switch(&world, true).await;
    world.advance(POLL);
    let again = world.until(async || there(&replica).await.ok()).await;
    assert_ne!(again.token, cached);
}

#[tokio::test]
async fn who_is_disconnected_is_so_on_the_other_one_and_its_tokens_end() {
    let (world, replica) = two().await;
    let cached = there(&replica).await.unwrap().token;
    world.disconnect(DisconnectRequest { account: ACCOUNT.into() }).await.unwrap();
    assert!(world.sim.accepts(&cached), "who did it does not know of it");
    refused_there(&world, &replica, Code::NotFound, "ACCOUNT_NOT_CONNECTED").await;
    world.until(async || (!world.sim.accepts(&cached)).then_some(())).await;
}

#[tokio::test]
async fn a_binding_that_is_replaced_is_so_on_the_other_one() {
    let (world, replica) = two().await;
    sql(&world, "DELETE FROM bindings").await;
    refused_there(&world, &replica, Code::NotFound, "REPO_NOT_ACCESSIBLE").await;
    let here = world.until(async || token(&world).await.err()).await;
    assert_reason(&here, Code::NotFound, "REPO_NOT_ACCESSIBLE");
}

#[tokio::test]
async fn what_a_person_changes_in_the_database_is_so_on_every_one() {
    let (world, replica) = two().await;
    let cached = [token(&world).await.unwrap().token, there(&replica).await.unwrap().token];
    sql(&world, "UPDATE installations SET enabled = false").await;
    refused_there(&world, &replica, Code::FailedPrecondition, "CREDENTIAL_DISABLED").await;
    let here = world.until(async || token(&world).await.err()).await;
    assert_reason(&here, Code::FailedPrecondition, "CREDENTIAL_DISABLED");
    let ended = || cached.iter().all(|token| !world.sim.accepts(token));
    world.until(async || ended().then_some(())).await;
}

/// Of which no row tells whose it was.
#[tokio::test]
async fn when_any_may_be_changed_the_tokens_of_all_follow() {
    let (world, replica) = two().await;
    let cached = [token(&world).await.unwrap().token, there(&replica).await.unwrap().token];
    sql(&world, "TRUNCATE installations").await;
    refused_there(&world, &replica, Code::NotFound, "ACCOUNT_NOT_CONNECTED").await;
    let ended = || cached.iter().all(|token| !world.sim.accepts(token));
    world.until(async || ended().then_some(())).await;
}

/// What a replica has written itself costs it no token.
#[tokio::test]
async fn tokens_stay_where_the_change_was_made() {
    let (mut world, replica) = two().await;
    let (here, elsewhere) = (token(&world).await.unwrap(), there(&replica).await.unwrap());
    let mints = world.sim.count(MINT);
    world.configure(ACCOUNT, REPO).await;
    let looked = world.sim.count(MINT) - mints;
    world.advance(POLL);
    let other = async || {
        let now = there(&replica).await.unwrap();
        (now.token != elsewhere.token).then_some(())
    };
    world.until(other).await;
    assert_eq!(token(&world).await.unwrap().token, here.token);
    assert_eq!(world.sim.count(MINT), mints + looked + 1);
}

#[tokio::test]
async fn without_word_of_changes_what_is_known_is_not_used() {
    let (world, replica) = two().await;
    sql(&world, "ALTER TABLE changes RENAME COLUMN writer TO hidden").await;
    sql(&world, "UPDATE installations SET enabled = false").await;
    world.advance(Duration::from_secs(15));
    let refused = token(&world).await.unwrap_err();
    assert_reason(&refused, Code::FailedPrecondition, "CREDENTIAL_DISABLED");
    let refused = there(&replica).await.unwrap_err();
    assert_reason(&refused, Code::FailedPrecondition, "CREDENTIAL_DISABLED");
    // Calls go on, by the database.
    sql(&world, "UPDATE installations SET enabled = true").await;
    token(&world).await.unwrap();
    there(&replica).await.unwrap();
    // When it is heard again, what was changed meanwhile counts, and calls are warm again.
    sql(&world, "ALTER TABLE changes RENAME COLUMN hidden TO writer").await;
    world.advance(POLL);
    until_known(&world, async |statements| run(&world, statements).await).await;
}
