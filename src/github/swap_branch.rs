//! Moving a branch only from where it is expected to be: GraphQL's `updateRefs`.

use serde::{Deserialize, Serialize, de::IgnoredAny};

use super::{GitHub, error::Result};
use crate::domain::{BranchName, ObjectId, Token};

const ROUTE: &str = "updateRefs";
const MUTATION: &str = "mutation ($input: UpdateRefsInput!) { \
                        updateRefs(input: $input) { clientMutationId } }";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Input<'a> {
    repository_id: &'a str,
    ref_updates: [RefUpdate; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RefUpdate {
    name: String,
    before_oid: String,
    after_oid: String,
    force: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Data {
    update_refs: Option<IgnoredAny>,
}

impl GitHub {
    /// Moves a branch from one commit to a descendant of it; `repository` is its id in GraphQL. `Stale`: the branch is
    /// somewhere else. `Unsupported`: the host does not have the mutation.
    pub async fn swap_branch(
        &self,
        token: &Token,
        repository: &str,
        branch: &BranchName,
        from: ObjectId,
        to: ObjectId,
    ) -> Result<()> {
        let update = RefUpdate {
            name: format!("refs/heads/{branch}"),
            before_oid: from.to_string(),
            after_oid: to.to_string(),
            force: false,
        };
        let input = Input { repository_id: repository, ref_updates: [update] };
        let done = |data: &Data| data.update_refs.is_some();
        self.mutate(token, (ROUTE, MUTATION), input, 0, done).await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_null_is_no_effect() {
        let done = |json| serde_json::from_str::<Data>(json).unwrap().update_refs.is_some();
        assert!(done(r#"{"updateRefs":{"clientMutationId":null}}"#));
        assert!(!done(r#"{"updateRefs":null}"#));
    }
}
