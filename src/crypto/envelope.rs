//! Sealing and opening one record.

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    error::Unspecified,
    rand,
};
use zeroize::Zeroizing;

use super::{
    KeySet, Place,
    key::{KEK_ID_LENGTH, KEY_LENGTH},
};
use crate::domain::SealedSecret;

const MAGIC: [u8; 4] = *b"GHBK";
const VERSION: u8 = 1;
const AES_256_GCM_TWICE: u8 = 1;
const TAG_LENGTH: usize = 16;
const WRAPPED_LENGTH: usize = NONCE_LEN + KEY_LENGTH + TAG_LENGTH;

/// The system gave no random bytes, or the secret is too large for AES-GCM.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the secret could not be encrypted; nothing was stored")]
pub struct SealError;

/// A record did not open. It does not say why, so that nobody learns from it how to forge one: the key may be unknown,
/// the record changed, or moved to another row.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "a stored secret could not be decrypted; check that every key-encryption key in use is configured, \
     else store the secret anew"
)]
pub struct OpenError;

impl KeySet {
    /// Seals a secret for its place with a new data key, wrapped by the primary key.
    pub fn seal(&self, place: &Place<'_>, plaintext: &[u8]) -> Result<SealedSecret, SealError> {
        let bytes = self.seal_bytes(place, plaintext).map_err(|Unspecified| SealError)?;
        Ok(SealedSecret {
            bytes,
            kek_id: self.primary.id(),
            row_id: place.row_id.to_owned(),
            row_version: place.row_version,
        })
    }

    /// Opens a secret that was sealed for this place by one of the keys.
    pub fn open(
        &self,
        place: &Place<'_>,
        sealed: &SealedSecret,
    ) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        let envelope = Envelope::parse(&sealed.bytes).ok_or(OpenError)?;
        let kek = self.find(envelope.kek_id).ok_or(OpenError)?;
        // The columns beside the record are what rotation goes by: they must not tell another story than the record.
        if (sealed.kek_id.as_str(), sealed.row_id.as_str(), sealed.row_version)
            != (kek.id().as_str(), place.row_id, place.row_version)
        {
            return Err(OpenError);
        }
        let aad = place.authenticated(VERSION, AES_256_GCM_TWICE, envelope.kek_id);
        let data_key = decrypt(&kek.key, &aad, envelope.wrapped).map_err(|_| OpenError)?;
        let data_key = data_key_from(&data_key).map_err(|_| OpenError)?;
        decrypt(&data_key, &aad, envelope.content).map_err(|_| OpenError)
    }

    fn seal_bytes(&self, place: &Place<'_>, plaintext: &[u8]) -> Result<Vec<u8>, Unspecified> {
        let kek = &self.primary;
        let aad = place.authenticated(VERSION, AES_256_GCM_TWICE, &kek.id);
        let mut data_key = Zeroizing::new([0; KEY_LENGTH]);
        rand::fill(data_key.as_mut_slice())?;
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(&[VERSION, AES_256_GCM_TWICE]);
        bytes.extend_from_slice(&kek.id);
        bytes.extend(encrypt(&kek.key, &aad, data_key.as_slice())?);
        bytes.extend(encrypt(&data_key_from(data_key.as_slice())?, &aad, plaintext)?);
        Ok(bytes)
    }
}

/// The parts of a record; the nonces are at the begin of what they encrypt.
struct Envelope<'a> {
    kek_id: &'a [u8],
    wrapped: &'a [u8],
    content: &'a [u8],
}

impl<'a> Envelope<'a> {
    fn parse(bytes: &'a [u8]) -> Option<Self> {
        let bytes = bytes.strip_prefix(&MAGIC)?.strip_prefix(&[VERSION, AES_256_GCM_TWICE])?;
        let (kek_id, bytes) = bytes.split_at_checked(KEK_ID_LENGTH)?;
        let (wrapped, content) = bytes.split_at_checked(WRAPPED_LENGTH)?;
        Some(Self { kek_id, wrapped, content })
    }
}

fn data_key_from(bytes: &[u8]) -> Result<LessSafeKey, Unspecified> {
    Ok(LessSafeKey::new(UnboundKey::new(&AES_256_GCM, bytes)?))
}

/// Nonce, ciphertext, tag. The nonce is random: a data key encrypts one record only, and a key-encryption key far
/// fewer than the 2^32 data keys that random nonces are safe for.
fn encrypt(key: &LessSafeKey, aad: &[u8], plaintext: &[u8]) -> Result<Vec<u8>, Unspecified> {
    let mut nonce = [0; NONCE_LEN];
    rand::fill(&mut nonce)?;
    // In one allocation, so that no copy of the plaintext stays behind where a buffer grew.
    let mut bytes = Zeroizing::new(Vec::with_capacity(NONCE_LEN + plaintext.len() + TAG_LENGTH));
    bytes.extend_from_slice(&nonce);
    bytes.extend_from_slice(plaintext);
    let (_, text) = bytes.split_at_mut_checked(NONCE_LEN).ok_or(Unspecified)?;
    let nonce = Nonce::assume_unique_for_key(nonce);
    let tag = key.seal_in_place_separate_tag(nonce, Aad::from(aad), text)?;
    bytes.extend_from_slice(tag.as_ref());
    Ok(std::mem::take(&mut *bytes))
}

