//! Walking the selections of a validated document.

use graphql_parser::query::{Directive, Field, Selection, TypeCondition};
use serde_json::{Map, Value, json};

use super::coerce::literal;
use super::context::Context;
use super::node::{Answered, Arguments, Failure, Got, Node};
use super::schema::Schema;
use super::validate::{Plan, Selections, arguments};
use super::{connection, mutations, object, pull, repository};

/// Runs an operation and returns the body of the answer.
pub(super) fn run(schema: &Schema, context: &mut Context<'_>, plan: &Plan<'_>) -> Value {
    let root = if plan.mutation { Node::Mutation } else { Node::Query };
    let mut walker = Walker { schema, context, plan, errors: Vec::new(), path: Vec::new() };
    let mut data = Map::new();
    walker.select(&root, plan.selections, &mut data);
    let mut body = json!({ "data": data });
    if !walker.errors.is_empty() {
        body["errors"] = Value::Array(walker.errors);
    }
    body
}

struct Walker<'w, 'h, 'd> {
    schema: &'w Schema,
    context: &'w mut Context<'h>,
    plan: &'w Plan<'d>,
    errors: Vec<Value>,
    path: Vec<Value>,
}

impl Walker<'_, '_, '_> {
    fn select(&mut self, node: &Node, selections: &Selections, into: &mut Map<String, Value>) {
        let plan = self.plan;
        for selection in &selections.items {
            match selection {
                Selection::Field(field) if self.included(&field.directives) => {
                    let key = field.alias.as_ref().unwrap_or(&field.name).clone();
                    self.path.push(json!(key));
                    let value = self.field(node, field);
                    self.path.pop();
                    merge(into, key, value);
                }
                Selection::InlineFragment(fragment) if self.included(&fragment.directives) => {
                    let applies = match &fragment.type_condition {
                        Some(TypeCondition::On(name)) => self.schema.is_a(node.type_name(), name),
                        None => true,
                    };
                    if applies {
                        self.select(node, &fragment.selection_set, into);
                    }
                }
                Selection::FragmentSpread(spread) if self.included(&spread.directives) => {
                    let Some(fragment) = plan.fragments.get(spread.fragment_name.as_str()) else {
                        continue;
                    };
                    let TypeCondition::On(name) = &fragment.type_condition;
                    if self.schema.is_a(node.type_name(), name) {
                        self.select(node, &fragment.selection_set, into);
                    }
                }
                _ => {}
            }
        }
    }

    /// What `@include` and `@skip` say.
    fn included(&self, directives: &[Directive<'_, String>]) -> bool {
        directives.iter().all(|directive| {
            let condition = directive.arguments.iter().find(|(name, _)| name == "if");
            let holds = condition
                .and_then(|(_, value)| literal(value, &self.plan.variables))
                .and_then(|value| value.as_bool())
                .unwrap_or(true);
            match directive.name.as_str() {
                "skip" => !holds,
                "include" => holds,
                _ => true,
            }
        })
    }

    fn field(&mut self, node: &Node, field: &Field<'static, String>) -> Value {
        if field.name == "__typename" {
            return json!(node.type_name());
        }
        let arguments = arguments(self.schema, node.type_name(), field, &self.plan.variables);
        match resolve(self.context, node, &field.name, &arguments) {
            Ok(Got::Value(value)) => value,
            Ok(Got::Node(node)) => self.object(&node, field),
            Ok(Got::Nodes(nodes)) => {
                let mut list = Vec::with_capacity(nodes.len());
                for (place, node) in nodes.iter().enumerate() {
                    self.path.push(json!(place));
                    list.push(self.object(node, field));
                    self.path.pop();
                }
                Value::Array(list)
            }
            Err(failure) => {
                self.fail(&failure, field);
                Value::Null
            }
        }
    }

    fn object(&mut self, node: &Node, field: &Field<'static, String>) -> Value {
        let mut fields = Map::new();
        self.select(node, &field.selection_set, &mut fields);
        Value::Object(fields)
    }

    fn fail(&mut self, failure: &Failure, field: &Field<'static, String>) {
        let at = field.position;
        let mut error = json!({
            "path": self.path,
            "locations": [{"line": at.line, "column": at.column}],
            "message": failure.message,
        });
        if let Some(kind) = failure.kind {
            error["type"] = json!(kind);
        }
        self.errors.push(error);
    }
}

/// Puts the fields of a thing that was selected twice together.
fn merge(into: &mut Map<String, Value>, key: String, value: Value) {
    match (into.get_mut(&key), value) {
        (Some(Value::Object(old)), Value::Object(new)) => {
            for (key, value) in new {
                merge(old, key, value);
            }
        }
        (_, value) => {
            into.insert(key, value);
        }
    }
}

fn resolve(context: &mut Context<'_>, node: &Node, field: &str, arguments: &Arguments) -> Answered {
    match node {
        Node::Query => repository::query(context, field, arguments),
        Node::Mutation => mutations::resolve(context, field, arguments),
        Node::RateLimit => repository::rate_limit(context, field),
        Node::Account(account) => repository::account(context, account, field),
        Node::Repository(repo) => repository::resolve(context, repo, field, arguments),
        Node::Ref(repo, name, oid) => {
            repository::reference(context, repo, name, oid, field, arguments)
        }
        Node::Commit(repo, commit) => object::commit(context, repo, commit, field, arguments),
        Node::Tree(repo, oid) => object::tree(context, repo, oid, field),
        Node::Blob(repo, oid, data) => object::blob(context, repo, oid, data, field),
        Node::Tag(repo, oid) => object::common(context, "Tag", repo, oid, field),
        Node::TreeEntry(repo, entry) => object::entry(context, repo, entry, field),
        Node::GitActor(ident) => object::actor(context, ident, field),
        Node::Signature(commit) => object::signature(commit, field),
        Node::Pull(repo, issue, pull) => pull::resolve(context, repo, issue, pull, field),
        Node::AutoMerge(repo, issue, pull) => pull::auto_merge(context, repo, issue, pull, field),
        Node::Connection(connection) => connection::resolve(connection, field),
        Node::Edge(connection, place) => connection::edge(connection, *place, field),
        Node::PageInfo(connection) => connection::page_info(connection, field),
        Node::Payload(_, fields) => {
            let found = fields.iter().find(|(name, _)| *name == field);
            Ok(found.map_or(Got::Value(Value::Null), |(_, got)| got.clone()))
        }
    }
}

/// A field that the schema has and no resolver knows: a gap in the simulator.
pub(super) fn gap(of: &str, field: &str) -> Failure {
    Failure { kind: None, message: format!("github-sim does not resolve {of}.{field}") }
}
