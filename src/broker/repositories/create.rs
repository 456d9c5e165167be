//! Making a repository.

use time::OffsetDateTime;
use tracing::{info, warn};

use super::{
    RepositoryPermission, VisibleRepository,
    maker::{MAKING, Maker, not_possible},
};
use crate::{
    broker::{
        Broker, Call,
        credential::{Credential, UserToken},
        error::{Error, Reason},
        refusal::{self, Context, Failed},
        repo_token::RepoToken,
    },
    domain::{ConnectionStatus, CredentialSource, RepoName},
    github::{self, Kind, NewRepository, Repository, RepositoryList},
};

/// What to make.
#[derive(Clone, Debug)]
pub struct CreateRequest {
    /// Owner and name.
    pub name: RepoName,
    /// A sentence about it; may be empty.
    pub description: String,
    /// True if everybody shall see it.
    pub public: bool,
}

/// What was made.
#[derive(Clone, Debug)]
pub struct Created {
    /// The repository.
    pub repository: VisibleRepository,
    /// The credential that made it.
    pub source: CredentialSource,
}

impl Broker {
    /// Makes a repository, with a first commit.
    pub async fn create_repository(
        &self,
        call: &Call,
        request: CreateRequest,
    ) -> Result<Created, Error> {
        let call = call.for_repository(Some(&request.name))?;
        let maker = self.maker(&call, request.name.owner()).await?;
        call.trail.note(|record| maker.credential.note(record));
        let source = maker.credential.source();
        let made = match &maker.credential {
            Credential::App { id, .. } => {
                let token = self.installation_token(&call, *id, MAKING).await?;
                let made = self.make_as_app(&token, &request).await;
                // It can do much in all repositories, and was for this one call.
                if let Err(error) = self.github().revoke(&token.token).await {
                    warn!(account = %call.account(), %error, "a token for making a repository could not be revoked; it ends by itself within the hour");
                }
                made
            }
            Credential::User(user) => self.make_as_user(&call, user, &request).await,
        };
        let repository = match made {
            Ok(repository) => repository,
            Err(Failed::Known(error)) => return Err(error),
            Err(Failed::GitHub(error)) => {
                return Err(self.not_made(&call, &maker, &request, error).await);
            }
        };
        call.trail.note(|record| record.repository_ids = vec![repository.id.0]);
        info!(account = %call.account(), repository = %repository.name, "repository created");
        let permission = match maker.granted {
            Some(granted) => RepositoryPermission::of_granted(granted),
            None => repository.permissions.and_then(RepositoryPermission::of_role),
        };
        // Bound is what existed before.
        Ok(Created {
            repository: VisibleRepository { repository, permission, bound: false },
            source,
        })
    }

    async fn make_as_app(
        &self,
        token: &RepoToken,
        request: &CreateRequest,
    ) -> Result<Repository, Failed> {
        // A token that is not known everywhere yet is waited for by reading: what makes something is not sent twice.
        let list = RepositoryList::Installation;
        self.github().repository_page(&token.token, token.fresh, list, 1).await?;
        self.make(token, request, false).await
    }

    async fn make_as_user(
        &self,
        call: &Call,
        user: &UserToken,
        request: &CreateRequest,
    ) -> Result<Repository, Failed> {
        let token = RepoToken::from(user);
        call.trail.note(|record| token.note(record));
        // Users are renamed, too; and the answer tells GitHub's time.
        let login = self.github().user(&token.token).await?.login;
        let own = login.eq_ignore_ascii_case(request.name.owner());
        self.make(&token, request, own).await
    }

    async fn make(
        &self,
        token: &RepoToken,
        request: &CreateRequest,
        own: bool,
    ) -> Result<Repository, Failed> {
        let CreateRequest { name, description, public } = request;
        let begun = self.now().saturating_add(self.github().clock_offset());
        let new = NewRepository { name, description, private: !public, own };
        let lost = match self.github().create_repository(&token.token, new).await {
            Err(error) if error.effect_unknown() => error,
            made => return Ok(made?),
        };
        match self.github().repository(&token.token, name).await {
            Ok(found) if is_ours(&found, request, begun) => Ok(found),
            _ => Err(Failed::Known(may_exist(name).caused_by(lost))),
        }
    }

