//! A customer gives the platform a fine-grained personal access token, with which an assistant works on issues; the token is
//! looked after until its end, and the next one until the customer leaves.

use std::time::Duration;

use ghbroker::{domain::Token, proto::*};
use github_sim::{Level, seed};
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};
use tonic::{Code, Status};

use crate::harness::{self, ACCOUNT, REPO, status::assert_reason, story::Story};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// The assistant may have a token that is good for all that its owner gave it; a report may not.
const RULES: &str = r#"
[[rule]]
name = "assistant"
callers = ["spiffe://example.org/assistant"]
role = "consumer"
accounts = ["*"]
permissions = { issues = "write" }
unnarrowed_tokens = true

[[rule]]
name = "reports"
callers = ["spiffe://example.org/reports"]
role = "consumer"
accounts = ["*"]
permissions = { issues = "read" }
"#;

#[tokio::test]
async fn an_assistant_works_on_issues_with_a_managed_token() {
    let story = Story::begin(harness::seed(), RULES).await;
    let first = the_admin_stores_a_token(&story, 30).await;
    the_customer_chooses_the_repository(&story).await;
    the_assistant_works_on_issues(&story, &first).await;
    others_do_not_get_the_token(&story).await;

    a_fortnight_before_its_end_everybody_can_see_it(&story).await;
    let second = the_admin_stores_a_token(&story, 60).await;
    only_the_new_one_is_given_out(&story, &first, &second).await;
    the_admin_pastes_the_old_one_again(&story, &first, &second).await;
    the_admin_switches_it_off_and_on(&story, &second).await;
    it_expires(&story).await;

    let third = the_admin_stores_a_token(&story, 60).await;
    github_revokes_it_and_the_assistant_tells(&story, &third).await;
    the_customer_leaves(&story, &third).await;

    the_operator_reads_what_happened(&story);
    the_operator_finds_who_had_it(&story, &third);
    story.end().await;
}

/// One that is good for so many days, made at GitHub and stored in the portal.
async fn the_admin_stores_a_token(story: &Story, days: u32) -> String {
    let end = story.now() + DAY * days;
    let token = story.pat(seed::Pat {
        kind: seed::PatKind::FineGrained,
        resource_owner: Some("acme".into()),
        repositories: Some(vec!["warehouse".into()]),
        permissions: [("issues".into(), Level::Write), ("metadata".into(), Level::Read)].into(),
        expires_at: Some(end),
        ..Default::default()
    });
    story.secret(&token);
    let request =
        SetPatRequest { account: ACCOUNT.into(), token: token.clone(), ..Default::default() };
    let stored = story.portal.set_pat(request).await.unwrap().pat.unwrap();
    assert_eq!((stored.kind(), &*stored.owner_login), (PatKind::FineGrained, "alice"));
    assert_eq!(stored.fingerprint, token[token.len() - 4..]);
    assert_eq!(stored.expire_time.unwrap().seconds, end.unix_timestamp());
    assert_eq!(stored.status(), ConnectionStatus::Active);

    let seen = story.connection().await;
    assert_eq!(seen.effective_source(), CredentialSource::Pat);
    assert_eq!(seen.pat, Some(stored));
    assert_eq!(seen.warnings, Vec::<String>::new());
    token
}

async fn the_customer_chooses_the_repository(story: &Story) {
    let request = ConfigureRepoRequest {
        account: ACCOUNT.into(),
        repository: REPO.into(),
        ..Default::default()
    };
    story.portal.configure_repo(request).await.unwrap();
    let request = ListRepositoriesRequest { account: ACCOUNT.into(), ..Default::default() };
    let listed = story.portal.list_repositories(request).await.unwrap();
    let [only] = &listed.repositories[..] else { panic!("{listed:?}") };
    assert_eq!((&*only.name, only.bound), (REPO, true));
}

async fn the_assistant_works_on_issues(story: &Story, stored: &str) {
    let given = token_for(story, "assistant").await.unwrap();
    assert_eq!((given.source(), &*given.token), (CredentialSource::Pat, stored));
    assert!(given.permissions.is_empty(), "GitHub does not say what it may");

    let ask = async |method, path: &str, body: Value| {
        let (status, answer) = github(story, &given.token, method, path, &body).await;
        assert!(status.is_success(), "{path}: {answer}");
        answer
    };
    let issues = format!("/repos/{REPO}/issues");
    assert_eq!(ask(Method::GET, &issues, Value::Null).await, json!([]));
    let opened = ask(Method::POST, &issues, json!({"title": "Orders are counted twice"})).await;
    let comments = format!("{issues}/{}/comments", opened["number"]);
    ask(Method::POST, &comments, json!({"body": "I am looking into it."})).await;
    let listed = ask(Method::GET, &issues, Value::Null).await;
    assert_eq!(listed[0]["title"], "Orders are counted twice");
    assert_eq!((&listed[0]["user"]["login"], &listed[0]["comments"]), (&json!("alice"), &json!(1)));
}

