//! Hosts that are not quite GitHub: what their GraphQL lacks, REST does.

use github_sim::{Effect, Fault, Gate};
use tonic::Code;

use crate::harness::{
    self, REPO, World, executable,
    git::{commits, files},
    liar::Liar,
    status::assert_reason,
    write,
};

/// What such hosts answer to a document that they do not know.
fn moods() -> Vec<Effect> {
    let page = |status, html| Effect::Status { status, html };
    vec![
        page(404, true),
        page(404, false),
        page(400, false),
        page(422, false),
        page(500, true),
        page(501, false),
        Effect::Says("{}"),
        Effect::Says(r#"{"data":null}"#),
        Effect::Says(r#"{"data":{}}"#),
        Effect::Says(r#"{"data":{"repository":null}}"#),
        Effect::Says(r#"{"data":{"repository":{"id":"R_1"}}}"#),
        Effect::Says(r#"{"errors":[{"message":"unknown operation"}]}"#),
        Effect::Says(
            r#"{"data":{"updateRefs":null,"createCommitOnBranch":null},"errors":[{"message":"no"}]}"#,
        ),
        Effect::Says("[]"),
    ]
}

#[tokio::test]
async fn whatever_graphql_says_a_commit_is_made_by_rest() {
    for (field, mood) in ["repository", "createCommitOnBranch", "updateRefs", ""]
        .into_iter()
        .flat_map(|field| moods().into_iter().map(move |mood| (field, mood)))
    {
        let world = World::connected().await;
        world.commit("First", vec![write("first.sql", "0\n")]).await.unwrap();
        let route = format!("POST /graphql {field}");
        world.sim.fault(Fault::always(route.trim_end(), mood.clone()));
        let what = format!("{route}: {mood:?}");
        for (n, file) in
            [write("a.sql", "1\n"), executable("run.sh", "1\n")].into_iter().enumerate()
        {
            let done = world.commit("Add", vec![file]).await;
            let done = done.unwrap_or_else(|failed| panic!("{what}: {failed:?}"));
            assert_eq!((done.unchanged, done.files_added), (false, 1), "{what}");
            assert_eq!(commits(&world.sim.git_dir(REPO), "staging"), 3 + n, "{what}");
        }
        world.finish().await;
    }
}

/// A host that knows the repository, and nothing of its branches.
#[tokio::test]
async fn branches_that_graphql_does_not_show_are_found_over_rest() {
    let world = World::connected().await;
    world.commit("First", vec![write("first.sql", "0\n")]).await.unwrap();
    let id = world.sim.repository_id(REPO);
    let known = format!(
        r#"{{"data":{{"repository":{{"id":"R_1","databaseId":{id},"nameWithOwner":"{REPO}","isEmpty":false,"branch":null,"beside":null}}}}}}"#
    );
    world.sim.fault(Fault::always("POST /graphql repository", Effect::Says(known.leak())));
    let done = world.commit("Second", vec![write("second.sql", "0\n")]).await.unwrap();
    assert_eq!(world.sim.head(REPO, "staging").unwrap(), done.commit_sha);
    assert_eq!(commits(&world.sim.git_dir(REPO), "staging"), 3);
    world.finish().await;
}

#[tokio::test]
async fn a_tag_of_the_same_name_is_not_the_branch() {
    let world = World::connected().await;
    world.commit("First", vec![write("first.sql", "0\n")]).await.unwrap();
    let repository = world.sim.git_dir(REPO);
    for tag in ["staging", "main", "heads/staging"] {
        crate::harness::git::git(&repository, &["tag", tag, "main"]);
    }
    let done = world.commit("Second", vec![write("models/second.sql", "0\n")]).await.unwrap();
    assert_eq!(world.sim.head(REPO, "staging").unwrap(), done.commit_sha);
    assert!(files(&repository, "refs/heads/staging").contains(&"100644 first.sql".to_owned()));
    world.finish().await;
}

/// Trees can have permissions that git wrote long ago, or that somebody wrote by hand; git reads them as usual ones.
#[tokio::test]
async fn odd_permissions_are_read_as_git_reads_them() {
    let (mut world, liar) = Liar::world(harness::seed()).await;
    world.register(harness::ACCOUNT, harness::INSTALLATION).await;
    world.configure(harness::ACCOUNT, REPO).await;
    let first = vec![write("d/a.sql", "1\n"), executable("d/run.sh", "1\n")];
    world.commit("First", first).await.unwrap();
    world.sim.disable_graphql();
    liar.lie("GET ", |answer| {
        let odd = answer.body.to_string().replace(r#""100644""#, r#""100640""#);
        let odd = odd.replace(r#""100755""#, r#""100700""#);
        answer.body = serde_json::from_str(&odd).unwrap();
    });
    let second =
        vec![write("d/a.sql", "1\n"), executable("d/run.sh", "2\n"), write("d/b.sql", "2\n")];
    let done = world.commit("Second", second).await.unwrap();
    assert_eq!((done.files_added, done.files_changed, done.files_unchanged), (1, 1, 1));
    world.finish().await;
}

#[tokio::test]
async fn a_token_that_may_read_and_not_write_is_told_so() {
    let mut world = World::start().await;
    let scopes = vec!["repo".into()];
    let token = world.pat(github_sim::seed::Pat { scopes, ..Default::default() });
    let account = crate::harness::ACCOUNT;
    let set =
        ghbroker::proto::SetPatRequest { account: account.into(), token, ..Default::default() };
    world.set_pat(set).await.unwrap();
    world.configure(account, REPO).await;
    world.sim.commit(REPO, "staging", &[("first.sql", "0\n")]);
    // As GitHub answers who may see and not write.
    for route in ["POST /graphql createCommitOnBranch", "POST /repos/{owner}/{repo}/git/trees"] {
        world.sim.fault(Fault::always(route, Effect::Status { status: 404, html: false }));
    }
    let refused = world.commit("Add", vec![executable("run.sh", "1\n")]).await.unwrap_err();
    assert_reason(&refused, Code::NotFound, "REPO_NOT_ACCESSIBLE");
    world.finish().await;
}

/// What GitHub answers when the branch is somewhere else.
const STALE: &str = r#"{"data":{"createCommitOnBranch":null},"errors":[{"type":"STALE_DATA","message":"Expected branch to point to \"a\" but it did not."}]}"#;

/// A request with an id, so that it can be repeated.
fn named() -> ghbroker::proto::CommitFilesRequest {
    let files = vec![write("a.sql", "1\n")];
    ghbroker::proto::CommitFilesRequest { request_id: "run-42".into(), ..super::request(files) }
}

#[tokio::test]
async fn who_is_never_fast_enough_is_told_so() {
    let world = World::connected().await;
    world.commit("First", vec![write("first.sql", "0\n")]).await.unwrap();
    world.sim.fault(Fault::always("POST /graphql createCommitOnBranch", Effect::Says(STALE)));
    let refused = super::send(&world, named()).await.unwrap_err();
    assert_reason(&refused, Code::Aborted, "HEAD_MOVED");
    assert_eq!(world.sim.count("POST /graphql createCommitOnBranch"), 8 + 1, "and one before");
    world.sim.clear_faults();
    assert!(!super::send(&world, named()).await.unwrap().unchanged);
    world.finish().await;
}

#[tokio::test]
async fn what_is_lost_every_time_is_unavailable_and_found_by_the_retry() {
    for lost in [Effect::DropBefore, Effect::DropAfter] {
        let world = World::connected().await;
        world.commit("First", vec![write("first.sql", "0\n")]).await.unwrap();
        // Looks get no answer either, once the first mutation is lost.
        world.sim.fault(Fault::always("POST /graphql createCommitOnBranch", lost.clone()));
        world.sim.fault(Fault {
            spared: 1,
            ..Fault::always("POST /graphql repository", Effect::DropBefore)
        });
        let refused = super::send(&world, named()).await.unwrap_err();
        assert_reason(&refused, Code::Unavailable, "GITHUB_UNAVAILABLE");
        world.sim.clear_faults();
        world.advance(std::time::Duration::from_secs(60));
        // Whoever pushes now does not hide it.
        let theirs = world.sim.commit(REPO, "staging", &[("a.sql", "theirs\n")]);
        let done = super::send(&world, named()).await.unwrap();
        let repository = world.sim.git_dir(REPO);
        assert_eq!((done.unchanged, commits(&repository, "staging")), (false, 4), "{lost:?}");
        let on_top = world.sim.head(REPO, "staging").unwrap() == theirs;
        assert_eq!(on_top, matches!(lost, Effect::DropAfter), "made before or after, and once");
        world.finish().await;
    }
}

/// What was lost before somebody pushed is not in doubt any more: whoever is too slow then is told that, and not of an outage.
#[tokio::test]
async fn what_was_lost_is_forgotten_once_the_branch_is_elsewhere() {
    const COMMIT: &str = "POST /graphql createCommitOnBranch";
    let world = World::connected().await;
    world.commit("First", vec![write("first.sql", "0\n")]).await.unwrap();
    let gate = Gate::new();
    world.sim.fault(Fault::once(COMMIT, Effect::DropBefore));
    world.sim.fault(Fault::always(COMMIT, Effect::Says(STALE)));
    world.sim.fault(Fault::nth("POST /graphql repository", 2, Effect::Hold(gate.clone())));
    let push = async {
        gate.arrived(1).await;
        world.sim.commit(REPO, "staging", &[("theirs.sql", "1\n")]);
        gate.open();
    };
    let (refused, ()) = tokio::join!(super::send(&world, named()), push);
    assert_reason(&refused.unwrap_err(), Code::Aborted, "HEAD_MOVED");
    world.finish().await;
}
