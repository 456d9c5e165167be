//! CreateRepository.

use ghbroker::proto::*;
use github_sim::{Level, seed};
use serde_json::json;
use tonic::Code;

use super::{by_oauth, classic, fine_grained, let_administer, set_pat};
use crate::{
    access::rule,
    harness::{
        ACCOUNT, INSTALLATION, World,
        door::Door,
        git::files,
        seed as the_seed,
        status::{assert_reason, bad_fields},
        write,
    },
};

const BY_ORGANIZATION: &str = "POST /orgs/{org}/repos";
const BY_USER: &str = "POST /user/repos";

pub fn new(repository: &str) -> CreateRepositoryRequest {
    CreateRepositoryRequest {
        account: ACCOUNT.into(),
        repository: repository.into(),
        description: "What is sold".into(),
        public: false,
    }
}

fn not_possible(status: &tonic::Status, says: &str) {
    assert_reason(status, Code::FailedPrecondition, "CREATE_NOT_POSSIBLE");
    assert!(status.message().contains(says), "{says:?} is not in {}", status.message());
}

#[tokio::test]
async fn the_app_makes_a_repository_of_its_organization_that_can_be_worked_in_at_once() {
    let world = World::connected().await;
    world.sim.set_repositories(INSTALLATION as u64, &["warehouse"]);
    let_administer(&world);
    let live = world.sim.live_installation_tokens();
    let answer = world.create_repository(new("ACME/shop")).await.unwrap();
    assert_eq!(answer.source(), CredentialSource::AppInstallation);
    let expected = Repository {
        name: "acme/shop".into(),
        repository_id: world.sim.repository_id("acme/shop") as i64,
        default_branch: "main".into(),
        private: true,
        archived: false,
        disabled: false,
        permission: RepositoryPermission::Admin.into(),
        html_url: format!("{}/acme/shop", world.sim.web_url()),
        bound: false,
    };
    assert_eq!(answer.repository, Some(expected));
    assert_eq!(files(&world.sim.git_dir("acme/shop"), "main"), ["100644 README.md"]);
    assert_eq!(world.sim.live_installation_tokens(), live, "a token that administers is ended");

    let line = world.audit().into_iter().rfind(|line| line["rpc"] == "CreateRepository").unwrap();
    assert_eq!(line["repository_ids"], json!([world.sim.repository_id("acme/shop")]));
    assert_eq!(line["source"], "app_installation");
    assert_eq!(line["installation_id"], INSTALLATION);

    let bind = ConfigureRepoRequest {
        account: ACCOUNT.into(),
        repository: "acme/shop".into(),
        activate: true,
        ..Default::default()
    };
    world.configure_repo(bind).await.unwrap();
    world.commit("Begin", vec![write("models/first.sql", "select 1\n")]).await.unwrap();
    world.finish().await;
}

#[tokio::test]
async fn the_app_needs_a_permission_that_is_named() {
    let world = World::connected().await;
    let refused = world.create_repository(new("acme/shop")).await.unwrap_err();
    let details = assert_reason(&refused, Code::FailedPrecondition, "PERMISSION_NOT_GRANTED");
    assert_eq!(details.error_info().unwrap().metadata["missing"], "administration:write");
    assert!(refused.message().contains("administration:write"), "{}", refused.message());
    assert_eq!(world.sim.count(BY_ORGANIZATION), 0, "nothing was tried");
    world.finish().await;
}

#[tokio::test]
async fn it_is_private_unless_it_is_to_be_public() {
    let world = World::connected().await;
    let_administer(&world);
    let request = CreateRepositoryRequest { public: true, ..new("acme/site") };
    assert!(!world.create_repository(request).await.unwrap().repository.unwrap().private);
    let request = CreateRepositoryRequest { description: String::new(), ..new("acme/shop") };
    assert!(world.create_repository(request).await.unwrap().repository.unwrap().private);
    world.finish().await;
}

#[tokio::test]
async fn a_name_that_is_taken_is_said_to_be() {
    let world = World::connected().await;
    let_administer(&world);
    let refused = world.create_repository(new("acme/Warehouse")).await.unwrap_err();
    assert_reason(&refused, Code::AlreadyExists, "REPO_EXISTS");
    assert!(refused.message().contains("ConfigureRepo"), "{}", refused.message());
    world.finish().await;
}