fn decrypt(key: &LessSafeKey, aad: &[u8], bytes: &[u8]) -> Result<Zeroizing<Vec<u8>>, Unspecified> {
    let (nonce, text) = bytes.split_at_checked(NONCE_LEN).ok_or(Unspecified)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce)?;
    let mut text = Zeroizing::new(text.to_vec());
    let length = key.open_in_place(nonce, Aad::from(aad), &mut text)?.len();
    text.truncate(length);
    Ok(text)
}

#[cfg(test)]
mod tests {
    use base64::{Engine, prelude::BASE64_STANDARD};

    use super::*;
    use crate::{crypto::Kek, domain::AccountId};

    const SECRET: &[u8] = b"ghp_canary";

    fn kek(byte: u8) -> Kek {
        Kek::from_base64(&BASE64_STANDARD.encode([byte; KEY_LENGTH])).unwrap()
    }

    fn account(id: &str) -> AccountId {
        id.parse().unwrap()
    }

    fn place(account: &AccountId) -> Place<'_> {
        Place { table: "pats", column: "token_sealed", account, row_id: "row-1", row_version: 1 }
    }

    #[test]
    fn opens_what_it_sealed() {
        let keys = KeySet::new(kek(1), vec![]);
        let account = account("a");
        for secret in [SECRET, b"", &[0xff; 5000]] {
            let sealed = keys.seal(&place(&account), secret).unwrap();
            assert_eq!(keys.open(&place(&account), &sealed).unwrap().as_slice(), secret);
            assert_eq!(sealed.bytes.len(), 86 + secret.len() + TAG_LENGTH);
            assert_eq!(&sealed.bytes[..6], b"GHBK\x01\x01");
            let in_clear = sealed.bytes.windows(SECRET.len()).any(|bytes| bytes == SECRET);
            assert!(!in_clear);
        }
    }

    #[test]
    fn two_seals_share_no_key_and_no_nonce() {
        let keys = KeySet::new(kek(1), vec![]);
        let account = account("a");
        let [one, two] = [0, 1].map(|_| keys.seal(&place(&account), SECRET).unwrap().bytes);
        for part in [14..26, 26..74, 74..86, 86..one.len()] {
            assert_ne!(one[part.clone()], two[part]);
        }
    }

    #[test]
    fn no_changed_byte_and_no_cut_opens() {
        let keys = KeySet::new(kek(1), vec![]);
        let account = account("a");
        let sealed = keys.seal(&place(&account), SECRET).unwrap();
        for at in 0..sealed.bytes.len() {
            let mut flipped = sealed.clone();
            flipped.bytes[at] ^= 1;
            assert_eq!(keys.open(&place(&account), &flipped).unwrap_err(), OpenError, "byte {at}");
            let mut cut = sealed.clone();
            cut.bytes.truncate(at);
            assert_eq!(keys.open(&place(&account), &cut).unwrap_err(), OpenError, "cut at {at}");
        }
    }

    #[test]
    fn opens_in_its_own_place_only() {
        let keys = KeySet::new(kek(1), vec![]);
        let (own, other) = (account("a"), account("b"));
        let home = place(&own);
        let sealed = keys.seal(&home, SECRET).unwrap();
        let elsewhere = [
            Place { table: "oauth", ..home },
            Place { column: "token", ..home },
            Place { account: &other, ..home },
            Place { row_id: "row-2", ..home },
            Place { row_version: 2, ..home },
        ];
        for place in elsewhere {
            // As one who can write to the database would: the columns beside the record agree with the place.
            let moved = SealedSecret {
                row_id: place.row_id.to_owned(),
                row_version: place.row_version,
                ..sealed.clone()
            };
            assert_eq!(keys.open(&place, &moved).unwrap_err(), OpenError, "{place:?}");
        }
        let mislabelled = SealedSecret { kek_id: kek(2).id(), ..sealed };
        assert_eq!(keys.open(&home, &mislabelled).unwrap_err(), OpenError);
    }

    #[test]
    fn old_keys_open_and_only_the_primary_seals() {
        let account = account("a");
        let old = KeySet::new(kek(1), vec![]).seal(&place(&account), SECRET).unwrap();
        let rotated = KeySet::new(kek(2), vec![kek(3), kek(1)]);
        assert_eq!(rotated.open(&place(&account), &old).unwrap().as_slice(), SECRET);
        let new = rotated.seal(&place(&account), SECRET).unwrap();
        assert_eq!(new.kek_id, kek(2).id());
        let retired = KeySet::new(kek(2), vec![]);
        assert_eq!(retired.open(&place(&account), &new).unwrap().as_slice(), SECRET);
        assert_eq!(retired.open(&place(&account), &old).unwrap_err(), OpenError);
    }
}
