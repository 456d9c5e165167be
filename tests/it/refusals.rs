//! What GitHub refuses: each refusal is named, says what to do, changes nothing, and was foretold where that can be.
//!
//! * [`rules`]: every rule, by both ways of committing, by App and by token.
//! * [`moved`]: repositories that are where the installation does not reach them.
//! * [`others`]: workflow files, scopes, and repositories that nobody can write to.

mod moved;
mod others;
mod rules;

use std::collections::HashMap;

use ghbroker::proto::*;
use github_sim::seed;
use tonic::{Code, Status};

use crate::harness::{ACCOUNT, REPO, World, status::assert_reason};

/// ACCOUNT connected by a classic token of its own, and REPO bound.
async fn by_token(scopes: &[&str]) -> World {
    let mut world = World::start().await;
    store(&world, scopes).await;
    world.configure(ACCOUNT, REPO).await;
    world
}

async fn store(world: &World, scopes: &[&str]) {
    let scopes = scopes.iter().map(|&scope| scope.to_owned()).collect();
    let token = world.pat(seed::Pat { scopes, ..Default::default() });
    world
        .set_pat(SetPatRequest { account: ACCOUNT.into(), token, ..Default::default() })
        .await
        .unwrap();
}

async fn verify(world: &World) -> VerifyRepoResponse {
    let request = VerifyRepoRequest { account: ACCOUNT.into(), ..Default::default() };
    world.verify_repo(request).await.unwrap()
}

#[track_caller]
fn finding(answer: &VerifyRepoResponse, code: FindingCode) -> &Finding {
    answer.findings.iter().find(|finding| finding.code() == code).unwrap()
}

/// The metadata of a failed precondition.
#[track_caller]
fn metadata(status: &Status, reason: &str) -> HashMap<String, String> {
    let details = assert_reason(status, Code::FailedPrecondition, reason);
    details.error_info().unwrap().metadata.clone()
}
