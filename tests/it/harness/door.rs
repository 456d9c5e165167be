//! What stands before a broker whose callers have to prove who they are: TLS, an authority, a cluster's keys and a policy,
//! all in files, as an operator has them.

use std::{fs, io, path::PathBuf, sync::Arc};

use ghbroker::config::{Config, Flags, Mistakes};
use rustls::version::TLS13;
use rustls_pki_types::ServerName;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};

use super::{
    pki::{Authority, Issued, client_config},
    tokens_of_kubernetes::{AUDIENCE, KEY, SigningKey, jwks},
};

/// Who may do everything in every world with a door: its own clients.
const SET_UP: &str = r#"
[[rule]]
name = "set-up"
callers = ["spiffe://example.org/set-up"]
accounts = ["*"]
rpcs = ["RegisterInstallation", "SetPat", "VerifyRepo", "GetRepoToken", "CommitFiles", "OpenPromotionPr",
        "ReportRejectedToken", "ConfigureRepo", "GetConnection", "Disconnect", "ServerReflection"]
permissions = { contents = "write", issues = "write" }
"#;

pub struct Door {
    /// Whose certificates are trusted at first; the server's is always of it.
    pub authority: Authority,
    folder: tempfile::TempDir,
    sections: String,
}

impl Door {
    /// A door that requires `mtls`, `service_account`, `either` or `both`, with these rules.
    pub fn new(required: &str, rules: &str) -> Self {
        let keys = "jwks_file = \"{}/jwks.json\"";
        Self::with_keys(required, rules, keys)
    }

    /// The same with the cluster's keys at this URL.
    pub fn with_jwks_url(required: &str, rules: &str, url: &str) -> Self {
        Self::with_keys(required, rules, &format!("jwks_url = {url:?}"))
    }

    fn with_keys(required: &str, rules: &str, keys: &str) -> Self {
        drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
        let mut sections = String::from(
            "[server.tls]\ncertificate = \"{}/tls.crt\"\nprivate_key = \"{}/tls.key\"\n",
        );
        if required != "service_account" {
            sections += "client_ca = \"{}/ca.crt\"\n";
        }
        sections += &format!("[auth]\nrequire = {required:?}\n");
        if required != "mtls" {
            sections += &format!("[auth.service_account]\naudience = {AUDIENCE:?}\n{keys}\n");
        }
        sections += "[policy]\nfile = \"{}/policy.toml\"\n[encryption]\nkeys = [\"{}/kek\"]\n";
        let folder = tempfile::tempdir().unwrap();
        let sections = sections.replace("{}", &folder.path().display().to_string());
        let door = Self { authority: Authority::new("ours"), folder, sections };
        let server = door.authority.server();
        door.write("tls.crt", &server.certificate);
        door.write("tls.key", &server.key);
        door.write("kek", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=");
        door.trust(&[&door.authority]);
        door.list(&[&KEY]);
        door.rule(rules);
        door
    }

    /// The same with keys of `[limits]`.
    pub fn with_limits(mut self, limits: &str) -> Self {
        self.sections += &format!("[limits]\n{limits}\n");
        self
    }

    /// Replaces a file at once, so that nobody reads half of it.
    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        let new = path.with_extension("new");
        fs::write(&new, text).unwrap();
        fs::rename(new, &path).unwrap();
        path
    }

    /// From now on these authorities vouch for callers.
    pub fn trust(&self, authorities: &[&Authority]) {
        self.write("ca.crt", &authorities.iter().map(|one| one.pem()).collect::<String>());
    }

    /// From now on these are the cluster's keys.
    pub fn list(&self, keys: &[&SigningKey]) {
        self.write("jwks.json", &jwks(keys));
    }

    /// From now on these rules are in force, and the one of [`SET_UP`].
    pub fn rule(&self, rules: &str) {
        self.write("policy.toml", &format!("{SET_UP}{rules}"));
    }

    /// The configuration, with TLS, callers and policy as an operator's file says them.
    pub fn configure(&self, config: Config) -> Result<Config, Mistakes> {
        let file = self.write("ghbroker.toml", &self.sections);
        let read = Config::load(&Flags { config: Some(file), ..Default::default() })?;
        let Config { tls, auth, policy, limits, .. } = read;
        Ok(Config { tls, auth, policy, limits, ..config })
    }

    /// A certificate of `spiffe://example.org/NAME`.
    pub fn certificate(&self, name: &str) -> Issued {
        self.authority.client(&format!("spiffe://example.org/{name}"))
    }

    /// A connection, with a certificate or without one.
    pub async fn connect(
        &self,
        address: &str,
        issued: Option<&Issued>,
    ) -> Result<Channel, tonic::transport::Error> {
        let mut tls = ClientTlsConfig::new()
            .domain_name("localhost")
            .ca_certificates([Certificate::from_pem(self.authority.pem())]);
        if let Some(issued) = issued {
            tls = tls.identity(issued.identity());
        }
        Endpoint::from_shared(format!("https://{address}"))?.tls_config(tls)?.connect().await
    }

    /// TLS and the server's first byte after it: with TLS 1.3 only this shows whether it took the certificate.
    pub async fn knock(&self, address: &str, issued: &Issued) -> io::Result<()> {
        let client = client_config(&[&self.authority], Some(issued), &TLS13);
        let name = ServerName::try_from("localhost").unwrap();
        let stream = TcpStream::connect(address).await?;
        let mut stream = TlsConnector::from(Arc::new(client)).connect(name, stream).await?;
        // HTTP/2's preface, and empty settings.
        stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await?;
        stream.read_u8().await.map(drop)
    }
}
