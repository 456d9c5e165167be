//! The RPCs as a test calls them: a request in, an answer or a status out.

use ghbroker::proto::*;
use tonic::{Response, Status};

use super::{World, caller::Caller};

macro_rules! calls {
    ($($service:ident.$rpc:ident($request:ident) -> $answer:ident;)*) => {
        impl World {
            $(pub async fn $rpc(&self, request: $request) -> Result<$answer, Status> {
                self.$service.clone().$rpc(request).await.map(Response::into_inner)
            })*
        }
    };
}

calls! {
    broker.register_installation(RegisterInstallationRequest) -> RegisterInstallationResponse;
    broker.set_pat(SetPatRequest) -> SetPatResponse;
    broker.verify_repo(VerifyRepoRequest) -> VerifyRepoResponse;
    broker.get_repo_token(GetRepoTokenRequest) -> GetRepoTokenResponse;
    broker.commit_files(CommitFilesRequest) -> CommitFilesResponse;
    broker.open_promotion_pr(OpenPromotionPrRequest) -> OpenPromotionPrResponse;
    broker.report_rejected_token(ReportRejectedTokenRequest) -> ReportRejectedTokenResponse;
    admin.configure_repo(ConfigureRepoRequest) -> ConfigureRepoResponse;
    admin.get_connection(GetConnectionRequest) -> GetConnectionResponse;
    admin.begin_installation(BeginInstallationRequest) -> BeginInstallationResponse;
    admin.begin_o_auth(BeginOAuthRequest) -> BeginOAuthResponse;
    admin.complete_o_auth(CompleteOAuthRequest) -> CompleteOAuthResponse;
    admin.list_connections(ListConnectionsRequest) -> ListConnectionsResponse;
    admin.list_repositories(ListRepositoriesRequest) -> ListRepositoriesResponse;
    admin.create_repository(CreateRepositoryRequest) -> CreateRepositoryResponse;
    admin.set_credential_enabled(SetCredentialEnabledRequest) -> SetCredentialEnabledResponse;
    admin.disconnect(DisconnectRequest) -> DisconnectResponse;
}

macro_rules! calls_of_a_service {
    ($($service:ident.$rpc:ident($request:ident) -> $answer:ident;)*) => {
        impl Caller {
            $(pub async fn $rpc(&self, request: $request) -> Result<$answer, Status> {
                self.$service().$rpc(request).await.map(Response::into_inner)
            })*
        }
    };
}

// Those that stories make.
calls_of_a_service! {
    broker.set_pat(SetPatRequest) -> SetPatResponse;
    broker.verify_repo(VerifyRepoRequest) -> VerifyRepoResponse;
    broker.get_repo_token(GetRepoTokenRequest) -> GetRepoTokenResponse;
    broker.commit_files(CommitFilesRequest) -> CommitFilesResponse;
    broker.open_promotion_pr(OpenPromotionPrRequest) -> OpenPromotionPrResponse;
    broker.report_rejected_token(ReportRejectedTokenRequest) -> ReportRejectedTokenResponse;
    admin.configure_repo(ConfigureRepoRequest) -> ConfigureRepoResponse;
    admin.get_connection(GetConnectionRequest) -> GetConnectionResponse;
    admin.begin_installation(BeginInstallationRequest) -> BeginInstallationResponse;
    admin.begin_o_auth(BeginOAuthRequest) -> BeginOAuthResponse;
    admin.list_connections(ListConnectionsRequest) -> ListConnectionsResponse;
    admin.list_repositories(ListRepositoriesRequest) -> ListRepositoriesResponse;
    admin.set_credential_enabled(SetCredentialEnabledRequest) -> SetCredentialEnabledResponse;
    admin.disconnect(DisconnectRequest) -> DisconnectResponse;
}
