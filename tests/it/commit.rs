//! CommitFiles, held against what git itself has afterwards.

mod begin;
mod hosts;
mod requests;

use std::{collections::BTreeSet, time::Duration};

use ghbroker::proto::{self, CommitFilesRequest, CommitFilesResponse, FileChange, FileMode};
use github_sim::{Effect, Fault, Gate, Rule, Seen, seed};
use tonic::{Code, Status};

use crate::harness::{
    ACCOUNT, MINT, REPO, World, delete, executable,
    git::{commits, files, git},
    seed,
    status::assert_reason,
    write,
};

const GRAPHQL: &str = "POST /graphql createCommitOnBranch";
const LOOK: &str = "POST /graphql repository";
const SWAP: &str = "POST /graphql updateRefs";
const BLOB: &str = "POST /repos/{owner}/{repo}/git/blobs";

fn request(files: Vec<FileChange>) -> CommitFilesRequest {
    CommitFilesRequest {
        account: ACCOUNT.into(),
        message: "Change".into(),
        files,
        ..Default::default()
    }
}

async fn send(world: &World, request: CommitFilesRequest) -> Result<CommitFilesResponse, Status> {
    world.broker.clone().commit_files(request).await.map(tonic::Response::into_inner)
}

/// Text of a file at the head of staging.
fn text(world: &World, path: &str) -> String {
    git(&world.sim.git_dir(REPO), &["show", &format!("staging:{path}")])
}

#[tokio::test]
async fn many_files_are_one_commit_on_staging_alone() {
    let world = World::connected().await;
    let main = world.sim.head(REPO, "main").unwrap();
    let many =
        (0..300).map(|n| write(&format!("models/m{n}.sql"), format!("select {n}\n"))).collect();
    let done = world.commit("Add models\n\nAll of them.", many).await.unwrap();
    assert_eq!((done.files_added, done.files_changed, done.unchanged), (300, 0, false));
    assert_eq!(done.branch, "staging");
    assert!(done.url.ends_with(&done.commit_sha), "{}", done.url);
    let repository = world.sim.git_dir(REPO);
    assert_eq!(world.sim.head(REPO, "staging").unwrap(), done.commit_sha);
    assert_eq!(
        git(&repository, &["rev-parse", "staging^"]).trim(),
        main,
        "one commit on top of production"
    );
    assert_eq!(
        git(&repository, &["log", "-1", "--format=%B", "staging"]).trim(),
        "Add models\n\nAll of them."
    );
    assert_eq!(world.sim.head(REPO, "main").unwrap(), main);
    assert_eq!(files(&repository, "staging").len(), 302);
    assert_eq!(
        (world.sim.count(GRAPHQL), world.sim.count(LOOK), world.sim.count(BLOB)),
        (1, 2, 0),
        "ordinary files go in one request"
    );
    world.finish().await;
}

#[tokio::test]
async fn nothing_is_committed_when_nothing_differs() {
    let world = World::connected().await;
    let all = || {
        vec![write("a.sql", "1\n"), executable("run.sh", "#!/bin/sh\n"), delete("not/there.sql")]
    };
    let first = world.commit("Add", all()).await.unwrap();
    let again = world.commit("Add again", all()).await.unwrap();
    assert!(again.unchanged);
    assert_eq!((again.commit_sha, again.files_unchanged), (first.commit_sha, 3));
    let some = world
        .commit("Change one", vec![write("a.sql", "2\n"), write("README.md", "# Warehouse\n")])
        .await
        .unwrap();
    assert_eq!((some.files_changed, some.files_added, some.files_unchanged), (1, 0, 1));
    assert_eq!(commits(&world.sim.git_dir(REPO), "staging"), 3);
    world.finish().await;
}

