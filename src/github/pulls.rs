//! Pull requests: finding, opening and changing them.

use serde::{Deserialize, Serialize};

use super::{
    GitHub,
    call::Call,
    error::Result,
    wire::{or_default, parsed},
};
use crate::domain::{BranchName, ObjectId, RepoName, Token};

/// A pull request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pull {
    /// Its number in the repository.
    pub number: i64,
    /// Its id in GraphQL.
    pub node_id: String,
    /// Its page.
    pub url: String,
    /// Its title.
    pub title: String,
    /// Its text; may be empty.
    pub body: String,
    /// True if it is a draft.
    pub draft: bool,
    /// Login of who opened it; empty if there is no such user any more.
    pub author: String,
    /// The branch that it goes to.
    pub base: String,
    /// The commit that its head is at.
    pub head: ObjectId,
    /// Names of its labels.
    pub labels: Vec<String>,
    /// Logins of those whose review is requested.
    pub reviewers: Vec<String>,
    /// Slugs of the teams whose review is requested.
    pub teams: Vec<String>,
    /// How GitHub will merge it by itself, if it will: `merge`, `squash`, `rebase`.
    pub auto_merge: Option<String>,
    /// Whether it can be merged. None: GitHub does not know yet, or was not asked (a list does not say).
    pub mergeable: Option<bool>,
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

/// What is to become of a pull request; what is none stays.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Serialize)]
pub struct PullChange<'a> {
    /// Its title.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<&'a str>,
    /// Its text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<&'a str>,
    /// The branch that it goes to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base: Option<&'a str>,
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

#[derive(Deserialize)]
struct PullJson {
    number: i64,
    html_url: String,
    #[serde(default, deserialize_with = "or_default")]
    node_id: String,
    #[serde(default, deserialize_with = "or_default")]
    title: String,
    #[serde(default, deserialize_with = "or_default")]
    body: String,
    #[serde(default, deserialize_with = "or_default")]
    draft: bool,
    user: Option<UserJson>,
    head: BranchJson,
    base: BranchJson,
    #[serde(default, deserialize_with = "or_default")]
    labels: Vec<LabelJson>,
    #[serde(default, deserialize_with = "or_default")]
    requested_reviewers: Vec<UserJson>,
    #[serde(default, deserialize_with = "or_default")]
    requested_teams: Vec<TeamJson>,
    auto_merge: Option<AutoMergeJson>,
    mergeable: Option<bool>,
}

#[derive(Deserialize)]
struct UserJson {
    #[serde(default, deserialize_with = "or_default")]
    login: String,
}

#[derive(Deserialize)]
struct LabelJson {
    name: String,
}

#[derive(Deserialize)]
struct TeamJson {
    slug: String,
}

#[derive(Deserialize)]
struct AutoMergeJson {
    #[serde(default, deserialize_with = "or_default")]
    merge_method: String,
}

#[derive(Deserialize)]
struct BranchJson {
    #[serde(rename = "ref")]
    branch: String,
    #[serde(deserialize_with = "parsed")]
    sha: ObjectId,
    /// None if it is gone.
    repo: Option<RepoJson>,
}

#[derive(Deserialize)]
struct RepoJson {
    id: i64,
}

impl PullJson {
    /// True if it goes from `head`, a branch of the repository itself: a fork of the same owner can have one of that name,
    /// and GitHub's filter does not tell them apart.
    fn is_from(&self, head: &BranchName) -> bool {
        let id = |branch: &BranchJson| branch.repo.as_ref().map(|repo| repo.id);
        self.head.branch == head.as_str() && id(&self.head) == id(&self.base)
    }
}

impl From<PullJson> for Pull {
    fn from(json: PullJson) -> Self {
        let logins = |users: Vec<UserJson>| users.into_iter().map(|user| user.login).collect();
        Self {
            number: json.number,
            node_id: json.node_id,
            url: json.html_url,
            title: json.title,
            body: json.body,
            draft: json.draft,
            author: json.user.map(|user| user.login).unwrap_or_default(),
            base: json.base.branch,
            head: json.head.sha,
            labels: json.labels.into_iter().map(|label| label.name).collect(),
            reviewers: logins(json.requested_reviewers),
            teams: json.requested_teams.into_iter().map(|team| team.slug).collect(),
            auto_merge: json.auto_merge.map(|auto| auto.merge_method),
            mergeable: json.mergeable,
        }
    }
}

