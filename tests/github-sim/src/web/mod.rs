//! What lies outside the API: git's smart HTTP, and the pages that a person sees.
//!
//! ```text
//! session.rs     who is signed in              html.rs, form.rs   what pages are made of
//! install.rs     installing an App             selection.rs       choosing repositories
//! settings.rs    an installation, requests     leaving.rs         where the browser goes then
//! authorize.rs   authorizing an App            callback.rs        which addresses it may name
//! oauth.rs       codes and user tokens         git_http.rs        git, whose pushes are in push.rs
//! ```

mod authorize;
mod callback;
mod form;
mod git_http;
mod html;
mod install;
mod leaving;
mod oauth;
mod push;
mod selection;
mod session;
mod settings;

use axum::http::Method;

use crate::http::{Answer, Arrived, Refusal, decode};
use crate::hub::Hub;

pub(crate) use git_http::git_http;
pub(crate) use oauth::issue;
pub(crate) use push::HOOK;
pub(crate) use session::begin as sign_in;

/// A page outside the API.
pub(crate) enum Page {
    Git(GitPage),
    Login,
    Logout,
    Authorize,
    AccessToken,
    /// The pages that install the App of a slug: choosing the account, choosing the repositories, doing it.
    Install(String),
    InstallPermissions(String),
    Installations(String),
    /// An installation by its id, of an organization or of a person.
    Settings {
        organization: bool,
        id: String,
    },
    /// What members of an organization asked for.
    Requests(String),
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
            ["login"] => Self::Login,
            ["logout"] => Self::Logout,
            ["apps" | "github-apps", slug, "installations"] => Self::Installations(decode(slug)),
            ["apps" | "github-apps", slug, "installations", "new"] => Self::Install(decode(slug)),
            ["apps" | "github-apps", slug, "installations", "new", "permissions"] => {
                Self::InstallPermissions(decode(slug))
            }
            ["settings", "installations", id] => {
                Self::Settings { organization: false, id: decode(id) }
            }
            ["organizations", _, "settings", "installations", id] => {
                Self::Settings { organization: true, id: decode(id) }
            }
            ["organizations", org, "settings", "installation_requests"] => {
                Self::Requests(decode(org))
            }
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
            Self::Login => format!("{method} /login"),
            Self::Logout => format!("{method} /logout"),
            Self::Installations(_) => format!("{method} /apps/{{slug}}/installations"),
            Self::Install(_) => format!("{method} /apps/{{slug}}/installations/new"),
            Self::InstallPermissions(_) => {
                format!("{method} /apps/{{slug}}/installations/new/permissions")
            }
            Self::Settings { organization: false, .. } => {
                format!("{method} /settings/installations/{{installation_id}}")
            }
            Self::Settings { organization: true, .. } => {
                format!(
                    "{method} /organizations/{{org}}/settings/installations/{{installation_id}}"
                )
            }
            Self::Requests(_) => {
                format!("{method} /organizations/{{org}}/settings/installation_requests")
            }
            Self::Unknown => format!("{method} {path}"),
        }
    }
}

/// Answers a page that is not git's.
pub(crate) fn answer(hub: &Hub, page: &Page, arrived: &Arrived) -> Answer {
    let outcome = match (page, arrived.method.as_str()) {
        (Page::Login, "GET") => session::login(hub, &form::Form::query(arrived)),
        (Page::Login, "POST") => session::login(hub, &form::Form::body(arrived)),
        (Page::Logout, "GET") => Ok(session::logout()),
        (Page::Authorize, "GET") => authorize::ask(hub, arrived),
        (Page::Authorize, "POST") => authorize::decide(hub, arrived),
        (Page::AccessToken, "POST") => Ok(oauth::access_token(hub, arrived)),
        (Page::Install(slug), "GET") => install::new(hub, slug, arrived),
        (Page::InstallPermissions(slug), "GET") => install::permissions(hub, slug, arrived),
        (Page::Installations(slug), "POST") => install::install(hub, slug, arrived),
        (Page::Settings { id, .. }, "GET") => settings::installation(hub, id, arrived),
        (Page::Settings { id, .. }, "POST") => settings::change(hub, id, arrived),
        (Page::Requests(org), "GET") => settings::requests(hub, org, arrived),
        (Page::Requests(org), "POST") => settings::answer_request(hub, org, arrived),
        _ => {
            let name = page.name(&arrived.method, &arrived.path);
            hub.log.unknown(name.clone());
            Err(Refusal::new(501, format!("github-sim does not simulate {name}")))
        }
    };
    outcome.unwrap_or_else(Refusal::into_answer)
}
