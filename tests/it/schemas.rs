//! What the broker sends to GitHub, held against GitHub's published OpenAPI description and GraphQL schema: a proxy
//! between broker and simulator checks every request, and every answer of the simulator, while all RPCs are made.

use std::{collections::BTreeMap, process::Stdio, time::Duration};

use ghbroker::proto;
use github_sim::{Effect, Fault, Level, Rule, Sim, seed};
use serde::Deserialize;
use serde_json::json;
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStdout},
};
use tonic::Code;

use crate::{
    harness::{
        self, ACCOUNT, INSTALLATION, MINT, REPO, Urls, World, delete, executable,
        person::authorize, status::assert_reason, write,
    },
    octokit::node,
};

/// The account that works with a personal access token.
const PAT_ACCOUNT: &str = "tenant-pat";

/// Answers of the simulator that are not as published and known, as `route, answer status: what`: printed, and not counted.
///
/// A label that was made on the way has no description. In lists of pull requests GitHub's own answers have `null` there, as for
/// a single one, where its description says so.
const KNOWN: &[&str] = &[
    "GET /repos/{owner}/{repo}/pulls, answer 200: /0/labels/0/description must be string",
    "GET /repos/{owner}/{repo}/pulls, answer 200: /0/labels/1/description must be string",
    "GET /repos/{owner}/{repo}/pulls, answer 200: /0/labels/2/description must be string",
    "POST /repos/{owner}/{repo}/pulls/{pull_number}/requested_reviewers, answer 201: /labels/0/description must be string",
    "POST /repos/{owner}/{repo}/pulls/{pull_number}/requested_reviewers, answer 201: /labels/1/description must be string",
];

struct Proxy {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    url: String,
}

/// What the proxy saw.
#[derive(Debug, Deserialize)]
struct Report {
    /// How often each route was answered.
    seen: BTreeMap<String, usize>,
    /// What is not as GitHub publishes it.
    violations: Vec<String>,
    /// What could not be checked, since it is in no description.
    passed: Vec<String>,
}

