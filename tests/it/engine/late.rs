//! What comes late: requests that take effect after their answer was lost, and calls whose time is over.

use std::time::Duration;

use ghbroker::proto::CommitFilesRequest;
use github_sim::{Effect, Fault, Gate};
use tonic::{Code, Request};

use super::{history, request, text, world_with_staging};
use crate::harness::{REPO, executable, git::git, status::assert_reason, write};

const GRAPHQL: &str = "POST /graphql createCommitOnBranch";

/// GitHub goes on with a request that it has given up answering: the second one finds the branch moved, by the first.
#[tokio::test]
async fn a_commit_that_lands_after_its_answer_was_lost_is_the_callers() {
    let world = world_with_staging().await;
    let head = world.sim.head(REPO, "staging").unwrap();
    let gate = Gate::new();
    world.sim.fault(Fault::once(GRAPHQL, Effect::Status { status: 502, html: true }));
    world.sim.fault(Fault::nth(GRAPHQL, 2, Effect::Hold(gate.clone())));
    let message = "A commit by somebody else".to_owned();
    let files = vec![write("a.sql", "1\n")];
    let call = CommitFilesRequest { expected_head_sha: head, message, ..request(files) };
    let late = async {
        gate.arrived(1).await;
        let landed = world.sim.commit(REPO, "staging", &[("a.sql", "1\n")]);
        gate.open();
        landed
    };
    let (done, landed) = tokio::join!(world.commit_files(call), late);
    let done = done.unwrap();
    assert_eq!((done.commit_sha, done.files_added, done.unchanged), (landed, 1, false));
    assert_eq!(history(&world).len(), 3);
    world.finish().await;
}

/// The caller has been told that nothing is known: nothing may become of the call later, when somebody has looked.
#[tokio::test]
async fn a_call_whose_time_is_over_moves_no_branch() {
    let routes =
        ["POST /graphql repository", "git/blobs", "git/trees", "git/commits"].map(|route| {
            if route.contains("graphql") {
                route.to_owned()
            } else {
                format!("POST /repos/{{owner}}/{{repo}}/{route}")
            }
        });
    for route in routes {
        let world = world_with_staging().await;
        let gate = Gate::new();
        world.sim.fault(Fault::once(&route, Effect::Hold(gate.clone())));
        let files = vec![executable("late.sh", vec![255, 0])];
        let mut late = Request::new(request(files));
        late.set_timeout(Duration::from_millis(1500));
        let mut client = world.broker.clone();
        let (refused, ()) = tokio::join!(client.commit_files(late), gate.arrived(1));
        assert_reason(&refused.unwrap_err(), Code::DeadlineExceeded, "DEADLINE_EXCEEDED");
        gate.open();
        // Its turn comes when the late one has ended.
        world.commit("Next", vec![write("next.sql", "1\n")]).await.unwrap();
        let all = git(&world.sim.git_dir(REPO), &["ls-tree", "-r", "--name-only", "staging"]);
        assert!(!all.contains("late"), "{route}: {all}");
        assert_eq!(history(&world).len(), 3, "{route}");
        assert_eq!(text(&world.sim.git_dir(REPO), "staging", "next.sql"), "1\n");
        world.finish().await;
    }
}
