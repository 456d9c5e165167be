//! Which repositories a token reaches.

use serde::Deserialize;
use serde_json::Value;

use super::{
    GitHub,
    call::Call,
    error::Result,
    headers,
    pages::PAGE_SIZE,
    repositories::{Repository, RepositoryJson},
};
use crate::domain::Token;

/// Whose repositories are listed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RepositoryList {
    /// Those of an installation, by its token.
    Installation,
    /// Those that a user has to do with, by the user's token, by name.
    User,
}

/// One page of a list.
#[derive(Clone, Debug)]
pub struct RepositoryPage {
    /// At most 100, in GitHub's order.
    pub repositories: Vec<Repository>,
    /// True if a page follows.
    pub more: bool,
}

#[derive(Deserialize)]
struct InstallationJson {
    repositories: Vec<Value>,
}

impl GitHub {
    /// A page of the repositories that `token` reaches; the first one is 1. `fresh`: it may have been minted just now.
    pub async fn repository_page(
        &self,
        token: &Token,
        fresh: bool,
        list: RepositoryList,
        page: u32,
    ) -> Result<RepositoryPage> {
        let call = self.list_call(list, page);
        let answer = self.while_fresh(fresh, || self.send(&call, Some(token))).await?;
        let found = match list {
            RepositoryList::Installation => answer.read::<InstallationJson>()?.repositories,
            RepositoryList::User => answer.read()?,
        };
        Ok(RepositoryPage {
            repositories: found.into_iter().filter_map(readable).collect(),
            more: headers::next_page(&answer.headers).is_some(),
        })
    }

    fn list_call(&self, list: RepositoryList, page: u32) -> Call {
        let mut call = match list {
            RepositoryList::Installation => {
                let url = self.route(["installation", "repositories"]);
                Call::get("/installation/repositories", url)
            }
            RepositoryList::User => {
                let mut url = self.route(["user", "repos"]);
                // What merely anybody can see is in no such list.
                url.query_pairs_mut()
                    .append_pair("affiliation", "owner,collaborator,organization_member")
                    .append_pair("sort", "full_name");
                Call::get("/user/repos", url)
            }
        };
        let page = page.to_string();
        call.url.query_pairs_mut().append_pair("per_page", PAGE_SIZE).append_pair("page", &page);
        call
    }
}

/// One that the broker could not work with (a name that no repository has) must not hide the others.
fn readable(item: Value) -> Option<Repository> {
    serde_json::from_value::<RepositoryJson>(item).ok().map(Repository::from)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_cannot_be_read_is_left_out_alone() {
        let items = vec![
            json!({"id": 1, "full_name": "acme/shop", "default_branch": "main"}),
            json!({"id": 2, "full_name": "acme/..", "default_branch": "main"}),
            json!("acme/shop"),
            json!({"id": 3, "full_name": "acme/till", "default_branch": "main", "created_at": null}),
        ];
        let read: Vec<_> = items.into_iter().filter_map(readable).map(|repo| repo.id.0).collect();
        assert_eq!(read, [1, 3]);
    }
}
