//! What GitHub tells by its webhooks, as far as the broker follows it.

use std::fmt;

use serde::{Deserialize, Serialize, de::IgnoredAny};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::{InstallationId, Invalid, RepoId, RepoName, RepositoryState};

/// A delivery that the broker follows, and only what of it is needed. Written as JSON it can be read back.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct WebhookEvent {
    /// What happened, in GitHub's words.
    pub name: EventName,
    /// And more closely: one of the actions of this event that are followed.
    pub action: String,
    /// What it is about.
    pub change: Change,
}

/// An event of GitHub's that the broker follows.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventName {
    /// Of an installation.
    Installation,
    /// Of the repositories that an installation reaches.
    InstallationRepositories,
    /// Of the account that an installation is on.
    InstallationTarget,
    /// Of a repository.
    Repository,
    /// Of the App's right to act for a user.
    GithubAppAuthorization,
}

/// What a delivery is about.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// The App was uninstalled. This is final: installed again, it has another id.
    Uninstalled {
        /// The installation that was.
        installation: InstallationId,
    },
    /// Something about an installation is not as it was.
    Installation {
        /// The installation.
        installation: InstallationId,
        /// GitHub's id of the user who asked an owner for it, if one did.
        requester: Option<i64>,
    },
    /// A repository as it was then.
    Repository {
        /// The repository.
        repository: RepoId,
        /// Its name.
        name: RepoName,
        /// Its state.
        state: RepositoryState,
        /// When it was changed last, if GitHub says so.
        #[serde(with = "time::serde::rfc3339::option")]
        at: Option<OffsetDateTime>,
    },
    /// A user no longer lets the App act for them.
    UserRevoked {
        /// GitHub's id of the user.
        user: i64,
    },
}

impl EventName {
    /// The name as GitHub writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Installation => "installation",
            Self::InstallationRepositories => "installation_repositories",
            Self::InstallationTarget => "installation_target",
            Self::Repository => "repository",
            Self::GithubAppAuthorization => "github_app_authorization",
        }
    }

    /// The event of this name; none if it is not followed.
    fn of(name: &str) -> Option<Self> {
        let all = [
            Self::Installation,
            Self::InstallationRepositories,
            Self::InstallationTarget,
            Self::Repository,
            Self::GithubAppAuthorization,
        ];
        all.into_iter().find(|event| event.as_str() == name)
    }

    fn follows(self, action: &str) -> bool {
        let actions: &[&str] = match self {
            Self::Installation => {
                &["created", "deleted", "suspend", "unsuspend", "new_permissions_accepted"]
            }
            Self::InstallationRepositories => &["added", "removed"],
            Self::InstallationTarget => &["renamed"],
            Self::Repository => &["renamed", "transferred", "archived", "unarchived", "deleted"],
            Self::GithubAppAuthorization => &["revoked"],
        };
        actions.contains(&action)
    }
}

impl fmt::Display for WebhookEvent {
    /// `installation.deleted`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.name.as_str(), self.action)
    }
}

impl WebhookEvent {
    /// Reads the body of a delivery of `event`. None: an event or an action that the broker does not follow.
    pub fn parse(event: &str, body: &[u8]) -> Result<Option<Self>, Invalid> {
        let Some(name) = EventName::of(event) else {
            read::<IgnoredAny>(body)?;
            return Ok(None);
        };
        let Happened { action } = read(body)?;
        let Some(action) = action.filter(|action| name.follows(action)) else { return Ok(None) };
        let change = match name {
            EventName::Installation if action == "deleted" => {
                Change::Uninstalled { installation: read::<OfInstallation>(body)?.id() }
            }
            EventName::Installation | EventName::InstallationRepositories => {
                read::<OfInstallation>(body)?.changed(&action)
            }
            EventName::InstallationTarget => read::<OfTarget>(body)?.changed(),
            EventName::Repository => read::<OfRepository>(body)?.changed(&action)?,
            EventName::GithubAppAuthorization => {
                Change::UserRevoked { user: read::<OfUser>(body)?.sender.id }
            }
        };
        Ok(Some(Self { name, action, change }))
    }
}

/// What is wrong with a body is in no error: it may be of a customer's private repository.
fn read<'de, T: Deserialize<'de>>(body: &'de [u8]) -> Result<T, Invalid> {
    serde_json::from_slice(body).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        Invalid::new(format!("is not JSON of this event (line {line}, column {column})"))
    })
}

#[derive(Deserialize)]
struct Happened {
    action: Option<String>,
}

#[derive(Deserialize)]
struct Id {
    id: i64,
}

#[derive(Deserialize)]
struct OfInstallation {
    installation: WholeInstallation,
    requester: Option<Id>,
}

/// The name of the event is not signed, only the body. Bodies of all other events show an installation by its id alone: what
/// was signed for one of those is not taken for this one.
#[derive(Deserialize)]
struct WholeInstallation {
    id: i64,
    #[serde(rename = "account")]
    _account: IgnoredAny,
}

/// Of a rename GitHub shows only the id of the installation.
#[derive(Deserialize)]
struct OfTarget {
    installation: Id,
}

#[derive(Deserialize)]
struct OfRepository {
    repository: RepositoryJson,
}

