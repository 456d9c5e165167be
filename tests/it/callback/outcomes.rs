//! How it ends, and what the portal is told of it.

use ghbroker::config::Config;
use github_sim::{Effect, Fault};
use reqwest::StatusCode;

use super::{
    PAGE, code_of, comes, connecting, counted, installed, installing, landing, told, world,
};
use crate::harness::{ACCOUNT, INSTALLATION, World};

const DOWN: Effect = Effect::Status { status: 502, html: true };

#[tokio::test]
async fn every_way_back_has_its_words() {
    let world = world().await;
    let state = async |expected| installing(&world, ACCOUNT, expected).await;
    let install = |state: &str| installed(INSTALLATION, state);
    let (oauth, alices) = connecting(&world, ACCOUNT, "alice").await;
    let (cancelled, _) = connecting(&world, ACCOUNT, "alice").await;
    let (mismatch, _) = connecting(&world, ACCOUNT, "alice").await;
    let (worthless, _) = connecting(&world, ACCOUNT, "alice").await;
    let (nothing, _) = connecting(&world, ACCOUNT, "alice").await;
    let mallorys = code_of(&world, "mallory").await;
    let owners = code_of(&world, "alice").await;
    let other = installing(&world, "tenant-other", "acme").await;

    let refused = |reason| format!("outcome=refused&kind=installation&reason={reason}");
    let table = [
        // What begins at GitHub.
        (
            format!("installation_id={INSTALLATION}&setup_action=update"),
            "outcome=updated&installation_id=4711".into(),
        ),
        (
            format!("installation_id={INSTALLATION}&setup_action=install&code=x"),
            "outcome=updated&installation_id=4711".into(),
        ),
        ("setup_action=update".into(), "outcome=refused&reason=STATE_UNKNOWN".into()),
        ("setup_action=request".into(), "outcome=refused&reason=STATE_UNKNOWN".into()),
        (String::new(), "outcome=refused&reason=STATE_UNKNOWN".into()),
        (install(&"0".repeat(32)), "outcome=refused&reason=STATE_UNKNOWN".into()),
        // Whose is it?
        (
            install(&state("").await),
            format!("{}&installation_id=4711", refused("INSTALLATION_NOT_PROVEN")),
        ),
        (install(&state("globex").await), refused("INSTALLATION_NOT_OWNED")),
        (
            format!("{}&code={mallorys}", install(&state("").await)),
            refused("INSTALLATION_NOT_OWNED"),
        ),
        (format!("{}&code=worthless", install(&state("").await)), refused("INVALID_FIELD")),
        (installed(999_999, &state("acme").await), refused("INSTALLATION_GONE")),
        (
            format!("setup_action=install&state={}", state("acme").await),
            refused("REFUSED_BY_GITHUB"),
        ),
        // "Connect GitHub".
        (format!("error=access_denied&state={cancelled}"), "outcome=cancelled&kind=oauth".into()),
        (
            format!("error=redirect_uri_mismatch&state={mismatch}"),
            "outcome=refused&kind=oauth&reason=REFUSED_BY_GITHUB".into(),
        ),
        (
            format!("code=worthless&state={worthless}"),
            "outcome=refused&kind=oauth&reason=INVALID_FIELD".into(),
        ),
        (format!("state={nothing}"), "outcome=refused&kind=oauth&reason=REFUSED_BY_GITHUB".into()),
        (format!("code={alices}&state={oauth}"), "outcome=connected&kind=oauth".into()),
        // The App.
        (
            format!("setup_action=request&state={}", state("acme").await),
            "outcome=pending&kind=installation".into(),
        ),
        (
            format!("{}&code={owners}", install(&state("").await)),
            "outcome=connected&kind=installation".into(),
        ),
        (install(&other), refused("INSTALLATION_TAKEN")),
        // The same organization as before needs no other proof.
        (install(&state("").await), "outcome=connected&kind=installation".into()),
    ];
    let page = include_str!("../../../docs/connecting.md");
    for (query, expected) in table {
        assert_eq!(told(&world, &query).await, expected, "{query}");
        for (name, word) in url::form_urlencoded::parse(expected.as_bytes()) {
            let named = name == "installation_id" || page.contains(&format!("`{word}`"));
            assert!(named, "{word} is not in docs/connecting.md");
        }
    }
    let counted = counted(&world).await;
    let expected =
        [("cancelled", 1), ("connected", 3), ("pending", 1), ("refused", 14), ("updated", 2)];
    assert_eq!(counted, expected.map(|(outcome, count)| (outcome.to_owned(), count)).into());
    world.finish().await;
}

