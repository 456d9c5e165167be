//! A customer connects without the App, as a person: by "Connect GitHub" in one telling, by a classic personal access token in
//! the other. A dbt project in a subdirectory is upgraded on a branch of its own, and people merge the pull request.

use std::time::Duration;

use ghbroker::proto::*;
use github_sim::seed;
use tonic::{Code, Status};

use crate::harness::{
    self, ACCOUNT, APP_ID, REPO, delete,
    git::git,
    person::{Person, back_from},
    status::{assert_reason, bad_fields},
    story::Story,
    write,
};

const UPGRADE: &str = "upgrade/1.8";

/// What the operator lets the upgrader do: commit and promote, and get no token.
const RULES: &str = r#"
[[rule]]
name = "upgrader"
callers = ["spiffe://example.org/upgrader"]
rpcs = ["CommitFiles", "OpenPromotionPr", "VerifyRepo"]
accounts = ["*"]
"#;

/// What the customer connects with.
#[derive(Clone, Copy, PartialEq)]
enum Connected {
    ByOAuth,
    ByClassicPat,
}

#[tokio::test]
async fn a_project_is_upgraded_by_a_user_who_connected_github() {
    a_project_is_upgraded(Connected::ByOAuth).await;
}

#[tokio::test]
async fn a_project_is_upgraded_by_a_classic_token() {
    a_project_is_upgraded(Connected::ByClassicPat).await;
}

async fn a_project_is_upgraded(how: Connected) {
    let story = Story::begin(github(), RULES).await;
    let first = alice_connects(&story, how).await;
    the_customer_points_to_the_project(&story).await;
    let before = story.sim.head(REPO, "main").unwrap();

    the_upgrade_changes_moves_and_deletes_files(&story).await;
    nothing_else_is_touched(&story, &before).await;
    let number = the_upgrade_is_proposed(&story).await;
    let second = the_credential_is_renewed(&story, how, &first).await;
    a_second_upgrade_joins_the_first(&story, number).await;
    people_merge_it_and_delete_the_branch(&story, number).await;

    alice_takes_it_back(&story, how, &second).await;
    alice_connects(&story, how).await;
    the_next_upgrade_begins_anew(&story).await;

    the_operator_reads_what_happened(&story, how);
    story.end().await;
}

/// A repository in which the dbt project is one of several things.
fn github() -> seed::Seed {
    let mut seed = harness::seed();
    let files = [
        ("README.md", "# Everything\n"),
        ("analytics/dbt/dbt_project.yml", "name: shop\nrequire-dbt-version: 1.7\n"),
        ("analytics/dbt/macros/cents.sql", "{% macro cents(x) %} {{ x }} / 100 {% endmacro %}\n"),
        ("analytics/dbt/models/a.sql", "select 1 as id from somewhere\n"),
        ("analytics/dbt/models/b.sql", "select 2 as id from somewhere_else\n"),
        ("services/api/main.py", "print('hello')\n"),
    ];
    seed.repositories[0].files =
        files.map(|(path, text)| (path.to_owned(), text.to_owned())).into();
    seed
}

/// Connects, and returns the token that is in use then, which nobody but the broker has by OAuth.
async fn alice_connects(story: &Story, how: Connected) -> String {
    match how {
        Connected::ByOAuth => {
            let request = BeginOAuthRequest {
                account: ACCOUNT.into(),
                login_hint: "alice".into(),
                ..Default::default()
            };
            let begun = story.portal.begin_o_auth(request).await.unwrap();
            let (back, brought) = back_from(&begun.authorize_url).await;
            for secret in [&brought["state"], &brought["code"]] {
                story.secret(secret);
            }
            assert_eq!(story.comes_back(&back).await, ["kind=oauth", "outcome=connected"]);
            let user = story.connection().await.oauth_user.unwrap();
            assert_eq!((user.login.as_str(), user.status()), ("alice", ConnectionStatus::Active));
        }
        Connected::ByClassicPat => return alice_stores_a_new_token(story).await,
    }
    assert_eq!(story.connection().await.effective_source(), CredentialSource::OauthUser);
    String::new()
}

