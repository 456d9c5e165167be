//! Who is calling: what a certificate or a ServiceAccount token proves.

mod error;

pub use error::Refused;
mod authenticator;
pub use authenticator::{Authenticator, Required};
#[derive(Clone, Debug)]
pub struct Peer {
    pub address: std::net::SocketAddr,
    pub certificate: Option<std::sync::Arc<()>>,
}
