//! Repositories: seeing, moving, archiving, creating, and their rules.

use github_sim::Rule;
use serde_json::json;

use crate::lab::{Lab, SITE, reply};

#[tokio::test]
async fn a_moved_repository_is_found_by_its_id() {
    let lab = Lab::new().await;
    let token = lab.token().await;
    lab.sim.rename_repository("acme/site", "pages");
    let moved = lab.get("/repos/acme/site/branches?per_page=1", &token).await.expect(301);
    let location = moved.header("location").to_owned();
    assert_eq!(location, format!("{}/repositories/{SITE}/branches?per_page=1", lab.sim.api_url()));
    let followed = lab.get(&location, &token).await.expect(200);
    assert_eq!(followed.body.as_array().unwrap().len(), 1);
    let write =
        lab.post("/repos/acme/site/issues", &token, json!({"title": "x"})).await.expect(307);
    let made = lab.post(write.header("location"), &token, json!({"title": "x"})).await.expect(201);
    assert_eq!(made.body["number"], 1);
    let by_id = lab.get(&format!("/repositories/{SITE}"), &token).await.expect(200);
    assert_eq!(by_id.body["full_name"], "acme/pages");
    lab.get("/repositories/1", &token).await.expect(404);
    let jwt = lab.jwt();
    lab.get("/repos/acme/site/installation", &jwt).await.expect(301);
    lab.sim.transfer_repository("acme/pages", "mona", "pages");
    lab.get("/repos/acme/pages", &token).await.refused(404, "Not Found");
    lab.get("/repos/acme/pages", "ghp_mona").await.expect(301);
    lab.sim.finish();
}

#[tokio::test]
async fn an_archived_repository_is_read_only_until_it_is_unarchived() {
    let lab = Lab::new().await;
    let token = lab.token().await;
    lab.sim.archive("acme/site", true);
    let repo = lab.get("/repos/acme/site", &token).await.expect(200);
    assert_eq!(repo.body["archived"], true);
    let body = json!({"title": "x"});
    lab.post("/repos/acme/site/issues", &token, body.clone())
        .await
        .refused(403, "Repository was archived so is read-only.");
    lab.patch("/repos/acme/site", &token, json!({"archived": false})).await.expect(200);
    lab.post("/repos/acme/site/issues", &token, body).await.expect(201);
    lab.sim.disable("acme/site", true);
    lab.get("/repos/acme/site/branches", &token).await.refused(403, "Repository access blocked");
    lab.sim.finish();
}

#[tokio::test]
async fn permissions_tell_the_role_of_the_caller() {
    let lab = Lab::new().await;
    let role = async |token: &str| {
        let repo = lab.get("/repos/acme/site", token).await.expect(200);
        let permission = |name: &str| repo.body["permissions"][name] == true;
        (permission("admin"), permission("push"), permission("pull"))
    };
    assert_eq!(role(&lab.token().await).await, (false, true, true));
    let reader = lab.token_with(json!({"contents": "read"})).await;
    assert_eq!(role(&reader).await, (false, false, true));
    assert_eq!(role("ghp_mona").await, (true, true, true));
    lab.get("/repos/acme/site", "").await.refused(404, "Not Found");
    lab.sim.finish();
}

#[tokio::test]
async fn repositories_are_created_by_who_may() {
    let lab = Lab::new().await;
    let token = lab.token().await;
    let body = json!({"name": "made", "private": true, "auto_init": true});
    let made = lab.post("/orgs/acme/repos", &token, body.clone()).await.expect(201);
    assert_eq!(made.body["full_name"], "acme/made");
    lab.get("/repos/acme/made/git/ref/heads/main", &token).await.expect(200);
    let again = lab.post("/orgs/acme/repos", &token, body.clone()).await.expect(422);
    assert_eq!(again.body["errors"][0]["message"], "name already exists on this account");
    lab.post("/user/repos", &token, body.clone())
        .await
        .refused(403, "Resource not accessible by integration");
    let own = lab.post("/user/repos", "ghp_mona", body.clone()).await.expect(201);
    assert_eq!(own.body["full_name"], "mona/made");
    let narrow = lab.token_with(json!({"contents": "write"})).await;
    lab.post("/orgs/acme/repos", &narrow, json!({"name": "no"})).await.expect(403);
    lab.post("/orgs/acme/repos", &token, json!({"name": "a b"})).await.expect(422);
    lab.sim.finish();
}

