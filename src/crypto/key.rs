//! Key-encryption keys.

use std::fmt;

use aws_lc_rs::{
    aead::{AES_256_GCM, LessSafeKey, UnboundKey},
    digest,
};
use base64::{Engine, prelude::BASE64_STANDARD};
use zeroize::Zeroizing;

/// Length of a key-encryption key and of a data key: AES-256.
pub(super) const KEY_LENGTH: usize = 32;
/// Enough to tell an operator's few keys apart, too little to say anything of the key.
pub(super) const KEK_ID_LENGTH: usize = 8;
/// Separates the id from every other hash that anyone may make of the key. Never change it: stored records name the id.
const KEK_ID_DOMAIN: &[u8] = b"ghbroker key-encryption key id, version 1\0";

/// A key-encryption key. AWS-LC wipes its memory on drop; `Debug` shows only the id.
pub struct Kek {
    pub(super) id: [u8; KEK_ID_LENGTH],
    pub(super) key: LessSafeKey,
}

/// Why a text is not a key-encryption key. Shows nothing of the text.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum InvalidKek {
    /// Not base64.
    #[error("must be standard base64 with padding; make one with `openssl rand -base64 32`")]
    NotBase64,
    /// Not 32 bytes.
    #[error("must be 32 bytes in base64, not {0}; make one with `openssl rand -base64 32`")]
    Length(usize),
}

impl Kek {
    /// Reads 32 bytes in standard base64; white space around it is ignored, as files end with a newline.
    pub fn from_base64(text: &str) -> Result<Self, InvalidKek> {
        let bytes = BASE64_STANDARD.decode(text.trim_ascii()).map(Zeroizing::new);
        let bytes = bytes.map_err(|_| InvalidKek::NotBase64)?;
        let wrong_length = |_| InvalidKek::Length(bytes.len());
        let key = UnboundKey::new(&AES_256_GCM, &bytes).map_err(wrong_length)?;
        let mut hash = digest::Context::new(&digest::SHA256);
        hash.update(KEK_ID_DOMAIN);
        hash.update(&bytes);
        let mut id = [0; KEK_ID_LENGTH];
        for (to, from) in id.iter_mut().zip(hash.finish().as_ref()) {
            *to = *from;
        }
        Ok(Self { id, key: LessSafeKey::new(key) })
    }

    /// The key's id: 16 hex digits, derived from the key, so that it is the same wherever the key is configured.
    pub fn id(&self) -> String {
        self.id.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl fmt::Debug for Kek {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Kek({})", self.id())
    }
}

/// The keys of a broker: one that seals, and any number that only open what was sealed before a rotation.
#[derive(Debug)]
pub struct KeySet {
    pub(super) primary: Kek,
    decrypt_only: Vec<Kek>,
}

impl KeySet {
    /// A set that seals with `primary` and opens with every key.
    pub fn new(primary: Kek, decrypt_only: Vec<Kek>) -> Self {
        Self { primary, decrypt_only }
    }

    pub(super) fn find(&self, id: &[u8]) -> Option<&Kek> {
        std::iter::once(&self.primary).chain(&self.decrypt_only).find(|kek| kek.id == id)
    }
}

impl fmt::Display for KeySet {
    /// The ids of the keys, the one that seals first.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sealing with key {}", self.primary.id())?;
        self.decrypt_only.iter().try_for_each(|kek| write!(f, ", also opening with {}", kek.id()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

    #[test]
    fn the_id_is_fixed_by_the_key() {
        // (printf 'ghbroker key-encryption key id, version 1\0'; echo $KEY | base64 -d) | sha256sum | cut -c-16
        assert_eq!(Kek::from_base64(KEY).unwrap().id(), KEY_ID);
        assert_eq!(Kek::from_base64(&format!("{KEY}\n")).unwrap().id(), KEY_ID);
    }

    #[test]
    fn refuses_other_lengths_and_texts_without_repeating_them() {
        for bad in ["", "c2VjcmV0", "not base64 secret!", &KEY[1..], &KEY.repeat(2)] {
            let error = Kek::from_base64(bad).unwrap_err();
            let shown = format!("{error} {error:?}");
            assert!(shown.contains("openssl rand -base64 32"), "{shown}");
            assert!(bad.is_empty() || !shown.contains(bad), "{shown}");
        }
        assert_eq!(Kek::from_base64("c2VjcmV0").unwrap_err(), InvalidKek::Length(6));
    }

    #[test]
    fn debug_shows_only_the_id() {
        let keys = KeySet::new(Kek::from_base64(KEY).unwrap(), vec![]);
        let shown = format!("{keys:?}");
        assert_eq!(shown, format!("KeySet {{ primary: Kek({KEY_ID}), decrypt_only: [] }}"));
    }

    const KEY_ID: &str = "787337780b2ff57b";
}
