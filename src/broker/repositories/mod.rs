//! The repositories that an account's credential reaches.
//!
//! * [`list`]: showing them, so that one can be chosen. [`place`]: how far a list was read.
//! * [`create`]: making one. [`maker`]: which credential can.

mod create;
mod list;
mod maker;
mod place;

pub use create::{CreateRequest, Created};
pub use list::{ListedRepositories, RepositoriesRequest};
pub use place::ListPlace;

use crate::{
    domain::{Level, Permission, Permissions},
    github::{Repository, Role},
};

/// A repository as an account's credential sees it.
#[derive(Clone, Debug)]
pub struct VisibleRepository {
    /// What it is.
    pub repository: Repository,
    /// What may be done there, if GitHub says it.
    pub permission: Option<RepositoryPermission>,
    /// True if it is bound to the account.
    pub bound: bool,
}

/// How much may be done with a repository.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RepositoryPermission {
    /// Reading.
    Read,
    /// Writing, too.
    Write,
    /// Everything.
    Admin,
}

impl RepositoryPermission {
    /// What a user may.
    fn of_role(role: Role) -> Option<Self> {
        match role {
            Role { admin: true, .. } => Some(Self::Admin),
            Role { push: true, .. } => Some(Self::Write),
            Role { pull: true, .. } => Some(Self::Read),
            _ => None,
        }
    }

    /// What an installation may, which is the same in all of its repositories. GitHub's lists say of each what their token may,
    /// which is to read.
    fn of_granted(granted: Permissions) -> Option<Self> {
        match (granted.level(Permission::ADMINISTRATION), granted.level(Permission::CONTENTS)?) {
            (_, Level::Read) => Some(Self::Read),
            (Some(Level::Write | Level::Admin), _) => Some(Self::Admin),
            _ => Some(Self::Write),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_how_much_may_be_done() {
        use RepositoryPermission::{Admin, Read, Write};
        for (granted, expected) in [
            (&[("contents", "read"), ("administration", "write")][..], Some(Read)),
            (&[("contents", "write"), ("administration", "read")], Some(Write)),
            (&[("contents", "write"), ("administration", "write")], Some(Admin)),
            (&[("issues", "write"), ("metadata", "read")], None),
        ] {
            let granted = Permissions::from_github(granted.iter().copied());
            assert_eq!(RepositoryPermission::of_granted(granted), expected, "{granted}");
        }
        let role = |pull, push, admin| RepositoryPermission::of_role(Role { pull, push, admin });
        assert_eq!(role(true, true, true), Some(Admin));
        assert_eq!(role(true, true, false), Some(Write));
        assert_eq!(role(true, false, false), Some(Read));
        assert_eq!(role(false, false, false), None);
    }
}
