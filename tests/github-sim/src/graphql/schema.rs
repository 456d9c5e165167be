//! The simulated part of GitHub's schema, read from `schema.graphql`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use graphql_parser::schema::{
    Definition, Document, InputValue, Type, TypeDefinition, parse_schema,
};

const TEXT: &str = include_str!("schema.graphql");

pub(super) type Ty = Type<'static, String>;

/// An argument or an input field.
#[derive(Clone, Debug)]
pub(super) struct Argument {
    pub ty: Ty,
    pub default: Option<graphql_parser::query::Value<'static, String>>,
}

/// A field of an object or an interface.
#[derive(Clone, Debug)]
pub(super) struct Field {
    pub ty: Ty,
    pub arguments: BTreeMap<String, Argument>,
}

/// A named type.
#[derive(Clone, Debug)]
pub(super) enum Named {
    Scalar,
    Enum(BTreeSet<String>),
    Input(BTreeMap<String, Argument>),
    /// An object or an interface, with the interfaces it implements.
    Object {
        fields: BTreeMap<String, Field>,
        implements: Vec<String>,
    },
}

/// All types by name.
#[derive(Clone, Debug)]
pub(super) struct Schema(BTreeMap<String, Named>);

impl Schema {
    /// The schema without some mutations, as of a host that does not have them.
    pub fn without(mutations: &BTreeSet<String>) -> Self {
        static WHOLE: OnceLock<Schema> = OnceLock::new();
        let mut schema = WHOLE.get_or_init(Self::load).clone();
        if let Some(Named::Object { fields, .. }) = schema.0.get_mut("Mutation") {
            fields.retain(|name, _| !mutations.contains(name));
        }
        schema
    }

    fn load() -> Self {
        // The text is part of this crate, and a test parses it: an empty schema cannot come from input.
        let document = parse_schema::<String>(TEXT).map(Document::into_static);
        let definitions = document.map(|d| d.definitions).unwrap_or_default();
        let mut types: BTreeMap<String, Named> = ["ID", "Int", "String", "Boolean", "Float"]
            .into_iter()
            .map(|name| (name.to_owned(), Named::Scalar))
            .collect();
        for definition in definitions {
            let Definition::TypeDefinition(definition) = definition else { continue };
            let (name, named) = match definition {
                TypeDefinition::Scalar(t) => (t.name, Named::Scalar),
                TypeDefinition::Enum(t) => {
                    (t.name, Named::Enum(t.values.into_iter().map(|v| v.name).collect()))
                }
                TypeDefinition::InputObject(t) => (t.name, Named::Input(arguments(t.fields))),
                TypeDefinition::Object(t) => (
                    t.name,
                    Named::Object { fields: fields(t.fields), implements: t.implements_interfaces },
                ),
                TypeDefinition::Interface(t) => {
                    (t.name, Named::Object { fields: fields(t.fields), implements: Vec::new() })
                }
                TypeDefinition::Union(_) => continue,
            };
            types.insert(name, named);
        }
        Self(types)
    }

    pub fn get(&self, name: &str) -> Option<&Named> {
        self.0.get(name)
    }

    /// A field of an object or an interface.
    pub fn field(&self, of: &str, name: &str) -> Option<&Field> {
        match self.0.get(of)? {
            Named::Object { fields, .. } => fields.get(name),
            Named::Scalar | Named::Enum(_) | Named::Input(_) => None,
        }
    }

    /// Whether a type has fields of its own to select.
    pub fn is_composite(&self, name: &str) -> bool {
        matches!(self.0.get(name), Some(Named::Object { .. }))
    }

    /// Whether an object is of a type: the same, or an interface that it implements.
    pub fn is_a(&self, object: &str, wanted: &str) -> bool {
        object == wanted
            || matches!(self.0.get(object),
                Some(Named::Object { implements, .. }) if implements.iter().any(|i| i == wanted))
    }
}

fn arguments(list: Vec<InputValue<'static, String>>) -> BTreeMap<String, Argument> {
    list.into_iter()
        .map(|value| (value.name, Argument { ty: value.value_type, default: value.default_value }))
        .collect()
}

fn fields(list: Vec<graphql_parser::schema::Field<'static, String>>) -> BTreeMap<String, Field> {
    list.into_iter()
        .map(|f| (f.name, Field { ty: f.field_type, arguments: arguments(f.arguments) }))
        .collect()
}

/// The named type inside lists and non-nulls.
pub(super) fn inner(ty: &Ty) -> &str {
    match ty {
        Type::NamedType(name) => name,
        Type::ListType(ty) | Type::NonNullType(ty) => inner(ty),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_that_is_named_is_defined() {
        let schema = Schema::without(&BTreeSet::new());
        assert!(schema.field("Mutation", "createCommitOnBranch").is_some());
        for named in schema.0.values() {
            let Named::Object { fields, implements } = named else { continue };
            for field in fields.values() {
                assert!(schema.get(inner(&field.ty)).is_some(), "{}", field.ty);
                for argument in field.arguments.values() {
                    assert!(schema.get(inner(&argument.ty)).is_some(), "{}", argument.ty);
                }
            }
            for interface in implements {
                assert!(schema.get(interface).is_some(), "{interface}");
            }
        }
    }
}
