//! A customer installs the App, a generator commits to staging, people promote it to production; and then the customer's
//! organization lives on: repositories are added, it is renamed, it suspends the App, and it uninstalls it and comes back.

use ghbroker::proto::*;
use github_sim::seed;
use tonic::{Code, Status};

use crate::harness::{
    self, ACCOUNT, REPO,
    browser::Browser,
    delete,
    git::{commits, git},
    person::Person,
    status::assert_reason,
    story::{PORTAL, Story},
    write,
};

const OTHER_REPO: &str = "acme/website";

/// What the operator lets the platform's services do, beside the portal.
const RULES: &str = r#"
[[rule]]
name = "generator"
callers = ["spiffe://example.org/generator"]
role = "committer"
accounts = ["*"]

[[rule]]
name = "on call"
callers = ["spiffe://example.org/on-call"]
role = "operator"
accounts = ["*"]
"#;

#[tokio::test]
async fn a_customer_with_the_app_from_the_first_click_to_coming_back() {
    let story = Story::begin(github(), RULES).await;
    let installed = the_owner_installs_the_app_on(&story, "acme", &[REPO]).await;
    the_portal_shows_what_there_is_and_the_customer_chooses(&story, installed).await;
    save_and_test_says_that_staging_comes_with_the_first_commit(&story).await;
    the_generator_commits_to_staging(&story).await;
    save_and_test_is_all_green(&story).await;
    people_merge_the_pull_request(&story).await;
    the_next_change_takes_the_same_way(&story).await;

    the_owner_adds_a_repository(&story, installed).await;
    the_owner_takes_one_away_by_mistake(&story, installed).await;
    the_organization_is_renamed(&story).await;
    the_owner_suspends_the_app_and_thinks_again(&story, installed).await;
    the_owner_uninstalls_the_app(&story, installed).await;
    the_owner_comes_back(&story, installed).await;

    the_operator_reads_what_happened(&story);
    story.end().await;
}

/// An organization with three repositories; the App asks for the user's authorization while it is installed.
fn github() -> seed::Seed {
    let mut seed = harness::seed();
    seed.installations.clear();
    seed.apps[0].request_oauth_on_install = true;
    for name in ["website", "salaries"] {
        let files = [("README.md".to_owned(), format!("# {name}\n"))].into();
        seed.repositories.push(seed::Repository {
            owner: "acme".into(),
            name: name.into(),
            files,
            ..Default::default()
        });
    }
    seed
}

/// From the portal's button to the portal's page. Returns the installation's id.
async fn the_owner_installs_the_app_on(
    story: &Story,
    organization: &str,
    repositories: &[&str],
) -> u64 {
    let request = BeginInstallationRequest {
        account: ACCOUNT.into(),
        return_url: format!("{PORTAL}?tab=connection"),
        ..Default::default()
    };
    let begun = story.portal.begin_installation(request).await.unwrap();
    story.secret(&begun.state);

    let browser = Browser::of(&story.sim, "alice");
    let ids: Vec<u64> = repositories.iter().map(|name| story.sim.repository_id(name)).collect();
    let back = browser.install(&begun.install_url, organization, &ids).await;
    let brought = story.comes_back(&back).await;
    assert_eq!(brought, ["kind=installation", "outcome=connected", "tab=connection"]);

    let installation = story.connection().await.installation.unwrap();
    assert_eq!(installation.github_login, organization);
    assert_eq!(installation.status(), ConnectionStatus::Active);
    assert!(installation.settings_url.starts_with(story.sim.web_url()), "{installation:?}");
    installation.installation_id as u64
}

async fn the_portal_shows_what_there_is_and_the_customer_chooses(story: &Story, installed: u64) {
    let seen = story.connection().await;
    assert_eq!(seen.effective_source(), CredentialSource::AppInstallation);
    assert!(seen.bindings.is_empty() && seen.warnings.is_empty(), "{seen:?}");

    let listed = repositories(story).await;
    assert_eq!(names(&listed), [REPO], "the owner chose no other");
    assert!(listed.add_repositories_url.ends_with(&format!("/installations/{installed}")));

    let binding = bind(story, REPO).await.unwrap();
    assert_eq!((&*binding.staging_branch, &*binding.production_branch), ("staging", "main"));
    let not_chosen = bind(story, OTHER_REPO).await.unwrap_err();
    assert_reason(&not_chosen, Code::NotFound, "REPO_NOT_ACCESSIBLE");
}

async fn save_and_test_says_that_staging_comes_with_the_first_commit(story: &Story) {
    let not_green = save_and_test(story).await;
    let [only] = &not_green[..] else { panic!("{not_green:#?}") };
    assert_eq!(only.code(), FindingCode::StagingBranchExists);
    assert_eq!((only.level(), only.fix.as_str()), (FindingLevel::Warning, ""), "{only:?}");
}

async fn save_and_test_is_all_green(story: &Story) {
    assert_eq!(save_and_test(story).await, []);
}

