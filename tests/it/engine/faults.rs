//! Every request of a call is lost in turn, whichever it is: there is exactly one commit, and the caller is told of it.

use std::collections::BTreeSet;

use futures_util::{StreamExt, stream};
use ghbroker::proto::{CommitFilesRequest, FileChange};
use github_sim::{Effect, Fault};

use super::{patiently, repeatable};
use crate::harness::{REPO, World, delete, executable, git::git, write};

/// Cases that run at once.
const AT_ONCE: usize = 4;

/// What is committed, and where.
struct Way {
    branch: &'static str,
    /// Where the branch begins, unless it exists.
    begins: Option<&'static str>,
    arrange: fn(&World),
    files: Vec<FileChange>,
}

impl Way {
    /// To a staging branch that there is.
    fn on_staging(arrange: fn(&World), files: Vec<FileChange>) -> Self {
        Self { branch: "staging", begins: None, arrange, files }
    }

    /// A world in which nothing has been committed by the broker, so that every request of a commit is made.
    async fn world(&self) -> World {
        let world = World::connected().await;
        world.sim.commit(REPO, "main", &[("newer.sql", "0\n")]);
        if self.begins.is_none() {
            world.sim.commit(REPO, self.branch, &[("old.sql", "0\n")]);
        }
        (self.arrange)(&world);
        world
    }

    fn call(&self, world: &World) -> CommitFilesRequest {
        let mut request = repeatable("run-1", self.files.clone());
        if self.branch != "staging" {
            request.branch = self.branch.into();
            request.base = self.begins.map(|revision| id(world, revision)).unwrap_or_default();
        }
        request
    }

    async fn check(&self) {
        let world = self.world().await;
        let before = world.sim.requests().len();
        world.commit_files(self.call(&world)).await.unwrap();
        let requests = world.sim.requests().len() - before;
        let right = tree(&world, self.branch);
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
        let base = id(&world, self.begins.unwrap_or(self.branch));
        let call = self.call(&world);
        world.sim.fault(Fault::nth("*", number as u32, effect));
        let done = patiently(&world, 2, async || world.commit_files(call.clone()).await).await;
        assert_eq!(id(&world, self.branch), done.commit_sha, "{lost}");
        assert_eq!(id(&world, &format!("{}^", self.branch)), base, "{lost}: one commit");
        assert_eq!(tree(&world, self.branch), right, "{lost}");
        let told = done.files_added + done.files_changed + done.files_deleted;
        assert_eq!((done.unchanged, told as usize), (false, self.files.len()), "{lost}");
        let refs = git(&world.sim.git_dir(REPO), &["for-each-ref", "--format=%(refname:short)"]);
        let refs: BTreeSet<_> = refs.lines().collect();
        assert_eq!(refs, BTreeSet::from(["main", self.branch]), "{lost}: nothing is left behind");
        world.finish().await;
    }
}

fn id(world: &World, revision: &str) -> String {
    git(&world.sim.git_dir(REPO), &["rev-parse", revision]).trim().to_owned()
}

fn tree(world: &World, revision: &str) -> String {
    git(&world.sim.git_dir(REPO), &["ls-tree", "-r", revision])
}

fn plain() -> Vec<FileChange> {
    vec![write("a.sql", "1\n"), write("README.md", "changed\n"), delete("models/orders.sql")]
}

fn with_modes() -> Vec<FileChange> {
    vec![executable("run.sh", "1\n"), write("b.bin", vec![255, 0]), write("README.md", "changed\n")]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn plain_files() {
    Way::on_staging(|_| {}, plain()).check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_with_modes() {
    Way::on_staging(|_| {}, with_modes()).check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_without_the_mutation() {
    let arrange = |world: &World| world.sim.disable_mutation("createCommitOnBranch");
    Way::on_staging(arrange, plain()).check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_without_graphql() {
    Way::on_staging(|world| world.sim.disable_graphql(), plain()).check().await;
}

/// The first commit of a branch that begins there.
async fn begin(branch: &'static str, begins: &'static str, files: Vec<FileChange>) {
    Way { branch, begins: Some(begins), arrange: |_| {}, files }.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_commit_to_staging() {
    begin("staging", "main", plain()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_commit_to_staging_with_modes() {
    begin("staging", "main", with_modes()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_work_branch_that_begins_at_a_commit() {
    begin("adagent/1", "main~1", plain()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_work_branch_that_begins_at_a_commit_with_modes() {
    begin("adagent/1", "main~1", with_modes()).await;
}
