//! The service ConnectionAdmin.

use tonic::{Request, Response, Status, async_trait};

use super::{binding::bind_request, call, connecting, fields, repositories, translate};
use crate::{
    broker::{Error, Sites},
    domain::{AccountId, Method},
    proto::{self, connection_admin_server::ConnectionAdmin},
};

/// The service over the brokers of all sites.
pub struct Admin {
    sites: Sites,
}

impl Admin {
    /// Serves `sites`.
    pub fn new(sites: Sites) -> Self {
        Self { sites }
    }
}

#[async_trait]
impl ConnectionAdmin for Admin {
    async fn configure_repo(
        &self,
        request: Request<proto::ConfigureRepoRequest>,
    ) -> Result<Response<proto::ConfigureRepoResponse>, Status> {
        let (call, request) = call::open(&self.sites, Method::ConfigureRepo, request)?;
        call.clone()
            .run(request.account.clone(), async move {
                let (account, asked) = bind_request(request)?;
                let admitted = call.admit(&account).await?;
                let binding = call.site(&admitted).await?.bind_repository(&admitted, asked).await?;
                Ok(proto::ConfigureRepoResponse { binding: Some(translate::binding(binding)) })
            })
            .await
    }

    async fn get_connection(
        &self,
        request: Request<proto::GetConnectionRequest>,
    ) -> Result<Response<proto::GetConnectionResponse>, Status> {
        let (call, request) = call::open(&self.sites, Method::GetConnection, request)?;
        call.clone()
            .run(request.account.clone(), async move {
                let admitted = call.admit(&account(&request.account)?).await?;
                let connection = call.site(&admitted).await?.connection(&admitted).await?;
                Ok(translate::connection(connection))
            })
            .await
    }

    async fn list_connections(
        &self,
        request: Request<proto::ListConnectionsRequest>,
    ) -> Result<Response<proto::ListConnectionsResponse>, Status> {
        let (call, request) = call::open(&self.sites, Method::ListConnections, request)?;
        call.clone()
            .run(String::new(), async move {
                let asked = connecting::list(&request)?;
                let admitted = call.admit_for_any().await?;
                let listed = call.sites.connections(&admitted, asked).await?;
                Ok(proto::ListConnectionsResponse {
                    connections: listed.connections.into_iter().map(translate::summary).collect(),
                    next_page_token: listed
                        .last
                        .map(|account| account.to_string())
                        .unwrap_or_default(),
                })
            })
            .await
    }

    async fn begin_installation(
        &self,
        request: Request<proto::BeginInstallationRequest>,
    ) -> Result<Response<proto::BeginInstallationResponse>, Status> {
        let (call, request) = call::open(&self.sites, Method::BeginInstallation, request)?;
        call.clone()
            .run(request.account.clone(), async move {
                let (account, site, asked) = connecting::begin_installation(request)?;
                let admitted = call.admit(&account).await?;
                let site = call.sites.to_connect(&admitted, site.as_ref(), None).await?;
                let begun = site.begin_installation(&admitted, asked).await?;
                Ok(proto::BeginInstallationResponse {
                    install_url: begun.url.into(),
                    state: begun.state.expose().to_owned(),
                    expire_time: Some(translate::timestamp(begun.expires_at)),
                })
            })
            .await
    }

    async fn begin_o_auth(
        &self,
        request: Request<proto::BeginOAuthRequest>,
    ) -> Result<Response<proto::BeginOAuthResponse>, Status> {
        let (call, request) = call::open(&self.sites, Method::BeginOAuth, request)?;
        call.clone()
            .run(request.account.clone(), async move {
                let (account, site, asked) = connecting::begin_oauth(request)?;
                let admitted = call.admit(&account).await?;
                let site = call.sites.to_connect(&admitted, site.as_ref(), None).await?;
                let begun = site.begin_oauth(&admitted, asked).await?;
                Ok(proto::BeginOAuthResponse {
                    authorize_url: begun.url.into(),
                    state: begun.state.expose().to_owned(),
                    expire_time: Some(translate::timestamp(begun.expires_at)),
                })
            })
            .await
    }

    async fn complete_o_auth(
        &self,
        request: Request<proto::CompleteOAuthRequest>,
    ) -> Result<Response<proto::CompleteOAuthResponse>, Status> {
        let (call, request) = call::open(&self.sites, Method::CompleteOAuth, request)?;
        call.clone()
            .run(request.account.clone(), async move {
                let (account, state, code) = connecting::complete_oauth(request)?;
                let admitted = call.admit(&account).await?;
                let site = call.sites.to_connect(&admitted, None, Some(&state)).await?;
                let user = site.complete_oauth(&admitted, &state, &code).await?;
                Ok(proto::CompleteOAuthResponse { oauth_user: Some(translate::oauth_user(user)) })
            })
            .await
    }

    async fn set_credential_enabled(
        &self,
        request: Request<proto::SetCredentialEnabledRequest>,
    ) -> Result<Response<proto::SetCredentialEnabledResponse>, Status> {
        let (call, request) = call::open(&self.sites, Method::SetCredentialEnabled, request)?;
        call.clone()
            .run(request.account.clone(), async move {
                let (account, source, enabled) = connecting::switch(&request)?;
                let admitted = call.admit(&account).await?;
                let choice = call
                    .site(&admitted)
                    .await?
                    .switch_credential(&admitted, source, enabled)
                    .await?;
                let effective = choice.usable().map(translate::source).unwrap_or_default();
                Ok(proto::SetCredentialEnabledResponse { effective_source: effective.into() })
            })
            .await
    }

    async fn list_repositories(
        &self,
        request: Request<proto::ListRepositoriesRequest>,
    ) -> Result<Response<proto::ListRepositoriesResponse>, Status> {
        let (call, request) = call::open(&self.sites, Method::ListRepositories, request)?;
        call.clone()
            .run(request.account.clone(), async move {
                let (account, asked) = repositories::list(request)?;
                let admitted = call.admit(&account).await?;
                let listed = call.site(&admitted).await?.repositories(&admitted, asked).await?;
                Ok(repositories::listed(listed))
            })
            .await
    }

    async fn create_repository(
        &self,
        request: Request<proto::CreateRepositoryRequest>,
    ) -> Result<Response<proto::CreateRepositoryResponse>, Status> {
        let (call, request) = call::open(&self.sites, Method::CreateRepository, request)?;
        call.clone()
            .run(request.account.clone(), async move {
                let (account, asked) = repositories::create(request)?;
                let admitted = call.admit(&account).await?;
                let created =
                    call.site(&admitted).await?.create_repository(&admitted, asked).await?;
                Ok(repositories::created(created))
            })
            .await
    }

    async fn disconnect(
        &self,
        request: Request<proto::DisconnectRequest>,
    ) -> Result<Response<proto::DisconnectResponse>, Status> {
        let (call, request) = call::open(&self.sites, Method::Disconnect, request)?;
        call.clone()
            .run(request.account.clone(), async move {
                let admitted = call.admit(&account(&request.account)?).await?;
                let done = call.sites.disconnect(&admitted).await?;
                Ok(proto::DisconnectResponse {
                    disconnected: done.existed,
                    tokens_revoked: translate::count(done.tokens_revoked),
                })
            })
            .await
    }
}

fn account(text: &str) -> Result<AccountId, Error> {
    fields::parse(|fields| fields.required("account", text))
}
