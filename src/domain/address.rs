//! Addresses that secrets, or people, are sent to.

use url::{Host, Url};

/// True if what is sent there can be read by nobody on the way: over TLS, or on this machine.
pub fn is_private(url: &Url) -> bool {
    let here = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => return false,
    };
    url.scheme() == "https" || (url.scheme() == "http" && here)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn over_tls_or_on_this_machine() {
        let private = |text: &str| is_private(&text.parse().unwrap());
        for good in [
            "https://broker.example",
            "https://10.0.0.1:50051",
            "http://localhost:1/path",
            "http://127.0.0.2",
            "http://[::1]:50051",
        ] {
            assert!(private(good), "{good}");
        }
        for bad in [
            "http://broker.example",
            "http://10.0.0.1",
            "http://localhost.example",
            "http://0.0.0.0",
            "http://[::]",
            "ftp://localhost",
            "unix:///run/ghbroker",
            "data:,https",
        ] {
            assert!(!private(bad), "{bad}");
        }
    }
}
