//! ListRepositories.

use std::collections::BTreeSet;

use ghbroker::proto::*;
use github_sim::{Effect, Fault, seed};
use serde_json::json;
use tonic::Code;

use super::{by_oauth, classic, everything, fine_grained, names, repository, set_pat};
use crate::{
    access::rule,
    harness::{
        ACCOUNT, INSTALLATION, MINT, REPO, World,
        door::Door,
        seed as the_seed,
        status::{assert_reason, bad_fields},
    },
};

const LIST: &str = "GET /installation/repositories";

#[tokio::test]
async fn an_installations_repositories_are_shown_with_what_may_be_done_there() {
    let world = World::connected().await;
    world
        .sim
        .add_repository(&seed::Repository { archived: true, ..repository("acme", "attic") })
        .unwrap();
    world
        .sim
        .add_repository(&seed::Repository { private: false, ..repository("acme", "site") })
        .unwrap();
    world.sim.add_repository(&repository("mallory", "diary")).unwrap();
    world.sim.disable("acme/site", true);

    let answer = world.list_repositories(everything()).await.unwrap();
    let shown = |name: &str| answer.repositories.iter().find(|one| one.name == name).unwrap();
    assert_eq!(BTreeSet::from_iter(names(&answer)), [REPO, "acme/attic", "acme/site"].into());
    let expected = Repository {
        name: REPO.into(),
        repository_id: world.sim.repository_id(REPO) as i64,
        default_branch: "main".into(),
        private: true,
        archived: false,
        disabled: false,
        permission: RepositoryPermission::Write.into(),
        html_url: format!("{}/{REPO}", world.sim.web_url()),
        bound: true,
    };
    assert_eq!(*shown(REPO), expected);
    let (attic, site) = (shown("acme/attic"), shown("acme/site"));
    assert!(attic.archived && attic.private && !attic.disabled && !attic.bound);
    assert!(site.disabled && !site.private && !site.archived && !site.bound);
    assert_eq!(answer.source(), CredentialSource::AppInstallation);
    assert_eq!(answer.next_page_token, "");
    let connection = GetConnectionRequest { account: ACCOUNT.into() };
    let installation = world.get_connection(connection).await.unwrap().installation.unwrap();
    assert!(!answer.add_repositories_url.is_empty());
    assert_eq!(answer.add_repositories_url, installation.settings_url);

    let line = world.audit().into_iter().rfind(|line| line["rpc"] == "ListRepositories").unwrap();
    assert_eq!(line["source"], "app_installation");
    assert_eq!(line["granted_permissions"], json!({"metadata": "read"}), "and no more");
    world.finish().await;
}

#[tokio::test]
async fn what_was_not_selected_is_not_shown_until_it_is() {
    let world = World::connected().await;
    world.sim.add_repository(&repository("acme", "lake")).unwrap();
    world.sim.set_repositories(INSTALLATION as u64, &["warehouse"]);
    assert_eq!(names(&world.list_repositories(everything()).await.unwrap()), [REPO]);
    world.sim.set_repositories(INSTALLATION as u64, &["warehouse", "lake"]);
    let answer = world.list_repositories(everything()).await.unwrap();
    assert_eq!(BTreeSet::from_iter(names(&answer)), [REPO, "acme/lake"].into());
    world.finish().await;
}

#[tokio::test]
async fn many_are_read_page_by_page_and_each_comes_once() {
    let world = World::connected().await;
    for number in 0..109 {
        world.sim.add_repository(&repository("acme", &format!("part-{number}"))).unwrap();
    }
    for (size, expected) in [(0, &[30, 30, 30, 20][..]), (100, &[100, 10]), (55, &[55, 55])] {
        let (mut sizes, mut seen, mut page_token) = (Vec::new(), BTreeSet::new(), String::new());
        loop {
            let request = ListRepositoriesRequest { page_size: size, page_token, ..everything() };
            let answer = world.list_repositories(request).await.unwrap();
            sizes.push(answer.repositories.len());
            seen.extend(answer.repositories.into_iter().map(|repository| repository.name));
            page_token = answer.next_page_token;
            if page_token.is_empty() {
                break;
            }
        }
        assert_eq!((sizes.as_slice(), seen.len()), (expected, 110), "by {size}");
    }
    world.finish().await;
}

