//! The way to the broker.

use std::{fmt, path::Path, str::FromStr, time::Duration};

use rustls_pki_types::{CertificateDer, pem::PemObject};
use tonic::{
    Request, Status,
    metadata::{Ascii, MetadataValue},
    transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity},
};
use url::Url;
use zeroize::Zeroizing;

use super::{Error, Flags};
use crate::{
    auth::read_file,
    domain::{Invalid, is_private},
    proto::{
        GetRepoTokenRequest, GetRepoTokenResponse, ReportRejectedTokenRequest,
        credential_broker_client::CredentialBrokerClient,
    },
    telemetry::causes,
};

/// Where a broker is: `https://HOST:PORT`, or `http://HOST:PORT` on loopback.
///
/// There is no way around the second half: a token would cross the network in plaintext.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address(Url);

impl FromStr for Address {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let url = Url::parse(text).ok().filter(|url| is_origin(url) && is_private(url));
        url.map(Self).ok_or_else(|| {
            Invalid::new("must be https://HOST:PORT (http://HOST:PORT only on loopback)")
        })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

/// True if it is scheme, host and port, and nothing else.
pub(super) fn is_origin(url: &Url) -> bool {
    url.has_host()
        && url.path() == "/"
        && url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none()
}

/// A broker that can be called.
pub(super) struct Broker<'a> {
    flags: &'a Flags,
    client: CredentialBrokerClient<Channel>,
    authorization: Option<MetadataValue<Ascii>>,
}

impl<'a> Broker<'a> {
    /// Does something with the broker within the time of `--timeout`, the connection included.
    pub async fn with<T>(
        flags: &'a Flags,
        work: impl AsyncFnOnce(Self) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let all = async { work(Self::connect(flags).await?).await };
        let late = |_| Error::TimedOut(flags.broker.clone(), flags.timeout());
        tokio::time::timeout(flags.timeout(), all).await.map_err(late)?
    }

    async fn connect(flags: &'a Flags) -> Result<Self, Error> {
        let authorization = flags.token_file.as_deref().map(bearer).transpose()?;
        let unreachable =
            |error: tonic::transport::Error| Error::Unreachable(flags.broker.clone(), told(&error));
        let mut endpoint =
            Endpoint::from_shared(flags.broker.0.to_string()).map_err(unreachable)?;
        if let Some(tls) = tls(flags)? {
            endpoint = endpoint.tls_config(tls).map_err(|error| Error::Tls(told(&error)))?;
        }
        let channel = endpoint.connect().await.map_err(unreachable)?;
        Ok(Self { flags, client: CredentialBrokerClient::new(channel), authorization })
    }

    /// A token for a repository; for the account's active one if none is named.
    pub async fn token(mut self, repository: String) -> Result<GetRepoTokenResponse, Error> {
        let min_ttl = self.flags.min_ttl.map(|seconds| Duration::from_secs(seconds.into()));
        let request = self.request(GetRepoTokenRequest {
            account: self.flags.account.clone(),
            repository,
            permissions: self.flags.permissions(),
            min_ttl: min_ttl.and_then(|min_ttl| min_ttl.try_into().ok()),
        });
        let answer = self.client.get_repo_token(request).await;
        answer.map(tonic::Response::into_inner).map_err(|status| self.refused(&status))
    }

    /// Tells that GitHub refused a token.
    pub async fn report(mut self, token: String) -> Result<(), Error> {
        let account = self.flags.account.clone();
        let request = self.request(ReportRejectedTokenRequest { account, token });
        let answer = self.client.report_rejected_token(request).await;
        answer.map(drop).map_err(|status| self.refused(&status))
    }

    fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        // So that the broker, too, knows when nobody waits any more; later than here, where it is said better.
        request.set_timeout(self.flags.timeout() + Duration::from_secs(1));
        if let Some(value) = &self.authorization {
            request.metadata_mut().insert("authorization", value.clone());
        }
        request
    }

    fn refused(&self, status: &Status) -> Error {
        // A status that was not sent by the broker has the failure behind it.
        match causes(status) {
            Some(why) => Error::Unreachable(self.flags.broker.clone(), why),
            None if status.message().is_empty() => Error::Refused(status.code().to_string()),
            None => Error::Refused(status.message().to_owned()),
        }
    }
}

/// An error with what is behind it, in one line.
fn told(error: &dyn std::error::Error) -> String {
    causes(error).unwrap_or_else(|| error.to_string())
}

fn read(flag: &'static str, path: &Path) -> Result<Zeroizing<Vec<u8>>, Error> {
    read_file(path).map_err(|error| Error::File { flag, path: path.into(), why: error.to_string() })
}

/// The `authorization` of whoever holds the token in this file.
fn bearer(path: &Path) -> Result<MetadataValue<Ascii>, Error> {
    let content = read("--token-file", path)?;
    let value = Zeroizing::new([b"Bearer ", content.trim_ascii()].concat());
    let value = MetadataValue::try_from(value.as_slice()).ok();
    let mut value = value.filter(|_| !content.trim_ascii().is_empty()).ok_or_else(|| {
        let why = "holds no token in one line".to_owned();
        Error::File { flag: "--token-file", path: path.into(), why }
    })?;
    value.set_sensitive(true);
    Ok(value)
}

/// Authorities of a file. tonic takes one without any as it is, and then trusts nobody.
fn authorities(path: &Path) -> Result<Certificate, Error> {
    let pem = read("--ca", path)?;
    match CertificateDer::pem_slice_iter(&pem).next() {
        Some(Ok(_)) => Ok(Certificate::from_pem(pem)),
        _ => {
            Err(Error::File { flag: "--ca", path: path.into(), why: "holds no certificate".into() })
        }
    }
}

/// How to speak TLS with the broker; none if its address says not to.
fn tls(flags: &Flags) -> Result<Option<ClientTlsConfig>, Error> {
    if flags.broker.0.scheme() != "https" {
        let files = [&flags.ca, &flags.cert, &flags.key].into_iter().flatten().count();
        return if files == 0 { Ok(None) } else { Err(Error::NoTls(flags.broker.clone())) };
    }
    let mut tls = match &flags.ca {
        None => ClientTlsConfig::new().with_native_roots(),
        Some(ca) => ClientTlsConfig::new().ca_certificate(authorities(ca)?),
    };
    if let (Some(cert), Some(key)) = (&flags.cert, &flags.key) {
        tls = tls.identity(Identity::from_pem(read("--cert", cert)?, read("--key", key)?));
    }
    Ok(Some(tls))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broker_is_reached_over_tls_or_on_this_machine() {
        for good in ["https://broker.example", "https://10.0.0.1:50051", "http://127.0.0.1:1/"] {
            let address: Address = good.parse().unwrap();
            assert_eq!(address.to_string(), good.trim_end_matches('/'));
        }
        for good in ["http://localhost:50051", "http://[::1]:50051"] {
            assert!(good.parse::<Address>().is_ok(), "{good}");
        }
        let bad = [
            "http://broker.example:50051",
            "http://10.0.0.1:50051",
            "http://localhost.example",
            "http://0.0.0.0:50051",
            "broker.example:50051",
            "unix:///run/ghbroker",
            "https://me@broker.example",
            "https://broker.example/path",
            "https://broker.example?query",
            "",
        ];
        for bad in bad {
            assert!(bad.parse::<Address>().is_err(), "{bad}");
        }
    }
}