#[derive(Deserialize)]
struct RepositoryJson {
    id: i64,
    full_name: String,
    #[serde(default)]
    archived: bool,
    updated_at: Option<String>,
}

#[derive(Deserialize)]
struct OfUser {
    sender: Id,
}

impl OfInstallation {
    fn id(&self) -> InstallationId {
        InstallationId(self.installation.id)
    }

    fn changed(&self, action: &str) -> Change {
        // Of other actions it is the one who asked for that: for another repository, say.
        let requester = self.requester.as_ref().filter(|_| action == "created");
        Change::Installation { installation: self.id(), requester: requester.map(|user| user.id) }
    }
}

impl OfTarget {
    fn changed(&self) -> Change {
        Change::Installation { installation: InstallationId(self.installation.id), requester: None }
    }
}

impl OfRepository {
    fn changed(self, action: &str) -> Result<Change, Invalid> {
        let RepositoryJson { id, full_name, archived, updated_at } = self.repository;
        let name = full_name
            .parse()
            .map_err(|Invalid(why)| Invalid::new(format!("repository.full_name {why}")))?;
        let state = match action {
            "deleted" => RepositoryState::Deleted,
            _ if archived => RepositoryState::Archived,
            _ => RepositoryState::Available,
        };
        let at = updated_at.and_then(|text| OffsetDateTime::parse(&text, &Rfc3339).ok());
        Ok(Change::Repository { repository: RepoId(id), name, state, at })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use time::macros::datetime;

    use super::*;

    fn parse(event: &str, body: Value) -> Option<WebhookEvent> {
        let parsed = WebhookEvent::parse(event, body.to_string().as_bytes()).unwrap();
        if let Some(event) = &parsed {
            let stored = serde_json::to_string(event).unwrap();
            assert_eq!(serde_json::from_str::<WebhookEvent>(&stored).unwrap(), *event);
        }
        parsed
    }

    fn change(event: &str, body: Value) -> Change {
        parse(event, body).unwrap().change
    }

    #[test]
    fn reads_what_is_followed() {
        let installation = json!({"id": 7, "account": {"id": 3, "login": "acme"}, "new": []});
        let body = json!({"action": "deleted", "installation": installation});
        let uninstalled = Change::Uninstalled { installation: InstallationId(7) };
        assert_eq!(change("installation", body), uninstalled);

        let changed =
            |requester| Change::Installation { installation: InstallationId(7), requester };
        let body =
            json!({"action": "created", "installation": installation, "requester": {"id": 5}});
        assert_eq!(change("installation", body), changed(Some(5)));
        let body = json!({"action": "suspend", "installation": installation, "requester": null});
        assert_eq!(change("installation", body), changed(None));
        let body = json!({"action": "removed", "installation": installation});
        assert_eq!(change("installation_repositories", body), changed(None));
        let body = json!({"action": "renamed", "installation": {"id": 7}, "account": {"id": 3}});
        assert_eq!(change("installation_target", body), changed(None));

        let body = json!({"action": "revoked", "sender": {"id": 5}});
        assert_eq!(change("github_app_authorization", body), Change::UserRevoked { user: 5 });
    }

    #[test]
    fn a_repository_is_read_as_it_was_then() {
        let body = |action, archived| {
            json!({"action": action, "repository": {
                "id": 9, "full_name": "Acme/shop", "archived": archived, "updated_at": "2026-11-02T03:04:05+01:00",
            }})
        };
        for (action, archived, state) in [
            ("renamed", false, RepositoryState::Available),
            ("transferred", true, RepositoryState::Archived),
            ("archived", true, RepositoryState::Archived),
            ("unarchived", false, RepositoryState::Available),
            ("deleted", true, RepositoryState::Deleted),
        ] {
            let Change::Repository { repository, name, state: seen, at } =
                change("repository", body(action, archived))
            else {
                panic!("{action}")
            };
            assert_eq!((repository, name.as_str(), seen), (RepoId(9), "Acme/shop", state));
            assert_eq!(at, Some(datetime!(2026-11-02 02:04:05 UTC)));
        }
    }

    #[test]
    fn other_events_and_actions_are_nothing() {
        for (event, body) in [
            ("ping", json!({"zen": "Keep it logically awesome."})),
            ("push", json!({"repository": {"updated_at": 5}, "installation": null})),
            ("installation", json!({"action": "admired"})),
            ("installation", json!({})),
            ("repository", json!({"action": "edited", "repository": 5})),
            ("", json!([1, 2])),
        ] {
            assert_eq!(parse(event, body), None, "{event}");
        }
    }

    #[test]
    fn what_is_not_such_a_body_is_refused_and_not_repeated() {
        for (event, body) in [
            ("ping", "{"),
            ("installation", "[]"),
            ("installation", r#"{"action":5}"#),
            ("installation", r#"{"action":"created","installation":{"id":"s3cret"}}"#),
            ("installation", r#"{"action":"created"}"#),
            ("repository", r#"{"action":"renamed","repository":{"id":1,"full_name":"s3cret"}}"#),
            ("github_app_authorization", r#"{"action":"revoked"}"#),
        ] {
            let Invalid(why) = WebhookEvent::parse(event, body.as_bytes()).unwrap_err();
            assert!(!why.contains("s3cret"), "{why}");
        }
    }
}
