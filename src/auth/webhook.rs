//! Whether a webhook comes from GitHub: its signature.

use std::fmt;

use aws_lc_rs::hmac;

/// What GitHub may have signed a webhook with: the secrets of the App's settings page, the one in use and perhaps the next.
pub struct WebhookSecrets(Vec<hmac::Key>);

/// How the value of `X-Hub-Signature-256` begins.
const PREFIX: &str = "sha256=";
/// Length of an HMAC-SHA256.
const TAG: usize = 32;

impl WebhookSecrets {
    /// Secrets as they are on the settings page. Each must not be empty, and nothing is taken if there are none.
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let key = |secret| hmac::Key::new(hmac::HMAC_SHA256, secret);
        Self(secrets.into_iter().filter(|secret| !secret.is_empty()).map(key).collect())
    }

    /// True if `signature`, the value of `X-Hub-Signature-256`, is of exactly these bytes by one of the secrets. Takes the
    /// same time whichever it is.
    pub fn verify(&self, body: &[u8], signature: &[u8]) -> bool {
        let Some(tag) = tag(signature) else { return false };
        self.0.iter().fold(false, |found, key| hmac::verify(key, body, &tag).is_ok() | found)
    }
}

impl fmt::Debug for WebhookSecrets {
    /// Shows only how many there are.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WebhookSecrets({})", self.0.len())
    }
}

fn tag(signature: &[u8]) -> Option<[u8; TAG]> {
    let hex = signature.strip_prefix(PREFIX.as_bytes())?;
    if hex.len() != 2 * TAG {
        return None;
    }
    let mut tag = [0; TAG];
    for (byte, digits) in tag.iter_mut().zip(hex.chunks_exact(2)) {
        let digit = |at: usize| char::from(*digits.get(at)?).to_digit(16);
        *byte = u8::try_from(digit(0)? << 4 | digit(1)?).ok()?;
    }
    Some(tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From GitHub's page on validating deliveries.
    const SECRET: &[u8] = b"It's a Secret to Everybody";
    const BODY: &[u8] = b"Hello, World!";
    const SIGNATURE: &[u8] =
        b"sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";

    #[test]
    fn takes_what_github_signs_by_whichever_secret() {
        for secrets in [vec![SECRET], vec![b"other", SECRET], vec![SECRET, b"other"]] {
            assert!(WebhookSecrets::new(secrets).verify(BODY, SIGNATURE));
        }
        let upper = SIGNATURE.to_ascii_uppercase();
        let upper = [b"sha256=", &upper[PREFIX.len()..]].concat();
        assert!(WebhookSecrets::new([SECRET]).verify(BODY, &upper));
    }

    #[test]
    fn refuses_everything_else() {
        let secrets = WebhookSecrets::new([SECRET]);
        assert!(!secrets.verify(b"Hello, World", SIGNATURE));
        assert!(!WebhookSecrets::new([b"other".as_slice()]).verify(BODY, SIGNATURE));
        for bad in [
            &b""[..],
            b"sha256=",
            &SIGNATURE[PREFIX.len()..],
            &SIGNATURE[..SIGNATURE.len() - 1],
            &[SIGNATURE, b"0"].concat(),
            &[&SIGNATURE[..SIGNATURE.len() - 1], b"g"].concat(),
            &[b"sha1=", &SIGNATURE[PREFIX.len()..]].concat(),
        ] {
            assert!(!secrets.verify(BODY, bad), "{:?}", String::from_utf8_lossy(bad));
        }
    }

    #[test]
    fn an_empty_secret_is_none() {
        let empty = hmac::Key::new(hmac::HMAC_SHA256, b"");
        let digits = hmac::sign(&empty, BODY)
            .as_ref()
            .iter()
            .map(|b| format!("{b:02x}"))
            .collect::<String>();
        assert!(
            !WebhookSecrets::new([b"".as_slice()])
                .verify(BODY, format!("sha256={digits}").as_bytes())
        );
    }

    #[test]
    fn debug_shows_no_secret() {
        assert_eq!(format!("{:?}", WebhookSecrets::new([SECRET, BODY])), "WebhookSecrets(2)");
    }
}