#[tokio::test]
async fn a_user_makes_repositories_by_authorization() {
    let world = by_oauth().await;
    let_administer(&world);
    let answer = world.create_repository(new("acme/shop")).await.unwrap();
    assert_eq!(answer.source(), CredentialSource::OauthUser);
    assert_eq!(answer.repository.unwrap().permission(), RepositoryPermission::Admin);
    assert_eq!((world.sim.count(BY_ORGANIZATION), world.sim.count(BY_USER)), (1, 0));

    // Where the App is not installed, its users' tokens may not either.
    let refused = world.create_repository(new("alice/notes")).await.unwrap_err();
    let details = assert_reason(&refused, Code::FailedPrecondition, "PERMISSION_NOT_GRANTED");
    assert_eq!(details.error_info().unwrap().metadata["accepted"], "administration=write");
    let installation = seed::Installation {
        app_id: crate::harness::APP_ID,
        account: "alice".into(),
        permissions: Some([("administration".to_owned(), Level::Write)].into()),
        ..Default::default()
    };
    world.sim.add_installation(&installation).unwrap();
    let answer = world.create_repository(new("alice/notes")).await.unwrap();
    assert_eq!(answer.repository.unwrap().name, "alice/notes");
    assert_eq!(world.sim.count(BY_USER), 2);
    world.finish().await;
}

#[tokio::test]
async fn a_classic_token_makes_what_its_owner_may() {
    let world = World::start().await;
    set_pat(&world, classic("repo")).await;
    for repository in ["alice/notes", "acme/shop"] {
        let answer = world.create_repository(new(repository)).await.unwrap();
        assert_eq!(answer.source(), CredentialSource::Pat);
        assert_eq!(answer.repository.unwrap().name, repository);
    }
    assert_eq!((world.sim.count(BY_ORGANIZATION), world.sim.count(BY_USER)), (1, 1));
    let taken = world.create_repository(new("alice/notes")).await.unwrap_err();
    assert_reason(&taken, Code::AlreadyExists, "REPO_EXISTS");
    for owner in ["nobody-at-all", "mallory"] {
        let nowhere = world.create_repository(new(&format!("{owner}/shop"))).await.unwrap_err();
        not_possible(&nowhere, "no such organization");
    }
    let globex = seed::Org { login: "globex".into(), ..Default::default() };
    world.sim.add_org(&globex).unwrap();
    let refused = world.create_repository(new("globex/shop")).await.unwrap_err();
    assert_reason(&refused, Code::FailedPrecondition, "PERMISSION_NOT_GRANTED");
    assert!(refused.message().contains("You need admin access"), "{}", refused.message());
    world.finish().await;
}

#[tokio::test]
async fn a_classic_token_without_the_scope_is_told_which() {
    let world = World::start().await;
    for (scope, public, missing) in [
        ("read:org", false, "repo"),
        ("public_repo", false, "repo"),
        ("read:org", true, "public_repo"),
    ] {
        set_pat(&world, classic(scope)).await;
        let request = CreateRepositoryRequest { public, ..new("alice/notes") };
        let refused = world.create_repository(request).await.unwrap_err();
        let details = assert_reason(&refused, Code::FailedPrecondition, "PERMISSION_NOT_GRANTED");
        assert_eq!(details.error_info().unwrap().metadata["missing"], missing, "{scope}");
    }
    let request = CreateRepositoryRequest { public: true, ..new("alice/notes") };
    set_pat(&world, classic("public_repo")).await;
    world.create_repository(request).await.unwrap();
    world.finish().await;
}

#[tokio::test]
async fn a_fine_grained_token_makes_none_and_what_could_is_said() {
    let world = World::start().await;
    set_pat(&world, fine_grained()).await;
    let before = world.sim.requests().len();
    let refused = world.create_repository(new("acme/shop")).await.unwrap_err();
    not_possible(&refused, "a fine-grained personal access token makes none");
    for could in ["App", "BeginOAuth", "classic personal access token"] {
        assert!(refused.message().contains(could), "{}", refused.message());
    }
    assert_eq!(world.sim.requests().len(), before, "GitHub was not asked");
    world.finish().await;
}

#[tokio::test]
async fn an_app_makes_none_elsewhere_and_none_of_a_user() {
    let mut world = World::connected().await;
    let_administer(&world);
    let refused = world.create_repository(new("globex/shop")).await.unwrap_err();
    not_possible(&refused, "the App is installed on acme");

    let installation = seed::Installation {
        id: Some(4799),
        app_id: crate::harness::APP_ID,
        account: "alice".into(),
        ..Default::default()
    };
    world.sim.add_installation(&installation).unwrap();
    let account = "tenant-alice".to_owned();
    let request = RegisterInstallationRequest {
        account: account.clone(),
        installation_id: 4799,
        setup_action: SetupAction::Install.into(),
        expected_github_login: "alice".into(),
        ..Default::default()
    };
    world.register_installation(request).await.unwrap();
    let request = CreateRepositoryRequest { account, ..new("alice/notes") };
    not_possible(&world.create_repository(request).await.unwrap_err(), "alice is a user");
    assert_eq!(world.sim.count(BY_USER), 0);
    world.stop().await.unwrap();
}

