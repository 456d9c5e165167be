//! "Connect GitHub": a user authorizes the broker.

use std::time::Duration;

use ghbroker::{domain::Token, github::OAuthClient, proto::*};
use github_sim::{Effect, Fault, Gate, Level, seed};
use tonic::Code;

use crate::harness::{
    ACCOUNT, INSTALLATION, REPO, World,
    git::git,
    status::{assert_reason, bad_fields},
    write,
};

const EXCHANGE: &str = "POST /login/oauth/access_token";
/// A user's token lives 8 hours, and is renewed a quarter of an hour before.
const UNTIL_DUE: Duration = Duration::from_secs(8 * 3600 - 15 * 60);

async fn world() -> World {
    World::with_portal(|_| {}).await
}

async fn connected() -> World {
    let mut world = world().await;
    world.connect_github(ACCOUNT, "alice").await;
    world.configure(ACCOUNT, REPO).await;
    world
}

async fn token(world: &World) -> GetRepoTokenResponse {
    let request = GetRepoTokenRequest { account: ACCOUNT.into(), ..Default::default() };
    world.get_repo_token(request).await.unwrap()
}

async fn connection(world: &World) -> GetConnectionResponse {
    world.get_connection(GetConnectionRequest { account: ACCOUNT.into() }).await.unwrap()
}

#[tokio::test]
async fn a_user_connects_github_and_the_broker_works_as_that_user() {
    let world = connected().await;
    let seen = connection(&world).await;
    let user = seen.oauth_user.unwrap();
    assert_eq!((user.login.as_str(), user.status()), ("alice", ConnectionStatus::Active));
    assert!(user.user_id > 0 && user.scopes.is_empty());
    let in_hours = |time: Option<prost_types::Timestamp>| {
        (time.unwrap().seconds - world.now().unix_timestamp()) / 3600
    };
    assert_eq!(in_hours(user.expire_time), 8);
    assert!(in_hours(user.refresh_expire_time) > 24 * 150);
    assert_eq!(seen.effective_source, i32::from(CredentialSource::OauthUser));

    let answer = token(&world).await;
    assert_eq!(answer.source(), CredentialSource::OauthUser);
    assert!(answer.token.starts_with("ghu_") && world.sim.accepts(&answer.token));
    let promised = answer.expire_time.unwrap().seconds - world.now().unix_timestamp();
    assert_eq!(promised, UNTIL_DUE.as_secs() as i64, "told as the time of its renewal");
    let files = vec![write("models/by_alice.sql", "select 1\n")];
    let committed = world.commit("Add a model", files).await.unwrap();
    let author =
        git(&world.sim.git_dir(REPO), &["log", "-1", "--format=%an", &committed.commit_sha]);
    assert_eq!(author.trim(), "alice");
    world.finish().await;
}

#[tokio::test]
async fn what_was_begun_works_once_for_the_account_that_it_was_begun_for() {
    let world = world().await;
    let good = world.authorized(ACCOUNT, "alice").await;
    let refused = async |request: CompleteOAuthRequest| {
        let refused = world.complete_o_auth(request).await.unwrap_err();
        assert_reason(&refused, Code::FailedPrecondition, "STATE_UNKNOWN");
    };
    refused(CompleteOAuthRequest { account: "tenant-other".into(), ..good.clone() }).await;
    refused(CompleteOAuthRequest { state: "0".repeat(32), ..good.clone() }).await;
    world.complete_o_auth(good.clone()).await.unwrap();
    refused(good).await;

    let late = world.authorized(ACCOUNT, "alice").await;
    world.advance(Duration::from_secs(600));
    refused(late).await;

    // The state of an installation is none of these.
    let request = BeginInstallationRequest { account: ACCOUNT.into(), ..Default::default() };
    let begun = world.begin_installation(request).await.unwrap();
    let code = world.authorized(ACCOUNT, "alice").await.code;
    refused(CompleteOAuthRequest { account: ACCOUNT.into(), state: begun.state, code }).await;
    world.finish().await;
}

