//! GraphQL, whose refusals come as answers of success.

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::{
    GitHub,
    call::{Answer, Call},
    clean::clean,
    error::{Detail, Error, Kind, Result, Said},
    sort,
};
use crate::domain::Token;

#[derive(Serialize)]
struct Operation<'a, V> {
    query: &'a str,
    variables: V,
}

/// The variables of a mutation: each of GitHub's takes one.
#[derive(Serialize)]
struct Variables<I> {
    input: I,
}

#[derive(Deserialize)]
struct Outcome<D> {
    #[serde(default = "Option::default")]
    data: Option<D>,
    errors: Option<Vec<ErrorJson>>,
}

#[derive(Deserialize)]
struct ErrorJson {
    #[serde(rename = "type")]
    kind: Option<String>,
    message: Option<String>,
    extensions: Option<Value>,
}

impl GitHub {
    /// Sends a query and returns its data, all of them or none: an answer with any error is a refusal. A host without
    /// GraphQL, or without what is asked for, is `Unsupported`.
    pub(super) async fn query<D: DeserializeOwned>(
        &self,
        token: &Token,
        (route, query): (&'static str, &str),
        variables: impl Serialize,
    ) -> Result<D> {
        let url = self.inner.settings.graphql_url.clone();
        let call = Call::post(route, url).repeatable().json(&Operation { query, variables }, 0)?;
        let answer = self.send(&call, Some(token)).await.map_err(missing_endpoint)?;
        let outcome: Outcome<D> = answer.read()?;
        match (outcome.data, outcome.errors.unwrap_or_default()) {
            (Some(data), errors) if errors.is_empty() => Ok(data),
            (_, errors) => Err(self.refusal(&answer, &errors, token)),
        }
    }

    /// Sends a mutation, which takes `$input`, and returns its data; `done` says whether these show that it took effect,
    /// whatever errors came with them. `size` is about how long the input is in JSON.
    pub(super) async fn mutate<D: DeserializeOwned>(
        &self,
        token: &Token,
        (route, query): (&'static str, &str),
        input: impl Serialize,
        size: usize,
        done: impl Fn(&D) -> bool,
    ) -> Result<D> {
        let url = self.inner.settings.graphql_url.clone();
        let call = Call::post(route, url)
            .upload()
            .json(&Operation { query, variables: Variables { input } }, size + query.len())?;
        let answer = self.send(&call, Some(token)).await.map_err(missing_endpoint)?;
        let outcome: Outcome<D> = answer.read()?;
        if let Some(data) = outcome.data.filter(done) {
            return Ok(data);
        }
        let errors = outcome.errors.unwrap_or_default();
        Err(self.refusal(&answer, &errors, token))
    }

    /// One error out of those in an answer: the first that says more than that something was invalid.
    fn refusal(&self, answer: &Answer, errors: &[ErrorJson], token: &Token) -> Error {
        let mut kind = if errors.is_empty() { Kind::Malformed } else { Kind::Invalid };
        let mut said = Said::default();
        for error in errors {
            let code = error.extensions.as_ref().and_then(|extensions| extensions.get("code"));
            let code = code.and_then(Value::as_str).unwrap_or_default();
            let error_type = error.kind.as_deref().unwrap_or_default();
            let message = clean(error.message.as_deref().unwrap_or_default(), token.expose());
            if kind == Kind::Invalid {
                kind = sort::graphql_kind(error_type, code, &message);
                said.message.clone_from(&message);
            }
            let code = clean(if error_type.is_empty() { code } else { error_type }, "");
            said.details.push(Detail { code, message, ..Detail::default() });
        }
        if errors.is_empty() {
            said.message = format!("the answer to {} has neither data nor errors", answer.route);
        }
        let error =
            Error::answered(kind, answer.status, &answer.headers, said, self.inner.clock.now());
        self.heed_limit(&answer.payer, error)
    }
}

/// A host without GraphQL answers that there is no such page.
fn missing_endpoint(mut error: Error) -> Error {
    if matches!(error.status, Some(404 | 405 | 501)) {
        error.kind = Kind::Unsupported;
    }
    error
}
