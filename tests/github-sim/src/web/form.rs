//! What a browser sends: the query or the form, by name.

use crate::http::{Arrived, pairs};

/// Named values; an empty one is as good as none.
pub(super) struct Form(pub Vec<(String, String)>);

impl Form {
    pub fn query(arrived: &Arrived) -> Self {
        Self(pairs(&arrived.query))
    }

    pub fn body(arrived: &Arrived) -> Self {
        Self(pairs(&String::from_utf8_lossy(&arrived.body)))
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(n, v)| n == name && !v.is_empty()).map(|(_, value)| value.as_str())
    }

    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let named = self.0.iter().filter(move |(n, _)| n == name);
        named.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    pub fn number(&self, name: &str) -> Option<u64> {
        self.get(name)?.parse().ok()
    }
}
