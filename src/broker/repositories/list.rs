//! Showing the repositories that an account's credential reaches.

use std::collections::HashSet;

use super::{ListPlace, RepositoryPermission, VisibleRepository};
use crate::{
    broker::{
        Broker, Call,
        credential::{Credential, UserToken, UserTokenKind},
        error::Error,
        refusal,
        repo_token::RepoToken,
    },
    domain::{
        ConnectionStatus, CredentialSource, InstallationId, Level, PatKind, Permission,
        Permissions, RepoId,
    },
    github::{self, Kind, Repository, RepositoryList},
};

/// All that a list needs.
const LISTING: Permissions = Permissions::NONE.with(Permission::METADATA, Level::Read);
/// Pages of GitHub that are read for one call: a search among thousands of repositories goes on in the next one.
const PAGES_AT_ONCE: usize = 5;

/// Which repositories to show.
#[derive(Clone, Debug)]
pub struct RepositoriesRequest {
    /// Part of `owner/name`, in lower case; empty for all.
    pub query: String,
    /// At most so many.
    pub limit: usize,
    /// Where to go on; at the beginning, if there is none.
    pub place: Option<ListPlace>,
}

/// Some repositories.
#[derive(Clone, Debug)]
pub struct ListedRepositories {
    /// In GitHub's order.
    pub repositories: Vec<VisibleRepository>,
    /// Where to go on, if there may be more.
    pub next: Option<ListPlace>,
    /// The credential that was used.
    pub source: CredentialSource,
    /// The page on GitHub on which people let the credential reach more; empty where there is none.
    pub add_url: String,
}

/// What a list is read with.
struct Reader {
    token: RepoToken,
    list: RepositoryList,
    /// What the installation was granted, if it is one.
    granted: Option<Permissions>,
    add_url: String,
}

impl Broker {
    /// The repositories that the account's credential reaches, as far as the caller may know of them.
    pub async fn repositories(
        &self,
        call: &Call,
        request: RepositoriesRequest,
    ) -> Result<ListedRepositories, Error> {
        let credential = self.credential(call.account()).await?;
        call.trail.note(|record| credential.note(record));
        let source = credential.source();
        let begin = request.place.unwrap_or(ListPlace::first(source));
        if begin.source != source {
            let why = "is of another credential than the account uses now: begin at the first page";
            return Err(Error::invalid("page_token", why));
        }
        let reader = match &credential {
            Credential::App { id, .. } => self.reader_of_app(call, *id).await?,
            Credential::User(user) => self.reader_of_user(call, user).await?,
        };
        let bindings = self.store().bindings(call.account()).await?;
        let bound = bindings.iter().map(|binding| binding.repository_id).collect();
        let read = self.read(call, &reader, &bound, &request, begin).await;
        let (repositories, next) = match read {
            Ok(read) => read,
            Err(error) => return Err(self.not_listed(call, &credential, error).await),
        };
        Ok(ListedRepositories { repositories, next, source, add_url: reader.add_url })
    }

    async fn read(
        &self,
        call: &Call,
        reader: &Reader,
        bound: &HashSet<RepoId>,
        request: &RepositoriesRequest,
        begin: ListPlace,
    ) -> Result<(Vec<VisibleRepository>, Option<ListPlace>), github::Error> {
        let is_wanted = |repository: &Repository| {
            let name = repository.name.as_str().to_ascii_lowercase();
            name.contains(&request.query) && call.may_see(&repository.name)
        };
        let (mut found, mut at) = (Vec::new(), begin);
        for _ in 0..PAGES_AT_ONCE {
            let RepoToken { token, fresh, .. } = &reader.token;
            let page = self.github().repository_page(token, *fresh, reader.list, at.page).await?;
            for (place, repository) in page.repositories.into_iter().enumerate().skip(at.skip) {
                if found.len() == request.limit {
                    return Ok((found, Some(ListPlace { skip: place, ..at })));
                }
                if is_wanted(&repository) {
                    found.push(VisibleRepository {
                        permission: reader.permission(&repository),
                        bound: bound.contains(&repository.id),
                        repository,
                    });
                }
            }
            if !page.more {
                return Ok((found, None));
            }
            at = ListPlace { page: at.page.saturating_add(1), skip: 0, ..at };
        }
        Ok((found, Some(at)))
    }

    async fn reader_of_app(&self, call: &Call, id: InstallationId) -> Result<Reader, Error> {
        let token = self.installation_token(call, id, LISTING).await?;
        let found = self.github().installation(id).await.map_err(refusal::cannot_ask)?;
        Ok(Reader {
            token,
            list: RepositoryList::Installation,
            granted: Some(found.permissions),
            add_url: found.html_url,
        })
    }

    async fn reader_of_user(&self, call: &Call, user: &UserToken) -> Result<Reader, Error> {
        self.usable(user)?;
        let token = RepoToken::from(user);
        call.trail.note(|record| token.note(record));
        let add_url = match user.kind {
            UserTokenKind::Pat(PatKind::FineGrained) => self.tokens_page(PatKind::FineGrained),
            // It reaches all that its owner does.
            UserTokenKind::Pat(PatKind::Classic) => String::new(),
            // An OAuth App's token has scopes, a GitHub App's has none. The list is good without the page.
            UserTokenKind::OAuth if user.scopes.is_empty() => {
                self.github().install_page().await.map(String::from).unwrap_or_default()
            }
            UserTokenKind::OAuth => {
                self.github().oauth_app_page().map(String::from).unwrap_or_default()
            }
        };
        Ok(Reader { token, list: RepositoryList::User, granted: None, add_url })
    }

    async fn not_listed(
        &self,
        call: &Call,
        credential: &Credential,
        error: github::Error,
    ) -> Error {
        if let (Kind::Unauthorized, Credential::User(user)) = (&error.kind, credential) {
            self.note_user_token(call.account(), user, ConnectionStatus::Revoked).await;
        }
        refusal::of_account(credential.source(), error)
    }
}

impl Reader {
    fn permission(&self, repository: &Repository) -> Option<RepositoryPermission> {
        match self.granted {
            Some(granted) => RepositoryPermission::of_granted(granted),
            None => repository.permissions.and_then(RepositoryPermission::of_role),
        }
    }
}
