//! The door: who calls, whether it may call this at all, and whether there is room. Decided before a request is read.

use std::{
    future::Future,
    mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use tonic::{
    body::Body,
    codegen::{
        Service,
        http::{Extensions, HeaderMap, Request, Response, header::AUTHORIZATION},
    },
};
use tower::Layer;
use tracing::info;
use uuid::Uuid;

use super::{
    arrival::{Arrival, trace_id},
    call::{REQUEST_ID, blank},
    deadline::Deadline,
    status,
};
use crate::{
    auth::{Authenticator, Peer, Refused},
    broker::{Broker, Error, Reason, Trail},
    domain::{Caller, Limits, Method, redact},
};

/// Health says of this broker whether it serves: for whoever has proven who it is.
const HEALTH: &str = "/grpc.health.v1.Health/";
/// Reflection, of any version.
const REFLECTION: &str = "/grpc.reflection.";
/// Longest path of a call that is logged.
const MAX_PATH: usize = 128;

/// Puts the door before all services of a port.
#[derive(Clone)]
pub struct Guard {
    inner: Arc<Inner>,
}

struct Inner {
    authenticator: Authenticator,
    broker: Broker,
    limits: Limits,
}

impl Guard {
    /// A door with this lock, and this broker's policy.
    pub fn new(authenticator: Authenticator, broker: Broker, limits: Limits) -> Self {
        Self { inner: Arc::new(Inner { authenticator, broker, limits }) }
    }
}

impl<S> Layer<S> for Guard {
    type Service = Guarded<S>;

    fn layer(&self, services: S) -> Guarded<S> {
        Guarded { guard: self.clone(), services }
    }
}

/// All services of a port behind the door.
#[derive(Clone)]
pub struct Guarded<S> {
    guard: Guard,
    services: S,
}

impl<S> Service<Request<Body>> for Guarded<S>
where
    S: Service<Request<Body>, Response = Response<Body>> + Clone + Send + 'static,
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
        let inner = self.guard.inner.clone();
        // The one that was polled ready is used; its clone is ready for the next call.
        let clone = self.services.clone();
        let mut services = mem::replace(&mut self.services, clone);
        Box::pin(async move {
            match inner.let_in(&request).await {
                Ok(arrival) => {
                    request.extensions_mut().insert(arrival);
                    services.call(request).await
                }
                Err(status) => Ok(status.into_http()),
            }
        })
    }
}

impl Inner {
    async fn let_in(&self, request: &Request<Body>) -> Result<Arrival, tonic::Status> {
        let path = request.uri().path();
        let method = method(path);
        let request_id = Uuid::now_v7();
        let (headers, extensions) = (request.headers(), request.extensions());
        let called = method.map_or_else(|| shown(path), |method| method.name().to_owned());
        match self.check(method, headers, extensions).await {
            Ok((caller, peer)) => Ok(Arrival {
                request_id,
                caller,
                peer: peer.address,
                trace_id: trace_id(headers),
                deadline: Deadline::of(extensions, self.time_for(method)),
            }),
            Err((error, caller)) => {
                let reason = status::word(error.reason);
                let by = caller.as_ref().map(Caller::to_string);
                info!(reason, %request_id, rpc = called, caller = by, said = %error, "call refused at the door");
                let peer = extensions.get::<Peer>().map(|peer| peer.address);
                let mut record = blank(request_id, caller.as_ref(), called);
                (record.peer, record.trace_id) = (peer, trace_id(headers));
                // Nothing was done and nothing leaves: the refusal stands without its line, and the log has both.
                drop(self.broker.conclude(&Trail::new(record), Some(reason)).await);
                Err(status::of(error.with(REQUEST_ID, request_id), ""))
            }
        }
    }

    async fn check(
        &self,
        method: Option<Method>,
        headers: &HeaderMap,
        extensions: &Extensions,
    ) -> Result<(Caller, Peer), (Error, Option<Caller>)> {
        let peer = extensions
            .get::<Peer>()
            .cloned()
            .ok_or_else(|| (Error::new(Reason::Internal, "the connection is not known"), None))?;
        let caller = self
            .authenticator
            .authenticate(&peer, authorization(headers))
            .await
            .map_err(|refused| (unknown(refused), None))?;
        let allowed = match method {
            Some(method) => self.broker.may_call(&caller, method),
            None => Ok(()),
        };
        match allowed {
            Ok(()) => Ok((caller, peer)),
            Err(error) => Err((error, Some(caller))),
        }
    }

    fn time_for(&self, method: Option<Method>) -> Duration {
        match method {
            Some(Method::CommitFiles) => self.limits.commit_timeout,
            _ => self.limits.call_timeout,
        }
    }
}

/// The method that a path means; none for health, and for what does not exist.
fn method(path: &str) -> Option<Method> {
    if path.starts_with(REFLECTION) {
        return Some(Method::ServerReflection);
    }
    if path.starts_with(HEALTH) {
        return None;
    }
    path.rsplit('/').next()?.parse().ok()
}

/// A path as it is logged.
fn shown(path: &str) -> String {
    redact(&path.chars().take(MAX_PATH).collect::<String>())
}

/// The header; several are one that nobody can read.
fn authorization(headers: &HeaderMap) -> Option<&[u8]> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let first = values.next()?.as_bytes();
    Some(if values.next().is_some() { b"" } else { first })
}

fn unknown(refused: Refused) -> Error {
    Error::new(Reason::CallerNotAuthenticated, refused.to_string())
}