async fn others_do_not_get_the_token(story: &Story) {
    let refused = token_for(story, "reports").await.unwrap_err();
    // It asks for what it may have, but for a token that cannot be narrowed to it.
    assert_reason(&refused, Code::PermissionDenied, "TOKEN_NOT_ALLOWED");
    let refused = token_for(story, "stranger").await.unwrap_err();
    assert_reason(&refused, Code::PermissionDenied, "CALLER_NOT_ALLOWED");
    let refused = token_for(story, "portal").await.unwrap_err();
    assert_reason(&refused, Code::PermissionDenied, "CALLER_NOT_ALLOWED");
}

async fn a_fortnight_before_its_end_everybody_can_see_it(story: &Story) {
    story.advance(DAY * 15);
    assert_eq!(story.connection().await.warnings, Vec::<String>::new(), "15 days are left");
    assert_eq!(credential_finding(story).await.level(), FindingLevel::Ok);
    story.advance(DAY * 2);
    let seen = story.connection().await;
    let end = day_of(seen.pat.as_ref().unwrap().expire_time.as_ref().unwrap().seconds);
    let [warning] = &seen.warnings[..] else { panic!("{seen:?}") };
    assert!(warning.contains(&end), "{warning:?} does not say {end}");
    let finding = credential_finding(story).await;
    assert_eq!(finding.level(), FindingLevel::Warning);
    assert!(finding.message.contains(&end) && !finding.fix.is_empty(), "{finding:?}");
    assert!(finding.url.ends_with("/settings/personal-access-tokens"), "{finding:?}");
}

async fn only_the_new_one_is_given_out(story: &Story, old: &str, new: &str) {
    assert!(story.sim.accepts(old), "its owner has not yet deleted it at GitHub");
    assert_eq!(token_for(story, "assistant").await.unwrap().token, new);
    // The assistant still had the old one when it ended; that says nothing about the new one.
    assert!(!report(story, old).await);
    assert_eq!(token_for(story, "assistant").await.unwrap().token, new);
}

/// Which has been deleted at GitHub by now.
async fn the_admin_pastes_the_old_one_again(story: &Story, old: &str, new: &str) {
    story.sim.revoke_pat(old);
    let request =
        SetPatRequest { account: ACCOUNT.into(), token: old.into(), ..Default::default() };
    let refused = story.portal.set_pat(request).await.unwrap_err();
    assert_reason(&refused, Code::FailedPrecondition, "CREDENTIAL_REJECTED");
    assert_eq!(token_for(story, "assistant").await.unwrap().token, new, "it stays");
}

async fn the_admin_switches_it_off_and_on(story: &Story, token: &str) {
    let switch = async |enabled| {
        let (account, source) = (ACCOUNT.into(), CredentialSource::Pat.into());
        let request = SetCredentialEnabledRequest { account, source, enabled: Some(enabled) };
        story.portal.set_credential_enabled(request).await.unwrap().effective_source()
    };
    assert_eq!(switch(false).await, CredentialSource::Unspecified);
    let refused = token_for(story, "assistant").await.unwrap_err();
    assert_reason(&refused, Code::FailedPrecondition, "CREDENTIAL_DISABLED");
    assert_eq!(story.connection().await.pat.unwrap().status(), ConnectionStatus::Disabled);
    assert_eq!(switch(true).await, CredentialSource::Pat);
    assert_eq!(token_for(story, "assistant").await.unwrap().token, token);
}

async fn it_expires(story: &Story) {
    story.advance(DAY * 60);
    let seen = story.connection().await;
    assert_eq!(seen.effective_source(), CredentialSource::Unspecified);
    assert_eq!(seen.pat.unwrap().status(), ConnectionStatus::Expired);
    let refused = token_for(story, "assistant").await.unwrap_err();
    assert_reason(&refused, Code::FailedPrecondition, "CREDENTIAL_REJECTED");
    assert!(refused.message().contains("expired"), "{}", refused.message());
}

async fn github_revokes_it_and_the_assistant_tells(story: &Story, token: &str) {
    assert!(!report(story, token).await, "GitHub accepts it");
    assert_eq!(token_for(story, "assistant").await.unwrap().token, token);
    story.sim.revoke_pat(token);
    let path = format!("/repos/{REPO}/issues");
    let (status, _) = github(story, token, Method::GET, &path, &Value::Null).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);

    story.advance(Duration::from_secs(10));
    assert!(report(story, token).await);
    let refused = token_for(story, "assistant").await.unwrap_err();
    assert_reason(&refused, Code::FailedPrecondition, "CREDENTIAL_REJECTED");
    let seen = story.connection().await;
    assert_eq!(seen.pat.unwrap().status(), ConnectionStatus::Revoked);
    assert_eq!(credential_finding(story).await.level(), FindingLevel::Failed);
}

