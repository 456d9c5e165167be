//! Who is not GitHub is told so, and nothing follows; what is not followed is taken and left.

use std::time::Duration;

use ghbroker::{auth::WebhookSecrets, proto::ConnectionStatus};
use reqwest::{Client, StatusCode};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{Delivery, deliveries, status};
use crate::harness::World;

/// Largest body that is read.
const LARGEST: usize = 8 * 1024 * 1024;

async fn nothing_stored(world: &World) {
    let stored = world.stored().await;
    assert!(!stored.iter().any(|row| row.starts_with("deliveries ")), "{stored:#?}");
}

#[tokio::test]
async fn what_is_not_signed_with_the_secret_is_forged() {
    let world = World::connected().await;
    let good = Delivery::installation("deleted");
    let signature = good.signature();
    let other = Delivery { secret: "other".into(), ..good.clone() }.signature();
    let without = ["", "sha256=", &signature[7..], &signature[..70], &other];
    for forged in without {
        let mut request = good.request(&world.http).build().unwrap();
        request.headers_mut().insert("x-hub-signature-256", forged.parse().unwrap());
        let answer = Client::new().execute(request).await.unwrap();
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "{forged}");
        let text = answer.text().await.unwrap();
        assert!(text.contains("compare [webhooks] with the App's settings"), "{text}");
    }
    let mut request = good.request(&world.http).build().unwrap();
    request.headers_mut().remove("x-hub-signature-256");
    let answer = Client::new().execute(request).await.unwrap();
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    // Signed, and then changed.
    let mut request = good.request(&world.http).build().unwrap();
    *request.body_mut() = Some([good.body.clone(), b" ".to_vec()].concat().into());
    let answer = Client::new().execute(request).await.unwrap();
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);

    assert_eq!(deliveries(&world, "forged").await, without.len() as u64 + 2);
    assert_eq!(deliveries(&world, "accepted").await, 0);
    nothing_stored(&world).await;
    assert_eq!(status(&world).await, ConnectionStatus::Active);
}

#[tokio::test]
async fn who_cannot_sign_learns_nothing_of_what_else_is_wrong() {
    let world = World::start().await;
    let delivery = Delivery {
        event: "no event".into(),
        id: "?".into(),
        body: b"{".to_vec(),
        secret: "other".into(),
    };
    assert_eq!(delivery.send(&world.http).await, StatusCode::UNAUTHORIZED);
    assert_eq!(deliveries(&world, "malformed").await, 0);
}

#[tokio::test]
async fn a_delivery_is_taken_once() {
    let world = World::start().await;
    let delivery = Delivery::installation("suspend");
    delivery.taken(&world.http).await;
    assert_eq!(delivery.send(&world.http).await, StatusCode::CONFLICT);
    // Whatever it has in it now.
    let other = Delivery { id: delivery.id, ..Delivery::installation("deleted") };
    assert_eq!(other.send(&world.http).await, StatusCode::CONFLICT);
    assert_eq!(deliveries(&world, "accepted").await, 1);
    assert_eq!(deliveries(&world, "replayed").await, 2);
}

#[tokio::test]
async fn what_is_not_githubs_message_is_malformed() {
    let world = World::start().await;
    let good = Delivery::installation("suspend");
    let mut count = 0;
    for (delivery, why) in [
        (Delivery { body: b"{\"action\":".to_vec(), ..good.clone() }, "no JSON"),
        (Delivery { body: b"".to_vec(), ..good.clone() }, "empty"),
        (
            Delivery { body: b"[]".to_vec(), event: "installation".into(), ..good.clone() },
            "no object",
        ),
        (
            Delivery { body: [0xff, 0xfe].to_vec(), event: "ping".into(), ..good.clone() },
            "no UTF-8",
        ),
        (Delivery::new("installation", &json!({"action": "deleted"})), "no installation"),
        (Delivery { id: "".into(), ..good.clone() }, "no id"),
        (Delivery { id: "a b".into(), ..good.clone() }, "an id with a space"),
        (Delivery { id: "x".repeat(65), ..good.clone() }, "a long id"),
        (Delivery { event: "Installation".into(), ..good.clone() }, "no such name"),
        (Delivery { event: "x".repeat(65), ..good.clone() }, "a long name"),
    ] {
        assert_eq!(delivery.send(&world.http).await, StatusCode::BAD_REQUEST, "{why}");
        count += 1;
        assert_eq!(deliveries(&world, "malformed").await, count, "{why}");
    }
    for header in ["x-github-event", "x-github-delivery"] {
        let mut request = good.request(&world.http).build().unwrap();
        request.headers_mut().remove(header);
        let answer = Client::new().execute(request).await.unwrap();
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{header}");
    }
    nothing_stored(&world).await;
}

