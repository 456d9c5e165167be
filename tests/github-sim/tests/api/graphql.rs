//! GraphQL: documents, reading, and the mutations.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use github_sim::Rule;
use serde_json::{Value, json};

use crate::lab::{Lab, git, ok};

const COMMIT: &str = "mutation($input: CreateCommitOnBranchInput!) {
  createCommitOnBranch(input: $input) {
    clientMutationId
    commit { oid url signature { isValid } committer { name } author { name } }
    ref { name target { oid } }
  }
}";

fn commit_input(branch: &str, head: &str, changes: Value) -> Value {
    json!({"input": {
        "branch": {"repositoryNameWithOwner": "acme/site", "branchName": branch},
        "expectedHeadOid": head,
        "message": {"headline": "Change", "body": "Why."},
        "fileChanges": changes,
        "clientMutationId": "7",
    }})
}

fn add(path: &str, data: &[u8]) -> Value {
    json!({"path": path, "contents": STANDARD.encode(data)})
}

#[tokio::test]
async fn a_query_reads_a_repository_with_aliases_fragments_and_variables() {
    let lab = Lab::new().await;
    let token = lab.token().await;
    let query = "query Read($owner: String!, $name: String!, $deep: Boolean = true) {
      site: repository(owner: $owner, name: $name) {
        __typename nameWithOwner databaseId isEmpty viewerPermission
        defaultBranchRef { name target { ...C } }
        readme: object(expression: \"main:README.md\") { ... on Blob { text isBinary byteSize } }
        gone: ref(qualifiedName: \"refs/heads/gone\") { name }
      }
      viewer { login }
      rateLimit { remaining }
    }
    fragment C on Commit {
      oid
      tree @include(if: $deep) { entries { name mode type object { ... on Tree { entries { path } } } } }
      history(first: 1) { totalCount nodes { message } }
      skipped: message @skip(if: $deep)
    }";
    let body = lab.graphql(&token, query, json!({"owner": "acme", "name": "site"})).await;
    let data = &body["data"];
    let site = &data["site"];
    assert_eq!(site["__typename"], "Repository");
    assert_eq!((&site["isEmpty"], &site["viewerPermission"]), (&json!(false), &json!("WRITE")));
    let target = &site["defaultBranchRef"]["target"];
    assert_eq!(target["oid"], lab.sim.head("acme/site", "main").unwrap());
    let models = &target["tree"]["entries"][1];
    assert_eq!((&models["name"], &models["mode"]), (&json!("models"), &json!(0o040000)));
    assert_eq!(models["object"]["entries"][0]["path"], "a.sql");
    assert_eq!(target["history"]["totalCount"], 1);
    assert!(target.get("skipped").is_none());
    assert_eq!(site["readme"], json!({"text": "# Site\n", "isBinary": false, "byteSize": 7}));
    assert_eq!(site["gone"], Value::Null);
    assert_eq!(data["viewer"]["login"], "broker[bot]");
    assert_eq!(data["rateLimit"]["remaining"], 4999);
    lab.sim.finish();
}

#[tokio::test]
async fn a_document_with_a_mistake_has_no_effect() {
    let lab = Lab::new().await;
    let token = lab.token().await;
    let head = lab.sim.head("acme/site", "main").unwrap();
    let input = commit_input("main", &head, json!({"additions": [add("x", b"x")]}));
    let query = COMMIT.replace("clientMutationId", "nonsense");
    let body = lab.graphql(&token, &query, input.clone()).await;
    assert!(body.get("data").is_none());
    let error = &body["errors"][0];
    assert_eq!(
        error["message"],
        "Field 'nonsense' doesn't exist on type 'CreateCommitOnBranchPayload'"
    );
    assert_eq!(
        error["extensions"],
        json!({"code": "undefinedField", "typeName": "CreateCommitOnBranchPayload", "fieldName": "nonsense"})
    );
    let mut wrong = input.clone();
    wrong["input"]["fileChanges"]["additions"][0]["contents"] = json!("?");
    wrong["input"]["mode"] = json!("100755");
    let body = lab.graphql(&token, COMMIT, wrong).await;
    let problems = body["errors"][0]["extensions"]["problems"].as_array().unwrap();
    assert_eq!(problems[0]["explanation"], "Field is not defined on CreateCommitOnBranchInput");
    assert_eq!(problems[1]["path"], json!(["fileChanges", "additions", "0", "contents"]));
    let body = lab.graphql(&token, "{ repository(owner: \"acme\") { name } }", json!({})).await;
    assert_eq!(
        body["errors"][0]["message"],
        "Field 'repository' is missing required arguments: name"
    );
    let query = "query($o: String) { repository(owner: $o, name: \"site\") { name } }";
    let body = lab.graphql(&token, query, json!({"o": "acme"})).await;
    assert_eq!(
        body["errors"][0]["message"],
        "Type mismatch on variable $o and argument owner (String / String!)"
    );
    let body = lab.graphql(&token, "{ viewer }", json!({})).await;
    assert_eq!(body["errors"][0]["extensions"]["code"], "selectionMismatch");
    assert_eq!(lab.sim.head("acme/site", "main"), Some(head));
    assert_eq!(lab.sim.unknown_routes(), ["POST /graphql: CreateCommitOnBranchPayload.nonsense"]);
}

#[tokio::test]
async fn a_commit_adds_changes_and_deletes_in_one_verified_commit() {
    let lab = Lab::new().await;
    let token = lab.token().await;
    let head = lab.sim.head("acme/site", "staging").unwrap();
    let many: Vec<Value> =
        (0..5000).map(|i| add(&format!("many/{}/{i}.txt", i % 40), b"x\n")).collect();
    let mut additions = many;
    additions.push(add("models/a.sql", b"select 42\n"));
    additions.push(add("größe/図.bin", &[0, 1, 2, 255]));
    let changes = json!({"additions": additions, "deletions": [{"path": "models/b.sql"}]});
    let body = lab.graphql(&token, COMMIT, commit_input("staging", &head, changes)).await;
    let payload = &body["data"]["createCommitOnBranch"];
    assert_eq!(payload["clientMutationId"], "7", "{body}");
    assert_eq!(payload["commit"]["signature"]["isValid"], true);
    assert_eq!(payload["commit"]["committer"]["name"], "GitHub");
    assert_eq!(payload["commit"]["author"]["name"], "broker[bot]");
    assert_eq!(payload["ref"]["target"]["oid"], payload["commit"]["oid"]);
    let scratch = tempfile::tempdir().unwrap();
    let remote = lab.remote(&token, "acme/site");
    ok(git(scratch.path(), &["clone", "-q", "-b", "staging", &remote, "w"]).await);
    let work = scratch.path().join("w");
    assert_eq!(std::fs::read(work.join("größe/図.bin")).unwrap(), [0, 1, 2, 255]);
    assert!(!work.join("models/b.sql").exists());
    assert_eq!(ok(git(&work, &["rev-list", "--count", "HEAD"]).await).trim(), "2");
    assert_eq!(ok(git(&work, &["log", "-1", "--format=%B"]).await).trim(), "Change\n\nWhy.");
    lab.sim.finish();
}

#[tokio::test]
async fn a_commit_is_refused_in_githubs_words() {
    let lab = Lab::new().await;
    let token = lab.token().await;
    let head = lab.sim.head("acme/site", "main").unwrap();
    let one = json!({"additions": [add("x", b"x")]});
    let error = async |token: &str, input: Value| {
        let body = lab.graphql(token, COMMIT, input).await;
        assert_eq!(body["data"]["createCommitOnBranch"], Value::Null, "{body}");
        let error = &body["errors"][0];
        assert_eq!(error["path"], json!(["createCommitOnBranch"]));
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        (text(&error["type"]), text(&error["message"]))
    };
    let moved = lab.sim.move_head("acme/site", "main");
    let (kind, message) = error(&token, commit_input("main", &head, one.clone())).await;
    assert_eq!(kind, "STALE_DATA");
    assert_eq!(
        message,
        format!("Expected branch to point to \"{head}\" but it did not.  Pull and try again.")
    );
    let (_, message) = error(&token, commit_input("gone", &moved, one.clone())).await;
    assert_eq!(message, "Branch not found");
    let deletion = json!({"deletions": [{"path": "missing"}]});
    let (_, message) = error(&token, commit_input("main", &moved, deletion)).await;
    assert!(
        message
            .starts_with("A path was requested for deletion which does not exist as of commit oid")
    );
    let workflow = json!({"additions": [add(".github/workflows/x.yml", b"x")]});
    let refused = ("FORBIDDEN".to_owned(), "Resource not accessible by integration".to_owned());
    assert_eq!(error(&token, commit_input("main", &moved, workflow)).await, refused);
    let reader = lab.token_with(json!({"contents": "read"})).await;
    assert_eq!(error(&reader, commit_input("main", &moved, one.clone())).await, refused);
    let narrow = lab.mint(json!({"repositories": ["other"]})).await.expect(201);
    let narrow = narrow.body["token"].as_str().unwrap();
    let (kind, message) = error(narrow, commit_input("main", &moved, one.clone())).await;
    assert_eq!(kind, "NOT_FOUND");
    assert_eq!(message, "Could not resolve to a Repository with the name 'acme/site'.");
    let escape = json!({"additions": [add("a/../../x", b"x")]});
    error(&token, commit_input("main", &moved, escape)).await;
    lab.sim.add_ruleset("acme/site", "main", &[Rule::PullRequest]);
    let (_, message) = error(&token, commit_input("main", &moved, one.clone())).await;
    assert!(message.contains(
        "Repository rule violations found\n\nChanges must be made through a pull request."
    ));
    lab.sim.protect_branch("acme/site", "staging", &[]);
    let (kind, _) = error(&token, commit_input("staging", &head, one)).await;
    assert_eq!(kind, "BRANCH_PROTECTION_RULE_VIOLATION");
    assert_eq!(lab.sim.head("acme/site", "main"), Some(moved));
    lab.sim.finish();
}

#[tokio::test]
async fn of_many_commits_on_one_head_one_wins() {
    let lab = std::sync::Arc::new(Lab::new().await);
    let token = lab.token().await;
    let head = lab.sim.head("acme/site", "main").unwrap();
    let mut racers = tokio::task::JoinSet::new();
    for racer in 0..8 {
        let (lab, token, head) = (lab.clone(), token.clone(), head.clone());
        racers.spawn(async move {
            let one = json!({"additions": [add(&format!("racer-{racer}"), b"x")]});
            lab.graphql(&token, COMMIT, commit_input("main", &head, one)).await
        });
    }
    let bodies = racers.join_all().await;
    let lost = bodies.iter().filter(|body| body["errors"][0]["type"] == "STALE_DATA").count();
    assert_eq!(lost, 7, "{bodies:?}");
    let commits = lab.get("/repos/acme/site/commits", &token).await.expect(200);
    assert_eq!(commits.body.as_array().unwrap().len(), 2);
    lab.sim.fsck();
}

#[tokio::test]
async fn forty_mebibytes_are_too_many() {
    let lab = Lab::new().await;
    let token = lab.token().await;
    let head = lab.sim.head("acme/site", "main").unwrap();
    let large = json!({"additions": [add("x", &vec![b'x'; 40 * 1024 * 1024])]});
    let body = lab.graphql(&token, COMMIT, commit_input("main", &head, large)).await;
    assert_eq!(body["errors"][0]["type"], "UNPROCESSABLE");
    lab.sim.finish();
}

#[tokio::test]
async fn a_host_may_lack_the_mutation_or_graphql() {
    let lab = Lab::new().await;
    let token = lab.token().await;
    let head = lab.sim.head("acme/site", "main").unwrap();
    lab.sim.disable_mutation("createCommitOnBranch");
    let body = lab.graphql(&token, COMMIT, commit_input("main", &head, json!({}))).await;
    let messages: Vec<_> =
        body["errors"].as_array().unwrap().iter().map(|e| e["message"].clone()).collect();
    assert!(
        messages.contains(&json!("Field 'createCommitOnBranch' doesn't exist on type 'Mutation'"))
    );
    lab.sim.disable_graphql();
    let url = lab.sim.graphql_url().to_owned();
    lab.post(&url, &token, json!({"query": "{ viewer { login } }"}))
        .await
        .refused(404, "Not Found");
    lab.sim.finish();
}

#[tokio::test]
async fn refs_are_moved_by_compare_and_swap() {
    let lab = Lab::new().await;
    let token = lab.token().await;
    let id = lab
        .graphql(&token, "{ repository(owner: \"acme\", name: \"site\") { id } }", json!({}))
        .await["data"]["repository"]["id"]
        .clone();
    let update =
        "mutation($input: UpdateRefsInput!) { updateRefs(input: $input) { clientMutationId } }";
    let old = lab.sim.head("acme/site", "main").unwrap();
    let new = lab.sim.move_head("acme/site", "main");
    let zero = "0".repeat(40);
    let input = |updates: Value| json!({"input": {"repositoryId": id, "refUpdates": updates}});
    let stale = json!([{"name": "refs/heads/staging", "afterOid": new, "beforeOid": new}]);
    let body = lab.graphql(&token, update, input(stale)).await;
    assert_eq!(body["errors"][0]["type"], "STALE_DATA");
    let both = json!([
        {"name": "refs/heads/staging", "afterOid": new, "beforeOid": old},
        {"name": "refs/heads/fresh", "afterOid": new, "beforeOid": zero},
    ]);
    let body = lab.graphql(&token, update, input(both.clone())).await;
    assert!(body.get("errors").is_none(), "{body}");
    assert_eq!(lab.sim.head("acme/site", "fresh"), Some(new.clone()));
    let body = lab.graphql(&token, update, input(both)).await;
    assert_eq!(body["errors"][0]["type"], "STALE_DATA");
    let create = "mutation($input: CreateRefInput!) { createRef(input: $input) { ref { name } } }";
    let input = json!({"input": {"repositoryId": id, "name": "refs/heads/made", "oid": old}});
    let body = lab.graphql(&token, create, input.clone()).await;
    assert_eq!(body["data"]["createRef"]["ref"]["name"], "made");
    let body = lab.graphql(&token, create, input).await;
    assert!(body["errors"][0]["message"].as_str().unwrap().contains("already exists"));
    lab.sim.finish();
}

#[tokio::test]
async fn pull_requests_are_found_made_ready_and_set_to_merge() {
    let lab = Lab::new().await;
    let token = lab.token().await;
    lab.sim.move_head("acme/site", "staging");
    let body = json!({"title": "T", "head": "staging", "base": "main", "draft": true});
    lab.post("/repos/acme/site/pulls", &token, body).await.expect(201);
    let query = "{ repository(owner: \"acme\", name: \"site\") {
        pullRequests(first: 5, states: [OPEN], headRefName: \"staging\") {
          totalCount pageInfo { hasNextPage } nodes { id number isDraft headRefOid author { login } } } } }";
    let body = lab.graphql(&token, query, json!({})).await;
    let pulls = &body["data"]["repository"]["pullRequests"];
    assert_eq!(pulls["totalCount"], 1, "{body}");
    let pull = &pulls["nodes"][0];
    assert_eq!(pull["headRefOid"], lab.sim.head("acme/site", "staging").unwrap());
    assert_eq!(pull["author"]["login"], "broker[bot]");
    let input = json!({"input": {"pullRequestId": pull["id"]}});
    let auto = "mutation($input: EnablePullRequestAutoMergeInput!) {
        enablePullRequestAutoMerge(input: $input) { pullRequest { autoMergeRequest { mergeMethod } } } }";
    let body = lab.graphql(&token, auto, input.clone()).await;
    assert_eq!(body["errors"][0]["message"], "Auto merge is not allowed for this repository");
    lab.sim.allow_auto_merge("acme/site", true);
    let body = lab.graphql(&token, auto, input.clone()).await;
    assert_eq!(body["errors"][0]["message"], "Pull request Pull request is in draft status");
    let ready = "mutation($input: MarkPullRequestReadyForReviewInput!) {
        markPullRequestReadyForReview(input: $input) { pullRequest { isDraft mergeable } } }";
    let body = lab.graphql(&token, ready, input.clone()).await;
    let expected = json!({"isDraft": false, "mergeable": "MERGEABLE"});
    assert_eq!(body["data"]["markPullRequestReadyForReview"]["pullRequest"], expected);
    let body = lab.graphql(&token, auto, input.clone()).await;
    assert_eq!(body["errors"][0]["message"], "Pull request Pull request is in clean status");
    lab.sim.protect_branch("acme/site", "main", &["ci"]);
    let body = lab.graphql(&token, auto, input).await;
    let request = &body["data"]["enablePullRequestAutoMerge"]["pullRequest"]["autoMergeRequest"];
    assert_eq!(request["mergeMethod"], "MERGE");
    lab.sim.finish();
}
