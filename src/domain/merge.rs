//! How a pull request is merged.

/// The ways that GitHub has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MergeMethod {
    /// A merge commit with both branches as parents.
    Merge,
    /// One commit with all changes.
    Squash,
    /// Each commit anew on top of the base.
    Rebase,
}

impl MergeMethod {
    /// GitHub's word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Merge => "merge",
            Self::Squash => "squash",
            Self::Rebase => "rebase",
        }
    }
}