impl Proxy {
    async fn before(sim: &Sim) -> Self {
        let mut child = node()
            .args(["validating-proxy.mjs", sim.web_url()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let first = lines.next_line().await.unwrap().expect("the proxy did not start");
        let first: serde_json::Value = serde_json::from_str(&first).unwrap();
        let url = first["url"].as_str().unwrap().to_owned();
        Self { child, lines, url }
    }

    fn urls(&self) -> Urls {
        Urls {
            api: format!("{}/api/v3", self.url),
            graphql: format!("{}/api/graphql", self.url),
            web: self.url.clone(),
        }
    }

    /// Stops it and takes its report.
    async fn report(mut self) -> Report {
        drop(self.child.stdin.take());
        let line = self.lines.next_line().await.unwrap().expect("the proxy broke down");
        serde_json::from_str(&line).unwrap()
    }
}

/// A world with a proxy between, in which nothing is connected yet.
async fn watched() -> (World, Proxy) {
    let sim = harness::simulator(harness::seed()).await;
    let proxy = Proxy::before(&sim).await;
    let urls = proxy.urls();
    (World::start_behind(sim, urls).await, proxy)
}

impl Report {
    /// Nothing may be wrong, and each route must have been seen this often.
    #[track_caller]
    fn assert_clean(&self, expected: &[(&str, usize)]) {
        let (known, unknown): (Vec<_>, Vec<_>) =
            self.violations.iter().partition(|what| KNOWN.contains(&what.as_str()));
        for what in known {
            println!("known: {what}");
        }
        assert!(unknown.is_empty(), "not as GitHub publishes it:\n{unknown:#?}");
        for (route, least) in expected {
            let seen = self.seen.get(*route).copied().unwrap_or(0);
            assert!(seen >= *least, "{route} was seen {seen} times, not {least}: {:#?}", self.seen);
        }
    }
}

/// What a portal does for every account: looks at the connection, tests it, and hands out a token.
async fn look(world: &mut World, account: &str) {
    world.configure(account, REPO).await;
    let request = proto::VerifyRepoRequest { account: account.into(), ..Default::default() };
    let answer = world.broker.verify_repo(request).await.unwrap().into_inner();
    assert!(answer.ok, "{:#?}", answer.findings);
    let request = proto::GetConnectionRequest { account: account.into() };
    world.admin.get_connection(request).await.unwrap();
    let request = proto::GetRepoTokenRequest { account: account.into(), ..Default::default() };
    world.broker.get_repo_token(request).await.unwrap();
}

/// What a portal does before: lets people choose among repositories, or begin with a new one of `owner`.
async fn choose(world: &World, account: &str, owner: &str) {
    let request = proto::ListRepositoriesRequest { account: account.into(), ..Default::default() };
    let listed = world.list_repositories(request).await.unwrap();
    assert!(!listed.repositories.is_empty());
    for (name, public) in [("begun", false), ("shown", true)] {
        let request = proto::CreateRepositoryRequest {
            account: account.into(),
            repository: format!("{owner}/{name}"),
            description: if public { String::new() } else { "Begun here".to_owned() },
            public,
        };
        world.create_repository(request).await.unwrap();
    }
    let request = proto::CreateRepositoryRequest {
        account: account.into(),
        repository: format!("{owner}/begun"),
        ..Default::default()
    };
    let status = world.create_repository(request).await.unwrap_err();
    assert_reason(&status, Code::AlreadyExists, "REPO_EXISTS");
}

async fn commit(
    world: &World,
    account: &str,
    files: Vec<proto::FileChange>,
) -> proto::CommitFilesResponse {
    let message = "Change some files\n\nAs the test asks.".to_owned();
    let request =
        proto::CommitFilesRequest { account: account.into(), message, files, ..Default::default() };
    let answer = world.broker.clone().commit_files(request).await.unwrap().into_inner();
    assert!(!answer.unchanged);
    answer
}

/// Commits in both ways: modes go over git data, the rest by createCommitOnBranch.
async fn commit_both_ways(world: &World, account: &str) {
    let large = "select 1;\n".repeat(200_000);
    let files = vec![
        executable(&format!("bin/{account}.sh"), "#!/bin/sh\n"),
        write(&format!("img/{account}.png"), vec![0x89, b'P', b'N', b'G', 0, 0xff]),
        write(&format!("models/{account}.sql"), large),
        delete("models/orders.sql"),
    ];
    commit(world, account, files).await;
    let files = vec![
        write(&format!("models/ü_{account}.sql"), "select 2\n"),
        delete(&format!("models/{account}.sql")),
    ];
    commit(world, account, files).await;
}

/// A branch of its own that begins at a commit, and, where the host has no GraphQL, git's objects alone.
async fn commit_in_rarer_ways(world: &mut World, account: &str) {
    let branches = proto::ConfigureRepoRequest {
        account: account.into(),
        repository: REPO.into(),
        work_branches: Some(proto::WorkBranches { patterns: vec!["adagent/*".into()] }),
        ..Default::default()
    };
    world.admin.configure_repo(branches).await.unwrap();
    let begun = proto::CommitFilesRequest {
        account: account.into(),
        branch: "adagent/7".into(),
        base: world.sim.head(REPO, "main").unwrap(),
        message: "Begin".into(),
        files: vec![write("models/begun.sql", "select 7\n")],
        ..Default::default()
    };
    world.broker.commit_files(begun).await.unwrap();
    commit(world, account, vec![executable("bin/second.sh", "#!/bin/sh\n")]).await;
    world.sim.disable_graphql();
    commit(world, account, vec![executable("bin/third.sh", "#!/bin/sh\n")]).await;
}

async fn promote(world: &World, account: &str, title: &str) -> proto::OpenPromotionPrResponse {
    let request = proto::OpenPromotionPrRequest {
        account: account.into(),
        title: title.into(),
        body: Some(format!("{title}, in full.")),
        draft: account == PAT_ACCOUNT,
        labels: vec!["data".into(), title.into()],
        reviewers: vec!["alice".into(), "mallory".into()],
        team_reviewers: vec!["core".into()],
        auto_merge: proto::MergeMethod::Squash.into(),
        retarget: true,
        ..Default::default()
    };
    let answer = world.broker.clone().open_promotion_pr(request).await.unwrap().into_inner();
    let warned = |subject: &str| answer.warnings.iter().any(|warning| warning.subject == subject);
    assert!(warned("mallory") && warned("core"), "{answer:?}");
    assert_eq!(warned("squash"), answer.draft, "{answer:?}");
    answer
}

#[tokio::test]
async fn every_rpc_by_installation() {
    let (mut world, proxy) = watched().await;
    let request = proto::RegisterInstallationRequest {
        account: ACCOUNT.into(),
        installation_id: INSTALLATION,
        code: authorize(&world.sim, "alice").await,
        ..Default::default()
    };
    world.broker.register_installation(request).await.unwrap();
    let granted = ["administration", "contents", "issues", "pull_requests"];
    let granted = granted.map(|name| (name, Level::Write));
    let granted = granted.into_iter().chain([("metadata", Level::Read)]);
    world.sim.set_installation_permissions(INSTALLATION as u64, granted);
    choose(&world, ACCOUNT, "acme").await;
    look(&mut world, ACCOUNT).await;
    commit_both_ways(&world, ACCOUNT).await;
    world.sim.allow_auto_merge(REPO, true);
    world.sim.protect_branch(REPO, "main", &["ci"]);
    assert!(promote(&world, ACCOUNT, "First").await.created);
    for title in ["Second", "Second"] {
        assert!(!promote(&world, ACCOUNT, title).await.created);
    }
    commit_in_rarer_ways(&mut world, ACCOUNT).await;

    let token = world.token(&[("contents", "write"), ("pull_requests", "write")]).await.token;
    let request = proto::ReportRejectedTokenRequest { account: ACCOUNT.into(), token };
    assert!(world.broker.report_rejected_token(request).await.unwrap().into_inner().dropped);
    let request = proto::DisconnectRequest { account: ACCOUNT.into() };
    assert!(world.admin.disconnect(request).await.unwrap().into_inner().tokens_revoked > 0);

    let report = proxy.report().await;
    assert_eq!(report.passed, ["POST /login/oauth/access_token"]);
    report.assert_clean(&[
        ("GET /app/installations/{installation_id}", 1),
        ("GET /user/installations", 1),
        (MINT, 3),
        ("DELETE /installation/token", 1),
        ("GET /installation/repositories", 2),
        ("POST /orgs/{org}/repos", 3),
        ("GET /repos/{owner}/{repo}", 2),
        ("GET /repos/{owner}/{repo}/rules/branches/{branch}", 1),
        ("GET /repos/{owner}/{repo}/git/ref/{ref}", 2),
        ("POST /repos/{owner}/{repo}/git/refs", 1),
        ("PATCH /repos/{owner}/{repo}/git/refs/{ref}", 1),
        ("GET /repos/{owner}/{repo}/git/commits/{commit_sha}", 1),
        ("GET /repos/{owner}/{repo}/git/trees/{tree_sha}", 1),
        ("POST /repos/{owner}/{repo}/git/blobs", 1),
        ("POST /repos/{owner}/{repo}/git/trees", 1),
        ("POST /repos/{owner}/{repo}/git/commits", 1),
        ("GRAPHQL repository", 4),
        ("GRAPHQL createCommitOnBranch", 2),
        ("GRAPHQL updateRefs", 1),
        ("GET /repos/{owner}/{repo}/compare/{basehead}", 4),
        ("GET /repos/{owner}/{repo}/pulls", 3),
        ("GET /repos/{owner}/{repo}/pulls/{pull_number}", 1),
        ("POST /repos/{owner}/{repo}/pulls", 1),
        ("PATCH /repos/{owner}/{repo}/pulls/{pull_number}", 1),
        ("POST /repos/{owner}/{repo}/issues/{issue_number}/labels", 2),
        ("POST /repos/{owner}/{repo}/pulls/{pull_number}/requested_reviewers", 4),
        ("GRAPHQL enablePullRequestAutoMerge", 1),
    ]);
}

#[tokio::test]
async fn every_rpc_by_personal_token() {
    let (mut world, proxy) = watched().await;
    let pat =
        seed::Pat { owner: "alice".into(), scopes: vec!["repo".into()], ..Default::default() };
    let token = world.sim.add_pat(&pat).unwrap();
    let request = proto::SetPatRequest { account: PAT_ACCOUNT.into(), token, ..Default::default() };
    world.broker.set_pat(request).await.unwrap();
    choose(&world, PAT_ACCOUNT, "alice").await;
    choose(&world, PAT_ACCOUNT, "acme").await;
    look(&mut world, PAT_ACCOUNT).await;
    commit_both_ways(&world, PAT_ACCOUNT).await;
    assert!(promote(&world, PAT_ACCOUNT, "By a person").await.created);

    let report = proxy.report().await;
    assert_eq!(report.passed, [""; 0]);
    report.assert_clean(&[
        ("GET /user", 2),
        ("GET /user/repos", 2),
        ("POST /user/repos", 3),
        ("POST /orgs/{org}/repos", 3),
        ("GET /repos/{owner}/{repo}", 2),
        ("GRAPHQL createCommitOnBranch", 1),
        ("POST /repos/{owner}/{repo}/git/commits", 1),
        ("POST /repos/{owner}/{repo}/pulls", 1),
        ("GRAPHQL enablePullRequestAutoMerge", 1),
    ]);
}

/// A repository that nothing was ever pushed to gets its first commit over the contents route.
#[tokio::test]
async fn an_empty_repository() {
    let mut seed = harness::seed();
    let (owner, name) = ("acme".into(), "warehouse".into());
    seed.repositories = vec![seed::Repository { owner, name, empty: true, ..Default::default() }];
    let sim = harness::simulator(seed).await;
    let proxy = Proxy::before(&sim).await;
    let mut world = World::start_behind(sim, proxy.urls()).await;
    world.register(ACCOUNT, INSTALLATION).await;
    world.configure(ACCOUNT, REPO).await;
    commit(&world, ACCOUNT, vec![write("models/first.sql", "select 1\n")]).await;
    let report = proxy.report().await;
    assert_eq!(report.passed, [""; 0]);
    report.assert_clean(&[
        ("GRAPHQL repository", 3),
        ("PUT /repos/{owner}/{repo}/contents/{path}", 1),
        ("GRAPHQL createCommitOnBranch", 1),
    ]);
}

#[tokio::test]
async fn refusals() {
    let (mut world, proxy) = watched().await;
    world.register(ACCOUNT, INSTALLATION).await;
    world.configure(ACCOUNT, REPO).await;
    let broker = world.broker.clone();

    let request = proto::SetPatRequest {
        account: PAT_ACCOUNT.into(),
        token: format!("ghp_{:036}", 0),
        ..Default::default()
    };
    let status = broker.clone().set_pat(request).await.unwrap_err();
    assert_reason(&status, Code::FailedPrecondition, "CREDENTIAL_REJECTED");

    let request = proto::OpenPromotionPrRequest { account: ACCOUNT.into(), ..Default::default() };
    let status = broker.clone().open_promotion_pr(request.clone()).await.unwrap_err();
    assert_reason(&status, Code::FailedPrecondition, "BRANCH_MISSING");
    // The same as production, by other commits.
    let (one, zero) = (("one.sql", "select 1\n"), ("zero.sql", "select 0\n"));
    world.sim.commit(REPO, "staging", &[one]);
    world.sim.commit(REPO, "staging", &[zero]);
    world.sim.commit(REPO, "main", &[one, zero]);
    let status = broker.clone().open_promotion_pr(request.clone()).await.unwrap_err();
    assert_reason(&status, Code::FailedPrecondition, "NOTHING_TO_PROMOTE");

    // Refused by a rule, in both ways of committing.
    world.sim.add_ruleset(REPO, "staging", &[Rule::PullRequest]);
    for file in [executable("run.sh", "#!/bin/sh\n"), write("two.sql", "select 2\n")] {
        let status = world.commit("Against the rules", vec![file]).await.unwrap_err();
        assert_reason(&status, Code::FailedPrecondition, "REFUSED_BY_RULES");
    }
    // Under another name by now, and where there is nothing.
    world.sim.rename_repository(REPO, "lakehouse");
    let status = broker.clone().open_promotion_pr(request).await.unwrap_err();
    assert_reason(&status, Code::FailedPrecondition, "REPO_MOVED");
    for repository in ["", "acme/nowhere"] {
        let request = proto::VerifyRepoRequest {
            account: ACCOUNT.into(),
            repository: repository.into(),
            ..Default::default()
        };
        assert!(!broker.clone().verify_repo(request).await.unwrap().into_inner().ok);
    }

    // Not granted, too many requests, suspended, uninstalled.
    world.sim.set_installation_permissions(INSTALLATION as u64, [("metadata", Level::Read)]);
    refused(&world, "deployments", Code::FailedPrecondition, "PERMISSION_NOT_GRANTED").await;
    let limit = Effect::SecondaryRateLimit { retry_after: Some(60), status: 403 };
    world.sim.fault(Fault::once(MINT, limit));
    refused(&world, "checks", Code::ResourceExhausted, "RATE_LIMITED").await;
    // GitHub is left alone for as long as it says.
    world.advance(Duration::from_secs(61));
    world.sim.suspend(INSTALLATION as u64);
    refused(&world, "statuses", Code::FailedPrecondition, "INSTALLATION_SUSPENDED").await;

    let report = proxy.report().await;
    report.assert_clean(&[
        ("GET /user", 1),
        (MINT, 5),
        ("GET /repos/{owner}/{repo}/branches/{branch}", 1),
        ("GRAPHQL createCommitOnBranch", 1),
    ]);
}

/// Asks for a token with a permission that no other call asks for: failures are remembered for each.
async fn refused(world: &World, permission: &str, code: Code, reason: &str) {
    let permissions = [(permission.to_owned(), "read".to_owned())].into();
    let request =
        proto::GetRepoTokenRequest { account: ACCOUNT.into(), permissions, ..Default::default() };
    let status = world.broker.clone().get_repo_token(request).await.unwrap_err();
    assert_reason(&status, code, reason);
}

/// A proxy that let everything pass would make the tests above pass too.
#[tokio::test]
async fn proxy_notices_what_is_not_as_published() {
    let sim = harness::simulator(harness::seed()).await;
    let proxy = Proxy::before(&sim).await;
    let urls = proxy.urls();
    let repo = format!("{}/repos/{REPO}", urls.api);
    let http = reqwest::Client::new();
    let named = |request: reqwest::RequestBuilder| {
        request
            .bearer_auth("ghs_none")
            .header("user-agent", "a test")
            .header("accept", "application/vnd.github+json")
            .header("x-github-api-version", "2022-11-28")
    };
    http.get(&repo).header("user-agent", "a test").send().await.unwrap();
    named(http.get(format!("{repo}/pulls?state=ajar&color=red"))).send().await.unwrap();
    named(http.post(format!("{repo}/pulls")))
        .json(&json!({"head": "staging", "color": "red"}))
        .send()
        .await
        .unwrap();
    named(http.get(format!("{repo}/no-such-thing"))).send().await.unwrap();
    named(http.get(format!("{}/user", urls.api))).send().await.unwrap();
    let query = "mutation ($input: CreateCommitOnBranchInput!) { createCommitOnBranch(input: $input) { color } }";
    let body = json!({"query": query, "variables": {"input": {"expectedHeadOid": "head"}}});
    named(http.post(&urls.graphql)).json(&body).send().await.unwrap();
    sim.fault(Fault::once("*", Effect::Status { status: 418, html: false }));
    named(http.get(format!("{repo}/branches"))).send().await.unwrap();
    sim.fault(Fault::once("*", Effect::Huge(10)));
    named(http.get(format!("{repo}/git/ref/heads/main"))).send().await.unwrap();

    let report = proxy.report().await;
    for expected in [
        "GET /repos/{owner}/{repo}, request: Authorization is not a bearer",
        "GET /repos/{owner}/{repo}, request: X-GitHub-Api-Version is not the one the broker is written for",
        "GET /repos/{owner}/{repo}/pulls, request: /state must be equal to one of the allowed values",
        "GET /repos/{owner}/{repo}/pulls, request: the query parameter color is not documented",
        "POST /repos/{owner}/{repo}/pulls, request: / must NOT have additional properties color",
        "POST /repos/{owner}/{repo}/pulls, request: / must have required property 'base'",
        "GET /api/v3/repos/acme/warehouse/no-such-thing, request: GitHub has no such operation",
        "GET /user, request: GitHub Apps may not call it with an installation token",
        "GRAPHQL createCommitOnBranch, request: Cannot query field \"color\" on type \"CreateCommitOnBranchPayload\".",
        "GRAPHQL createCommitOnBranch, request: Variable \"$input\" at \"input.expectedHeadOid\": is not of the form of GitObjectID",
        "GET /repos/{owner}/{repo}/branches, answer 418: the status 418 is not documented",
        "GET /repos/{owner}/{repo}/git/ref/{ref}, answer 401: / must be object",
    ] {
        assert!(
            report.violations.iter().any(|what| what == expected),
            "{expected:?} is not in {:#?}",
            report.violations
        );
    }
}
