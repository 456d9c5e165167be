//! What a handler gives back: an answer, or a refusal in GitHub's form.

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Response, StatusCode};
use bytes::Bytes;
use serde_json::{Value, json};

use crate::git::GitError;

/// Where refusals send the reader.
pub(crate) const DOCS: &str = "https://docs.github.com/rest";

/// An answer that is complete except for the headers every answer has.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Payload,
}

/// The body of an answer.
#[derive(Clone, Debug)]
pub(crate) enum Payload {
    Empty,
    Json(Value),
    Raw(&'static str, Bytes),
}

impl Answer {
    pub fn new(status: u16, body: Payload) -> Self {
        Self { status, headers: Vec::new(), body }
    }

    pub fn ok(value: Value) -> Self {
        Self::new(200, Payload::Json(value))
    }

    pub fn created(value: Value) -> Self {
        let location = value.get("url").and_then(Value::as_str).map(str::to_owned);
        let answer = Self::new(201, Payload::Json(value));
        match location {
            Some(url) => answer.with("location", url),
            None => answer,
        }
    }

    pub fn empty() -> Self {
        Self::new(204, Payload::Empty)
    }

    pub fn text(status: u16, text: impl Into<String>) -> Self {
        let text: String = text.into();
        Self::new(status, Payload::Raw("text/plain; charset=utf-8", text.into()))
    }

    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// The bytes of the body and their type.
    pub fn bytes(&self) -> (Option<&'static str>, Bytes) {
        match &self.body {
            Payload::Empty => (None, Bytes::new()),
            Payload::Json(value) => {
                (Some("application/json; charset=utf-8"), value.to_string().into())
            }
            Payload::Raw(kind, bytes) => (Some(kind), bytes.clone()),
        }
    }

    pub fn into_response(self) -> Response<Body> {
        let (kind, bytes) = self.bytes();
        let mut response = Response::new(Body::from(bytes));
        *response.status_mut() =
            StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let kind = kind.map(|kind| ("content-type", kind.to_owned()));
        for (name, value) in kind.into_iter().chain(self.headers) {
            // What cannot stand in a header (a line break in a name of somebody's) is left out.
            if let Ok(value) = HeaderValue::from_str(&value) {
                response.headers_mut().insert(HeaderName::from_static(name), value);
            }
        }
        response
    }
}

/// A request that GitHub would not grant.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    pub status: u16,
    pub message: String,
    pub errors: Vec<Value>,
    pub headers: Vec<(&'static str, String)>,
    /// What a few refusals have beside.
    pub metadata: Option<Value>,
}

pub(crate) type Outcome = Result<Answer, Refusal>;

impl Refusal {
    pub fn new(status: u16, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
            errors: Vec::new(),
            headers: Vec::new(),
            metadata: None,
        }
    }

    pub fn not_found() -> Self {
        Self::new(404, "Not Found")
    }

    pub fn bad_credentials() -> Self {
        Self::new(401, "Bad credentials")
    }

    /// 422 `Validation Failed` with one error of a resource's field.
    pub fn invalid(resource: &str, field: &str, code: &str) -> Self {
        let error = json!({"resource": resource, "field": field, "code": code});
        Self::new(422, "Validation Failed").because(error)
    }

    /// 422 `Validation Failed` with one error that has a message of its own.
    pub fn custom(resource: &str, message: impl Into<String>) -> Self {
        let message: String = message.into();
        let error = json!({"resource": resource, "code": "custom", "message": message});
        Self::new(422, "Validation Failed").because(error)
    }

    pub fn because(mut self, error: Value) -> Self {
        self.errors.push(error);
        self
    }

    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub fn into_answer(self) -> Answer {
        let mut body = json!({
            "message": self.message,
            "documentation_url": DOCS,
            "status": self.status.to_string(),
        });
        if !self.errors.is_empty() {
            body["errors"] = Value::Array(self.errors);
        }
        if let Some(metadata) = self.metadata {
            body["metadata"] = metadata;
        }
        let mut answer = Answer::new(self.status, Payload::Json(body));
        answer.headers = self.headers;
        answer
    }
}

impl From<GitError> for Refusal {
    /// A git command that fails although its input was checked is the simulator's fault.
    fn from(error: GitError) -> Self {
        Self::new(500, format!("github-sim: {error}"))
    }
}
