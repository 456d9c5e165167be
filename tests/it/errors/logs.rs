//! One line for a failed call, and the call's id on everything that is done for it.

use ghbroker::proto::GetRepoTokenRequest;
use serde_json::Value;
use tonic::Code;

use crate::harness::{ACCOUNT, World, lines::Lines, status::assert_reason, write};

#[tokio::test]
async fn a_refused_call_is_one_line_with_one_message_and_the_callers_request_id() {
    let world = World::start().await;
    let (lines, _guard) = Lines::watch();
    let request = GetRepoTokenRequest { account: ACCOUNT.into(), ..Default::default() };
    let refused = world.get_repo_token(request).await.unwrap_err();
    let details = assert_reason(&refused, Code::NotFound, "ACCOUNT_NOT_CONNECTED");
    let line = lines.find("call refused");
    assert_eq!(line.matches("\"message\":").count(), 1, "{line}");
    let line: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(line["said"], refused.message());
    assert_eq!(line["span"]["request_id"], details.error_info().unwrap().metadata["request_id"]);
}

#[tokio::test]
async fn work_in_a_task_of_its_own_is_logged_with_its_call() {
    let world = World::connected().await;
    let (lines, _guard) = Lines::watch();
    world.commit("Add a file", vec![write("a.txt", "a")]).await.unwrap();
    let line: Value = serde_json::from_str(&lines.find("files committed")).unwrap();
    assert_eq!(line["span"]["rpc"], "CommitFiles", "{line}");
    assert!(line["span"]["request_id"].is_string(), "{line}");
}
