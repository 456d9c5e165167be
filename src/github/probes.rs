//! What a token may do where GitHub does not say it: tried out, without changing anything.

use base64::{Engine, prelude::BASE64_STANDARD};
use zeroize::Zeroizing;

use super::{
    GitHub, below,
    call::{Call, Credential},
    error::{Kind, Result},
};
use crate::domain::{RepoName, Token};

/// What can be tried out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Probe {
    /// Reading what is in the repository.
    Contents,
    /// Reading pull requests.
    PullRequests,
    /// Pushing: asking for what `git push` begins with.
    Push,
}

impl GitHub {
    /// Whether `token` may do this, as far as GitHub's answer tells. What is public may be read with any token.
    pub async fn probe(&self, token: &Token, repo: &RepoName, probe: Probe) -> Result<bool> {
        let answer = match probe {
            Probe::Contents => {
                let call =
                    Call::get("/repos/{owner}/{repo}/commits", self.repo_route(repo, ["commits"]));
                self.send(&one_of(call), Some(token)).await
            }
            Probe::PullRequests => {
                let call =
                    Call::get("/repos/{owner}/{repo}/pulls", self.repo_route(repo, ["pulls"]));
                self.send(&one_of(call), Some(token)).await
            }
            Probe::Push => {
                let pair = Zeroizing::new(format!("x-access-token:{}", token.expose()));
                let pair = Token::new(BASE64_STANDARD.encode(&pair));
                self.send(&self.push_call(repo), Credential::Git { pair: &pair, token }).await
            }
        };
        match answer {
            Ok(_) => Ok(true),
            // It was let in, and there is nothing.
            Err(error) if error.kind == Kind::EmptyRepository => Ok(true),
            Err(error)
                if matches!(error.kind, Kind::Unauthorized | Kind::Forbidden | Kind::NotFound) =>
            {
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    fn push_call(&self, repo: &RepoName) -> Call {
        let name = format!("{}.git", repo.name());
        let mut url = below(&self.inner.settings.web_url, [repo.owner(), &name, "info", "refs"]);
        url.query_pairs_mut().append_pair("service", "git-receive-pack");
        // The list of all branches and tags, which can be long, is not what was asked for.
        Call::get("/{owner}/{repo}.git/info/refs", url).of_the_web_site().unread()
    }
}

fn one_of(mut call: Call) -> Call {
    call.url.query_pairs_mut().append_pair("per_page", "1");
    call
}