#[tokio::test]
async fn additions_changes_deletions_modes_and_bytes_arrive_as_git_would_have_them() {
    let world = World::connected().await;
    let bytes: Vec<u8> = (0..=255).cycle().take(70_000).collect();
    let setup = vec![
        executable("bin/run.sh", "#!/bin/sh\n"),
        write("logo.png", bytes.clone()),
        write("old/gone.sql", "1\n"),
    ];
    world.commit("Set up", setup).await.unwrap();
    let changed = vec![
        write("bin/run.sh", "#!/bin/sh\nset -e\n"),
        write("models/umsätze/日本.sql", "select 'ä'\n"),
        delete("old/gone.sql"),
        FileChange { path: "README.md".into(), change: None, mode: FileMode::Executable.into() },
        write("empty", ""),
    ];
    let done = world.commit("Change", changed).await.unwrap();
    assert_eq!((done.files_added, done.files_changed, done.files_deleted), (2, 2, 1));
    let repository = world.sim.git_dir(REPO);
    assert_eq!(
        files(&repository, "staging"),
        [
            "100755 README.md",
            "100755 bin/run.sh",
            "100644 empty",
            "100644 logo.png",
            "100644 models/orders.sql",
            "100644 models/umsätze/日本.sql",
        ]
    );
    assert_eq!(text(&world, "bin/run.sh"), "#!/bin/sh\nset -e\n");
    let logo = std::process::Command::new("git")
        .arg("-C")
        .arg(&repository)
        .args(["cat-file", "blob", "staging:logo.png"])
        .output()
        .unwrap();
    assert_eq!(logo.stdout, bytes);
    world.finish().await;
}

#[tokio::test]
async fn a_host_without_the_mutation_gets_gits_own_objects() {
    for whole in [false, true] {
        let world = World::connected().await;
        if whole {
            world.sim.disable_graphql();
        } else {
            world.sim.disable_mutation("createCommitOnBranch");
        }
        let done = world
            .commit("Add", vec![write("a.sql", "1\n"), write("b.bin", vec![0, 159, 146, 150])])
            .await
            .unwrap();
        assert_eq!(world.sim.head(REPO, "staging").unwrap(), done.commit_sha);
        assert_eq!(world.sim.count(BLOB), 1, "text travels in the tree, bytes as a blob");
        world.finish().await;
    }
}

#[tokio::test]
async fn an_expected_head_that_moved_aborts_and_says_where_it_is() {
    let world = World::connected().await;
    let first = world.commit("Add", vec![write("a.sql", "1\n")]).await.unwrap().commit_sha;
    let moved = world.sim.move_head(REPO, "staging");
    let stale =
        CommitFilesRequest { expected_head_sha: first, ..request(vec![write("b.sql", "2\n")]) };
    let refused = send(&world, stale).await.unwrap_err();
    let details = assert_reason(&refused, Code::Aborted, "HEAD_MOVED");
    assert_eq!(details.error_info().unwrap().metadata["current_head_sha"], moved);
    assert_eq!(world.sim.head(REPO, "staging").unwrap(), moved);
    let right =
        CommitFilesRequest { expected_head_sha: moved, ..request(vec![write("b.sql", "2\n")]) };
    send(&world, right).await.unwrap();
    world.finish().await;
}

#[tokio::test]
async fn a_push_by_somebody_else_meanwhile_is_never_lost() {
    // Once by the mutation, once by git's objects, where the last request is the one that decides.
    for (files, last) in
        [(vec![write("a.sql", "1\n")], GRAPHQL), (vec![executable("run.sh", "1\n")], SWAP)]
    {
        let world = World::connected().await;
        world.commit("First", vec![write("first.sql", "0\n")]).await.unwrap();
        let gate = Gate::new();
        world.sim.fault(Fault::once(last, Effect::Hold(gate.clone())));
        let (mut client, sent) = (world.broker.clone(), request(files));
        let call = tokio::spawn(async move { client.commit_files(sent).await });
        gate.arrived(1).await;
        let theirs = world.sim.commit(REPO, "staging", &[("theirs.sql", "mine\n")]);
        gate.open();
        let done = call.await.unwrap().unwrap().into_inner();
        let repository = world.sim.git_dir(REPO);
        assert_eq!(git(&repository, &["rev-parse", "staging"]).trim(), done.commit_sha);
        assert_eq!(
            git(&repository, &["rev-parse", "staging^"]).trim(),
            theirs,
            "ours is on top of theirs"
        );
        assert_eq!(text(&world, "theirs.sql"), "mine\n");
        world.finish().await;
    }
}

