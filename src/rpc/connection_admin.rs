//! The service ConnectionAdmin.

use tonic::{Request, Response, Status, async_trait};

use super::{
    call::{self, DEADLINE},
    fields, translate,
};
use crate::{
    broker::{BindRequest, Broker, Error},
    domain::{AccountId, BranchName, Subdirectory},
    proto::{self, connection_admin_server::ConnectionAdmin},
};

/// The service over a broker.
pub struct Admin {
    broker: Broker,
}

impl Admin {
    /// Serves `broker`.
    pub fn new(broker: Broker) -> Self {
        Self { broker }
    }
}

#[async_trait]
impl ConnectionAdmin for Admin {
    async fn configure_repo(
        &self,
        request: Request<proto::ConfigureRepoRequest>,
    ) -> Result<Response<proto::ConfigureRepoResponse>, Status> {
        let (deadline, request) = call::open(request, DEADLINE);
        let account = request.account.clone();
        call::run("ConfigureRepo", &account, deadline, async {
            let binding = self.broker.bind_repository(bind_request(request)?).await?;
            Ok(proto::ConfigureRepoResponse { binding: Some(translate::binding(binding)) })
        })
        .await
    }

    async fn get_connection(
        &self,
        request: Request<proto::GetConnectionRequest>,
    ) -> Result<Response<proto::GetConnectionResponse>, Status> {
        let (deadline, request) = call::open(request, DEADLINE);
        call::run("GetConnection", &request.account, deadline, async {
            let connection = self.broker.connection(&account(&request.account)?).await?;
            let effective = connection.effective.map(translate::source).unwrap_or_default();
            Ok(proto::GetConnectionResponse {
                effective_source: effective.into(),
                installation: connection.installation.map(translate::installation),
                pat: connection.pat.map(translate::pat),
                bindings: connection.bindings.into_iter().map(translate::binding).collect(),
            })
        })
        .await
    }

    async fn disconnect(
        &self,
        request: Request<proto::DisconnectRequest>,
    ) -> Result<Response<proto::DisconnectResponse>, Status> {
        let (deadline, request) = call::open(request, DEADLINE);
        call::run("Disconnect", &request.account, deadline, async {
            let done = self.broker.disconnect(&account(&request.account)?).await?;
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

fn bind_request(request: proto::ConfigureRepoRequest) -> Result<BindRequest, Error> {
    fields::parse(|fields| {
        let account = fields.required("account", &request.account);
        let repository = fields.required("repository", &request.repository);
        let staging: Option<Option<BranchName>> =
            fields.optional("staging_branch", &request.staging_branch);
        let production: Option<Option<BranchName>> =
            fields.optional("production_branch", &request.production_branch);
        // Unlike the branches it can be empty: that is the root.
        let subdirectory: Option<Option<Subdirectory>> = match &request.subdirectory {
            Some(text) => fields.required("subdirectory", text).map(Some),
            None => Some(None),
        };
        if let (Some(Some(staging)), Some(Some(production))) = (&staging, &production)
            && staging == production
        {
            fields.wrong("staging_branch", "must differ from production_branch");
        }
        Some(BindRequest {
            account: account?,
            repository: repository?,
            staging: staging?,
            production: production?,
            subdirectory: subdirectory?,
            activate: request.activate,
        })
    })
}