impl GitHub {
    /// The open pull requests from `head`, a branch of this repository; those to `base`, of which GitHub allows one, or to
    /// any branch.
    pub async fn open_pulls(
        &self,
        token: &Token,
        repo: &RepoName,
        head: &BranchName,
        base: Option<&BranchName>,
    ) -> Result<Vec<Pull>> {
        let mut url = self.repo_route(repo, ["pulls"]);
        url.query_pairs_mut()
            .append_pair("state", "open")
            .append_pair("head", &format!("{}:{head}", repo.owner()));
        if let Some(base) = base {
            url.query_pairs_mut().append_pair("base", base.as_str());
        }
        let call = Call::get("/repos/{owner}/{repo}/pulls", url);
        let pulls: Vec<PullJson> = self.send(&call, Some(token)).await?.read()?;
        // GitHub ignores a filter that it cannot read: look again.
        let wanted = |pull: &PullJson| {
            pull.is_from(head) && base.is_none_or(|base| pull.base.branch == base.as_str())
        };
        Ok(pulls.into_iter().filter(wanted).map(Pull::from).collect())
    }

    /// A pull request, and whether it can be merged, which GitHub begins to find out when it is asked.
    pub async fn pull(&self, token: &Token, repo: &RepoName, number: i64) -> Result<Pull> {
        let url = self.repo_route(repo, ["pulls", &number.to_string()]);
        let call = Call::get("/repos/{owner}/{repo}/pulls/{pull_number}", url);
        Ok(self.send(&call, Some(token)).await?.read::<PullJson>()?.into())
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

    /// Changes a pull request. `AlreadyExists`: there is one to the new base.
    pub async fn update_pull(
        &self,
        token: &Token,
        repo: &RepoName,
        number: i64,
        change: PullChange<'_>,
    ) -> Result<Pull> {
        let url = self.repo_route(repo, ["pulls", &number.to_string()]);
        let call =
            Call::patch("/repos/{owner}/{repo}/pulls/{pull_number}", url).json(&change, 0)?;
        Ok(self.send(&call, Some(token)).await?.read::<PullJson>()?.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_given_is_not_sent() {
        let change = PullChange { body: Some(""), ..PullChange::default() };
        assert_eq!(serde_json::to_string(&change).unwrap(), r#"{"body":""}"#);
        let new = NewPullJson { title: "t", head: "a", base: "b", body: None, draft: None };
        let json = serde_json::to_string(&new).unwrap();
        assert_eq!(json, r#"{"title":"t","head":"a","base":"b"}"#);
    }

    fn read(more: &str) -> PullJson {
        let json = r#"{"number":3,"html_url":"https://github.com/a/b/pull/3","title":"t","body":null,
            "head":{"ref":"staging","sha":"e69de29bb2d1d6434b8b29ae775ad8c2e48c5391","repo":{"id":1}},
            "base":{"ref":"main","sha":"e69de29bb2d1d6434b8b29ae775ad8c2e48c5391","repo":{"id":1}}MORE}"#;
        serde_json::from_str(&json.replace("MORE", more)).unwrap()
    }

    #[test]
    fn a_pull_request_needs_no_text() {
        let pull = Pull::from(read(""));
        assert_eq!((pull.number, pull.body.as_str(), pull.mergeable), (3, "", None));
    }

    #[test]
    fn reads_what_hangs_on_it() {
        let pull = Pull::from(read(
            r#","labels":[{"id":1,"name":"data"}],"requested_reviewers":[{"login":"bob"}],"draft":true,
            "requested_teams":[{"slug":"core"}],"auto_merge":{"merge_method":"squash"},"mergeable":false,"user":null"#,
        ));
        assert_eq!((pull.labels, pull.reviewers), (vec!["data".to_owned()], vec!["bob".into()]));
        assert_eq!((pull.teams, pull.author.as_str()), (vec!["core".to_owned()], ""));
        assert_eq!(pull.auto_merge, Some("squash".into()));
        assert!(pull.draft && pull.mergeable == Some(false));
    }

    #[test]
    fn a_branch_of_a_fork_is_another_one() {
        let head = "staging".parse().unwrap();
        let mut pull = read("");
        assert!(pull.is_from(&head) && !pull.is_from(&"other".parse().unwrap()));
        pull.head.repo = Some(RepoJson { id: 2 });
        assert!(!pull.is_from(&head));
        pull.head.repo = None;
        assert!(!pull.is_from(&head));
    }
}
