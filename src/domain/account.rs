//! The platform's tenant.

use std::{fmt, str::FromStr, sync::Arc};

use super::Invalid;

/// Id of an account: the platform's own name for one of its tenants, 1 to 128 characters of `A-Za-z0-9._:-`.
///
/// Everything stored or cached belongs to one account. Cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AccountId(Arc<str>);

const MAX_LENGTH: usize = 128;

impl AccountId {
    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for AccountId {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b"._:-".contains(&b);
        if text.is_empty() || text.len() > MAX_LENGTH || !text.bytes().all(allowed) {
            return Err(Invalid::new("must be 1 to 128 characters of A-Z a-z 0-9 . _ : -"));
        }
        Ok(Self(text.into()))
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_the_platforms_ids_and_nothing_else() {
        for good in ["a", "tenant-1", "org:42.eu_x", &"x".repeat(128)] {
            assert_eq!(good.parse::<AccountId>().unwrap().as_str(), good);
        }
        for bad in ["", "a b", "a/b", "ä", "a\n", "a\0", &"x".repeat(129)] {
            assert!(bad.parse::<AccountId>().is_err(), "{bad:?}");
        }
    }
}