#[tokio::test]
async fn parallel_commits_all_land() {
    let world = World::connected().await;
    let calls = (0..8).map(|n| send(&world, request(vec![write(&format!("m{n}.sql"), "1\n")])));
    let done = futures_util::future::join_all(calls).await;
    let shas: BTreeSet<String> = done.into_iter().map(|call| call.unwrap().commit_sha).collect();
    assert_eq!(shas.len(), 8);
    assert_eq!(commits(&world.sim.git_dir(REPO), "staging"), 1 + 8);
    world.finish().await;
}

/// Every route that a commit calls, by either way, and the token before it.
async fn routes_of(files: Vec<FileChange>) -> BTreeSet<String> {
    let world = World::connected().await;
    let before = world.sim.requests().len();
    world.commit("Change", files).await.unwrap();
    let named = |seen: Seen| match seen.field {
        Some(field) => format!("{} {field}", seen.route),
        None => seen.route,
    };
    world.sim.requests().into_iter().skip(before).map(named).collect()
}

#[tokio::test]
async fn a_connection_lost_at_any_request_still_makes_exactly_one_commit() {
    let ways = [
        vec![write("a.sql", "1\n")],
        vec![executable("run.sh", "1\n"), write("b.bin", vec![255, 0])],
    ];
    for files in ways {
        let routes = routes_of(files.clone()).await;
        assert!(routes.len() >= 4, "{routes:?}");
        for route in routes {
            for effect in [Effect::DropBefore, Effect::DropAfter, Effect::Garbage] {
                let lost = format!("{route} {effect:?}");
                let world = World::connected().await;
                world.commit("First", vec![write("first.sql", "0\n")]).await.unwrap();
                let reads = route.starts_with("GET") || route == MINT;
                world.sim.fault(Fault::once(&route, effect.clone()));
                let change = CommitFilesRequest {
                    message: "One line\nand another\r\n".into(),
                    expected_head_sha: world.sim.head(REPO, "staging").unwrap(),
                    ..request(files.clone())
                };
                let done = match send(&world, change.clone()).await {
                    Ok(done) => done,
                    // A read whose answer cannot be read fails the call, and the caller's retry does the work.
                    Err(refused) => {
                        assert!(reads, "{lost}: {refused:?}");
                        assert_reason(&refused, Code::Unavailable, "GITHUB_UNAVAILABLE");
                        world.advance(Duration::from_secs(2));
                        send(&world, change).await.unwrap()
                    }
                };
                // The caller is told of its own commit, and not that there was nothing to do.
                assert_eq!(
                    (done.unchanged, done.files_added as usize),
                    (false, files.len()),
                    "{lost}"
                );
                let repository = world.sim.git_dir(REPO);
                assert_eq!(commits(&repository, "staging"), 3, "{lost}");
                assert_eq!(world.sim.head(REPO, "staging").unwrap(), done.commit_sha, "{lost}");
                world.finish().await;
            }
        }
    }
}

#[tokio::test]
async fn a_commit_whose_answer_was_lost_is_found_below_what_others_pushed_on_top() {
    let world = World::connected().await;
    world.commit("First", vec![write("first.sql", "0\n")]).await.unwrap();
    // The effect happens and the answer is lost; the second look at the branch waits while somebody pushes.
    let gate = Gate::new();
    world.sim.fault(Fault::once(GRAPHQL, Effect::DropAfter));
    world.sim.fault(Fault::nth(LOOK, 2, Effect::Hold(gate.clone())));
    let (mut client, sent) = (world.broker.clone(), request(vec![write("a.sql", "1\n")]));
    let call = tokio::spawn(async move { client.commit_files(sent).await });
    gate.arrived(1).await;
    let ours = world.sim.head(REPO, "staging").unwrap();
    world.sim.commit(REPO, "staging", &[("theirs.sql", "2\n")]);
    gate.open();
    let done = call.await.unwrap().unwrap().into_inner();
    assert_eq!((done.commit_sha, done.unchanged), (ours, false));
    world.finish().await;
}