#[tokio::test]
async fn a_code_that_was_stolen_on_the_way_is_worth_nothing_to_another_browser() {
    let world = world().await;
    let stolen = world.authorized(ACCOUNT, "alice").await.code;
    // The thief begins for an account of their own, and brings the code there.
    let mine = world.authorized("tenant-thief", "mallory").await;
    let request = CompleteOAuthRequest { code: stolen, ..mine };
    let refused = world.complete_o_auth(request).await.unwrap_err();
    assert_eq!(bad_fields(&refused), ["code"], "its PKCE verifier is another one");
    world.finish().await;
}

#[tokio::test]
async fn the_tokens_are_renewed_ahead_and_stored_before_they_are_used() {
    let mut world = connected().await;
    let first = token(&world).await.token;
    world.advance(UNTIL_DUE - Duration::from_secs(1));
    let last = token(&world).await;
    assert!(last.token == first && last.stale, "it ends before what callers need");
    world.advance(Duration::from_secs(1));
    let second = token(&world).await.token;
    assert_ne!(second, first);
    assert!(
        world.sim.accepts(&second) && !world.sim.accepts(&first),
        "a renewal ends the old pair"
    );
    world.restart().await;
    assert_eq!(token(&world).await.token, second, "it was stored");
    assert_eq!(world.sim.count(EXCHANGE), 2);
    world.finish().await;
}

#[tokio::test]
async fn of_many_calls_on_two_replicas_one_renews() {
    let world = connected().await;
    let replica = world.replica().await;
    world.advance(UNTIL_DUE);
    let request = GetRepoTokenRequest { account: ACCOUNT.into(), ..Default::default() };
    let calls = (0..20).map(|number| {
        let mut broker = if number % 2 == 0 { &world.broker } else { &replica.broker }.clone();
        let request = request.clone();
        async move { broker.get_repo_token(request).await.unwrap().into_inner().token }
    });
    let tokens = futures_util::future::join_all(calls).await;
    assert!(tokens.iter().all(|token| *token == tokens[0] && world.sim.accepts(token)));
    assert_eq!(world.sim.count(EXCHANGE), 2, "one for the code, and one renewal");
    world.finish().await;
}

#[tokio::test]
async fn nobody_waits_for_the_renewal_of_tokens_that_are_in_use() {
    let world = connected().await;
    let first = token(&world).await.token;
    world.advance(UNTIL_DUE - Duration::from_secs(60));
    assert_eq!(token(&world).await.token, first);
    world.advance(Duration::from_secs(60));
    world.until(async || (world.sim.count(EXCHANGE) == 2).then_some(())).await;
    world.until(async || (token(&world).await.token != first).then_some(())).await;
    assert_eq!(world.sim.count(EXCHANGE), 2);
    world.finish().await;
}

#[tokio::test]
async fn while_github_cannot_renew_the_old_token_serves_until_its_end() {
    let world = connected().await;
    let first = token(&world).await.token;
    world.sim.fault(Fault::always(EXCHANGE, Effect::Status { status: 503, html: true }));
    world.advance(UNTIL_DUE);
    let kept = token(&world).await;
    assert_eq!(kept.token, first);
    assert!(world.sim.accepts(&first));
    world.advance(Duration::from_secs(15 * 60));
    let request = GetRepoTokenRequest { account: ACCOUNT.into(), ..Default::default() };
    let failed = world.get_repo_token(request).await.unwrap_err();
    assert_reason(&failed, Code::Unavailable, "GITHUB_UNAVAILABLE");
    world.sim.clear_faults();
    world.advance(Duration::from_secs(60));
    let renewed = token(&world).await.token;
    assert!(renewed != first && world.sim.accepts(&renewed));
    world.finish().await;
}

