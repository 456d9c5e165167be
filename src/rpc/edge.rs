//! Calls that come to no handler: tonic refuses them in words of its own, or the caller's time is over before. They get the
//! form of every other error. What is no gRPC at all ends here.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use tokio::time::timeout_at;
use tonic::{
    Code, Status,
    body::Body,
    codegen::{
        Service,
        http::{HeaderValue, Method, Request, Response, StatusCode, Uri, header::CONTENT_TYPE},
    },
};
use tower::Layer;
use tracing::info;
use uuid::Uuid;

use super::{
    call::{REQUEST_ID, too_late},
    deadline::Deadline,
    status,
};
use crate::{
    broker::{Error, Reason},
    domain::{Limits, redact},
};

/// Health and reflection: not of this contract, and with streams that are to last.
const NOT_OURS: &str = "/grpc.";
/// How the content type of each request of gRPC begins.
const GRPC: &[u8] = b"application/grpc";
/// Longest path of a call that is logged.
const MAX_PATH: usize = 128;

/// Gives all services of a port the answers of this module.
#[derive(Clone)]
pub struct Edge {
    limits: Arc<Limits>,
}

impl Edge {
    /// For services with these limits.
    pub fn new(limits: Limits) -> Self {
        Self { limits: Arc::new(limits) }
    }
}

impl<S> Layer<S> for Edge {
    type Service = Edged<S>;

    fn layer(&self, services: S) -> Edged<S> {
        Edged { services, limits: self.limits.clone() }
    }
}

/// All services of a port, with the answers of this module.
#[derive(Clone)]
pub struct Edged<S> {
    services: S,
    limits: Arc<Limits>,
}

impl<S> Service<Request<Body>> for Edged<S>
where
    S: Service<Request<Body>, Response = Response<Body>>,
    S::Future: Send + 'static,
    S::Error: 'static,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.services.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        if !is_grpc(&request) {
            return Box::pin(async { Ok(not_grpc()) });
        }
        if request.uri().path().starts_with(NOT_OURS) {
            return Box::pin(self.services.call(request));
        }
        // Cheap, and only of use for a call that is refused here.
        let uri = request.uri().clone();
        let deadline = Deadline::asked(request.headers());
        if let Some(deadline) = deadline {
            request.extensions_mut().insert(deadline);
        }
        let (answer, limits) = (self.services.call(request), self.limits.clone());
        Box::pin(async move {
            let answered = match deadline {
                Some(deadline) => timeout_at(deadline.edge, answer).await,
                None => Ok(answer.await),
            };
            match answered {
                Ok(answer) => Ok(explained(answer?, &uri, &limits)),
                Err(_) => Ok(refused(too_late(), "its caller's time is over", &uri).into_http()),
            }
        })
    }
}

/// A path as it goes into the log and the audit: a caller can write anything there.
pub(super) fn loggable(path: &str) -> String {
    redact(&path.chars().take(MAX_PATH).collect::<String>())
}

/// True for what gRPC's clients send, and a page in a browser cannot make one send to another site without being asked.
fn is_grpc<T>(request: &Request<T>) -> bool {
    let kind = request.headers().get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    request.method() == Method::POST && kind.is_some_and(|kind| kind.starts_with(GRPC))
}

/// As gRPC's specification wants it: who does not speak gRPC would not read its status.
fn not_grpc() -> Response<Body> {
    let mut answer = Response::new(Body::empty());
    *answer.status_mut() = StatusCode::UNSUPPORTED_MEDIA_TYPE;
    answer
}

/// Gives an error of tonic's own the details that ours have; leaves all other answers as they are.
fn explained(mut answer: Response<Body>, uri: &Uri, limits: &Limits) -> Response<Body> {
    // An answer of success has no status in its headers.
    let status = Status::from_header_map(answer.headers());
    let Some(status) = status.filter(|status| status.details().is_empty()) else { return answer };
    if let Some(error) = error(&status, limits) {
        // Fails for a message that is no header, and what is percent-encoded always is one.
        drop(refused(error, status.message(), uri).add_header(answer.headers_mut()));
    }
    answer
}

/// What tonic means.
fn error(status: &Status, limits: &Limits) -> Option<Error> {
    match status.code() {
        Code::OutOfRange => Some(Error::invalid(
            "request",
            format!(
                "is too large: CommitFiles takes {} MiB (split the files into several commits), every other call {} KiB",
                limits.commit_bytes / 1024 / 1024,
                limits.request_bytes / 1024
            ),
        )),
        Code::Unimplemented if status.message().is_empty() => Some(Error::new(
            Reason::MethodUnknown,
            "this broker does not have this method; its reflection lists what it has",
        )),
        Code::Unimplemented => Some(Error::new(
            Reason::CompressionUnknown,
            "the request is compressed, which this broker does not read; send it as it is",
        )),
        Code::DeadlineExceeded => Some(too_late()),
        Code::Internal | Code::Unknown => Some(Error::new(
            Reason::MalformedRequest,
            "the request is not a message of this method; make it with code that is generated from the broker's .proto files",
        )),
        _ => None,
    }
}

fn refused(error: Error, cause: &str, uri: &Uri) -> Status {
    let path = loggable(uri.path());
    let request_id = Uuid::now_v7();
    let reason = error.reason.word();
    info!(reason, %request_id, path, cause, "call refused before its handler");
    status::of(error.with(REQUEST_ID, request_id), "")
}