#[tokio::test]
async fn the_same_change_by_somebody_else_is_not_taken_for_the_callers() {
    let world = World::connected().await;
    world.commit("First", vec![write("first.sql", "0\n")]).await.unwrap();
    let gate = Gate::new();
    world.sim.fault(Fault::once(GRAPHQL, Effect::DropBefore));
    world.sim.fault(Fault::nth(LOOK, 2, Effect::Hold(gate.clone())));
    let (mut client, sent) = (world.broker.clone(), request(vec![write("a.sql", "1\n")]));
    let call = tokio::spawn(async move { client.commit_files(sent).await });
    gate.arrived(1).await;
    let theirs = world.sim.commit(REPO, "staging", &[("a.sql", "1\n")]);
    gate.open();
    let done = call.await.unwrap().unwrap().into_inner();
    assert_eq!((done.commit_sha, done.unchanged, done.files_added), (theirs, true, 0));
    world.finish().await;
}

#[tokio::test]
async fn a_refused_first_commit_leaves_no_branch_behind() {
    let world = World::connected().await;
    let wrong_head = CommitFilesRequest {
        expected_head_sha: "0".repeat(40),
        ..request(vec![write("a.sql", "1\n")])
    };
    let refused = send(&world, wrong_head).await.unwrap_err();
    assert_reason(&refused, Code::Aborted, "HEAD_MOVED");
    let no_room = world.commit("Add", vec![write("README.md/x", "1\n")]).await.unwrap_err();
    assert_reason(&no_room, Code::PermissionDenied, "PATH_NOT_ALLOWED");
    assert!(
        world.commit("Same", vec![write("README.md", "# Warehouse\n")]).await.unwrap().unchanged
    );
    assert_eq!(world.sim.head(REPO, "staging"), None);
    world.finish().await;
}

#[tokio::test]
async fn a_branch_that_somebody_set_back_is_not_moved_forward_again() {
    let world = World::connected().await;
    world.commit("First", vec![write("first.sql", "0\n")]).await.unwrap();
    world.commit("Second", vec![write("second.sql", "0\n")]).await.unwrap();
    let repository = world.sim.git_dir(REPO);
    let gate = Gate::new();
    let route = "POST /repos/{owner}/{repo}/git/commits";
    world.sim.fault(Fault::once(route, Effect::Hold(gate.clone())));
    let (mut client, sent) = (world.broker.clone(), request(vec![executable("run.sh", "1\n")]));
    let call = tokio::spawn(async move { client.commit_files(sent).await });
    gate.arrived(1).await;
    git(&repository, &["update-ref", "refs/heads/staging", "staging^"]);
    gate.open();
    call.await.unwrap().unwrap();
    let listed = files(&repository, "staging");
    assert!(!listed.iter().any(|file| file.ends_with("second.sql")), "{listed:?}");
    assert!(listed.iter().any(|file| file.ends_with("run.sh")), "{listed:?}");
    world.finish().await;
}

#[tokio::test]
async fn a_branch_deleted_meanwhile_begins_anew() {
    let world = World::connected().await;
    world.commit("First", vec![write("first.sql", "0\n")]).await.unwrap();
    let gate = Gate::new();
    world.sim.fault(Fault::once(GRAPHQL, Effect::Hold(gate.clone())));
    let (mut client, sent) = (world.broker.clone(), request(vec![write("a.sql", "1\n")]));
    let call = tokio::spawn(async move { client.commit_files(sent).await });
    gate.arrived(1).await;
    git(&world.sim.git_dir(REPO), &["update-ref", "-d", "refs/heads/staging"]);
    gate.open();
    let done = call.await.unwrap().unwrap().into_inner();
    assert_eq!(world.sim.head(REPO, "staging").unwrap(), done.commit_sha);
    world.finish().await;
}

#[tokio::test]
async fn many_small_files_with_modes_go_in_trees_that_github_takes() {
    let world = World::connected().await;
    let body = "x".repeat(900);
    let many: Vec<FileChange> =
        (0..2500).map(|n| executable(&format!("bin/tool-{n}.sh"), body.clone())).collect();
    let done = world.commit("Add tools", many).await.unwrap();
    assert_eq!(done.files_added, 2500);
    assert_eq!(world.sim.count("POST /repos/{owner}/{repo}/git/trees"), 3, "about 1 MiB each");
    let largest = world.sim.requests().into_iter().map(|seen| seen.body_bytes).max().unwrap();
    assert!(largest < 2 * 1024 * 1024, "{largest}");
    let gone = (0..2500)
        .map(|n| delete(&format!("bin/tool-{n}.sh")))
        .chain([executable("one.sh", "1")])
        .collect();
    assert_eq!(world.commit("Remove tools", gone).await.unwrap().files_deleted, 2500);
    assert_eq!(commits(&world.sim.git_dir(REPO), "staging"), 3);
    world.finish().await;
}

