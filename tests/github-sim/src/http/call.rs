//! One request as a handler sees it.

use axum::http::{HeaderMap, Method};
use bytes::Bytes;

use super::{Input, Refusal};
use crate::git::Git;
use crate::hub::Hub;
use crate::world::{Account, Caller, Meta, World};

/// A request whose route is known, whose caller is authenticated and whose repository is resolved.
pub(crate) struct Call<'a> {
    pub hub: &'a Hub,
    pub method: Method,
    /// The decoded parts of the path, by the names in the route.
    pub params: Vec<(&'static str, String)>,
    pub query: Vec<(String, String)>,
    /// The path below the API's base, without the query.
    pub path: String,
    pub headers: HeaderMap,
    pub body: Bytes,
    pub caller: Caller,
    /// The repository that the path names, as it was when the request came.
    pub repo: Option<Meta>,
}

impl Call<'_> {
    /// A part of the path.
    pub fn param(&self, name: &str) -> &str {
        self.params.iter().find(|(n, _)| *n == name).map_or("", |(_, value)| value)
    }

    /// A part of the path that is a number; a wrong one is a thing that does not exist.
    pub fn id(&self, name: &str) -> Result<u64, Refusal> {
        self.param(name).parse().map_err(|_| Refusal::not_found())
    }

    /// A parameter of the query that is not empty.
    pub fn query(&self, name: &str) -> Option<&str> {
        self.query
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, v)| v.as_str())
            .filter(|v| !v.is_empty())
    }

    /// The address of another page of the same list.
    pub fn url_of_page(&self, page: usize) -> String {
        let mut parts: Vec<String> = self
            .query
            .iter()
            .filter(|(name, _)| name != "page")
            .map(|(name, value)| format!("{}={}", encode(name), encode(value)))
            .collect();
        parts.push(format!("page={page}"));
        format!("{}{}?{}", self.hub.urls.api, self.path, parts.join("&"))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Whether the caller asks for the raw contents.
    pub fn wants_raw(&self) -> bool {
        self.header("accept").is_some_and(|accept| accept.contains("raw"))
    }

    /// The JSON body.
    pub fn input(&self) -> Result<Input, Refusal> {
        Input::parse(&self.body)
    }

    /// The repository of the route. Only routes below a repository call this.
    pub fn repo(&self) -> Result<&Meta, Refusal> {
        self.repo.as_ref().ok_or_else(Refusal::not_found)
    }

    pub fn git(&self) -> Result<Git, Refusal> {
        Ok(Git::at(&self.repo()?.dir))
    }

    /// The git repository, when it has any branch.
    pub fn filled_git(&self) -> Result<Git, Refusal> {
        let git = self.git()?;
        if git.is_empty()? {
            return Err(Refusal::new(409, "Git Repository is empty."));
        }
        Ok(git)
    }

    /// The account as which the caller acts.
    pub fn actor(&self) -> Result<Account, Refusal> {
        self.hub
            .world()
            .actor(&self.caller)
            .cloned()
            .ok_or_else(|| Refusal::new(401, "Requires authentication"))
    }

    /// 403 in the words for the kind of caller.
    pub fn forbidden(&self) -> Refusal {
        forbidden(&self.caller)
    }

    /// Changes the repository of the route within the world.
    pub fn change<T>(
        &self,
        change: impl FnOnce(&mut World, u64) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        let id = self.repo()?.id;
        change(&mut self.hub.world(), id)
    }

    pub fn now(&self) -> i64 {
        self.hub.clock.seconds()
    }
}

/// 403 in GitHub's words for the kind of caller.
pub(crate) fn forbidden(caller: &Caller) -> Refusal {
    Refusal::new(
        403,
        match caller {
            Caller::Anonymous => "Must have admin rights to Repository.",
            caller if caller.is_integration() => "Resource not accessible by integration",
            _ => "Resource not accessible by personal access token",
        },
    )
}

/// Percent-encodes a part of a query or of a path.
pub(crate) fn encode(text: &str) -> String {
    const KEEP: &percent_encoding::AsciiSet =
        &percent_encoding::NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
    percent_encoding::utf8_percent_encode(text, KEEP).to_string()
}

/// Decodes a part of a path.
pub(crate) fn decode(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// The pairs of a query or of a form.
pub(crate) fn pairs(text: &str) -> Vec<(String, String)> {
    text.split('&')
        .filter(|part| !part.is_empty())
        .map(|part| {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            (decode(&name.replace('+', " ")), decode(&value.replace('+', " ")))
        })
        .collect()
}
