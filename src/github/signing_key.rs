//! The App's private keys.

use std::fmt;

use aws_lc_rs::{
    digest::{SHA256, digest},
    encoding::{AsDer, PublicKeyX509Der},
    rsa::KeyPair,
    signature::KeyPair as _,
};
use base64::{Engine, prelude::BASE64_STANDARD};
use jsonwebtoken::{Algorithm, EncodingKey, Header};

use crate::domain::Invalid;

/// More keys than GitHub lets an App have.
const MAX_KEYS: usize = 25;

/// The App's private keys, in the order of their file: one, and more while they are changed. The first one that GitHub
/// takes signs.
#[derive(Clone, Debug)]
pub struct AppKeys(Vec<SigningKey>);

impl AppKeys {
    /// Reads a file of one PEM block or several, each as GitHub hands it out (PKCS#1) or as converted to PKCS#8.
    pub fn from_pem(pem: &[u8]) -> Result<Self, Invalid> {
        let text = std::str::from_utf8(pem).map_err(|_| invalid())?;
        let mut keys: Vec<SigningKey> = Vec::new();
        for block in blocks(text).ok_or_else(invalid)? {
            let key = SigningKey::from_pem(block.as_bytes())?;
            if keys.iter().all(|other| other.fingerprint != key.fingerprint) {
                keys.push(key);
            }
        }
        if keys.is_empty() {
            return Err(invalid());
        }
        if keys.len() > MAX_KEYS {
            return Err(Invalid::new(format!("must have at most {MAX_KEYS} keys")));
        }
        Ok(Self(keys))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &SigningKey> {
        self.0.iter()
    }
}

/// One RSA private key. `Debug` shows nothing of it; its memory is wiped on drop.
#[derive(Clone)]
pub struct SigningKey {
    key: EncodingKey,
    fingerprint: String,
}

impl SigningKey {
    /// Reads one PEM block. A key that cannot sign is an error here, not at the first call.
    pub fn from_pem(pem: &[u8]) -> Result<Self, Invalid> {
        let key = EncodingKey::from_rsa_pem(pem).map_err(|_| invalid())?;
        let fingerprint = fingerprint(key.as_bytes()).ok_or_else(invalid)?;
        let key = Self { key, fingerprint };
        key.sign(&()).map_err(|_| invalid())?;
        Ok(key)
    }

    /// As the App's settings page shows it: `SHA256:` and the SHA-256 of the public key in base64.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// A signed JWT (RS256) with these claims.
    pub(super) fn sign(
        &self,
        claims: &impl serde::Serialize,
    ) -> Result<String, jsonwebtoken::errors::Error> {
        jsonwebtoken::encode(&Header::new(Algorithm::RS256), claims, &self.key)
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(..)")
    }
}

fn fingerprint(pkcs1: &[u8]) -> Option<String> {
    let pair = KeyPair::from_der(pkcs1).ok()?;
    let public: PublicKeyX509Der<'_> = pair.public_key().as_der().ok()?;
    let hash = digest(&SHA256, public.as_ref());
    Some(format!("SHA256:{}", BASE64_STANDARD.encode(hash)))
}

/// The PEM blocks of a text, or none if one has no end. What is between them is left out, as PEM has it.
fn blocks(text: &str) -> Option<Vec<&str>> {
    let (mut rest, mut blocks) = (text, Vec::new());
    while let Some(begin) = rest.find("-----BEGIN ") {
        let block = rest.get(begin..)?;
        let end = block.find("-----END ")?;
        let after = block.get(end..)?.find('\n').map_or(block.len(), |line| end + line + 1);
        let (block, after) = block.split_at_checked(after)?;
        blocks.push(block);
        rest = after;
    }
    Some(blocks)
}

fn invalid() -> Invalid {
    Invalid::new(
        "must be the unencrypted RSA private key of the GitHub App in PEM format \
         (download one from the App's settings page)",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::github::testing::{OTHER_PKCS8, RSA_PKCS8, pem};

    /// Where the PKCS#1 key begins in a PKCS#8 key of 2048 bits.
    const PKCS1_OFFSET: usize = 26;

    fn both_forms(der: &[u8]) -> [String; 2] {
        [pem("PRIVATE KEY", der), pem("RSA PRIVATE KEY", der.get(PKCS1_OFFSET..).unwrap())]
    }

    #[test]
    fn reads_both_forms_of_the_key_and_shows_neither() {
        for form in both_forms(&RSA_PKCS8) {
            let keys = AppKeys::from_pem(form.as_bytes()).unwrap();
            assert_eq!(format!("{keys:?}"), "AppKeys([SigningKey(..)])");
        }
    }

    #[test]
    fn reads_several_keys_in_their_order_and_each_once() {
        let ([one, same], [_, other]) = (both_forms(&RSA_PKCS8), both_forms(&OTHER_PKCS8));
        let text = format!("the new one\n{other}\n\nthe old one\r\n{one}{same}");
        let keys = AppKeys::from_pem(text.as_bytes()).unwrap();
        let fingerprints: Vec<&str> = keys.iter().map(SigningKey::fingerprint).collect();
        let of = |pem: &str| SigningKey::from_pem(pem.as_bytes()).unwrap().fingerprint;
        assert_eq!(fingerprints, [of(&other), of(&one)]);
    }

    /// `openssl rsa -in key.pem -pubout -outform DER | openssl sha256 -binary | openssl base64`, as GitHub's documentation
    /// has it.
    #[test]
    fn the_fingerprint_is_that_of_the_public_key() {
        let pair = KeyPair::from_pkcs8(&RSA_PKCS8).unwrap();
        // What stands before an RSA key of 2048 bits in SubjectPublicKeyInfo.
        let mut public = vec![
            0x30, 0x82, 0x01, 0x22, 0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d,
            0x01, 0x01, 0x01, 0x05, 0x00, 0x03, 0x82, 0x01, 0x0f, 0x00,
        ];
        public.extend_from_slice(pair.public_key().as_ref());
        let expected = BASE64_STANDARD.encode(digest(&SHA256, &public));
        let key = SigningKey::from_pem(pem("PRIVATE KEY", &RSA_PKCS8).as_bytes()).unwrap();
        assert_eq!(key.fingerprint(), format!("SHA256:{expected}"));
    }

    #[test]
    fn refuses_what_cannot_sign_whatever_stands_beside_it() {
        let der = &*RSA_PKCS8;
        let (good, cut) = (pem("PRIVATE KEY", der), pem("PRIVATE KEY", &der[..der.len() / 2]));
        let open = good.split("-----END").next().unwrap();
        for bad in ["", "key", &cut, open, &format!("{good}{cut}"), &format!("{good}{open}")] {
            assert!(AppKeys::from_pem(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
