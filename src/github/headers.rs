//! What GitHub says in headers.

use std::time::Duration;

use reqwest::header::{AGE, DATE, HeaderMap, LINK, LOCATION, RETRY_AFTER};
use time::{
    OffsetDateTime, PrimitiveDateTime, UtcOffset, format_description::BorrowedFormatItem,
    macros::format_description,
};

/// What is left of a quota.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RateLimit {
    /// Requests in the whole period; 0 if GitHub did not say.
    pub limit: u64,
    /// Requests left.
    pub remaining: u64,
    /// When the period ends, by GitHub's clock.
    pub reset: Option<OffsetDateTime>,
    /// Which quota: `core`, `graphql`, ...
    pub resource: Option<String>,
}

/// Quotas start anew every hour: whoever asks for more than a day does not mean it.
const MAX_WAIT: Duration = Duration::from_secs(24 * 60 * 60);

/// `Sun, 06 Nov 1994 08:49:37 GMT`
const HTTP_DATE: &[BorrowedFormatItem<'_>] = format_description!(
    "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT"
);
/// `2022-11-12 10:31:26`, followed by ` UTC` or an offset
const TOKEN_EXPIRY: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day] [hour]:[minute]:[second]");
const TOKEN_EXPIRY_OFFSET: &[BorrowedFormatItem<'_>] = format_description!(
    "[year]-[month]-[day] [hour]:[minute]:[second] [offset_hour sign:mandatory][offset_minute]"
);

/// The text of a header.
pub(super) fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn number(headers: &HeaderMap, name: &str) -> Option<u64> {
    text(headers, name)?.trim().parse().ok()
}

/// `X-GitHub-Request-Id`, by which GitHub's support finds a request.
pub(super) fn request_id(headers: &HeaderMap) -> Option<&str> {
    text(headers, "x-github-request-id")
}

/// When the answer was made, by GitHub's clock; none if it has lain in a cache since.
pub(super) fn date(headers: &HeaderMap) -> Option<OffsetDateTime> {
    if headers.contains_key(AGE) {
        return None;
    }
    let date = PrimitiveDateTime::parse(text(headers, DATE.as_str())?, HTTP_DATE).ok()?;
    Some(date.assume_utc())
}

/// The quota that the request was counted in.
pub(super) fn rate(headers: &HeaderMap) -> Option<RateLimit> {
    Some(RateLimit {
        limit: number(headers, "x-ratelimit-limit").unwrap_or_default(),
        remaining: number(headers, "x-ratelimit-remaining")?,
        reset: reset(headers),
        resource: text(headers, "x-ratelimit-resource").map(str::to_owned),
    })
}

fn reset(headers: &HeaderMap) -> Option<OffsetDateTime> {
    let seconds = i64::try_from(number(headers, "x-ratelimit-reset")?).ok()?;
    OffsetDateTime::from_unix_timestamp(seconds).ok()
}

/// How long GitHub wants to be left alone: `Retry-After` (seconds, or a date as proxies write it), else the end of a
/// quota that is used up. `now` is by GitHub's clock.
pub(super) fn retry_after(headers: &HeaderMap, now: OffsetDateTime) -> Option<Duration> {
    let until =
        |end: OffsetDateTime| Duration::try_from(end - now).unwrap_or(Duration::ZERO).min(MAX_WAIT);
    if let Some(seconds) = number(headers, RETRY_AFTER.as_str()) {
        return Some(Duration::from_secs(seconds).min(MAX_WAIT));
    }
    if let Some(end) = text(headers, RETRY_AFTER.as_str()) {
        let end = PrimitiveDateTime::parse(end, HTTP_DATE).ok()?;
        return Some(until(end.assume_utc()));
    }
    match number(headers, "x-ratelimit-remaining") {
        Some(0) => reset(headers).map(until),
        _ => None,
    }
}

/// The page on which a user allows a token for an organization, from `X-GitHub-SSO: required; url=...`.
pub(super) fn sso_url(headers: &HeaderMap) -> Option<&str> {
    let (kind, rest) = text(headers, "x-github-sso")?.split_once(';')?;
    (kind.trim() == "required").then_some(())?;
    rest.trim().strip_prefix("url=").map(str::trim)
}

/// Scopes of a classic token; none if the credential has no such thing.
pub(super) fn scopes(headers: &HeaderMap) -> Option<Vec<String>> {
    let scopes = text(headers, "x-oauth-scopes")?.split(',').map(str::trim);
    Some(scopes.filter(|scope| !scope.is_empty()).map(str::to_owned).collect())
}

/// Scopes of which a classic token would need one for this route, if it has none of them. Empty for other credentials.
pub(super) fn missing_scopes(headers: &HeaderMap) -> Vec<&str> {
    let (Some(has), Some(accepted)) = (scopes(headers), text(headers, "x-accepted-oauth-scopes"))
    else {
        return Vec::new();
    };
    let accepted: Vec<&str> =
        accepted.split(',').map(str::trim).filter(|scope| !scope.is_empty()).collect();
    // `repo` is all of these: `public_repo`, `repo:status`, `repo_deployment`, ...
    let covers =
        |has: &str, wanted: &str| has == wanted || (has == "repo" && wanted.contains("repo"));
    let enough = accepted.iter().any(|wanted| has.iter().any(|has| covers(has, wanted)));
    if enough { Vec::new() } else { accepted }
}

