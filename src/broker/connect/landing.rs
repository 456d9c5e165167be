//! What a browser brings back from GitHub, and where it is sent on to.

use url::Url;
use uuid::Uuid;

use crate::{
    broker::{Broker, error::Error},
    domain::{AccountId, Attempt, InstallationId, OUTCOME_NAMES, Token},
};

/// What GitHub's redirect says.
#[derive(Clone, Debug, Default)]
pub struct Callback {
    /// What the browser was sent to GitHub with.
    pub state: Option<Token>,
    /// An OAuth code.
    pub code: Option<Token>,
    /// The installation.
    pub installation_id: Option<InstallationId>,
    /// True if an organization owner was asked for it.
    pub requested: bool,
    /// True if an installation was made or its repositories were changed.
    pub changed: bool,
    /// Why GitHub gave nothing: `access_denied` if the user did not want to.
    pub error: Option<String>,
}

/// How it ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// The account is connected.
    Connected,
    /// An organization owner has to approve.
    Pending,
    /// An installation was changed on GitHub, or made there by somebody who was not sent from here.
    Updated,
    /// The user did not want to.
    Cancelled,
    /// It may not be: `reason` says why.
    Refused,
    /// It did not work for now: beginning again can help.
    Failed,
}

impl Outcome {
    /// The word in the address.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Connected => "connected",
            Self::Pending => "pending",
            Self::Updated => "updated",
            Self::Cancelled => "cancelled",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }
}

/// Where the browser goes, and with what.
#[derive(Debug)]
pub struct Landing {
    /// How it ended.
    pub outcome: Outcome,
    /// The account that the browser was on its way for, if that is known.
    pub account: Option<AccountId>,
    /// The portal's page, with the outcome; none if none is registered.
    pub url: Option<Url>,
    /// Id of the call in log and audit.
    pub request_id: Uuid,
    /// Why it was not finished.
    pub error: Option<Error>,
}

impl Broker {
    /// The portal's page, with what became of it.
    pub(super) fn page(
        &self,
        attempt: Option<&Attempt>,
        outcome: Outcome,
        reason: Option<&str>,
        installation: Option<InstallationId>,
    ) -> Option<Url> {
        // Registered when it was begun; the configuration may be another one by now.
        let asked = attempt.map_or("", |attempt| attempt.return_url.as_str());
        let page = self.connecting().return_url(asked).ok().flatten();
        let mut url = page.or_else(|| self.connecting().return_urls.first().cloned())?;
        let portals_own: Vec<(String, String)> = url
            .query_pairs()
            .filter(|(name, _)| !OUTCOME_NAMES.contains(&name.as_ref()))
            .map(|(name, value)| (name.into_owned(), value.into_owned()))
            .collect();
        let mut query = url.query_pairs_mut();
        query.clear().extend_pairs(portals_own).append_pair("outcome", outcome.as_str());
        if let Some(attempt) = attempt {
            query.append_pair("kind", attempt.kind.as_str());
        }
        if let Some(reason) = reason {
            query.append_pair("reason", reason);
        }
        if let Some(id) = installation {
            query.append_pair("installation_id", &id.to_string());
        }
        drop(query);
        Some(url)
    }
}
