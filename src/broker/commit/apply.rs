//! Making the commit: one GraphQL mutation where it fits, git's own objects over REST where it does not.

use futures_util::{StreamExt, TryStreamExt, stream};
use tracing::debug;

use super::{
    plan::{Body, Plan, Write},
    work::{Ground, Work},
};
use crate::{
    broker::{
        error::{Error, Reason},
        refusal::Failed,
    },
    domain::{FileMode, ObjectId, Token},
    github::{self, CommitOnBranch, Content, Kind, NewEntry, PushedCommit},
};

/// Longest request of `createCommitOnBranch`, contents in base64: GitHub takes about 40 MB and fails at 40 MiB.
const MUTATION_BYTES: usize = 38_000_000;
/// Largest tree that is sent at once, with the text that travels inside of it instead of as blobs: GitHub fails at about
/// 2.5 MB, and JSON may double a text.
const TREE_BYTES: usize = 1024 * 1024;
/// Blobs sent at once: GitHub advises against bursts of changes.
const BLOBS_AT_ONCE: usize = 4;

impl Work<'_> {
    /// Makes the commit, `by_graphql` as far as that goes. None if the branch is somewhere else by now.
    pub(super) async fn apply(
        &self,
        token: &Token,
        mut ground: Ground<'_>,
        plan: &Plan,
        by_graphql: bool,
    ) -> Result<Option<PushedCommit>, Failed> {
        let additions: Vec<_> = plan
            .writes
            .iter()
            .filter_map(|write| match &write.body {
                Body::New(content) => Some((&write.path, content)),
                Body::Kept(_) => None,
            })
            .collect();
        let commit = CommitOnBranch {
            branch: self.branch,
            expected_head: ground.head.id,
            message: self.message,
            additions: &additions,
            deletions: &plan.deletions,
        };
        if by_graphql && !plan.needs_modes && commit.size() <= MUTATION_BYTES {
            // The mutation makes no branch.
            if !ground.on_branch && !self.create_branch(token, ground.head.id).await? {
                return Ok(None);
            }
            ground.on_branch = true;
            match self.github().commit_on_branch(token, self.repository(), commit).await {
                Err(error) if objects_may_do(&error.kind) => {
                    debug!(%error, "no commit by GraphQL; it is made of git's objects");
                }
                result => return Ok(Some(result?)),
            }
        }
        self.apply_objects(token, ground, plan).await
    }

    async fn apply_objects(
        &self,
        token: &Token,
        ground: Ground<'_>,
        plan: &Plan,
    ) -> Result<Option<PushedCommit>, Failed> {
        let (github, repository, head) = (self.github(), self.repository(), ground.head);
        let objects = async {
            let tree = self.tree(token, head.tree, plan).await?;
            github.create_commit(token, repository, self.message, tree, head.id).await
        };
        let commit = self.while_in_time(objects).await?;
        self.in_time()?;
        let moved = if ground.on_branch {
            self.move_branch(token, ground, commit.id).await?
        } else {
            self.create_branch(token, commit.id).await?
        };
        Ok(moved.then_some(PushedCommit { id: commit.id, url: commit.html_url }))
    }

    /// Makes the branch. False if somebody was faster: what was read may be stale then.
    async fn create_branch(&self, token: &Token, at: ObjectId) -> Result<bool, Failed> {
        match self.github().create_branch(token, self.repository(), self.branch, at).await {
            Ok(()) => Ok(true),
            Err(error) if error.kind == Kind::AlreadyExists => Ok(false),
            Err(error) if error.kind == Kind::Invalid => Err(self.no_room(token, error).await),
            Err(error) => Err(error.into()),
        }
    }

    /// Why GitHub does not make the branch, which it does not say: git has no branch below another one.
    async fn no_room(&self, token: &Token, refused: github::Error) -> Failed {
        for above in self.branch.above() {
            let found = self.github().branch_head(token, self.repository(), &above).await;
            if matches!(found, Ok(Some(_))) {
                let message = format!(
                    "GitHub cannot make the branch {}: there is a branch {above}, and git has none below another one; choose \
                     another name, or delete that branch",
                    self.branch
                );
                return Error::new(Reason::RefusedByGithub, message).caused_by(refused).into();
            }
        }
        refused.into()
    }

    /// Moves the branch to a commit on top of its head. False if it is somewhere else by now.
    async fn move_branch(
        &self,
        token: &Token,
        ground: Ground<'_>,
        to: ObjectId,
    ) -> Result<bool, github::Error> {
        let (github, repository, from) = (self.github(), self.repository(), ground.head.id);
        if let Some(node_id) = ground.node_id {
            match github.swap_branch(token, node_id, self.branch, from, to).await {
                Ok(()) => return Ok(true),
                Err(error) if objects_may_do(&error.kind) => {
                    debug!(%error, "no swap by GraphQL; the branch is moved over REST");
                }
                Err(error) => return Err(error),
            }
        }
        // Over REST a branch moves forward to any descendant. One that somebody has set back meanwhile must not: look once
        // more. What is left is the time of one request.
        if github.branch_head(token, repository, self.branch).await? != Some(from) {
            return Ok(false);
        }
        github.update_branch(token, repository, self.branch, to).await?;
        Ok(true)
    }

    /// Builds the tree in as few requests as its size allows.
    async fn tree(
        &self,
        token: &Token,
        base: ObjectId,
        plan: &Plan,
    ) -> Result<ObjectId, github::Error> {
        let deletions = plan.deletions.iter().map(|path| NewEntry {
            path: path.clone(),
            mode: FileMode::Regular,
            content: Content::Delete,
        });
        let writes: Vec<_> = plan.writes.iter().map(|write| self.entry(token, write)).collect();
        let mut entries = stream::iter(deletions.map(Ok))
            .chain(stream::iter(writes).buffered(BLOBS_AT_ONCE))
            .boxed();
        let (mut tree, mut chunk, mut size) = (base, Vec::new(), 0);
        while let Some(entry) = entries.try_next().await? {
            let bytes = entry.size();
            if size + bytes > TREE_BYTES && !chunk.is_empty() {
                tree = self.github().create_tree(token, self.repository(), tree, &chunk).await?;
                chunk.clear();
                size = 0;
            }
            size += bytes;
            chunk.push(entry);
        }
        self.github().create_tree(token, self.repository(), tree, &chunk).await
    }

    async fn entry(&self, token: &Token, write: &Write) -> Result<NewEntry, github::Error> {
        let content = match &write.body {
            Body::Kept(id) => Content::Blob(*id),
            Body::New(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) if text.len() <= TREE_BYTES => Content::Text(text.to_owned()),
                _ => {
                    Content::Blob(self.github().create_blob(token, self.repository(), bytes).await?)
                }
            },
        };
        Ok(NewEntry { path: write.path.clone(), mode: write.mode, content })
    }
}

/// True if a refusal of GraphQL leaves open why, or says that it does not have or take this. REST then does it, or says what is
/// wrong.
fn objects_may_do(refusal: &Kind) -> bool {
    matches!(refusal, Kind::Unsupported | Kind::TooLarge | Kind::Invalid | Kind::Conflict)
}
