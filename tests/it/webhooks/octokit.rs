//! The payloads that GitHub's JavaScript people publish as examples, signed by node.

use std::process::Stdio;

use reqwest::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use sqlx::{Connection, SqliteConnection};
use tokio::io::AsyncWriteExt;

use super::{Delivery, deliveries};
use crate::{
    harness::{WEBHOOK_SECRET, World},
    octokit::node,
};

/// An example, and its signature.
#[derive(Deserialize)]
struct Example {
    event: String,
    body: String,
    signature: String,
}

async fn examples() -> Vec<Example> {
    let mut command = node();
    let mut child =
        command.arg("examples.mjs").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(json!({"secret": WEBHOOK_SECRET}).to_string().as_bytes()).await.unwrap();
    drop(stdin);
    let output = child.wait_with_output().await.unwrap();
    assert!(output.status.success());
    serde_json::from_slice(&output.stdout).unwrap()
}

/// What has to be known of an example that is followed, read from it by hand; none for the others.
fn expected(event: &str, body: &Value) -> Option<Value> {
    let action = body["action"].as_str().unwrap_or_default();
    let installation = || {
        let requester = if action == "created" { &body["requester"]["id"] } else { &Value::Null };
        json!({"installation": {
            "installation": body["installation"]["id"],
            "requester": requester,
        }})
    };
    let change = match (event, action) {
        ("installation", "deleted") => {
            json!({"uninstalled": {"installation": body["installation"]["id"]}})
        }
        ("installation", "created" | "suspend" | "unsuspend" | "new_permissions_accepted")
        | ("installation_repositories", "added" | "removed") => installation(),
        ("repository", "renamed" | "transferred" | "archived" | "unarchived" | "deleted") => {
            json!({"repository": {
                "repository": body["repository"]["id"],
                "name": body["repository"]["full_name"],
                "state": "available",
                "at": body["repository"]["updated_at"],
            }})
        }
        ("github_app_authorization", "revoked") => {
            json!({"user_revoked": {"user": body["sender"]["id"]}})
        }
        _ => return None,
    };
    Some(json!({"name": event, "action": action, "change": change}))
}

#[tokio::test]
async fn every_published_example_is_taken_for_what_it_is() {
    let world = World::connected().await;
    let mut database = SqliteConnection::connect(world.database_url()).await.unwrap();
    let (mut followed, mut left) = (Vec::new(), 0);
    let examples = examples().await;
    for (at, example) in examples.iter().enumerate() {
        let body: Value = serde_json::from_str(&example.body).unwrap();
        let what = format!("{}.{}", example.event, body["action"]);
        let delivery = Delivery {
            id: format!("example-{at}"),
            event: example.event.clone(),
            body: example.body.clone().into(),
            secret: WEBHOOK_SECRET.into(),
        };
        assert_eq!(delivery.signature(), example.signature, "{what}");
        assert_eq!(delivery.send(&world.http).await, StatusCode::ACCEPTED, "{what}");
        let stored: Option<String> =
            sqlx::query_scalar("SELECT event FROM deliveries WHERE delivery_id = $1")
                .bind(&delivery.id)
                .fetch_optional(&mut database)
                .await
                .unwrap();
        let stored = stored.map(|event| serde_json::from_str::<Value>(&event).unwrap());
        assert_eq!(stored, expected(&example.event, &body), "{what}");
        if stored.is_some() {
            followed.push(what);
        } else {
            left += 1;
        }
    }
    assert_eq!(deliveries(&world, "accepted").await, followed.len() as u64);
    assert_eq!(deliveries(&world, "ignored").await, left);
    followed.sort();
    followed.dedup();
    assert_eq!(
        followed,
        [
            "github_app_authorization.\"revoked\"",
            "installation.\"created\"",
            "installation.\"deleted\"",
            "installation.\"new_permissions_accepted\"",
            "installation.\"suspend\"",
            "installation.\"unsuspend\"",
            "installation_repositories.\"added\"",
            "installation_repositories.\"removed\"",
            "repository.\"renamed\"",
            "repository.\"transferred\"",
        ]
    );
    assert!(left > 200, "{left}");
}
