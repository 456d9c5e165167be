//! One App on one host.

use std::{fmt, str::FromStr, sync::Arc};

use super::Invalid;

/// Name of a site, which is one App on one host of GitHub: 1 to 32 characters of `a-z0-9-`. Cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SiteName(Arc<str>);

/// The site of `[github]`, which needs no name.
const DEFAULT: &str = "default";
const MAX_LENGTH: usize = 32;

impl SiteName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for SiteName {
    fn default() -> Self {
        Self(DEFAULT.into())
    }
}

impl FromStr for SiteName {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        if text.is_empty() || text.len() > MAX_LENGTH || !text.bytes().all(allowed) {
            return Err(Invalid::new("must be 1 to 32 characters of a-z 0-9 -"));
        }
        Ok(Self(text.into()))
    }
}

impl fmt::Display for SiteName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for SiteName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_names_that_fit_into_a_path_and_a_key() {
        for good in ["default", "ghes", "eu-1", "7", &"x".repeat(32)] {
            assert_eq!(good.parse::<SiteName>().unwrap().as_str(), good);
        }
        for bad in ["", "GHES", "a.b", "a/b", "a b", "ä", "a_b", &"x".repeat(33)] {
            assert!(bad.parse::<SiteName>().is_err(), "{bad:?}");
        }
        assert_eq!(SiteName::default(), "default".parse().unwrap());
    }
}