#[tokio::test]
async fn a_suspended_installation_is_not_connected() {
    let world = world().await;
    world.sim.suspend(INSTALLATION as u64);
    let state = installing(&world, ACCOUNT, "acme").await;
    assert_eq!(
        told(&world, &installed(INSTALLATION, &state)).await,
        "outcome=refused&kind=installation&reason=INSTALLATION_SUSPENDED"
    );
    world.finish().await;
}

#[tokio::test]
async fn while_github_is_down_it_fails_and_the_same_address_works_afterwards() {
    let world = world().await;
    let state = installing(&world, ACCOUNT, "acme").await;
    world.sim.fault(Fault::always("*", DOWN));
    let query = installed(INSTALLATION, &state);
    let failed = "outcome=failed&kind=installation&reason=GITHUB_UNAVAILABLE";
    assert_eq!(told(&world, &query).await, failed);
    world.sim.clear_faults();
    world.advance(std::time::Duration::from_secs(60));
    assert_eq!(told(&world, &query).await, "outcome=connected&kind=installation");
    world.finish().await;
}

#[tokio::test]
async fn the_portals_own_query_is_kept_and_cannot_speak_for_the_broker() {
    let world = world().await;
    let request = ghbroker::proto::BeginInstallationRequest {
        account: ACCOUNT.into(),
        return_url: format!("{PAGE}?customer=7&outcome=connected&reason=%26&x=a%26outcome%3Db"),
        ..Default::default()
    };
    let begun = world.begin_installation(request).await.unwrap();
    let url = landing(&world, &installed(INSTALLATION, &begun.state)).await;
    let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
    let pairs: Vec<(&str, &str)> = pairs.iter().map(|(n, v)| (&**n, &**v)).collect();
    assert_eq!(
        pairs,
        [
            ("customer", "7"),
            ("x", "a&outcome=b"),
            ("outcome", "refused"),
            ("kind", "installation"),
            ("reason", "INSTALLATION_NOT_PROVEN"),
            ("installation_id", "4711"),
        ]
    );
    world.finish().await;
}

#[tokio::test]
async fn without_a_page_of_the_portal_a_sentence_says_it() {
    let callback = "https://broker.example/github/callback";
    let change = move |config: &mut Config| {
        config.connecting.callback_url = Some(callback.parse().unwrap());
    };
    let world = World::configured(change).await;
    let install = |state: &str| installed(INSTALLATION, state);
    let unproven = installing(&world, ACCOUNT, "").await;
    let pending = installing(&world, ACCOUNT, "acme").await;
    let good = installing(&world, ACCOUNT, "acme").await;
    let late = installing(&world, ACCOUNT, "acme").await;
    let (cancelled, _) = connecting(&world, ACCOUNT, "alice").await;
    let update = format!("installation_id={INSTALLATION}&setup_action=update");
    for (query, status, sentence) in [
        (install(&unproven), StatusCode::BAD_REQUEST, "was not connected: the link was used"),
        (update, StatusCode::OK, "noted"),
        (format!("error=access_denied&state={cancelled}"), StatusCode::OK, "as you wished"),
        (format!("setup_action=request&state={pending}"), StatusCode::OK, "has to approve"),
        (install(&good), StatusCode::OK, "GitHub is connected."),
        (install(&good), StatusCode::BAD_REQUEST, "Begin again;"),
    ] {
        let answer = comes(&world, &query).send().await.unwrap();
        assert_eq!(answer.status(), status, "{query}");
        assert_eq!(answer.headers()["content-type"], "text/plain; charset=utf-8");
        assert_eq!(answer.headers()["referrer-policy"], "no-referrer");
        assert_eq!(answer.headers()["cache-control"], "no-store");
        let text = answer.text().await.unwrap();
        assert!(text.contains(sentence), "{text}");
    }
    world.sim.fault(Fault::always("*", DOWN));
    let answer = comes(&world, &install(&late)).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::BAD_GATEWAY);
    assert!(answer.text().await.unwrap().contains("did not answer"));
    world.finish().await;
}
