//! How large a request may be.

use std::task::{Context, Poll, ready};

use tonic::{
    body::Body,
    codegen::{Service, http::Request},
    server::NamedService,
};

/// How the path of the one call with room ends.
const COMMIT: &str = "/CommitFiles";

/// One service twice, with room for the files of CommitFiles and without: tonic has one limit for a whole service, and nobody
/// needs to make the broker hold 48 MiB for a name.
#[derive(Clone)]
pub(super) struct Rooms<S> {
    pub large: S,
    pub small: S,
}

impl<S: Service<Request<Body>>> Service<Request<Body>> for Rooms<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        ready!(self.large.poll_ready(cx))?;
        self.small.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> S::Future {
        let commits = request.uri().path().ends_with(COMMIT);
        if commits { self.large.call(request) } else { self.small.call(request) }
    }
}

impl<S: NamedService> NamedService for Rooms<S> {
    const NAME: &'static str = S::NAME;
}
