//! Labels of a pull request.

use serde::Serialize;

use super::{GitHub, call::Call, error::Result};
use crate::domain::{RepoName, Token};

#[derive(Serialize)]
struct Labels<'a> {
    labels: &'a [&'a str],
}

impl GitHub {
    /// Puts labels on a pull request beside those that it has. A label that the repository does not have is made.
    pub async fn add_labels(
        &self,
        token: &Token,
        repo: &RepoName,
        number: i64,
        labels: &[&str],
    ) -> Result<()> {
        let url = self.repo_route(repo, ["issues", &number.to_string(), "labels"]);
        // Twice is the same as once.
        let call = Call::post("/repos/{owner}/{repo}/issues/{issue_number}/labels", url)
            .repeatable()
            .json(&Labels { labels }, 0)?;
        self.send(&call, Some(token)).await?;
        Ok(())
    }
}
