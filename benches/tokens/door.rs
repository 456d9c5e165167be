//! A broker whose callers have to prove who they are, with an account whose repository is bound.

use ghbroker::{
    domain::{Clock, SystemClock},
    proto::{
        ConfigureRepoRequest, RegisterInstallationRequest,
        connection_admin_client::ConnectionAdminClient,
        credential_broker_client::CredentialBrokerClient,
    },
};
use github_sim::{Options, SimClock, seed};
use rustls_pki_types::pem::PemObject;
use serde::{Deserialize, Serialize};
use tonic::{
    Request,
    transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity},
};

use crate::{
    common::{
        Result,
        place::{ACCOUNT, INSTALLATION, Place},
    },
    pki::Authority,
    program::Program,
    tokens_of_kubernetes::{AUDIENCE, KEY, claims, jwks},
};

pub const REPOSITORY: &str = "acme/warehouse";

/// How callers come in.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// Plaintext, with a ServiceAccount token.
    H2c,
    /// TLS with a client certificate.
    Mtls,
}

impl Transport {
    pub fn name(self) -> &'static str {
        match self {
            Self::H2c => "h2c, ServiceAccount token",
            Self::Mtls => "mTLS",
        }
    }
}

/// Far above what is measured: whoever is refused is served fastest. The rest is as it is for everybody.
const LIMITS: &str = "calls_per_second_per_caller = 1000000\nburst_per_caller = 1000000\n\
    calls_in_flight = 20000\ncalls_in_flight_per_caller = 20000\n";
/// As an operator has it: rules for several services, of which the caller's is the last.
const POLICY: &str = r#"
[[rule]]
name = "portal"
callers = ["spiffe://example.org/portal", "system:serviceaccount:example:portal"]
role = "admin"
accounts = ["*"]
[[rule]]
name = "operators"
callers = ["spiffe://example.org/operators/*"]
role = "operator"
accounts = ["*"]
[[rule]]
name = "generator"
callers = ["spiffe://example.org/generator", "system:serviceaccount:example:generator"]
role = "committer"
accounts = ["tenant-*"]
permissions = { contents = "write", pull_requests = "write", issues = "write" }
"#;

/// The broker, and what a client needs to call it.
pub struct Door {
    pub place: Place,
    pub program: Program,
    pub portal: Key,
    pub generator: Key,
}

/// What somebody calls with.
#[derive(Clone, Serialize, Deserialize)]
pub struct Key {
    pub address: String,
    /// Certificate of the authority, own certificate and its key, as PEM.
    pub tls: Option<[String; 3]>,
    pub authorization: Option<String>,
}

impl Door {
    pub async fn open(transport: Transport) -> Result<Self> {
        let sections = match transport {
            Transport::H2c => format!(
                "[auth]\nrequire = \"service_account\"\n[auth.service_account]\naudience = {AUDIENCE:?}\njwks_file = \"jwks\"\n"
            ),
            Transport::Mtls => {
                "[server.tls]\ncertificate = \"tls.crt\"\nprivate_key = \"tls.key\"\n\
                 client_ca = \"ca.crt\"\n[auth]\nrequire = \"mtls\"\n"
                    .to_owned()
            }
        };
        let sections = format!(
            "[server]\nhttp_listen = \"127.0.0.1:0\"\n{sections}[policy]\nfile = \"policy.toml\"\n[limits]\n{LIMITS}"
        );
        let options = Options { clock: SimClock::real(), ..Options::default() };
        let place = Place::new(options, &sections).await?;
        let authority = Authority::new("bench");
        let server = authority.server();
        for (name, text) in [
            ("policy.toml", POLICY),
            ("jwks", &jwks(&[&KEY])),
            ("tls.crt", &server.certificate),
            ("tls.key", &server.key),
            ("ca.crt", &authority.pem()),
        ] {
            place.write(name, text)?;
        }
        place.sim.add_repository(&seed::Repository {
            owner: "acme".into(),
            name: "warehouse".into(),
            ..Default::default()
        })?;
        let program = place.serve();
        let key = |name: &str| match transport {
            Transport::H2c => {
                let token = KEY.token(&claims(name, SystemClock.now()));
                let authorization = Some(format!("Bearer {token}"));
                Key { address: program.address.clone(), tls: None, authorization }
            }
            Transport::Mtls => {
                let issued = authority.client(&format!("spiffe://example.org/{name}"));
                let tls = Some([authority.pem(), issued.certificate, issued.key]);
                Key { address: program.address.clone(), tls, authorization: None }
            }
        };
        let (portal, generator) = (key("portal"), key("generator"));
        let door = Self { place, program, portal, generator };
        door.connect_account().await?;
        Ok(door)
    }

    async fn connect_account(&self) -> Result<()> {
        let channel = self.portal.channel().await?;
        let install = RegisterInstallationRequest {
            account: ACCOUNT.into(),
            installation_id: INSTALLATION as i64,
            expected_github_login: "acme".into(),
            ..Default::default()
        };
        let install = self.portal.request(install)?;
        CredentialBrokerClient::new(channel.clone()).register_installation(install).await?;
        let bind = ConfigureRepoRequest {
            account: ACCOUNT.into(),
            repository: REPOSITORY.into(),
            ..Default::default()
        };
        ConnectionAdminClient::new(channel).configure_repo(self.portal.request(bind)?).await?;
        Ok(())
    }
}

impl Key {
    async fn channel(&self) -> Result<Channel> {
        let Some([authority, certificate, key]) = &self.tls else {
            return Ok(Endpoint::from_shared(format!("http://{}", self.address))?
                .connect()
                .await?);
        };
        let tls = ClientTlsConfig::new()
            .domain_name("localhost")
            .ca_certificates([Certificate::from_pem(authority)])
            .identity(Identity::from_pem(certificate, key));
        let endpoint = Endpoint::from_shared(format!("https://{}", self.address))?;
        Ok(endpoint.tls_config(tls)?.connect().await?)
    }

    fn request<T>(&self, message: T) -> Result<Request<T>> {
        let mut request = Request::new(message);
        if let Some(value) = &self.authorization {
            request.metadata_mut().insert("authorization", value.parse()?);
        }
        Ok(request)
    }

    /// How rustls takes it; none in plaintext.
    pub fn client_config(&self) -> Result<Option<rustls::ClientConfig>> {
        let Some([authority, certificate, key]) = &self.tls else { return Ok(None) };
        let mut roots = rustls::RootCertStore::empty();
        roots.add(rustls_pki_types::CertificateDer::from_pem_slice(authority.as_bytes())?)?;
        let own = rustls_pki_types::CertificateDer::from_pem_slice(certificate.as_bytes())?;
        let key = rustls_pki_types::PrivateKeyDer::from_pem_slice(key.as_bytes())?;
        let mut config = rustls::ClientConfig::builder()
            .with_root_certificates(roots)
            .with_client_auth_cert(vec![own], key)?;
        config.alpn_protocols = vec![b"h2".to_vec()];
        Ok(Some(config))
    }
}
