//! One request to GitHub, and its answer.

use bytes::Bytes;
use reqwest::{
    Method,
    header::{HeaderMap, HeaderValue},
};
use serde::{Serialize, de::DeserializeOwned};
use url::Url;
use zeroize::Zeroizing;

use super::{
    error::{Error, Kind, Result},
    payer::Payer,
};
use crate::domain::{InstallationId, Token};

/// What a request proves itself by.
#[derive(Clone, Copy)]
pub(super) enum Credential<'a> {
    /// By nothing: what is in the body is enough.
    Nothing,
    /// By the App's JWT.
    App(&'a Token),
    /// By a token.
    Bearer(&'a Token),
    /// By client id and secret, in base64.
    Basic(&'a Token),
    /// As git does: by a token behind a name, in base64.
    Git {
        /// The two together.
        pair: &'a Token,
        /// The token.
        token: &'a Token,
    },
}

impl Credential<'_> {
    /// What must be in no message.
    pub(super) fn secret(&self) -> &str {
        match self {
            Self::Nothing => "",
            Self::App(secret) | Self::Bearer(secret) | Self::Basic(secret) => secret.expose(),
            Self::Git { pair, .. } => pair.expose(),
        }
    }

    /// Value of the header.
    pub(super) fn header(&self) -> Result<Option<HeaderValue>> {
        let scheme = match self {
            Self::Nothing => return Ok(None),
            Self::App(_) | Self::Bearer(_) => "Bearer",
            Self::Basic(_) | Self::Git { .. } => "Basic",
        };
        let text = Zeroizing::new(format!("{scheme} {}", self.secret()));
        let mut value = HeaderValue::try_from(text.as_str()).map_err(|_| {
            Error::new(Kind::Unauthorized, "the token has characters that no GitHub token has")
        })?;
        value.set_sensitive(true);
        Ok(Some(value))
    }
}

impl<'a> From<Option<&'a Token>> for Credential<'a> {
    fn from(token: Option<&'a Token>) -> Self {
        token.map_or(Self::Nothing, Self::Bearer)
    }
}

/// What is sent, without the credential.
#[derive(Clone)]
pub(super) struct Call {
    pub(super) method: Method,
    /// The route as GitHub documents it, for logs: names and ids in URLs can be private.
    pub(super) route: &'static str,
    pub(super) url: Url,
    pub(super) body: Option<Body>,
    /// True if sending it twice is the same as once.
    pub(super) repeatable: bool,
    /// True if it carries file content, which takes time.
    pub(super) upload: bool,
    /// True if it follows a repository that has moved.
    pub(super) follows: bool,
    /// True for everything but what is of the web site.
    pub(super) api: bool,
    /// True if the body of its answer is not read: that it succeeds is the answer.
    pub(super) unread: bool,
    /// The installation that the App does it for.
    pub(super) of_installation: Option<InstallationId>,
    /// True if it makes a token, of which GitHub makes only so many a minute.
    pub(super) mints: bool,
}

#[derive(Clone)]
pub(super) struct Body {
    pub(super) media_type: &'static str,
    pub(super) bytes: Bytes,
}

impl Call {
    /// Reads something: repeatable.
    pub(super) fn get(route: &'static str, url: Url) -> Self {
        Self { repeatable: true, ..Self::new(Method::GET, route, url) }
    }

    /// Makes something.
    pub(super) fn post(route: &'static str, url: Url) -> Self {
        Self::new(Method::POST, route, url)
    }

    /// Changes something.
    pub(super) fn patch(route: &'static str, url: Url) -> Self {
        Self::new(Method::PATCH, route, url)
    }

    /// Puts something in its place.
    pub(super) fn put(route: &'static str, url: Url) -> Self {
        Self::new(Method::PUT, route, url)
    }

    /// Removes something: repeatable.
    pub(super) fn delete(route: &'static str, url: Url) -> Self {
        Self { repeatable: true, ..Self::new(Method::DELETE, route, url) }
    }

    fn new(method: Method, route: &'static str, url: Url) -> Self {
        Self {
            method,
            route,
            url,
            body: None,
            repeatable: false,
            upload: false,
            follows: false,
            api: true,
            unread: false,
            of_installation: None,
            mints: false,
        }
    }

    /// Done by the App for an installation.
    pub(super) fn of_installation(self, id: InstallationId) -> Self {
        Self { of_installation: Some(id), ..self }
    }

    /// Makes a token of an installation.
    pub(super) fn minting(self, id: InstallationId) -> Self {
        Self { mints: true, ..self.of_installation(id) }
    }

