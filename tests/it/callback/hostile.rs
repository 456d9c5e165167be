//! Addresses that GitHub would not have made: nobody is sent anywhere but to the portal, and nothing is believed.

use reqwest::StatusCode;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{
    OTHER_PAGE, PAGE, comes, connecting, installed, installing, is_connected, landing, told, world,
};
use crate::harness::{ACCOUNT, INSTALLATION, World};

#[tokio::test]
async fn nobody_is_sent_anywhere_but_to_the_portal() {
    let world = world().await;
    let state = installing(&world, ACCOUNT, "").await;
    let (oauth, _) = connecting(&world, ACCOUNT, "alice").await;
    let elsewhere = ["https://evil.example/", "//evil.example/", "javascript:alert(1)", OTHER_PAGE];
    let names = ["return_url", "redirect", "redirect_uri", "redirect_to", "next", "url", "page"];
    let mut queries = Vec::new();
    for name in names {
        for url in elsewhere {
            queries.push(format!("{name}={url}"));
            queries.push(format!("{}&{name}={url}", installed(INSTALLATION, &state)));
            queries.push(format!("error=nonsense{name}&state={oauth}&{name}={url}"));
        }
    }
    queries.extend(elsewhere.map(|url| format!("state={url}&code={url}&error={url}")));
    queries.extend([
        "state=%0d%0aLocation:%20https://evil.example/".into(),
        "installation_id=1%0d%0aLocation:%20https://evil.example/&setup_action=update".into(),
        "installation_id=7&setup_action=update&installation_id=https://evil.example".into(),
        "setup_action=update&installation_id=7&outcome=connected&reason=x&kind=y".into(),
    ]);
    for query in queries {
        let request = comes(&world, &query)
            .header("host", "evil.example")
            .header("x-forwarded-host", "evil.example")
            .header("referer", "https://evil.example/")
            .header("origin", "https://evil.example");
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::SEE_OTHER, "{query}");
        let url = super::location(&answer);
        let told = url.as_str().strip_prefix(&format!("{PAGE}?outcome="));
        assert!(told.is_some_and(|told| !told.contains("evil")), "{query}: {url}");
        assert!(!url.as_str().contains("outcome=connected"), "{query}: {url}");
        assert_eq!(answer.headers().get_all("location").iter().count(), 1);
    }
    assert!(!is_connected(&world).await);
    world.finish().await;
}

#[tokio::test]
async fn the_next_page_learns_nothing_and_nothing_is_kept() {
    let world = world().await;
    let state = installing(&world, ACCOUNT, "acme").await;
    let answer = comes(&world, &installed(INSTALLATION, &state)).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    for (name, value) in [
        ("cache-control", "no-store"),
        ("referrer-policy", "no-referrer"),
        ("x-content-type-options", "nosniff"),
    ] {
        assert_eq!(answer.headers()[name], value);
    }
    assert!(answer.headers().get("set-cookie").is_none());
    assert_eq!(answer.text().await.unwrap(), "");
    world.finish().await;
}

#[tokio::test]
async fn a_state_is_for_what_it_was_begun_for() {
    let world = world().await;
    let installation = installing(&world, ACCOUNT, "acme").await;
    let (oauth, code) = connecting(&world, ACCOUNT, "alice").await;
    // Each where the other belongs.
    let told = async |query: &str| told(&world, query).await;
    assert_eq!(
        told(&format!("code={code}&state={installation}")).await,
        "outcome=refused&kind=installation&reason=REFUSED_BY_GITHUB"
    );
    assert_eq!(
        told(&installed(INSTALLATION, &oauth)).await,
        "outcome=refused&kind=oauth&reason=REFUSED_BY_GITHUB"
    );
    assert!(!is_connected(&world).await);
    world.finish().await;
}

#[tokio::test]
async fn parameters_that_are_doubled_too_long_or_no_text_are_worth_nothing() {
    let world = world().await;
    let (long, zeros) = ("x".repeat(1025), "0".repeat(32));
    // GOOD and STATE are of a state of its own each time: one that was brought back with nothing to finish is used up.
    for query in [
        // Said twice: neither counts.
        format!("GOOD&state={zeros}"),
        format!("state={zeros}&GOOD"),
        "GOOD&installation_id=1".into(),
        "installation_id=1&GOOD".into(),
        format!("GOOD&code={long}&code=x"),
        format!("installation_id={INSTALLATION}&setup_action=install&state={long}"),
        format!("installation_id={INSTALLATION}&setup_action=install&state=STATE%00"),
        format!("installation_id={INSTALLATION}&setup_action=install&state=%20STATE"),
        format!("installation_id={INSTALLATION}&setup_action=install&state=STATEx"),
        format!("installation_id=-{INSTALLATION}&setup_action=install&state=STATE"),
        "installation_id=99999999999999999999&setup_action=install&state=STATE".into(),
        format!("installation_id={INSTALLATION}.0&setup_action=install&state=STATE"),
        "setup_action=install&state=STATE&installation_id".into(),
        "%ff%fe=%ff&&&==&=".into(),
    ] {
        let state = installing(&world, ACCOUNT, "acme").await;
        let good = installed(INSTALLATION, &state);
        let query = query.replace("GOOD", &good).replace("STATE", &state);
        let url = landing(&world, &query).await;
        assert!(url.as_str().starts_with(&format!("{PAGE}?outcome=refused")), "{query}: {url}");
        assert!(!is_connected(&world).await, "{query}");
    }
    let good = installed(INSTALLATION, &installing(&world, ACCOUNT, "acme").await);
    assert_eq!(told(&world, &good).await, "outcome=connected&kind=installation");
    world.finish().await;
}

/// What comes back for these very bytes.
async fn raw(world: &World, request: &str) -> String {
    let mut stream = TcpStream::connect(world.http.trim_start_matches("http://")).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    drop(stream.read_to_end(&mut answer).await);
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn odd_requests_get_an_answer_and_no_connection() {
    let world = world().await;
    let state = installing(&world, ACCOUNT, "acme").await;
    let good = installed(INSTALLATION, &state);
    let head = "HTTP/1.1\r\nhost: broker\r\n\r\n";
    for (request, status) in [
        (format!("POST /github/callback?{good} {head}"), "405"),
        (format!("PUT /github/callback?{good} {head}"), "405"),
        (format!("GET /github/callback/?{good} {head}"), "404"),
        (format!("GET //github/callback?{good} {head}"), "404"),
        (format!("GET /github/callback?{}{good} {head}", "x".repeat(100_000)), "4"),
    ] {
        let answer = raw(&world, &request).await;
        assert!(answer.is_empty() || answer.starts_with(&format!("HTTP/1.1 {status}")), "{answer}");
    }
    assert!(!is_connected(&world).await);
    world.finish().await;
}