#[tokio::test]
async fn a_user_who_takes_the_authorization_back_has_to_connect_again() {
    let world = connected().await;
    let first = token(&world).await.token;
    world.sim.revoke_token(&first);
    world.advance(UNTIL_DUE);
    let request = GetRepoTokenRequest { account: ACCOUNT.into(), ..Default::default() };
    for _ in 0..2 {
        let refused = world.get_repo_token(request.clone()).await.unwrap_err();
        assert_reason(&refused, Code::FailedPrecondition, "CREDENTIAL_REJECTED");
        assert!(refused.message().contains("connect GitHub again"), "{}", refused.message());
    }
    assert_eq!(world.sim.count(EXCHANGE), 2, "a refused renewal is not tried again");
    assert_eq!(connection(&world).await.oauth_user.unwrap().status(), ConnectionStatus::Revoked);

    world.connect_github(ACCOUNT, "alice").await;
    assert!(world.sim.accepts(&token(&world).await.token));
    world.finish().await;
}

#[tokio::test]
async fn connecting_again_ends_the_tokens_of_before_and_disconnecting_all() {
    let world = connected().await;
    let first = token(&world).await.token;
    world.connect_github(ACCOUNT, "alice").await;
    let second = token(&world).await.token;
    assert!(!world.sim.accepts(&first) && world.sim.accepts(&second));
    let done = world.disconnect(DisconnectRequest { account: ACCOUNT.into() }).await.unwrap();
    assert!(done.disconnected);
    assert!(!world.sim.accepts(&second));
    assert_eq!(world.sim.live_user_tokens(), 0, "the refresh tokens neither");
    world.finish().await;
}

#[tokio::test]
async fn a_call_that_was_under_way_while_another_replica_renewed_goes_on_with_the_new_token() {
    let world = connected().await;
    let replica = world.replica().await;
    world.advance(UNTIL_DUE - Duration::from_secs(1));
    let gate = Gate::new();
    world.sim.fault(Fault::once("POST /graphql", Effect::Hold(gate.clone())));
    let request = CommitFilesRequest {
        account: ACCOUNT.into(),
        message: "Add a model".into(),
        files: vec![write("m.sql", "select 3\n")],
        ..Default::default()
    };
    let commit = world.commit_files(request);
    let meanwhile = async {
        gate.arrived(1).await;
        world.advance(Duration::from_secs(1));
        let request = GetRepoTokenRequest { account: ACCOUNT.into(), ..Default::default() };
        replica.broker.clone().get_repo_token(request).await.unwrap();
        gate.open();
    };
    let (committed, ()) = tokio::join!(commit, meanwhile);
    committed.unwrap();
    assert_eq!(connection(&world).await.oauth_user.unwrap().status(), ConnectionStatus::Active);
    world.finish().await;
}

#[tokio::test]
async fn a_renewal_whose_answer_was_lost_is_said_to_need_a_person() {
    let world = connected().await;
    let first = token(&world).await.token;
    world.sim.fault(Fault::once(EXCHANGE, Effect::DropAfter));
    world.advance(UNTIL_DUE);
    // GitHub has renewed, and nobody has the new pair: the old one is worth nothing any more.
    let request = GetRepoTokenRequest { account: ACCOUNT.into(), ..Default::default() };
    let refused = world.until(async || world.get_repo_token(request.clone()).await.err()).await;
    assert_reason(&refused, Code::FailedPrecondition, "CREDENTIAL_REJECTED");
    assert!(!world.sim.accepts(&first));
    world.connect_github(ACCOUNT, "alice").await;
    assert!(world.sim.accepts(&token(&world).await.token));
    world.finish().await;
}

#[tokio::test]
async fn what_a_dead_replica_was_renewing_another_one_takes_over() {
    let world = connected().await;
    let replica = world.replica().await;
    world.advance(UNTIL_DUE - Duration::from_secs(1));
    let gate = Gate::new();
    world.sim.fault(Fault::once(EXCHANGE, Effect::Hold(gate.clone())));
    world.advance(Duration::from_secs(1));
    let mut broker = replica.broker.clone();
    let request = GetRepoTokenRequest { account: ACCOUNT.into(), ..Default::default() };
    let cut_off = tokio::spawn(async move { broker.get_repo_token(request).await });
    gate.arrived(1).await;
    replica.kill();
    cut_off.await.unwrap().unwrap_err();
    world.advance(Duration::from_secs(2 * 60));
    assert!(world.sim.accepts(&token(&world).await.token));
    world.finish().await;
}

