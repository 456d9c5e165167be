//! Clients that only hold on to what they have: the port stays open for GitHub, and the broker can stop.

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{Delivery, deliveries};
use crate::harness::World;

async fn connect(world: &World) -> TcpStream {
    TcpStream::connect(world.http.trim_start_matches("http://")).await.unwrap()
}

#[tokio::test]
async fn a_silent_connection_does_not_keep_the_broker_from_stopping() {
    let mut world = World::start().await;
    let mut half = connect(&world).await;
    half.write_all(b"POST /webhooks/github HTTP/1.1\r\nhost: br").await.unwrap();
    let silent = connect(&world).await;
    // Both are there: one that came after them is served.
    Delivery::installation("suspend").taken(&world.http).await;
    world.stop().await.unwrap();
    for mut stream in [half, silent] {
        let mut rest = Vec::new();
        // Closed, in order or not.
        drop(stream.read_to_end(&mut rest).await);
        assert!(!rest.starts_with(b"HTTP/1.1 2"), "{rest:?}");
    }
}

#[tokio::test]
async fn a_connection_ends_with_its_answer() {
    let world = World::start().await;
    let mut stream = connect(&world).await;
    stream.write_all(b"GET /metrics HTTP/1.1\r\nhost: broker\r\n\r\nGET /metrics HTTP/1.1\r\nhost: broker\r\n\r\n").await.unwrap();
    let mut answers = Vec::new();
    drop(stream.read_to_end(&mut answers).await);
    let answers = String::from_utf8(answers).unwrap();
    assert_eq!(answers.matches("HTTP/1.1 200").count(), 1);
    assert!(answers.contains("connection: close"), "{answers}");
}

#[tokio::test]
async fn a_large_head_is_refused() {
    let world = World::start().await;
    let mut stream = connect(&world).await;
    let head =
        format!("GET /metrics HTTP/1.1\r\nhost: broker\r\nx: {}\r\n\r\n", "x".repeat(64 * 1024));
    // It may be closed before all of it is written.
    drop(stream.write_all(head.as_bytes()).await);
    let mut answer = Vec::new();
    drop(stream.read_to_end(&mut answer).await);
    assert!(!String::from_utf8_lossy(&answer).contains("HTTP/1.1 200"));
    Delivery::installation("suspend").taken(&world.http).await;
    assert_eq!(deliveries(&world, "accepted").await, 1);
}
