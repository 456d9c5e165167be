//! GraphQL: a document is parsed, validated against the schema, and only then executed, so that a mistake
//! anywhere in it has no effect, as on GitHub.

mod checker;
mod coerce;
mod commit;
mod connection;
mod context;
mod execute;
mod mutations;
mod node;
mod object;
mod pull;
mod repository;
mod schema;
mod validate;

use serde_json::{Map, Value, json};

use crate::http::{Answer, Arrived, Bucket, DOCS, Refusal, authenticate};
use crate::hub::Hub;
use crate::world::{Caller, TokenKind};

use context::Context;
use schema::Schema;

/// Answers `POST /graphql`.
pub(crate) fn answer(hub: &Hub, arrived: Arrived) -> Answer {
    if !arrived.headers.contains_key("user-agent") {
        return Answer::text(403, "Request forbidden by administrative rules.\r\n");
    }
    if hub.world().graphql_disabled {
        return Refusal::not_found().into_answer();
    }
    let caller = match authenticate(hub, &arrived) {
        Ok(Caller::Token(grant)) => Caller::Token(grant),
        Ok(_) => {
            let text = "This endpoint requires you to be authenticated.";
            return Refusal::new(401, text).into_answer();
        }
        Err(refusal) => return refusal.into_answer(),
    };
    if arrived.method != "POST" {
        return Refusal::not_found().into_answer();
    }
    let now = hub.clock.seconds();
    let scopes = match caller.token() {
        Some(TokenKind::Classic { scopes, .. } | TokenKind::OAuth { scopes, .. }) => {
            Some(scopes.join(", "))
        }
        _ => None,
    };
    let (bucket, exceeded) = hub.rates.charge(&hub.world(), &caller, "graphql", 1, now);
    let body = match exceeded {
        Some(who) => {
            let text = format!("API rate limit exceeded for {who}.");
            json!({"errors": [{"type": "RATE_LIMITED", "message": text}]})
        }
        None => match respond(hub, caller, bucket, &arrived) {
            Ok(body) => body,
            Err(refusal) => return refusal.into_answer(),
        },
    };
    let mut answer = Answer::ok(body);
    answer.headers.extend(bucket.headers());
    if let Some(scopes) = scopes {
        answer = answer.with("x-oauth-scopes", scopes).with("x-accepted-oauth-scopes", "repo");
    }
    answer.with("x-github-media-type", "github.v4; format=json")
}

/// The first field that a document asks for, before it is known whether it is right.
pub(crate) fn root_field(body: &[u8]) -> Option<String> {
    let request: Value = serde_json::from_slice(body).ok()?;
    let (_, fields) = request.get("query")?.as_str()?.split_once('{')?;
    let name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let field: String = fields.trim_start().chars().take_while(|c| name(*c)).collect();
    (!field.is_empty()).then_some(field)
}

/// The body of the answer to a document.
fn respond(hub: &Hub, caller: Caller, bucket: Bucket, arrived: &Arrived) -> Result<Value, Refusal> {
    let request: Value = serde_json::from_slice(&arrived.body)
        .map_err(|_| Refusal::new(400, "Problems parsing JSON"))?;
    let Some(text) = request.get("query").and_then(Value::as_str).filter(|t| !t.is_empty()) else {
        return Ok(failed("A query attribute must be specified and must be a string."));
    };
    let variables = match request.get("variables") {
        None | Some(Value::Null) => Map::new(),
        Some(Value::Object(variables)) => variables.clone(),
        Some(_) => return Err(Refusal::new(400, "Variables must be a JSON object")),
    };
    let operation_name = request.get("operationName").and_then(Value::as_str);
    let document = match graphql_parser::parse_query::<String>(text) {
        Ok(document) => document.into_static(),
        Err(error) => return Ok(failed(&format!("Parse error: {error}"))),
    };
    let disabled = hub.world().disabled_mutations.clone();
    let schema = Schema::without(&disabled);
    let plan = match validate::plan(&schema, &document, operation_name, variables) {
        Ok(plan) => plan,
        Err(errors) => {
            note_unknown(hub, &errors, &disabled);
            return Ok(json!({ "errors": errors }));
        }
    };
    let mut context = Context::new(hub, caller, bucket);
    Ok(execute::run(&schema, &mut context, &plan))
}

fn failed(message: &str) -> Value {
    json!({"errors": [{"message": message}], "documentation_url": DOCS})
}

/// A field that does not exist fails the test that asked for it, unless the test took it away.
fn note_unknown(hub: &Hub, errors: &[Value], disabled: &std::collections::BTreeSet<String>) {
    for error in errors {
        let extensions = &error["extensions"];
        if extensions["code"] != "undefinedField" {
            continue;
        }
        let field = extensions["fieldName"].as_str().unwrap_or_default();
        if !disabled.contains(field) {
            let of = extensions["typeName"].as_str().unwrap_or_default();
            hub.log.unknown(format!("POST /graphql: {of}.{field}"));
        }
    }
}
