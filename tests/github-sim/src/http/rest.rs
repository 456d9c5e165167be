//! What every REST request goes through: headers, caller, rate limit, repository, permission, ETag.

use aws_lc_rs::digest;

use super::call::forbidden;
use super::gate::repository;
use super::pipeline::{Arrived, authenticate, primary_limit};
use super::{Answer, Bucket, Call, Needs, Outcome, Payload, Refusal, Route};
use crate::hub::Hub;
use crate::level::Level;
use crate::rest::ROUTES;
use crate::world::{Caller, TokenKind};

const API_VERSIONS: &[&str] = &["2022-11-28", "2026-03-10"];

const NO_USER_AGENT: &str = "\r\nRequest forbidden by administrative rules. Please make sure your \
    request has a User-Agent header (https://docs.github.com/en/rest/overview/resources-in-the-rest-api\
    #user-agent-required). Check https://developer.github.com for other possible causes.\r\n";

/// The route of a path below the API's base.
pub(super) fn find(method: &str, path: &str) -> Option<&'static Route> {
    ROUTES.iter().find(|route| route.matches(method, path).is_some())
}

/// `/repositories/ID/...` written with the name that the repository has now.
pub(super) fn by_name(hub: &Hub, path: &str) -> String {
    let named = || {
        let rest = path.strip_prefix("/repositories/")?;
        let (id, below) = rest.split_once('/').map_or((rest, ""), |(id, below)| (id, below));
        let world = hub.world();
        let repo = &world.repositories.get(&id.parse().ok()?)?.meta;
        let slash = if below.is_empty() { "" } else { "/" };
        Some(format!("/repos/{}{slash}{below}", repo.full_name()))
    };
    named().unwrap_or_else(|| path.to_owned())
}

/// Answers a REST request.
pub(super) fn answer(hub: &Hub, route: Option<&'static Route>, arrived: Arrived) -> Answer {
    if !arrived.headers.contains_key("user-agent") {
        return Answer::text(403, NO_USER_AGENT);
    }
    let header =
        |name: &str| arrived.headers.get(name).and_then(|v| v.to_str().ok()).map(str::to_owned);
    let wanted = header("x-github-api-version");
    let version = match wanted {
        None => API_VERSIONS[0],
        Some(wanted) => match API_VERSIONS.iter().find(|known| **known == wanted) {
            Some(known) => known,
            None => {
                let text = "The API version requested is not supported.";
                return Refusal::new(400, text).into_answer();
            }
        },
    };
    let if_none_match = header("if-none-match");
    let path = arrived.path.clone();
    if route.is_none() && path.starts_with("/repositories/") {
        return Refusal::not_found().into_answer();
    }
    let Some(route) = route else {
        let name = format!("{} {path}", arrived.method);
        hub.log.unknown(name.clone());
        return Refusal::new(501, format!("github-sim does not simulate {name}")).into_answer();
    };
    let resource = if path.starts_with("/search/") { "search" } else { "core" };
    let caller = match authenticate(hub, &arrived) {
        Ok(caller) => caller,
        Err(refusal) => return refusal.into_answer(),
    };
    // Asking for the limits costs nothing.
    let cost = u64::from(path != "/rate_limit");
    let now = hub.clock.seconds();
    let (mut bucket, exceeded) = hub.rates.charge(&hub.world(), &caller, resource, cost, now);
    if let Some(who) = exceeded {
        return primary_limit(false, &who, &bucket);
    }
    let get = matches!(arrived.method.as_str(), "GET" | "HEAD");
    let mut answer = match run(hub, route, arrived, caller.clone()) {
        Ok(answer) => answer,
        Err(refusal) => refusal.into_answer(),
    };
    if get && answer.status == 200 {
        answer = tagged(answer, if_none_match.as_deref());
        if answer.status == 304 {
            bucket = hub.rates.refund(&hub.world(), &caller, resource, now);
        }
    }
    common_headers(answer, route, &caller, &bucket, version)
}