    /// With a JSON body. `size` is about how long it will be, so that large ones are not moved while they grow.
    pub(super) fn json(mut self, body: &impl Serialize, size: usize) -> Result<Self> {
        let mut bytes = Vec::with_capacity(size);
        serde_json::to_writer(&mut bytes, body).map_err(|_| {
            Error::new(Kind::Invalid, "the request cannot be written as JSON; nothing was sent")
        })?;
        self.body = Some(Body { media_type: "application/json", bytes: bytes.into() });
        Ok(self)
    }

    /// With the body of a web form, to the web site instead of the API.
    pub(super) fn form(mut self, body: String) -> Self {
        let bytes = Bytes::from(body);
        self.body = Some(Body { media_type: "application/x-www-form-urlencoded", bytes });
        self.api = false;
        self
    }

    /// To the web site instead of the API.
    pub(super) fn of_the_web_site(self) -> Self {
        Self { api: false, ..self }
    }

    /// Without the body of its answer.
    pub(super) fn unread(self) -> Self {
        Self { unread: true, ..self }
    }

    /// With the time that file content takes.
    pub(super) fn upload(self) -> Self {
        Self { upload: true, ..self }
    }

    /// Follows a repository that has moved.
    pub(super) fn following(self) -> Self {
        Self { follows: true, ..self }
    }

    /// The call to make after `error`, if that names a new place on the same server and this call is one that follows.
    pub(super) fn redirected(&self, error: &Error) -> Option<Self> {
        let Kind::Moved { location } = &error.kind else { return None };
        let url = self.url.join(location).ok()?;
        let same_server = url.origin() == self.url.origin();
        (self.follows && same_server && !location.is_empty()).then(|| Self { url, ..self.clone() })
    }

    /// May be sent again after a failure, though it makes something.
    pub(super) fn repeatable(self) -> Self {
        Self { repeatable: true, ..self }
    }
}

/// GitHub's answer of success.
pub(super) struct Answer {
    /// Whose quota it was counted in.
    pub(super) payer: Payer,
    pub(super) route: &'static str,
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Answer {
    /// The body as JSON.
    pub(super) fn read<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_slice(&self.body).map_err(|error| self.unreadable(&error))
    }

    /// The error of a body that is not as documented. serde's own words can repeat parts of it, even a token: only
    /// the place is told.
    fn unreadable(&self, error: &serde_json::Error) -> Error {
        let message = format!(
            "the answer to {} is not as documented (line {}, column {})",
            self.route,
            error.line(),
            error.column()
        );
        Error::new(Kind::Malformed, message).of_answer(self.status, &self.headers)
    }
}

#[cfg(test)]
mod tests {
    use reqwest::header::{HeaderName, HeaderValue};

    use super::*;

    #[test]
    fn what_cannot_be_read_is_not_repeated() {
        #[derive(Debug, serde::Deserialize)]
        #[expect(dead_code, reason = "only its type matters")]
        struct Wanted {
            id: u64,
        }
        let answer = Answer {
            payer: Payer::Nobody,
            route: "GET /x",
            status: 200,
            headers: [(
                HeaderName::from_static("x-github-request-id"),
                HeaderValue::from_static("A:1"),
            )]
            .into_iter()
            .collect(),
            body: Bytes::from_static(br#"{"id": "ghs_secret"}"#),
        };
        let error = answer.read::<Wanted>().unwrap_err();
        assert_eq!(error.kind, Kind::Malformed);
        assert_eq!((error.status, error.request_id.as_deref()), (Some(200), Some("A:1")));
        assert!(!format!("{error:?}").contains("secret"), "{error:?}");
    }

    #[test]
    fn follows_only_on_the_same_server() {
        let call = Call::get("", "https://api.github.com/repos/a/b".parse().unwrap());
        let to = |call: &Call, location: &str| {
            let error = Error::new(Kind::Moved { location: location.to_owned() }, "");
            call.redirected(&error).map(|call| call.url.to_string())
        };
        let there = "https://api.github.com/repositories/7";
        assert_eq!(to(&call, there), None);
        let call = call.following();
        assert_eq!(to(&call, there).as_deref(), Some(there));
        assert_eq!(to(&call, "/repositories/7").as_deref(), Some(there));
        for elsewhere in [
            "https://evil.example/repositories/7",
            "http://api.github.com/repositories/7",
            "https://api.github.com:8443/repositories/7",
            "//evil.example/x",
            "",
        ] {
            assert_eq!(to(&call, elsewhere), None, "{elsewhere}");
        }
        assert!(call.redirected(&Error::new(Kind::NotFound, "")).is_none());
    }

    #[test]
    fn only_reads_and_removals_are_repeatable_unless_told() {
        let url = || "https://api.github.com/x".parse::<Url>().unwrap();
        assert!(Call::get("", url()).repeatable && Call::delete("", url()).repeatable);
        assert!(!Call::post("", url()).repeatable && !Call::patch("", url()).repeatable);
        assert!(Call::post("", url()).repeatable().repeatable);
    }
}
