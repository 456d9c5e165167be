//! What every failed call has in common, and what is logged of it.

mod deadline;
mod edge;
mod logs;

use prost::Message;
use tonic::Status;

use crate::harness::World;

const BROKER: &str = "/ghbroker.v1.CredentialBroker";

/// A message as it is sent.
fn frame(message: &impl Message) -> Vec<u8> {
    let message = message.encode_to_vec();
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    [&[0][..], &length, &message].concat()
}

/// Calls as a client does that keeps no rule and no time of its own. The call has to fail.
pub async fn call_raw(
    world: &World,
    path: &str,
    header: (&str, &str),
    body: impl Into<reqwest::Body>,
) -> Status {
    let client = reqwest::Client::builder().http2_prior_knowledge().build().unwrap();
    let call = client.post(format!("http://{}{path}", world.address)).header(header.0, header.1);
    let call = call.header("content-type", "application/grpc").header("te", "trailers");
    let answer = call.body(body).send().await.unwrap();
    Status::from_header_map(answer.headers()).expect("the call had to fail")
}
