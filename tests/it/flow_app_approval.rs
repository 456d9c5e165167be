//! Who presses the portal's button is no owner of the organization: the App is asked for, and works once an owner has agreed.

use ghbroker::proto::*;
use github_sim::seed;
use tonic::{Code, Status};

use crate::harness::{
    self, ACCOUNT, REPO, browser::Browser, status::assert_reason, story::Story, write,
};

const RULES: &str = r#"
[[rule]]
name = "generator"
callers = ["spiffe://example.org/generator"]
role = "committer"
accounts = ["*"]
"#;

#[tokio::test]
async fn a_member_asks_for_the_app_and_an_owner_agrees() {
    let story = Story::begin(github(), RULES).await;
    bob_asks_for_the_app(&story).await;
    nothing_works_yet(&story).await;
    an_owner_agrees(&story).await;
    now_it_works(&story).await;

    assert_eq!(
        story.audit_as_read(),
        [
            "portal BeginInstallation",
            "portal GithubCallback",
            "portal ConfigureRepo INSTALLATION_PENDING",
            "portal ConfigureRepo app_installation",
            "generator CommitFiles app_installation",
        ]
    );
    story.end().await;
}

/// Bob is a member of the organization, which alice owns.
fn github() -> seed::Seed {
    let mut seed = harness::seed();
    seed.installations.clear();
    seed.apps[0].request_oauth_on_install = true;
    seed.users.push(seed::User { login: "bob".into(), ..Default::default() });
    seed.orgs[0].members.push(seed::Member { login: "bob".into(), role: seed::Role::Member });
    seed
}

async fn bob_asks_for_the_app(story: &Story) {
    let request = BeginInstallationRequest { account: ACCOUNT.into(), ..Default::default() };
    let begun = story.portal.begin_installation(request).await.unwrap();
    let browser = Browser::of(&story.sim, "bob");
    let repositories = [story.sim.repository_id(REPO)];
    let back = browser.request(&begun.install_url, "acme", &repositories).await;
    assert_eq!(story.comes_back(&back).await, ["kind=installation", "outcome=pending"]);
}

async fn nothing_works_yet(story: &Story) {
    let seen = story.connection().await;
    assert_eq!(seen.effective_source(), CredentialSource::Unspecified);
    let waiting = seen.installation.unwrap();
    assert_eq!(waiting.status(), ConnectionStatus::PendingApproval);
    assert_eq!(waiting.installation_id, 0);
    let refused = bind(story).await.unwrap_err();
    assert_reason(&refused, Code::FailedPrecondition, "INSTALLATION_PENDING");
}

/// GitHub sends nobody back for that: the broker learns it by webhook.
async fn an_owner_agrees(story: &Story) {
    let requests = story.sim.installation_requests();
    let [request] = requests[..] else { panic!("{requests:?}") };
    let installed = story.sim.approve_request(request, "alice");
    let seen = story.connection_after_webhooks().await;
    assert_eq!(seen.effective_source(), CredentialSource::AppInstallation);
    let installation = seen.installation.unwrap();
    assert_eq!(installation.status(), ConnectionStatus::Active);
    assert_eq!(installation.installation_id, installed as i64);
    assert_eq!(installation.github_login, "acme");
}

async fn now_it_works(story: &Story) {
    bind(story).await.unwrap();
    let request = CommitFilesRequest {
        account: ACCOUNT.into(),
        message: "Generate".into(),
        files: vec![write("models/a.sql", "select 1\n")],
        ..Default::default()
    };
    let done = story.workload("generator").await.commit_files(request).await.unwrap();
    assert_eq!(done.branch, "staging");
}

async fn bind(story: &Story) -> Result<ConfigureRepoResponse, Status> {
    let (account, repository) = (ACCOUNT.into(), REPO.into());
    let request = ConfigureRepoRequest { account, repository, ..Default::default() };
    story.portal.configure_repo(request).await
}