#[tokio::test]
async fn rules_are_listed_for_branches_that_need_not_exist() {
    let lab = Lab::new().await;
    let token = lab.token().await;
    let rules = [Rule::PullRequest, Rule::RequiredSignatures];
    let id = lab.sim.add_ruleset("acme/site", "release/*", &rules);
    let path = "/repos/acme/site/rules/branches/release/9";
    let listed = lab.get(path, &token).await.expect(200);
    assert_eq!(listed.body[0]["type"], "pull_request");
    assert_eq!(listed.body[0]["ruleset_id"], id);
    assert_eq!(listed.body[1]["type"], "required_signatures");
    let none = lab.get("/repos/acme/site/rules/branches/main", &token).await.expect(200);
    assert_eq!(none.body, json!([]));
    let sets = lab.get("/repos/acme/site/rulesets", &token).await.expect(200);
    assert_eq!(sets.body[0]["id"], id);
    let set = lab.get(&format!("/repos/acme/site/rulesets/{id}"), &token).await.expect(200);
    assert_eq!(set.body["conditions"]["ref_name"]["include"], json!(["refs/heads/release/*"]));
    lab.sim.finish();
}

#[tokio::test]
async fn rules_refuse_refs_contents_and_unsigned_commits() {
    let lab = Lab::new().await;
    let token = lab.token().await;
    let old = lab.sim.head("acme/site", "main").unwrap();
    lab.sim.add_ruleset("acme/site", "main", &[Rule::PullRequest]);
    lab.sim.add_ruleset("acme/site", "signed", &[Rule::RequiredSignatures]);
    lab.sim.add_ruleset("acme/site", "closed", &[Rule::Creation]);
    lab.sim.block_secret("AKIA-SECRET");
    let unsigned = lab.sim.move_head("acme/site", "unsigned");
    let refs = "/repos/acme/site/git/refs";
    let found = "Repository rule violations found\n\n";
    lab.patch(&format!("{refs}/heads/main"), &token, json!({"sha": unsigned}))
        .await
        .refused(422, &format!("{found}Changes must be made through a pull request.\n\n"));
    lab.post(refs, &token, json!({"ref": "refs/heads/closed", "sha": old}))
        .await
        .refused(422, &format!("{found}Cannot create ref due to creations being restricted.\n\n"));
    lab.post(refs, &token, json!({"ref": "refs/heads/signed", "sha": old})).await.expect(201);
    let signed = format!("{refs}/heads/signed");
    lab.patch(&signed, &token, json!({"sha": unsigned}))
        .await
        .refused(
            422,
            &format!(
                "{found}Commits must have verified signatures.\n  Found 1 violation:\n\n  {unsigned}\n\n"
            ),
        );
    let file =
        |branch: &str, content: &str| json!({"message": "m", "content": content, "branch": branch});
    let path = "/repos/acme/site/contents/x";
    lab.put(path, &token, file("main", "eA==")).await.expect(409);
    lab.put(path, &token, file("staging", "QUtJQS1TRUNSRVQ="))
        .await
        .refused(409, &format!("{found}Secret detected in content\n\n"));
    lab.put(path, &token, file("signed", "eA==")).await.expect(201);
    assert_eq!(lab.sim.head("acme/site", "main"), Some(old));
    lab.sim.finish();
}

#[tokio::test]
async fn code_and_issues_are_searched_where_the_caller_can_see() {
    let lab = Lab::new().await;
    let token = lab.token().await;
    let search = async |query: &str, token: &str| {
        let url = format!("{}/search/{query}", lab.sim.api_url());
        reply(lab.http.get(url).bearer_auth(token)).await.expect(200).body
    };
    let found = search("code?q=select+repo:acme/site+extension:sql", &token).await;
    assert_eq!(found["total_count"], 2);
    assert_eq!(found["items"][0]["path"], "models/a.sql");
    let narrow = lab.mint(json!({"repositories": ["other"]})).await.expect(201);
    let narrow = narrow.body["token"].as_str().unwrap();
    assert_eq!(search("code?q=select", narrow).await["total_count"], 0);
    lab.post("/repos/acme/site/issues", &token, json!({"title": "Broken build"})).await.expect(201);
    assert_eq!(search("issues?q=broken+is:issue", &token).await["total_count"], 1);
    assert_eq!(search("issues?q=broken+is:pr", &token).await["total_count"], 0);
    lab.sim.finish();
}
