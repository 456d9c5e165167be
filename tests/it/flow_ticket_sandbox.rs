//! An assistant works on tickets: each has a sandbox of its own with a real git in it, and a branch; a service opens the pull
//! requests. No sandbox keeps a token, and none has one any more when the customer leaves.

use std::{path::PathBuf, time::Duration};

use ghbroker::proto::*;
use github_sim::Rule;
use tonic::{Code, Status};

use crate::{
    harness::{
        self, ACCOUNT, INSTALLATION, REPO, git::git, person::Person, status::assert_reason,
        story::Story, write,
    },
    sandbox::{Said, Sandbox},
};

/// The sandboxes clone and push; the service that they belong to commits, promotes and may have no token.
const RULES: &str = r#"
[[rule]]
name = "sandboxes"
callers = ["spiffe://example.org/sandbox/*"]
role = "consumer"
accounts = ["*"]
permissions = { contents = "write" }

[[rule]]
name = "ticket service"
callers = ["spiffe://example.org/tickets"]
rpcs = ["CommitFiles", "OpenPromotionPr"]
accounts = ["*"]
work_branches = ["ticket/*"]
"#;

const HALF_AN_HOUR: Duration = Duration::from_secs(30 * 60);

#[tokio::test]
async fn two_tickets_are_worked_on_in_sandboxes() {
    let story = Story::begin(harness::seed(), RULES).await;
    the_customer_is_connected_and_protects_production(&story).await;

    let (first, second) =
        tokio::join!(a_sandbox_for(&story, "ticket-123"), a_sandbox_for(&story, "ticket-124"));
    tokio::join!(
        work_on(&story, &first, "ticket/123", "models/returns.sql"),
        work_on(&story, &second, "ticket/124", "models/refunds.sql"),
    );
    production_is_out_of_reach(&story, &first).await;

    let pull = the_service_opens_a_pull_request(&story, "ticket/123").await;
    let other = the_service_opens_a_pull_request(&story, "ticket/124").await;
    assert_ne!(pull, other);
    // The first token of the sandbox ends meanwhile.
    story.advance(Duration::from_secs(2 * 3600));
    the_service_and_the_sandbox_work_on_one_branch(&story, &first, pull).await;
    people_merge_both(&story, &[pull, other]).await;

    no_sandbox_holds_a_token(&[&first, &second]);
    the_customer_leaves(&story, &first).await;

    the_operator_reads_what_happened(&story);
    story.end().await;
}

async fn the_customer_is_connected_and_protects_production(story: &Story) {
    // The platform knows whose organization it is: it needs nobody's authorization.
    let mut set_up = story.broker.clone();
    let request = RegisterInstallationRequest {
        account: ACCOUNT.into(),
        installation_id: INSTALLATION,
        setup_action: SetupAction::Install.into(),
        expected_github_login: "acme".into(),
        ..Default::default()
    };
    set_up.register_installation(request).await.unwrap();
    let request = ConfigureRepoRequest {
        account: ACCOUNT.into(),
        repository: REPO.into(),
        ..Default::default()
    };
    story.portal.configure_repo(request).await.unwrap();
    story.sim.add_ruleset(REPO, "main", &[Rule::PullRequest]);
}

/// A machine with an empty home, in which git asks the broker.
async fn a_sandbox_for(story: &Story, ticket: &str) -> Sandbox {
    let sandbox = Sandbox::with_certificate(story, &format!("sandbox/{ticket}"));
    sandbox.configure(&story.sim).await;
    sandbox
}

/// What the assistant does in its sandbox, with nothing but git.
async fn work_on(story: &Story, sandbox: &Sandbox, branch: &str, file: &str) {
    let url = format!("{}/{REPO}.git", story.sim.web_url());
    let script = format!(
        "git clone --quiet {url} && cd warehouse && git switch --quiet --create {branch} && \
         echo 'select 2 as id' > {file} && git add {file} && git commit --quiet --message 'Add {file}' && \
         git push --quiet --set-upstream origin {branch}"
    );
    let said = shell(sandbox, &script).await;
    assert!(said.ok && said.err.is_empty(), "{said:?}");
    let head = git(&sandbox.path("work/warehouse"), &["rev-parse", "HEAD"]);
    assert_eq!(story.sim.head(REPO, branch).as_deref(), Some(head.trim()));
}

/// Neither by git, which GitHub's rules stop, nor by the broker.
async fn production_is_out_of_reach(story: &Story, sandbox: &Sandbox) {
    let before = story.sim.head(REPO, "main");
    let pushed = shell(sandbox, "cd warehouse && git push --quiet origin HEAD:main").await;
    assert!(!pushed.ok && pushed.err.contains("GH013"), "{pushed:?}");
    for branch in ["main", "other/1"] {
        let refused = commit(story, branch, "models/x.sql").await.unwrap_err();
        assert_reason(&refused, Code::PermissionDenied, "BRANCH_NOT_ALLOWED");
    }
    assert_eq!(story.sim.head(REPO, "main"), before);

    // The service has no use for tokens, and gets none.
    let request = GetRepoTokenRequest { account: ACCOUNT.into(), ..Default::default() };
    let refused = story.workload("tickets").await.get_repo_token(request).await.unwrap_err();
    assert_reason(&refused, Code::PermissionDenied, "CALLER_NOT_ALLOWED");
}

