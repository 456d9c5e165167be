//! The token for one repository, and the first look with it.

use std::{sync::Arc, time::Duration};

use time::OffsetDateTime;

use super::{
    Broker,
    access::Access,
    credential::{Credential, UserToken},
    error::{Error, Reason},
    refusal::{self, ReadOnly},
    tokens::{Key, MintError, Vended},
};
use crate::{
    audit::{Cache, Record},
    domain::{Binding, ConnectionStatus, Permission, Permissions, RepoId, RepoName, Token},
    github::{self, Kind, MintedToken},
    metrics::Found,
};

/// A token for one repository.
#[derive(Clone)]
pub(super) struct RepoToken {
    pub token: Token,
    pub expires_at: Option<OffsetDateTime>,
    pub permissions: Permissions,
    /// See [`Token::hashed`].
    pub hashed: Arc<str>,
    /// Where it came from; none if it was there all the time.
    pub cache: Option<Cache>,
    /// The name that its repository has now, where it is known better than from the binding.
    pub repository: Option<RepoName>,
    /// Minted so recently that GitHub may not know it everywhere yet.
    pub fresh: bool,
    /// The repositories that it was minted for by name, if GitHub said their ids.
    pub only: Option<Vec<RepoId>>,
}

impl From<&UserToken> for RepoToken {
    fn from(user: &UserToken) -> Self {
        Self {
            token: user.token.clone(),
            expires_at: user.expires_at,
            permissions: Permissions::NONE,
            hashed: user.token.hashed().into(),
            cache: None,
            repository: None,
            fresh: false,
            only: None,
        }
    }
}

impl From<MintedToken> for RepoToken {
    fn from(minted: MintedToken) -> Self {
        Self {
            hashed: minted.token.hashed().into(),
            cache: Some(Cache::Miss),
            token: minted.token,
            expires_at: Some(minted.expires_at),
            permissions: minted.permissions,
            repository: minted.repository,
            fresh: true,
            only: minted.repository_ids,
        }
    }
}

impl RepoToken {
    /// What of it belongs into the audit.
    pub fn note(&self, record: &mut Record) {
        record.cache = self.cache;
        record.expire_time = self.expires_at;
        record.granted_permissions = Some(self.permissions);
        record.hashed_token = Some(self.hashed.clone());
    }
}

impl Broker {
    /// A token for the repository of `access` with just `permissions`; with a user's token, that one. The audit will tell which.
    pub(super) async fn repo_token(
        &self,
        access: &Access,
        permissions: Permissions,
        min_ttl: Duration,
    ) -> Result<RepoToken, Error> {
        let trail = &access.call.trail;
        trail.note(|record| record.requested_permissions = Some(permissions));
        let token = self.find_token(access, permissions, min_ttl).await?;
        trail.note(|record| token.note(record));
        Ok(token)
    }

    async fn find_token(
        &self,
        access: &Access,
        permissions: Permissions,
        min_ttl: Duration,
    ) -> Result<RepoToken, Error> {
        let (id, status) = match &access.credential {
            Credential::App { id, status } => (*id, *status),
            Credential::User(user) => {
                self.usable(user)?;
                if lacks_workflow(user, permissions) {
                    return Err(access.context().no_workflows());
                }
                self.inner.tokens.counted().found(Found::User);
                return Ok(RepoToken::from(&**user));
            }
        };
        let account = access.account();
        let mut key = Key {
            account: account.clone(),
            installation: id,
            repository: access.binding.repository_id,
            permissions,
        };
        let mut got = self.cached_or_new(&key, min_ttl).await;
        if matches!(&got, Err(error) if matches!(**error, MintError::GivenUp)) {
            // The account was registered anew or disconnected while it waited: what it has now counts.
            let now = Box::pin(self.access(&access.call, Some(&access.binding.repository))).await?;
            if let Credential::App { id, .. } = now.credential {
                key.installation = id;
                got = self.cached_or_new(&key, min_ttl).await;
            }
        }
        match got {
            Ok(vended) => {
                let fresh = vended.token.is_fresh(self.inner.tokens.now());
                if fresh && status != ConnectionStatus::Active {
                    // In a box, as is all that is seldom: it takes no room in every call.
                    let active = ConnectionStatus::Active;
                    Box::pin(self.note_installation(account, key.installation, active)).await;
                }
                Ok(RepoToken {
                    token: vended.token.token.clone(),
                    expires_at: Some(vended.token.expires_at),
                    permissions: vended.token.permissions,
                    hashed: vended.token.hash.clone(),
                    cache: Some(vended.cache),
                    repository: vended.token.repository.clone(),
                    fresh,
                    only: None,
                })
            }
            Err(error) => {
                let why = Box::pin(self.no_repo_token(access, key.installation, &error)).await;
                Err(why.caused_by(error))
            }
        }
    }

