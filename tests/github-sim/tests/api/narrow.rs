//! Tokens that can do a little: what they can do, and what they are refused.

use github_sim::Level;
use github_sim::seed::{App, Installation, Pat, PatKind, Repository, Role, Selection};
use serde_json::json;

use crate::lab::{APP, INSTALLATION, Lab, SITE, permissions, seed};

const NO_APP: &str = "Resource not accessible by integration";
const NO_PAT: &str = "Resource not accessible by personal access token";

fn names(list: &serde_json::Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|r| r["full_name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_narrowed_token_works_on_issues_and_reviews_and_on_nothing_else() {
    let lab = Lab::new().await;
    lab.sim.commit("acme/site", "topic", &[("new.txt", "new\n")]);
    let open = json!({"title": "A change", "head": "topic", "base": "main"});
    lab.post("/repos/acme/site/pulls", "ghp_mona", open).await.expect(201);
    let review = json!({"event": "COMMENT", "body": "Fine."});
    lab.post("/repos/acme/site/pulls/1/reviews", "ghp_mona", review).await.expect(200);
    lab.put("/repos/acme/site/pulls/1/merge", "ghp_mona", json!({})).await.expect(200);
    let body = json!({
        "repository_ids": [SITE],
        "permissions": {"issues": "write", "pull_requests": "write", "contents": "read"},
    });
    let token = lab.mint(body).await.expect(201).body["token"].as_str().unwrap().to_owned();
    let issue = json!({"title": "Broken", "body": "It is.", "labels": []});
    lab.post("/repos/acme/site/issues", &token, issue).await.expect(201);
    let issues = lab.get("/repos/acme/site/issues?state=open", &token).await.expect(200);
    assert_eq!(issues.body[0]["title"], "Broken");
    let closed = lab.get("/repos/acme/site/pulls?state=closed", &token).await.expect(200);
    assert_eq!(closed.body[0]["merged_at"], "2026-01-15T12:00:00Z");
    let reviews = lab.get("/repos/acme/site/pulls/1/reviews", &token).await.expect(200);
    assert_eq!(
        (&reviews.body[0]["body"], &reviews.body[0]["user"]["login"]),
        (&json!("Fine."), &json!("mona"))
    );
    let code = lab.get("/search/code?q=select+repo:acme/site", &token).await.expect(200);
    assert_eq!(code.body["total_count"], 2);
    let found =
        lab.get("/search/issues?q=broken+repo:acme/site+is:issue", &token).await.expect(200);
    assert_eq!(found.body["total_count"], 1);
    let hidden = lab.get("/search/code?q=a+repo:acme/other", &token).await.expect(422);
    assert_eq!(hidden.body["errors"][0]["field"], "q");
    let file = json!({"message": "x", "content": "eA=="});
    let refused = lab.put("/repos/acme/site/contents/x", &token, file).await;
    assert_eq!(refused.header("x-accepted-github-permissions"), "contents=write");
    refused.refused(403, NO_APP);
    let made = lab.post("/orgs/acme/repos", &token, json!({"name": "no"})).await;
    assert_eq!(made.header("x-accepted-github-permissions"), "administration=write");
    made.refused(403, NO_APP);
    lab.patch("/repos/acme/site", &token, json!({"description": "x"})).await.refused(403, NO_APP);
    lab.delete("/repos/acme/site", &token).await.refused(403, NO_APP);
    lab.get("/repos/acme/other/issues", &token).await.refused(404, "Not Found");
    lab.get("/user", &token).await.refused(403, NO_APP);
    lab.sim.finish();
}

#[tokio::test]
async fn what_an_app_creates_is_added_to_its_selected_installation() {
    let mut seed = seed();
    seed.installations[0].repository_selection = Selection::Selected;
    seed.installations[0].repositories = vec!["site".to_owned()];
    let lab = Lab::with(seed).await;
    let token = lab.token().await;
    let body = json!({"name": "made", "private": true});
    let made = lab.post("/orgs/acme/repos", &token, body).await.expect(201);
    assert_eq!(
        (&made.body["private"], &made.body["owner"]["login"]),
        (&json!(true), &json!("acme"))
    );
    let listed = lab.get("/installation/repositories", &token).await.expect(200);
    assert_eq!(names(&listed.body["repositories"]), ["acme/site", "acme/made"]);
    lab.post("/orgs/nobody/repos", &token, json!({"name": "x"})).await.expect(404);
    lab.sim.finish();
}

#[tokio::test]
async fn a_person_creates_where_both_the_token_and_the_person_may() {
    let mut seed = seed();
    seed.installations.push(Installation {
        id: Some(201),
        app_id: APP,
        account: "mona".to_owned(),
        ..Installation::default()
    });
    let pat = |token: &str, owner: &str, scopes: &[&str]| Pat {
        token: Some(token.to_owned()),
        owner: owner.to_owned(),
        scopes: scopes.iter().map(|&scope| scope.to_owned()).collect(),
        ..Pat::default()
    };
    let fine = |token: &str, on: &str, level: Level| Pat {
        kind: PatKind::FineGrained,
        resource_owner: Some(on.to_owned()),
        permissions: permissions(&[("administration", level)]),
        ..pat(token, "mona", &[])
    };
    seed.pats.extend([
        pat("ghp_public", "mona", &["public_repo"]),
        pat("ghp_stranger", "stranger", &["repo"]),
        fine("github_pat_own", "mona", Level::Write),
        fine("github_pat_acme", "acme", Level::Write),
        fine("github_pat_read", "acme", Level::Read),
    ]);
    let lab = Lab::with(seed).await;
    let (mona, hubot) = (lab.sim.user_token(APP, "mona"), lab.sim.user_token(APP, "hubot"));
    let create = async |path: &str, token: &str, name: &str, private: bool| {
        lab.post(path, token, json!({"name": name, "private": private})).await
    };
    create("/user/repos", &mona, "a", true).await.expect(201);
    create("/user/repos", &hubot, "a", true).await.refused(403, NO_APP);
    create("/orgs/acme/repos", &hubot, "b", true).await.expect(201);
    create("/user/repos", "github_pat_own", "c", true).await.expect(201);
    create("/user/repos", "github_pat_acme", "d", true).await.refused(403, NO_PAT);
    create("/orgs/acme/repos", "github_pat_acme", "d", true).await.expect(201);
    create("/orgs/acme/repos", "github_pat_read", "e", true).await.refused(403, NO_PAT);
    create("/user/repos", "ghp_public", "f", true).await.refused(404, "Not Found");
    create("/user/repos", "ghp_public", "f", false).await.expect(201);
    let text = "You need admin access to the organization before adding a repository to it.";
    create("/orgs/acme/repos", "ghp_stranger", "g", true).await.refused(403, text);
    lab.sim.suspend(INSTALLATION);
    create("/orgs/acme/repos", &hubot, "h", true).await.refused(403, NO_APP);
    lab.delete("/repos/mona/a", "ghp_mona").await.expect(403);
    lab.sim.finish();
}

#[tokio::test]
async fn a_persons_repositories_are_listed_by_affiliation_visibility_and_order() {
    let mut seed = seed();
    let own = |name: &str, private| Repository {
        owner: "mona".to_owned(),
        name: name.to_owned(),
        private,
        ..Repository::default()
    };
    let shared = Repository {
        owner: "stranger".to_owned(),
        collaborators: [("mona".to_owned(), Level::Write)].into(),
        ..own("shared", true)
    };
    let foreign = Repository { owner: "stranger".to_owned(), ..own("foreign", false) };
    seed.repositories.extend([own("zoo", false), own("Ark", true), shared, foreign]);
    let lab = Lab::with(seed).await;
    let list = async |query: &str| {
        let path = format!("/user/repos?{query}");
        lab.get(&path, "ghp_mona").await.expect(200).body
    };
    let all = ["acme/empty", "acme/other", "acme/site", "mona/Ark", "mona/zoo", "stranger/shared"];
    assert_eq!(names(&list("").await), all);
    assert_eq!(names(&list("affiliation=owner").await), ["mona/Ark", "mona/zoo"]);
    assert_eq!(names(&list("affiliation=collaborator").await), ["stranger/shared"]);
    assert_eq!(names(&list("visibility=public").await), ["mona/zoo"]);
    assert_eq!(names(&list("type=owner&direction=desc").await), ["mona/zoo", "mona/Ark"]);
    lab.sim.advance(std::time::Duration::from_secs(60));
    lab.sim.commit("acme/site", "main", &[("x", "x\n")]);
    assert_eq!(names(&list("sort=pushed&per_page=1").await), ["acme/site"]);
    let paged = lab.get("/user/repos?per_page=4&page=2", "ghp_mona").await.expect(200);
    assert_eq!(names(&paged.body), ["mona/zoo", "stranger/shared"]);
    assert!(paged.header("link").contains("rel=\"prev\""));
    let both = lab.get("/user/repos?type=all&visibility=all", "ghp_mona").await;
    both.refused(422, "If you specify visibility or affiliation, you cannot specify type.");
    lab.get("/user/repos?affiliation=friend", "ghp_mona").await.expect(422);
    lab.sim.finish();
}

#[tokio::test]
async fn addresses_are_shown_to_whom_the_person_granted_them() {
    let mut seed = seed();
    seed.users[0].email = Some("mona@example.com".to_owned());
    seed.apps[0].permissions.insert("emails".to_owned(), Level::Read);
    seed.apps.push(App {
        id: Some(101),
        slug: "blind".to_owned(),
        owner: "acme".to_owned(),
        ..App::default()
    });
    seed.pats.push(Pat {
        token: Some("ghp_email".to_owned()),
        owner: "mona".to_owned(),
        scopes: vec!["user:email".to_owned()],
        ..Pat::default()
    });
    let lab = Lab::with(seed).await;
    for token in ["ghp_email", &lab.sim.user_token(APP, "mona")] {
        let listed = lab.get("/user/emails", token).await.expect(200);
        let first = json!({
            "email": "mona@example.com", "primary": true, "verified": true, "visibility": "private",
        });
        assert_eq!(listed.body[0], first);
    }
    lab.get("/user/emails", "ghp_mona").await.refused(404, "Not Found");
    lab.get("/user/emails", "github_pat_mona").await.refused(403, NO_PAT);
    let blind = lab.sim.user_token(101, "mona");
    lab.get("/user/emails", &blind).await.refused(403, NO_APP);
    // What users grant is nothing that an installation has.
    let minted = lab.mint(json!({})).await.expect(201);
    assert_eq!(minted.body["permissions"].get("emails"), None);
    lab.sim.finish();
}

#[tokio::test]
async fn a_fine_grained_token_that_waits_for_approval_reads_public_things_only() {
    let mut seed = seed();
    seed.orgs[0].members[1].role = Role::Admin;
    seed.repositories.push(Repository {
        owner: "acme".to_owned(),
        name: "open".to_owned(),
        private: false,
        ..Repository::default()
    });
    seed.pats.push(Pat {
        token: Some("github_pat_waits".to_owned()),
        owner: "mona".to_owned(),
        kind: PatKind::FineGrained,
        resource_owner: Some("acme".to_owned()),
        permissions: permissions(&[("contents", Level::Write), ("administration", Level::Write)]),
        pending_approval: true,
        ..Pat::default()
    });
    let lab = Lab::with(seed).await;
    let token = "github_pat_waits";
    assert_eq!(lab.get("/user", token).await.expect(200).body["login"], "mona");
    lab.get("/repos/acme/site", token).await.refused(404, "Not Found");
    lab.get("/repos/acme/open/branches", token).await.expect(200);
    let blob = json!({"content": "x"});
    let refused = lab.post("/repos/acme/open/git/blobs", token, blob.clone()).await;
    assert_eq!(refused.header("x-accepted-github-permissions"), "contents=write");
    refused.refused(403, NO_PAT);
    lab.post("/orgs/acme/repos", token, json!({"name": "x"})).await.refused(403, NO_PAT);
    assert_eq!(names(&lab.get("/orgs/acme/repos", token).await.expect(200).body), ["acme/open"]);
    lab.sim.approve_pat(token);
    lab.get("/repos/acme/site", token).await.expect(200);
    lab.post("/repos/acme/site/git/blobs", token, blob).await.expect(201);
    lab.sim.finish();
}

#[tokio::test]
async fn an_oauth_apps_tokens_are_checked_and_taken_back() {
    let mut seed = seed();
    seed.apps.push(App {
        id: Some(101),
        client_id: Some("Ov1.old".to_owned()),
        client_secret: "secret".to_owned(),
        slug: "old".to_owned(),
        owner: "acme".to_owned(),
        oauth_app: true,
        ..App::default()
    });
    let lab = Lab::with(seed).await;
    let token = lab.sim.user_token(101, "mona");
    let manage = async |client: &str, method: reqwest::Method, path: &str, token: &str| {
        let url = format!("{}/applications/{client}/{path}", lab.sim.api_url());
        let request = lab.http.request(method, url).basic_auth(client, Some("secret"));
        crate::lab::reply(request.json(&json!({"access_token": token}))).await
    };
    let (post, delete) = (reqwest::Method::POST, reqwest::Method::DELETE);
    let shown = manage("Ov1.old", post.clone(), "token", &token).await.expect(200);
    assert_eq!(
        (&shown.body["user"]["login"], &shown.body["expires_at"]),
        (&json!("mona"), &json!(null))
    );
    manage("Iv1.client", post, "token", &token).await.expect(404);
    manage("Ov1.old", delete.clone(), "token", &token).await.expect(204);
    lab.get("/user", &token).await.refused(401, "Bad credentials");
    let (one, two) = (lab.sim.user_token(101, "mona"), lab.sim.user_token(101, "mona"));
    manage("Ov1.old", delete, "grant", &one).await.expect(204);
    lab.get("/user", &two).await.refused(401, "Bad credentials");
    let leaked = lab.sim.user_token(101, "mona");
    lab.post("/credentials/revoke", "", json!({"credentials": [leaked]})).await.expect(202);
    lab.get("/user", &leaked).await.refused(401, "Bad credentials");
    lab.sim.finish();
}
