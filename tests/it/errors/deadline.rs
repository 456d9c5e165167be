//! A caller who gives up is told so in time, in the contract's words.

use ghbroker::proto::GetRepoTokenRequest;
use github_sim::{Effect, Fault, Gate};
use tonic::{
    Code,
    codec::{Codec, EncodeBody},
};
use tonic_prost::ProstCodec;

use super::{BROKER, call_raw, frame};
use crate::harness::{ACCOUNT, MINT, World, status::assert_reason};

#[tokio::test]
async fn while_github_thinks() {
    let world = World::connected().await;
    let gate = Gate::new();
    world.sim.fault(Fault::once(MINT, Effect::Hold(gate.clone())));
    let request = GetRepoTokenRequest { account: ACCOUNT.into(), ..Default::default() };
    let path = format!("{BROKER}/GetRepoToken");
    let late = call_raw(&world, &path, ("grpc-timeout", "50m"), frame(&request)).await;
    assert_reason(&late, Code::DeadlineExceeded, "DEADLINE_EXCEEDED");
    gate.open();
    world.finish().await;
}

#[tokio::test]
async fn while_the_request_is_still_to_come() {
    let world = World::start().await;
    let encoder = ProstCodec::<GetRepoTokenRequest, ()>::default().encoder();
    let never = EncodeBody::new_client(encoder, tokio_stream::pending(), None, None);
    let body = reqwest::Body::wrap(never);
    let path = format!("{BROKER}/GetRepoToken");
    let late = call_raw(&world, &path, ("grpc-timeout", "50m"), body).await;
    assert_reason(&late, Code::DeadlineExceeded, "DEADLINE_EXCEEDED");
}
