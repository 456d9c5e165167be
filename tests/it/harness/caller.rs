//! Somebody who calls through a door, by certificate, by token, by both or by nothing.

use ghbroker::proto::{
    self, connection_admin_client::ConnectionAdminClient,
    credential_broker_client::CredentialBrokerClient,
};
use tonic::{
    Request, Status,
    metadata::{Ascii, MetadataValue},
    service::{Interceptor, interceptor::InterceptedService},
    transport::Channel,
};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
use tonic_reflection::pb::{v1, v1alpha};

use super::{INSTALLATION, REPO, write};

#[derive(Clone)]
pub struct Caller {
    pub channel: Channel,
    pub authorization: Authorization,
}

/// The `authorization` headers of a caller: none, one, or what nobody should send.
#[derive(Clone, Default)]
pub struct Authorization(pub Vec<MetadataValue<Ascii>>);

impl Interceptor for Authorization {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        for value in &self.0 {
            request.metadata_mut().append("authorization", value.clone());
        }
        Ok(request)
    }
}

type Authorized = InterceptedService<Channel, Authorization>;

/// Every RPC that a caller can try, and the services beside the contract's.
pub const RPCS: [&str; 20] = [
    "RegisterInstallation",
    "SetPat",
    "VerifyRepo",
    "GetRepoToken",
    "CommitFiles",
    "OpenPromotionPr",
    "ReportRejectedToken",
    "ConfigureRepo",
    "GetConnection",
    "Disconnect",
    "BeginInstallation",
    "BeginOAuth",
    "CompleteOAuth",
    "ListRepositories",
    "CreateRepository",
    "SetCredentialEnabled",
    "ListConnections",
    "Reflection.v1",
    "Reflection.v1alpha",
    "Health",
];

impl Caller {
    fn service(&self) -> Authorized {
        InterceptedService::new(self.channel.clone(), self.authorization.clone())
    }

    pub fn broker(&self) -> CredentialBrokerClient<Authorized> {
        CredentialBrokerClient::new(self.service())
    }

    pub fn admin(&self) -> ConnectionAdminClient<Authorized> {
        ConnectionAdminClient::new(self.service())
    }

    pub async fn health(&self) -> Result<(), Status> {
        HealthClient::new(self.service()).check(HealthCheckRequest::default()).await.map(drop)
    }

    /// Makes a call of this name that does what it does also when it is repeated. `pat` is one that GitHub takes.
    pub async fn call(&self, rpc: &str, account: &str, pat: &str) -> Result<(), Status> {
        let (mut broker, mut admin) = (self.broker(), self.admin());
        let (account, repository) = (account.to_owned(), REPO.to_owned());
        match rpc {
            "RegisterInstallation" => {
                let setup_action = proto::SetupAction::Install.into();
                let request = proto::RegisterInstallationRequest {
                    account,
                    installation_id: INSTALLATION,
                    setup_action,
                    expected_github_login: "acme".into(),
                    ..Default::default()
                };
                broker.register_installation(request).await.map(drop)
            }
            "SetPat" => {
                let request =
                    proto::SetPatRequest { account, token: pat.to_owned(), ..Default::default() };
                broker.set_pat(request).await.map(drop)
            }
            "VerifyRepo" => {
                let request = proto::VerifyRepoRequest { account, ..Default::default() };
                broker.verify_repo(request).await.map(drop)
            }
            "GetRepoToken" => {
                let request = proto::GetRepoTokenRequest { account, ..Default::default() };
                broker.get_repo_token(request).await.map(drop)
            }
            "CommitFiles" => {
                let (message, files) = ("Add a model".to_owned(), vec![write("m.sql", "select 2")]);
                let request =
                    proto::CommitFilesRequest { account, message, files, ..Default::default() };
                broker.commit_files(request).await.map(drop)
            }
            "OpenPromotionPr" => {
                let request = proto::OpenPromotionPrRequest { account, ..Default::default() };
                broker.open_promotion_pr(request).await.map(drop)
            }
            "ReportRejectedToken" => {
                let token = "ghs_not-one-that-anybody-has".to_owned();
                let request = proto::ReportRejectedTokenRequest { account, token };
                broker.report_rejected_token(request).await.map(drop)
            }
            "ConfigureRepo" => {
                let request =
                    proto::ConfigureRepoRequest { account, repository, ..Default::default() };
                admin.configure_repo(request).await.map(drop)
            }
            "GetConnection" => {
                admin.get_connection(proto::GetConnectionRequest { account }).await.map(drop)
            }
            "Disconnect" => admin.disconnect(proto::DisconnectRequest { account }).await.map(drop),
            "BeginInstallation" => {
                let request = proto::BeginInstallationRequest { account, ..Default::default() };
                admin.begin_installation(request).await.map(drop)
            }
            "BeginOAuth" => {
                let request = proto::BeginOAuthRequest { account, ..Default::default() };
                admin.begin_o_auth(request).await.map(drop)
            }
            "CompleteOAuth" => {
                let (state, code) = ("nobody's".to_owned(), "nobody's".to_owned());
                let request = proto::CompleteOAuthRequest { account, state, code };
                admin.complete_o_auth(request).await.map(drop)
            }
            "ListRepositories" => {
                let request = proto::ListRepositoriesRequest { account, ..Default::default() };
                admin.list_repositories(request).await.map(drop)
            }
            "CreateRepository" => {
                let request =
                    proto::CreateRepositoryRequest { account, repository, ..Default::default() };
                admin.create_repository(request).await.map(drop)
            }
            "SetCredentialEnabled" => {
                let source = proto::CredentialSource::AppInstallation.into();
                let request =
                    proto::SetCredentialEnabledRequest { account, source, enabled: Some(true) };
                admin.set_credential_enabled(request).await.map(drop)
            }
            "ListConnections" => {
                admin.list_connections(proto::ListConnectionsRequest::default()).await.map(drop)
            }
            "Reflection.v1" => {
                let request = v1::ServerReflectionRequest::default();
                let requests = tokio_stream::once(request);
                v1::server_reflection_client::ServerReflectionClient::new(self.service())
                    .server_reflection_info(requests)
                    .await
                    .map(drop)
            }
            "Reflection.v1alpha" => {
                let requests = tokio_stream::once(v1alpha::ServerReflectionRequest::default());
                v1alpha::server_reflection_client::ServerReflectionClient::new(self.service())
                    .server_reflection_info(requests)
                    .await
                    .map(drop)
            }
            "Health" => self.health().await,
            other => panic!("{other} is no RPC"),
        }
    }
}
