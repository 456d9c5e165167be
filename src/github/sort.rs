//! Sorting GitHub's refusals into kinds: by status and headers first, by text where they leave it open.
//! Texts drift, so that each one is as short as it can be.

use reqwest::header::HeaderMap;
use serde_json::Value;

use super::{
    clean::clean,
    error::{Detail, Kind, Said},
    headers, rules,
};

/// Most parts of a refusal that are kept.
const MAX_DETAILS: usize = 20;

/// Repositories to which nobody can write.
const READ_ONLY: [&str; 8] = [
    "was archived",
    "is archived",
    "been archived",
    "repository has been disabled",
    "repository access blocked",
    "repository has been locked",
    "locked for migration",
    "is being migrated",
];
/// What is more than GitHub takes, whatever the repository's own rules say.
const TOO_LARGE: [&str; 5] = [
    "input was too large",
    "is too large",
    "are too large",
    "exceeds github's file size limit",
    "entity too large",
];

/// GitHub's words in the body of a refusal. A body of any other form (a proxy's page) says nothing.
pub(super) fn said(body: &[u8], secret: &str) -> Said {
    let Ok(Value::Object(body)) = serde_json::from_slice(body) else {
        return Said::default();
    };
    let text = |name: &str| body.get(name).and_then(Value::as_str).map(|text| clean(text, secret));
    let errors = match body.get("errors") {
        Some(Value::Array(errors)) => errors.as_slice(),
        Some(one) => std::slice::from_ref(one),
        None => &[],
    };
    Said {
        message: text("message").unwrap_or_default(),
        details: errors.iter().take(MAX_DETAILS).map(|error| detail(error, secret)).collect(),
        documentation_url: text("documentation_url"),
        ..Said::default()
    }
}

/// One part: an object, or just a sentence.
fn detail(error: &Value, secret: &str) -> Detail {
    let text = |name: &str| {
        error.get(name).and_then(Value::as_str).map(|text| clean(text, secret)).unwrap_or_default()
    };
    match error {
        Value::String(sentence) => Detail { message: clean(sentence, secret), ..Detail::default() },
        _ => Detail {
            resource: text("resource"),
            field: text("field"),
            code: text("code"),
            message: text("message"),
        },
    }
}

/// The kind of a refusal over REST.
pub(super) fn kind(status: u16, headers: &HeaderMap, said: &Said) -> Kind {
    let text = lowercase(said);
    match status {
        301..=303 | 307 | 308 => Kind::Moved {
            location: headers::location(headers).map(|at| clean(at, "")).unwrap_or_default(),
        },
        401 => Kind::Unauthorized,
        403 | 429 => forbidden(status, headers, &text),
        404 if headers::sso_url(headers).is_some() => Kind::SsoRequired,
        404 | 410 => Kind::NotFound,
        409 => conflict(&text),
        413 => Kind::TooLarge,
        451 => Kind::ReadOnly,
        422 => unprocessable(&text, said),
        501 => Kind::Unsupported,
        500.. => Kind::Server,
        400..=499 => Kind::Invalid,
        _ => Kind::Malformed,
    }
}

fn forbidden(status: u16, headers: &HeaderMap, text: &str) -> Kind {
    let has = |part: &str| text.contains(part);
    if headers::sso_url(headers).is_some() || has("saml enforcement") {
        Kind::SsoRequired
    } else if status == 429 || has("rate limit") || has("abuse detection") {
        Kind::RateLimited
    } else if let Some(kind) = refused(text) {
        kind
    } else if has("not accessible by") {
        Kind::Forbidden
    } else if headers::text(headers, "retry-after").is_some()
        || headers::text(headers, "x-ratelimit-remaining") == Some("0")
    {
        Kind::RateLimited
    } else {
        Kind::Forbidden
    }
}

