//! Lists in pages: connections with cursors.

use serde_json::{Value, json};

use super::execute::gap;
use super::node::{Answered, Arguments, Failure, Got, Node, text};
use crate::urls::{node_id, read_node_id};

/// The most items of one page.
const LARGEST_PAGE: u64 = 100;

/// One page of a list.
#[derive(Clone, Debug)]
pub(super) struct Connection {
    pub type_name: &'static str,
    pub edge_name: &'static str,
    nodes: Vec<Node>,
    /// The place of the first node in the whole list.
    start: usize,
    total: usize,
}

impl Connection {
    /// Cuts the page that `first`, `last` and `after` ask for.
    pub fn of(
        type_name: &'static str,
        edge_name: &'static str,
        all: Vec<Node>,
        arguments: &Arguments,
    ) -> Result<Got, Failure> {
        let number = |name: &str| arguments.get(name).and_then(Value::as_u64);
        let (first, last) = (number("first"), number("last"));
        let Some(size) = first.or(last) else {
            return Err(Failure::new(
                "MISSING_PAGINATION_BOUNDARIES",
                "You must provide a `first` or `last` value to properly paginate the connection.",
            ));
        };
        if size > LARGEST_PAGE {
            return Err(Failure::new(
                "EXCESSIVE_PAGINATION",
                format!(
                    "Requesting {size} records on the connection exceeds the `first` limit of 100 records."
                ),
            ));
        }
        let size = usize::try_from(size).unwrap_or(0);
        let total = all.len();
        let after = text(arguments, "after").and_then(place).map_or(0, |place| place + 1);
        let start = if first.is_some() { after } else { after.max(total.saturating_sub(size)) };
        let nodes = all.into_iter().skip(start).take(size).collect();
        let page = Self { type_name, edge_name, nodes, start, total };
        Ok(Got::node(Node::Connection(Box::new(page))))
    }

    fn cursor(&self, place: usize) -> Option<String> {
        (place < self.nodes.len()).then(|| node_id("cursor", &(self.start + place).to_string()))
    }
}

fn place(cursor: &str) -> Option<usize> {
    read_node_id(cursor)?.1.parse().ok()
}

pub(super) fn resolve(connection: &Connection, field: &str) -> Answered {
    Ok(match field {
        "nodes" => Got::Nodes(connection.nodes.clone()),
        "edges" => {
            let edge = |place| Node::Edge(Box::new(connection.clone()), place);
            Got::Nodes((0..connection.nodes.len()).map(edge).collect())
        }
        "pageInfo" => Got::node(Node::PageInfo(Box::new(connection.clone()))),
        "totalCount" => connection.total.into(),
        _ => return Err(gap(connection.type_name, field)),
    })
}

pub(super) fn edge(connection: &Connection, place: usize, field: &str) -> Answered {
    Ok(match field {
        "cursor" => json!(connection.cursor(place)).into(),
        "node" => Got::maybe(connection.nodes.get(place).cloned()),
        _ => return Err(gap(connection.edge_name, field)),
    })
}

pub(super) fn page_info(connection: &Connection, field: &str) -> Answered {
    let end = connection.start + connection.nodes.len();
    Ok(match field {
        "hasNextPage" => (end < connection.total).into(),
        "hasPreviousPage" => (connection.start > 0).into(),
        "startCursor" => json!(connection.cursor(0)).into(),
        "endCursor" => {
            json!(connection.nodes.len().checked_sub(1).and_then(|last| connection.cursor(last)))
                .into()
        }
        _ => return Err(gap("PageInfo", field)),
    })
}
