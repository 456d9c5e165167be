//! Files that change while serving.

use rustls::HandshakeKind;
use tokio::sync::watch;

use super::*;
use crate::harness::lines::Lines;

/// A caller that calls and calls, on a connection that it keeps and on a new one each time.
struct Caller {
    calls: watch::Receiver<usize>,
    stop: watch::Sender<bool>,
    running: JoinHandle<Result<(), String>>,
}

impl Caller {
    fn start(port: u16, authorities: &str, issued: Issued) -> Self {
        let (count, calls) = watch::channel(0);
        let (stop, stopped) = watch::channel(false);
        let authorities = authorities.to_owned();
        let running = async move {
            let connect = async || {
                let channel = channel(port, &authorities, &issued).await;
                channel.map_err(|error| format!("{error:?}"))
            };
            let kept = connect().await?;
            while !*stopped.borrow() {
                for channel in [kept.clone(), connect().await?] {
                    call(channel).await.map_err(|status| format!("{status:?}"))?;
                }
                count.send_modify(|count| *count += 1);
            }
            Ok(())
        };
        Self { calls, stop, running: tokio::spawn(running) }
    }

    /// Waits for some calls from now on. They, too, may have failed: only [`Self::finish`] says so.
    async fn call_on(&mut self) {
        let enough = *self.calls.borrow() + 3;
        drop(self.calls.wait_for(|count| *count >= enough).await);
    }

    async fn finish(self) {
        self.stop.send_replace(true);
        assert_eq!(self.running.await.unwrap(), Ok(()));
    }
}

async fn call_on(callers: &mut [Caller]) {
    for caller in callers {
        caller.call_on().await;
    }
}

#[tokio::test]
async fn certificates_and_authorities_change_under_load_with_no_failed_call() {
    let (old, new) = (Authority::new("old"), Authority::new("new"));
    let both = format!("{}{}", old.pem(), new.pem());
    let mount = Mount::new();
    mount.publish(&old.server(), &old.pem());
    let broker = Broker::start(mount.config(true)).await;
    let start = |authority: &Authority| -> Vec<Caller> {
        (0..4).map(|_| Caller::start(broker.port, &both, authority.client(WEB))).collect()
    };
    let of_old = Arc::new(client_config(&[&old, &new], Some(&old.client(WEB)), &TLS13));
    let of_new = Arc::new(client_config(&[&old, &new], Some(&new.client(WEB)), &TLS13));

    let mut old_callers = start(&old);
    call_on(&mut old_callers).await;
    assert!(broker.knock(&of_new).await.is_err());
    let server = new.server();
    mount.publish(&server, &both);
    broker.until_it_shows(&server, &of_old).await;
    let mut new_callers = start(&new);
    call_on(&mut old_callers).await;
    call_on(&mut new_callers).await;
    for caller in old_callers {
        caller.finish().await;
    }
    let server = new.server();
    mount.publish(&server, &new.pem());
    broker.until_it_shows(&server, &of_new).await;
    call_on(&mut new_callers).await;
    for caller in new_callers {
        caller.finish().await;
    }
    assert!(broker.knock(&of_old).await.is_err());
    broker.finish().await;
}

#[tokio::test]
async fn a_session_of_a_removed_authority_is_not_resumed() {
    for version in [&TLS12, &TLS13] {
        let (old, new) = (Authority::new("old"), Authority::new("new"));
        let mount = Mount::new();
        mount.publish(&old.server(), &old.pem());
        let broker = Broker::start(mount.config(true)).await;
        let client = |authority: &Authority| {
            Arc::new(client_config(&[&old, &new], Some(&authority.client(WEB)), version))
        };
        let (of_old, of_new) = (client(&old), client(&new));
        let mut kinds = Vec::new();
        for _ in 0..2 {
            let stream = broker.knock(&of_old).await.unwrap();
            kinds.push(stream.get_ref().1.handshake_kind().unwrap());
        }
        assert_eq!(kinds, [HandshakeKind::Full, HandshakeKind::Resumed]);
        let server = new.server();
        mount.publish(&server, &new.pem());
        broker.until_it_shows(&server, &of_new).await;
        assert!(broker.knock(&of_old).await.is_err(), "{version:?}");
        broker.knock(&of_new).await.unwrap();
        broker.finish().await;
    }
}

const REPORT: &str = "changed files cannot be used; what was in force before stays in force";

#[tokio::test]
async fn broken_files_are_reported_and_what_was_in_force_stays() {
    let ours = Authority::new("ours");
    let (first, second) = (ours.server(), ours.server());
    let client = Arc::new(client_config(&[&ours], Some(&ours.client(WEB)), &TLS13));
    let mount = Mount::new();
    mount.publish(&first, &ours.pem());
    let broker = Broker::start(mount.config(true)).await;
    broker.knock(&client).await.unwrap();
    let (lines, _guard) = Lines::watch();
    let secret = "c2VjcmV0";
    let broken = [
        (Issued { certificate: "gone".into(), ..second.clone() }, ours.pem(), "tls.crt"),
        (
            Issued { key: format!("-----BEGIN PRIVATE KEY\n{secret}"), ..second.clone() },
            ours.pem(),
            "tls.key",
        ),
        (second.clone(), String::new(), "ca.crt"),
        (Issued { key: first.key.clone(), ..second.clone() }, ours.pem(), "do not go together"),
    ];
    for (at, (server, client_ca, said)) in broken.into_iter().enumerate() {
        mount.publish(&server, &client_ca);
        let reported = async || lines.all(REPORT).get(at).cloned();
        let report = broker.until(reported).await;
        assert!(report.contains("\"level\":\"ERROR\"") && report.contains(said), "{report}");
        assert!(!report.contains(secret), "{report}");
        let stream = broker.knock(&client).await.unwrap();
        assert_eq!(shown(&stream), first.der(), "{said}");
    }
    mount.publish(&second, &ours.pem());
    broker.until_it_shows(&second, &client).await;
    lines.find("changed files are in force");
    assert_eq!(lines.all(REPORT).len(), 4, "each is reported once");
    broker.finish().await;
}

#[tokio::test]
async fn a_certificate_may_come_before_its_key() {
    let ours = Authority::new("ours");
    let (first, second) = (ours.server(), ours.server());
    let client = Arc::new(client_config(&[&ours], Some(&ours.client(WEB)), &TLS13));
    let mount = Mount::new();
    mount.publish(&first, &ours.pem());
    let broker = Broker::start(mount.config(true)).await;
    broker.knock(&client).await.unwrap();
    let (lines, _guard) = Lines::watch();
    fs::write(mount.path("tls.crt"), &second.certificate).unwrap();
    broker.until(async || lines.all(REPORT).pop()).await;
    assert_eq!(shown(&broker.knock(&client).await.unwrap()), first.der());
    fs::write(mount.path("tls.key"), &second.key).unwrap();
    broker.until_it_shows(&second, &client).await;
    broker.finish().await;
}