/// What a text alone tells, whatever the status.
fn refused(text: &str) -> Option<Kind> {
    let has = |part: &str| text.contains(part);
    // Whole phrases: the names of branches and files are in some texts, too.
    if has("been suspended") || has("was suspended") || has("is suspended") {
        Some(Kind::Suspended)
    } else if READ_ONLY.iter().any(|words| has(words)) {
        Some(Kind::ReadOnly)
    } else if has("refusing to allow") {
        Some(Kind::Forbidden)
    } else if rules::is_told_in(text) {
        Some(Kind::RefusedByRules)
    } else if TOO_LARGE.iter().any(|words| has(words)) {
        Some(Kind::TooLarge)
    } else {
        None
    }
}

fn conflict(text: &str) -> Kind {
    if text.contains("repository is empty") {
        Kind::EmptyRepository
    } else {
        refused(text).unwrap_or(Kind::Conflict)
    }
}

fn unprocessable(text: &str, said: &Said) -> Kind {
    let has = |part: &str| text.contains(part);
    if has("not a fast forward") || has("not a fast-forward") {
        Kind::Stale
    } else if has("already exists") || said.details.iter().any(|d| d.code == "already_exists") {
        Kind::AlreadyExists
    } else if has("reference does not exist") {
        Kind::NotFound
    } else if has("no commits between") {
        Kind::NothingToMerge
    } else if has("accessible to the parent installation") {
        Kind::RepositoryNotAccessible
    } else if has("permissions requested are not granted") {
        Kind::Forbidden
    } else if said.details.iter().any(|d| d.code == "too_large") {
        Kind::TooLarge
    } else {
        refused(text).unwrap_or(Kind::Invalid)
    }
}

/// The kind of one of the errors in a GraphQL answer.
pub(super) fn graphql_kind(error_type: &str, code: &str, message: &str) -> Kind {
    let text = message.to_lowercase();
    let has = |part: &str| text.contains(part);
    let lacking = code.starts_with("undefined")
        || has("doesn't exist on type")
        || has("isn't a defined input type");
    let moved = has("expected branch to point to") || (has(" is at ") && has("but expected"));
    if lacking {
        Kind::Unsupported
    } else if error_type == "STALE_DATA" || moved {
        Kind::Stale
    } else if error_type.starts_with("RATE_LIMIT") || has("rate limit") {
        Kind::RateLimited
    } else if error_type == "BRANCH_PROTECTION_RULE_VIOLATION" {
        Kind::RefusedByRules
    } else if has("saml enforcement") {
        Kind::SsoRequired
    } else if let Some(kind) = refused(&text) {
        kind
    } else if matches!(error_type, "FORBIDDEN" | "INSUFFICIENT_SCOPES") {
        Kind::Forbidden
    } else if error_type == "NOT_FOUND" || has("branch not found") {
        Kind::NotFound
    } else if matches!(error_type, "SERVICE_UNAVAILABLE" | "INTERNAL")
        || has("something went wrong")
        || has("timed out")
    {
        Kind::Server
    } else {
        Kind::Invalid
    }
}

/// Message and details in one text to search in.
fn lowercase(said: &Said) -> String {
    let details = said.details.iter().map(|detail| detail.message.as_str());
    let texts: Vec<&str> = std::iter::once(said.message.as_str()).chain(details).collect();
    texts.join("\n").to_lowercase()
}

#[cfg(test)]
mod tests {
    use reqwest::header::{HeaderName, HeaderValue};

    use super::*;

    fn sorted(status: u16, headers: &[(&'static str, &'static str)], body: &str) -> Kind {
        let pair = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        kind(status, &headers.iter().map(pair).collect(), &said(body.as_bytes(), ""))
    }

    fn message(status: u16, text: &str) -> Kind {
        let body = serde_json::json!({ "message": text, "documentation_url": "https://docs" });
        sorted(status, &[], &body.to_string())
    }