#[tokio::test]
async fn a_request_id_makes_a_retry_get_the_first_answer() {
    let mut world = World::connected().await;
    let with_id = |files| CommitFilesRequest { request_id: "run-42".into(), ..request(files) };
    let first = send(&world, with_id(vec![write("a.sql", "1\n")])).await.unwrap();
    world.sim.commit(REPO, "staging", &[("a.sql", "changed by hand\n")]);
    let again = send(&world, with_id(vec![write("a.sql", "1\n")])).await.unwrap();
    assert_eq!(again, first);
    world.restart().await;
    assert_eq!(
        send(&world, with_id(vec![write("a.sql", "1\n")])).await.unwrap(),
        first,
        "after a restart, too"
    );
    assert_eq!(text(&world, "a.sql"), "changed by hand\n");
    let other = send(&world, with_id(vec![write("a.sql", "2\n")])).await.unwrap_err();
    let details = assert_reason(&other, Code::InvalidArgument, "INVALID_FIELD");
    assert_eq!(details.bad_request().unwrap().field_violations[0].field, "request_id");
    world.advance(std::time::Duration::from_secs(25 * 3600));
    let later = send(&world, with_id(vec![write("a.sql", "2\n")])).await.unwrap();
    assert_ne!(later.commit_sha, first.commit_sha, "a day later the id is free");
    world.finish().await;
}

#[tokio::test]
async fn a_request_id_used_twice_at_once_makes_one_commit() {
    let world = World::connected().await;
    let call = || {
        send(
            &world,
            CommitFilesRequest { request_id: "x".into(), ..request(vec![write("a.sql", "1\n")]) },
        )
    };
    let (one, other) = tokio::join!(call(), call());
    assert_eq!(one.unwrap(), other.unwrap());
    assert_eq!(commits(&world.sim.git_dir(REPO), "staging"), 2);
    world.finish().await;
}

#[tokio::test]
async fn a_failed_call_leaves_its_request_id_free() {
    let world = World::connected().await;
    let with_id =
        || CommitFilesRequest { request_id: "x".into(), ..request(vec![write("a.sql", "1\n")]) };
    world.sim.archive(REPO, true);
    assert_reason(
        &send(&world, with_id()).await.unwrap_err(),
        Code::FailedPrecondition,
        "REPO_READ_ONLY",
    );
    world.sim.archive(REPO, false);
    send(&world, with_id()).await.unwrap();
    world.finish().await;
}

#[tokio::test]
async fn a_commit_says_who_asked_for_it_where_the_broker_is_told_so() {
    let mut world = World::configured(|config| config.commit_trailers = true).await;
    world.register(ACCOUNT, crate::harness::INSTALLATION).await;
    world.configure(ACCOUNT, REPO).await;
    let trailers = |world: &World| {
        let repository = world.sim.git_dir(REPO);
        let message =
            git(&repository, &["log", "-1", "--format=%(trailers:only,unfold)", "staging"]);
        message.trim().to_owned()
    };
    let named = CommitFilesRequest {
        message: "Add\n\nCloses: #7".into(),
        request_id: "run-42".into(),
        ..request(vec![write("a.sql", "1\n")])
    };
    send(&world, named.clone()).await.unwrap();
    assert_eq!(
        trailers(&world),
        "Closes: #7\nGhbroker-Caller: anonymous\nGhbroker-Request-Id: run-42"
    );
    let line = world.audit().pop().unwrap();
    assert_eq!(
        (&line["branch"], &line["client_request_id"]),
        (&"staging".into(), &"run-42".into())
    );
    let elsewhere = CommitFilesRequest { branch: "elsewhere".into(), ..named.clone() };
    assert_reason(
        &send(&world, elsewhere).await.unwrap_err(),
        Code::PermissionDenied,
        "BRANCH_NOT_ALLOWED",
    );
    let line = world.audit().pop().unwrap();
    assert_eq!((&line["branch"], &line["decision"]), (&"elsewhere".into(), &"deny".into()));
    // The trailers are part of what a lost answer is found by.
    world.sim.fault(Fault::once(GRAPHQL, Effect::DropAfter));
    let unnamed = world.commit("Change", vec![write("a.sql", "2\n")]).await.unwrap();
    assert_eq!((unnamed.unchanged, commits(&world.sim.git_dir(REPO), "staging")), (false, 3));
    let audited = world.audit();
    let call = audited.last().unwrap()["request_id"].as_str().unwrap();
    assert!(trailers(&world).ends_with(&format!("Ghbroker-Request-Id: {call}")));
    world.finish().await;
}

