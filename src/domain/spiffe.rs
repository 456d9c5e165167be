//! SPIFFE ids: the name of a workload in its certificate.

use std::{fmt, str::FromStr, sync::Arc};

use super::Invalid;

/// A SPIFFE id of a workload, as the SPIFFE-ID standard has it: `spiffe://trust-domain/path`, nothing percent-encoded, no
/// query, no port. The id of a trust domain alone names no workload and is none. Cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct SpiffeId(Arc<str>);

/// The standard's limits: of the whole id, ...
const MAX_LENGTH: usize = 2048;
/// ... and of its trust domain.
const MAX_TRUST_DOMAIN: usize = 255;
/// What each begins with.
const SCHEME: &str = "spiffe://";

impl SpiffeId {
    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn check(text: &str) -> Result<(), &'static str> {
        if text.len() > MAX_LENGTH {
            return Err("must be at most 2048 bytes long");
        }
        let rest = text.strip_prefix(SCHEME).ok_or("must begin with spiffe://")?;
        let (domain, path) =
            rest.split_once('/').ok_or("must have a path: spiffe://trust-domain/workload")?;
        let in_domain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-._".contains(&b);
        if domain.is_empty() || domain.len() > MAX_TRUST_DOMAIN || !domain.bytes().all(in_domain) {
            return Err("must have a trust domain of a-z 0-9 . _ - after spiffe://");
        }
        let in_path = |b: u8| b.is_ascii_alphanumeric() || b"-._".contains(&b);
        let part = |part: &str| {
            !part.is_empty() && part != "." && part != ".." && part.bytes().all(in_path)
        };
        if !path.split('/').all(part) {
            return Err("must have a path of A-Z a-z 0-9 . _ - without empty parts, `.` and `..`");
        }
        Ok(())
    }
}

impl FromStr for SpiffeId {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        Self::check(text).map_err(Invalid::new)?;
        Ok(Self(text.into()))
    }
}

impl fmt::Display for SpiffeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for SpiffeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn takes_the_standards_ids_and_nothing_else() {
        for good in ["spiffe://example.org/web", "spiffe://a_b-c.1/ns/Portal/sa/web-1_2.x"] {
            assert_eq!(good.parse::<SpiffeId>().unwrap().as_str(), good);
        }
        let long = format!("spiffe://example.org/{}", "a".repeat(2048));
        for bad in [
            "",
            "spiffe://",
            "spiffe://example.org",
            "spiffe://example.org/",
            "spiffe:///web",
            "SPIFFE://example.org/web",
            "https://example.org/web",
            "spiffe://Example.org/web",
            "spiffe://example.org:443/web",
            "spiffe://user@example.org/web",
            "spiffe://example.org//web",
            "spiffe://example.org/web/",
            "spiffe://example.org/../web",
            "spiffe://example.org/./web",
            "spiffe://example.org/w%65b",
            "spiffe://example.org/web?x",
            "spiffe://example.org/web#x",
            "spiffe://example.org/wéb",
            "spiffe://example.org/a*",
            &long,
        ] {
            assert!(bad.parse::<SpiffeId>().is_err(), "{bad:?}");
        }
    }
    proptest! {
        #[test]
        fn ids_of_the_alphabet_read_as_they_are_written(
            text in "spiffe://[a-z0-9._-]{1,20}(/[A-Za-z0-9_-][A-Za-z0-9._-]{0,10}){1,5}",
        ) {
            let id = text.parse::<SpiffeId>();
            prop_assert_eq!(id.map(|id| id.to_string()), Ok(text));
        }

        #[test]
        fn one_character_of_no_alphabet_is_too_many(
            text in "spiffe://[a-z]{1,8}/[a-z]{1,8}",
            other in r"[^A-Za-z0-9._/-]",
            place in 0_usize..30,
        ) {
            let mut text = text;
            text.insert_str(place.min(text.len()), &other);
            prop_assert!(text.parse::<SpiffeId>().is_err(), "{:?}", text);
        }
    }
}
