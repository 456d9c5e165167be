//! Where branches begin.

use std::{fmt, str::FromStr};

use super::{BranchName, Invalid, ObjectId};

/// Where a branch begins that does not exist yet. As text: 40 hex digits are a commit, all else the name of a branch. Cheap
/// to clone.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Base {
    /// At the head that this branch has then.
    Branch(BranchName),
    /// At this commit.
    Commit(ObjectId),
}

impl FromStr for Base {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        match text.parse() {
            Ok(commit) => Ok(Self::Commit(commit)),
            Err(_) => text.parse().map(Self::Branch),
        }
    }
}

impl fmt::Display for Base {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Branch(branch) => branch.fmt(f),
            Self::Commit(commit) => commit.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forty_hex_digits_are_a_commit_and_all_else_a_branch() {
        let (short, full) = ("ce01362", "CE013625030ba8dba906f756967f9e9ca394464a");
        for branch in ["main", "release/1", short, &full[..39]] {
            let base: Base = branch.parse().unwrap();
            assert_eq!(base, Base::Branch(branch.parse().unwrap()));
            assert_eq!(base.to_string(), branch);
        }
        let base: Base = full.parse().unwrap();
        assert_eq!(base, Base::Commit(full.parse().unwrap()));
        assert_eq!(base.to_string(), full.to_lowercase());
        for bad in ["", "a b", "refs/heads/main", "HEAD"] {
            assert!(bad.parse::<Base>().is_err(), "{bad:?}");
        }
    }
}