#[tokio::test]
async fn a_form_is_refused_with_what_to_set() {
    let world = World::start().await;
    let delivery = Delivery::installation("suspend");
    for kind in ["application/x-www-form-urlencoded", "text/plain", ""] {
        let mut request = delivery.request(&world.http).build().unwrap();
        request.headers_mut().insert("content-type", kind.parse().unwrap());
        let answer = Client::new().execute(request).await.unwrap();
        assert_eq!(answer.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
        assert!(answer.text().await.unwrap().contains("content type to application/json"));
    }
    let mut request = delivery.request(&world.http).build().unwrap();
    let kind = "Application/JSON; charset=utf-8".parse().unwrap();
    request.headers_mut().insert("content-type", kind);
    let answer = Client::new().execute(request).await.unwrap();
    assert_eq!(answer.status(), StatusCode::ACCEPTED);
}

/// Writes bytes of HTTP/1.1 and returns the first line of the answer.
async fn raw(world: &World, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(world.http.trim_start_matches("http://")).await.unwrap();
    stream.write_all(request).await.unwrap();
    let mut answer = Vec::new();
    while !answer.contains(&b'\n') {
        let read = stream.read_buf(&mut answer).await.unwrap();
        assert!(read > 0, "closed without an answer");
    }
    String::from_utf8(answer).unwrap().lines().next().unwrap().to_owned()
}

#[tokio::test]
async fn what_is_too_large_is_refused_before_it_is_read() {
    let world = World::start().await;
    let head = "POST /webhooks/github HTTP/1.1\r\nhost: broker\r\n";
    // Only the head is sent.
    let told = format!("{head}content-length: {}\r\n\r\n", LARGEST + 1);
    assert_eq!(raw(&world, told.as_bytes()).await, "HTTP/1.1 413 Payload Too Large");
    // Its length is not told, and its end never comes.
    let untold = format!("{head}transfer-encoding: chunked\r\n\r\n{:x}\r\n", LARGEST + 1);
    let untold = [untold.into_bytes(), vec![b' '; LARGEST + 1]].concat();
    assert_eq!(raw(&world, &untold).await, "HTTP/1.1 413 Payload Too Large");
    assert_eq!(deliveries(&world, "oversized").await, 2);

    let mut largest = Delivery::installation("suspend");
    largest.body.resize(LARGEST, b' ');
    largest.taken(&world.http).await;
}

#[tokio::test]
async fn what_would_take_too_much_memory_is_put_off() {
    let world = World::start().await;
    let head = "POST /webhooks/github HTTP/1.1\r\nhost: broker\r\n";
    let mut slow = Vec::new();
    // There is room for eight. Nobody else comes meanwhile, who could take the place of one of these.
    for _ in 0..9 {
        let mut stream =
            TcpStream::connect(world.http.trim_start_matches("http://")).await.unwrap();
        let part = format!("{head}content-length: {LARGEST}\r\n\r\n").into_bytes();
        let part = [part, vec![b' '; LARGEST - 1]].concat();
        // One that is put off is closed before it has said all.
        drop(stream.write_all(&part).await);
        slow.push(stream);
    }
    world.until(async || (deliveries(&world, "busy").await > 0).then_some(())).await;
    // They go, and there is room again.
    drop(slow);
    let delivery = Delivery::installation("suspend");
    let taken = async || {
        let another = Delivery { id: uuid::Uuid::now_v7().to_string(), ..delivery.clone() };
        (another.send(&world.http).await == StatusCode::ACCEPTED).then_some(())
    };
    world.until(taken).await;
}

#[tokio::test]
async fn what_is_not_followed_is_taken_and_left() {
    let world = World::start().await;
    for (event, body) in [
        ("ping", json!({"zen": "Design for failure."})),
        ("issues", json!({"action": "opened", "installation": {"id": 1}})),
        ("installation", json!({"action": "unheard_of"})),
        ("repository", json!({"action": "edited"})),
        ("what_github_may_invent", json!([])),
    ] {
        Delivery::new(event, &body).taken(&world.http).await;
    }
    assert_eq!(deliveries(&world, "ignored").await, 5);
    assert_eq!(deliveries(&world, "accepted").await, 0);
    nothing_stored(&world).await;
}

#[tokio::test]
async fn a_secret_can_be_changed_without_a_gap() {
    let world = World::configured(|config| {
        config.webhooks = Some(WebhookSecrets::new([&b"new"[..], b"old"]));
    })
    .await;
    for (secret, answer) in [
        ("old", StatusCode::ACCEPTED),
        ("new", StatusCode::ACCEPTED),
        ("older", StatusCode::UNAUTHORIZED),
        ("newold", StatusCode::UNAUTHORIZED),
    ] {
        let delivery = Delivery { secret: secret.into(), ..Delivery::installation("suspend") };
        assert_eq!(delivery.send(&world.http).await, answer, "{secret}");
    }
}

#[tokio::test]
async fn without_a_secret_nothing_is_taken() {
    let world = World::configured(|config| config.webhooks = None).await;
    for secret in ["", "webhook-secret"] {
        let delivery = Delivery { secret: secret.into(), ..Delivery::installation("suspend") };
        assert_eq!(delivery.send(&world.http).await, StatusCode::NOT_FOUND);
    }
    nothing_stored(&world).await;
}

#[tokio::test]
async fn every_answer_is_for_programs_and_for_once() {
    let world = World::start().await;
    let client = Client::new();
    let url = |path| format!("{}{path}", world.http);
    for (request, status) in [
        (client.get(url("/metrics")), StatusCode::OK),
        (client.post(url("/metrics")), StatusCode::METHOD_NOT_ALLOWED),
        (client.get(url("/webhooks/github")), StatusCode::METHOD_NOT_ALLOWED),
        (client.post(url("/webhooks/github")), StatusCode::UNAUTHORIZED),
        (client.get(url("/")), StatusCode::NOT_FOUND),
        (client.get(url("/webhooks/github/")), StatusCode::NOT_FOUND),
        (client.get(url("/metrics/../etc")), StatusCode::NOT_FOUND),
    ] {
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), status);
        let header = |name| answer.headers()[name].to_str().unwrap().to_owned();
        assert_eq!(header("cache-control"), "no-store");
        assert_eq!(header("x-content-type-options"), "nosniff");
        let kind = if status == StatusCode::OK {
            "application/openmetrics-text"
        } else {
            "application/json"
        };
        assert!(header("content-type").starts_with(kind), "{}", header("content-type"));
    }
}

