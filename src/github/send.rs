//! The one way to GitHub: limits, breaker, retries, headers, and the sorting of what comes back.

use std::{
    error::Error as _,
    time::{Duration, Instant},
};

use reqwest::{
    Request, Response,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue},
};
use url::Url;

use super::{
    GitHub,
    breaker::{Breaker, Went},
    call::{Answer, Call, Credential},
    clean::clean,
    error::{Error, Kind, Result, Said},
    headers,
    payer::For,
    retry, rules, sort,
};

/// The version of the REST API that the broker is written against.
const API_VERSION: HeaderValue = HeaderValue::from_static("2022-11-28");
const API_VERSION_HEADER: HeaderName = HeaderName::from_static("x-github-api-version");
const API_MEDIA_TYPE: HeaderValue = HeaderValue::from_static("application/vnd.github+json");
const JSON: HeaderValue = HeaderValue::from_static("application/json");

impl GitHub {
    /// Sends a call. If it says so, it follows GitHub once to where a renamed or transferred repository is now, on the
    /// same server only: the credential goes nowhere else.
    pub(super) async fn send<'a>(
        &self,
        call: &Call,
        credential: impl Into<Credential<'a>>,
    ) -> Result<Answer> {
        let credential = credential.into();
        let whose = self.inner.tokens.of(call, &credential);
        let error = match self.send_repeatedly(call, credential, &whose).await {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        match call.redirected(&error) {
            Some(call) => self.send_repeatedly(&call, credential, &whose).await,
            None => Err(error),
        }
    }

    /// Sends a call; again, after a failure that may pass, if it is repeatable.
    async fn send_repeatedly(
        &self,
        call: &Call,
        credential: Credential<'_>,
        whose: &For,
    ) -> Result<Answer> {
        let limits = &self.inner.settings.limits;
        let mut attempt = 1;
        loop {
            let result = self.attempt(call, credential, whose).await;
            self.count(&result);
            let error = match result {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            let wait = retry::delay(limits, attempt, &error, rand::random());
            let Some(wait) = wait.filter(|_| call.repeatable) else { return Err(error) };
            tokio::time::sleep(wait).await;
            attempt += 1;
        }
    }

    /// Sends a call once, if it is its turn, its payer has something left and the host is not being left alone.
    async fn attempt(
        &self,
        call: &Call,
        credential: Credential<'_>,
        whose: &For,
    ) -> Result<Answer> {
        let clock = &self.inner.clock;
        // Before it waits, so that a refusal is told at once; and after, when others may have used up what was left.
        self.may_ask(call, whose)?;
        if call.mints {
            self.take_mint(whose).await?;
        }
        let _place = self.inner.places.take(&whose.tenant, self.background).await;
        self.may_ask(call, whose)?;
        let pass =
            match self.breaker(&call.url).map(|breaker| breaker.enter(&whose.tenant, clock.ours()))
            {
                Some(Err(wait)) => return Err(left_alone(call, wait)),
                Some(Ok(pass)) => Some(pass),
                None => None,
            };
        let started = Instant::now();
        let result = self.exchange(call, credential, whose).await;
        if let Some(pass) = pass {
            pass.report(went(&result), clock.ours());
        }
        let took = started.elapsed();
        self.counted.took(took);
        log(call, &result, took);
        result
    }

    fn breaker(&self, url: &Url) -> Option<&Breaker> {
        let origin = url.origin();
        self.inner.breakers.iter().find(|(host, _)| *host == origin).map(|(_, breaker)| breaker)
    }

    /// Sends a call, reads the answer, and sorts it if it is a refusal.
    async fn exchange(
        &self,
        call: &Call,
        credential: Credential<'_>,
        whose: &For,
    ) -> Result<Answer> {
        let request = self.request(call, credential)?;
        let mut response =
            self.inner.client.execute(request).await.map_err(|error| lost(call, &error))?;
        let offset = headers::date(response.headers()).map(|date| self.inner.clock.measure(date));
        if let Some(offset) = offset {
            self.inner.clock.learn(offset);
        }
        let status = response.status();
        self.learn_quota(call, whose, status, response.headers());
        let body = if call.unread && status.is_success() {
            Ok(Vec::new())
        } else {
            read(call, &mut response, self.inner.settings.limits.max_body).await
        };
        let headers = std::mem::take(response.headers_mut());
        if status.is_success() {
            let body = body?.into();
            let payer = whose.payer.clone();
            return Ok(Answer { payer, route: call.route, status: status.as_u16(), headers, body });
        }
        let mut said = match &body {
            Ok(body) => sort::said(body, credential.secret()),
            Err(_) => Said::default(),
        };
        said.unblock_pages = match body.as_deref().map(serde_json::from_slice) {
            Ok(Ok(body)) => rules::unblock_pages(&self.inner.settings.web_url, &call.url, &body),
            _ => Vec::new(),
        };
        let kind = sort::kind(status.as_u16(), &headers, &said);
        let error = Error::answered(kind, status.as_u16(), &headers, said, self.inner.clock.now());
        let error = error.measured(offset);
        Err(if call.api { self.heed_limit(&whose.payer, error) } else { error })
    }

    fn request(&self, call: &Call, credential: Credential<'_>) -> Result<Request> {
        let limits = &self.inner.settings.limits;
        let mut request = Request::new(call.method.clone(), call.url.clone());
        *request.timeout_mut() =
            Some(if call.upload { limits.upload_timeout } else { limits.request_timeout });
        let headers = request.headers_mut();
        headers.insert(ACCEPT, if call.api { API_MEDIA_TYPE } else { JSON });
        if call.api {
            headers.insert(API_VERSION_HEADER, API_VERSION);
        }
        if let Some(value) = credential.header()? {
            headers.insert(AUTHORIZATION, value);
        }
        if let Some(body) = &call.body {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(body.media_type));
            *request.body_mut() = Some(body.bytes.clone().into());
        }
        Ok(request)
    }
}

