//! What tonic refuses has the form of every other error.

use ghbroker::proto::*;
use prost_types::Duration;
use tonic::Code;

use super::{BROKER, call_raw, frame};
use crate::harness::{
    ACCOUNT, World,
    status::{assert_reason, bad_fields},
    write,
};

const NO_HEADER: (&str, &str) = ("x-nothing", "at-all");

#[tokio::test]
async fn an_unknown_method_or_service() {
    let world = World::start().await;
    for path in [&format!("{BROKER}/MakeCoffee"), "/no.such.Service/Call", "/"] {
        let refused = call_raw(&world, path, NO_HEADER, frame(&Duration::default())).await;
        assert_reason(&refused, Code::Unimplemented, "METHOD_UNKNOWN");
    }
    // Health says in its own words that it does not know a service.
    let unknown = tonic_health::pb::HealthCheckRequest { service: "nobody".into() };
    let path = "/grpc.health.v1.Health/Check";
    let refused = call_raw(&world, path, NO_HEADER, frame(&unknown)).await;
    assert_eq!((refused.code(), refused.details()), (Code::NotFound, &[][..]));
}

#[tokio::test]
async fn what_is_no_message_of_the_method() {
    let world = World::start().await;
    let path = format!("{BROKER}/GetRepoToken");
    // The field of the account as a number.
    let number = frame(&Duration { seconds: 5, nanos: 0 });
    let compressed_flag = [&[1][..], &number[1..]].concat();
    for body in [number, compressed_flag, vec![0, 0, 0, 0, 9, 1], Vec::new()] {
        let refused = call_raw(&world, &path, NO_HEADER, body).await;
        assert_reason(&refused, Code::Internal, "MALFORMED_REQUEST");
    }
}

#[tokio::test]
async fn compression_that_the_broker_does_not_read() {
    let world = World::start().await;
    let path = format!("{BROKER}/GetRepoToken");
    let body = frame(&GetRepoTokenRequest::default());
    let refused = call_raw(&world, &path, ("grpc-encoding", "gzip"), body).await;
    assert_reason(&refused, Code::Unimplemented, "COMPRESSION_UNKNOWN");
}

#[tokio::test]
async fn only_commit_files_has_room() {
    let world = World::connected().await;
    let big = "x".repeat(400 * 1024);
    let pat = SetPatRequest { account: ACCOUNT.into(), token: big.clone(), ..Default::default() };
    let binding = ConfigureRepoRequest { account: big.clone(), ..Default::default() };
    for refused in
        [world.set_pat(pat).await.unwrap_err(), world.configure_repo(binding).await.unwrap_err()]
    {
        assert_eq!(bad_fields(&refused), ["request"]);
        assert!(refused.message().contains("320 KiB"), "{}", refused.message());
    }
    world.commit("Add a file", vec![write("big.txt", big)]).await.unwrap();
}

#[tokio::test]
async fn the_longest_description_in_any_language_has_room() {
    let world = World::connected().await;
    world.commit("Add a file", vec![write("a.txt", "a")]).await.unwrap();
    let request = OpenPromotionPrRequest {
        account: ACCOUNT.into(),
        body: Some("𓀀".repeat(65_536)),
        ..Default::default()
    };
    assert!(world.open_promotion_pr(request).await.unwrap().created);
}

/// A page in a browser can make it send forms and texts to any address, with the certificate of whoever sits before it.
#[tokio::test]
async fn what_is_not_grpc_comes_to_no_handler() {
    let world = World::connected().await;
    let request = DisconnectRequest { account: ACCOUNT.into() };
    let url = format!("http://{}/ghbroker.v1.ConnectionAdmin/Disconnect", world.address);
    let client = reqwest::Client::builder().http2_prior_knowledge().build().unwrap();
    for (method, kind) in [
        ("POST", "text/plain"),
        ("POST", "application/x-www-form-urlencoded"),
        ("POST", "text/plain, application/grpc"),
        ("PUT", "application/grpc"),
        ("GET", "application/grpc"),
    ] {
        let call = client.request(method.parse().unwrap(), &url).header("content-type", kind);
        let answer = call.body(frame(&request)).send().await.unwrap();
        assert_eq!(answer.status(), 415, "{method} {kind}");
    }
    let connection = GetConnectionRequest { account: ACCOUNT.into() };
    assert!(world.get_connection(connection).await.is_ok());
    world.finish().await;
}
