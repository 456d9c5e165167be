//! What can go wrong in a call, with everything that GitHub said about it.

use std::{fmt, ops::Deref, time::Duration};

use reqwest::header::HeaderMap;
use time::OffsetDateTime;

use super::{
    clean::clean,
    headers::{self, RateLimit},
    rules::{self, RefusedRule},
};

/// Result of a call to GitHub.
pub type Result<T> = std::result::Result<T, Error>;

/// A call that failed. Nothing in it is secret: GitHub's words are cleaned and cut, and bodies are not kept.
#[derive(Clone, Debug)]
pub struct Error {
    /// What kind of failure.
    pub kind: Kind,
    /// HTTP status, if there was an answer.
    pub status: Option<u16>,
    /// GitHub's message, or what happened on the way; on one line, without tokens.
    pub message: String,
    context: Box<Context>,
}

/// What else GitHub said; `Error` derefs to it.
#[derive(Clone, Default, Debug)]
pub struct Context {
    /// The parts of a refusal.
    pub details: Vec<Detail>,
    /// GitHub's page about it.
    pub documentation_url: Option<String>,
    /// GitHub's id of the request, for its support.
    pub request_id: Option<String>,
    /// How long GitHub, or the breaker, wants no further call.
    pub retry_after: Option<Duration>,
    /// The quota that the request was counted in.
    pub rate: Option<RateLimit>,
    /// The page on which a user allows the token for the organization.
    pub sso_url: Option<String>,
    /// Permissions that would do, as GitHub writes them: `contents=read; issues=read,contents=read`.
    pub accepted_permissions: Option<String>,
    /// Scopes of which a classic token would need one, if it has none of them.
    pub missing_scopes: Vec<String>,
    /// The rules that refuse it, as far as GitHub names them; only of [`Kind::RefusedByRules`].
    pub rules: Vec<RefusedRule>,
    /// Pages on which a user can let pass what push protection takes for a secret.
    pub unblock_urls: Vec<String>,
    /// How far GitHub's clock was ahead of ours by this answer.
    pub(super) clock_offset: Option<time::Duration>,
}

/// One part of a refusal.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Detail {
    /// What it is about: `PullRequest`, ...
    pub resource: String,
    /// Field of it.
    pub field: String,
    /// `missing`, `invalid`, `already_exists`, `custom`, ..., or the type of a GraphQL error.
    pub code: String,
    /// GitHub's sentence.
    pub message: String,
}

/// Kinds of failure, by what can be done about them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Kind {
    /// The credential is not, or no longer, accepted.
    Unauthorized,
    /// The App's installation is suspended.
    Suspended,
    /// The credential is good, but this is not permitted to it; also a token for permissions that were not granted.
    Forbidden,
    /// The organization wants single sign-on for this token.
    SsoRequired,
    /// It does not exist, or the credential must not know that it does.
    NotFound,
    /// A token was asked for a repository that the installation does not reach.
    RepositoryNotAccessible,
    /// The repository was renamed or transferred.
    Moved {
        /// Where GitHub says that it is now: an API URL.
        location: String,
    },
    /// The repository is archived, disabled or locked.
    ReadOnly,
    /// The repository has no commit yet.
    EmptyRepository,
    /// Something else stands in the way for now.
    Conflict,
    /// The branch is not where the request expects it to be.
    Stale,
    /// A ruleset, branch protection or push protection refuses it.
    RefusedByRules,
    /// GitHub does not understand or allow the values; `details` says which.
    Invalid,
    /// The branch or pull request exists already.
    AlreadyExists,
    /// A pull request was asked for where there is nothing to merge.
    NothingToMerge,
    /// Too many requests; `retry_after` says how long to wait, if GitHub did.
    RateLimited,
    /// GitHub failed.
    Server,
    /// No connection: the request was surely not seen.
    Unreachable,
    /// No answer: the request may have taken effect.
    Interrupted,
    /// This host does not have the route or the mutation.
    Unsupported,
    /// The request is larger than GitHub takes.
    TooLarge,
    /// The answer is not what GitHub documents: the request did take effect.
    Malformed,
    /// The host failed so often that it is left alone for a while; nothing was sent.
    BreakerOpen,
    /// The App's JWT is refused because of the time, though it was signed by the time that GitHub's answers show.
    ClockSkew {
        /// How far GitHub's clock is ahead of ours, by its answers.
        seconds: i64,
    },
    /// The broker has no App, or no OAuth client.
    AppNotConfigured,
    /// GitHub does not know the OAuth client as it is configured.
    ClientRefused,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unauthorized => "credential refused",
            Self::Suspended => "installation suspended",
            Self::Forbidden => "not permitted",
            Self::SsoRequired => "single sign-on required",
            Self::NotFound => "not found",
            Self::RepositoryNotAccessible => "repository not accessible to the installation",
            Self::Moved { .. } => "moved",
            Self::ReadOnly => "read-only",
            Self::EmptyRepository => "empty repository",
            Self::Conflict => "conflict",
            Self::Stale => "branch moved",
            Self::RefusedByRules => "refused by rules",
            Self::Invalid => "refused as invalid",
            Self::AlreadyExists => "exists already",
            Self::NothingToMerge => "nothing to merge",
            Self::RateLimited => "rate limited",
            Self::Server => "failed",
            Self::Unreachable => "unreachable",
            Self::Interrupted => "no answer",
            Self::Unsupported => "not supported by this host",
            Self::TooLarge => "too large",
            Self::Malformed => "unreadable answer",
            Self::BreakerOpen => "left alone after failures",
            Self::ClockSkew { .. } => "clocks differ",
            Self::AppNotConfigured => "App not configured",
            Self::ClientRefused => "OAuth client refused",
        })
    }
}

