//! Link pagination.

use serde_json::Value;

use super::{Answer, Call};

const DEFAULT_PAGE: usize = 30;
const LARGEST_PAGE: usize = 100;

/// One page out of a list that is known whole.
pub(crate) struct Page<T> {
    pub items: Vec<T>,
    pub total: usize,
    link: Option<String>,
}

impl<T> Page<T> {
    /// Cuts the page that the query asks for.
    pub fn of(call: &Call<'_>, all: Vec<T>) -> Self {
        let number = |name: &str| call.query(name).and_then(|value| value.parse::<usize>().ok());
        let size = number("per_page").unwrap_or(DEFAULT_PAGE).clamp(1, LARGEST_PAGE);
        let page = number("page").unwrap_or(1).max(1);
        let total = all.len();
        let last = total.div_ceil(size).max(1);
        let items = all.into_iter().skip((page - 1).saturating_mul(size)).take(size).collect();
        Self { items, total, link: link(call, page, last) }
    }

    /// The same page of other things.
    pub fn map<U>(self, f: impl FnMut(T) -> U) -> Page<U> {
        Page { items: self.items.into_iter().map(f).collect(), total: self.total, link: self.link }
    }
}

impl Page<Value> {
    /// The page as a JSON array.
    pub fn answer(self) -> Answer {
        let body = Value::Array(self.items);
        linked(Answer::ok(body), self.link)
    }

    /// The page as `{total_count, NAME: [...]}` with further fields.
    pub fn answer_as(self, name: &str, mut body: Value) -> Answer {
        body["total_count"] = self.total.into();
        body[name] = Value::Array(self.items);
        linked(Answer::ok(body), self.link)
    }
}

fn linked(answer: Answer, link: Option<String>) -> Answer {
    match link {
        Some(link) => answer.with("link", link),
        None => answer,
    }
}

fn link(call: &Call<'_>, page: usize, last: usize) -> Option<String> {
    let mut parts = Vec::new();
    let mut add = |to: usize, relation: &str| {
        parts.push(format!("<{}>; rel=\"{relation}\"", call.url_of_page(to)));
    };
    if page > 1 {
        add((page - 1).min(last), "prev");
    }
    if page < last {
        add(page + 1, "next");
        add(last, "last");
    }
    if page > 1 {
        add(1, "first");
    }
    (!parts.is_empty()).then(|| parts.join(", "))
}
