//! How many URI names a certificate has. The library that verifies certificates gives only those that it can read, and a
//! certificate with a second name that cannot be read must not pass as one that has a single one.

/// DER's tags, as far as the way to the names leads over them.
const SEQUENCE: u8 = 0x30;
const OBJECT_ID: u8 = 0x06;
const OCTET_STRING: u8 = 0x04;
/// `[3]` of a certificate: its extensions.
const EXTENSIONS: u8 = 0xa3;
/// 2.5.29.17, subjectAltName.
const SUBJECT_ALT_NAME: [u8; 3] = [0x55, 0x1d, 0x11];
/// `[6]` of a name: a URI. Compared without the bit that says "constructed", which a URI never is.
const URI: u8 = 0x86;
const CONSTRUCTED: u8 = 0x20;

/// The number of URI names in a certificate, readable or not; none if the certificate cannot be read.
pub(super) fn count(certificate: &[u8]) -> Option<usize> {
    let (certificate, _) = expect(SEQUENCE, certificate)?;
    let (signed, _) = expect(SEQUENCE, certificate)?;
    let mut count = 0;
    for (_, extensions) in elements(signed)?.into_iter().filter(|(tag, _)| *tag == EXTENSIONS) {
        let (extensions, _) = expect(SEQUENCE, extensions)?;
        for (_, extension) in elements(extensions)? {
            let (id, value) = expect(OBJECT_ID, extension)?;
            if id == SUBJECT_ALT_NAME {
                count += count_names(value)?;
            }
        }
    }
    Some(count)
}

/// `value`: whether the extension is critical, or nothing of it, and then the names in an octet string.
fn count_names(value: &[u8]) -> Option<usize> {
    let (tag, names) = elements(value)?.into_iter().last()?;
    let (names, rest) = expect(SEQUENCE, names)?;
    let whole = tag == OCTET_STRING && rest.is_empty();
    let names = elements(names).filter(|_| whole)?;
    Some(names.iter().filter(|(tag, _)| tag & !CONSTRUCTED == URI).count())
}

/// Tag and content of each element.
fn elements(mut der: &[u8]) -> Option<Vec<(u8, &[u8])>> {
    let mut found = Vec::new();
    while !der.is_empty() {
        let (tag, content, rest) = element(der)?;
        found.push((tag, content));
        der = rest;
    }
    Some(found)
}

/// Content of the first element, which must have this tag, and what is after it.
fn expect(tag: u8, der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (found, content, rest) = element(der)?;
    (found == tag).then_some((content, rest))
}

/// Tag and content of the first element, and what is after it.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        // The length is in the next one to three bytes; 16 MiB are more than a handshake takes.
        0x81..=0x83 => {
            let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rcgen::{CertificateParams, KeyPair, SanType};

    use super::*;

    fn certificate(names: Vec<SanType>) -> Vec<u8> {
        let mut params = CertificateParams::default();
        params.subject_alt_names = names;
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
    }

    fn uri(text: &str) -> SanType {
        SanType::URI(text.try_into().unwrap())
    }

    #[test]
    fn counts_uris_and_no_other_names() {
        let long = uri(&format!("spiffe://example.org/{}", "a".repeat(2000)));
        let dns = SanType::DnsName("localhost".try_into().unwrap());
        assert_eq!(count(&certificate(vec![])), Some(0));
        assert_eq!(count(&certificate(vec![dns.clone()])), Some(0));
        assert_eq!(count(&certificate(vec![dns.clone(), uri("spiffe://a/b")])), Some(1));
        assert_eq!(count(&certificate(vec![uri("x"), dns, long, uri("x")])), Some(3));
    }

    #[test]
    fn what_is_cut_short_is_not_counted() {
        let whole = certificate(vec![uri("spiffe://a/b")]);
        for length in 0..whole.len() {
            assert_eq!(count(&whole[..length]), None, "{length}");
        }
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic(at in 0..400_usize, byte: u8, noise: Vec<u8>) {
            let mut changed = certificate(vec![uri("spiffe://a/b")]);
            let length = changed.len();
            changed[at % length] = byte;
            count(&changed);
            count(&noise);
        }
    }
}
