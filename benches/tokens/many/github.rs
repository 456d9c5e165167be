//! A GitHub that answers at once and keeps nothing: the simulator keeps all that it has seen, and that of a million mints is
//! more than what is measured.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::{
    Json, Router,
    extract::{Path, State},
    routing::{get, post},
};
use ghbroker::domain::{Clock, SystemClock};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use time::format_description::well_known::Rfc3339;
use tokio::net::TcpListener;

use super::{
    TOKEN,
    keys::{REPOSITORIES, organization, repository_name},
};
use crate::common::Result;

/// What has been minted.
pub type Mints = Arc<AtomicUsize>;

pub struct GitHub {
    pub address: SocketAddr,
    pub mints: Mints,
}

impl GitHub {
    /// It is there for as long as the runtime.
    pub async fn start() -> Result<Self> {
        let port = TcpListener::bind("127.0.0.1:0").await?;
        let (address, mints) = (port.local_addr()?, Mints::default());
        let routes = Router::new()
            .route("/app/installations/{id}", get(installation))
            .route("/app/installations/{id}/access_tokens", post(mint))
            .route("/repos/{owner}/{name}", get(repository))
            .with_state(mints.clone());
        tokio::spawn(axum::serve(port, routes).into_future());
        Ok(Self { address, mints })
    }
}

/// The installation of an account; 0 would be none.
pub fn installation_id(account: usize) -> usize {
    account + 1
}

async fn installation(Path(id): Path<usize>) -> Json<Value> {
    let login = organization(id - 1);
    Json(json!({
        "id": id, "app_id": 77, "account": {"id": id, "login": login, "type": "Organization"},
        "repository_selection": "all", "permissions": {"metadata": "read"},
    }))
}

async fn repository(Path((owner, name)): Path<(String, String)>) -> Json<Value> {
    let (account, repository) = (number(&owner), number(&name));
    Json(json!({
        "id": repository_id(account, repository), "full_name": format!("{owner}/{name}"),
        "default_branch": "main",
    }))
}

#[derive(Deserialize)]
struct Wish {
    #[serde(default)]
    repository_ids: Vec<usize>,
    #[serde(default)]
    repositories: Vec<String>,
    permissions: BTreeMap<String, String>,
}

#[derive(Serialize)]
struct Minted {
    token: String,
    expires_at: String,
    permissions: BTreeMap<String, String>,
    repository_selection: &'static str,
    repositories: Vec<Repository>,
}

#[derive(Serialize)]
struct Repository {
    id: usize,
    full_name: String,
}

async fn mint(
    State(mints): State<Mints>,
    Path(installation): Path<usize>,
    Json(mut wish): Json<Wish>,
) -> Json<Minted> {
    let account = installation - 1;
    let by_id = wish.repository_ids.into_iter().map(|id| id - repository_id(account, 0));
    let repositories = by_id.chain(wish.repositories.iter().map(|name| number(name)));
    let repositories = repositories.map(|repository| Repository {
        id: repository_id(account, repository),
        full_name: repository_name(account, repository),
    });
    wish.permissions.insert("metadata".into(), "read".into());
    let serial = mints.fetch_add(1, Ordering::Relaxed);
    let end = SystemClock.now() + time::Duration::HOUR;
    Json(Minted {
        token: format!("ghs_{serial:0>width$}", width = TOKEN - 4),
        expires_at: end.format(&Rfc3339).unwrap(),
        permissions: wish.permissions,
        repository_selection: "selected",
        repositories: repositories.collect(),
    })
}

/// Ids begin with 1.
fn repository_id(account: usize, repository: usize) -> usize {
    account * REPOSITORIES + repository + 1
}

/// What a name ends with.
fn number(name: &str) -> usize {
    name.rsplit_once('-').unwrap().1.parse().unwrap()
}
