//! GitHub's redirect to the broker itself: the connection is finished, and the browser sent on to the portal.
//!
//! Nobody is authenticated here. What speaks for the browser is the `state`: who knows it acts for the caller who began, with the
//! rights that this caller has now.

use std::time::Duration;

use tracing::{info, warn};
use uuid::Uuid;

use super::{Callback, Landing, Outcome, RegisterRequest, SetupAction, begin::unknown_state};
use crate::{
    audit::Record,
    broker::{
        Broker, Call, Sites, Trail,
        error::{Error, Reason},
    },
    domain::{Attempt, AttemptKind, ConnectionStatus, InstallationId, Method},
    store::StoredAttempt,
};

/// Name of the call in log and audit.
const RPC: &str = "GithubCallback";
/// Refusals are forgotten no more often, whoever comes: they end by themselves within 30 s.
pub(in crate::broker) const FORGIVE_EVERY: Duration = Duration::from_secs(1);
/// Word for a user who did not want to.
const ACCESS_DENIED: &str = "access_denied";

impl Sites {
    /// Finishes what a browser brings back, at the site where it was begun. A task of its own: a browser that is closed stops
    /// nothing half way, and its `place` is taken until then.
    pub async fn finish_in_browser(
        &self,
        callback: Callback,
        place: impl Send + 'static,
    ) -> Landing {
        let (sites, request_id) = (self.clone(), Uuid::now_v7());
        let work = tokio::spawn(async move {
            let _place = place;
            sites.finish(callback, request_id).await
        });
        let default = self.default_site();
        work.await.unwrap_or_else(|failed| {
            default.failed(None, None, Error::internal(failed), request_id)
        })
    }

    async fn finish(&self, callback: Callback, request_id: Uuid) -> Landing {
        let default = self.default_site();
        let begun_at = match &callback.state {
            Some(state) => self.begun_at(state).await,
            None => {
                // The redirect does not say of which site the installation is.
                self.all().for_each(|site| site.forgive(&callback));
                Ok(None)
            }
        };
        match begun_at {
            Ok(site) => site.unwrap_or(default).finish(callback, request_id).await,
            Err(error) => default.failed(None, None, error, request_id),
        }
    }
}

impl Broker {
    async fn finish(&self, callback: Callback, request_id: Uuid) -> Landing {
        let found = match &callback.state {
            Some(state) => self.store().attempt(&state.hashed(), self.now()).await,
            None => Ok(None),
        };
        let attempt = match found {
            Ok(Some(attempt)) => attempt,
            Ok(None) => return self.without_attempt(&callback, request_id),
            Err(error) => return self.failed(None, None, Error::from(error), request_id),
        };
        let record = Record::new(request_id, Some(&attempt.attempt.caller), RPC.to_owned());
        let trail = Trail::new(record);
        let done = self.finish_attempt(&trail, &attempt, &callback).await;
        if done.as_ref().is_err_and(|error| !error.reason.is_passing())
            // Heard once: nothing limits how often a browser comes, and each time is in the audit.
            && let Err(error) = self.store().end_attempt(&attempt.state_hash).await
        {
            warn!(%request_id, %error, "a state that was refused could not be used up");
        }
        let reason = done.as_ref().err().map(|error| error.reason.word());
        let done = match self.conclude(&trail, reason).await {
            Ok(()) => done,
            Err(unwritten) => Err(unwritten),
        };
        let attempt = &attempt.attempt;
        match done {
            Ok(outcome) => {
                info!(account = %attempt.account, outcome = outcome.as_str(), "a browser came back from GitHub");
                let url = self.page(Some(attempt), outcome, None, None);
                Landing {
                    outcome,
                    account: Some(attempt.account.clone()),
                    url,
                    request_id,
                    error: None,
                }
            }
            Err(error) => self.failed(Some(attempt), callback.installation_id, error, request_id),
        }
    }

    async fn finish_attempt(
        &self,
        trail: &Trail,
        attempt: &StoredAttempt,
        callback: &Callback,
    ) -> Result<Outcome, Error> {
        let Attempt { account, caller, kind, .. } = &attempt.attempt;
        let method = match kind {
            AttemptKind::Installation => Method::RegisterInstallation,
            AttemptKind::OAuth => Method::CompleteOAuth,
        };
        let call = self.admit(trail, caller, method, account).await?;
        if let Some(error) = &callback.error {
            self.use_up(attempt).await?;
            return match error.as_str() {
                ACCESS_DENIED => Ok(Outcome::Cancelled),
                _ => Err(Error::new(
                    Reason::RefusedByGithub,
                    "GitHub did not let the user authorize; the App's settings may not fit the broker's configuration",
                )),
            };
        }
        match kind {
            AttemptKind::Installation => self.finish_installation(&call, callback).await,
            AttemptKind::OAuth => {
                let (Some(state), Some(code)) = (&callback.state, &callback.code) else {
                    return Err(incomplete());
                };
                self.complete_oauth(&call, state, code).await?;
                Ok(Outcome::Connected)
            }
        }
    }

    async fn finish_installation(
        &self,
        call: &Call,
        callback: &Callback,
    ) -> Result<Outcome, Error> {
        let action = match callback.installation_id {
            Some(id) => SetupAction::Installed(id),
            None if callback.requested => SetupAction::Requested,
            None => return Err(incomplete()),
        };
        let request = RegisterRequest {
            action,
            state: callback.state.clone(),
            code: callback.code.clone(),
            expected_login: None,
        };
        let installation = self.register_installation(call, request).await?;
        Ok(match installation.status {
            ConnectionStatus::PendingApproval => Outcome::Pending,
            _ => Outcome::Connected,
        })
    }

    /// GitHub sends people who have changed an installation's repositories, too, and owners who have approved what a member
    /// asked for, and then without a state. Nothing is believed of that but that what was refused before may be allowed now.
    fn without_attempt(&self, callback: &Callback, request_id: Uuid) -> Landing {
        if let (true, None, Some(id)) =
            (callback.changed, &callback.state, callback.installation_id)
        {
            let outcome = Outcome::Updated;
            // The portal may know whose it is, and register it with a proof.
            let url = self.page(None, outcome, None, Some(id));
            return Landing { outcome, account: None, url, request_id, error: None };
        }
        self.failed(None, None, unknown_state(), request_id)
    }

    /// Anybody can say so, and it takes a look at all that is cached.
    fn forgive(&self, callback: &Callback) {
        if let (true, Some(id)) = (callback.changed, callback.installation_id)
            && self.inner.forgiven.may(&(), self.now())
        {
            self.inner.tokens.forgive(id);
        }
    }

    fn failed(
        &self,
        attempt: Option<&Attempt>,
        installation: Option<InstallationId>,
        error: Error,
        request_id: Uuid,
    ) -> Landing {
        let passing = error.reason.is_passing();
        let outcome = if passing { Outcome::Failed } else { Outcome::Refused };
        // Whoever may confirm whose it is needs to know which.
        let installation = installation.filter(|_| error.reason == Reason::InstallationNotProven);
        let url = self.page(attempt, outcome, Some(error.reason.word()), installation);
        let account = attempt.map(|attempt| attempt.account.clone());
        Landing { outcome, account, url, request_id, error: Some(error) }
    }
}

fn incomplete() -> Error {
    Error::new(
        Reason::RefusedByGithub,
        "GitHub's redirect does not say what became of it; begin again, and check the App's setup and callback URLs",
    )
}
