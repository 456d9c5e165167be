//! Making the commit: one GraphQL mutation where it fits, git's own objects over REST where it does not.

use futures_util::{StreamExt, TryStreamExt, stream};

use super::{
    branch::Head,
    plan::{Body, Plan, Write},
    work::Work,
};
use crate::{
    domain::{FileMode, ObjectId},
    github::{self, CommitOnBranch, Content, Kind, NewEntry, PushedCommit},
};

/// `createCommitOnBranch` takes about 40 MB of request, and base64 adds a third: this leaves room for paths and message.
const MUTATION_BYTES: usize = 28 * 1024 * 1024;
/// Largest tree that is sent at once, with the text that travels inside of it instead of as blobs: GitHub fails at about
/// 2.5 MB, and JSON may double a text.
const TREE_BYTES: usize = 1024 * 1024;
/// Blobs sent at once: GitHub advises against bursts of changes.
const BLOBS_AT_ONCE: usize = 4;

impl Work<'_> {
    /// Makes the commit on top of `head`. None if the branch is somewhere else by now.
    pub(super) async fn apply(
        &self,
        head: &Head,
        plan: &Plan,
    ) -> Result<Option<PushedCommit>, github::Error> {
        if !head.on_branch && !self.begin_branch(head).await? {
            return Ok(None);
        }
        if plan.needs_modes || plan.bytes > MUTATION_BYTES {
            return self.apply_objects(head, plan).await;
        }
        match self.apply_mutation(head, plan).await {
            Err(error) if error.kind == Kind::Unsupported => self.apply_objects(head, plan).await,
            result => result.map(Some),
        }
    }

    /// Creates the branch, now that there is something to commit to it. False if somebody was faster: what was
    /// read may be stale then.
    async fn begin_branch(&self, head: &Head) -> Result<bool, github::Error> {
        let (token, repository) = (self.token, self.repository());
        match self.github().create_branch(token, repository, self.branch, head.id).await {
            Ok(()) => Ok(true),
            Err(error) if error.kind == Kind::AlreadyExists => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn apply_mutation(
        &self,
        head: &Head,
        plan: &Plan,
    ) -> Result<PushedCommit, github::Error> {
        let additions: Vec<_> = plan
            .writes
            .iter()
            .filter_map(|write| match &write.body {
                Body::New(content) => Some((write.path.clone(), content.clone())),
                Body::Kept(_) => None,
            })
            .collect();
        let commit = CommitOnBranch {
            branch: self.branch,
            expected_head: head.id,
            message: &self.request.message,
            additions: &additions,
            deletions: &plan.deletions,
        };
        self.github().commit_on_branch(self.token, self.repository(), commit).await
    }

    async fn apply_objects(
        &self,
        head: &Head,
        plan: &Plan,
    ) -> Result<Option<PushedCommit>, github::Error> {
        let (github, token, repository) = (self.github(), self.token, self.repository());
        let tree = self.tree(head.tree, plan).await?;
        let commit =
            github.create_commit(token, repository, &self.request.message, tree, head.id).await?;
        // GitHub moves a branch forward to any descendant. One that somebody has set back meanwhile must not be: look
        // once more. What is left is the time of one request.
        if github.branch_head(token, repository, self.branch).await? != Some(head.id) {
            return Ok(None);
        }
        github.update_branch(token, repository, self.branch, commit.id).await?;
        Ok(Some(PushedCommit { id: commit.id, url: commit.html_url }))
    }

    /// Builds the tree in as few requests as its size allows.
    async fn tree(&self, base: ObjectId, plan: &Plan) -> Result<ObjectId, github::Error> {
        let deletions = plan.deletions.iter().map(|path| NewEntry {
            path: path.clone(),
            mode: FileMode::Regular,
            content: Content::Delete,
        });
        let writes: Vec<_> = plan.writes.iter().map(|write| self.entry(write)).collect();
        let mut entries = stream::iter(deletions.map(Ok))
            .chain(stream::iter(writes).buffered(BLOBS_AT_ONCE))
            .boxed();
        let (mut tree, mut chunk, mut size) = (base, Vec::new(), 0);
        while let Some(entry) = entries.try_next().await? {
            let bytes = entry.size();
            if size + bytes > TREE_BYTES && !chunk.is_empty() {
                tree =
                    self.github().create_tree(self.token, self.repository(), tree, &chunk).await?;
                chunk.clear();
                size = 0;
            }
            size += bytes;
            chunk.push(entry);
        }
        self.github().create_tree(self.token, self.repository(), tree, &chunk).await
    }

    async fn entry(&self, write: &Write) -> Result<NewEntry, github::Error> {
        let content = match &write.body {
            Body::Kept(id) => Content::Blob(*id),
            Body::New(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) if text.len() <= TREE_BYTES => Content::Text(text.to_owned()),
                _ => Content::Blob(
                    self.github().create_blob(self.token, self.repository(), bytes).await?,
                ),
            },
        };
        Ok(NewEntry { path: write.path.clone(), mode: write.mode, content })
    }
}
