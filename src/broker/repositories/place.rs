//! How far a list was read.

use std::{fmt, str::FromStr};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};

use crate::domain::{CredentialSource, Invalid};

/// Where the next page of a list begins. What it looks like is nobody's business but the broker's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ListPlace {
    /// Whose list it is: each credential has another one.
    pub(super) source: CredentialSource,
    /// GitHub's page.
    pub(super) page: u32,
    /// How many of that page were looked at.
    pub(super) skip: usize,
}

impl ListPlace {
    pub(super) fn first(source: CredentialSource) -> Self {
        Self { source, page: 1, skip: 0 }
    }
}

impl fmt::Display for ListPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format!("{}:{}:{}", self.source.as_str(), self.page, self.skip);
        f.write_str(&BASE64_URL_SAFE_NO_PAD.encode(text))
    }
}

impl FromStr for ListPlace {
    type Err = Invalid;

    fn from_str(token: &str) -> Result<Self, Invalid> {
        let read = || {
            let text = String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
            let mut parts = text.split(':');
            let source = parts.next()?;
            let known = [
                CredentialSource::AppInstallation,
                CredentialSource::OAuthUser,
                CredentialSource::Pat,
            ];
            let source = known.into_iter().find(|known| known.as_str() == source)?;
            let place = Self {
                source,
                page: parts.next()?.parse().ok()?,
                skip: parts.next()?.parse().ok()?,
            };
            (parts.next().is_none() && place.page > 0).then_some(place)
        };
        read().ok_or_else(|| Invalid::new("must be the next_page_token of the page before"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comes_back_as_it_went() {
        for source in
            [CredentialSource::AppInstallation, CredentialSource::OAuthUser, CredentialSource::Pat]
        {
            let place = ListPlace { source, page: 7, skip: 99 };
            assert_eq!(place.to_string().parse(), Ok(place));
        }
    }

    #[test]
    fn whatever_else_is_sent_is_refused() {
        let encoded = |text: &str| BASE64_URL_SAFE_NO_PAD.encode(text);
        for text in
            ["pat", "pat:1", "pat:0:0", "pat:1:-1", "pat:1:0:0", "ssh:1:0", "pat:99999999999:0", ""]
        {
            assert!(encoded(text).parse::<ListPlace>().is_err(), "{text:?}");
        }
        for text in ["pat:1:0", "ä", "===="] {
            assert!(text.parse::<ListPlace>().is_err(), "{text:?}");
        }
    }
}
