//! What a caller cannot have meant: a clear status, all of it at once, and nothing changed anywhere.

mod fields;
mod paths;
mod scope;
mod secrets;
mod size;

use ghbroker::proto::*;
use tonic::{Code, Status};

use crate::harness::{ACCOUNT, Footprint, World, status::assert_reason};

/// Nothing that an account name may be.
const BAD_ACCOUNT: &str = "tenant/with\nbreak";

/// A connected world and what it looks like before anything bad arrives.
async fn untouched() -> (World, Footprint, GetConnectionResponse) {
    let world = World::connected().await;
    let connection = connection(&world).await;
    let footprint = world.footprint();
    (world, footprint, connection)
}

async fn connection(world: &World) -> GetConnectionResponse {
    world.get_connection(GetConnectionRequest { account: ACCOUNT.into() }).await.unwrap()
}

/// Asserts that neither GitHub nor the account's connection knows anything of what was refused.
async fn assert_untouched(world: &World, before: &(Footprint, GetConnectionResponse)) {
    assert_eq!(world.footprint(), before.0, "GitHub was asked");
    assert_eq!(connection(world).await, before.1);
}

/// The fields that a BadRequest names, sorted.
#[track_caller]
fn bad(status: &Status) -> Vec<String> {
    let mut fields = crate::harness::status::bad_fields(status);
    fields.sort();
    fields
}

fn commit(files: Vec<FileChange>) -> CommitFilesRequest {
    CommitFilesRequest {
        account: ACCOUNT.into(),
        message: "Add files".into(),
        files,
        ..Default::default()
    }
}

/// The paths of `files` that were refused as protected.
#[track_caller]
fn protected(status: &Status) -> String {
    let details = assert_reason(status, Code::PermissionDenied, "PATH_NOT_ALLOWED");
    details.error_info().unwrap().metadata["paths"].clone()
}