#[tokio::test]
async fn a_search_finds_parts_of_names_in_any_case() {
    let world = World::connected().await;
    for number in 0..120 {
        world.sim.add_repository(&repository("acme", &format!("part-{number}"))).unwrap();
    }
    world.sim.add_repository(&repository("acme", "Data.Lake")).unwrap();
    for (query, found) in [
        ("DATA.l", &["acme/Data.Lake"][..]),
        ("acme/ware", &[REPO]),
        ("part-119", &["acme/part-119"]),
        ("nothing-like-it", &[]),
    ] {
        let before = world.sim.count(LIST);
        let request = ListRepositoriesRequest { query: query.into(), ..everything() };
        let answer = world.list_repositories(request).await.unwrap();
        assert_eq!(names(&answer), found, "{query}");
        assert_eq!(answer.next_page_token, "", "all was looked at");
        assert_eq!(world.sim.count(LIST) - before, 2, "by GitHub's largest pages");
    }
    world.finish().await;
}

#[tokio::test]
async fn a_search_that_takes_long_goes_on_in_the_next_call() {
    let world = World::connected().await;
    for number in 0..519 {
        world.sim.add_repository(&repository("acme", &format!("part-{number}"))).unwrap();
    }
    let request = ListRepositoriesRequest { query: "part-518".into(), ..everything() };
    let first = world.list_repositories(request.clone()).await.unwrap();
    assert!(first.repositories.is_empty() && !first.next_page_token.is_empty());
    assert_eq!(world.sim.count(LIST), 5, "no call asks without end");
    let request = ListRepositoriesRequest { page_token: first.next_page_token, ..request };
    let second = world.list_repositories(request).await.unwrap();
    assert_eq!((names(&second), second.next_page_token.as_str()), (vec!["acme/part-518"], ""));
    world.finish().await;
}

#[tokio::test]
async fn a_classic_token_shows_all_that_its_owner_has_to_do_with() {
    let world = World::start().await;
    world.sim.add_repository(&repository("alice", "notes")).unwrap();
    world.sim.add_repository(&repository("mallory", "diary")).unwrap();
    let open = seed::Repository { private: false, ..repository("mallory", "open") };
    world.sim.add_repository(&open).unwrap();
    set_pat(&world, classic("repo")).await;
    let answer = world.list_repositories(everything()).await.unwrap();
    assert_eq!(names(&answer), [REPO, "alice/notes"], "by name, and not what anybody can see");
    assert_eq!(answer.source(), CredentialSource::Pat);
    assert_eq!(answer.add_repositories_url, "");
    for repository in &answer.repositories {
        assert_eq!(repository.permission(), RepositoryPermission::Admin, "{repository:?}");
        assert!(!repository.bound);
    }
    world.finish().await;
}

#[tokio::test]
async fn a_fine_grained_token_shows_what_it_was_made_for_and_where_to_change_that() {
    let world = World::start().await;
    world.sim.add_repository(&repository("acme", "lake")).unwrap();
    world.sim.add_repository(&repository("alice", "notes")).unwrap();
    set_pat(&world, fine_grained()).await;
    let answer = world.list_repositories(everything()).await.unwrap();
    assert_eq!(names(&answer), [REPO]);
    let page = format!("{}/settings/personal-access-tokens", world.sim.web_url());
    assert_eq!(answer.add_repositories_url, page);
    world.finish().await;
}

#[tokio::test]
async fn a_users_authorization_shows_what_the_app_and_the_user_both_reach() {
    let world = by_oauth().await;
    world.sim.add_repository(&repository("acme", "lake")).unwrap();
    world.sim.add_repository(&repository("alice", "notes")).unwrap();
    world.sim.set_repositories(INSTALLATION as u64, &["warehouse", "lake"]);
    let answer = world.list_repositories(everything()).await.unwrap();
    assert_eq!(names(&answer), ["acme/lake", REPO], "the App is not installed on alice");
    assert_eq!(answer.source(), CredentialSource::OauthUser);
    assert!(
        answer.add_repositories_url.ends_with("/ghbroker-test/installations/new"),
        "{answer:?}"
    );
    assert!(answer.add_repositories_url.starts_with(world.sim.web_url()), "{answer:?}");
    world.finish().await;
}