/// More parts than this are no help in a sentence, and a gRPC message has to fit into a header.
const MAX_PARTS: usize = 3;

impl Error {
    /// A failure that no answer of GitHub's describes. `message` must not contain anything secret.
    pub(crate) fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, status: None, message: message.into(), context: Box::default() }
    }

    /// A failure that an answer describes. `now` is by GitHub's clock.
    pub(super) fn answered(
        kind: Kind,
        status: u16,
        headers: &HeaderMap,
        said: Said,
        now: OffsetDateTime,
    ) -> Self {
        let cleaned = |text: &str| clean(text, "");
        let (rules, unblock_urls) = match kind {
            Kind::RefusedByRules => (said.rules(), said.unblock_urls()),
            _ => (Vec::new(), Vec::new()),
        };
        let context = Context {
            rules,
            unblock_urls,
            missing_scopes: headers::missing_scopes(headers).into_iter().map(cleaned).collect(),
            details: said.details,
            documentation_url: said.documentation_url,
            request_id: headers::request_id(headers).map(cleaned),
            retry_after: headers::retry_after(headers, now),
            rate: headers::rate(headers),
            sso_url: headers::sso_url(headers).map(cleaned),
            accepted_permissions: headers::text(headers, "x-accepted-github-permissions")
                .map(cleaned),
            clock_offset: None,
        };
        Self { kind, status: Some(status), message: said.message, context: Box::new(context) }
    }

    /// A token that is for other repositories can look at this one, because everybody can.
    pub(crate) fn only_public() -> Self {
        Self::new(Kind::NotFound, "the repository is public, and the token is not for it")
    }

    /// The same, found in an answer of success.
    pub(super) fn of_answer(mut self, status: u16, headers: &HeaderMap) -> Self {
        self.status = Some(status);
        self.context.request_id = headers::request_id(headers).map(|id| clean(id, ""));
        self
    }

    /// The same with a wait.
    pub(super) fn after(mut self, wait: Duration) -> Self {
        self.context.retry_after = Some(wait);
        self
    }

    /// The same with what the answer shows of GitHub's clock.
    pub(super) fn measured(mut self, offset: Option<time::Duration>) -> Self {
        self.context.clock_offset = offset;
        self
    }

    /// All that GitHub said, for people: the message may be just "Validation Failed", and the parts say why.
    pub fn sentence(&self) -> String {
        // They become parts of a longer sentence.
        let without_stop = |part: &str| match part.strip_suffix('.') {
            Some(rest) if !rest.ends_with('.') => rest.to_owned(),
            _ => part.to_owned(),
        };
        let mut parts = vec![without_stop(&self.message)];
        for detail in self.details.iter().take(MAX_PARTS) {
            let part = match detail.message.as_str() {
                "" => format!("{} {}", detail.field, detail.code).trim().to_owned(),
                message => without_stop(message),
            };
            if !part.is_empty() && !parts.contains(&part) {
                parts.push(part);
            }
        }
        parts.retain(|part| !part.is_empty());
        parts.join("; ")
    }

    /// True if the same call may succeed later without anyone changing anything.
    pub fn is_transient(&self) -> bool {
        matches!(
            self.kind,
            Kind::RateLimited
                | Kind::Server
                | Kind::Unreachable
                | Kind::Interrupted
                | Kind::BreakerOpen
                | Kind::ClockSkew { .. }
        )
    }

    /// True if a call that changes something may have done so all the same: read the state before calling again.
    pub fn effect_unknown(&self) -> bool {
        matches!(self.kind, Kind::Interrupted | Kind::Server | Kind::Malformed)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GitHub: {}", self.kind)?;
        match (self.status, &self.request_id) {
            (Some(status), Some(id)) => write!(f, " (HTTP {status}, request {id})")?,
            (Some(status), None) => write!(f, " (HTTP {status})")?,
            (None, _) => {}
        }
        write!(f, ": {}", self.message)
    }
}

