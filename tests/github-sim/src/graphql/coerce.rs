//! Input values: from a document or from variables to what the schema says, with every problem named.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use graphql_parser::query::Value as Literal;
use graphql_parser::schema::Type;
use serde_json::{Map, Value, json};

use super::schema::{Argument, Named, Schema, Ty};

/// What is wrong with a value, and where in it.
pub(super) struct Problem {
    pub path: Vec<String>,
    pub explanation: String,
}

impl Problem {
    pub fn json(&self) -> Value {
        json!({"path": self.path, "explanation": self.explanation})
    }
}

/// A literal of a document as JSON, with its variables filled in; nothing for a variable without a value.
pub(super) fn literal(
    value: &Literal<'_, String>,
    variables: &Map<String, Value>,
) -> Option<Value> {
    Some(match value {
        Literal::Variable(name) => return variables.get(name).cloned(),
        Literal::Int(number) => json!(number.as_i64()),
        Literal::Float(number) => json!(number),
        Literal::String(text) => json!(text),
        Literal::Boolean(flag) => json!(flag),
        Literal::Null => Value::Null,
        Literal::Enum(name) => json!(name),
        Literal::List(items) => items
            .iter()
            .map(|item| literal(item, variables).unwrap_or(Value::Null))
            .collect::<Vec<_>>()
            .into(),
        Literal::Object(fields) => {
            let mut map = Map::new();
            for (name, value) in fields {
                if let Some(value) = literal(value, variables) {
                    map.insert(name.clone(), value);
                }
            }
            Value::Object(map)
        }
    })
}

/// Checks a value against a type and fills defaults in.
pub(super) fn value(
    schema: &Schema,
    ty: &Ty,
    given: &Value,
    path: &mut Vec<String>,
    problems: &mut Vec<Problem>,
) -> Value {
    let mut wrong = |explanation: String| {
        problems.push(Problem { path: path.clone(), explanation });
        Value::Null
    };
    match ty {
        Type::NonNullType(_) if given.is_null() => {
            wrong("Expected value to not be null".to_owned())
        }
        Type::NonNullType(ty) => value(schema, ty, given, path, problems),
        _ if given.is_null() => Value::Null,
        Type::ListType(ty) => {
            // GraphQL takes a single value for a list of one.
            let one = std::slice::from_ref(given);
            let items = given.as_array().map_or(one, Vec::as_slice);
            let mut coerced = Vec::with_capacity(items.len());
            for (place, item) in items.iter().enumerate() {
                path.push(place.to_string());
                coerced.push(value(schema, ty, item, path, problems));
                path.pop();
            }
            Value::Array(coerced)
        }
        Type::NamedType(name) => match schema.get(name) {
            Some(Named::Enum(values)) => match given.as_str() {
                Some(text) if values.contains(text) => given.clone(),
                _ => {
                    let all: Vec<&str> = values.iter().map(String::as_str).collect();
                    wrong(format!("Expected {given} to be one of: {}", all.join(", ")))
                }
            },
            Some(Named::Input(fields)) => match given.as_object() {
                Some(given) => object(schema, name, fields, given, path, problems),
                None => wrong(format!("Expected {given} to be a key-value object.")),
            },
            _ => match scalar(name, given) {
                Ok(value) => value,
                Err(text) => wrong(text),
            },
        },
    }
}

fn object(
    schema: &Schema,
    name: &str,
    fields: &std::collections::BTreeMap<String, Argument>,
    given: &Map<String, Value>,
    path: &mut Vec<String>,
    problems: &mut Vec<Problem>,
) -> Value {
    for unknown in given.keys().filter(|key| !fields.contains_key(*key)) {
        path.push(unknown.clone());
        let explanation = format!("Field is not defined on {name}");
        problems.push(Problem { path: path.clone(), explanation });
        path.pop();
    }
    let mut coerced = Map::new();
    for (key, field) in fields {
        let default = || field.default.as_ref().and_then(|d| literal(d, &Map::new()));
        let given = given.get(key).cloned().or_else(default);
        if given.is_none() && !matches!(field.ty, Type::NonNullType(_)) {
            continue;
        }
        path.push(key.clone());
        let given = given.unwrap_or(Value::Null);
        coerced.insert(key.clone(), value(schema, &field.ty, &given, path, problems));
        path.pop();
    }
    Value::Object(coerced)
}

fn scalar(name: &str, given: &Value) -> Result<Value, String> {
    let could_not = || format!("Could not coerce value {given} to {name}");
    let oid = |text: &str| text.len() == 40 && text.bytes().all(|b| b.is_ascii_hexdigit());
    let fits = match name {
        "Int" => given.is_i64(),
        "Float" => given.is_number(),
        "Boolean" => given.is_boolean(),
        "ID" => given.is_string() || given.is_i64(),
        "GitObjectID" => given.as_str().is_some_and(oid),
        "Base64String" => given.as_str().is_some_and(|text| STANDARD.decode(text).is_ok()),
        "GitRefname" => given.as_str().is_some_and(|text| text.starts_with("refs/")),
        _ => given.is_string(),
    };
    if fits { Ok(given.clone()) } else { Err(could_not()) }
}
