//! The things that fields can be asked of, and what a field gives back.

use serde_json::{Map, Value};

use crate::git::{Commit, Entry, Ident};
use crate::http::Refusal;
use crate::world::{Account, Issue, Meta, Pull};

/// A thing of the schema.
#[derive(Clone, Debug)]
pub(super) enum Node {
    Query,
    Mutation,
    RateLimit,
    Account(Account),
    Repository(Meta),
    /// A ref by its full name, with the oid it points at.
    Ref(Meta, String, String),
    Commit(Meta, Box<Commit>),
    Tree(Meta, String),
    Blob(Meta, String, Vec<u8>),
    Tag(Meta, String),
    TreeEntry(Meta, Entry),
    GitActor(Ident),
    Signature(Box<Commit>),
    Pull(Meta, Box<Issue>, Box<Pull>),
    AutoMerge(Meta, Box<Issue>, Box<Pull>),
    Connection(Box<super::connection::Connection>),
    Edge(Box<super::connection::Connection>, usize),
    PageInfo(Box<super::connection::Connection>),
    /// What a mutation gives back: its type and its fields.
    Payload(&'static str, Vec<(&'static str, Got)>),
}

/// What a field gives back.
#[derive(Clone, Debug)]
pub(super) enum Got {
    Value(Value),
    Node(Box<Node>),
    Nodes(Vec<Node>),
}

impl Got {
    pub fn node(node: Node) -> Self {
        Self::Node(Box::new(node))
    }

    pub fn maybe(node: Option<Node>) -> Self {
        node.map_or(Self::Value(Value::Null), Self::node)
    }
}

impl<T: Into<Value>> From<T> for Got {
    fn from(value: T) -> Self {
        Self::Value(value.into())
    }
}

impl Node {
    /// The name of the type in the schema.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Query => "Query",
            Self::Mutation => "Mutation",
            Self::RateLimit => "RateLimit",
            Self::Account(account) => account.type_name(),
            Self::Repository(_) => "Repository",
            Self::Ref(..) => "Ref",
            Self::Commit(..) => "Commit",
            Self::Tree(..) => "Tree",
            Self::Blob(..) => "Blob",
            Self::Tag(..) => "Tag",
            Self::TreeEntry(..) => "TreeEntry",
            Self::GitActor(_) => "GitActor",
            Self::Signature(_) => "GpgSignature",
            Self::Pull(..) => "PullRequest",
            Self::AutoMerge(..) => "AutoMergeRequest",
            Self::Connection(connection) => connection.type_name,
            Self::Edge(connection, _) => connection.edge_name,
            Self::PageInfo(_) => "PageInfo",
            Self::Payload(name, _) => name,
        }
    }
}

/// An error of one field.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    pub kind: Option<&'static str>,
    pub message: String,
}

impl Failure {
    pub fn new(kind: &'static str, message: impl Into<String>) -> Self {
        Self { kind: Some(kind), message: message.into() }
    }

    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new("NOT_FOUND", message)
    }

    pub fn unprocessable(message: impl Into<String>) -> Self {
        Self::new("UNPROCESSABLE", message)
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        match refusal.status {
            403 => Self::new("FORBIDDEN", refusal.message),
            404 => Self::not_found(refusal.message),
            _ => Self { kind: None, message: refusal.message },
        }
    }
}

impl From<crate::git::GitError> for Failure {
    fn from(error: crate::git::GitError) -> Self {
        Self { kind: None, message: format!("github-sim: {error}") }
    }
}

pub(super) type Answered = Result<Got, Failure>;

/// The arguments of a field.
pub(super) type Arguments = Map<String, Value>;

/// A text argument.
pub(super) fn text<'a>(arguments: &'a Arguments, name: &str) -> Option<&'a str> {
    arguments.get(name).and_then(Value::as_str)
}