async fn alice_stores_a_new_token(story: &Story) -> String {
    let token = story.pat(seed::Pat { scopes: vec!["repo".into()], ..Default::default() });
    story.secret(&token);
    let request =
        SetPatRequest { account: ACCOUNT.into(), token: token.clone(), ..Default::default() };
    let stored = story.portal.set_pat(request).await.unwrap().pat.unwrap();
    assert_eq!((stored.kind(), stored.owner_login.as_str()), (PatKind::Classic, "alice"));
    assert_eq!((stored.scopes, stored.expire_time), (vec!["repo".to_owned()], None));
    assert!(token.ends_with(&stored.fingerprint) && stored.fingerprint.len() == 4);
    let seen = story.connection().await;
    assert_eq!(seen.effective_source(), CredentialSource::Pat);
    assert_eq!(seen.pat.unwrap().status(), ConnectionStatus::Active);
    token
}

async fn the_customer_points_to_the_project(story: &Story) {
    let (account, query) = (ACCOUNT.into(), "WARE".into());
    let request = ListRepositoriesRequest { account, query, ..Default::default() };
    let listed = story.portal.list_repositories(request).await.unwrap().repositories;
    let [chosen] = &listed[..] else { panic!("{listed:?}") };
    assert_eq!((&*chosen.name, &*chosen.default_branch, chosen.bound), (REPO, "main", false));
    assert_eq!(chosen.permission(), RepositoryPermission::Admin, "as alice's");

    let request = ConfigureRepoRequest {
        account: ACCOUNT.into(),
        repository: chosen.name.clone(),
        production_branch: "main".into(),
        subdirectory: Some("analytics/dbt".into()),
        work_branches: Some(WorkBranches { patterns: vec!["upgrade/*".into()] }),
        ..Default::default()
    };
    let binding = story.portal.configure_repo(request).await.unwrap().binding.unwrap();
    assert_eq!((&*binding.subdirectory, binding.active), ("analytics/dbt", true));
    let request = VerifyRepoRequest { account: ACCOUNT.into(), ..Default::default() };
    let verified = story.portal.verify_repo(request).await.unwrap();
    let failed = verified.findings.iter().find(|f| f.level() == FindingLevel::Failed);
    assert!(verified.ok && failed.is_none(), "{failed:?}");
}

async fn the_upgrade_changes_moves_and_deletes_files(story: &Story) {
    let files = vec![
        write("dbt_project.yml", "name: shop\nrequire-dbt-version: 1.8\n"),
        delete("macros/cents.sql"),
        delete("models/a.sql"),
        write("models/staging/a.sql", "select 1 as id from somewhere\n"),
    ];
    let done = upgrade(story, UPGRADE, files).await.unwrap();
    assert_eq!(done.branch, UPGRADE);
    assert_eq!((done.files_added, done.files_changed, done.files_deleted), (1, 1, 2));
    let changes = git(
        &story.sim.git_dir(REPO),
        &["diff", "--find-renames", "--name-status", "main", UPGRADE],
    );
    let changes: Vec<&str> = changes.lines().collect();
    assert_eq!(
        changes,
        [
            "M\tanalytics/dbt/dbt_project.yml",
            "D\tanalytics/dbt/macros/cents.sql",
            "R100\tanalytics/dbt/models/a.sql\tanalytics/dbt/models/staging/a.sql",
        ]
    );
}

