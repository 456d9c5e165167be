//! What lies outside the API: git's smart HTTP, the OAuth pages, the installation page.

mod git_http;
mod install;
mod oauth;
mod push;

use axum::http::Method;

use crate::http::{Answer, Arrived, Refusal, decode};
use crate::hub::Hub;

pub(crate) use git_http::git_http;
pub(crate) use oauth::issue;
pub(crate) use push::HOOK;

/// A page outside the API.
pub(crate) enum Page {
    Git(GitPage),
    Authorize,
    AccessToken,
    Install(String),
    Unknown,
}

/// A request of git's smart HTTP.
#[derive(Clone, Debug)]
pub(crate) struct GitPage {
    pub owner: String,
    pub name: String,
    pub service: Service,
}

/// What git asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Service {
    InfoRefs,
    UploadPack,
    ReceivePack,
}

impl Service {
    /// What follows the repository in the path.
    pub fn path(self) -> &'static str {
        match self {
            Self::InfoRefs => "info/refs",
            Self::UploadPack => "git-upload-pack",
            Self::ReceivePack => "git-receive-pack",
        }
    }
}

impl Page {
    /// The page of a path.
    pub fn of(path: &str) -> Self {
        let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        let git = |owner: &str, name: &str, service| {
            let name = name.strip_suffix(".git").unwrap_or(name);
            Self::Git(GitPage { owner: decode(owner), name: decode(name), service })
        };
        match parts[..] {
            ["login", "oauth", "authorize"] => Self::Authorize,
            ["login", "oauth", "access_token"] => Self::AccessToken,
            ["apps" | "github-apps", slug, "installations", "new"] => Self::Install(decode(slug)),
            [owner, name, "info", "refs"] => git(owner, name, Service::InfoRefs),
            [owner, name, "git-upload-pack"] => git(owner, name, Service::UploadPack),
            [owner, name, "git-receive-pack"] => git(owner, name, Service::ReceivePack),
            _ => Self::Unknown,
        }
    }

    /// The name by which faults and the log know the page.
    pub fn name(&self, method: &Method, path: &str) -> String {
        match self {
            Self::Git(page) => match page.service {
                Service::InfoRefs => "git-info-refs".to_owned(),
                service => service.path().to_owned(),
            },
            Self::Authorize => format!("{method} /login/oauth/authorize"),
            Self::AccessToken => format!("{method} /login/oauth/access_token"),
            Self::Install(_) => format!("{method} /apps/{{slug}}/installations/new"),
            Self::Unknown => format!("{method} {path}"),
        }
    }
}

/// Answers a page that is not git's.
pub(crate) fn answer(hub: &Hub, page: &Page, arrived: &Arrived) -> Answer {
    let outcome = match (page, arrived.method.as_str()) {
        (Page::Authorize, "GET") => oauth::authorize(hub, arrived),
        (Page::AccessToken, "POST") => Ok(oauth::access_token(hub, arrived)),
        (Page::Install(slug), "GET") => install::new(hub, slug, arrived),
        _ => {
            let name = page.name(&arrived.method, &arrived.path);
            hub.log.unknown(name.clone());
            Err(Refusal::new(501, format!("github-sim does not simulate {name}")))
        }
    };
    outcome.unwrap_or_else(Refusal::into_answer)
}
