//! What a refusal tells about a credential is remembered with it, so that GetConnection shows it.

use std::{sync::Arc, time::Duration};

use time::OffsetDateTime;
use tracing::{Instrument, debug, info, warn};

use super::{
    Broker,
    access::Access,
    credential::{Credential, UserToken, UserTokenKind},
    error::{Error, Reason},
    refusal::{self, Context},
    tokens::{self, MintError},
};
use crate::{
    domain::{AccountId, Binding, ConnectionStatus, InstallationId, RepoName},
    github::{self, Kind},
    store::SeenRepository,
};

/// One account's renames are not written more often: what is stored may know better, and keep its name.
pub(super) const RENAME_EVERY: Duration = Duration::from_secs(60);

impl Broker {
    /// Says why there is no installation token for the repository of `access`.
    pub(super) async fn no_repo_token(
        &self,
        access: &Access,
        id: InstallationId,
        error: &Arc<MintError>,
    ) -> Error {
        let context = access.context();
        match self.moved_to(&access.binding, id, error).await {
            Some(now) => refusal::moved_away(context.repository, &now),
            None => self.no_token(access.account(), id, Some(&context), error).await,
        }
    }

    /// The name that a repository has now which the installation does not reach, if it is another one than the bound one.
    async fn moved_to(
        &self,
        binding: &Arc<Binding>,
        id: InstallationId,
        error: &Arc<MintError>,
    ) -> Option<RepoName> {
        let MintError::NotAccessible { .. } = **error else { return None };
        let (broker, binding, error) = (self.clone(), binding.clone(), error.clone());
        let look = async move {
            let MintError::NotAccessible { moved, .. } = &*error else { return None };
            moved.get_or_init(|| broker.look_for(&binding, id)).await.clone()
        };
        // A task of its own: a caller who gives up does not make the next one ask anew.
        tokio::spawn(look.in_current_span()).await.ok().flatten()
    }

    /// Looks where GitHub leads by the bound name: with a token that the installation still has, which sees all that is public,
    /// or with none. To a private repository that no installation of the account reaches GitHub leads nobody.
    async fn look_for(&self, binding: &Binding, id: InstallationId) -> Option<RepoName> {
        let (github, name) = (self.github(), &binding.repository);
        let found = match self.inner.tokens.any_of(&binding.account, id) {
            Some(token) => github.repository(&token, name).await,
            None => github.public_repository(name).await,
        };
        match found {
            Ok(found) => {
                let same = found.id == binding.repository_id;
                (same && found.name != *name).then_some(found.name)
            }
            Err(error) => {
                debug!(account = %binding.account, %error, "where a repository is now could not be seen");
                None
            }
        }
    }

    /// Says why there is no installation token; without a context for one of the whole installation.
    pub(super) async fn no_token(
        &self,
        account: &AccountId,
        id: InstallationId,
        context: Option<&Context<'_>>,
        error: &MintError,
    ) -> Error {
        let refused = match error {
            MintError::GitHub(refused) => refused,
            MintError::NotGranted { missing, .. } => {
                return Error::permission_not_granted(*missing);
            }
            MintError::NotAccessible { .. } => {
                return context.map_or_else(Error::unavailable, Context::not_accessible);
            }
            MintError::GivenUp => return Error::unavailable(),
            MintError::NotAsAsked => {
                let message = "GitHub minted another token than the one asked for; it was not used";
                return Error::new(Reason::Internal, message);
            }
        };
        match refused.kind {
            Kind::NotFound => {
                self.note_installation(account, id, ConnectionStatus::Revoked).await;
                refusal::gone()
            }
            Kind::Suspended => {
                self.note_installation(account, id, ConnectionStatus::Suspended).await;
                refusal::suspended()
            }
            Kind::RateLimited => refusal::rate_limited(refused),
            Kind::AppNotConfigured => refusal::app_not_configured(),
            Kind::ClockSkew { seconds } => refusal::clock_skew(seconds),
            _ if refused.is_transient() || refused.effect_unknown() => Error::unavailable(),
            _ => Error::new(
                Reason::Internal,
                "GitHub does not accept the broker's own App key; its operator has to look",
            ),
        }
    }

    /// Takes over the name that GitHub had for a repository when it minted a token with this end, unless something later is
    /// known.
    pub(super) async fn learn_name(
        &self,
        binding: &Binding,
        name: &RepoName,
        ends_at: OffsetDateTime,
    ) {
        if !self.inner.renames.may(&binding.account, self.now()) {
            return;
        }
        let seen = SeenRepository {
            id: binding.repository_id,
            name,
            state: binding.state,
            // By GitHub's clock, as what its webhooks say.
            at: Some(ends_at.saturating_sub(tokens::LIFE)),
        };
        match Box::pin(self.store().follow_repository(seen)).await {
            Ok(_) => {
                info!(account = %binding.account, before = %binding.repository, repository = %name, "repository renamed: its bindings follow");
            }
            Err(error) => {
                warn!(account = %binding.account, %error, "a repository's new name could not be stored");
            }
        }
    }

    /// Explains a refused call on the repository of `access`.
    pub(super) async fn refused(&self, access: &Access, error: github::Error) -> Error {
        if let (Kind::Unauthorized, Credential::User(user)) = (&error.kind, &access.credential) {
            self.note_user_token(access.account(), user, ConnectionStatus::Revoked).await;
        }
        access.context().explain(error)
    }

    pub(super) async fn note_installation(
        &self,
        account: &AccountId,
        id: InstallationId,
        status: ConnectionStatus,
    ) {
        let noted = self.store().set_installation_status(account, id, status, self.now()).await;
        if let Err(error) = noted {
            warn!(%account, %error, "the installation's state could not be stored");
        }
    }

    pub(super) async fn note_user_token(
        &self,
        account: &AccountId,
        user: &UserToken,
        status: ConnectionStatus,
    ) {
        let noted = match user.kind {
            UserTokenKind::OAuth => {
                self.store().set_oauth_user_status(account, &user.sealed, status).await
            }
            UserTokenKind::Pat(_) => {
                self.store().set_pat_status(account, &user.sealed.row_id, status).await
            }
        };
        if let Err(error) = noted {
            warn!(%account, %error, "the token's state could not be stored");
        }
    }
}
