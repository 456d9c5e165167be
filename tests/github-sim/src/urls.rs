//! The addresses that answers point at, and GraphQL node ids.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

/// The base addresses of this server, without a trailing slash.
#[derive(Clone, Debug)]
pub(crate) struct Urls {
    pub web: String,
    pub api: String,
    pub graphql: String,
}

impl Urls {
    pub fn new(address: std::net::SocketAddr) -> Self {
        let web = format!("http://{address}");
        Self { api: format!("{web}/api/v3"), graphql: format!("{web}/api/graphql"), web }
    }
}

/// An opaque node id of a thing. Real ones do not say what they hold; this one does, to find the thing again.
pub(crate) fn node_id(kind: &str, key: &str) -> String {
    URL_SAFE_NO_PAD.encode(format!("{kind}:{key}"))
}

/// The kind and the key that a node id was made of.
pub(crate) fn read_node_id(id: &str) -> Option<(String, String)> {
    let bytes = URL_SAFE_NO_PAD.decode(id).or_else(|_| STANDARD.decode(id)).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    let (kind, key) = text.split_once(':')?;
    Some((kind.to_owned(), key.to_owned()))
}