fn run(hub: &Hub, route: &'static Route, arrived: Arrived, caller: Caller) -> Outcome {
    let params = route.matches(arrived.method.as_str(), &arrived.path).unwrap_or_default();
    let mut call = Call {
        hub,
        method: arrived.method,
        params,
        query: super::pairs(&arrived.query),
        path: arrived.path,
        headers: arrived.headers,
        body: arrived.body,
        caller,
        repo: None,
    };
    let authenticated = !matches!(call.caller, Caller::Anonymous);
    let token = call.caller.token();
    match route.needs {
        Needs::Open => {}
        _ if !authenticated
            && !matches!(route.needs, Needs::Repo(_) | Needs::App | Needs::Client) =>
        {
            return Err(Refusal::new(401, "Requires authentication"));
        }
        Needs::App => match call.caller {
            Caller::App { .. } => {}
            _ => return Err(Refusal::new(401, "A JSON web token could not be decoded")),
        },
        Needs::Client => match call.caller {
            Caller::Client { .. } => {}
            _ => return Err(Refusal::not_found()),
        },
        Needs::Installation if !matches!(token, Some(TokenKind::Installation { .. })) => {
            let text = "You must authenticate with an installation access token in order to list \
                        repositories for an installation.";
            return Err(Refusal::new(403, text));
        }
        Needs::Person if call.caller.user_id().is_none() => return Err(forbidden(&call.caller)),
        Needs::Token if token.is_none() => return Err(forbidden(&call.caller)),
        Needs::Installation | Needs::Person | Needs::Token => {}
        Needs::Repo(permissions) => call.repo = Some(repository(&call, permissions)?),
    }
    (route.handler)(&call)
}

/// Gives the answer an ETag, or takes the body away when the caller has it.
fn tagged(answer: Answer, if_none_match: Option<&str>) -> Answer {
    let (_, body) = answer.bytes();
    let hash = digest::digest(&digest::SHA256, &body);
    let hex: String = hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    let strong = format!("\"{hex}\"");
    let known = if_none_match.is_some_and(|tags| {
        tags.split(',').any(|tag| tag.trim().trim_start_matches("W/") == strong)
    });
    let mut answer = answer.with("etag", format!("W/{strong}"));
    if known {
        (answer.status, answer.body) = (304, Payload::Empty);
    }
    answer
}

fn common_headers(
    mut answer: Answer,
    route: &Route,
    caller: &Caller,
    bucket: &Bucket,
    version: &'static str,
) -> Answer {
    // The headers of a handler (a rate limit, say) are set last and win.
    let mut headers = bucket.headers().to_vec();
    headers.push(("x-github-media-type", "github.v3; format=json".to_owned()));
    headers.push(("x-github-api-version-selected", version.to_owned()));
    headers.push(("cache-control", "private, max-age=60, s-maxage=60".to_owned()));
    headers.push(("vary", "Accept, Authorization, Cookie".to_owned()));
    let accepted = |join: &str| match route.needs {
        Needs::Repo(permissions) => {
            let one = |(name, level): &(&str, Level)| format!("{name}={}", level.word());
            permissions.iter().map(one).collect::<Vec<_>>().join(join)
        }
        _ => String::new(),
    };
    match caller {
        Caller::Token(grant) => {
            match &grant.kind {
                TokenKind::Classic { scopes, .. } | TokenKind::OAuth { scopes, .. } => {
                    let repo = matches!(route.needs, Needs::Repo(_));
                    headers.push(("x-oauth-scopes", scopes.join(", ")));
                    let accepted = if repo { "repo" } else { "" };
                    headers.push(("x-accepted-oauth-scopes", accepted.to_owned()));
                }
                _ => {
                    let text = accepted("; ");
                    if !text.is_empty() {
                        headers.push(("x-accepted-github-permissions", text));
                    }
                }
            }
            let personal =
                matches!(grant.kind, TokenKind::Classic { .. } | TokenKind::FineGrained { .. });
            if let Some(end) = grant.expires_at.filter(|_| personal) {
                let text = crate::clock::iso(end).replace('T', " ").replace('Z', " UTC");
                headers.push(("github-authentication-token-expiration", text));
            }
        }
        Caller::Anonymous | Caller::App { .. } | Caller::Client { .. } => {}
    }
    headers.append(&mut answer.headers);
    answer.headers = headers;
    answer
}
