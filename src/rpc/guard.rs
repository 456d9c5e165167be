//! The door: who calls, whether it may call this at all, and whether there is room. Decided before a request is read.

use std::{
    future::Future,
    mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use tokio::sync::Semaphore;
use tonic::{
    Status,
    body::Body,
    codegen::{
        Service,
        http::{HeaderMap, Request, Response, header::AUTHORIZATION, request::Parts},
    },
};
use tower::Layer;
use tracing::info;
use uuid::Uuid;

use super::{
    arrival::{Arrival, trace_id},
    body::{Incoming, Placed, throw_away},
    call::REQUEST_ID,
    deadline::Deadline,
    edge::loggable,
    present::presentable,
    quota::{self, Quotas, Refusals},
    status,
};
use crate::{
    audit::{Decision, Record},
    auth::{Authenticator, Peer, Refused},
    broker::{Broker, Error, Reason, Trail},
    domain::{Caller, Clock, Limits, Method},
};

/// Health says of this broker whether it serves: for whoever has proven who it is.
const HEALTH: &str = "/grpc.health.v1.Health/";
/// Reflection, of any version.
const REFLECTION: &str = "/grpc.reflection.";
/// What a caller waits for the keys of its token's issuer to be read: they are not asked for more often.
const RETRY_AFTER_KEYS: Duration = Duration::from_secs(10);

/// Puts the door before all services of a port.
#[derive(Clone)]
pub struct Guard {
    inner: Arc<Inner>,
}

struct Inner {
    authenticator: Authenticator,
    broker: Broker,
    quotas: Quotas,
    /// Places for calls that are not let in yet: nothing else counts those of nobody known.
    doorstep: Semaphore,
    refusals: Refusals,
    limits: Limits,
}

impl Guard {
    /// A door with this lock, and this broker's policy.
    pub fn new(
        authenticator: Authenticator,
        broker: Broker,
        limits: Limits,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let quotas = Quotas::new(&limits, clock.clone());
        let doorstep = Semaphore::new(limits.calls_in_flight.min(Semaphore::MAX_PERMITS));
        let refusals = Refusals::new(clock);
        let inner = Inner { authenticator, broker, quotas, doorstep, refusals, limits };
        Self { inner: Arc::new(inner) }
    }

    /// Waits until no call is under way: changes go on when their callers and their connections are gone.
    pub async fn idle(&self) {
        self.inner.quotas.idle().await;
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

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let inner = self.guard.inner.clone();
        // The one that was polled ready is used; its clone is ready for the next call.
        let clone = self.services.clone();
        let mut services = mem::replace(&mut self.services, clone);
        Box::pin(async move {
            let (mut parts, body) = request.into_parts();
            match inner.let_in(&parts).await {
                Ok(arrival) => {
                    let (place, body) = (arrival.place.clone(), Incoming::around(body, &arrival));
                    parts.extensions.insert(arrival);
                    let answer = services.call(Request::from_parts(parts, body)).await?;
                    Ok(answer.map(|body| Placed::around(body, place)))
                }
                Err(status) => {
                    throw_away(body).await;
                    Ok(status.into_http())
                }
            }
        })
    }
}

impl Inner {
    /// What its handler has to know.
    async fn let_in(&self, request: &Parts) -> Result<Arrival, Status> {
        // Kept to the end: who is still unknown, or is being refused, waits here and has no other place.
        let Ok(_step) = self.doorstep.try_acquire() else { return Err(self.crowded()) };
        let method = method(request.uri.path());
        let request_id = Uuid::now_v7();
        let (headers, extensions) = (&request.headers, &request.extensions);
        let peer = extensions.get::<Peer>();
        let record = |caller: Option<&Caller>| {
            let path = || loggable(request.uri.path());
            let rpc = method.map_or_else(path, |method| method.to_string());
            let (peer, trace_id) = (peer.map(|peer| peer.address), trace_id(headers));
            Record { peer, trace_id, ..Record::new(request_id, caller, rpc) }
        };
        // Who is refused keeps its place until that is written down.
        let (mut caller, mut taken) = (None, None);
        let checked = async {
            let peer =
                peer.ok_or_else(|| Error::new(Reason::Internal, "the connection is not known"))?;
            let authenticated = self.authenticator.authenticate(peer, authorization(headers));
            let caller = caller.insert(authenticated.await.map_err(unknown)?);
            // Before anything else, so that whoever may do nothing is counted, too.
            let place = self.quotas.take(caller)?;
            let place = taken.insert(Arc::new(place)).clone();
            match method {
                // The services of others serve it: nobody asks again, or writes it down.
                Some(Method::ServerReflection) => {
                    let trail = Trail::new(record(Some(&*caller)));
                    self.broker.admit_for_none(&trail, caller, Method::ServerReflection).await?;
                }
                Some(method) => self.broker.may_call(caller, method)?,
                None => {}
            }
            Ok(Arrival {
                request_id,
                caller: caller.clone(),
                peer: peer.address,
                trace_id: trace_id(headers),
                deadline: Deadline::of(extensions, self.time_for(method)),
                place,
            })
        };
        let refused: Error = match checked.await {
            Ok(let_in) => return Ok(let_in),
            Err(error) => error,
        };
        Err(self.refuse(record(caller.as_ref()), refused).await)
    }

    async fn refuse(&self, mut record: Record, error: Error) -> Status {
        if matches!(error.reason, Reason::CallerNotAuthenticated | Reason::CallerNotAllowed) {
            record.decision = Some(Decision::Deny);
        }
        let (reason, request_id) = (error.reason.word(), record.request_id);
        let peer = record.peer.map(|peer| peer.to_string());
        let told = self.refusals.tell();
        if let Some(untold) = told {
            info!(
                reason, %request_id, rpc = &*record.rpc, caller = record.caller, peer, said = %error,
                untold, "call refused at the door"
            );
        }
        // How full the broker is decides nothing about rights, and each line would make it fuller; what could not be written
        // is not waited for again. Nobody counts the calls of somebody unknown: with a line for each of them whoever
        // reaches the port could fill the audit's disk.
        let unwritten = [Reason::Overloaded, Reason::QuotaExceeded, Reason::AuditUnavailable];
        if !unwritten.contains(&error.reason) && (record.caller.is_some() || told.is_some()) {
            // Nothing was done and nothing leaves: the refusal stands without its line.
            drop(self.broker.conclude(&Trail::new(record), Some(reason)).await);
        }
        status::of(presentable(error).with(REQUEST_ID, request_id), "")
    }

    fn crowded(&self) -> Status {
        let limit = self.limits.calls_in_flight;
        if let Some(untold) = self.refusals.tell() {
            info!(limit, untold, "calls refused unseen: as many wait to be let in as may");
        }
        status::of(quota::overloaded().with(REQUEST_ID, Uuid::now_v7()), "")
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

/// The header; several are one that nobody can read.
fn authorization(headers: &HeaderMap) -> Option<&[u8]> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let first = values.next()?.as_bytes();
    Some(if values.next().is_some() { b"" } else { first })
}

fn unknown(refused: Refused) -> Error {
    let message = refused.to_string();
    if refused.is_transient() {
        return Error::new(Reason::CallerKeysUnavailable, message).retry_after(RETRY_AFTER_KEYS);
    }
    Error::new(Reason::CallerNotAuthenticated, message)
}
