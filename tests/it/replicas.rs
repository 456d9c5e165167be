//! What is kept in memory of accounts: used without the database, and never for longer than it is so.

mod postgres;

use std::time::Duration;

use ghbroker::proto::{
    ConfigureRepoRequest, CredentialSource, DisconnectRequest, GetRepoTokenRequest,
    GetRepoTokenResponse, SetCredentialEnabledRequest,
};
use github_sim::seed;
use sqlx::{AssertSqlSafe, Connection, SqliteConnection};
use tonic::{Code, Status};

use crate::harness::{ACCOUNT, INSTALLATION, World, status::assert_reason};

/// How often it is asked what was changed elsewhere.
pub(crate) const POLL: Duration = Duration::from_secs(5);

/// Tables that a call of an account would read.
const READ: [&str; 5] = ["homes", "installations", "bindings", "oauth_users", "pats"];

fn ask() -> GetRepoTokenRequest {
    GetRepoTokenRequest { account: ACCOUNT.into(), ..Default::default() }
}

async fn token(world: &World) -> Result<GetRepoTokenResponse, Status> {
    world.get_repo_token(ask()).await
}

async fn switch(world: &World, enabled: bool) {
    let source = CredentialSource::AppInstallation.into();
    let request =
        SetCredentialEnabledRequest { account: ACCOUNT.into(), source, enabled: Some(enabled) };
    world.set_credential_enabled(request).await.unwrap();
}

/// Makes `acme/orders` the active repository.
async fn another_repository(world: &World) {
    let orders = seed::Repository {
        owner: "acme".into(),
        name: "orders".into(),
        files: [("README.md".to_owned(), "# Orders\n".to_owned())].into(),
        ..Default::default()
    };
    world.sim.add_repository(&orders).unwrap();
    let request = ConfigureRepoRequest {
        account: ACCOUNT.into(),
        repository: "acme/orders".into(),
        activate: true,
        ..Default::default()
    };
    world.configure_repo(request).await.unwrap();
}

/// Statements that take the tables away, and bring them back.
pub(crate) fn hide() -> Vec<String> {
    READ.map(|table| format!("ALTER TABLE {table} RENAME TO hidden_{table}")).into()
}

pub(crate) fn show() -> Vec<String> {
    READ.map(|table| format!("ALTER TABLE hidden_{table} RENAME TO {table}")).into()
}

pub(crate) async fn run_on_sqlite(world: &World, statements: impl IntoIterator<Item = String>) {
    let mut database = SqliteConnection::connect(world.database_url()).await.unwrap();
    for sql in statements {
        sqlx::query(AssertSqlSafe(sql)).execute(&mut database).await.unwrap();
    }
}

/// Waits until a call needs none of the tables, which are away from then on.
async fn until_known(world: &World, run: impl AsyncFn(Vec<String>)) {
    world
        .until(async || {
            token(world).await.unwrap();
            run(hide()).await;
            let known = token(world).await.is_ok();
            if !known {
                run(show()).await;
            }
            known.then_some(())
        })
        .await;
}

#[tokio::test]
async fn a_warm_call_asks_the_database_for_nothing() {
    let world = World::connected().await;
    until_known(&world, async |statements| run_on_sqlite(&world, statements).await).await;
    let first = token(&world).await.unwrap();
    for _ in 0..20 {
        assert_eq!(token(&world).await.unwrap().token, first.token);
    }
    // One of which nothing is known shows that the tables are away.
    let other = GetRepoTokenRequest { account: "tenant-b".into(), ..Default::default() };
    assert_eq!(world.get_repo_token(other).await.unwrap_err().code(), Code::Internal);
}

#[tokio::test]
async fn what_is_changed_is_so_at_the_next_call() {
    let mut world = World::connected().await;
    assert_eq!(token(&world).await.unwrap().repository, "acme/warehouse");
    another_repository(&world).await;
    assert_eq!(token(&world).await.unwrap().repository, "acme/orders");
    switch(&world, false).await;
    let refused = token(&world).await.unwrap_err();
    assert_reason(&refused, Code::FailedPrecondition, "CREDENTIAL_DISABLED");
    switch(&world, true).await;
    token(&world).await.unwrap();
    world.disconnect(DisconnectRequest { account: ACCOUNT.into() }).await.unwrap();
    let refused = token(&world).await.unwrap_err();
    assert_reason(&refused, Code::NotFound, "ACCOUNT_NOT_CONNECTED");
    world.register(ACCOUNT, INSTALLATION).await;
    let refused = token(&world).await.unwrap_err();
    assert_reason(&refused, Code::NotFound, "REPO_NOT_ACCESSIBLE");
}

/// By a person with the file, past the broker.
#[tokio::test]
async fn what_is_changed_in_the_file_is_so_within_seconds() {
    let world = World::connected().await;
    token(&world).await.unwrap();
    let off = "UPDATE installations SET enabled = false".to_owned();
    run_on_sqlite(&world, [off]).await;
    world.advance(POLL);
    let refused = world.until(async || token(&world).await.err()).await;
    assert_reason(&refused, Code::FailedPrecondition, "CREDENTIAL_DISABLED");
}
