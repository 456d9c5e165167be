//! Which addresses an App may let the browser be sent back to.

use crate::world::App;

/// Whether a `redirect_uri` is allowed. An App without callback URLs is not asked about them.
///
/// A GitHub App's must be exactly one of its callback URLs. An OAuth App's must have the host (or one below
/// it) and the port of its callback URL and a path at or below its path; on a loopback address the port is free.
pub(super) fn allowed(app: &App, uri: &str) -> bool {
    if app.callback_urls.is_empty() {
        return true;
    }
    if !app.oauth {
        return app.callback_urls.iter().any(|known| known == uri);
    }
    app.callback_urls.iter().any(|known| is_within(known, uri))
}

struct Parts<'a> {
    scheme: &'a str,
    host: &'a str,
    port: &'a str,
    path: &'a str,
}

fn parts(uri: &str) -> Option<Parts<'_>> {
    let (scheme, rest) = uri.split_once("://")?;
    let rest = rest.split(['?', '#']).next()?;
    let (authority, path) = match rest.find('/') {
        Some(at) => rest.split_at(at),
        None => (rest, "/"),
    };
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, port),
        _ => (authority, ""),
    };
    // What a browser would read differently is no address of the App's.
    let odd = authority.contains('@') || uri.contains('\\') || uri.contains('#');
    let climbs = path.to_lowercase().replace("%2e", ".").contains("/..");
    (!odd && !climbs && !host.is_empty()).then_some(Parts { scheme, host, port, path })
}

fn is_within(known: &str, uri: &str) -> bool {
    let (Some(known), Some(uri)) = (parts(known), parts(uri)) else { return false };
    let loopback = matches!(known.host, "127.0.0.1" | "[::1]");
    let host = uri.host == known.host
        || (!loopback && uri.host.strip_suffix(known.host).is_some_and(|sub| sub.ends_with('.')));
    let port = loopback || uri.port == known.port;
    let base = known.path.trim_end_matches('/');
    let below =
        uri.path.strip_prefix(base).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    uri.scheme == known.scheme && host && port && below
}

#[cfg(test)]
mod tests {
    use super::is_within;

    #[test]
    fn the_examples_of_the_documentation_hold() {
        let known = "http://example.com/path";
        for good in [
            "http://example.com/path",
            "http://example.com/path/subdir/other",
            "http://oauth.example.com/path",
            "http://oauth.example.com/path/subdir/other",
        ] {
            assert!(is_within(known, good), "{good}");
        }
        for bad in [
            "http://example.com/bar",
            "http://example.com/",
            "http://example.com/pathology",
            "http://example.com:8080/path",
            "http://oauth.example.com:8080/path",
            "http://example.org",
            "http://evilexample.com/path",
            "http://example.com@evil.org/path",
            "http://example.com/path/../bar",
            "https://example.com/path",
        ] {
            assert!(!is_within(known, bad), "{bad}");
        }
        assert!(is_within("http://127.0.0.1/path", "http://127.0.0.1:1234/path"));
    }
}
