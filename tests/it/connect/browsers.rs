//! Browsers on the callback that want more than to come back.

use std::time::Duration;

use ghbroker::proto::*;
use github_sim::{Effect, Fault, Gate};
use reqwest::{Client, StatusCode, Url, redirect::Policy};
use tokio::{io::AsyncWriteExt, net::TcpStream};
use tonic::Code;

use crate::harness::{
    ACCOUNT, INSTALLATION, MINT, REPO, World, person::back_from, seed, status::assert_reason,
};

/// So many come back at once, and no more.
const AT_ONCE: usize = 16;

async fn world() -> World {
    let page: Url = "https://portal.example/done".parse().unwrap();
    World::with_pages(seed(), None, &[page]).await
}

/// Where GitHub sends a browser back to when alice agrees.
async fn sent_back(world: &World) -> Url {
    let request = BeginOAuthRequest {
        account: ACCOUNT.into(),
        login_hint: "alice".into(),
        ..Default::default()
    };
    let begun = world.begin_o_auth(request).await.unwrap();
    back_from(&begun.authorize_url).await.0
}

async fn visit(url: Url) -> (StatusCode, String) {
    let client = Client::builder().redirect(Policy::none()).build().unwrap();
    let answer = client.get(url).send().await.unwrap();
    let location = answer.headers().get("location").map(|to| to.to_str().unwrap().to_owned());
    (answer.status(), location.unwrap_or_default())
}

#[tokio::test]
async fn a_browser_that_is_closed_keeps_its_place_until_its_work_is_done() {
    let world = world().await;
    let mut back = Vec::new();
    for _ in 0..=AT_ONCE {
        back.push(sent_back(&world).await);
    }
    let last = back.pop().unwrap();
    let gate = Gate::new();
    world.sim.fault(Fault::always("POST /login/oauth/access_token", Effect::Hold(gate.clone())));
    for (number, url) in back.iter().enumerate() {
        let mut browser =
            TcpStream::connect(world.http.trim_start_matches("http://")).await.unwrap();
        let query = url.query().unwrap();
        let request = format!("GET {}?{query} HTTP/1.1\r\nhost: broker\r\n\r\n", url.path());
        browser.write_all(request.as_bytes()).await.unwrap();
        gate.arrived(number + 1).await;
        drop(browser);
    }
    // All of them are noticed to be gone by then.
    for _ in 0..3 {
        reqwest::get(format!("{}/metrics", world.http)).await.unwrap();
    }
    let busy = tokio::select! {
        (status, _) = visit(last.clone()) => status,
        () = gate.arrived(AT_ONCE + 1) => panic!("one more than may is at work"),
    };
    assert_eq!(busy, StatusCode::SERVICE_UNAVAILABLE);
    gate.open();
    let connected = world
        .until(async || {
            let (status, to) = visit(last.clone()).await;
            (status != StatusCode::SERVICE_UNAVAILABLE).then_some(to)
        })
        .await;
    assert!(connected.contains("outcome=connected"), "{connected}");
    world.finish().await;
}

#[tokio::test]
async fn a_redirect_that_says_too_little_is_heard_once() {
    let world = world().await;
    let request = BeginInstallationRequest { account: ACCOUNT.into(), ..Default::default() };
    let installation = world.begin_installation(request).await.unwrap().state;
    let request = BeginOAuthRequest { account: ACCOUNT.into(), ..Default::default() };
    let oauth = world.begin_o_auth(request).await.unwrap().state;
    for state in [installation, oauth] {
        let mut url = world.callback();
        url.query_pairs_mut().append_pair("state", &state);
        let (_, to) = visit(url.clone()).await;
        assert!(to.contains("reason=REFUSED_BY_GITHUB"), "{to}");
        let told = world.audit().len();
        for _ in 0..3 {
            let (_, to) = visit(url.clone()).await;
            assert!(to.contains("reason=STATE_UNKNOWN"), "{to}");
        }
        assert_eq!(world.audit().len(), told, "who comes again and again fills no audit");
    }
    world.finish().await;
}

#[tokio::test]
async fn a_browser_from_nowhere_does_not_make_the_broker_ask_a_github_that_wants_to_rest() {
    let mut world = world().await;
    world.register(ACCOUNT, INSTALLATION).await;
    world.configure(ACCOUNT, REPO).await;
    let rest = Effect::PrimaryRateLimit { reset_after: Duration::from_secs(600) };
    world.sim.fault(Fault::always(MINT, rest));
    let ask = async || {
        let request = GetRepoTokenRequest { account: ACCOUNT.into(), ..Default::default() };
        let refused = world.get_repo_token(request).await.unwrap_err();
        assert_reason(&refused, Code::ResourceExhausted, "RATE_LIMITED");
        world.sim.count(MINT)
    };
    let asked = ask().await;
    let mut url = world.callback();
    url.set_query(Some(&format!("setup_action=update&installation_id={INSTALLATION}")));
    let (_, to) = visit(url).await;
    assert!(to.contains("outcome=updated"), "{to}");
    assert_eq!(ask().await, asked);
    world.finish().await;
}
