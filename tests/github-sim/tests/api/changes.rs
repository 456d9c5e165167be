//! Refs, blobs, trees, commits, contents and compare over REST.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::lab::{Lab, git, ok};

const REPO: &str = "/repos/acme/site";

#[tokio::test]
async fn a_commit_is_made_of_blobs_a_tree_and_a_ref() {
    let lab = Lab::new().await;
    let token = lab.token().await;
    let head = lab.sim.head("acme/site", "main").unwrap();
    let at = |path: &str| format!("{REPO}/git/{path}");
    let binary = STANDARD.encode([0, 159, 146, 150]);
    let blob = lab
        .post(&at("blobs"), &token, json!({"content": binary, "encoding": "base64"}))
        .await
        .expect(201);
    let tree = json!({"base_tree": head, "tree": [
        {"path": "bin/run.sh", "mode": "100755", "type": "blob", "content": "#!/bin/sh\n"},
        {"path": "data.bin", "mode": "100644", "type": "blob", "sha": blob.body["sha"]},
        {"path": "models/b.sql", "mode": "100644", "type": "blob", "sha": null},
    ]});
    let tree = lab.post(&at("trees"), &token, tree).await.expect(201);
    let body = json!({"message": "one", "tree": tree.body["sha"], "parents": [head]});
    let commit = lab.post(&at("commits"), &token, body).await.expect(201);
    assert_eq!(commit.body["verification"]["verified"], true);
    assert_eq!(commit.body["author"]["name"], "broker[bot]");
    let sha = commit.body["sha"].as_str().unwrap();
    let moved = lab.patch(&at("refs/heads/main"), &token, json!({"sha": sha})).await.expect(200);
    assert_eq!(moved.body["object"]["sha"], sha);
    let tree = lab.get(&at("trees/main?recursive=1"), &token).await.expect(200);
    let listed: Vec<(&str, &str)> = tree.body["tree"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|entry| entry["type"] == "blob")
        .map(|entry| (entry["path"].as_str().unwrap(), entry["mode"].as_str().unwrap()))
        .collect();
    assert_eq!(
        listed,
        [
            ("README.md", "100644"),
            ("bin/run.sh", "100755"),
            ("data.bin", "100644"),
            ("models/a.sql", "100644"),
        ]
    );
    lab.sim.finish();
}

#[tokio::test]
async fn a_custom_author_takes_the_verification_away() {
    let lab = Lab::new().await;
    let token = lab.token().await;
    let head = lab.sim.head("acme/site", "main").unwrap();
    let tree = lab.get(&format!("{REPO}/git/commits/{head}"), &token).await.expect(200);
    let body = json!({
        "message": "x", "tree": tree.body["tree"]["sha"], "parents": [head],
        "author": {"name": "A", "email": "a@example.com", "date": "2020-01-01T00:00:00Z"},
    });
    let commit = lab.post(&format!("{REPO}/git/commits"), &token, body).await.expect(201);
    assert_eq!(commit.body["verification"]["verified"], false);
    assert_eq!(commit.body["verification"]["reason"], "unsigned");
    assert_eq!(commit.body["author"]["date"], "2020-01-01T00:00:00Z");
    lab.sim.finish();
}

#[tokio::test]
async fn refs_move_only_as_github_lets_them() {
    let lab = Lab::new().await;
    let token = lab.token().await;
    let refs = format!("{REPO}/git/refs");
    let old = lab.sim.head("acme/site", "main").unwrap();
    let new = lab.sim.move_head("acme/site", "main");
    let missing = "0123456789012345678901234567890123456789";
    let patch = |name: &str| format!("{refs}/heads/{name}");
    lab.patch(&patch("main"), &token, json!({"sha": old, "force": false}))
        .await
        .refused(422, "Update is not a fast forward");
    lab.patch(&patch("gone"), &token, json!({"sha": new}))
        .await
        .refused(422, "Reference does not exist");
    lab.patch(&patch("main"), &token, json!({"sha": missing}))
        .await
        .refused(422, "Object does not exist");
    lab.patch(&patch("main"), &token, json!({"sha": new, "force": "yes"}))
        .await
        .refused(422, "Invalid request.\n\nFor 'properties/force', \"yes\" is not a boolean.");
    lab.post(&refs, &token, json!({"ref": "refs/heads/main", "sha": new}))
        .await
        .refused(422, "Reference already exists");
    lab.post(&refs, &token, json!({"ref": "main", "sha": new})).await.expect(422);
    lab.post(&refs, &token, json!({"sha": new}))
        .await
        .refused(422, "Invalid request.\n\n\"ref\" wasn't supplied.");
    lab.post(&refs, &token, json!({"ref": "refs/heads/a/b", "sha": new})).await.expect(201);
    let found = lab.get(&format!("{REPO}/git/ref/heads/a/b"), &token).await.expect(200);
    assert_eq!(found.body["ref"], "refs/heads/a/b");
    lab.get(&format!("{REPO}/git/ref/heads/a"), &token).await.expect(404);
    let matching = lab.get(&format!("{REPO}/git/matching-refs/heads/a"), &token).await.expect(200);
    assert_eq!(matching.body.as_array().unwrap().len(), 1);
    lab.delete(&patch("a/b"), &token).await.expect(204);
    lab.delete(&patch("a/b"), &token).await.refused(422, "Reference does not exist");
    lab.sim.finish();
}

