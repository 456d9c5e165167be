//! Other spellings of a path: none leads past the door.

use ghbroker::proto::{GetRepoTokenRequest, GetRepoTokenResponse};
use tonic::{Code, Request, client::Grpc, codegen::http::uri::PathAndQuery};
use tonic_prost::ProstCodec;

use super::{operator, rule};
use crate::harness::{INSTALLATION, REPO, World, caller::Caller, door::Door, seed};

/// What a call of this path is answered.
async fn call(caller: &Caller, path: &str) -> Result<GetRepoTokenResponse, Code> {
    let mut client = Grpc::new(caller.channel.clone());
    client.ready().await.unwrap();
    let request = GetRepoTokenRequest { account: "ours".into(), ..Default::default() };
    let codec = ProstCodec::<GetRepoTokenRequest, GetRepoTokenResponse>::default();
    let path: PathAndQuery = path.parse().unwrap();
    let answer = client.unary(Request::new(request), path, codec).await;
    answer.map(tonic::Response::into_inner).map_err(|status| status.code())
}

#[tokio::test]
async fn no_spelling_of_a_path_leads_past_the_door() {
    let rules = operator() + &rule("consumer", "role = \"consumer\"\naccounts = [\"ours\"]");
    let mut world = World::guarded(seed(), Door::new("mtls", &rules)).await;
    world.register("ours", INSTALLATION).await;
    world.configure("ours", REPO).await;
    let right = "/ghbroker.v1.CredentialBroker/GetRepoToken";
    let consumer = world.workload("consumer").await;
    assert!(!call(&consumer, right).await.unwrap().token.is_empty());

    let before = (world.footprint(), world.stored().await);
    let callers = [world.workload("operator").await, world.workload("stranger").await];
    for caller in callers {
        for path in [
            right,
            "/ghbroker.v1.CredentialBroker/GetRepoToken?",
            "/ghbroker.v1.CredentialBroker/GetRepoToken?/grpc.health.v1.Health/Check",
            "/ghbroker.v1.CredentialBroker/GetRepoToken/",
            "//ghbroker.v1.CredentialBroker/GetRepoToken",
            "/ghbroker.v1.CredentialBroker//GetRepoToken",
            "/ghbroker.v1.CredentialBroker/./GetRepoToken",
            "/ghbroker.v1.CredentialBroker/getRepoToken",
            "/ghbroker.v1.CredentialBroker/%47etRepoToken",
            "/ghbroker.v1.CredentialBroker/GetRepoToken%2f",
            "/ghbroker.v1.CredentialBroker/GetConnection/../GetRepoToken",
            "/grpc.health.v1.Health/../ghbroker.v1.CredentialBroker/GetRepoToken",
            "/grpc.health.v1.Health/GetRepoToken",
            "/ghbroker.v1.ConnectionAdmin/GetRepoToken",
        ] {
            let code = call(&caller, path).await.expect_err(path);
            let refused = matches!(code, Code::PermissionDenied | Code::Unimplemented);
            assert!(refused, "{path}: {code}");
        }
    }
    let stranger = world.workload("stranger").await;
    for path in [
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo/",
        "//grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        "/grpc%2Ereflection.v1.ServerReflection/ServerReflectionInfo",
        "/GRPC.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
        "/grpc.health.v1.Health/../grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    ] {
        let code = call(&stranger, path).await.expect_err(path);
        assert!(matches!(code, Code::PermissionDenied | Code::Unimplemented), "{path}: {code}");
    }
    assert_eq!((world.footprint(), world.stored().await), before);
    world.finish().await;
}
