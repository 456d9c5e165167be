//! Where branches begin that do not exist yet, and what an empty repository begins with.

use ghbroker::proto::{CommitFilesRequest, ConfigureRepoRequest, FileChange, WorkBranches};
use github_sim::{Effect, Fault, seed};
use tonic::Code;

use super::{request, send};
use crate::harness::{
    self, ACCOUNT, INSTALLATION, REPO, World, executable,
    git::{commits, files, git},
    status::assert_reason,
    write,
};

const PUT: &str = "PUT /repos/{owner}/{repo}/contents/{path}";

/// A world in which a repository was created and nothing else.
async fn empty(default_branch: &str) -> World {
    let mut seed = harness::seed();
    seed.repositories = vec![seed::Repository {
        owner: "acme".into(),
        name: "warehouse".into(),
        default_branch: default_branch.into(),
        empty: true,
        ..Default::default()
    }];
    let mut world = World::start_with(seed).await;
    world.register(ACCOUNT, INSTALLATION).await;
    world
}

async fn bind(world: &World, request: ConfigureRepoRequest) {
    let (account, repository) = (ACCOUNT.into(), REPO.into());
    world.configure_repo(ConfigureRepoRequest { account, repository, ..request }).await.unwrap();
}

/// A world in which callers may work on `adagent/*`.
async fn with_work_branches() -> World {
    let world = World::connected().await;
    let patterns = vec!["adagent/*".into()];
    let work_branches = Some(WorkBranches { patterns });
    bind(&world, ConfigureRepoRequest { work_branches, ..Default::default() }).await;
    world
}

fn on(branch: &str, base: &str) -> CommitFilesRequest {
    CommitFilesRequest {
        branch: branch.into(),
        base: base.into(),
        ..request(vec![write("models/new.sql", "select 7\n")])
    }
}

fn parent(world: &World, branch: &str) -> String {
    git(&world.sim.git_dir(REPO), &["rev-parse", &format!("{branch}^")]).trim().to_owned()
}

#[tokio::test]
async fn an_empty_repository_gets_a_first_commit_and_then_both_branches() {
    for way in [write("a.sql", "1\n"), executable("run.sh", "1\n")] {
        let world = empty("main").await;
        bind(&world, ConfigureRepoRequest::default()).await;
        let done = world.commit("Add", vec![way]).await.unwrap();
        assert_eq!(done.files_added, 1);
        let repository = world.sim.git_dir(REPO);
        assert_eq!(files(&repository, "main"), ["100644 .gitkeep"]);
        assert_eq!(parent(&world, "staging"), world.sim.head(REPO, "main").unwrap());
        assert_eq!(world.sim.head(REPO, "staging").unwrap(), done.commit_sha);
        world.finish().await;
    }
}

/// It would be a commit on production, and for nothing.
#[tokio::test]
async fn an_empty_repository_stays_empty_if_the_call_cannot_be_done() {
    let world = empty("main").await;
    bind(&world, ConfigureRepoRequest::default()).await;
    let files = vec![write("a.sql", "1\n")];
    let expecting = CommitFilesRequest { expected_head_sha: "0".repeat(40), ..request(files) };
    let refused = send(&world, expecting).await.unwrap_err();
    assert_reason(&refused, Code::Aborted, "HEAD_MOVED");
    let mode = FileChange { change: None, ..executable("run.sh", "") };
    let refused = send(&world, request(vec![mode])).await.unwrap_err();
    assert_reason(&refused, Code::FailedPrecondition, "FILE_MISSING");
    assert_eq!((world.sim.head(REPO, "main"), world.sim.count(PUT)), (None, 0));
    world.finish().await;
}

#[tokio::test]
async fn an_empty_repository_of_another_default_branch_gets_the_production_branch_too() {
    let world = empty("trunk").await;
    let (production_branch, subdirectory) = ("live".into(), Some("dbt".into()));
    let request = ConfigureRepoRequest { production_branch, subdirectory, ..Default::default() };
    bind(&world, request).await;
    world.commit("Add", vec![write("a.sql", "1\n")]).await.unwrap();
    assert_eq!(world.sim.head(REPO, "live"), world.sim.head(REPO, "trunk"));
    let listed = files(&world.sim.git_dir(REPO), "staging");
    assert_eq!(listed, ["100644 dbt/.gitkeep", "100644 dbt/a.sql"], "nothing outside of it");
    world.finish().await;
}

#[tokio::test]
async fn whatever_is_lost_an_empty_repository_ends_with_one_first_commit() {
    for default_branch in ["main", "trunk"] {
        for route in [PUT, "POST /repos/{owner}/{repo}/git/refs"] {
            for effect in [Effect::DropBefore, Effect::DropAfter, Effect::Garbage] {
                let world = empty(default_branch).await;
                let production_branch = "main".into();
                bind(&world, ConfigureRepoRequest { production_branch, ..Default::default() })
                    .await;
                world.sim.fault(Fault::once(route, effect.clone()));
                let lost = format!("{default_branch}: {route} {effect:?}");
                let files = || vec![write("a.sql", "1\n")];
                if let Err(failed) = world.commit("Add", files()).await {
                    assert_reason(&failed, Code::Unavailable, "GITHUB_UNAVAILABLE");
                    world.commit("Add", files()).await.unwrap();
                }
                let repository = world.sim.git_dir(REPO);
                assert_eq!(commits(&repository, "main"), 1, "{lost}");
                assert_eq!(commits(&repository, "staging"), 2, "{lost}");
                world.finish().await;
            }
        }
    }
}