#[tokio::test]
async fn trees_refuse_what_cannot_be() {
    let lab = Lab::new().await;
    let token = lab.token().await;
    let head = lab.sim.head("acme/site", "main").unwrap();
    let path = format!("{REPO}/git/trees");
    let tree = |entry: serde_json::Value| json!({"base_tree": head, "tree": [entry]});
    let gone = json!({"path": "missing", "mode": "100644", "type": "blob", "sha": null});
    lab.post(&path, &token, tree(gone)).await.refused(422, "GitRPC::BadObjectState");
    for bad in ["../x", "a/.git/config", "/x", "a//b", ".GIT/x"] {
        let entry = json!({"path": bad, "mode": "100644", "type": "blob", "content": ""});
        lab.post(&path, &token, tree(entry)).await.expect(422);
    }
    let mode = json!({"path": "x", "mode": "100666", "type": "blob", "content": ""});
    lab.post(&path, &token, tree(mode)).await.refused(422, "Must supply a valid tree.mode");
    let workflow =
        json!({"path": ".github/workflows/x.yml", "mode": "100644", "type": "blob", "content": ""});
    lab.post(&path, &token, tree(workflow.clone()))
        .await
        .refused(403, "Resource not accessible by integration");
    lab.post(&path, "ghp_mona", tree(workflow)).await.refused(404, "Not Found");
    let large =
        json!({"path": "x", "mode": "100644", "type": "blob", "content": "x".repeat(3_000_000)});
    lab.post(&path, &token, tree(large)).await.expect(422);
    lab.sim.finish();
}

#[tokio::test]
async fn a_tree_of_many_files_takes_few_processes_and_no_base_drops_the_rest() {
    let lab = Lab::new().await;
    let token = lab.token().await;
    let entries: Vec<_> = (0..5000)
        .map(|i| {
            json!({"path": format!("d{}/f{i}", i % 50), "mode": "100644", "type": "blob",
            "content": format!("{i}\n")})
        })
        .collect();
    let body = json!({"tree": entries});
    let tree = lab.post(&format!("{REPO}/git/trees"), &token, body).await.expect(201);
    let path = format!("{REPO}/git/trees/{}?recursive=1", tree.body["sha"].as_str().unwrap());
    let listed = lab.get(&path, &token).await.expect(200);
    assert_eq!(listed.body["tree"].as_array().unwrap().len(), 5050);
    assert_eq!(listed.body["truncated"], false);
    lab.sim.finish();
}

#[tokio::test]
async fn contents_are_read_put_and_deleted() {
    let lab = Lab::new().await;
    let token = lab.token().await;
    let path = format!("{REPO}/contents/models/a.sql");
    let file = lab.get(&path, &token).await.expect(200);
    assert_eq!(file.body["content"], format!("{}\n", STANDARD.encode("select 1\n")));
    let sha = file.body["sha"].clone();
    let request = lab.http.get(format!("{}{path}", lab.sim.api_url())).bearer_auth(&token);
    let raw = crate::lab::reply(request.header("accept", "application/vnd.github.raw+json")).await;
    assert_eq!(raw.text, "select 1\n");
    let body = json!({"message": "m", "content": STANDARD.encode("select 3\n")});
    lab.put(&path, &token, body.clone())
        .await
        .refused(422, "Invalid request.\n\n\"sha\" wasn't supplied.");
    let with = |sha: &serde_json::Value| {
        let mut body = body.clone();
        body["sha"] = sha.clone();
        body["branch"] = json!("staging");
        body
    };
    let put = lab.put(&path, &token, with(&sha)).await.expect(200);
    assert_eq!(put.body["commit"]["verification"]["verified"], true);
    lab.put(&path, &token, with(&sha)).await.expect(409);
    let delete = json!({"message": "m", "sha": put.body["content"]["sha"], "branch": "staging"});
    lab.send("DELETE", &path, &token, Some(delete)).await.expect(200);
    lab.get(&format!("{path}?ref=staging"), &token).await.refused(404, "Not Found");
    let dir = lab.get(&format!("{REPO}/contents"), &token).await.expect(200);
    assert_eq!(dir.body.as_array().unwrap().len(), 2);
    lab.sim.finish();
}

