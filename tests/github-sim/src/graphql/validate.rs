//! Checking a document before anything of it is executed.

use std::collections::BTreeMap;

use graphql_parser::query::{
    Definition, Document, Field, FragmentDefinition, OperationDefinition, SelectionSet,
    Value as Literal, VariableDefinition,
};
use serde_json::{Map, Value, json};

use super::checker::Checker;
use super::coerce::{self, literal};
use super::schema::Schema;

pub(super) type Selections = SelectionSet<'static, String>;

/// An operation that may be executed.
pub(super) struct Plan<'d> {
    pub mutation: bool,
    pub selections: &'d Selections,
    pub fragments: BTreeMap<&'d str, &'d FragmentDefinition<'static, String>>,
    pub variables: Map<String, Value>,
}

/// Validates a document and picks the operation to run.
pub(super) fn plan<'d>(
    schema: &Schema,
    document: &'d Document<'static, String>,
    operation_name: Option<&str>,
    given: Map<String, Value>,
) -> Result<Plan<'d>, Vec<Value>> {
    let mut fragments = BTreeMap::new();
    let mut operations = Vec::new();
    for definition in &document.definitions {
        match definition {
            Definition::Fragment(fragment) => {
                fragments.insert(fragment.name.as_str(), fragment);
            }
            Definition::Operation(operation) => operations.push(parts(operation)?),
        }
    }
    let chosen = match operation_name {
        Some(name) => operations.into_iter().find(|o| o.name == Some(name)),
        None if operations.len() == 1 => operations.into_iter().next(),
        None => return Err(vec![json!({"message": "An operation name is required"})]),
    };
    let Some(operation) = chosen else {
        let name = operation_name.unwrap_or_default();
        return Err(vec![json!({"message": format!("No operation named \"{name}\"")})]);
    };
    let mut checker = Checker::new(schema, fragments, operation.variables);
    checker.fill(&given);
    let (root, word) =
        if operation.mutation { ("Mutation", "mutation") } else { ("Query", "query") };
    let start = operation.name.map_or(word.to_owned(), |name| format!("{word} {name}"));
    checker.walk(root, operation.selections, &mut vec![json!(start)]);
    if !checker.errors.is_empty() {
        return Err(checker.errors);
    }
    Ok(Plan {
        mutation: operation.mutation,
        selections: operation.selections,
        fragments: checker.fragments,
        variables: checker.variables,
    })
}

struct Operation<'d> {
    name: Option<&'d str>,
    mutation: bool,
    variables: &'d [VariableDefinition<'static, String>],
    selections: &'d Selections,
}

fn parts<'d>(
    operation: &'d OperationDefinition<'static, String>,
) -> Result<Operation<'d>, Vec<Value>> {
    Ok(match operation {
        OperationDefinition::SelectionSet(selections) => {
            Operation { name: None, mutation: false, variables: &[], selections }
        }
        OperationDefinition::Query(q) => Operation {
            name: q.name.as_deref(),
            mutation: false,
            variables: &q.variable_definitions,
            selections: &q.selection_set,
        },
        OperationDefinition::Mutation(m) => Operation {
            name: m.name.as_deref(),
            mutation: true,
            variables: &m.variable_definitions,
            selections: &m.selection_set,
        },
        OperationDefinition::Subscription(_) => {
            return Err(vec![json!({"message": "Schema is not configured for subscriptions"})]);
        }
    })
}

/// The arguments of a field as the schema has them, defaults included.
pub(super) fn arguments(
    schema: &Schema,
    of: &str,
    field: &Field<'static, String>,
    variables: &Map<String, Value>,
) -> Map<String, Value> {
    let Some(known) = schema.field(of, &field.name) else { return Map::new() };
    let mut arguments = Map::new();
    for (name, expected) in &known.arguments {
        let given = field.arguments.iter().find(|(given, _)| given == name);
        let default = || expected.default.as_ref().and_then(|v| literal(v, &Map::new()));
        let value = given.and_then(|(_, value)| literal(value, variables)).or_else(default);
        if let Some((_, Literal::Variable(_))) = given {
            // A variable has been coerced when it was filled in.
            arguments.extend(value.map(|value| (name.clone(), value)));
        } else if let Some(value) = value {
            let value =
                coerce::value(schema, &expected.ty, &value, &mut Vec::new(), &mut Vec::new());
            arguments.insert(name.clone(), value);
        }
    }
    arguments
}