/// Neither other branches nor what is beside the project, also where the upgrader tries.
async fn nothing_else_is_touched(story: &Story, before: &str) {
    let file = || vec![write("dbt_project.yml", "name: other\n")];
    for branch in ["main", "hotfix/1"] {
        let refused = upgrade(story, branch, file()).await.unwrap_err();
        assert_reason(&refused, Code::PermissionDenied, "BRANCH_NOT_ALLOWED");
    }
    let outside = vec![write("../../README.md", "# Mine\n")];
    let refused = upgrade(story, UPGRADE, outside).await.unwrap_err();
    assert_eq!(bad_fields(&refused), ["files[0].path"]);
    assert_eq!(story.sim.head(REPO, "main").unwrap(), before);
    for branch in ["hotfix/1", "staging"] {
        assert_eq!(story.sim.head(REPO, branch), None);
    }
}

async fn the_upgrade_is_proposed(story: &Story) -> i64 {
    let opened = propose(story, "Upgrade dbt to 1.8", &["dbt-upgrade"]).await;
    assert!(opened.created && opened.warnings.is_empty(), "{opened:?}");
    assert_eq!((&*opened.head_branch, &*opened.base_branch), (UPGRADE, "main"));
    let pull = story.sim.pulls(REPO).pop().unwrap();
    assert_eq!(pull["user"]["login"], "alice", "the product works as the user");
    assert_eq!(labels(story), ["dbt-upgrade"]);
    opened.number
}

/// By OAuth the broker renews by itself; a personal access token is replaced by its owner. Returns the token in use then.
async fn the_credential_is_renewed(story: &Story, how: Connected, first: &str) -> String {
    match how {
        Connected::ByOAuth => {
            // GitHub's tokens of users live for 8 hours.
            let ends = story.connection().await.oauth_user.unwrap().expire_time.unwrap();
            story.advance(Duration::from_secs(8 * 3600));
            upgrade(story, UPGRADE, vec![write("packages.yml", "packages: []\n")]).await.unwrap();
            let renewed = story.connection().await.oauth_user.unwrap();
            assert_eq!(renewed.expire_time.unwrap().seconds - ends.seconds, 8 * 3600);
            String::new()
        }
        Connected::ByClassicPat => {
            let second = alice_stores_a_new_token(story).await;
            story.sim.revoke_pat(first);
            upgrade(story, UPGRADE, vec![write("packages.yml", "packages: []\n")]).await.unwrap();
            second
        }
    }
}

async fn a_second_upgrade_joins_the_first(story: &Story, number: i64) {
    let files = vec![write("dbt_project.yml", "name: shop\nrequire-dbt-version: 1.8.3\n")];
    let done = upgrade(story, UPGRADE, files).await.unwrap();
    let updated = propose(story, "Upgrade dbt to 1.8.3", &["dbt-upgrade", "patch"]).await;
    assert_eq!((updated.number, updated.created, updated.commits_ahead), (number, false, 3));
    let pulls = story.sim.pulls(REPO);
    let [pull] = &pulls[..] else { panic!("{pulls:?}") };
    assert_eq!(pull["title"], "Upgrade dbt to 1.8.3");
    assert_eq!(pull["head"]["sha"], *done.commit_sha);
    assert_eq!(labels(story), ["dbt-upgrade", "patch"]);
}

async fn people_merge_it_and_delete_the_branch(story: &Story, number: i64) {
    let alice = Person::of(&story.sim, "alice");
    alice.merge(REPO, number).await;
    alice.delete_branch(REPO, UPGRADE).await;
    let show = |path: &str| git(&story.sim.git_dir(REPO), &["show", &format!("main:{path}")]);
    assert!(show("analytics/dbt/dbt_project.yml").contains("1.8.3"));
    assert_eq!(show("README.md"), "# Everything\n");
    assert_eq!(show("services/api/main.py"), "print('hello')\n");
}

