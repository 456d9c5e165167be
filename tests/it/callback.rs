//! `GET /github/callback` as GitHub's redirect calls it, without a browser.
//!
//! * [`outcomes`]: how it ends, and what the portal is told of it.
//! * [`once`]: when a state is used up.
//! * [`hostile`]: addresses that GitHub would not have made.
//! * [`traces`]: what is written of it, and what is not.

mod hostile;
mod once;
mod outcomes;
mod traces;

use std::collections::BTreeMap;

use ghbroker::proto::*;
use reqwest::{Client, RequestBuilder, Response, StatusCode, redirect::Policy};
use url::Url;

use crate::harness::{ACCOUNT, World, person, seed};

/// The portal's pages: nothing is there, because nobody follows a redirect.
const PAGE: &str = "https://portal.example/github/done";
const OTHER_PAGE: &str = "https://portal.example/other";
const CALLBACKS: &str = "ghbroker_callbacks_total";

async fn world() -> World {
    World::with_pages(seed(), None, &pages()).await
}

fn pages() -> [Url; 2] {
    [PAGE, OTHER_PAGE].map(|page| page.parse().unwrap())
}

/// The state of an installation that the portal began.
async fn installing(world: &World, account: &str, expected: &str) -> String {
    let request = BeginInstallationRequest {
        account: account.into(),
        expected_github_login: expected.into(),
        ..Default::default()
    };
    world.begin_installation(request).await.unwrap().state
}

/// The state of "Connect GitHub", and the code of a user who agreed.
async fn connecting(world: &World, account: &str, login: &str) -> (String, String) {
    let request = BeginOAuthRequest {
        account: account.into(),
        login_hint: login.into(),
        ..Default::default()
    };
    let begun = world.begin_o_auth(request).await.unwrap();
    let (_, mut brought) = person::back_from(&begun.authorize_url).await;
    (begun.state, brought.remove("code").unwrap())
}

/// A code that comes along with an installation.
async fn code_of(world: &World, login: &str) -> String {
    person::authorize_for(&world.sim, login, world.callback().as_str()).await
}

/// A browser that GitHub sends back.
fn comes(world: &World, query: &str) -> RequestBuilder {
    let client = Client::builder().redirect(Policy::none()).build().unwrap();
    client.get(format!("{}?{query}", world.callback()))
}

/// Where it is sent on to.
async fn landing(world: &World, query: &str) -> Url {
    let answer = comes(world, query).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::SEE_OTHER, "{query}");
    location(&answer)
}

fn location(answer: &Response) -> Url {
    answer.headers()["location"].to_str().unwrap().parse().unwrap()
}

/// What the portal's page is told.
async fn told(world: &World, query: &str) -> String {
    let url = landing(world, query).await;
    assert!(url.as_str().starts_with(&format!("{PAGE}?")), "{url}");
    url.query().unwrap().to_owned()
}

/// An installation's way back.
fn installed(id: i64, state: &str) -> String {
    format!("installation_id={id}&setup_action=install&state={state}")
}

async fn is_connected(world: &World) -> bool {
    world.get_connection(GetConnectionRequest { account: ACCOUNT.into() }).await.is_ok()
}

/// How many came to each end.
async fn counted(world: &World) -> BTreeMap<String, u64> {
    let text = reqwest::get(format!("{}/metrics", world.http)).await.unwrap().text().await.unwrap();
    let lines =
        text.lines().filter_map(|line| line.strip_prefix(CALLBACKS)?.strip_prefix("{outcome=\""));
    lines
        .map(|line| {
            let (outcome, count) = line.split_once("\"} ").unwrap();
            (outcome.to_owned(), count.parse().unwrap())
        })
        .collect()
}