async fn the_service_opens_a_pull_request(story: &Story, branch: &str) -> i64 {
    let request = OpenPromotionPrRequest {
        account: ACCOUNT.into(),
        head_branch: branch.into(),
        title: format!("Work on {branch}"),
        ..Default::default()
    };
    let opened = story.workload("tickets").await.open_promotion_pr(request).await.unwrap();
    assert!(opened.created, "{opened:?}");
    assert_eq!((&*opened.head_branch, &*opened.base_branch), (branch, "main"));
    assert_eq!(opened.commits_ahead, 1);
    opened.number
}

async fn the_service_and_the_sandbox_work_on_one_branch(
    story: &Story,
    sandbox: &Sandbox,
    pull: i64,
) {
    let committed = commit(story, "ticket/123", "docs/ticket-123.md").await.unwrap();
    let script = "cd warehouse && git pull --quiet --ff-only && cat docs/ticket-123.md && \
                  echo 'select 3 as id' > models/returns.sql && git commit --quiet --all --message 'Change it' && \
                  git push --quiet";
    let said = shell(sandbox, script).await;
    assert!(said.ok && said.out == "written by the service\n", "{said:?}");
    let git_dir = story.sim.git_dir(REPO);
    let parent = git(&git_dir, &["rev-parse", "ticket/123^"]);
    assert_eq!(parent.trim(), committed.commit_sha);
    let shown = story.sim.pulls(REPO).into_iter().find(|shown| shown["number"] == pull).unwrap();
    assert_eq!(shown["head"]["sha"], *story.sim.head(REPO, "ticket/123").unwrap());
}

async fn people_merge_both(story: &Story, pulls: &[i64]) {
    let alice = Person::of(&story.sim, "alice");
    for pull in pulls {
        alice.merge(REPO, *pull).await;
    }
    let merged = git(&story.sim.git_dir(REPO), &["ls-tree", "-r", "--name-only", "main"]);
    for file in ["docs/ticket-123.md", "models/refunds.sql", "models/returns.sql"] {
        assert!(merged.lines().any(|line| line == file), "{file} is not in {merged}");
    }
}

fn no_sandbox_holds_a_token(sandboxes: &[&Sandbox]) {
    for sandbox in sandboxes {
        assert_eq!(sandbox.holding("ghs_"), Vec::<PathBuf>::new());
        assert_eq!(sandbox.holding("x-access-token"), Vec::<PathBuf>::new());
    }
}

async fn the_customer_leaves(story: &Story, sandbox: &Sandbox) {
    // As if the code in the sandbox had taken them from the helper: one, and the one that it was renewed by.
    let taken = async || sandbox.get(&story.sim, "").await.value("password").to_owned();
    let first = taken().await;
    story.advance(HALF_AN_HOUR);
    assert_eq!(taken().await, first);
    story.advance(HALF_AN_HOUR / 2);
    let second = story.until(async || Some(taken().await).filter(|token| *token != first)).await;
    for token in [&first, &second] {
        story.secret(token);
        assert!(story.sim.accepts(token));
    }

    let left =
        story.portal.disconnect(DisconnectRequest { account: ACCOUNT.into() }).await.unwrap();
    assert!(left.disconnected && left.tokens_revoked >= 2, "{left:?}");
    for token in [&first, &second] {
        assert!(!story.sim.accepts(token), "it ends at GitHub, not within the hour");
    }
    let fetched = shell(sandbox, "cd warehouse && git fetch --quiet").await;
    assert!(!fetched.ok && fetched.err.contains("ghbroker: "), "{fetched:?}");
    assert!(story.sim.head(REPO, "ticket/123").is_some(), "the customer's work stays");
}

fn the_operator_reads_what_happened(story: &Story) {
    let told = story.audit_as_read();
    for sandbox in ["sandbox/ticket-123", "sandbox/ticket-124"] {
        let of: Vec<&String> = told.iter().filter(|line| line.starts_with(sandbox)).collect();
        let given = format!("{sandbox} GetRepoToken app_installation");
        assert!(of.contains(&&given), "{told:#?}");
        let refused = format!("{sandbox} GetRepoToken ACCOUNT_NOT_CONNECTED");
        assert_eq!(of.iter().any(|line| **line == refused), sandbox.ends_with("123"), "{told:#?}");
    }
    let services: Vec<&String> = told.iter().filter(|line| !line.starts_with("sandbox/")).collect();
    assert_eq!(
        services,
        [
            "set-up RegisterInstallation",
            "portal ConfigureRepo app_installation",
            "tickets CommitFiles app_installation BRANCH_NOT_ALLOWED",
            "tickets GetRepoToken CALLER_NOT_ALLOWED",
            "tickets OpenPromotionPr app_installation",
            "tickets CommitFiles app_installation",
            "portal Disconnect",
        ]
    );
    let audit = story.audit();
    let tokens =
        audit.iter().filter(|line| line["rpc"] == "GetRepoToken" && line["source"].is_string());
    for line in tokens {
        assert_eq!(line["rule"], "sandboxes");
        assert_eq!(line["granted_permissions"]["contents"], "write");
        assert_eq!(line["repository_ids"][0], story.sim.repository_id(REPO));
    }
}

async fn shell(sandbox: &Sandbox, script: &str) -> Said {
    Said::of(sandbox.run("sh", &["-e", "-c", script], "").await)
}

async fn commit(story: &Story, branch: &str, file: &str) -> Result<CommitFilesResponse, Status> {
    let request = CommitFilesRequest {
        account: ACCOUNT.into(),
        branch: branch.into(),
        message: format!("Add {file}"),
        files: vec![write(file, "written by the service\n")],
        ..Default::default()
    };
    story.workload("tickets").await.commit_files(request).await
}