/// When the token of the request ends, if it does.
pub(super) fn token_expires_at(headers: &HeaderMap) -> Option<OffsetDateTime> {
    let value = text(headers, "github-authentication-token-expiration")?.trim();
    if let Some(utc) = value.strip_suffix(" UTC") {
        return Some(PrimitiveDateTime::parse(utc, TOKEN_EXPIRY).ok()?.assume_utc());
    }
    // None where UTC is in another age: all later sums would overflow.
    OffsetDateTime::parse(value, TOKEN_EXPIRY_OFFSET).ok()?.checked_to_offset(UtcOffset::UTC)
}

/// Where the thing is now.
pub(super) fn location(headers: &HeaderMap) -> Option<&str> {
    text(headers, LOCATION.as_str())
}

/// The next page of a list.
pub(super) fn next_page(headers: &HeaderMap) -> Option<&str> {
    text(headers, LINK.as_str())?.split(',').find_map(|link| {
        let (url, parameters) = link.trim().strip_prefix('<')?.split_once('>')?;
        let next = |p: &str| matches!(p.trim(), r#"rel="next""# | "rel=next");
        parameters.split(';').any(next).then_some(url)
    })
}

#[cfg(test)]
mod tests {
    use reqwest::header::{HeaderName, HeaderValue};
    use time::macros::datetime;

    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        pairs.iter().map(pair).collect()
    }

    const NOW: OffsetDateTime = datetime!(2026-11-20 12:00:00 UTC);

    #[test]
    fn reads_dates() {
        let map = headers(&[("date", "Fri, 20 Nov 2026 12:00:00 GMT")]);
        assert_eq!(date(&map), Some(NOW));
        let cached = [("date", "Fri, 20 Nov 2026 12:00:00 GMT"), ("age", "7")];
        assert_eq!(date(&headers(&cached)), None);
        assert_eq!(date(&headers(&[("date", "yesterday")])), None);
        for (value, expected) in [
            ("2022-11-12 10:31:26 UTC", datetime!(2022-11-12 10:31:26 UTC)),
            ("2022-11-12 10:31:26 +0100", datetime!(2022-11-12 09:31:26 UTC)),
            ("2022-11-12 10:31:26 -0330", datetime!(2022-11-12 14:01:26 UTC)),
        ] {
            let map = headers(&[("github-authentication-token-expiration", value)]);
            assert_eq!(token_expires_at(&map), Some(expected), "{value}");
        }
    }

    #[test]
    fn knows_how_long_to_wait() {
        let date = |value| [("retry-after", value)];
        let quota = |left| [("x-ratelimit-remaining", left), ("x-ratelimit-reset", "1795176090")];
        let cases = [
            (headers(&[("retry-after", "7")]), Some(7)),
            (headers(&[("retry-after", "18446744073709551615")]), Some(86400)),
            (headers(&date("Fri, 20 Nov 2026 12:00:09 GMT")), Some(9)),
            (headers(&date("Fri, 20 Nov 2026 11:59:00 GMT")), Some(0)),
            (headers(&quota("0")), Some(90)),
            (headers(&quota("3")), None),
            (headers(&[("x-ratelimit-remaining", "0")]), None),
            (headers(&[]), None),
        ];
        for (map, seconds) in cases {
            assert_eq!(retry_after(&map, NOW), seconds.map(Duration::from_secs), "{map:?}");
        }
    }

    #[test]
    fn reads_the_quota_and_does_without() {
        let map = headers(&[
            ("x-ratelimit-limit", "5000"),
            ("x-ratelimit-remaining", "4999"),
            ("x-ratelimit-reset", "1795176090"),
            ("x-ratelimit-resource", "core"),
        ]);
        let expected = RateLimit {
            limit: 5000,
            remaining: 4999,
            reset: Some(datetime!(2026-11-20 12:01:30 UTC)),
            resource: Some("core".to_owned()),
        };
        assert_eq!(rate(&map), Some(expected));
        assert_eq!(rate(&headers(&[])), None);
    }

    #[test]
    fn reads_sso_scopes_and_links() {
        let map = headers(&[
            (
                "x-github-sso",
                "required; url=https://github.com/orgs/acme/sso?authorization_request=A",
            ),
            ("x-oauth-scopes", "repo, workflow"),
            (
                "link",
                r#"<https://api.github.com/x?page=1>; rel="prev", <https://api.github.com/x?page=3>; rel="next""#,
            ),
        ]);
        assert_eq!(sso_url(&map), Some("https://github.com/orgs/acme/sso?authorization_request=A"));
        assert_eq!(scopes(&map), Some(vec!["repo".to_owned(), "workflow".to_owned()]));
        assert_eq!(next_page(&map), Some("https://api.github.com/x?page=3"));
        assert_eq!(scopes(&headers(&[("x-oauth-scopes", "")])), Some(vec![]));
        assert_eq!(scopes(&headers(&[])), None);
        for (has, accepted, missing) in [
            ("read:org", "repo, public_repo", &["repo", "public_repo"][..]),
            ("repo", "public_repo, repo:status", &[]),
            ("public_repo", "repo, public_repo", &[]),
            ("", "repo", &["repo"]),
            ("repo", "", &[]),
        ] {
            let map = headers(&[("x-oauth-scopes", has), ("x-accepted-oauth-scopes", accepted)]);
            assert_eq!(missing_scopes(&map), missing, "{has} for {accepted}");
        }
        assert!(missing_scopes(&headers(&[("x-accepted-oauth-scopes", "repo")])).is_empty());
        assert_eq!(
            sso_url(&headers(&[("x-github-sso", "partial-results; organizations=1")])),
            None
        );
        assert_eq!(next_page(&headers(&[("link", r#"<https://h/x?page=1>; rel="first""#)])), None);
    }
}
