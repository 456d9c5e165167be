//! What was asked for and could not be done, once there is a pull request.

use tracing::info;

use crate::{
    broker::refusal,
    github::{self, Kind},
};

/// Something that a pull request does not have.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Warning {
    /// What kind of thing.
    pub code: WarningCode,
    /// Which: a login, a team, a label, a merge method.
    pub subject: String,
    /// What GitHub said, and what to do.
    pub message: String,
}

/// Kinds of things that a pull request can lack.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WarningCode {
    /// A label.
    LabelNotAdded,
    /// A request for review.
    ReviewerNotAdded,
    /// Auto-merge.
    AutoMergeNotEnabled,
}

impl Warning {
    /// The warning of something that GitHub refuses. `fix` is what to do if it means it.
    pub(super) fn refused(
        code: WarningCode,
        subject: impl Into<String>,
        error: &github::Error,
        fix: &str,
    ) -> Self {
        let said = error.sentence();
        let message = match error.kind {
            Kind::RateLimited => refusal::rate_limited(error).message,
            Kind::Unauthorized | Kind::Suspended => {
                format!(
                    "GitHub does not take the credential any more ({said}); connect the account anew"
                )
            }
            _ if error.is_transient() || error.effect_unknown() => {
                "GitHub cannot be reached or does not answer properly; call again later".to_owned()
            }
            _ => format!("GitHub says: {said}; {fix}"),
        };
        let subject = subject.into();
        // The answer is a success, so that this would be in no log otherwise.
        info!(?code, %subject, %error, "not put on the pull request");
        Self { code, subject, message }
    }
}
