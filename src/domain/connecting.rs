//! How accounts are connected: what the operator has settled.

use url::Url;

use super::Invalid;

/// Settings of connecting. Each can be configured as `connect.NAME`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Connecting {
    /// Where GitHub sends browsers back to after "Connect GitHub": the broker's `/github/callback`, or a page of the portal.
    pub callback_url: Option<Url>,
    /// Pages of the portal that the broker may send browsers on to.
    pub return_urls: Vec<Url>,
    /// True if the next credential is used when one is broken.
    pub fallback: bool,
}

/// Names that the broker adds to a return URL: whoever brings them along must not speak in its place.
pub const OUTCOME_NAMES: [&str; 4] = ["outcome", "kind", "reason", "installation_id"];
/// Longest return URL; it is stored.
const MAX_RETURN_URL: usize = 2000;

impl Connecting {
    /// The page that a browser may be sent on to: a registered one, with a query of the portal's own. Empty is the first of
    /// them; none if there are none.
    pub fn return_url(&self, asked: &str) -> Result<Option<Url>, Invalid> {
        if asked.is_empty() {
            return Ok(self.return_urls.first().cloned());
        }
        let not_registered = || {
            Invalid::new(
                "must be one of connect.return_urls of the broker's configuration, beside its query",
            )
        };
        if asked.len() > MAX_RETURN_URL {
            return Err(Invalid::new(format!("must be at most {MAX_RETURN_URL} characters long")));
        }
        let asked: Url = asked.parse().map_err(|_| not_registered())?;
        let mut page = asked.clone();
        page.set_query(None);
        if asked.fragment().is_some() || !self.return_urls.contains(&page) {
            return Err(not_registered());
        }
        Ok(Some(asked))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_registered_page_is_returned_to() {
        let connecting = Connecting {
            return_urls: vec![
                "https://portal.example.com/github/done".parse().unwrap(),
                "https://other.example.com/".parse().unwrap(),
            ],
            ..Connecting::default()
        };
        let to = |asked: &str| connecting.return_url(asked).ok().flatten().map(String::from);
        for good in [
            "https://portal.example.com/github/done",
            "https://portal.example.com/github/done?account=7&x=%2F",
            "https://other.example.com/",
        ] {
            assert_eq!(to(good).as_deref(), Some(good));
        }
        assert_eq!(to("").as_deref(), Some("https://portal.example.com/github/done"));
        assert_eq!(
            to("https://PORTAL.example.com:443/github/./done?a"),
            to("https://portal.example.com/github/done?a")
        );
        for bad in [
            "https://portal.example.com/github/done/",
            "https://portal.example.com/github/done/../../evil",
            "https://portal.example.com/github/done%2f..",
            "https://portal.example.com/github/done#x",
            "https://portal.example.com.evil.example/github/done",
            "https://portal.example.com@evil.example/github/done",
            "https://user@portal.example.com/github/done",
            "https://portal.example.com:8443/github/done",
            "http://portal.example.com/github/done",
            "//portal.example.com/github/done",
            "/github/done",
            "javascript:alert(1)",
            "https://evil.example/?https://portal.example.com/github/done",
            "https://portal.example.com\\@evil.example/github/done",
        ] {
            assert_eq!(to(bad), None, "{bad}");
        }
        assert_eq!(Connecting::default().return_url(""), Ok(None));
    }
}