#[tokio::test]
async fn an_empty_repository_is_seeded_by_its_first_file() {
    let lab = Lab::new().await;
    let token = lab.token().await;
    let repo = "/repos/acme/empty";
    let empty = "Git Repository is empty.";
    let blob = json!({"content": "x", "encoding": "utf-8"});
    lab.post(&format!("{repo}/git/blobs"), &token, blob.clone()).await.refused(409, empty);
    lab.get(&format!("{repo}/git/ref/heads/main"), &token).await.refused(409, empty);
    lab.get(&format!("{repo}/git/trees/main"), &token).await.refused(409, empty);
    let file = json!({"message": "first", "content": STANDARD.encode("x")});
    lab.put(&format!("{repo}/contents/README.md"), &token, file).await.expect(201);
    lab.post(&format!("{repo}/git/blobs"), &token, blob).await.expect(201);
    assert!(lab.sim.head("acme/empty", "main").is_some());
    lab.sim.finish();
}

#[tokio::test]
async fn compare_says_how_two_branches_relate() {
    let lab = Lab::new().await;
    let token = lab.token().await;
    let compare = |range: &str| format!("{REPO}/compare/{range}");
    let same = lab.get(&compare("main...staging"), &token).await.expect(200);
    assert_eq!(same.body["status"], "identical");
    lab.sim.commit(
        "acme/site",
        "staging",
        &[("models/a.sql", "select 9\n"), ("new.txt", "a\nb\n")],
    );
    let ahead = lab.get(&compare("main...acme:staging"), &token).await.expect(200);
    assert_eq!(ahead.body["status"], "ahead");
    assert_eq!((&ahead.body["ahead_by"], &ahead.body["behind_by"]), (&json!(1), &json!(0)));
    let files = ahead.body["files"].as_array().unwrap();
    assert_eq!(files.len(), 2);
    assert_eq!(files[0]["filename"], "models/a.sql");
    assert_eq!(files[0]["patch"], "@@ -1 +1 @@\n-select 1\n+select 9");
    assert_eq!((&files[1]["status"], &files[1]["additions"]), (&json!("added"), &json!(2)));
    lab.sim.move_head("acme/site", "main");
    let diverged = lab.get(&compare("main...staging"), &token).await.expect(200);
    assert_eq!(diverged.body["status"], "diverged");
    lab.get(&compare("main...gone"), &token).await.refused(404, "Not Found");
    let commits = lab.get(&format!("{REPO}/commits?sha=staging"), &token).await.expect(200);
    assert_eq!(commits.body.as_array().unwrap().len(), 2);
    let sha = commits.body[0]["sha"].as_str().unwrap();
    let commit = lab.get(&format!("{REPO}/commits/{sha}"), &token).await.expect(200);
    assert_eq!(commit.body["stats"]["total"], 4);
    let status = lab.token_with(json!({"contents": "read"})).await;
    lab.get(&format!("{REPO}/commits/main/status"), &status).await.expect(403);
    lab.sim.finish();
}

#[tokio::test]
async fn branches_are_listed_with_their_heads() {
    let lab = Lab::new().await;
    let token = lab.token().await;
    let listed = lab.get(&format!("{REPO}/branches"), &token).await.expect(200);
    let names: Vec<_> = listed.body.as_array().unwrap().iter().map(|b| &b["name"]).collect();
    assert_eq!(names, ["main", "staging"]);
    lab.get(&format!("{REPO}/branches/gone"), &token).await.refused(404, "Branch not found");
    lab.get(&format!("{REPO}/branches/main/protection"), &token)
        .await
        .refused(404, "Branch not protected");
    lab.sim.protect_branch("acme/site", "main", &["ci"]);
    let protection = lab.get(&format!("{REPO}/branches/main/protection"), &token).await.expect(200);
    assert_eq!(protection.body["required_status_checks"]["contexts"], json!(["ci"]));
    let branch = lab.get(&format!("{REPO}/branches/main"), &token).await.expect(200);
    assert_eq!(branch.body["protected"], true);
    lab.sim.finish();
}

#[tokio::test]
async fn what_the_api_commits_is_what_git_clones() {
    let lab = Lab::new().await;
    let token = lab.token().await;
    let file = json!({"message": "m", "content": STANDARD.encode("über\n")});
    lab.put(&format!("{REPO}/contents/d%C3%BC/x.txt"), &token, file).await.expect(201);
    let scratch = tempfile::tempdir().unwrap();
    ok(git(scratch.path(), &["clone", "-q", &lab.remote(&token, "acme/site"), "w"]).await);
    let text = std::fs::read_to_string(scratch.path().join("w/dü/x.txt")).unwrap();
    assert_eq!(text, "über\n");
    lab.sim.finish();
}