    async fn not_made(
        &self,
        call: &Call,
        maker: &Maker,
        request: &CreateRequest,
        error: github::Error,
    ) -> Error {
        let name = &request.name;
        let context = Context { source: maker.credential.source(), repository: name };
        let user = match &maker.credential {
            Credential::User(user) => Some(user),
            Credential::App { .. } => None,
        };
        match (&error.kind, user) {
            (Kind::Unauthorized, Some(user)) => {
                self.note_user_token(call.account(), user, ConnectionStatus::Revoked).await;
                context.explain(error)
            }
            (Kind::AlreadyExists, _) => exists(name).caused_by(error),
            (Kind::NotFound, Some(user)) if lacks_scope(user, request.public, &error) => {
                no_scope(request.public).caused_by(error)
            }
            (Kind::NotFound, _) => {
                let why = "there is no such organization, or none that its user may see";
                not_possible(name.owner(), why).caused_by(error)
            }
            (Kind::Invalid, _) => context.explain(error),
            _ if error.effect_unknown() => refusal::cannot_ask(error),
            _ => context.explain(error),
        }
    }
}

/// Whether a repository is surely the one that was asked for: GitHub's times are whole seconds, and so is what the broker knows of
/// its clock.
fn is_ours(found: &Repository, request: &CreateRequest, begun: OffsetDateTime) -> bool {
    let begun = begun.unix_timestamp();
    !found.moved
        && found.created_at.is_some_and(|at| at.unix_timestamp() >= begun)
        && found.description.trim() == request.description.trim()
        && found.private != request.public
}

/// GitHub's own answer to a token without the scope is that there is no such thing.
fn lacks_scope(user: &UserToken, public: bool, error: &github::Error) -> bool {
    let has = |scope: &str| user.scopes.iter().any(|had| had == scope);
    let known = !user.scopes.is_empty();
    !error.missing_scopes.is_empty() || (known && !has("repo") && !(public && has("public_repo")))
}

fn no_scope(public: bool) -> Error {
    let scope = if public { "public_repo" } else { "repo" };
    let message = format!(
        "creating this repository takes the scope `{scope}`, which the user's token lacks; add it on GitHub, and connect the \
         account again"
    );
    Error::new(Reason::PermissionNotGranted, message).with("missing", scope)
}

fn exists(name: &RepoName) -> Error {
    let message = format!("{name} exists already; choose another name, or bind it (ConfigureRepo)");
    Error::new(Reason::RepoExists, message)
}

/// The error of a repository that was asked for, while nobody knows whether GitHub has made it.
fn may_exist(name: &RepoName) -> Error {
    let message = format!(
        "GitHub's answer was lost, and {name} may exist by now: look with ListRepositories before you try again"
    );
    let mut error = Error::unavailable();
    error.message = message;
    error
}

#[cfg(test)]
mod tests {
    use time::{Duration, macros::datetime};

    use super::*;
    use crate::domain::RepoId;

    const BEGUN: OffsetDateTime = datetime!(2026-11-20 12:00:00.9 UTC);

    fn found() -> Repository {
        Repository {
            id: RepoId(7),
            node_id: None,
            name: "acme/shop".parse().unwrap(),
            default_branch: "main".parse().unwrap(),
            archived: false,
            disabled: false,
            private: true,
            html_url: String::new(),
            description: "Sells".into(),
            created_at: Some(datetime!(2026-11-20 12:00:00 UTC)),
            permissions: None,
            moved: false,
            updated_at: None,
        }
    }

    #[test]
    fn what_was_there_before_or_is_not_as_asked_is_somebody_elses() {
        let request = CreateRequest {
            name: "acme/shop".parse().unwrap(),
            description: "Sells ".into(),
            public: false,
        };
        assert!(is_ours(&found(), &request, BEGUN));
        let before = found().created_at.map(|at| at - Duration::seconds(1));
        for other in [
            Repository { created_at: before, ..found() },
            Repository { created_at: None, ..found() },
            Repository { description: "Buys".into(), ..found() },
            Repository { private: false, ..found() },
            Repository { moved: true, ..found() },
        ] {
            assert!(!is_ours(&other, &request, BEGUN), "{other:?}");
        }
    }
}
