//! Pull requests.

use serde::{Deserialize, Serialize};

use super::{GitHub, call::Call, error::Result, wire::or_default};
use crate::domain::{BranchName, RepoName, Token};

/// A pull request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pull {
    /// Its number in the repository.
    pub number: i64,
    /// Its page.
    pub url: String,
    /// Its title.
    pub title: String,
    /// Its text; may be empty.
    pub body: String,
}

/// A pull request to open, within one repository.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NewPull<'a> {
    /// Its title.
    pub title: &'a str,
    /// Its text, at most 65,536 characters.
    pub body: Option<&'a str>,
    /// The branch to merge.
    pub head: &'a BranchName,
    /// The branch to merge into.
    pub base: &'a BranchName,
    /// True to open it as a draft.
    pub draft: bool,
}

#[derive(Serialize)]
struct NewPullJson<'a> {
    title: &'a str,
    head: &'a str,
    base: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<&'a str>,
    /// Left out unless true: some plans do not know it.
    #[serde(skip_serializing_if = "Option::is_none")]
    draft: Option<bool>,
}

#[derive(Serialize)]
struct ChangedPull<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<&'a str>,
}

#[derive(Deserialize)]
struct PullJson {
    number: i64,
    html_url: String,
    #[serde(default, deserialize_with = "or_default")]
    title: String,
    #[serde(default, deserialize_with = "or_default")]
    body: String,
    head: BranchJson,
    base: BranchJson,
}

#[derive(Deserialize)]
struct BranchJson {
    #[serde(rename = "ref")]
    branch: String,
}

impl From<PullJson> for Pull {
    fn from(json: PullJson) -> Self {
        Self { number: json.number, url: json.html_url, title: json.title, body: json.body }
    }
}

impl GitHub {
    /// The open pull requests from `head` to `base`, both of this repository: GitHub allows one.
    pub async fn open_pulls(
        &self,
        token: &Token,
        repo: &RepoName,
        head: &BranchName,
        base: &BranchName,
    ) -> Result<Vec<Pull>> {
        let mut url = self.repo_route(repo, ["pulls"]);
        url.query_pairs_mut()
            .append_pair("state", "open")
            .append_pair("head", &format!("{}:{head}", repo.owner()))
            .append_pair("base", base.as_str());
        let call = Call::get("/repos/{owner}/{repo}/pulls", url);
        let pulls: Vec<PullJson> = self.send(&call, Some(token)).await?.read()?;
        // GitHub ignores a filter that it cannot read: look again.
        let wanted = |pull: &PullJson| {
            pull.head.branch == head.as_str() && pull.base.branch == base.as_str()
        };
        Ok(pulls.into_iter().filter(wanted).map(Pull::from).collect())
    }

    /// Opens a pull request. `AlreadyExists`; `NothingToMerge`; `Invalid`, as for a base branch that does not exist.
    pub async fn create_pull(
        &self,
        token: &Token,
        repo: &RepoName,
        new: &NewPull<'_>,
    ) -> Result<Pull> {
        let body = NewPullJson {
            title: new.title,
            head: new.head.as_str(),
            base: new.base.as_str(),
            body: new.body,
            draft: new.draft.then_some(true),
        };
        let call = Call::post("/repos/{owner}/{repo}/pulls", self.repo_route(repo, ["pulls"]));
        Ok(self.send(&call.json(&body, 0)?, Some(token)).await?.read::<PullJson>()?.into())
    }

    /// Changes a pull request's title, text, or both; what is none stays.
    pub async fn update_pull(
        &self,
        token: &Token,
        repo: &RepoName,
        number: i64,
        title: Option<&str>,
        body: Option<&str>,
    ) -> Result<Pull> {
        let url = self.repo_route(repo, ["pulls", &number.to_string()]);
        let call = Call::patch("/repos/{owner}/{repo}/pulls/{pull_number}", url)
            .json(&ChangedPull { title, body }, 0)?;
        Ok(self.send(&call, Some(token)).await?.read::<PullJson>()?.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_given_is_not_sent() {
        let json = serde_json::to_string(&ChangedPull { title: None, body: Some("") }).unwrap();
        assert_eq!(json, r#"{"body":""}"#);
        let new = NewPullJson { title: "t", head: "a", base: "b", body: None, draft: None };
        let json = serde_json::to_string(&new).unwrap();
        assert_eq!(json, r#"{"title":"t","head":"a","base":"b"}"#);
    }

    #[test]
    fn a_pull_request_needs_no_text() {
        let json = r#"{"number":3,"html_url":"https://github.com/a/b/pull/3","title":"t","body":null,
            "head":{"ref":"staging","sha":"e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"},
            "base":{"ref":"main","sha":"e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"}}"#;
        let pull: Pull = serde_json::from_str::<PullJson>(json).unwrap().into();
        assert_eq!((pull.number, pull.body.as_str()), (3, ""));
    }
}