async fn the_customer_leaves(story: &Story, token: &str) {
    let left =
        story.portal.disconnect(DisconnectRequest { account: ACCOUNT.into() }).await.unwrap();
    assert!(left.disconnected);
    let refused = token_for(story, "assistant").await.unwrap_err();
    assert_reason(&refused, Code::NotFound, "ACCOUNT_NOT_CONNECTED");
    let request = GetConnectionRequest { account: ACCOUNT.into() };
    let gone = story.portal.get_connection(request).await.unwrap_err();
    assert_reason(&gone, Code::NotFound, "ACCOUNT_NOT_CONNECTED");
    let fingerprint = format!("'{}'", &token[token.len() - 4..]);
    let kept = story.stored().await.into_iter().find(|row| row.contains(&fingerprint));
    assert_eq!(kept, None);
}

fn the_operator_reads_what_happened(story: &Story) {
    assert_eq!(
        story.audit_as_read(),
        [
            "portal SetPat",
            "portal ConfigureRepo pat",
            "portal ListRepositories pat",
            "assistant GetRepoToken pat",
            "reports GetRepoToken pat TOKEN_NOT_ALLOWED",
            "stranger GetRepoToken CALLER_NOT_ALLOWED",
            "portal GetRepoToken CALLER_NOT_ALLOWED",
            "portal VerifyRepo pat",
            "portal SetPat",
            "assistant GetRepoToken pat",
            "assistant ReportRejectedToken",
            "assistant GetRepoToken pat",
            "portal SetPat CREDENTIAL_REJECTED",
            "assistant GetRepoToken pat",
            "portal SetCredentialEnabled pat",
            "assistant GetRepoToken CREDENTIAL_DISABLED",
            "portal SetCredentialEnabled pat",
            "assistant GetRepoToken pat",
            "assistant GetRepoToken pat CREDENTIAL_REJECTED",
            "portal SetPat",
            "assistant ReportRejectedToken",
            "assistant GetRepoToken pat",
            "assistant ReportRejectedToken",
            "assistant GetRepoToken pat CREDENTIAL_REJECTED",
            "portal VerifyRepo pat",
            "portal Disconnect",
            "assistant GetRepoToken ACCOUNT_NOT_CONNECTED",
        ]
    );
}

/// GitHub's audit log, too, tells tokens by their hashes.
fn the_operator_finds_who_had_it(story: &Story, token: &str) {
    let hash = Token::new(token.to_owned()).hashed();
    let audit = story.audit().into_iter().filter(|line| line["hashed_token"] == hash);
    let mut had: Vec<String> =
        audit.map(|line| format!("{} {}", line["caller"], line["rpc"]).replace('"', "")).collect();
    had.dedup();
    let had: Vec<&str> = had.iter().map(|line| &line["spiffe://example.org/".len()..]).collect();
    assert_eq!(
        had,
        [
            "portal SetPat",
            "assistant ReportRejectedToken",
            "assistant GetRepoToken",
            "assistant ReportRejectedToken",
            "portal VerifyRepo",
        ]
    );
}

async fn token_for(story: &Story, service: &str) -> Result<GetRepoTokenResponse, Status> {
    let level = if service == "reports" { "read" } else { "write" };
    let request = GetRepoTokenRequest {
        account: ACCOUNT.into(),
        permissions: [("issues".to_owned(), level.to_owned())].into(),
        ..Default::default()
    };
    story.workload(service).await.get_repo_token(request).await
}

/// The assistant tells that GitHub refused its token.
async fn report(story: &Story, token: &str) -> bool {
    let request = ReportRejectedTokenRequest { account: ACCOUNT.into(), token: token.into() };
    story.workload("assistant").await.report_rejected_token(request).await.unwrap().dropped
}

async fn credential_finding(story: &Story) -> Finding {
    let request = VerifyRepoRequest { account: ACCOUNT.into(), ..Default::default() };
    let verified = story.portal.verify_repo(request).await.unwrap();
    let code = FindingCode::CredentialValid;
    verified.findings.into_iter().find(|finding| finding.code() == code).unwrap()
}

/// The assistant at work: GitHub's REST API and the token, and nothing of the broker.
async fn github(
    story: &Story,
    token: &str,
    method: Method,
    path: &str,
    body: &Value,
) -> (StatusCode, Value) {
    let request = Client::new().request(method, format!("{}{path}", story.sim.api_url()));
    let request = request.bearer_auth(token).header("user-agent", "an assistant");
    let request = if body.is_null() { request } else { request.json(body) };
    let answer = request.send().await.unwrap();
    (answer.status(), answer.json().await.unwrap())
}

/// The day of a time, as people write it: `2026-11-21`.
fn day_of(seconds: i64) -> String {
    time::OffsetDateTime::from_unix_timestamp(seconds).unwrap().date().to_string()
}
