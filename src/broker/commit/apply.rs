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
/// Text up to this size travels inside the tree instead of as a blob of its own: GitHub fails at about 2.5 MB in all.
const INLINE_BYTES: usize = 1024 * 1024;
/// Blobs sent at once: GitHub advises against bursts of changes.
const BLOBS_AT_ONCE: usize = 4;

impl Work<'_> {
    /// Makes the commit on top of `head`, or fails if the branch is no longer there.
    pub(super) async fn apply(
        &self,
        head: &Head,
        plan: &Plan,
    ) -> Result<PushedCommit, github::Error> {
        if plan.needs_modes || plan.bytes > MUTATION_BYTES {
            return self.apply_objects(head, plan).await;
        }
        match self.apply_mutation(head, plan).await {
            Err(error) if error.kind == Kind::Unsupported => self.apply_objects(head, plan).await,
            result => result,
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
            branch: self.staging(),
            expected_head: head.id,
            message: &self.request.message,
            additions: &additions,
            deletions: &plan.deletions,
        };
        self.github().commit_on_branch(self.token, self.repository(), commit).await
    }

    async fn apply_objects(&self, head: &Head, plan: &Plan) -> Result<PushedCommit, github::Error> {
        let (github, token, repository) = (self.github(), self.token, self.repository());
        let tree = self.tree(head.tree, plan).await?;
        let commit =
            github.create_commit(token, repository, &self.request.message, tree, head.id).await?;
        github.update_branch(token, repository, self.staging(), commit.id).await?;
        Ok(PushedCommit { id: commit.id, url: commit.html_url })
    }

    /// Builds the tree in as few requests as its size allows.
    async fn tree(&self, base: ObjectId, plan: &Plan) -> Result<ObjectId, github::Error> {
        let mut tree = base;
        let mut chunk: Vec<NewEntry> = Vec::new();
        let mut chunk_bytes = 0;
        for path in &plan.deletions {
            chunk.push(NewEntry {
                path: path.clone(),
                mode: FileMode::Regular,
                content: Content::Delete,
            });
        }
        let entries: Vec<_> = plan.writes.iter().map(|write| self.entry(write)).collect();
        let mut entries = stream::iter(entries).buffered(BLOBS_AT_ONCE);
        while let Some(entry) = entries.try_next().await? {
            let size = entry.inline_bytes();
            if chunk_bytes + size > INLINE_BYTES && !chunk.is_empty() {
                tree =
                    self.github().create_tree(self.token, self.repository(), tree, &chunk).await?;
                chunk.clear();
                chunk_bytes = 0;
            }
            chunk_bytes += size;
            chunk.push(entry);
        }
        self.github().create_tree(self.token, self.repository(), tree, &chunk).await
    }

    async fn entry(&self, write: &Write) -> Result<NewEntry, github::Error> {
        let content = match &write.body {
            Body::Kept(id) => Content::Blob(*id),
            Body::New(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) if text.len() <= INLINE_BYTES => Content::Text(text.to_owned()),
                _ => Content::Blob(
                    self.github().create_blob(self.token, self.repository(), bytes).await?,
                ),
            },
        };
        Ok(NewEntry { path: write.path.clone(), mode: write.mode, content })
    }
}