    #[test]
    fn sorts_by_status_and_text() {
        let cases = [
            (401, "Bad credentials", Kind::Unauthorized),
            (403, "This installation has been suspended", Kind::Suspended),
            (403, "Resource not accessible by integration", Kind::Forbidden),
            (403, "Resource not accessible by personal access token", Kind::Forbidden),
            (
                403,
                "Resource protected by organization SAML enforcement. You must grant",
                Kind::SsoRequired,
            ),
            (403, "Repository was archived so is read-only.", Kind::ReadOnly),
            (403, "You have exceeded a secondary rate limit. Please wait", Kind::RateLimited),
            (403, "API rate limit exceeded for installation ID 1.", Kind::RateLimited),
            (429, "", Kind::RateLimited),
            (404, "Not Found", Kind::NotFound),
            (409, "Git Repository is empty.", Kind::EmptyRepository),
            (409, "Repository rule violations found\n\nx", Kind::RefusedByRules),
            (409, "Conflict", Kind::Conflict),
            (413, "", Kind::TooLarge),
            (451, "Repository access blocked", Kind::ReadOnly),
            (403, "Repository access blocked", Kind::ReadOnly),
            (403, "Access to this repository has been disabled.", Kind::ReadOnly),
            (403, "Repository has been locked for migration.", Kind::ReadOnly),
            (
                403,
                "refusing to allow a GitHub App to create or update workflow `a.yml` without `workflows` permission",
                Kind::Forbidden,
            ),
            (
                422,
                "Sorry, your input was too large to process. Consider creating the blob in a local clone",
                Kind::TooLarge,
            ),
            (
                422,
                "File a.bin is 123.00 MB; this exceeds GitHub's file size limit of 100.00 MB",
                Kind::TooLarge,
            ),
            (422, "Changes must be made through the merge queue", Kind::RefusedByRules),
            (422, "Update is not a fast forward", Kind::Stale),
            (422, "Reference already exists", Kind::AlreadyExists),
            (422, "Reference does not exist", Kind::NotFound),
            (422, "Reference update failed", Kind::Invalid),
            (422, "Repository rule violations found\n\nCannot update", Kind::RefusedByRules),
            (422, "Changes must be made through a pull request.", Kind::RefusedByRules),
            (422, "Commits must have verified signatures.", Kind::RefusedByRules),
            (422, "Secret detected in content", Kind::RefusedByRules),
            (422, "Cannot update this protected ref.", Kind::RefusedByRules),
            (403, "You're not authorized to push to this branch.", Kind::RefusedByRules),
            (422, "Cannot create ref due to creations being restricted.", Kind::RefusedByRules),
            (
                422,
                "The permissions requested are not granted to this installation.",
                Kind::Forbidden,
            ),
            (
                422,
                "There is at least one repository that does not exist or is not accessible to the \
                 parent installation.",
                Kind::RepositoryNotAccessible,
            ),
            (422, "Validation Failed", Kind::Invalid),
            (400, "Problems parsing JSON", Kind::Invalid),
            (500, "", Kind::Server),
            (501, "", Kind::Unsupported),
            (503, "", Kind::Server),
            (204, "", Kind::Malformed),
        ];
        for (status, text, expected) in cases {
            assert_eq!(message(status, text), expected, "{status} {text}");
        }
    }

    #[test]
    fn sorts_by_headers() {
        let sso = [("x-github-sso", "required; url=https://github.com/orgs/a/sso")];
        let used_up = [("x-ratelimit-remaining", "0")];
        let not_mine = r#"{"message":"Resource not accessible by integration"}"#;
        let cases = [
            (403, &sso, "{}", Kind::SsoRequired),
            (404, &sso, "{}", Kind::SsoRequired),
            (403, &used_up, "{}", Kind::RateLimited),
            (403, &used_up, not_mine, Kind::Forbidden),
            (403, &[("retry-after", "5")], "<html>", Kind::RateLimited),
        ];
        for (status, headers, body, expected) in cases {
            assert_eq!(sorted(status, headers, body), expected, "{status} {headers:?} {body}");
        }
        let moved = [("location", "https://api.github.com/repositories/7")];
        let location = "https://api.github.com/repositories/7".to_owned();
        assert_eq!(sorted(307, &moved, "{}"), Kind::Moved { location });
    }

