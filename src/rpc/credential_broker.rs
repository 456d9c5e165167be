//! The service CredentialBroker.

use tonic::{Request, Response, Status, async_trait};

use super::{
    call,
    promotion::{promote_request, promoted},
    requests::{
        commit_request, pat_request, register_request, rejected_request, vend_request,
        verify_request,
    },
    translate::{self, count},
};
use crate::{
    broker::{FindingLevel, Sites},
    domain::Method,
    proto::{self, credential_broker_server::CredentialBroker},
};

/// Git's user name for installation tokens; GitHub takes any name with a personal access token.
const GIT_USERNAME: &str = "x-access-token";

/// The service over the brokers of all sites.
pub struct CredentialBrokerRpc {
    sites: Sites,
}

impl CredentialBrokerRpc {
    /// Serves `sites`.
    pub fn new(sites: Sites) -> Self {
        Self { sites }
    }
}

#[async_trait]
impl CredentialBroker for CredentialBrokerRpc {
    async fn register_installation(
        &self,
        request: Request<proto::RegisterInstallationRequest>,
    ) -> Result<Response<proto::RegisterInstallationResponse>, Status> {
        let (call, request) = call::open(&self.sites, Method::RegisterInstallation, request)?;
        call.clone()
            .run(request.account.clone(), async move {
                let (account, site, asked) = register_request(request)?;
                let admitted = call.admit(&account).await?;
                let state = asked.state.as_ref();
                let site = call.sites.to_connect(&admitted, site.as_ref(), state).await?;
                let installation = site.register_installation(&admitted, asked).await?;
                Ok(proto::RegisterInstallationResponse {
                    installation: Some(translate::installation(installation)),
                })
            })
            .await
    }

    async fn set_pat(
        &self,
        request: Request<proto::SetPatRequest>,
    ) -> Result<Response<proto::SetPatResponse>, Status> {
        let (call, request) = call::open(&self.sites, Method::SetPat, request)?;
        call.clone()
            .run(request.account.clone(), async move {
                let (account, site, token, kind) = pat_request(request)?;
                let admitted = call.admit(&account).await?;
                let site = call.sites.to_connect(&admitted, site.as_ref(), None).await?;
                let pat = site.set_pat(&admitted, token, kind).await?;
                Ok(proto::SetPatResponse { pat: Some(translate::pat(pat)) })
            })
            .await
    }

    async fn verify_repo(
        &self,
        request: Request<proto::VerifyRepoRequest>,
    ) -> Result<Response<proto::VerifyRepoResponse>, Status> {
        let (call, request) = call::open(&self.sites, Method::VerifyRepo, request)?;
        call.clone()
            .run(request.account.clone(), async move {
                let (account, asked) = verify_request(&request)?;
                let admitted = call.admit(&account).await?;
                let found = call.site(&admitted).await?.verify(&admitted, asked).await?;
                let (repository_id, repository) = found
                    .repository
                    .map_or((0, String::new()), |(id, name)| (id.0, name.to_string()));
                Ok(proto::VerifyRepoResponse {
                    ok: found.findings.iter().all(|finding| finding.level != FindingLevel::Failed),
                    source: translate::source(found.source).into(),
                    repository,
                    repository_id,
                    findings: found.findings.into_iter().map(translate::finding).collect(),
                })
            })
            .await
    }

    async fn get_repo_token(
        &self,
        request: Request<proto::GetRepoTokenRequest>,
    ) -> Result<Response<proto::GetRepoTokenResponse>, Status> {
        let (call, request) = call::open(&self.sites, Method::GetRepoToken, request)?;
        call.clone()
            .run(request.account.clone(), async move {
                let (account, asked) = vend_request(&request)?;
                let admitted = call.admit(&account).await?;
                let vended = call.site(&admitted).await?.vend(&admitted, asked).await?;
                Ok(proto::GetRepoTokenResponse {
                    token: vended.token.expose().to_owned(),
                    expire_time: vended.expires_at.map(translate::timestamp),
                    username: GIT_USERNAME.to_owned(),
                    source: translate::source(vended.source).into(),
                    permissions: translate::permissions(vended.permissions),
                    repository: vended.repository.to_string(),
                    clone_url: vended.clone_url,
                    stale: vended.stale,
                })
            })
            .await
    }

    async fn commit_files(
        &self,
        request: Request<proto::CommitFilesRequest>,
    ) -> Result<Response<proto::CommitFilesResponse>, Status> {
        let (call, request) = call::open(&self.sites, Method::CommitFiles, request)?;
        call.clone()
            .run(request.account.clone(), async move {
                let (account, asked) = commit_request(request, call.arrival.deadline)?;
                let admitted = call.admit(&account).await?;
                let done = call.site(&admitted).await?.commit(&admitted, asked).await?;
                Ok(proto::CommitFilesResponse {
                    commit_sha: done.commit_sha,
                    url: done.url,
                    branch: done.branch,
                    unchanged: done.unchanged,
                    files_added: count(done.counts.added),
                    files_changed: count(done.counts.changed),
                    files_deleted: count(done.counts.deleted),
                    files_unchanged: count(done.counts.unchanged),
                })
            })
            .await
    }

    async fn open_promotion_pr(
        &self,
        request: Request<proto::OpenPromotionPrRequest>,
    ) -> Result<Response<proto::OpenPromotionPrResponse>, Status> {
        let (call, request) = call::open(&self.sites, Method::OpenPromotionPr, request)?;
        call.clone()
            .run(request.account.clone(), async move {
                let (account, asked) = promote_request(request)?;
                let admitted = call.admit(&account).await?;
                let done = call.site(&admitted).await?.promote(&admitted, asked).await?;
                Ok(promoted(done))
            })
            .await
    }

    async fn report_rejected_token(
        &self,
        request: Request<proto::ReportRejectedTokenRequest>,
    ) -> Result<Response<proto::ReportRejectedTokenResponse>, Status> {
        let (call, request) = call::open(&self.sites, Method::ReportRejectedToken, request)?;
        call.clone()
            .run(request.account.clone(), async move {
                let (account, token) = rejected_request(request)?;
                let admitted = call.admit(&account).await?;
                let dropped = call.site(&admitted).await?.reject_token(&admitted, &token).await?;
                Ok(proto::ReportRejectedTokenResponse { dropped })
            })
            .await
    }
}