#[tokio::test]
async fn a_staging_branch_that_must_exist_is_not_made() {
    for world in [World::connected().await, empty("main").await] {
        bind(&world, ConfigureRepoRequest { staging_must_exist: Some(true), ..Default::default() })
            .await;
        let refused = world.commit("Add", vec![write("a.sql", "1\n")]).await.unwrap_err();
        let details = assert_reason(&refused, Code::FailedPrecondition, "BRANCH_MISSING");
        assert_eq!(details.error_info().unwrap().metadata["branch"], "staging");
        assert_eq!(world.sim.head(REPO, "staging"), None);
        assert_eq!(world.sim.count(PUT), 0);
    }
}

#[tokio::test]
async fn a_project_that_was_there_before_is_connected_at_a_commit_of_its_history() {
    let world = World::connected().await;
    let base = world.sim.head(REPO, "main").unwrap();
    world.sim.commit(REPO, "main", &[("by-hand.sql", "1\n")]);
    bind(&world, ConfigureRepoRequest { staging_base: Some(base.clone()), ..Default::default() })
        .await;
    world.commit("Upgrade", vec![write("models/new.sql", "1\n")]).await.unwrap();
    assert_eq!(parent(&world, "staging"), base);
    let ask =
        ghbroker::proto::OpenPromotionPrRequest { account: ACCOUNT.into(), ..Default::default() };
    assert_eq!(world.open_promotion_pr(ask).await.unwrap().commits_ahead, 1);
    world.finish().await;
}

#[tokio::test]
async fn no_branch_begins_at_a_commit_that_production_does_not_have() {
    let world = with_work_branches().await;
    let repository = world.sim.git_dir(REPO);
    // As one of a fork is: in the same store of objects, and on no branch of this repository.
    let tree = git(&repository, &["rev-parse", "main^{tree}"]);
    let name = ["-c", "user.name=mallory", "-c", "user.email=mallory@example.com"];
    let make = ["commit-tree", "-p", "main", "-m", "Not reviewed", tree.trim()];
    let foreign = git(&repository, &[&name[..], &make[..]].concat()).trim().to_owned();
    for commit in [foreign, "0".repeat(40)] {
        let refused = send(&world, on("adagent/7", &commit)).await.unwrap_err();
        let details = assert_reason(&refused, Code::InvalidArgument, "INVALID_FIELD");
        assert_eq!(details.bad_request().unwrap().field_violations[0].field, "base");
        bind(&world, ConfigureRepoRequest { staging_base: Some(commit), ..Default::default() })
            .await;
        let refused = world.commit("Add", vec![write("a.sql", "1\n")]).await.unwrap_err();
        assert_reason(&refused, Code::FailedPrecondition, "BRANCH_MISSING");
    }
    assert_eq!(world.sim.head(REPO, "staging"), None);
    assert_eq!(world.sim.head(REPO, "adagent/7"), None);
    world.finish().await;
}

#[tokio::test]
async fn a_work_branch_begins_where_it_is_asked_to_and_only_once() {
    let world = with_work_branches().await;
    let old = world.sim.head(REPO, "main").unwrap();
    let main = world.sim.move_head(REPO, "main");
    let release = world.sim.commit(REPO, "release", &[("RELEASE", "1\n")]);
    for (branch, base, begins) in [
        ("adagent/default", "", &main),
        ("adagent/branch", "release", &release),
        ("adagent/commit", old.as_str(), &old),
    ] {
        let done = send(&world, on(branch, base)).await.unwrap();
        assert_eq!(done.branch, branch);
        assert_eq!(parent(&world, branch), *begins, "{branch}");
        let again = CommitFilesRequest {
            files: vec![write("models/more.sql", "1\n")],
            ..on(branch, "release")
        };
        send(&world, again).await.unwrap();
        assert_eq!(parent(&world, branch), done.commit_sha, "it goes on where it is");
    }
    assert_eq!(world.sim.head(REPO, "main").unwrap(), main);
    assert_eq!(world.sim.head(REPO, "staging"), None);
    world.finish().await;
}

#[tokio::test]
async fn a_base_that_cannot_be_is_refused() {
    let world = with_work_branches().await;
    let refused = send(&world, on("adagent/7", "nowhere")).await.unwrap_err();
    let details = assert_reason(&refused, Code::FailedPrecondition, "BRANCH_MISSING");
    assert_eq!(details.error_info().unwrap().metadata["branch"], "nowhere");
    for staging in ["", "staging"] {
        let refused = send(&world, on(staging, "main")).await.unwrap_err();
        assert_reason(&refused, Code::InvalidArgument, "INVALID_FIELD");
        assert!(refused.message().contains("ConfigureRepo"), "{refused:?}");
    }
    world.finish().await;
}

#[tokio::test]
async fn a_branch_in_the_way_of_another_is_named() {
    let world = with_work_branches().await;
    world.sim.commit(REPO, "adagent", &[("in-the-way", "1\n")]);
    for files in [vec![write("a.sql", "1\n")], vec![executable("run.sh", "1\n")]] {
        let asked = CommitFilesRequest { branch: "adagent/7".into(), ..request(files) };
        let refused = send(&world, asked).await.unwrap_err();
        assert_reason(&refused, Code::FailedPrecondition, "REFUSED_BY_GITHUB");
        assert!(refused.message().contains("there is a branch adagent,"), "{refused:?}");
    }
    world.finish().await;
}