#[tokio::test]
async fn an_authorization_that_nobody_uses_is_kept_from_ending_for_good() {
    let world = connected().await;
    let days = |days: u64| Duration::from_secs(days * 24 * 3600);
    let end = async || connection(&world).await.oauth_user.unwrap().refresh_expire_time.unwrap();
    let first = end().await;
    world.advance(days(171));
    world.until(async || (end().await != first).then_some(())).await;
    assert_eq!(world.sim.count(EXCHANGE), 2);
    world.advance(days(100));
    assert!(world.sim.accepts(&token(&world).await.token));
    world.finish().await;
}

#[tokio::test]
async fn only_what_is_complete_is_taken() {
    let world = world().await;
    let request =
        CompleteOAuthRequest { account: "no account!".into(), ..CompleteOAuthRequest::default() };
    let refused = world.complete_o_auth(request).await.unwrap_err();
    assert_eq!(bad_fields(&refused), ["account", "state", "code"]);
    let request = BeginOAuthRequest {
        account: ACCOUNT.into(),
        login_hint: "not a login".into(),
        return_url: "https://portal.example/done".into(),
        site: String::new(),
    };
    let refused = world.begin_o_auth(request.clone()).await.unwrap_err();
    assert_eq!(bad_fields(&refused), ["login_hint"]);
    let request = BeginOAuthRequest { login_hint: String::new(), ..request };
    let refused = world.begin_o_auth(request).await.unwrap_err();
    assert_eq!(bad_fields(&refused), ["return_url"], "none is registered");

    let unconfigured = World::start().await;
    let request = BeginOAuthRequest { account: ACCOUNT.into(), ..Default::default() };
    let refused = unconfigured.begin_o_auth(request).await.unwrap_err();
    assert_reason(&refused, Code::FailedPrecondition, "APP_NOT_CONFIGURED");
}

#[tokio::test]
async fn what_the_app_may_do_for_its_user_is_tried_out() {
    let world = connected().await;
    let verified = async || {
        let request = VerifyRepoRequest { account: ACCOUNT.into(), ..Default::default() };
        let findings = world.verify_repo(request).await.unwrap().findings;
        let code = FindingCode::PermissionsGranted;
        findings.into_iter().find(|finding| finding.code() == code).unwrap()
    };
    let finding = verified().await;
    assert_eq!(finding.level(), FindingLevel::Warning, "{finding:?}");
    assert!(finding.message.contains("The authorization reads contents"), "{finding:?}");
    assert!(finding.fix.contains("the App is installed there"), "{finding:?}");

    let granted = [("contents", Level::Read), ("pull_requests", Level::Write)];
    world.sim.set_installation_permissions(INSTALLATION as u64, granted);
    let finding = verified().await;
    assert_eq!(finding.level(), FindingLevel::Failed, "{finding:?}");
    assert!(finding.message.contains("lacks Contents: write"), "{finding:?}");
    world.finish().await;
}

#[tokio::test]
async fn what_comes_back_while_the_account_is_disconnected_does_not_connect_it_again() {
    let world = world().await;
    let request = world.authorized(ACCOUNT, "alice").await;
    let gate = Gate::new();
    world.sim.fault(Fault::once(EXCHANGE, Effect::Hold(gate.clone())));
    let complete = world.complete_o_auth(request);
    let meanwhile = async {
        gate.arrived(1).await;
        world.disconnect(DisconnectRequest { account: ACCOUNT.into() }).await.unwrap();
        gate.open();
    };
    let (completed, ()) = tokio::join!(complete, meanwhile);
    assert_reason(&completed.unwrap_err(), Code::FailedPrecondition, "STATE_UNKNOWN");
    let nothing =
        world.get_connection(GetConnectionRequest { account: ACCOUNT.into() }).await.unwrap_err();
    assert_reason(&nothing, Code::NotFound, "ACCOUNT_NOT_CONNECTED");
    assert_eq!(world.sim.live_user_tokens(), 0, "the tokens that the code gave are ended");
    world.finish().await;
}

