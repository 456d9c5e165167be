//! Checking one operation field by field, with GitHub's words and codes for each mistake.

use std::collections::BTreeMap;

use graphql_parser::Pos;
use graphql_parser::query::{
    Field, FragmentDefinition, Selection, TypeCondition, Value as Literal, VariableDefinition,
};
use graphql_parser::schema::Type;
use serde_json::{Map, Value, json};

use super::coerce::{self, literal};
use super::schema::{Schema, Ty, inner};
use super::validate::Selections;

/// One operation that is being checked.
pub(super) struct Checker<'s, 'd> {
    schema: &'s Schema,
    pub fragments: BTreeMap<&'d str, &'d FragmentDefinition<'static, String>>,
    /// The operation's variables.
    declared: &'d [VariableDefinition<'static, String>],
    /// Those that have a value.
    pub variables: Map<String, Value>,
    pub errors: Vec<Value>,
    /// Names of the fragments being walked, against those that hold themselves.
    walking: Vec<String>,
}

impl<'s, 'd> Checker<'s, 'd> {
    pub fn new(
        schema: &'s Schema,
        fragments: BTreeMap<&'d str, &'d FragmentDefinition<'static, String>>,
        declared: &'d [VariableDefinition<'static, String>],
    ) -> Self {
        let (variables, errors, walking) = (Map::new(), Vec::new(), Vec::new());
        Self { schema, fragments, declared, variables, errors, walking }
    }

    fn error(&mut self, at: Pos, path: &[Value], message: String, extensions: Value) {
        self.errors.push(json!({
            "path": path,
            "extensions": extensions,
            "locations": [{"line": at.line, "column": at.column}],
            "message": message,
        }));
    }

    /// Takes the values given for the declared variables.
    pub fn fill(&mut self, given: &Map<String, Value>) {
        for variable in self.declared {
            let name = &variable.name;
            let default = || variable.default_value.as_ref().and_then(|v| literal(v, &Map::new()));
            let Some(value) = given.get(name).cloned().or_else(default) else {
                if matches!(variable.var_type, Type::NonNullType(_)) {
                    let message = format!(
                        "Variable ${name} of type {} was provided invalid value",
                        variable.var_type
                    );
                    let problem =
                        json!({"path": [], "explanation": "Expected value to not be null"});
                    let extensions = json!({"value": null, "problems": [problem]});
                    self.error(variable.position, &[], message, extensions);
                }
                continue;
            };
            let mut problems = Vec::new();
            let ty = &variable.var_type;
            let coerced = coerce::value(self.schema, ty, &value, &mut Vec::new(), &mut problems);
            if problems.is_empty() {
                self.variables.insert(name.clone(), coerced);
                continue;
            }
            let details: Vec<String> = problems
                .iter()
                .map(|p| match p.path.is_empty() {
                    true => format!("({})", p.explanation),
                    false => format!("for {} ({})", p.path.join("."), p.explanation),
                })
                .collect();
            let message = format!(
                "Variable ${name} of type {ty} was provided invalid value {}",
                details.join(", ")
            );
            let problems: Vec<Value> = problems.iter().map(coerce::Problem::json).collect();
            let extensions = json!({"value": value, "problems": problems});
            self.error(variable.position, &[], message, extensions);
        }
    }

    /// Checks the selections of a type, and all below.
    pub fn walk(&mut self, of: &str, selections: &'d Selections, path: &mut Vec<Value>) {
        for selection in &selections.items {
            match selection {
                Selection::Field(field) => self.field(of, field, path),
                Selection::InlineFragment(fragment) => {
                    let on = match &fragment.type_condition {
                        Some(TypeCondition::On(name)) => name.as_str(),
                        None => of,
                    };
                    path.push(json!(format!("... on {on}")));
                    self.on(on, fragment.position, &fragment.selection_set, path);
                    path.pop();
                }
                Selection::FragmentSpread(spread) => {
                    let name = &spread.fragment_name;
                    let Some(fragment) = self.fragments.get(name.as_str()).copied() else {
                        let message = format!("Fragment {name} was used, but not defined");
                        let extensions =
                            json!({"code": "useAndDefineFragment", "fragmentName": name});
                        self.error(spread.position, path, message, extensions);
                        continue;
                    };
                    if self.walking.contains(name) {
                        let message = format!("Fragment {name} contains an infinite loop");
                        let extensions = json!({"code": "infiniteLoop", "fragmentName": name});
                        self.error(spread.position, path, message, extensions);
                        continue;
                    }
                    let TypeCondition::On(on) = &fragment.type_condition;
                    self.walking.push(name.clone());
                    self.on(on, fragment.position, &fragment.selection_set, path);
                    self.walking.pop();
                }
            }
        }
    }

    fn on(&mut self, on: &str, at: Pos, set: &'d Selections, path: &mut Vec<Value>) {
        if self.schema.is_composite(on) {
            self.walk(on, set, path);
        } else {
            let message = format!("No such type {on}, so it can't be a fragment condition");
            let extensions = json!({"code": "undefinedType", "typeName": on});
            self.error(at, path, message, extensions);
        }
    }

    fn field(&mut self, of: &str, field: &'d Field<'static, String>, path: &mut Vec<Value>) {
        let name = field.name.as_str();
        if name == "__typename" {
            return;
        }
        path.push(json!(field.alias.as_deref().unwrap_or(name)));
        match self.schema.field(of, name).cloned() {
            None => {
                let message = format!("Field '{name}' doesn't exist on type '{of}'");
                let extensions =
                    json!({"code": "undefinedField", "typeName": of, "fieldName": name});
                self.error(field.position, path, message, extensions);
            }
            Some(known) => {
                self.arguments(name, &known, field, path);
                let ty = inner(&known.ty);
                let (composite, empty) =
                    (self.schema.is_composite(ty), field.selection_set.items.is_empty());
                if composite && empty {
                    let message = format!(
                        "Field must have selections (field '{name}' returns {ty} but has no selections. \
                         Did you mean '{name} {{ ... }}'?)"
                    );
                    let extensions =
                        json!({"code": "selectionMismatch", "nodeName": name, "typeName": ty});
                    self.error(field.position, path, message, extensions);
                } else if !composite && !empty {
                    let message = format!(
                        "Selections can't be made on scalars (field '{name}' returns {ty})"
                    );
                    let extensions =
                        json!({"code": "selectionMismatch", "nodeName": name, "typeName": ty});
                    self.error(field.position, path, message, extensions);
                } else if composite {
                    self.walk(ty, &field.selection_set, path);
                }
            }
        }
        path.pop();
    }

    fn arguments(
        &mut self,
        name: &str,
        known: &super::schema::Field,
        field: &'d Field<'static, String>,
        path: &[Value],
    ) {
        let at = field.position;
        for (argument, value) in &field.arguments {
            if let Some(variable) = self.undeclared(value) {
                let message = format!("Variable ${variable} is used but not declared");
                let extensions = json!({"code": "variableNotDefined", "variableName": variable});
                self.error(at, path, message, extensions);
            }
            let Some(expected) = known.arguments.get(argument) else {
                let message = format!("Field '{name}' doesn't accept argument '{argument}'");
                let extensions = json!({
                    "code": "argumentNotAccepted", "name": name, "typeName": "Field",
                    "argumentName": argument,
                });
                self.error(at, path, message, extensions);
                continue;
            };
            if let Literal::Variable(variable) = value {
                // Its value has been checked against its own type.
                self.variable(variable, argument, &expected.ty, at, path);
                continue;
            }
            let given = literal(value, &self.variables).unwrap_or(Value::Null);
            let mut problems = Vec::new();
            coerce::value(self.schema, &expected.ty, &given, &mut Vec::new(), &mut problems);
            if let Some(problem) = problems.first() {
                let message = format!(
                    "Argument '{argument}' on Field '{name}' has an invalid value. Expected type '{}'. {}",
                    expected.ty, problem.explanation
                );
                let extensions = json!({
                    "code": "argumentLiteralsIncompatible", "typeName": "Field",
                    "argumentName": argument,
                });
                self.error(at, path, message, extensions);
            }
        }
        let missing: Vec<&str> = known
            .arguments
            .iter()
            .filter(|(_, a)| matches!(a.ty, Type::NonNullType(_)) && a.default.is_none())
            .filter(|(argument, _)| !field.arguments.iter().any(|(given, _)| given == *argument))
            .map(|(argument, _)| argument.as_str())
            .collect();
        if !missing.is_empty() {
            let all = missing.join(", ");
            let message = format!("Field '{name}' is missing required arguments: {all}");
            let extensions = json!({
                "code": "missingRequiredArguments", "className": "Field", "name": name,
                "arguments": all,
            });
            self.error(at, path, message, extensions);
        }
    }

    /// Checks that a variable has the type of the argument it stands for.
    fn variable(&mut self, name: &str, argument: &str, expected: &Ty, at: Pos, path: &[Value]) {
        let Some(variable) = self.declared.iter().find(|variable| variable.name == name) else {
            return;
        };
        let given = &variable.var_type;
        let needed = matches!(expected, Type::NonNullType(_));
        let sure = matches!(given, Type::NonNullType(_)) || variable.default_value.is_some();
        if inner(given) != inner(expected) || (needed && !sure) {
            let message = format!(
                "Type mismatch on variable ${name} and argument {argument} ({given} / {expected})"
            );
            let extensions = json!({
                "code": "variableMismatch", "variableName": name, "typeName": given.to_string(),
                "argumentName": argument, "errorMessage": "Type mismatch",
            });
            self.error(at, path, message, extensions);
        }
    }

    /// A variable within a value that the operation does not declare.
    fn undeclared(&self, value: &Literal<'static, String>) -> Option<String> {
        match value {
            Literal::Variable(name) => {
                (!self.declared.iter().any(|variable| variable.name == *name)).then(|| name.clone())
            }
            Literal::List(items) => items.iter().find_map(|item| self.undeclared(item)),
            Literal::Object(fields) => fields.values().find_map(|field| self.undeclared(field)),
            _ => None,
        }
    }
}
