//! BeginInstallation, and what proves whose an installation is.

use std::{collections::HashMap, time::Duration};

use ghbroker::proto::*;
use github_sim::seed;
use tonic::Code;
use url::Url;

use super::{OTHER, OTHER_INSTALLATION, add_globex, connection, disconnect, installed};
use crate::harness::{
    ACCOUNT, APP_ID, INSTALLATION, World,
    caller::Caller,
    door::Door,
    person, seed,
    status::{assert_reason, bad_fields},
};

fn begin(account: &str, expected: &str) -> BeginInstallationRequest {
    BeginInstallationRequest {
        account: account.into(),
        expected_github_login: expected.into(),
        ..Default::default()
    }
}

/// What the portal sends on of GitHub's redirect, and nothing that it knows itself.
fn redirected(account: &str, state: &str) -> RegisterInstallationRequest {
    RegisterInstallationRequest {
        state: state.into(),
        expected_github_login: String::new(),
        ..installed(account, INSTALLATION)
    }
}

#[tokio::test]
async fn the_browser_is_sent_to_the_page_on_which_the_app_is_installed() {
    let world = World::start().await;
    let begun = world.begin_installation(begin(ACCOUNT, "acme")).await.unwrap();
    let page: Url = begun.install_url.parse().unwrap();
    let query: HashMap<_, _> = page.query_pairs().into_owned().collect();
    assert!(page.as_str().starts_with(world.sim.web_url()));
    assert!(page.path().ends_with("/ghbroker-test/installations/new"), "{page}");
    assert_eq!(query, HashMap::from([("state".to_owned(), begun.state.clone())]));
    assert_eq!(begun.state.len(), 32);
    assert!(begun.state.bytes().all(|b| b.is_ascii_hexdigit()));
    assert_eq!(begun.expire_time.unwrap().seconds - world.now().unix_timestamp(), 600);
    let another = world.begin_installation(begin(ACCOUNT, "acme")).await.unwrap();
    assert_ne!(another.state, begun.state);
    for row in world.stored().await {
        assert!(!row.contains(&begun.state), "only its hash is stored");
    }
    world.finish().await;
}

#[tokio::test]
async fn what_was_begun_is_finished_once_by_who_began_it() {
    let world = World::start().await;
    let begun = world.begin_installation(begin(ACCOUNT, "acme")).await.unwrap();
    let unknown = async |request: RegisterInstallationRequest| {
        let refused = world.register_installation(request).await.unwrap_err();
        assert_reason(&refused, Code::FailedPrecondition, "STATE_UNKNOWN");
    };
    unknown(redirected(OTHER, &begun.state)).await;
    unknown(redirected(ACCOUNT, &"0".repeat(32))).await;
    let answer = world.register_installation(redirected(ACCOUNT, &begun.state)).await.unwrap();
    assert_eq!(answer.installation.unwrap().github_login, "acme");
    unknown(redirected(ACCOUNT, &begun.state)).await;

    let late = world.begin_installation(begin(ACCOUNT, "acme")).await.unwrap();
    world.advance(Duration::from_secs(600));
    unknown(redirected(ACCOUNT, &late.state)).await;
    world.finish().await;
}

#[tokio::test]
async fn another_caller_does_not_finish_what_one_began() {
    let rules: String = ["portal", "other-portal"]
        .map(|name| crate::access::rule(name, "role = \"admin\"\naccounts = [\"*\"]"))
        .concat();
    let world = World::guarded(seed(), Door::new("either", &rules)).await;
    let (portal, other) = (world.workload("portal").await, world.workload("other-portal").await);
    let begun = portal.admin().begin_installation(begin(ACCOUNT, "acme")).await.unwrap();
    let request = redirected(ACCOUNT, &begun.into_inner().state);
    let finish =
        async |who: &Caller| who.broker().register_installation(request.clone()).await.map(drop);
    let refused = finish(&other).await.unwrap_err();
    assert_reason(&refused, Code::FailedPrecondition, "STATE_UNKNOWN");
    finish(&portal).await.unwrap();
    world.finish().await;
}