/// The platform has an OAuth App for "Connect GitHub", which asks for these scopes. [`REPO`] is bound by a personal access token.
async fn with_an_oauth_app(scopes: &'static [&'static str]) -> World {
    let (client_id, client_secret) = ("Ov23testOAuthApp0001", "oauth-app-secret");
    let world = World::with_portal(move |config| {
        config.github.oauth = Some(OAuthClient {
            client_id: client_id.into(),
            client_secret: Token::new(client_secret.into()),
            scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
        });
    });
    let mut world = world.await;
    let app = seed::App {
        client_id: Some(client_id.into()),
        client_secret: client_secret.into(),
        slug: "portal".into(),
        owner: "acme".into(),
        oauth_app: true,
        ..Default::default()
    };
    world.sim.add_app(&app).unwrap();
    let token = world.pat(seed::Pat { scopes: vec!["repo".into()], ..Default::default() });
    world
        .set_pat(SetPatRequest { account: ACCOUNT.into(), token, ..Default::default() })
        .await
        .unwrap();
    world.configure(ACCOUNT, REPO).await;
    world
}

async fn permissions(world: &World) -> Finding {
    let request = VerifyRepoRequest { account: ACCOUNT.into(), ..Default::default() };
    let findings = world.verify_repo(request).await.unwrap().findings;
    let code = FindingCode::PermissionsGranted;
    findings.into_iter().find(|finding| finding.code() == code).unwrap()
}

#[tokio::test]
async fn the_token_of_an_oauth_app_has_scopes_and_no_end() {
    let world = with_an_oauth_app(&["repo", "workflow"]).await;
    let user = world.connect_github(ACCOUNT, "alice").await;
    assert_eq!(user.scopes, ["repo", "workflow"]);
    assert_eq!((user.expire_time, user.refresh_expire_time), (None, None));
    let first = token(&world).await;
    assert!(first.token.starts_with("gho_") && first.expire_time.is_none());
    world.advance(Duration::from_secs(400 * 24 * 3600));
    assert_eq!(token(&world).await.token, first.token);
    assert_eq!(world.sim.count(EXCHANGE), 1, "there is nothing to renew");
    let finding = permissions(&world).await;
    assert_eq!(finding.level(), FindingLevel::Ok, "{finding:?}");
    let list = ListRepositoriesRequest { account: ACCOUNT.into(), ..Default::default() };
    let listed = world.list_repositories(list).await.unwrap();
    let page = "/settings/connections/applications/Ov23testOAuthApp0001";
    assert!(listed.add_repositories_url.ends_with(page), "{}", listed.add_repositories_url);
    world.disconnect(DisconnectRequest { account: ACCOUNT.into() }).await.unwrap();
    assert!(!world.sim.accepts(&first.token));
    world.finish().await;
}

#[tokio::test]
async fn an_oauth_app_that_asks_for_too_little_is_said_to() {
    let world = with_an_oauth_app(&["public_repo"]).await;
    world.connect_github(ACCOUNT, "alice").await;
    let finding = permissions(&world).await;
    assert_eq!(finding.level(), FindingLevel::Failed, "{finding:?}");
    assert_eq!(finding.message, "The authorization lacks the scope `repo`.");
    assert!(finding.fix.contains("github.oauth.scopes"), "{finding:?}");
    let files = vec![write("m.sql", "select 1\n")];
    let refused = world.commit("Add a model", files).await.unwrap_err();
    assert!(!refused.message().contains("SetPat"), "{}", refused.message());
    world.finish().await;
}