/// With the database away, the delivery fails at GitHub, where somebody can send it again.
mod postgres {
    use sqlx::{Connection, PgConnection};

    use super::*;

    #[tokio::test]
    async fn without_the_database_nothing_is_taken() {
        let world = World::start_on_postgres().await;
        // It serves, and so is done with its start.
        assert_eq!(deliveries(&world, "accepted").await, 0);
        // Of the form postgres:///NAME?host=...
        let (_, rest) = world.database_url().split_once(":///").unwrap();
        let (database, server) = rest.split_once('?').unwrap();
        let elsewhere = format!("postgres:///postgres?{server}");
        let mut admin = PgConnection::connect(&elsewhere).await.unwrap();
        let mut run = async |sql: String| {
            sqlx::query(sqlx::AssertSqlSafe(sql)).execute(&mut admin).await.unwrap();
        };
        run(format!("ALTER DATABASE {database} ALLOW_CONNECTIONS false")).await;
        run(format!(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database}'"
        ))
        .await;
        let delivery = Delivery::installation("suspend");
        assert_eq!(delivery.send(&world.http).await, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(deliveries(&world, "unavailable").await, 1);

        run(format!("ALTER DATABASE {database} ALLOW_CONNECTIONS true")).await;
        let redelivered =
            async || (delivery.send(&world.http).await == StatusCode::ACCEPTED).then_some(());
        world.until(redelivered).await;
        assert_eq!(deliveries(&world, "accepted").await, 1);
        world.advance(Duration::from_secs(5));
        world
            .until(async || {
                (super::super::events(&world, "installation", "done").await == 1).then_some(())
            })
            .await;
    }
}

/// The name of the event is not signed: whoever has the body of one can send it as another.
#[tokio::test]
async fn what_was_signed_for_another_event_uninstalls_nothing() {
    let world = World::connected().await;
    let of_a_label = Delivery::new(
        "label",
        &json!({
            "action": "deleted", "label": {"id": 1, "name": "old"},
            "installation": {"id": crate::harness::INSTALLATION, "node_id": "x"},
        }),
    );
    of_a_label.taken(&world.http).await;
    for event in ["installation", "installation_repositories"] {
        let id = uuid::Uuid::now_v7().to_string();
        let replayed = Delivery { event: event.into(), id, ..of_a_label.clone() };
        let answered = replayed.send(&world.http).await;
        let expected = if event == "installation" {
            StatusCode::BAD_REQUEST
        } else {
            // An action that is not followed.
            StatusCode::ACCEPTED
        };
        assert_eq!(answered, expected, "{event}");
    }
    nothing_stored(&world).await;
    assert_eq!(status(&world).await, ConnectionStatus::Active);
}
