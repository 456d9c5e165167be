//! git object ids.

use std::{fmt, str::FromStr};

use aws_lc_rs::digest;

use super::Invalid;

/// SHA-1 id of a git object: 40 hex digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ObjectId([u8; 20]);

impl ObjectId {
    /// The id that git gives to a blob with this content.
    pub fn of_blob(content: &[u8]) -> Self {
        let mut context = digest::Context::new(&digest::SHA1_FOR_LEGACY_USE_ONLY);
        context.update(format!("blob {}\0", content.len()).as_bytes());
        context.update(content);
        let mut id = [0; 20];
        for (to, from) in id.iter_mut().zip(context.finish().as_ref()) {
            *to = *from;
        }
        Self(id)
    }
}

impl FromStr for ObjectId {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let invalid = || Invalid::new("must be a full commit id: 40 hex digits");
        if text.len() != 40 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(invalid());
        }
        let mut id = [0; 20];
        for (at, byte) in id.iter_mut().enumerate() {
            let digits = text.get(2 * at..2 * at + 2).ok_or_else(invalid)?;
            *byte = u8::from_str_radix(digits, 16).map_err(|_| invalid())?;
        }
        Ok(Self(id))
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blob_ids_are_gits() {
        // `git hash-object -t blob /dev/null` and `printf 'hello\n' | git hash-object --stdin`.
        let known = [
            (&b""[..], "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"),
            (b"hello\n", "ce013625030ba8dba906f756967f9e9ca394464a"),
        ];
        for (content, id) in known {
            assert_eq!(ObjectId::of_blob(content).to_string(), id);
            assert_eq!(id.parse::<ObjectId>().unwrap(), ObjectId::of_blob(content));
        }
    }

    #[test]
    fn takes_only_full_ids() {
        for bad in ["", "ce01362", &"g".repeat(40), &"a".repeat(41), "ü".repeat(20).as_str()] {
            assert!(bad.parse::<ObjectId>().is_err(), "{bad:?}");
        }
    }
}