/// The body, if it is not longer than `limit`.
async fn read(call: &Call, response: &mut Response, limit: usize) -> Result<Vec<u8>> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| lost(call, &error))? {
        if body.len() + chunk.len() > limit {
            let message = format!("the answer to {} is longer than {limit} bytes", call.route);
            return Err(Error::new(Kind::Malformed, message));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// The error of a call that got no answer.
fn lost(call: &Call, error: &reqwest::Error) -> Error {
    let host = call.url.host_str().unwrap_or_default();
    let mut cause = error.source();
    while let Some(deeper) = cause.and_then(|cause| cause.source()) {
        cause = Some(deeper);
    }
    let cause = clean(&cause.map(ToString::to_string).unwrap_or_default(), "");
    if error.is_connect() {
        Error::new(Kind::Unreachable, format!("cannot connect to {host}: {cause}"))
    } else if error.is_timeout() {
        Error::new(Kind::Interrupted, format!("{host} did not answer in time"))
    } else {
        Error::new(Kind::Interrupted, format!("the connection to {host} was lost: {cause}"))
    }
}

fn left_alone(call: &Call, wait: Duration) -> Error {
    let host = call.url.host_str().unwrap_or_default();
    let message = format!("{host} failed several times in a row and is left alone for a moment");
    Error::new(Kind::BreakerOpen, message).after(wait)
}

/// How the call went for the host.
fn went(result: &Result<Answer>) -> Went {
    match result.as_ref().map_err(|error| &error.kind) {
        Err(Kind::Unreachable) => Went::Unreachable,
        Err(Kind::Server | Kind::Interrupted) => Went::Failed,
        _ => Went::Well,
    }
}

fn log(call: &Call, result: &Result<Answer>, took: Duration) {
    let (status, request_id, rate) = match result {
        Ok(answer) => (
            Some(answer.status),
            headers::request_id(&answer.headers),
            headers::rate(&answer.headers),
        ),
        Err(error) => (error.status, error.request_id.as_deref(), error.rate.clone()),
    };
    tracing::debug!(
        method = %call.method,
        route = call.route,
        status,
        failure = result.as_ref().err().map(|error| tracing::field::display(&error.kind)),
        ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        request_id,
        remaining = rate.map(|rate| rate.remaining),
        "called GitHub"
    );
}