async fn the_generator_commits_to_staging(story: &Story) {
    assert_eq!(story.sim.head(REPO, "staging"), None);
    let main = story.sim.head(REPO, "main").unwrap();
    let files = || {
        vec![
            write("models/customers.sql", "select 2 as id\n"),
            write("models/orders.sql", "select 1 as order_id\n"),
            write("models/schema.yml", "version: 2\n"),
        ]
    };
    let first = generate(story, "Generate models", files()).await.unwrap();
    assert_eq!((first.branch.as_str(), first.unchanged), ("staging", false));
    assert_eq!((first.files_added, first.files_changed, first.files_deleted), (2, 1, 0));
    let parent = git(&story.sim.git_dir(REPO), &["rev-parse", "staging^"]);
    assert_eq!(parent.trim(), main, "staging is made from production");
    assert_eq!(story.sim.head(REPO, "main").unwrap(), main, "which stays as it is");

    let again = generate(story, "Generate models", files()).await.unwrap();
    assert!(again.unchanged);
    assert_eq!(again.commit_sha, first.commit_sha);
    assert_eq!(commits(&story.sim.git_dir(REPO), "main..staging"), 1);
}

async fn people_merge_the_pull_request(story: &Story) {
    let opened = promote(story).await.unwrap();
    assert!(opened.created && opened.commits_ahead == 1, "{opened:?}");
    let again = promote(story).await.unwrap();
    assert_eq!((again.number, again.created), (opened.number, false));

    let alice = Person::of(&story.sim, "alice");
    alice.merge(REPO, opened.number).await;
    assert_eq!(on_production(story, "models/customers.sql"), "select 2 as id\n");
    let nothing = promote(story).await.unwrap_err();
    assert_reason(&nothing, Code::FailedPrecondition, "NOTHING_TO_PROMOTE");
}

async fn the_next_change_takes_the_same_way(story: &Story) {
    let files =
        vec![write("models/orders.sql", "select 3 as order_id\n"), delete("models/schema.yml")];
    let changed = generate(story, "Generate models again", files).await.unwrap();
    assert_eq!((changed.files_changed, changed.files_deleted), (1, 1));
    let opened = promote(story).await.unwrap();
    assert!(opened.created && opened.commits_ahead == 1, "{opened:?}");
    Person::of(&story.sim, "alice").merge(REPO, opened.number).await;
    assert_eq!(on_production(story, "models/orders.sql"), "select 3 as order_id\n");
}

async fn the_owner_adds_a_repository(story: &Story, installed: u64) {
    story.sim.set_repositories(installed, &["warehouse", "website"]);
    story.sim.settled().await;
    let listed = repositories(story).await;
    assert_eq!(names(&listed), [REPO, OTHER_REPO]);
    let bound: Vec<bool> = listed.repositories.iter().map(|listed| listed.bound).collect();
    assert_eq!(bound, [true, false]);
    let binding = bind(story, OTHER_REPO).await.unwrap();
    assert!(!binding.active, "what is generated still goes to the first");
}

async fn the_owner_takes_one_away_by_mistake(story: &Story, installed: u64) {
    story.sim.set_repositories(installed, &["website"]);
    let change = || vec![write("models/extra.sql", "select 7\n")];
    let refused = generate(story, "Generate", change()).await.unwrap_err();
    assert_reason(&refused, Code::NotFound, "REPO_NOT_ACCESSIBLE");
    assert_eq!(names(&repositories(story).await), [OTHER_REPO]);

    story.sim.set_repositories(installed, &["warehouse", "website"]);
    story.connection_after_webhooks().await;
    generate(story, "Generate", change()).await.unwrap();
}

async fn the_organization_is_renamed(story: &Story) {
    story.sim.rename_account("acme", "acme-data");
    let seen = story.connection_after_webhooks().await;
    assert_eq!(seen.installation.unwrap().github_login, "acme-data");
    let names: Vec<&str> = seen.bindings.iter().map(|bound| bound.repository.as_str()).collect();
    assert_eq!(names, ["acme-data/warehouse", "acme-data/website"]);
    let committed = generate(story, "Generate", vec![write("a.sql", "select 4\n")]).await.unwrap();
    assert!(committed.url.contains("/acme-data/warehouse/"), "{}", committed.url);
    assert!(promote(story).await.unwrap().created);
}

async fn the_owner_suspends_the_app_and_thinks_again(story: &Story, installed: u64) {
    story.sim.suspend(installed);
    assert_eq!(story.installation_after_webhooks().await, ConnectionStatus::Suspended);
    let refused = generate(story, "Generate", vec![write("b.sql", "select 5\n")]).await;
    assert_reason(&refused.unwrap_err(), Code::FailedPrecondition, "INSTALLATION_SUSPENDED");

    story.sim.unsuspend(installed);
    assert_eq!(story.installation_after_webhooks().await, ConnectionStatus::Active);
    generate(story, "Generate", vec![write("b.sql", "select 5\n")]).await.unwrap();
}

