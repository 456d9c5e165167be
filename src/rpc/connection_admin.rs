//! The service ConnectionAdmin.

use tonic::{Request, Response, Status, async_trait};

use super::{
    call,
    fields::{self, Fields},
    translate,
};
use crate::{
    broker::{BindRequest, Broker, Error},
    domain::{AccountId, Base, BranchName, BranchPattern, MAX_WORK_BRANCHES, Method, Subdirectory},
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
        let (call, request) = call::open(&self.broker, Method::ConfigureRepo, request)?;
        call.clone()
            .run(request.account.clone(), async move {
                let (account, asked) = bind_request(request)?;
                let admitted = call.admit(&account).await?;
                let binding = call.broker.bind_repository(&admitted, asked).await?;
                Ok(proto::ConfigureRepoResponse { binding: Some(translate::binding(binding)) })
            })
            .await
    }

    async fn get_connection(
        &self,
        request: Request<proto::GetConnectionRequest>,
    ) -> Result<Response<proto::GetConnectionResponse>, Status> {
        let (call, request) = call::open(&self.broker, Method::GetConnection, request)?;
        call.clone()
            .run(request.account.clone(), async move {
                let admitted = call.admit(&account(&request.account)?).await?;
                let connection = call.broker.connection(&admitted).await?;
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
        let (call, request) = call::open(&self.broker, Method::Disconnect, request)?;
        call.clone()
            .run(request.account.clone(), async move {
                let admitted = call.admit(&account(&request.account)?).await?;
                let done = call.broker.disconnect(&admitted).await?;
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

fn bind_request(request: proto::ConfigureRepoRequest) -> Result<(AccountId, BindRequest), Error> {
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
        let base: Option<Option<Option<Base>>> = match &request.staging_base {
            Some(text) => fields.optional("staging_base", text).map(Some),
            None => Some(None),
        };
        if let (Some(Some(staging)), Some(Some(Some(Base::Branch(base))))) = (&staging, &base)
            && staging == base
        {
            fields.wrong("staging_base", "must differ from staging_branch");
        }
        let work_branches = match &request.work_branches {
            Some(given) => work_branches(fields, &given.patterns).map(Some),
            None => Some(None),
        };
        Some((
            account?,
            BindRequest {
                repository: repository?,
                staging: staging?,
                production: production?,
                subdirectory: subdirectory?,
                activate: request.activate,
                staging_base: base?,
                staging_must_exist: request.staging_must_exist,
                work_branches: work_branches?,
            },
        ))
    })
}

fn work_branches(fields: &mut Fields, patterns: &[String]) -> Option<Vec<BranchPattern>> {
    const FIELD: &str = "work_branches.patterns";
    if patterns.len() > MAX_WORK_BRANCHES {
        fields.wrong(FIELD, format!("must be at most {MAX_WORK_BRANCHES}"));
        return None;
    }
    let mut parsed = Vec::with_capacity(patterns.len());
    for (index, pattern) in patterns.iter().enumerate() {
        parsed.push(fields.required(&format!("{FIELD}[{index}]"), pattern));
    }
    // Not while reading: every one that is wrong is named.
    parsed.into_iter().collect()
}
