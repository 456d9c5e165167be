//! Which branch and which paths a request may write to.

use super::{Access, CommitRequest};
use crate::{
    broker::error::{Error, FieldViolation, Reason},
    domain::{
        BranchName, ChangeSet, Level, Permission, Permissions, RepoPath, Subdirectory,
        is_protected, is_workflow,
    },
};

const PERMISSIONS: Permissions = Permissions::NONE
    .with(Permission::CONTENTS, Level::Write)
    .with(Permission::METADATA, Level::Read);

/// The branch to commit to. Never production: what goes there, people merge.
pub(super) fn branch(access: &mut Access, request: &CommitRequest) -> Result<BranchName, Error> {
    let staging = &access.binding.staging;
    let Some(branch) = request.branch.as_ref().filter(|branch| *branch != staging) else {
        return match &request.base {
            None => Ok(staging.clone()),
            Some(_) => Err(Error::invalid(
                "base",
                "is for a work branch; where the staging branch begins, the binding says (ConfigureRepo)",
            )),
        };
    };
    access.call = access.call.for_work_branch("branch", branch, &access.binding)?;
    Ok(branch.clone())
}

/// Refuses protected paths that the policy does not let the caller write.
pub(super) fn let_protected(access: &mut Access, changes: &ChangeSet) -> Result<(), Error> {
    let protected: Vec<&RepoPath> =
        changes.iter().map(|(path, _)| path).filter(|path| is_protected(path)).collect();
    if protected.is_empty() {
        return Ok(());
    }
    access.call = access.call.for_protected(&protected).map_err(|paths| {
        let paths: Vec<&str> = paths.into_iter().map(RepoPath::as_str).collect();
        Error::new(
            Reason::PathNotAllowed,
            format!(
                "these paths decide what runs or who reviews, and no rule of the broker's policy lets this caller write them: {}",
                paths.join(", ")
            ),
        )
        .with("paths", paths.join(","))
    })?;
    Ok(())
}

/// What the commit needs. `workflows` is asked for only where a workflow file is written.
pub(super) fn permissions(changes: &ChangeSet) -> Permissions {
    if changes.iter().any(|(path, _)| is_workflow(path)) {
        PERMISSIONS.with(Permission::WORKFLOWS, Level::Write)
    } else {
        PERMISSIONS
    }
}

/// Prefixes every path with the binding's subdirectory.
pub(super) fn place(changes: &ChangeSet, subdirectory: &Subdirectory) -> Result<ChangeSet, Error> {
    let mut placed = Vec::with_capacity(changes.len());
    let mut wrong = Vec::new();
    for (path, edit) in changes.iter() {
        match subdirectory.join(path) {
            Ok(path) => placed.push((path, edit.clone())),
            Err(error) => wrong.push(FieldViolation {
                field: "files.path".to_owned(),
                description: format!("{path}: with the subdirectory, {error}"),
            }),
        }
    }
    if !wrong.is_empty() {
        return Err(Error::invalid_fields(wrong));
    }
    ChangeSet::new(placed).map_err(|wrong| {
        let why = wrong.into_iter().next().map(|wrong| wrong.reason).unwrap_or_default();
        Error::invalid("files", format!("with the subdirectory, one of them {why}"))
    })
}