#[tokio::test]
async fn a_subdirectory_holds_everything() {
    let world = World::connected().await;
    let bind = proto::ConfigureRepoRequest {
        account: ACCOUNT.into(),
        repository: REPO.into(),
        subdirectory: Some("analytics/dbt".into()),
        ..Default::default()
    };
    world.admin.clone().configure_repo(bind).await.unwrap();
    world.commit("Add", vec![write("models/a.sql", "1\n"), delete("README.md")]).await.unwrap();
    let listed = files(&world.sim.git_dir(REPO), "staging");
    assert_eq!(
        listed,
        ["100644 README.md", "100644 analytics/dbt/models/a.sql", "100644 models/orders.sql"]
    );
    world.finish().await;
}

#[tokio::test]
async fn links_and_submodules_are_never_written_through() {
    let world = World::connected().await;
    world.commit("First", vec![write("a.sql", "1\n")]).await.unwrap();
    let repository = world.sim.git_dir(REPO);
    let tree = git(&repository, &["ls-tree", "staging"]);
    let blob = git(&repository, &["rev-parse", "staging:a.sql"]);
    let with_links = format!(
        "{tree}120000 blob {}\tlink\n160000 commit {}\tsub\n",
        blob.trim(),
        world.sim.head(REPO, "main").unwrap()
    );
    let tree = mktree(&repository, &with_links);
    let identity = ["-c", "user.name=a", "-c", "user.email=a@example.com"];
    let commit = git(
        &repository,
        &[&identity[..], &["commit-tree", tree.trim(), "-p", "staging", "-m", "Links"]].concat(),
    );
    git(&repository, &["update-ref", "refs/heads/staging", commit.trim()]);
    for path in ["link", "link/x", "sub/x", "a.sql/x"] {
        let refused = world.commit("Write", vec![write(path, "x")]).await.unwrap_err();
        assert_reason(&refused, Code::PermissionDenied, "PATH_NOT_ALLOWED");
    }
    assert_eq!(world.sim.head(REPO, "staging").unwrap(), commit.trim());
    world.commit("Write beside", vec![write("b.sql", "x"), delete("a.sql")]).await.unwrap();
    assert_eq!(
        files(&repository, "staging")
            .iter()
            .filter(|f| f.starts_with("120000") || f.starts_with("160000"))
            .count(),
        2
    );
    world.finish().await;
}