#[tokio::test]
async fn of_two_that_come_back_with_one_state_one_is_too_late() {
    let world = World::start().await;
    let begun = world.begin_installation(begin(ACCOUNT, "acme")).await.unwrap();
    let request = redirected(ACCOUNT, &begun.state);
    let (a, b) = tokio::join!(
        world.register_installation(request.clone()),
        world.register_installation(request),
    );
    assert!(a.is_ok() ^ b.is_ok(), "{a:?} {b:?}");
    world.finish().await;
}

#[tokio::test]
async fn while_github_is_down_what_was_begun_stays_to_be_finished() {
    use github_sim::{Effect, Fault};
    let world = World::start().await;
    let begun = world.begin_installation(begin(ACCOUNT, "acme")).await.unwrap();
    let down = Effect::Status { status: 502, html: true };
    world.sim.fault(Fault::always("GET /app/installations/{installation_id}", down));
    let request = redirected(ACCOUNT, &begun.state);
    let failed = world.register_installation(request.clone()).await.unwrap_err();
    assert_reason(&failed, Code::Unavailable, "GITHUB_UNAVAILABLE");
    world.sim.clear_faults();
    world.advance(Duration::from_secs(60));
    world.register_installation(request).await.unwrap();
    world.finish().await;
}

#[tokio::test]
async fn an_installation_of_which_nothing_says_whose_it_is_is_not_bound() {
    let world = World::start().await;
    let begun = world.begin_installation(begin(ACCOUNT, "")).await.unwrap();
    for (state, reason) in [
        (&*begun.state, "INSTALLATION_NOT_PROVEN"),
        // Nobody tries one installation after another with it.
        (&*begun.state, "STATE_UNKNOWN"),
        ("", "INSTALLATION_NOT_PROVEN"),
    ] {
        let refused = world.register_installation(redirected(ACCOUNT, state)).await.unwrap_err();
        assert_reason(&refused, Code::FailedPrecondition, reason);
    }
    let nothing = connection(&world, ACCOUNT).await.unwrap_err();
    assert_reason(&nothing, Code::NotFound, "ACCOUNT_NOT_CONNECTED");

    // An admin confirms it.
    let mut confirmed = redirected(ACCOUNT, "");
    confirmed.expected_github_login = "acme".into();
    world.register_installation(confirmed).await.unwrap();
    world.finish().await;
}

#[tokio::test]
async fn another_accounts_installation_is_refused_whatever_the_redirect_says() {
    let world = World::start().await;
    add_globex(&world);
    world.register_installation(installed(OTHER, OTHER_INSTALLATION)).await.unwrap();
    let begun = world.begin_installation(begin(ACCOUNT, "acme")).await.unwrap();
    let mut spoofed = redirected(ACCOUNT, &begun.state);
    spoofed.installation_id = OTHER_INSTALLATION;
    let refused = world.register_installation(spoofed.clone()).await.unwrap_err();
    assert_reason(&refused, Code::FailedPrecondition, "INSTALLATION_NOT_OWNED");

    // Nor with the code of somebody who cannot see it.
    spoofed.state = world.begin_installation(begin(ACCOUNT, "")).await.unwrap().state;
    spoofed.code = person::authorize(&world.sim, "mallory").await;
    let refused = world.register_installation(spoofed).await.unwrap_err();
    assert_reason(&refused, Code::FailedPrecondition, "INSTALLATION_NOT_OWNED");
    assert_eq!(world.sim.live_user_tokens(), 0, "the token that the code gave is ended");
    world.finish().await;
}

#[tokio::test]
async fn an_app_that_was_installed_anew_on_the_same_organization_needs_no_other_proof() {
    let world = World::connected().await;
    world.sim.uninstall(INSTALLATION as u64);
    world.sim.rename_account("acme", "acme-inc");
    let id = world.sim.install(APP_ID, "acme-inc", None, "alice") as i64;
    let begun = world.begin_installation(begin(ACCOUNT, "")).await.unwrap();
    let mut request = redirected(ACCOUNT, &begun.state);
    request.installation_id = id;
    let answer = world.register_installation(request).await.unwrap().installation.unwrap();
    assert_eq!((answer.installation_id, &*answer.github_login), (id, "acme-inc"));
    world.finish().await;
}

