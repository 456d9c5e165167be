//! Auto-merge: GitHub merges a pull request by itself when its rules are met.

use serde::{Deserialize, Serialize};

use super::{GitHub, error::Result};
use crate::domain::{MergeMethod, ObjectId, Token};

const ROUTE: &str = "enablePullRequestAutoMerge";
const MUTATION: &str = "mutation ($input: EnablePullRequestAutoMergeInput!) { \
                        enablePullRequestAutoMerge(input: $input) { \
                        pullRequest { autoMergeRequest { mergeMethod } } } }";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Input<'a> {
    pull_request_id: &'a str,
    expected_head_oid: String,
    merge_method: String,
}

#[derive(Deserialize)]
struct Data {
    #[serde(rename = "enablePullRequestAutoMerge")]
    payload: Option<Payload>,
}

#[derive(Deserialize)]
struct Payload {
    #[serde(rename = "pullRequest")]
    pull: Option<PullJson>,
}

#[derive(Deserialize)]
struct PullJson {
    #[serde(rename = "autoMergeRequest")]
    request: Option<serde::de::IgnoredAny>,
}

impl Data {
    fn is_on(&self) -> bool {
        let pull = self.payload.as_ref().and_then(|payload| payload.pull.as_ref());
        pull.is_some_and(|pull| pull.request.is_some())
    }
}

impl GitHub {
    /// Turns auto-merge on, if the head is still at this commit. `Invalid` with GitHub's reason where it does not do that: the
    /// repository does not allow it, a draft, nothing left to wait for. `Unsupported`: the host lacks the mutation.
    pub async fn enable_auto_merge(
        &self,
        token: &Token,
        node_id: &str,
        head: ObjectId,
        method: MergeMethod,
    ) -> Result<()> {
        let input = Input {
            pull_request_id: node_id,
            expected_head_oid: head.to_string(),
            merge_method: method.name().to_uppercase(),
        };
        self.mutate(token, (ROUTE, MUTATION), input, 0, Data::is_on).await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asks_as_the_schema_has_it() {
        let input = Input {
            pull_request_id: "PR_1",
            expected_head_oid: ObjectId::of_blob(b"").to_string(),
            merge_method: "SQUASH".to_owned(),
        };
        let expected = serde_json::json!({
            "pullRequestId": "PR_1", "mergeMethod": "SQUASH",
            "expectedHeadOid": "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391",
        });
        assert_eq!(serde_json::to_value(input).unwrap(), expected);
    }

    #[test]
    fn is_on_only_if_github_says_so() {
        let on = |json: &str| serde_json::from_str::<Data>(json).unwrap().is_on();
        assert!(on(
            r#"{"enablePullRequestAutoMerge":{"pullRequest":{"autoMergeRequest":{"mergeMethod":"MERGE"}}}}"#
        ));
        for not in
            ["null", r#"{"pullRequest":null}"#, r#"{"pullRequest":{"autoMergeRequest":null}}"#]
        {
            assert!(!on(&format!(r#"{{"enablePullRequestAutoMerge":{not}}}"#)), "{not}");
        }
    }
}