    /// A token that is cached, or a new one if the account still has its installation. It may have been disconnected since the
    /// call was let in, and a mint that begins after its tokens were ended is as much given up as one that was under way.
    async fn cached_or_new(&self, key: &Key, min_ttl: Duration) -> Result<Vended, Arc<MintError>> {
        let tokens = &self.inner.tokens;
        if let Some(hit) = tokens.hit(key, min_ttl) {
            return Ok(hit);
        }
        Box::pin(async move {
            let taken = tokens.taken();
            let view = self.store().view(&key.account, self.now()).await;
            // Where it cannot be read, who looks next says why.
            match view.ok().and_then(|view| view.installation) {
                Some((id, _)) if id == key.installation => tokens.fetch(key, min_ttl, taken).await,
                _ => Err(Arc::new(MintError::GivenUp)),
            }
        })
        .await
    }

    /// The token and the repository to work on, once GitHub has taken the token and shown the repository.
    pub(super) async fn enter(
        &self,
        access: &Access,
        permissions: Permissions,
        min_ttl: Duration,
    ) -> Result<(RepoToken, github::Repository), Error> {
        let name = &access.binding.repository;
        let look = |token: RepoToken| async move { self.look_at(&token, name).await };
        let (token, found) = self.enter_by(access, permissions, min_ttl, look).await?;
        let read_only = ReadOnly::of(found.archived, found.disabled);
        same_repository(&access.binding, found.id, &found.name, read_only)?;
        Ok((token, found))
    }

    /// The token to work with, and the answer to the first thing that was done with it, which must only read.
    pub(super) async fn enter_by<T, F: Future<Output = Result<T, github::Error>>>(
        &self,
        access: &Access,
        permissions: Permissions,
        min_ttl: Duration,
        first: impl Fn(RepoToken) -> F,
    ) -> Result<(RepoToken, T), Error> {
        let mut token = self.repo_token(access, permissions, min_ttl).await?;
        let mut seen = first(token.clone()).await;
        let rejected = matches!(&seen, Err(error) if error.kind == Kind::Unauthorized);
        if rejected && let Some(now) = self.instead_of(access, &token).await? {
            token = self.repo_token(&now, permissions, min_ttl).await?;
            seen = first(token.clone()).await;
        }
        match seen {
            Ok(found) => Ok((token, found)),
            Err(error) => Err(self.refused(access, error).await),
        }
    }

    /// What to work with in place of a token that GitHub has refused, if there is anything else.
    async fn instead_of(
        &self,
        access: &Access,
        refused: &RepoToken,
    ) -> Result<Option<Access>, Error> {
        let now = self.access(&access.call, Some(&access.binding.repository)).await?;
        let another = match &now.credential {
            // Somebody to whom it was handed out has revoked it: a new one works.
            Credential::App { .. } => self.inner.tokens.reject(access.account(), &refused.token),
            // Renewed meanwhile, maybe by another replica, or connected anew.
            Credential::User(user) => *user.token.hashed() != *refused.hashed,
        };
        Ok(another.then_some(now))
    }

    /// Looks at a repository: the first thing that is done with a token.
    pub(super) async fn look_at(
        &self,
        token: &RepoToken,
        repository: &RepoName,
    ) -> Result<github::Repository, github::Error> {
        let found = self.github().repository_for(&token.token, token.fresh, repository).await?;
        // A token is asked for by the name alone, which another owner's repository can have, too.
        match &token.only {
            Some(ids) if !ids.contains(&found.id) => Err(github::Error::only_public()),
            _ => Ok(found),
        }
    }
}

/// Whether a classic token is known not to have the scope that workflow files take: GitHub's own answer is that there is no
/// such thing.
fn lacks_workflow(user: &UserToken, permissions: Permissions) -> bool {
    let needed = permissions.level(Permission::WORKFLOWS).is_some();
    let scopes = &user.scopes;
    needed && !scopes.is_empty() && scopes.iter().all(|scope| scope != "workflow")
}

/// Checks that a bound name still leads to the bound repository, and that it can be written to: names can be given away,
/// ids cannot.
pub(super) fn same_repository(
    binding: &Binding,
    found: RepoId,
    name: &RepoName,
    read_only: Option<ReadOnly>,
) -> Result<(), Error> {
    let RepoId(bound) = binding.repository_id;
    if found != binding.repository_id {
        return Err(Error::new(
            Reason::RepoNotAccessible,
            format!(
                "{} is another repository now (it was {bound} when it was configured); call ConfigureRepo anew",
                binding.repository
            ),
        ));
    }
    if *name != binding.repository {
        return Err(refusal::moved(&binding.repository, Some(name)));
    }
    if let Some(why) = read_only {
        return Err(refusal::read_only(&binding.repository, why));
    }
    Ok(())
}
