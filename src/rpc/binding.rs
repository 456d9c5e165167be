//! The request of ConfigureRepo becomes domain types.

use super::fields::{self, Fields};
use crate::{
    broker::{BindRequest, Error},
    domain::{AccountId, Base, BranchName, BranchPattern, MAX_WORK_BRANCHES, Subdirectory},
    proto,
};

pub(super) fn bind_request(
    request: proto::ConfigureRepoRequest,
) -> Result<(AccountId, BindRequest), Error> {
    fields::parse(|fields| {
        let account = fields.required("account", &request.account);
        let repository = fields.required("repository", &request.repository);
        let staging: Option<Option<BranchName>> =
            fields.optional("staging_branch", &request.staging_branch);
        let production: Option<Option<BranchName>> =
            fields.optional("production_branch", &request.production_branch);
        // Unlike the branches it can be empty: that is the root.
        let subdirectory: Option<Option<Subdirectory>> = match &request.subdirectory {
            Some(text) => fields.required("subdirectory", text).map(Some),
            None => Some(None),
        };
        if let (Some(Some(staging)), Some(Some(production))) = (&staging, &production)
            && staging == production
        {
            fields.wrong("staging_branch", "must differ from production_branch");
        }
        let base: Option<Option<Option<Base>>> = match &request.staging_base {
            Some(text) => fields.optional("staging_base", text).map(Some),
            None => Some(None),
        };
        if let (Some(Some(staging)), Some(Some(Some(Base::Branch(base))))) = (&staging, &base)
            && staging == base
        {
            fields.wrong("staging_base", "must differ from staging_branch");
        }
        let work_branches = match &request.work_branches {
            Some(given) => work_branches(fields, &given.patterns).map(Some),
            None => Some(None),
        };
        Some((
            account?,
            BindRequest {
                repository: repository?,
                staging: staging?,
                production: production?,
                subdirectory: subdirectory?,
                activate: request.activate,
                staging_base: base?,
                staging_must_exist: request.staging_must_exist,
                work_branches: work_branches?,
            },
        ))
    })
}

fn work_branches(fields: &mut Fields, patterns: &[String]) -> Option<Vec<BranchPattern>> {
    const FIELD: &str = "work_branches.patterns";
    if patterns.len() > MAX_WORK_BRANCHES {
        fields.wrong(FIELD, format!("must be at most {MAX_WORK_BRANCHES}"));
        return None;
    }
    let mut parsed = Vec::with_capacity(patterns.len());
    for (index, pattern) in patterns.iter().enumerate() {
        parsed.push(fields.required(&format!("{FIELD}[{index}]"), pattern));
    }
    // Not while reading: every one that is wrong is named.
    parsed.into_iter().collect()
}
