//! Which branch goes where.

use super::PromoteRequest;
use crate::{
    broker::{
        access::Access,
        error::{Error, Reason},
    },
    domain::BranchName,
};

/// The two branches of a pull request.
pub(super) struct Ends {
    pub head: BranchName,
    pub base: BranchName,
}

impl Ends {
    /// Staging to production, unless the request says otherwise. Narrows the call to the rules that allow it.
    pub fn of(access: &mut Access, request: &PromoteRequest) -> Result<Self, Error> {
        let binding = &access.binding;
        let head = request.head.as_ref().unwrap_or(&binding.staging).clone();
        let base = request.base.as_ref().unwrap_or(&binding.production).clone();
        if head == base {
            let (field, what) = match &request.base {
                Some(_) => ("base_branch", "the branch that is promoted"),
                None => ("head_branch", "the branch that it goes to"),
            };
            return Err(Error::invalid(field, format!("must differ from {what} ({head})")));
        }
        let (staging, production) = (&binding.staging, &binding.production);
        let is_work = head != *staging;
        if base != *production && !(is_work && base == *staging) {
            return Err(base_not_allowed(&head, &base, access));
        }
        if is_work {
            access.call = access.call.for_work_branch("head_branch", &head, binding)?;
        }
        Ok(Self { head, base })
    }
}

fn base_not_allowed(head: &BranchName, base: &BranchName, access: &Access) -> Error {
    let (staging, production) = (&access.binding.staging, &access.binding.production);
    let allowed =
        if head == staging { production.to_string() } else { format!("{production},{staging}") };
    Error::new(
        Reason::BranchNotAllowed,
        format!(
            "{head} is not promoted to {base}; leave `base_branch` empty for the production branch {production}"
        ),
    )
    .with("allowed", allowed)
}
