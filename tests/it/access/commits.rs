//! Branches and paths that a caller may write to.

use ghbroker::proto;
use tonic::{Code, Status};

use super::{last_line, rule};
use crate::harness::{
    ACCOUNT, INSTALLATION, REPO, World,
    caller::Caller,
    door::Door,
    git::{files, git},
    seed,
    status::assert_reason,
    write,
};

const PROTECTED: [&str; 9] = [
    ".github/workflows/ci.yml",
    ".github/workflows/deep/er.yml",
    ".github/actions/build/action.yml",
    ".github/CODEOWNERS",
    "CODEOWNERS",
    "docs/CODEOWNERS",
    ".github/dependabot.yml",
    ".github/chainguard/x.sts.yaml",
    ".github/minty.yaml",
];

fn committer(name: &str, more: &str) -> String {
    rule(name, &format!("role = \"committer\"\naccounts = [\"*\"]\n{more}"))
}

/// A world in which [`ACCOUNT`]'s staging branch has a commit that production has not.
async fn world(rules: &str) -> World {
    let mut seed = seed();
    seed.apps[0].permissions.insert("workflows".into(), github_sim::Level::Write);
    let mut world = World::guarded(seed, Door::new("either", rules)).await;
    world.register(ACCOUNT, INSTALLATION).await;
    world.configure(ACCOUNT, REPO).await;
    world.commit("Begin staging", vec![write("staged.sql", "select 1")]).await.unwrap();
    world
}

async fn commit(
    caller: &Caller,
    branch: &str,
    paths: &[&str],
) -> Result<proto::CommitFilesResponse, Status> {
    let request = proto::CommitFilesRequest {
        account: ACCOUNT.into(),
        branch: branch.into(),
        message: "Change".into(),
        files: paths.iter().map(|path| write(path, "x")).collect(),
        ..Default::default()
    };
    caller.broker().commit_files(request).await.map(tonic::Response::into_inner)
}

#[tokio::test]
async fn a_work_branch_of_the_rule_begins_at_production() {
    let world = world(&committer("worker", "work_branches = [\"adagent/*\"]")).await;
    let worker = world.workload("worker").await;
    let first = commit(&worker, "adagent/7", &["new.sql"]).await.unwrap();
    assert_eq!((first.branch.as_str(), first.unchanged), ("adagent/7", false));
    let line = last_line(&world);
    assert_eq!(
        (&line["rule"], &line["commit"]),
        (&"worker".into(), &first.commit_sha.clone().into())
    );
    let repository = world.sim.git_dir(REPO);
    let rev = |name: &str| git(&repository, &["rev-parse", name]);
    assert_eq!(rev("adagent/7~1"), rev("main"));
    assert!(!files(&repository, "adagent/7").contains(&"100644 staged.sql".to_owned()));
    let staging = rev("staging");
    commit(&worker, "adagent/7", &["second.sql"]).await.unwrap();
    assert_eq!((rev("adagent/7~2"), rev("staging")), (rev("main"), staging));
    world.finish().await;
}

#[tokio::test]
async fn other_branches_and_production_are_refused() {
    let rules = [
        committer("worker", "work_branches = [\"adagent/*\"]"),
        committer("plain", ""),
        // Whatever a rule says.
        committer("everywhere", "work_branches = [\"*\", \"**\", \"main\"]"),
    ];
    let world = world(&rules.concat()).await;
    let before = (world.footprint().refs, world.stored().await);
    for (name, branch) in [
        ("worker", "feature/7"),
        ("worker", "adagent"),
        ("worker", "adagent/7/8"),
        ("worker", "Adagent/7"),
        ("worker", "main"),
        ("plain", "adagent/7"),
        ("plain", "main"),
        ("everywhere", "main"),
    ] {
        for caller in [world.workload(name).await, world.service_account(name).await] {
            let status = commit(&caller, branch, &["new.sql"]).await.unwrap_err();
            let details = assert_reason(&status, Code::PermissionDenied, "BRANCH_NOT_ALLOWED");
            assert_eq!(details.error_info().unwrap().metadata["allowed"], "staging");
            let why =
                if branch == "main" { "the production branch" } else { "the broker's policy" };
            assert!(status.message().contains(why), "{status:?}");
            let line = last_line(&world);
            assert_eq!((&line["decision"], &line["phase"]), (&"deny".into(), &"end".into()));
        }
    }
    assert_eq!((world.footprint().refs, world.stored().await), before);
    let everywhere = world.workload("everywhere").await;
    commit(&everywhere, "feature/7", &["new.sql"]).await.unwrap();
    world.finish().await;
}

