//! Slow clients, silent ones and many.

use super::*;
use crate::harness::lines::Lines;

/// Waits until the server has closed the connection.
async fn closed(mut stream: impl AsyncReadExt + Unpin) {
    let mut rest = Vec::new();
    // A reset says so as well as an end does.
    drop(stream.read_to_end(&mut rest).await);
}

/// A ping of HTTP/2 with eight bytes that come back.
const PING: &[u8] = b"\0\0\x08\x06\0\0\0\0\0ghbroker";

async fn answers(stream: &mut (impl AsyncReadExt + AsyncWriteExt + Unpin)) -> bool {
    let mut read = Vec::new();
    if stream.write_all(PING).await.is_err() {
        return false;
    }
    while !read.windows(8).any(|part| part == b"ghbroker") {
        if !matches!(stream.read_buf(&mut read).await, Ok(1..)) {
            return false;
        }
    }
    true
}

/// Some patience, short because tests wait for its end.
fn impatient(config: &mut Config) {
    config.limits.handshake_timeout = Duration::from_secs(1);
}

#[tokio::test]
async fn slow_clients_are_let_go_and_hold_up_nobody() {
    let ours = Authority::new("ours");
    let mount = Mount::new();
    mount.publish(&ours.server(), &ours.pem());
    let mut config = mount.config(true);
    impatient(&mut config);
    let broker = Broker::start(config).await;
    let client = Arc::new(client_config(&[&ours], Some(&ours.client(WEB)), &TLS13));

    let mut silent = Vec::new();
    for _ in 0..100 {
        silent.push(broker.connect().await);
    }
    let mut greeted = broker.knock(&client).await.unwrap();
    let without_http = broker.shake_hands(&client).await.unwrap();
    for stream in silent {
        closed(stream).await;
    }
    closed(without_http).await;
    // The patience with this one would have ended before, had it not greeted.
    assert!(answers(&mut greeted).await);
    drop(greeted);
    broker.finish().await;
}

#[tokio::test]
async fn silent_clients_without_tls_are_let_go() {
    let mount = Mount::new();
    mount.publish(&Authority::new("ours").server(), "");
    let mut config = mount.config(false);
    config.tls = None;
    impatient(&mut config);
    let broker = Broker::start(config).await;
    let mut greeted = broker.connect().await;
    greeted.write_all(HELLO).await.unwrap();
    let mut half = broker.connect().await;
    half.write_all(&HELLO[..23]).await.unwrap();
    let silent = broker.connect().await;
    closed(half).await;
    closed(silent).await;
    assert!(answers(&mut greeted).await);
    drop(greeted);
    broker.finish().await;
}

#[tokio::test]
async fn connections_beyond_the_limit_wait_for_a_place() {
    let ours = Authority::new("ours");
    let mount = Mount::new();
    mount.publish(&ours.server(), &ours.pem());
    let mut config = mount.config(true);
    config.limits.connections = 2;
    let (lines, _guard) = Lines::watch();
    let broker = Broker::start(config).await;
    let client = Arc::new(client_config(&[&ours], Some(&ours.client(WEB)), &TLS13));
    let mut first = broker.knock(&client).await.unwrap();
    let second = broker.knock(&client).await.unwrap();
    let mut third = Box::pin(broker.knock(&client));
    for _ in 0..100 {
        // What has a place is served; a handshake is over after far fewer turns.
        tokio::select! {
            biased;
            _ = &mut third => panic!("a third place"),
            answered = answers(&mut first) => assert!(answered),
        }
    }
    let probe = harness::connect(&broker.health).await;
    assert_eq!(health(probe, "").await, Ok(ServingStatus::Serving));
    drop(second);
    let mut third = third.await.unwrap();
    assert!(answers(&mut first).await && answers(&mut third).await);
    let full = lines.all("all places are taken: new connections wait for one");
    assert_eq!(full.len(), 1, "said when it begins: {full:?}");
    drop((first, third));
    broker.finish().await;
}

#[tokio::test]
async fn the_limits_of_a_connection_are_those_of_the_configuration() {
    let mount = Mount::new();
    mount.publish(&Authority::new("ours").server(), "");
    let mut config = mount.config(false);
    config.tls = None;
    (config.limits.streams_per_connection, config.limits.header_list_bytes) = (7, 5000);
    let broker = Broker::start(config).await;
    let mut stream = broker.connect().await;
    stream.write_all(HELLO).await.unwrap();
    let mut head = [0; 9];
    stream.read_exact(&mut head).await.unwrap();
    assert_eq!(head[3], 4, "settings come first");
    let mut settings = vec![0; usize::from(head[2])];
    stream.read_exact(&mut settings).await.unwrap();
    let setting = |id: u8| settings.chunks(6).find(|setting| setting[..2] == [0, id]).unwrap();
    assert_eq!(setting(3)[2..], 7_u32.to_be_bytes(), "SETTINGS_MAX_CONCURRENT_STREAMS");
    assert_eq!(setting(6)[2..], 5000_u32.to_be_bytes(), "SETTINGS_MAX_HEADER_LIST_SIZE");
    drop(stream);
    broker.finish().await;
}

/// Types of the frames that the server sends to a client that greets and then says nothing, until it closes the connection.
async fn frames_to_a_silent_client(change: fn(&mut Config)) -> Vec<u8> {
    let mount = Mount::new();
    mount.publish(&Authority::new("ours").server(), "");
    let mut config = mount.config(false);
    config.tls = None;
    change(&mut config);
    let broker = Broker::start(config).await;
    let mut stream = broker.connect().await;
    stream.write_all(HELLO).await.unwrap();
    let (mut types, mut head) = (Vec::new(), [0; 9]);
    while stream.read_exact(&mut head).await.is_ok() {
        types.push(head[3]);
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; usize::try_from(length).unwrap()];
        stream.read_exact(&mut payload).await.unwrap();
    }
    broker.finish().await;
    types
}

/// Frame types of HTTP/2.
const PINGED: u8 = 6;
const GO_AWAY: u8 = 7;

#[tokio::test]
async fn a_client_that_does_not_answer_is_taken_for_dead() {
    let types = frames_to_a_silent_client(|config| {
        config.limits.keepalive_interval = Duration::from_millis(50);
        config.limits.keepalive_timeout = Duration::from_millis(50);
    });
    let types = types.await;
    assert!(types.contains(&PINGED), "{types:?}");
}

#[tokio::test]
async fn a_connection_is_ended_in_order_at_its_age() {
    let types = frames_to_a_silent_client(|config| {
        config.limits.connection_age = Duration::from_millis(50);
        // What has to end it in the end: a client that is asked to leave and does not.
        config.limits.keepalive_interval = Duration::from_millis(500);
        config.limits.keepalive_timeout = Duration::from_millis(50);
    });
    let types = types.await;
    let first = types.iter().find(|kind| [PINGED, GO_AWAY].contains(kind));
    assert_eq!(first, Some(&GO_AWAY), "{types:?}");
}
