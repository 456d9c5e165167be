//! Issues, comments and labels.

use serde_json::json;

use crate::lab::Lab;

const ISSUES: &str = "/repos/acme/site/issues";

#[tokio::test]
async fn issues_are_opened_commented_and_closed() {
    let lab = Lab::new().await;
    let token = lab.token().await;
    let made = lab.post(ISSUES, &token, json!({"title": "One", "body": "b"})).await.expect(201);
    assert_eq!(made.body["number"], 1);
    lab.post(ISSUES, &token, json!({"body": "b"}))
        .await
        .refused(422, "Invalid request.\n\n\"title\" wasn't supplied.");
    let comments = format!("{ISSUES}/1/comments");
    lab.post(&comments, &token, json!({"body": "hello"})).await.expect(201);
    let listed = lab.get(&comments, &token).await.expect(200);
    assert_eq!(listed.body[0]["body"], "hello");
    let one = format!("{ISSUES}/1");
    let closed = lab.patch(&one, &token, json!({"state": "closed"})).await.expect(200);
    assert_eq!((&closed.body["state"], &closed.body["comments"]), (&json!("closed"), &json!(1)));
    assert_eq!(lab.get(ISSUES, &token).await.expect(200).body, json!([]));
    assert_eq!(lab.sim.issues("acme/site").len(), 1);
    lab.get(&format!("{ISSUES}/9"), &token).await.refused(404, "Not Found");
    let reader = lab.token_with(json!({"contents": "write"})).await;
    lab.post(ISSUES, &reader, json!({"title": "x"})).await.expect(403);
    lab.sim.finish();
}

#[tokio::test]
async fn labels_are_made_and_put_on_issues_and_pull_requests() {
    let lab = Lab::new().await;
    let token = lab.token().await;
    lab.sim.move_head("acme/site", "staging");
    let pull = json!({"title": "P", "head": "staging", "base": "main"});
    lab.post("/repos/acme/site/pulls", &token, pull).await.expect(201);
    let labels = "/repos/acme/site/labels";
    let label = json!({"name": "promotion", "color": "00ff00"});
    lab.post(labels, &token, label.clone()).await.expect(201);
    let again = lab.post(labels, &token, label).await.expect(422);
    assert_eq!(again.body["errors"][0]["code"], "already_exists");
    lab.post(labels, &token, json!({"name": "x", "color": "green"})).await.expect(422);
    let on = format!("{ISSUES}/1/labels");
    lab.post(&on, &token, json!({"labels": ["promotion", "new"]})).await.expect(200);
    let pull = lab.get("/repos/acme/site/pulls/1", &token).await.expect(200);
    let names: Vec<_> =
        pull.body["labels"].as_array().unwrap().iter().map(|l| &l["name"]).collect();
    assert_eq!(names, ["promotion", "new"]);
    // In another case it is the same one.
    lab.post(&on, &token, json!({"labels": ["Promotion"]})).await.expect(200);
    let pull = lab.get("/repos/acme/site/pulls/1", &token).await.expect(200);
    assert_eq!(pull.body["labels"].as_array().unwrap().len(), 2);
    lab.post(&on, &token, json!({"labels": ["good", "x".repeat(51)]})).await.expect(422);
    lab.delete(&format!("{on}/new"), &token).await.expect(200);
    lab.delete(&format!("{on}/new"), &token).await.refused(404, "Label does not exist");
    assert_eq!(lab.get(labels, &token).await.expect(200).body.as_array().unwrap().len(), 2);
    lab.sim.finish();
}