#[tokio::test]
async fn the_first_credential_that_can_does_it() {
    let world = by_oauth().await;
    set_pat(&world, classic("repo")).await;
    let request = RegisterInstallationRequest {
        account: ACCOUNT.into(),
        installation_id: INSTALLATION,
        setup_action: SetupAction::Install.into(),
        expected_github_login: "acme".into(),
        ..Default::default()
    };
    world.register_installation(request).await.unwrap();
    let_administer(&world);
    let made_by =
        async |repository: &str| world.create_repository(new(repository)).await.unwrap().source();
    let switch = async |source: CredentialSource| {
        let (account, source) = (ACCOUNT.to_owned(), source.into());
        let request = SetCredentialEnabledRequest { account, source, enabled: Some(false) };
        world.set_credential_enabled(request).await.unwrap();
    };
    assert_eq!(made_by("acme/one").await, CredentialSource::AppInstallation);
    switch(CredentialSource::AppInstallation).await;
    assert_eq!(made_by("acme/two").await, CredentialSource::OauthUser);
    switch(CredentialSource::OauthUser).await;
    assert_eq!(made_by("acme/three").await, CredentialSource::Pat);
    switch(CredentialSource::Pat).await;
    let refused = world.create_repository(new("acme/four")).await.unwrap_err();
    assert_reason(&refused, Code::FailedPrecondition, "CREDENTIAL_DISABLED");
    world.finish().await;
}

#[tokio::test]
async fn a_users_own_repository_is_made_by_that_user() {
    let world = by_oauth().await;
    let scopes = vec!["repo".into()];
    let pat = seed::Pat { owner: "mallory".into(), scopes, ..Default::default() };
    let token = world.sim.add_pat(&pat).unwrap();
    world
        .set_pat(SetPatRequest { account: ACCOUNT.into(), token, ..Default::default() })
        .await
        .unwrap();
    let answer = world.create_repository(new("mallory/diary")).await.unwrap();
    assert_eq!(answer.source(), CredentialSource::Pat, "alice cannot, though she comes first");
    world.connect_github(ACCOUNT, "alice").await;
    world.finish().await;
}

#[tokio::test]
async fn what_cannot_be_is_refused_before_github_is_asked() {
    let world = World::start().await;
    let nothing = world.create_repository(new("acme/shop")).await.unwrap_err();
    assert_reason(&nothing, Code::NotFound, "ACCOUNT_NOT_CONNECTED");
    let before = world.sim.requests().len();
    for (request, fields) in [
        (new("shop"), &["repository"][..]),
        (
            CreateRepositoryRequest { description: "a\nb".into(), ..new("") },
            &["repository", "description"],
        ),
        (CreateRepositoryRequest { description: "a\tb".into(), ..new("acme/x") }, &["description"]),
        (
            CreateRepositoryRequest { description: "ü".repeat(351), ..new("acme/x") },
            &["description"],
        ),
        (CreateRepositoryRequest { account: "no account!".into(), ..new("acme/x") }, &["account"]),
    ] {
        assert_eq!(bad_fields(&world.create_repository(request).await.unwrap_err()), fields);
    }
    assert_eq!(world.sim.requests().len(), before);
    world.finish().await;
}

#[tokio::test]
async fn a_callers_rule_says_which_may_be_made() {
    let ours = "role = \"admin\"\naccounts = [\"*\"]\nrepositories = [\"acme/shop-*\"]";
    let mut world = World::guarded(the_seed(), Door::new("either", &rule("portal", ours))).await;
    world.register(ACCOUNT, INSTALLATION).await;
    let_administer(&world);
    let portal = world.workload("portal").await;
    let refused = portal.admin().create_repository(new("acme/site")).await.unwrap_err();
    assert_reason(&refused, Code::PermissionDenied, "CALLER_NOT_ALLOWED");
    assert_eq!(world.sim.count(BY_ORGANIZATION), 0);
    let made = portal.admin().create_repository(new("acme/shop-1")).await.unwrap().into_inner();
    assert_eq!(made.repository.unwrap().name, "acme/shop-1");
    world.finish().await;
}