async fn alice_takes_it_back(story: &Story, how: Connected, in_use: &str) {
    match how {
        Connected::ByOAuth => {
            story.sim.revoke_authorization(APP_ID, "alice");
            let seen = story.connection_after_webhooks().await;
            assert_eq!(seen.oauth_user.unwrap().status(), ConnectionStatus::Revoked);
        }
        Connected::ByClassicPat => story.sim.revoke_pat(in_use),
    }
    for _ in 0..2 {
        let refused = upgrade(story, UPGRADE, vec![write("models/c.sql", "select 9\n")]).await;
        let refused = refused.unwrap_err();
        assert_reason(&refused, Code::FailedPrecondition, "CREDENTIAL_REJECTED");
    }
    let seen = story.connection().await;
    assert_eq!(seen.effective_source(), CredentialSource::Unspecified);
    let status = match how {
        Connected::ByOAuth => seen.oauth_user.unwrap().status(),
        Connected::ByClassicPat => seen.pat.unwrap().status(),
    };
    assert_eq!(status, ConnectionStatus::Revoked);
    assert_eq!(seen.bindings.len(), 1, "what the customer chose is kept");
}

async fn the_next_upgrade_begins_anew(story: &Story) {
    let done = upgrade(story, UPGRADE, vec![write("models/c.sql", "select 9\n")]).await.unwrap();
    assert_eq!((done.files_added, done.unchanged), (1, false));
    let parent = git(&story.sim.git_dir(REPO), &["rev-parse", &format!("{UPGRADE}^")]);
    assert_eq!(parent.trim(), story.sim.head(REPO, "main").unwrap());
}

fn the_operator_reads_what_happened(story: &Story, how: Connected) {
    let (source, connect, replace): (_, &[&str], &[&str]) = match how {
        Connected::ByOAuth => ("oauth_user", &["portal BeginOAuth", "portal GithubCallback"], &[]),
        Connected::ByClassicPat => ("pat", &["portal SetPat"], &["portal SetPat"]),
    };
    let did = |what: &str| what.replace("SOURCE", source);
    let mut expected: Vec<String> = connect.iter().map(|line| did(line)).collect();
    expected.extend(
        [
            "portal ListRepositories SOURCE",
            "portal ConfigureRepo SOURCE",
            "portal VerifyRepo SOURCE",
            "upgrader CommitFiles SOURCE",
            "upgrader CommitFiles SOURCE BRANCH_NOT_ALLOWED",
            "upgrader CommitFiles INVALID_FIELD",
            "upgrader OpenPromotionPr SOURCE",
        ]
        .map(did),
    );
    expected.extend(replace.iter().map(|line| did(line)));
    let rest = ["upgrader CommitFiles SOURCE", "upgrader OpenPromotionPr SOURCE"];
    expected.extend(rest.map(did));
    expected.push(did("upgrader CommitFiles SOURCE CREDENTIAL_REJECTED"));
    expected.extend(connect.iter().map(|line| did(line)));
    expected.push(did("upgrader CommitFiles SOURCE"));
    assert_eq!(story.audit_as_read(), expected);
}

async fn upgrade(
    story: &Story,
    branch: &str,
    files: Vec<FileChange>,
) -> Result<CommitFilesResponse, Status> {
    let request = CommitFilesRequest {
        account: ACCOUNT.into(),
        branch: branch.into(),
        message: "Upgrade dbt".into(),
        files,
        ..Default::default()
    };
    story.workload("upgrader").await.commit_files(request).await
}

async fn propose(story: &Story, title: &str, labels: &[&str]) -> OpenPromotionPrResponse {
    let request = OpenPromotionPrRequest {
        account: ACCOUNT.into(),
        head_branch: UPGRADE.into(),
        title: title.into(),
        labels: labels.iter().map(|label| (*label).to_owned()).collect(),
        ..Default::default()
    };
    story.workload("upgrader").await.open_promotion_pr(request).await.unwrap()
}

fn labels(story: &Story) -> Vec<String> {
    let pull = story.sim.pulls(REPO).pop().unwrap();
    let labels = pull["labels"].as_array().unwrap().iter();
    labels.map(|label| label["name"].as_str().unwrap().to_owned()).collect()
}
