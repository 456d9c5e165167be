//! What a certificate proves, and for how long.

use arc_swap::ArcSwap;
use ghbroker::{
    auth::{PeerCertificate, Refused, Tls, TlsFiles},
    domain::SystemClock,
};
use rcgen::{CustomExtension, SanType};

use super::*;

fn tls(authority: &Authority) -> Tls {
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
    let mount = Mount::new();
    mount.publish(&authority.server(), &authority.pem());
    let files = TlsFiles {
        certificate: mount.path("tls.crt"),
        private_key: mount.path("tls.key"),
        client_ca: Some(mount.path("ca.crt")),
    };
    files.load(Arc::new(SystemClock)).unwrap()
}

fn peer(issued: &Issued, tls: &Arc<ArcSwap<Tls>>) -> PeerCertificate {
    PeerCertificate::new(vec![issued.der()], tls.clone()).unwrap()
}

#[test]
fn a_caller_is_the_one_spiffe_id_of_its_certificate() {
    let ours = Authority::new("ours");
    let tls = Arc::new(ArcSwap::from_pointee(tls(&ours)));
    let identity = |issued: &Issued| peer(issued, &tls).identity(START);
    assert_eq!(identity(&ours.client(WEB)).unwrap().as_str(), WEB);
    let mut with_host = pki::client(&[WEB]);
    with_host.subject_alt_names.push(SanType::DnsName("web".try_into().unwrap()));
    assert_eq!(identity(&ours.issue(with_host)).unwrap().as_str(), WEB);
    for uris in [
        &[][..],
        &[WEB, "spiffe://example.org/other"],
        &[WEB, WEB],
        &[WEB, "https://example.org/web"],
        &["https://example.org/web"],
        &["spiffe://example.org"],
        &["spiffe://example.org/web/"],
        &[""],
    ] {
        let refused = identity(&ours.issue(pki::client(uris)));
        assert_eq!(refused, Err(Refused::NotOneSpiffeId), "{uris:?}");
    }
}

/// Names of a certificate, written by hand: the good URI, and something.
fn names_with(something: &[u8]) -> rcgen::CertificateParams {
    let mut names = vec![0x86, WEB.len() as u8];
    names.extend_from_slice(WEB.as_bytes());
    names.extend_from_slice(something);
    let der = [&[0x30, names.len() as u8], &names[..]].concat();
    let mut params = pki::client(&[]);
    params.custom_extensions = vec![CustomExtension::from_oid_content(&[2, 5, 29, 17], der)];
    params
}

#[test]
fn a_second_uri_that_cannot_be_read_is_one_all_the_same() {
    let ours = Authority::new("ours");
    let tls = Arc::new(ArcSwap::from_pointee(tls(&ours)));
    let identity =
        |something: &[u8]| peer(&ours.issue(names_with(something)), &tls).identity(START);
    assert_eq!(identity(&[]).unwrap().as_str(), WEB);
    assert_eq!(identity(&[0x82, 1, b'a']).unwrap().as_str(), WEB, "a host's name is no URI");
    for (bad, why) in [
        (&[0x86, 2, 0xff, 0xfe][..], "not UTF-8"),
        (&[0x86, 0], "empty"),
        (&[0xa6, 3, 0x0c, 1, b'x'], "in pieces"),
        (&[0x9f, 0x06, 1, b'x', 0x86, 1, b'x'], "after a name of no known kind"),
        (&[0x86, 9, b'x'], "cut short"),
    ] {
        assert_eq!(identity(bad), Err(Refused::NotOneSpiffeId), "{why}");
    }
}

#[test]
fn a_certificate_works_no_longer_than_a_minute_after_its_end() {
    let ours = Authority::new("ours");
    let tls = Arc::new(ArcSwap::from_pointee(tls(&ours)));
    let mut params = pki::client(&[WEB]);
    (params.not_before, params.not_after) = (START, START + Duration::from_secs(60));
    let peer = peer(&ours.issue(params), &tls);
    let at = |seconds| peer.identity(START + Duration::from_secs(seconds)).is_ok();
    assert!(at(30));
    assert!(at(89), "the answer of 59 s ago");
    assert!(!at(90));
    assert!(at(30), "an answer from the future is none");
}

#[test]
fn a_resumed_session_is_verified_at_its_first_call() {
    let ours = Authority::new("ours");
    let tls = Arc::new(ArcSwap::from_pointee(tls(&ours)));
    let mut params = pki::client(&[WEB]);
    (params.not_before, params.not_after) = (START, START + Duration::from_secs(60));
    let issued = ours.issue(params);
    // A session that is resumed brings the chain of the first handshake, and nobody looks at it.
    let resumed = peer(&issued, &tls).identity(START + Duration::from_secs(61));
    assert_eq!(resumed, Err(Refused::CertificateNotTrusted));
}

#[test]
fn an_open_connection_ends_with_its_authority_and_not_before() {
    let (ours, others) = (Authority::new("ours"), Authority::new("others"));
    let in_force = Arc::new(ArcSwap::from_pointee(tls(&ours)));
    let peer = peer(&ours.client(WEB), &in_force);
    peer.identity(START).unwrap();
    in_force.store(Arc::new(tls(&ours)));
    peer.identity(START).unwrap();
    in_force.store(Arc::new(tls(&others)));
    assert_eq!(peer.identity(START), Err(Refused::CertificateNotTrusted));
    in_force.store(Arc::new(tls(&ours)));
    peer.identity(START).unwrap();
}
