//! The client against a server that plays back what GitHub could say.

use std::sync::atomic::{AtomicUsize, Ordering};

use aws_lc_rs::{
    rsa::KeyPair,
    signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey},
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use bytes::Bytes;
use futures_util::FutureExt;
use time::macros::datetime;
use tokio::io::AsyncWriteExt;

use super::{
    testing::{LOST, Manual, OTHER_PKCS8, RSA_PKCS8, Script, answer, app_keys, logs, receive},
    *,
};
use crate::domain::{
    BranchName, InstallationId, Level, ObjectId, Permission, Permissions, RepoId, RepoPath, Token,
};

const ID: &str = "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391";
const INSTALLATION: &str = r#"{"id":3,"app_id":2,"account":{"id":5,"login":"acme"}}"#;
const READ: Permissions = Permissions::NONE.with(Permission::CONTENTS, Level::Read);

fn ok(body: &str) -> String {
    answer(200, "", body)
}

fn failed(status: u16) -> String {
    answer(status, "", "{}")
}

fn token() -> Token {
    Token::new("ghp_0123456789abcdefghij".to_owned())
}

fn repo() -> RepoName {
    "acme/shop".parse().unwrap()
}

fn branch(name: &str) -> BranchName {
    name.parse().unwrap()
}

fn id() -> ObjectId {
    ID.parse().unwrap()
}

