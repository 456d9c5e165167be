//! Which of an account's credentials is used.

use super::{ConnectionStatus, CredentialSource};

/// Which credential is used, and why not another one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Choice {
    /// The one that calls use; none if there is none that is switched on.
    pub source: Option<CredentialSource>,
    /// Its state.
    pub status: Option<ConnectionStatus>,
    /// Those that come before it, and why each is not used.
    pub passed_over: Vec<(CredentialSource, ConnectionStatus)>,
}

impl Choice {
    /// Of what an account has, in the order of preference. One that is switched off, or waits for approval, is as if it was
    /// not there. One that is broken is used all the same, so that calls fail and somebody mends it; with `fallback` the next
    /// one that works is used instead, where there is one.
    pub fn of(
        credentials: impl IntoIterator<Item = (CredentialSource, ConnectionStatus)>,
        fallback: bool,
    ) -> Self {
        let mut passed_over = Vec::new();
        let mut broken = None;
        for (source, status) in credentials {
            match status {
                ConnectionStatus::Active => {
                    return Self { source: Some(source), status: Some(status), passed_over };
                }
                ConnectionStatus::Disabled | ConnectionStatus::PendingApproval => {}
                _ if fallback => broken = broken.or(Some((source, status))),
                _ => return Self { source: Some(source), status: Some(status), passed_over },
            }
            passed_over.push((source, status));
        }
        let (source, status) = broken.unzip();
        passed_over.retain(|(passed, _)| Some(*passed) != source);
        Self { source, status, passed_over }
    }

    /// The one that works.
    pub fn usable(&self) -> Option<CredentialSource> {
        self.source.filter(|_| self.status == Some(ConnectionStatus::Active))
    }

    /// A sentence for people.
    pub fn because(&self) -> String {
        let state = |status: ConnectionStatus| match status {
            ConnectionStatus::Active => "works",
            ConnectionStatus::PendingApproval => "waits for the approval of an organization owner",
            ConnectionStatus::Suspended => "is suspended at GitHub",
            ConnectionStatus::Disabled => "is switched off",
            ConnectionStatus::Expired => "has expired",
            ConnectionStatus::Revoked => "is not accepted by GitHub any more",
        };
        let passed: Vec<String> = self
            .passed_over
            .iter()
            .map(|(source, status)| format!("{} {}", source.noun(), state(*status)))
            .collect();
        let passed = passed.join(", and ");
        match (self.source, self.status) {
            (Some(source), Some(ConnectionStatus::Active)) if passed.is_empty() => {
                format!("{} comes first of what the account has, and works", source.noun())
            }
            (Some(source), Some(ConnectionStatus::Active)) => {
                format!("{passed}; {} is next, and works", source.noun())
            }
            (Some(source), Some(status)) => {
                let rest = if passed.is_empty() { passed } else { format!(" ({passed})") };
                format!(
                    "{} {}, so that calls fail until that is mended{rest}",
                    source.noun(),
                    state(status)
                )
            }
            _ if passed.is_empty() => "the account has no credential".to_owned(),
            _ => passed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ConnectionStatus::{Active, Disabled, PendingApproval, Revoked, Suspended};
    use CredentialSource::{AppInstallation as App, OAuthUser as OAuth, Pat};

    #[test]
    fn the_first_that_is_switched_on_is_used_and_a_broken_one_is_not_passed_over_unasked() {
        for (has, fallback, source, usable, why) in [
            (vec![], false, None, false, "the account has no credential"),
            (
                vec![(App, Active), (Pat, Active)],
                false,
                Some(App),
                true,
                "the App installation comes first",
            ),
            (
                vec![(App, Disabled), (Pat, Active)],
                false,
                Some(Pat),
                true,
                "the App installation is switched off; the personal",
            ),
            (
                vec![(App, PendingApproval), (OAuth, Active), (Pat, Active)],
                false,
                Some(OAuth),
                true,
                "waits for the approval",
            ),
            (
                vec![(App, Suspended), (Pat, Active)],
                false,
                Some(App),
                false,
                "is suspended at GitHub, so that calls fail",
            ),
            (
                vec![(App, Suspended), (Pat, Active)],
                true,
                Some(Pat),
                true,
                "is suspended at GitHub; the personal",
            ),
            (
                vec![(App, Suspended), (OAuth, Revoked)],
                true,
                Some(App),
                false,
                "calls fail until that is mended (the user's",
            ),
            (vec![(App, Disabled)], true, None, false, "the App installation is switched off"),
        ] {
            let choice = Choice::of(has.clone(), fallback);
            assert_eq!(
                (choice.source, choice.usable().is_some()),
                (source, usable),
                "{has:?} {fallback}"
            );
            assert!(choice.because().contains(why), "{has:?}: {}", choice.because());
        }
    }
}