fn mktree(repository: &std::path::Path, listing: &str) -> String {
    use std::io::Write;
    let mut child = std::process::Command::new("git")
        .arg("-C")
        .arg(repository)
        .args(["mktree", "--missing"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(listing.as_bytes()).unwrap();
    String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap()
}

#[tokio::test]
async fn refusals_are_explained_and_leave_nothing_behind() {
    type Arrange = fn(&World);
    let cases: [(&str, Arrange, &str); 6] = [
        (
            "a ruleset",
            |w| {
                w.sim.add_ruleset(REPO, "staging", &[Rule::PullRequest]);
            },
            "REFUSED_BY_RULES",
        ),
        ("protection", |w| w.sim.protect_branch(REPO, "staging", &["ci"]), "REFUSED_BY_RULES"),
        ("secret scanning", |w| w.sim.block_secret("select 1"), "REFUSED_BY_RULES"),
        ("archived", |w| w.sim.archive(REPO, true), "REPO_READ_ONLY"),
        ("renamed", |w| w.sim.rename_repository(REPO, "depot"), "REPO_MOVED"),
        ("deleted", |w| w.sim.delete_repository(REPO), "REPO_NOT_ACCESSIBLE"),
    ];
    for (what, arrange, reason) in cases {
        for change in [write("a.sql", "select 1\n"), executable("run.sh", "select 1\n")] {
            let world = World::connected().await;
            world.commit("First", vec![write("first.sql", "0\n")]).await.unwrap();
            let head = world.sim.head(REPO, "staging").unwrap();
            arrange(&world);
            let refused = world.commit("Second", vec![change]).await.unwrap_err();
            let code = if reason == "REPO_NOT_ACCESSIBLE" {
                Code::NotFound
            } else {
                Code::FailedPrecondition
            };
            let details = assert_reason(&refused, code, reason);
            if what == "renamed" {
                assert_eq!(details.error_info().unwrap().metadata["repository"], "acme/depot");
            } else if what != "deleted" {
                assert_eq!(world.sim.head(REPO, "staging").unwrap(), head, "{what}");
            }
            world.finish().await;
        }
    }
}

#[tokio::test]
async fn a_personal_access_token_commits_as_its_owner() {
    let mut world = World::start().await;
    let pat =
        seed::Pat { owner: "alice".into(), scopes: vec!["repo".into()], ..Default::default() };
    let token = world.sim.add_pat(&pat).unwrap();
    world
        .broker
        .set_pat(proto::SetPatRequest {
            account: ACCOUNT.into(),
            token: token.clone(),
            ..Default::default()
        })
        .await
        .unwrap();
    world.configure(ACCOUNT, REPO).await;
    let done = world
        .commit("Add", vec![write("a.sql", "1\n"), executable("run.sh", "1\n")])
        .await
        .unwrap();
    assert_eq!(world.sim.head(REPO, "staging").unwrap(), done.commit_sha);
    world.sim.revoke_pat(&token);
    let refused = world.commit("More", vec![write("b.sql", "1\n")]).await.unwrap_err();
    assert_reason(&refused, Code::FailedPrecondition, "CREDENTIAL_REJECTED");
    let asked = world.sim.requests().len();
    let again = world.commit("More", vec![write("b.sql", "1\n")]).await.unwrap_err();
    assert_reason(&again, Code::FailedPrecondition, "CREDENTIAL_REJECTED");
    assert_eq!(world.sim.requests().len(), asked, "a token known to be refused is not sent again");
    world.finish().await;
}

#[tokio::test]
async fn a_repository_that_took_over_the_name_is_not_touched() {
    let mut world = World::start().await;
    let pat =
        seed::Pat { owner: "alice".into(), scopes: vec!["repo".into()], ..Default::default() };
    let token = world.sim.add_pat(&pat).unwrap();
    world
        .broker
        .set_pat(proto::SetPatRequest { account: ACCOUNT.into(), token, ..Default::default() })
        .await
        .unwrap();
    world.configure(ACCOUNT, REPO).await;
    world.sim.rename_repository(REPO, "depot");
    let new = seed().repositories.remove(0);
    world.sim.add_repository(&new).unwrap();
    let refused = world.commit("Add", vec![write("a.sql", "1\n")]).await.unwrap_err();
    assert_reason(&refused, Code::NotFound, "REPO_NOT_ACCESSIBLE");
    assert_eq!(world.sim.head(REPO, "staging"), None);
    world.finish().await;
}

#[tokio::test]
async fn the_same_on_postgresql() {
    let mut world = World::start_on_postgres().await;
    world.register(ACCOUNT, crate::harness::INSTALLATION).await;
    world.configure(ACCOUNT, REPO).await;
    let with_id =
        || CommitFilesRequest { request_id: "x".into(), ..request(vec![write("a.sql", "1\n")]) };
    let (one, other) = tokio::join!(send(&world, with_id()), send(&world, with_id()));
    assert_eq!(one.unwrap(), other.unwrap());
    world.restart().await;
    assert!(send(&world, request(vec![write("a.sql", "1\n")])).await.unwrap().unchanged);
    world.finish().await;
}