    #[test]
    fn looks_into_the_details() {
        let body =
            |detail: &str| format!(r#"{{"message":"Validation Failed","errors":[{detail}]}}"#);
        let cases = [
            (
                r#"{"resource":"PullRequest","code":"custom","message":"A pull request already exists for a:b."}"#,
                Kind::AlreadyExists,
            ),
            (
                r#"{"resource":"PullRequest","code":"custom","message":"No commits between main and staging"}"#,
                Kind::NothingToMerge,
            ),
            (r#"{"resource":"PullRequest","field":"base","code":"invalid"}"#, Kind::Invalid),
            (r#"{"resource":"Label","code":"already_exists","field":"name"}"#, Kind::AlreadyExists),
            (r#"{"resource":"Blob","code":"too_large","field":"data"}"#, Kind::TooLarge),
            (r#""No commits between main and staging""#, Kind::NothingToMerge),
        ];
        for (detail, expected) in cases {
            assert_eq!(sorted(422, &[], &body(detail)), expected, "{detail}");
        }
        let said = said(
            body(r#"{"resource":"PullRequest","field":"base","code":"invalid"}"#).as_bytes(),
            "",
        );
        let detail = said.details.first().unwrap();
        assert_eq!((detail.field.as_str(), detail.code.as_str()), ("base", "invalid"));
    }

    #[test]
    fn sorts_graphql_errors() {
        let cases = [
            (
                "STALE_DATA",
                "",
                "Expected branch to point to \"a\" but it did not.  Pull and try again.",
                Kind::Stale,
            ),
            ("", "", "Expected branch to point to \"a\" but it did not.", Kind::Stale),
            ("UNPROCESSABLE", "", "refs/heads/x is at a but expected b", Kind::Stale),
            ("NOT_FOUND", "", "Branch not found", Kind::NotFound),
            ("", "", "Branch not found", Kind::NotFound),
            (
                "NOT_FOUND",
                "",
                "Could not resolve to a Repository with the name 'a/b'.",
                Kind::NotFound,
            ),
            ("FORBIDDEN", "", "Resource not accessible by integration", Kind::Forbidden),
            (
                "FORBIDDEN",
                "",
                "Resource protected by organization SAML enforcement.",
                Kind::SsoRequired,
            ),
            ("FORBIDDEN", "", "Repository was archived so is read-only.", Kind::ReadOnly),
            ("BRANCH_PROTECTION_RULE_VIOLATION", "", "x", Kind::RefusedByRules),
            ("UNPROCESSABLE", "", "Repository rule violations found\n\nx", Kind::RefusedByRules),
            ("UNPROCESSABLE", "", "The file changes are too large for one commit.", Kind::TooLarge),
            ("UNPROCESSABLE", "", "Repository was archived so is read-only.", Kind::ReadOnly),
            ("RATE_LIMITED", "", "API rate limit exceeded", Kind::RateLimited),
            ("RATE_LIMITED", "", "x", Kind::RateLimited),
            (
                "",
                "undefinedField",
                "Field 'createCommitOnBranch' doesn't exist on type 'Mutation'",
                Kind::Unsupported,
            ),
            ("", "", "Something went wrong while executing your query.", Kind::Server),
            (
                "",
                "",
                "A path was requested for deletion which does not exist as of commit oid a: suspended/archived.sql",
                Kind::Invalid,
            ),
        ];
        for (error_type, code, message, expected) in cases {
            assert_eq!(graphql_kind(error_type, code, message), expected, "{error_type} {message}");
        }
    }

    #[test]
    fn bodies_of_any_form_are_survived() {
        for body in ["", "null", "[]", "<html>", r#"{"message":1,"errors":{"a":1}}"#, "\u{ff}"] {
            assert_eq!(said(body.as_bytes(), "").message, "", "{body}");
        }
    }
}
