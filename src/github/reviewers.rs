//! Requests for review.

use serde::Serialize;

use super::{GitHub, call::Call, error::Result};
use crate::domain::{RepoName, Token};

/// Whose review is requested.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize)]
pub struct Reviewers<'a> {
    /// Logins.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reviewers: Vec<&'a str>,
    /// Slugs of teams of the repository's organization.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub team_reviewers: Vec<&'a str>,
}

impl GitHub {
    /// Requests reviews. `Invalid` if a single one of them cannot review: then none is requested.
    pub async fn request_reviews(
        &self,
        token: &Token,
        repo: &RepoName,
        number: i64,
        reviewers: &Reviewers<'_>,
    ) -> Result<()> {
        let url = self.repo_route(repo, ["pulls", &number.to_string(), "requested_reviewers"]);
        let route = "/repos/{owner}/{repo}/pulls/{pull_number}/requested_reviewers";
        // Twice is the same as once.
        let call = Call::post(route, url).repeatable().json(reviewers, 0)?;
        self.send(&call, Some(token)).await?;
        Ok(())
    }
}