#[tokio::test]
async fn a_rule_follows_the_binding_or_says_less() {
    let rules = [
        committer("silent", ""),
        committer("narrow", "work_branches = [\"adagent/a-*\", \"other/*\"]"),
        committer("staging-only", "work_branches = []"),
    ];
    let world = world(&rules.concat()).await;
    let patterns = vec!["adagent/*".into(), "**/main".into(), "main".into()];
    let request = proto::ConfigureRepoRequest {
        account: ACCOUNT.into(),
        repository: REPO.into(),
        work_branches: Some(proto::WorkBranches { patterns }),
        ..Default::default()
    };
    world.configure_repo(request).await.unwrap();
    for (name, branch, allowed) in [
        ("silent", "adagent/a-1", true),
        ("silent", "adagent/b-1", true),
        ("silent", "other/1", false),
        ("silent", "main", false),
        ("narrow", "adagent/a-2", true),
        ("narrow", "adagent/b-2", false),
        ("narrow", "other/2", false),
        ("narrow", "main", false),
        ("staging-only", "adagent/a-3", false),
        ("staging-only", "staging", true),
    ] {
        let answer = commit(&world.workload(name).await, branch, &["new.sql"]).await;
        let line = last_line(&world);
        if allowed {
            assert_eq!(answer.unwrap().branch, branch, "{name}");
            assert_eq!((&line["decision"], &line["rule"]), (&"allow".into(), &name.into()));
        } else {
            let status = answer.unwrap_err();
            assert_reason(&status, Code::PermissionDenied, "BRANCH_NOT_ALLOWED");
            assert_eq!(line["decision"], "deny", "{name} {branch}");
        }
    }
    world.finish().await;
}

#[tokio::test]
async fn a_protected_path_is_refused_without_a_rule_for_it() {
    let rules = [
        committer("plain", ""),
        committer("ci", "protected_paths = [\".github/workflows/*\"]"),
        committer("worker", "work_branches = [\"adagent/*\"]"),
    ];
    let world = world(&rules.concat()).await;
    let before = (world.footprint(), world.stored().await);
    let refused = async |name: &str, branch: &str, paths: &[&str], named: &str| {
        let caller = world.workload(name).await;
        let status = commit(&caller, branch, paths).await.unwrap_err();
        let details = assert_reason(&status, Code::PermissionDenied, "PATH_NOT_ALLOWED");
        assert_eq!(details.error_info().unwrap().metadata["paths"], named);
        assert_eq!(last_line(&world)["decision"], "deny");
    };
    for path in PROTECTED {
        refused("plain", "", &[path], path).await;
        refused("worker", "adagent/7", &["good.sql", path], path).await;
        if path != PROTECTED[0] {
            // One path that is allowed lets no other one in.
            refused("ci", "", &[PROTECTED[0], path], path).await;
        }
    }
    refused(
        "plain",
        "",
        &["CODEOWNERS", "a.sql", ".github/dependabot.yml"],
        ".github/dependabot.yml,CODEOWNERS",
    )
    .await;
    assert_eq!((world.footprint(), world.stored().await), before, "GitHub was not asked");
    world.finish().await;
}

#[tokio::test]
async fn the_permission_workflows_is_minted_only_for_a_workflow() {
    let rules = [committer(
        "ci",
        "protected_paths = [\".github/**\", \"CODEOWNERS\", \"docs/CODEOWNERS\"]",
    )];
    let world = world(&rules.concat()).await;
    let ci = world.workload("ci").await;
    for path in ["models/a.sql"].into_iter().chain(PROTECTED) {
        commit(&ci, "", &[path]).await.unwrap();
        let line = last_line(&world);
        assert_eq!((&line["decision"], &line["rule"]), (&"allow".into(), &"ci".into()));
        let workflow = path.starts_with(".github/workflows/");
        for permissions in ["requested_permissions", "granted_permissions"] {
            let workflows = line[permissions].get("workflows");
            assert_eq!(
                workflows.and_then(|level| level.as_str()),
                workflow.then_some("write"),
                "{path}: {line}"
            );
        }
        assert!(files(&world.sim.git_dir(REPO), "staging").contains(&format!("100644 {path}")));
    }
    world.finish().await;
}
