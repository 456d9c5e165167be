//! Every request of a call is lost in turn, whichever it is: there is exactly one commit, and the caller is told of it.

use futures_util::{StreamExt, stream};
use ghbroker::proto::FileChange;
use github_sim::{Effect, Fault};

use super::{history, patiently, repeatable};
use crate::harness::{REPO, World, delete, executable, git::git, write};

/// Cases that run at once.
const AT_ONCE: usize = 4;

/// What is committed, and where.
struct Way {
    /// There is a staging branch.
    staging: bool,
    arrange: fn(&World),
    files: Vec<FileChange>,
}

impl Way {
    /// A world in which nothing has been committed by the broker, so that every request of a commit is made.
    async fn world(&self) -> World {
        let world = World::connected().await;
        if self.staging {
            world.sim.commit(REPO, "staging", &[("old.sql", "0\n")]);
        }
        (self.arrange)(&world);
        world
    }

    async fn check(&self) {
        let world = self.world().await;
        let before = world.sim.requests().len();
        world.commit_files(repeatable("run-1", self.files.clone())).await.unwrap();
        let requests = world.sim.requests().len() - before;
        let right = tree(&world);
        world.finish().await;
        assert!(requests >= 2, "one request to read and one to write at least");
        let effects = [
            Effect::DropBefore,
            Effect::DropAfter,
            Effect::Garbage,
            Effect::Status { status: 502, html: true },
        ];
        let cases = (1..=requests)
            .flat_map(|number| effects.iter().map(move |effect| (number, effect.clone())))
            .map(|(number, effect)| self.lose(number, effect, &right));
        stream::iter(cases).for_each_concurrent(AT_ONCE, |case| case).await;
    }

    /// Loses the `number`-th request of a commit.
    async fn lose(&self, number: usize, effect: Effect, right: &str) {
        let lost = format!("request {number}, {effect:?}");
        let world = self.world().await;
        let base = if self.staging { "staging" } else { "main" };
        let base = world.sim.head(REPO, base).unwrap();
        world.sim.fault(Fault::nth("*", number as u32, effect));
        let call = async || world.commit_files(repeatable("run-1", self.files.clone())).await;
        let done = patiently(&world, 2, call).await;
        let history = history(&world);
        assert_eq!(history[..2], [done.commit_sha, base], "{lost}: one commit");
        assert_eq!(tree(&world), right, "{lost}");
        let told = done.files_added + done.files_changed + done.files_deleted;
        assert_eq!((done.unchanged, told as usize), (false, self.files.len()), "{lost}");
        let refs = git(&world.sim.git_dir(REPO), &["for-each-ref", "--format=%(refname:short)"]);
        assert_eq!(refs, "main\nstaging\n", "{lost}: nothing is left behind");
        world.finish().await;
    }
}

fn tree(world: &World) -> String {
    git(&world.sim.git_dir(REPO), &["ls-tree", "-r", "staging"])
}

fn plain() -> Vec<FileChange> {
    vec![write("a.sql", "1\n"), write("README.md", "changed\n"), delete("models/orders.sql")]
}

fn with_modes() -> Vec<FileChange> {
    vec![executable("run.sh", "1\n"), write("b.bin", vec![255, 0]), write("README.md", "changed\n")]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn plain_files() {
    Way { staging: true, arrange: |_| {}, files: plain() }.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_with_modes() {
    Way { staging: true, arrange: |_| {}, files: with_modes() }.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_commit_of_a_branch() {
    Way { staging: false, arrange: |_| {}, files: plain() }.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_commit_of_a_branch_with_modes() {
    Way { staging: false, arrange: |_| {}, files: with_modes() }.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_without_the_mutation() {
    let arrange = |world: &World| world.sim.disable_mutation("createCommitOnBranch");
    Way { staging: true, arrange, files: plain() }.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_without_graphql() {
    let arrange = |world: &World| world.sim.disable_graphql();
    Way { staging: true, arrange, files: plain() }.check().await;
}
