//! Whether there is anything to promote.

use super::Promotion;
use crate::{
    broker::{
        error::{Error, Reason},
        refusal::{Failed, branch_missing},
    },
    github::{self, Comparison, Kind},
};

impl Promotion<'_> {
    /// Commits of the head that the base does not have: at least one, and together they change something.
    pub(super) async fn commits_ahead(&self) -> Result<u64, Failed> {
        let (base, head) = (&self.ends.base, &self.ends.head);
        let compared = self.github().compare(self.token, self.repository(), base, head).await;
        let comparison = match compared {
            Ok(comparison) => comparison,
            Err(error) if error.kind == Kind::NotFound => {
                return Err(self.incomparable(error).await);
            }
            Err(error) => return Err(error.into()),
        };
        if comparison.ahead_by == 0 {
            return Err(Failed::Known(self.nothing_to_promote()));
        }
        if self.is_same(&comparison).await? {
            return Err(Failed::Known(self.merged_already(comparison.ahead_by)));
        }
        Ok(comparison.ahead_by)
    }

    /// True if both branches have the very same files, whatever their commits. The head's tree is read if the comparison
    /// does not have it; and before it is believed to be the same: which of its commits is the head says only their order.
    async fn is_same(&self, comparison: &Comparison) -> Result<bool, github::Error> {
        let same = |tree| tree == comparison.base_tree;
        if comparison.head_tree.is_some_and(|tree| !same(tree)) {
            return Ok(false);
        }
        self.github().branch_tree(self.token, self.repository(), &self.ends.head).await.map(same)
    }

    /// Why two branches cannot be compared.
    async fn incomparable(&self, error: github::Error) -> Failed {
        for branch in [&self.ends.head, &self.ends.base] {
            match self.github().branch_head(self.token, self.repository(), branch).await {
                Ok(Some(_)) => {}
                Ok(None) => return Failed::Known(branch_missing(branch, self.repository())),
                Err(error) => return error.into(),
            }
        }
        let (base, head) = (&self.ends.base, &self.ends.head);
        Failed::Known(
            Error::new(
                Reason::RefusedByGithub,
                format!(
                    "{head} and {base} have no history in common, so that GitHub merges neither into the other; begin {head} anew from {base}"
                ),
            )
            .caused_by(error),
        )
    }

    pub(super) fn nothing_to_promote(&self) -> Error {
        let (base, head) = (&self.ends.base, &self.ends.head);
        Error::new(
            Reason::NothingToPromote,
            format!("{head} has no commits that {base} does not have"),
        )
    }

    fn merged_already(&self, ahead: u64) -> Error {
        let (base, head) = (&self.ends.base, &self.ends.head);
        Error::new(
            Reason::NothingToPromote,
            format!(
                "{base} has the very same files as {head}, though not its last {ahead} commits: they were merged already, squashed or rebased, or they undo one another"
            ),
        )
    }
}