#[tokio::test]
async fn an_awaited_installation_is_found_by_the_next_look() {
    let mut seed = seed();
    seed.installations.clear();
    let world = World::start_with(seed).await;
    let begun = world.begin_installation(begin(ACCOUNT, "acme")).await.unwrap();
    let mut requested = redirected(ACCOUNT, &begun.state);
    (requested.installation_id, requested.setup_action) = (0, SetupAction::Request.into());
    let pending = world.register_installation(requested).await.unwrap().installation.unwrap();
    assert_eq!(pending.status(), ConnectionStatus::PendingApproval);
    let status = async || connection(&world, ACCOUNT).await.unwrap().installation.unwrap().status();
    assert_eq!(status().await, ConnectionStatus::PendingApproval);

    world.sim.install(APP_ID, "acme", None, "alice");
    assert_eq!(status().await, ConnectionStatus::PendingApproval, "GitHub is not asked each time");
    world.advance(Duration::from_secs(10));
    assert_eq!(status().await, ConnectionStatus::Active);
    world.finish().await;
}

#[tokio::test]
async fn an_awaited_installation_is_not_bound_to_an_account_that_waits_no_more() {
    use github_sim::{Effect, Fault, Gate};
    let mut seed = seed();
    seed.installations.clear();
    let world = World::start_with(seed).await;
    let begun = world.begin_installation(begin(ACCOUNT, "acme")).await.unwrap();
    let mut requested = redirected(ACCOUNT, &begun.state);
    (requested.installation_id, requested.setup_action) = (0, SetupAction::Request.into());
    world.register_installation(requested).await.unwrap();
    world.sim.install(APP_ID, "acme", None, "alice");
    let gate = Gate::new();
    world.sim.fault(Fault::once("GET /orgs/{org}/installation", Effect::Hold(gate.clone())));
    world.sim.fault(Fault::once("GET /users/{username}/installation", Effect::Hold(gate.clone())));
    let look = connection(&world, ACCOUNT);
    let meanwhile = async {
        gate.arrived(1).await;
        disconnect(&world, ACCOUNT).await;
        gate.open();
    };
    let (_, ()) = tokio::join!(look, meanwhile);
    let nothing = connection(&world, ACCOUNT).await.unwrap_err();
    assert_reason(&nothing, Code::NotFound, "ACCOUNT_NOT_CONNECTED");
    world.finish().await;
}

#[tokio::test]
async fn a_user_who_has_connected_github_proves_an_installation_that_was_there_before() {
    let world = World::with_portal(|_| {}).await;
    for (login, proves) in [("mallory", false), ("alice", true)] {
        world.connect_github(ACCOUNT, login).await;
        let registered = world.register_installation(redirected(ACCOUNT, "")).await;
        assert_eq!(registered.is_ok(), proves, "{login}: {registered:?}");
    }
    world.finish().await;
}

#[tokio::test]
async fn a_user_who_has_taken_the_authorization_back_proves_nothing() {
    let world = World::with_portal(|_| {}).await;
    for hours in [0, 9] {
        world.connect_github(ACCOUNT, "alice").await;
        world.sim.revoke_authorization(APP_ID, "alice");
        // What the broker has to be told by GitHub: by a refused call, or by a refused renewal.
        world.advance(Duration::from_secs(hours * 3600));
        let refused = world.register_installation(redirected(ACCOUNT, "")).await.unwrap_err();
        assert_reason(&refused, Code::FailedPrecondition, "INSTALLATION_NOT_PROVEN");
        let user = connection(&world, ACCOUNT).await.unwrap().oauth_user.unwrap();
        assert_eq!(user.status(), ConnectionStatus::Revoked, "after {hours} h");
    }
    world.finish().await;
}

#[tokio::test]
async fn a_collaborator_does_not_speak_for_the_installation_of_another_user() {
    let world = World::start().await;
    let notes = seed::Repository {
        collaborators: [("mallory".to_owned(), github_sim::Level::Write)].into(),
        ..super::repository("alice", "notes")
    };
    world.sim.add_repository(&notes).unwrap();
    let id = world.sim.install(APP_ID, "alice", None, "alice") as i64;
    for (login, proves) in [("mallory", false), ("alice", true)] {
        let mut request = redirected(ACCOUNT, "");
        request.installation_id = id;
        request.code = person::authorize(&world.sim, login).await;
        let registered = world.register_installation(request).await;
        assert_eq!(registered.is_ok(), proves, "{login}: {registered:?}");
    }
    world.finish().await;
}