impl std::error::Error for Error {}

impl Deref for Error {
    type Target = Context;

    fn deref(&self) -> &Context {
        &self.context
    }
}

/// GitHub's words in the body of a refusal, cleaned.
#[derive(Clone, Default, Debug)]
pub(super) struct Said {
    pub(super) message: String,
    pub(super) details: Vec<Detail>,
    pub(super) documentation_url: Option<String>,
    /// See [`Context::unblock_urls`]; those that are not in the text.
    pub(super) unblock_pages: Vec<String>,
}

impl Said {
    fn text(&self) -> String {
        let details = self.details.iter().map(|detail| detail.message.as_str());
        std::iter::once(self.message.as_str()).chain(details).collect::<Vec<_>>().join("\n")
    }

    /// The rules that it names. A ruleset's are told under a headline, those of classic protection without one, or by the
    /// type of GraphQL's error.
    fn rules(&self) -> Vec<RefusedRule> {
        let text = self.text();
        let mut rules = rules::named_in(&text);
        let typed = self.details.iter().any(|detail| detail.code == PROTECTION_ERROR);
        let classic = typed || rules::are_of_protection(&text, &rules);
        if classic && !rules.contains(&RefusedRule::BranchProtection) {
            rules.push(RefusedRule::BranchProtection);
        }
        rules
    }

    fn unblock_urls(&self) -> Vec<String> {
        let mut urls = self.unblock_pages.clone();
        urls.extend(rules::unblock_urls(&self.text()));
        urls.sort_unstable();
        urls.dedup();
        urls.truncate(MAX_PARTS);
        urls
    }
}

/// The type of GraphQL's error for branch protection.
const PROTECTION_ERROR: &str = "BRANCH_PROTECTION_RULE_VIOLATION";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_whether_a_retry_helps_and_whether_it_may_have_happened() {
        let cases = [
            (Kind::Interrupted, true, true),
            (Kind::Server, true, true),
            (Kind::Unreachable, true, false),
            (Kind::BreakerOpen, true, false),
            (Kind::ClockSkew { seconds: 400 }, true, false),
            (Kind::RateLimited, true, false),
            (Kind::Malformed, false, true),
            (Kind::Stale, false, false),
            (Kind::NotFound, false, false),
        ];
        for (kind, transient, unknown) in cases {
            let error = Error::new(kind, "");
            assert_eq!(
                (error.is_transient(), error.effect_unknown()),
                (transient, unknown),
                "{error}"
            );
        }
    }

    #[test]
    fn says_what_github_can_look_up() {
        let mut error = Error::new(Kind::Server, "try again");
        assert_eq!(error.to_string(), "GitHub: failed: try again");
        error.status = Some(502);
        assert_eq!(error.to_string(), "GitHub: failed (HTTP 502): try again");
        error.context.request_id = Some("C0DE:1".to_owned());
        assert_eq!(error.to_string(), "GitHub: failed (HTTP 502, request C0DE:1): try again");
    }

    #[test]
    fn a_sentence_has_the_parts_once() {
        let detail = |field: &str, code: &str, message: &str| Detail {
            field: field.into(),
            code: code.into(),
            message: message.into(),
            ..Detail::default()
        };
        let mut error = Error::new(Kind::Invalid, "Validation Failed");
        assert_eq!(error.sentence(), "Validation Failed");
        error.context.details = vec![
            detail("", "custom", "Drafts are not supported."),
            detail("base", "invalid", ""),
            detail("", "custom", "Drafts are not supported."),
            detail("", "custom", "More than anybody reads."),
        ];
        assert_eq!(error.sentence(), "Validation Failed; Drafts are not supported; base invalid");
    }
}