#[tokio::test]
async fn what_a_callers_rule_does_not_name_is_left_out() {
    let ours = "role = \"admin\"\naccounts = [\"*\"]\nrepositories = [\"acme/*house\"]";
    let rules = rule("portal", ours) + &rule("overseer", "role = \"admin\"\naccounts = [\"*\"]");
    let mut world = World::guarded(the_seed(), Door::new("either", &rules)).await;
    world.register(ACCOUNT, INSTALLATION).await;
    world.sim.add_repository(&repository("acme", "greenhouse")).unwrap();
    world.sim.add_repository(&repository("acme", "secret")).unwrap();
    let portal = world.workload("portal").await;
    let answer = portal.admin().list_repositories(everything()).await.unwrap().into_inner();
    assert_eq!(BTreeSet::from_iter(names(&answer)), [REPO, "acme/greenhouse"].into());
    assert_eq!(answer.next_page_token, "");

    let overseer = world.workload("overseer").await;
    let all = overseer.admin().list_repositories(everything()).await.unwrap().into_inner();
    assert!(names(&all).contains(&"acme/secret"));
    world.finish().await;
}

#[tokio::test]
async fn a_page_is_of_the_list_that_it_was_begun_with() {
    let world = World::connected().await;
    world.sim.add_repository(&repository("acme", "lake")).unwrap();
    let request = ListRepositoriesRequest { page_size: 1, ..everything() };
    let page_token = world.list_repositories(request).await.unwrap().next_page_token;
    let refused = async |page_size: i32, page_token: &str, query: &str| {
        let (query, page_token) = (query.to_owned(), page_token.to_owned());
        let request = ListRepositoriesRequest { page_size, page_token, query, ..everything() };
        bad_fields(&world.list_repositories(request).await.unwrap_err())
    };
    assert_eq!(refused(1, "bm90aGluZw", "").await, ["page_token"]);
    assert_eq!(refused(101, "?", "two\nlines").await, ["query", "page_size", "page_token"]);
    assert_eq!(refused(-1, "", "").await, ["page_size"]);

    // Another credential, another list.
    set_pat(&world, classic("repo")).await;
    let source = CredentialSource::AppInstallation.into();
    let account = ACCOUNT.to_owned();
    let off = SetCredentialEnabledRequest { account, source, enabled: Some(false) };
    world.set_credential_enabled(off).await.unwrap();
    assert_eq!(refused(1, &page_token, "").await, ["page_token"]);
    world.finish().await;
}

#[tokio::test]
async fn without_a_credential_that_works_there_is_no_list() {
    let world = World::start().await;
    let nothing = world.list_repositories(everything()).await.unwrap_err();
    assert_reason(&nothing, Code::NotFound, "ACCOUNT_NOT_CONNECTED");

    let token = set_pat(&world, classic("repo")).await;
    world.sim.revoke_pat(&token);
    for _ in 0..2 {
        let refused = world.list_repositories(everything()).await.unwrap_err();
        assert_reason(&refused, Code::FailedPrecondition, "CREDENTIAL_REJECTED");
    }
    assert_eq!(
        world.sim.count("GET /user/repos"),
        1,
        "one that is known to be refused is not sent"
    );

    let world = World::connected().await;
    world.sim.fault(Fault::always(LIST, Effect::Status { status: 502, html: true }));
    let down = world.list_repositories(everything()).await.unwrap_err();
    assert_reason(&down, Code::Unavailable, "GITHUB_UNAVAILABLE");
    world.sim.clear_faults();
    world.sim.suspend(INSTALLATION as u64);
    let suspended = world.list_repositories(everything()).await.unwrap_err();
    assert_reason(&suspended, Code::FailedPrecondition, "INSTALLATION_SUSPENDED");
    world.sim.uninstall(INSTALLATION as u64);
    let gone = world.list_repositories(everything()).await.unwrap_err();
    assert_reason(&gone, Code::FailedPrecondition, "INSTALLATION_GONE");
}

/// Nothing else can be had for the token of a list.
#[tokio::test]
async fn a_token_for_a_list_is_handed_out_to_nobody() {
    let world = World::connected().await;
    let before = world.sim.count(MINT);
    world.list_repositories(everything()).await.unwrap();
    assert_eq!(world.sim.count(MINT), before + 1);
    let handed_out = world.token(&[("metadata", "read")]).await;
    assert_eq!(world.sim.count(MINT), before + 2, "it was not kept");
    assert_eq!(handed_out.repository, REPO);
    world.finish().await;
}