async fn the_owner_uninstalls_the_app(story: &Story, installed: u64) {
    story.sim.uninstall(installed);
    assert_eq!(story.installation_after_webhooks().await, ConnectionStatus::Revoked);
    let seen = story.connection().await;
    assert_eq!(seen.effective_source(), CredentialSource::Unspecified);
    assert_eq!(seen.bindings.len(), 2, "what the customer chose is kept");
    let refused = generate(story, "Generate", vec![write("c.sql", "select 6\n")]).await;
    assert_reason(&refused.unwrap_err(), Code::FailedPrecondition, "INSTALLATION_GONE");

    let on_call = story.workload("on-call").await;
    let overview = on_call.list_connections(ListConnectionsRequest::default()).await.unwrap();
    let [account] = &overview.connections[..] else { panic!("{overview:?}") };
    assert_eq!(account.account, ACCOUNT);
    assert_eq!(account.installation_status(), ConnectionStatus::Revoked);
}

async fn the_owner_comes_back(story: &Story, before: u64) {
    let repositories = ["acme-data/warehouse", "acme-data/website"];
    let installed = the_owner_installs_the_app_on(story, "acme-data", &repositories).await;
    assert_ne!(installed, before, "GitHub gives a new id");
    let committed = generate(story, "Generate", vec![write("c.sql", "select 6\n")]).await.unwrap();
    assert_eq!((committed.branch.as_str(), committed.unchanged), ("staging", false));
    save_and_test_is_all_green(story).await;
}

fn the_operator_reads_what_happened(story: &Story) {
    assert_eq!(
        story.audit_as_read(),
        [
            "portal BeginInstallation",
            "portal GithubCallback",
            "portal ListRepositories app_installation",
            "portal ConfigureRepo app_installation",
            "portal ConfigureRepo app_installation REPO_NOT_ACCESSIBLE",
            "portal VerifyRepo app_installation",
            "generator CommitFiles app_installation",
            "portal VerifyRepo app_installation",
            "generator OpenPromotionPr app_installation",
            "generator OpenPromotionPr app_installation NOTHING_TO_PROMOTE",
            "generator CommitFiles app_installation",
            "generator OpenPromotionPr app_installation",
            "portal ListRepositories app_installation",
            "portal ConfigureRepo app_installation",
            "generator CommitFiles app_installation REPO_NOT_ACCESSIBLE",
            "portal ListRepositories app_installation",
            "generator CommitFiles app_installation",
            "generator OpenPromotionPr app_installation",
            "generator CommitFiles app_installation INSTALLATION_SUSPENDED",
            "generator CommitFiles app_installation",
            "generator CommitFiles app_installation INSTALLATION_GONE",
            "on-call ListConnections",
            "portal BeginInstallation",
            "portal GithubCallback",
            "generator CommitFiles app_installation",
            "portal VerifyRepo app_installation",
        ]
    );
}

async fn repositories(story: &Story) -> ListRepositoriesResponse {
    let request = ListRepositoriesRequest { account: ACCOUNT.into(), ..Default::default() };
    story.portal.list_repositories(request).await.unwrap()
}

fn names(listed: &ListRepositoriesResponse) -> Vec<&str> {
    listed.repositories.iter().map(|repository| repository.name.as_str()).collect()
}

async fn bind(story: &Story, repository: &str) -> Result<RepositoryBinding, Status> {
    let request = ConfigureRepoRequest {
        account: ACCOUNT.into(),
        repository: repository.into(),
        ..Default::default()
    };
    story.portal.configure_repo(request).await.map(|answer| answer.binding.unwrap())
}

/// Everything that is found and is not as it should be.
async fn save_and_test(story: &Story) -> Vec<Finding> {
    let request = VerifyRepoRequest { account: ACCOUNT.into(), ..Default::default() };
    let mut verified = story.portal.verify_repo(request).await.unwrap();
    assert!(verified.ok && verified.findings.len() >= 6, "{verified:#?}");
    verified.findings.retain(|finding| finding.level() != FindingLevel::Ok);
    verified.findings
}

async fn generate(
    story: &Story,
    message: &str,
    files: Vec<FileChange>,
) -> Result<CommitFilesResponse, Status> {
    let request = CommitFilesRequest {
        account: ACCOUNT.into(),
        message: message.into(),
        files,
        ..Default::default()
    };
    story.workload("generator").await.commit_files(request).await
}

async fn promote(story: &Story) -> Result<OpenPromotionPrResponse, Status> {
    let request = OpenPromotionPrRequest { account: ACCOUNT.into(), ..Default::default() };
    story.workload("generator").await.open_promotion_pr(request).await
}

fn on_production(story: &Story, path: &str) -> String {
    git(&story.sim.git_dir(REPO), &["show", &format!("main:{path}")])
}