fn head_of(name: &str) -> String {
    ok(&format!(r#"{{"ref":"refs/heads/{name}","object":{{"sha":"{ID}","type":"commit"}}}}"#))
}

#[tokio::test]
async fn sends_the_documented_headers() {
    let script = Script::play([answer(
        200,
        "x-oauth-scopes: repo\r\n",
        r#"{"id":7,"login":"ann","name":null}"#,
    )])
    .await;
    let user = script.client().user(&token()).await.unwrap();
    assert_eq!((user.id, user.login.as_str()), (7, "ann"));
    assert_eq!(user.scopes, Some(vec!["repo".to_owned()]));
    let request = script.requests().remove(0).to_lowercase();
    for line in [
        "get /user http/1.1\r\n",
        "accept: application/vnd.github+json\r\n",
        "x-github-api-version: 2022-11-28\r\n",
        "authorization: bearer ghp_0123456789abcdefghij\r\n",
        concat!("user-agent: ghbroker/", env!("CARGO_PKG_VERSION"), "\r\n"),
    ] {
        assert!(request.contains(line), "{line} is not in {request}");
    }
}

#[tokio::test]
async fn reads_are_sent_again_after_failures_that_may_pass() {
    let user = ok(r#"{"id":7,"login":"ann"}"#);
    let script = Script::play([failed(502), LOST.to_owned(), user]).await;
    assert_eq!(script.client().user(&token()).await.unwrap().id, 7);
    let script = Script::play([failed(500), failed(500), failed(503), failed(500)]).await;
    let error = script.client().user(&token()).await.unwrap_err();
    assert_eq!((error.kind.clone(), error.status), (Kind::Server, Some(503)));
    assert_eq!(script.lines().len(), 3);
}

#[tokio::test]
async fn refusals_are_not_sent_again() {
    let throttled = answer(429, "retry-after: 3600\r\nx-github-request-id: A:1\r\n", "{}");
    let script = Script::play([failed(404), throttled]).await;
    let github = script.client();
    assert_eq!(github.user(&token()).await.unwrap_err().kind, Kind::NotFound);
    let error = github.user(&token()).await.unwrap_err();
    assert_eq!(error.kind, Kind::RateLimited);
    assert_eq!(error.retry_after, Some(std::time::Duration::from_secs(3600)));
    assert_eq!(error.request_id.as_deref(), Some("A:1"));
    assert_eq!(script.lines().len(), 2);
}

#[tokio::test]
async fn what_makes_something_is_sent_once_whatever_happens() {
    let script = Script::play([LOST.to_owned(), failed(502), LOST.to_owned()]).await;
    let github = script.client();
    let error = github.create_branch(&token(), &repo(), &branch("x"), id()).await.unwrap_err();
    assert_eq!(error.kind, Kind::Interrupted);
    assert!(error.effect_unknown());
    let error = github.update_branch(&token(), &repo(), &branch("x"), id()).await.unwrap_err();
    assert_eq!(error.kind, Kind::Server);
    assert!(error.effect_unknown());
    assert!(github.create_blob(&token(), &repo(), b"a").await.unwrap_err().effect_unknown());
    assert_eq!(script.lines().len(), 3);
}

#[tokio::test]
async fn a_mint_is_sent_again() {
    let minted = answer(
        201,
        "",
        r#"{"token":"ghs_1_eyJ.x-y","expires_at":"2026-11-20T13:00:00Z","permissions":{"contents":"read"}}"#,
    );
    let script = Script::play([LOST.to_owned(), minted]).await;
    let scope = RepoScope::Ids(&[RepoId(7)]);
    let minted = script.client().mint(InstallationId(1), scope, READ).await.unwrap();
    assert_eq!(minted.token.expose(), "ghs_1_eyJ.x-y");
    assert!(!format!("{minted:?}").contains("ghs_"));
    assert_eq!(script.lines(), ["POST /app/installations/1/access_tokens"; 2]);
}

#[tokio::test]
async fn no_server_is_no_effect() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut script = Script::play([]).await;
    script.url.set_port(Some(listener.local_addr().unwrap().port())).unwrap();
    drop(listener);
    let error =
        script.client().create_branch(&token(), &repo(), &branch("x"), id()).await.unwrap_err();
    assert_eq!(error.kind, Kind::Unreachable);
    assert!(error.is_transient() && !error.effect_unknown());
}

#[tokio::test]
async fn a_host_that_fails_is_left_alone_for_a_while() {
    let user = ok(r#"{"id":7,"login":"ann"}"#);
    let script = Script::play([failed(500), failed(500), failed(404), user]).await;
    let clock = Manual::at(datetime!(2026-11-20 12:00 UTC));
    let limits = Limits { attempts: 1, breaker_failures: 2, ..Limits::default() };
    let github = script.client_with(limits, clock.clone());
    for expected in [Kind::Server, Kind::Server, Kind::BreakerOpen] {
        assert_eq!(github.user(&token()).await.unwrap_err().kind, expected);
    }
    assert_eq!(script.lines().len(), 2);
    clock.advance(30);
    assert_eq!(github.user(&token()).await.unwrap_err().kind, Kind::NotFound);
    assert!(github.user(&token()).await.is_ok());
}

#[tokio::test]
async fn a_moved_repository_is_followed_on_the_same_server_only() {
    let here = answer(301, "location: /repositories/7\r\n", r#"{"message":"Moved Permanently"}"#);
    let found = ok(r#"{"id":7,"full_name":"acme/store","default_branch":"main"}"#);
    let script = Script::play([here.clone(), found, here.clone(), here.clone(), here]).await;
    let github = script.client();
    let repository = github.repository(&token(), &repo()).await.unwrap();
    assert!(repository.moved);
    assert_eq!(repository.name.as_str(), "acme/store");
    assert_eq!(script.lines(), ["GET /repos/acme/shop", "GET /repositories/7"]);
    // Only once.
    let error = github.repository(&token(), &repo()).await.unwrap_err();
    assert_eq!(error.kind, Kind::Moved { location: "/repositories/7".to_owned() });
    // And only for reads of the repository itself.
    let error = github.create_blob(&token(), &repo(), b"").await.unwrap_err();
    assert!(matches!(error.kind, Kind::Moved { .. }));
    assert_eq!(script.lines().len(), 5);

    let other = Script::play([]).await;
    let elsewhere = answer(301, &format!("location: {}repositories/7\r\n", other.url), "{}");
    let script = Script::play([elsewhere]).await;
    let error = script.client().repository(&token(), &repo()).await.unwrap_err();
    assert!(matches!(error.kind, Kind::Moved { .. }));
    assert_eq!(other.requests().len(), 0);
}

#[tokio::test]
async fn the_jwt_follows_githubs_clock() {
    let refused = answer(
        401,
        "date: Fri, 20 Nov 2026 11:00:00 GMT\r\n",
        r#"{"message":"'Expiration time' claim ('exp') is too far in the future"}"#,
    );
    let script = Script::play([refused, ok(INSTALLATION)]).await;
    let clock = Manual::at(datetime!(2026-11-20 12:00 UTC));
    let github = script.client_with(Limits::default(), clock);
    github.installation(InstallationId(3)).await.unwrap();
    let issued = |request: &String| {
        let jwt = request.split("Bearer ").nth(1).or(request.split("bearer ").nth(1)).unwrap();
        let claims = BASE64_URL_SAFE_NO_PAD.decode(jwt.split('.').nth(1).unwrap()).unwrap();
        let claims: serde_json::Value = serde_json::from_slice(&claims).unwrap();
        claims["iat"].as_i64().unwrap()
    };
    let issued: Vec<i64> = script.requests().iter().map(issued).collect();
    let noon = datetime!(2026-11-20 12:00 UTC).unix_timestamp();
    assert_eq!(issued, [noon - 60, noon - 3660]);
    assert_eq!(github.clock_offset(), time::Duration::hours(-1));
}

#[tokio::test]
async fn a_jwt_that_is_refused_by_another_clock_than_github_shows_is_a_failure_of_its_own() {
    let refused = answer(
        401,
        "date: Fri, 20 Nov 2026 11:50:00 GMT\r\n",
        r#"{"message":"'Expiration time' claim ('exp') is too far in the future"}"#,
    );
    let script = Script::play([refused.clone(), refused, ok(INSTALLATION)]).await;
    let github = script.client_with(Limits::default(), Manual::at(NOON));
    let error = github.installation(InstallationId(3)).await.unwrap_err();
    assert_eq!(error.kind, Kind::ClockSkew { seconds: -600 });
    assert!(error.is_transient());
    github.installation(InstallationId(3)).await.unwrap();
    assert_eq!(script.lines().len(), 3);
}

const UNDECODABLE: &str = r#"{"message":"A JSON web token could not be decoded"}"#;
const APP: &str = r#"{"id":2,"client_id":"Iv1.abc","slug":"x"}"#;

/// Which key signed each request so far: 0 for the first of all, then in the order of their coming.
fn signers(script: &Script) -> Vec<usize> {
    let keys = [&RSA_PKCS8, &OTHER_PKCS8].map(|der| KeyPair::from_pkcs8(der).unwrap());
    let signer = |request: &String| {
        let jwt = request.split("earer ").nth(1).unwrap().split('\r').next().unwrap();
        let (signed, signature) = jwt.rsplit_once('.').unwrap();
        let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).unwrap();
        let by = |key: &KeyPair| {
            UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key.public_key().as_ref())
                .verify(signed.as_bytes(), &signature)
                .is_ok()
        };
        keys.iter().position(by).unwrap()
    };
    script.requests().iter().map(signer).collect()
}

#[tokio::test]
async fn a_new_key_signs_once_github_takes_it_and_the_old_one_until_then() {
    let refused = || answer(401, "", UNDECODABLE);
    let another = ok(r#"{"id":9,"client_id":"Iv1.other","slug":"y"}"#);
    let script = Script::play([
        answer(404, "", "{}"),
        refused(),
        ok(INSTALLATION),
        another,
        ok(INSTALLATION),
        ok(APP),
        ok(INSTALLATION),
    ])
    .await;
    let clock = Manual::at(NOON);
    let limits = Limits { attempts: 1, ..Limits::default() };
    let github = script.client_of(&[&RSA_PKCS8], limits, clock.clone());
    let new = app_keys(&[&OTHER_PKCS8]);
    let call = || async { github.installation(InstallationId(3)).await };
    assert_eq!(call().await.unwrap_err().kind, Kind::NotFound);
    // Not at GitHub yet, which is asked again after a minute.
    github.use_app_keys(&new).await;
    github.use_app_keys(&new).await;
    call().await.unwrap();
    clock.advance(60);
    // Another App's.
    github.use_app_keys(&new).await;
    call().await.unwrap();
    clock.advance(60);
    github.use_app_keys(&new).await;
    call().await.unwrap();
    github.use_app_keys(&new).await;
    assert_eq!(signers(&script), [0, 1, 0, 1, 0, 1, 1]);
}

#[tokio::test]
async fn a_proof_that_fails_for_a_passing_reason_is_tried_at_the_next_look() {
    let script = Script::play([failed(503), ok(APP), ok(INSTALLATION)]).await;
    let limits = Limits { attempts: 1, ..Limits::default() };
    let github = script.client_of(&[&RSA_PKCS8], limits, Manual::at(NOON));
    let both = app_keys(&[&OTHER_PKCS8, &RSA_PKCS8]);
    github.use_app_keys(&both).await;
    github.use_app_keys(&both).await;
    github.installation(InstallationId(3)).await.unwrap();
    assert_eq!(signers(&script), [1, 1, 1]);
}

#[tokio::test]
async fn a_key_that_github_takes_no_more_gives_way_to_another_once() {
    let refused = || answer(401, "", UNDECODABLE);
    let script = Script::play([
        refused(),
        ok(APP),
        ok(INSTALLATION),
        ok(INSTALLATION),
        refused(),
        refused(),
        refused(),
    ])
    .await;
    let limits = Limits { attempts: 1, ..Limits::default() };
    let github = script.client_of(&[&RSA_PKCS8, &OTHER_PKCS8], limits, Manual::at(NOON));
    let call = || async { github.installation(InstallationId(3)).await };
    call().await.unwrap();
    call().await.unwrap();
    // Now the other one is refused, too: the first was so within the minute, and GitHub is not asked about it.
    for _ in 0..2 {
        assert_eq!(call().await.unwrap_err().kind, Kind::Unauthorized);
    }
    assert_eq!(signers(&script), [0, 1, 1, 1, 1, 1]);
}

#[tokio::test]
async fn of_several_keys_the_first_that_github_takes_signs() {
    let refused = answer(401, "", UNDECODABLE);
    let script = Script::play([refused, ok(APP), ok(INSTALLATION)]).await;
    let github = script.client_of(&[&RSA_PKCS8, &OTHER_PKCS8], Limits::default(), Manual::at(NOON));
    github.use_app_keys(&app_keys(&[&RSA_PKCS8, &OTHER_PKCS8])).await;
    github.installation(InstallationId(3)).await.unwrap();
    assert_eq!(signers(&script), [0, 1, 1]);
}

#[tokio::test]
async fn only_so_many_requests_are_in_flight() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut script = Script::play([]).await;
    script.url.set_port(Some(listener.local_addr().unwrap().port())).unwrap();
    let most = Arc::new(AtomicUsize::new(0));
    let seen = most.clone();
    tokio::spawn(async move {
        let now = Arc::new(AtomicUsize::new(0));
        while let Ok((mut stream, _)) = listener.accept().await {
            let (now, seen) = (now.clone(), seen.clone());
            tokio::spawn(async move {
                seen.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                receive(&mut stream).await;
                // Long enough for others to come, if they were let.
                for _ in 0..1000 {
                    tokio::task::yield_now().await;
                }
                now.fetch_sub(1, Ordering::SeqCst);
                let user = ok(r#"{"id":7,"login":"ann"}"#);
                stream.write_all(user.as_bytes()).await.unwrap();
            });
        }
    });
    let limits = Limits { in_flight: 2, ..Limits::default() };
    let github = script.client_with(limits, Manual::at(datetime!(2026-11-20 12:00 UTC)));
    let tokens = [token(), Token::new("ghp_another".to_owned())];
    let users = tokens.iter().cycle().take(10).map(|token| github.user(token));
    let users = futures_util::future::join_all(users).await;
    assert!(users.iter().all(Result::is_ok));
    assert_eq!(most.load(Ordering::SeqCst), 2);
}

const MINTED: &str =
    r#"{"token":"ghs_one","expires_at":"2026-11-20T13:00:00Z","permissions":{"contents":"read"}}"#;
const NOON: time::OffsetDateTime = datetime!(2026-11-20 12:00 UTC);

/// Headers of an answer that leaves so much of the quota until ten past twelve.
fn leaves(remaining: u64) -> String {
    let reset = (NOON + time::Duration::minutes(10)).unix_timestamp();
    format!(
        "x-ratelimit-limit: 5000\r\nx-ratelimit-remaining: {remaining}\r\nx-ratelimit-reset: {reset}\r\nx-ratelimit-resource: core\r\n"
    )
}

#[tokio::test]
async fn a_quota_that_is_used_up_is_the_installations_and_nobody_elses() {
    let installation = ok(INSTALLATION);
    let user = r#"{"id":7,"login":"ann"}"#;
    let script = Script::play([
        answer(201, &leaves(4000), MINTED),
        answer(200, &leaves(0), user),
        installation,
        ok(user),
        ok(r#"{"data":{"x":1}}"#),
        ok(user),
    ])
    .await;
    let clock = Manual::at(NOON);
    let github = script.client_with(Limits::default(), clock.clone());
    let one = InstallationId(1);
    let minted = github.mint(one, RepoScope::All, READ).await.unwrap();
    assert!(github.spare(one), "what the App has left is not the installation's");
    github.user(&minted.token).await.unwrap();
    assert!(!github.spare(one));

    let refused = github.user(&minted.token).await.unwrap_err();
    assert_eq!((refused.kind.clone(), refused.status), (Kind::RateLimited, None));
    assert_eq!(refused.retry_after, Some(std::time::Duration::from_secs(600)));
    assert_eq!(script.lines().len(), 2);
    github.installation(InstallationId(3)).await.unwrap();
    github.user(&token()).await.unwrap();
    let _: serde_json::Value = github.query(&minted.token, ("", "{x}"), ()).await.unwrap();

    clock.advance(600);
    github.user(&minted.token).await.unwrap();
    assert!(github.spare(one));
}

#[tokio::test]
async fn who_asks_too_much_is_held_back_for_as_long_as_github_says_or_a_minute() {
    let secondary = r#"{"message":"You have exceeded a secondary rate limit."}"#;
    let limited = r#"{"errors":[{"type":"RATE_LIMITED","message":"wait"}]}"#;
    for (answer, seconds) in [
        (answer(403, "retry-after: 90\r\n", secondary), 90),
        (answer(403, "", secondary), 60),
        (answer(429, "", "{}"), 60),
        (answer(200, "", limited), 60),
    ] {
        let user = || ok(r#"{"id":7,"login":"ann"}"#);
        let script = Script::play([answer, user(), user()]).await;
        let clock = Manual::at(NOON);
        let github = script.client_with(Limits::default(), clock.clone());
        let wait = Some(std::time::Duration::from_secs(seconds));
        let first = github.query::<serde_json::Value>(&token(), ("", "{x}"), ()).await.unwrap_err();
        assert_eq!((first.kind.clone(), first.retry_after), (Kind::RateLimited, wait));
        let second = github.user(&token()).await.unwrap_err();
        assert_eq!((second.kind.clone(), second.retry_after), (Kind::RateLimited, wait));
        github.user(&Token::new("ghp_another".to_owned())).await.unwrap();
        clock.advance(seconds.try_into().unwrap());
        github.user(&token()).await.unwrap();
        assert_eq!(script.lines().len(), 3);
    }
}

#[tokio::test]
async fn a_credential_that_is_refused_has_no_quota() {
    let refused = answer(401, &leaves(0), "{}");
    let script = Script::play([refused.clone(), refused]).await;
    let github = script.client_with(Limits::default(), Manual::at(NOON));
    for _ in 0..2 {
        assert_eq!(github.user(&token()).await.unwrap_err().kind, Kind::Unauthorized);
    }
}

#[tokio::test]
async fn each_attempt_of_a_mint_is_counted_in_the_budget() {
    let failed = || failed(502);
    let minted = || answer(201, "", MINTED);
    let script = Script::play([failed(), failed(), minted(), minted(), minted(), minted()]).await;
    let clock = Manual::at(NOON);
    let limits = Limits { mints_per_minute: 6, ..Limits::default() };
    let github = script.client_with(limits, clock.clone());
    let mint = |id| github.mint(InstallationId(id), RepoScope::All, READ);
    mint(1).await.unwrap();
    mint(2).await.unwrap();
    mint(2).await.unwrap();
    let behind = github.in_background();
    let refused = behind.mint(InstallationId(3), RepoScope::All, READ).await.unwrap_err();
    assert_eq!((refused.kind.clone(), refused.status), (Kind::RateLimited, None));
    assert_eq!(script.lines().len(), 5);
    let mut waits = Box::pin(mint(1));
    assert!(waits.as_mut().now_or_never().is_none());
    clock.advance(20);
    waits.await.unwrap();
}

#[tokio::test]
async fn an_answer_without_end_is_not_read() {
    let script = Script::play([ok(&format!(r#"{{"id":7,"login":"{}"}}"#, "x".repeat(100)))]).await;
    let limits = Limits { max_body: 99, ..Limits::default() };
    let github = script.client_with(limits, Manual::at(datetime!(2026-11-20 12:00 UTC)));
    assert_eq!(github.user(&token()).await.unwrap_err().kind, Kind::Malformed);
}

#[tokio::test]
async fn an_echoed_token_does_not_come_back() {
    let odd = Token::new("0123456789abcdef0123456789abcdef01234567".to_owned());
    let body = format!(r#"{{"message":"no {}"}}"#, odd.expose());
    let script = Script::play([answer(403, "", &body)]).await;
    let error = script.client().user(&odd).await.unwrap_err();
    assert_eq!(error.message, "no [redacted]");
    assert!(!format!("{error:?}").contains(odd.expose()));
}

#[tokio::test]
async fn names_are_encoded_in_urls() {
    let missing = || failed(404);
    let script = Script::play([missing(), missing(), missing(), ok("[]")]).await;
    let github = script.client();
    let odd = branch("a/b#c%d");
    assert_eq!(github.branch_head(&token(), &repo(), &odd).await.unwrap(), None);
    let _ = github.branch_rules(&token(), &repo(), &odd).await;
    let _ = github.compare(&token(), &repo(), &branch("main"), &odd).await;
    let _ = github.open_pulls(&token(), &repo(), &odd, Some(&branch("main"))).await;
    assert_eq!(
        script.lines(),
        [
            "GET /repos/acme/shop/git/ref/heads/a/b%23c%25d",
            "GET /repos/acme/shop/rules/branches/a%2Fb%23c%25d?per_page=100",
            "GET /repos/acme/shop/compare/main...a%2Fb%23c%25d?per_page=30",
            "GET /repos/acme/shop/pulls?state=open&head=acme%3Aa%2Fb%23c%25d&base=main",
        ]
    );
}

#[tokio::test]
async fn only_the_branch_itself_is_its_head() {
    let empty = answer(409, "", r#"{"message":"Git Repository is empty."}"#);
    let script = Script::play([head_of("staging"), head_of("staging-2"), empty]).await;
    let github = script.client();
    let head = || async { github.branch_head(&token(), &repo(), &branch("staging")).await };
    assert_eq!(head().await.unwrap(), Some(id()));
    assert_eq!(head().await.unwrap(), None);
    assert_eq!(head().await.unwrap_err().kind, Kind::EmptyRepository);
}

#[tokio::test]
async fn a_pull_request_of_other_branches_is_not_taken_for_the_open_one() {
    let pull = |head: &str| {
        format!(
            r#"{{"number":1,"html_url":"u","title":"t","head":{{"ref":"{head}","sha":"{ID}"}},
                "base":{{"ref":"main","sha":"{ID}"}}}}"#
        )
    };
    let script = Script::play([ok(&format!("[{},{}]", pull("other"), pull("staging")))]).await;
    let pulls = script
        .client()
        .open_pulls(&token(), &repo(), &branch("staging"), Some(&branch("main")))
        .await
        .unwrap();
    assert_eq!(pulls.len(), 1);
}

async fn commit(script: &Script) -> Result<PushedCommit> {
    let (path, content): (RepoPath, Bytes) = ("a".parse().unwrap(), Bytes::from_static(b"x"));
    let additions = [(&path, &content)];
    let commit = CommitOnBranch {
        branch: &branch("staging"),
        expected_head: id(),
        message: &"m".parse().unwrap(),
        additions: &additions,
        deletions: &[],
    };
    script.client().commit_on_branch(&token(), &repo(), commit).await
}

#[tokio::test]
async fn commits_over_graphql_are_sorted_by_their_errors() {
    let done = format!(r#"{{"oid":"{ID}","url":"https://github.com/c"}}"#);
    let done = format!(r#"{{"createCommitOnBranch":{{"commit":{done}}}}}"#);
    let script = Script::play([ok(&format!(r#"{{"data":{done}}}"#))]).await;
    assert_eq!(commit(&script).await.unwrap().id, id());
    assert_eq!(script.lines(), ["POST /graphql"]);
    // An error beside the commit does not undo it.
    let both = ok(&format!(r#"{{"data":{done},"errors":[{{"message":"x"}}]}}"#));
    assert!(commit(&Script::play([both]).await).await.is_ok());

    let stale = r#"{"data":{"createCommitOnBranch":null},"errors":[
        {"type":"STALE_DATA","path":["createCommitOnBranch"],"message":"Expected branch to point to \"a\" but it did not."}]}"#;
    let lacking = r#"{"errors":[{"message":"x","extensions":{"code":"undefinedField"}}]}"#;
    let cases = [
        (ok(stale), Kind::Stale),
        (ok(lacking), Kind::Unsupported),
        (failed(404), Kind::Unsupported),
        (ok("{}"), Kind::Malformed),
        (ok(r#"{"data":null,"errors":[]}"#), Kind::Malformed),
        (answer(401, "", r#"{"message":"Bad credentials"}"#), Kind::Unauthorized),
    ];
    for (answer, expected) in cases {
        let error = commit(&Script::play([answer.clone()]).await).await.unwrap_err();
        assert_eq!(error.kind, expected, "{answer}");
    }
}

#[tokio::test]
async fn lists_are_read_to_their_end_on_one_server() {
    let page = |id: u32| format!(r#"{{"total_count":2,"installations":[{{"id":{id}}}]}}"#);
    let link = "link: </user/installations?per_page=100&page=2>; rel=\"next\"\r\n";
    let away = "link: <http://127.0.0.2:1/x>; rel=\"next\"\r\n";
    let script = Script::play([answer(200, link, &page(1)), answer(200, away, &page(2))]).await;
    let ids = script.client().user_installations(&token()).await.unwrap();
    assert_eq!(ids, [InstallationId(1), InstallationId(2)]);
    assert_eq!(
        script.lines(),
        ["GET /user/installations?per_page=100", "GET /user/installations?per_page=100&page=2"]
    );
}

#[tokio::test]
async fn a_code_is_exchanged_in_the_body_once() {
    let script = Script::play([
        ok(r#"{"access_token":"ghu_x","token_type":"bearer"}"#),
        ok(r#"{"error":"bad_verification_code","error_description":"The code is incorrect."}"#),
        failed(502),
    ])
    .await;
    let github = script.client();
    let (first, second) = (Token::new("c+d".to_owned()), Token::new("c".to_owned()));
    let code = |code| Code { code, verifier: None, redirect_uri: None };
    let tokens = github.exchange_code(code(&first)).await.unwrap();
    assert_eq!((tokens.access.expose(), tokens.refresh.is_none()), ("ghu_x", true));
    assert_eq!(github.exchange_code(code(&second)).await.unwrap_err().kind, Kind::Unauthorized);
    assert_eq!(github.exchange_code(code(&second)).await.unwrap_err().kind, Kind::Server);
    assert_eq!(script.lines(), ["POST /login/oauth/access_token"; 3]);
    let request = script.requests().remove(0);
    assert!(request.ends_with("client_id=Iv1.abc&client_secret=s%26cret&code=c%2Bd"), "{request}");
    assert!(request.to_lowercase().contains("accept: application/json\r\n"));
    assert!(!request.to_lowercase().contains("authorization"));
}

#[tokio::test]
async fn a_token_that_is_gone_is_revoked() {
    let script = Script::play([answer(204, "", ""), failed(401), failed(403)]).await;
    let github = script.client();
    assert!(github.revoke(&token()).await.is_ok());
    assert!(github.revoke(&token()).await.is_ok());
    assert_eq!(github.revoke(&token()).await.unwrap_err().kind, Kind::Forbidden);
}

#[test]
fn knows_addresses_of_the_site() {
    let settings = |api: &str| Settings {
        api_url: api.parse().unwrap(),
        graphql_url: "https://ghe.example/api/graphql".parse().unwrap(),
        web_url: "https://ghe.example/".parse().unwrap(),
        app: None,
        oauth: None,
        limits: Limits::default(),
    };
    let clock = || Manual::at(datetime!(2026-11-20 12:00 UTC));
    let github = GitHub::new(settings("https://ghe.example/api/v3/"), clock()).unwrap();
    assert_eq!(github.clone_url(&repo()), "https://ghe.example/acme/shop.git");
    assert_eq!(github.route(["user"]).as_str(), "https://ghe.example/api/v3/user");
    for bad in ["ftp://ghe.example", "mailto:a@b.example"] {
        let error = GitHub::new(settings(bad), clock()).err().unwrap();
        assert!(error.to_string().starts_with("the API URL must be"), "{error}");
    }
}

#[tokio::test]
async fn logs_say_what_was_called_and_nothing_secret() {
    let script = Script::play([
        answer(403, "x-github-request-id: A:1\r\n", r#"{"message":"no ghp_0123456789abcdefghij"}"#),
        ok(r#"{"access_token":"ghu_abcdefghijklmnopqrst"}"#),
        ok(INSTALLATION),
    ])
    .await;
    let github = script.client();
    let (logs, _guard) = logs();
    // tracing asks only the first thread that logs somewhere whether anyone listens, which may be another test's:
    // log once, then have it ask again.
    let _ = Script::play([failed(404)]).await.client().installation(InstallationId(3)).await;
    tracing::callsite::rebuild_interest_cache();
    let error = github.branch_head(&token(), &repo(), &branch("secret-project")).await.unwrap_err();
    let code = Token::new("the-code".to_owned());
    github.exchange_code(Code { code: &code, verifier: None, redirect_uri: None }).await.unwrap();
    github.installation(InstallationId(3)).await.unwrap();
    let text = logs.text();
    let jwt =
        script.requests()[2].split("earer ").nth(1).unwrap().split('\r').next().unwrap().to_owned();
    for wanted in ["/repos/{owner}/{repo}/git/ref/{ref}", "status=403", "request_id=\"A:1\""] {
        assert!(text.contains(wanted), "{wanted} is not in {text}");
    }
    for secret in [token().expose(), "the-code", "s&cret", "s%26cret", "ghu_", &jwt] {
        assert!(!text.contains(secret), "{secret} is in {text}");
        assert!(!format!("{error:?}").contains(secret));
    }
}