#[tokio::test]
async fn only_registered_pages_are_returned_to() {
    let world = World::with_portal(|config| {
        config.connecting.return_urls = vec!["https://portal.example/done".parse().unwrap()];
    })
    .await;
    for (return_url, registered) in [
        ("", true),
        ("https://portal.example/done?account=7", true),
        ("https://portal.example/other", false),
        ("https://evil.example/done", false),
        ("javascript:alert(1)", false),
    ] {
        let request =
            BeginInstallationRequest { return_url: return_url.into(), ..begin(ACCOUNT, "") };
        let installation = world.begin_installation(request).await.map(drop);
        let request = BeginOAuthRequest {
            account: ACCOUNT.into(),
            return_url: return_url.into(),
            ..Default::default()
        };
        let oauth = world.begin_o_auth(request).await.map(drop);
        for begun in [installation, oauth] {
            assert_eq!(begun.is_ok(), registered, "{return_url:?}: {begun:?}");
            if let Err(refused) = begun {
                assert_eq!(bad_fields(&refused), ["return_url"]);
            }
        }
    }
    world.finish().await;
}

#[tokio::test]
async fn what_a_browser_is_on_its_way_with_does_not_connect_a_disconnected_account() {
    let world = World::start().await;
    let begun = world.begin_installation(begin(ACCOUNT, "acme")).await.unwrap();
    disconnect(&world, ACCOUNT).await;
    let refused = world.register_installation(redirected(ACCOUNT, &begun.state)).await.unwrap_err();
    assert_reason(&refused, Code::FailedPrecondition, "STATE_UNKNOWN");
    world.finish().await;
}

#[tokio::test]
async fn connections_are_listed_by_pages() {
    let world = World::start().await;
    world.register_installation(installed("b", INSTALLATION)).await.unwrap();
    for account in ["a", "c", "d"] {
        let token = world.pat(seed::Pat { scopes: vec!["repo".into()], ..Default::default() });
        world.set_pat(super::pat(account, &token)).await.unwrap();
    }
    let (mut names, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = ListConnectionsRequest { page_size: 3, page_token };
        let page = world.list_connections(request).await.unwrap();
        assert!(page.connections.len() <= 3);
        names.extend(page.connections.iter().map(|c| (c.account.clone(), c.effective_source())));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    use CredentialSource::{AppInstallation, Pat};
    let expected = [("a", Pat), ("b", AppInstallation), ("c", Pat), ("d", Pat)];
    assert_eq!(names, expected.map(|(name, source)| (name.to_owned(), source)));
    let request = ListConnectionsRequest { page_size: 101, page_token: "no account!".into() };
    let refused = world.list_connections(request).await.unwrap_err();
    assert_eq!(bad_fields(&refused), ["page_size", "page_token"]);
    world.finish().await;
}

#[tokio::test]
async fn a_list_names_no_account_that_its_reader_may_not_see() {
    let rules = crate::access::rule(
        "support",
        "rpcs = [\"ListConnections\"]\naccounts = [\"a-*\", \"y-*\"]",
    );
    let world = World::guarded(seed(), Door::new("either", &rules)).await;
    for account in ["a-1", "b-hidden", "c-hidden", "x-hidden", "y-1", "z-hidden"] {
        let token = world.pat(seed::Pat { scopes: vec!["repo".into()], ..Default::default() });
        world.set_pat(super::pat(account, &token)).await.unwrap();
    }
    let support = world.workload("support").await;
    let (mut seen, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = ListConnectionsRequest { page_size: 1, page_token };
        let page = support.admin().list_connections(request).await.unwrap().into_inner();
        assert!(!format!("{page:?}").contains("hidden"), "{page:?}");
        seen.extend(page.connections.into_iter().map(|connection| connection.account));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(seen, ["a-1", "y-1"]);
    world.finish().await;
}
