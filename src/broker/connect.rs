//! Connecting an account: registering an installation, storing a token, binding a repository, and undoing it.

use futures_util::{StreamExt, stream};
use tracing::{info, warn};

use super::{
    Broker,
    access::{Credential, not_connected, pat_place},
    error::{Error, Reason},
    refusal,
};
use crate::{
    domain::{
        AccountId, Binding, BranchName, ConnectionStatus, CredentialSource, Installation,
        InstallationId, Pat, PatKind, RepoName, Subdirectory, Token,
    },
    github::Kind,
};

/// Why GitHub sent the browser back from the install page.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SetupAction {
    /// There is an installation, new or changed.
    Installed(InstallationId),
    /// An organization owner was asked for one.
    Requested,
}

/// The redirect from GitHub's install page.
#[derive(Clone, Debug)]
pub struct RegisterRequest {
    /// Who installs.
    pub account: AccountId,
    /// What happened on the page.
    pub action: SetupAction,
    /// Proof of who installed it: an OAuth code.
    pub code: Option<Token>,
    /// Organization or user that the account says is its own.
    pub expected_login: Option<String>,
}

/// A repository to work with.
#[derive(Clone, Debug)]
pub struct BindRequest {
    /// Who binds it.
    pub account: AccountId,
    /// The repository.
    pub repository: RepoName,
    /// Branch for commits.
    pub staging: BranchName,
    /// Branch for promotion; the repository's default branch if not given.
    pub production: Option<BranchName>,
    /// Directory that paths are relative to.
    pub subdirectory: Subdirectory,
    /// Make it the active one.
    pub activate: bool,
}

/// What an account is connected with.
#[derive(Clone, Debug)]
pub struct Connection {
    /// The credential in use; none if there is no usable one.
    pub effective: Option<CredentialSource>,
    /// The installation, if there is one.
    pub installation: Option<Installation>,
    /// The token, if there is one.
    pub pat: Option<Pat>,
    /// All bindings, the active one first.
    pub bindings: Vec<Binding>,
}

/// What was undone.
#[derive(Clone, Copy, Debug)]
pub struct Disconnected {
    /// False if there was nothing.
    pub existed: bool,
    /// Cached tokens that GitHub confirmed as revoked.
    pub tokens_revoked: usize,
}

/// Revocations at once: an account rarely has more cached tokens than this.
const REVOKE_AT_ONCE: usize = 8;

impl Broker {
    /// Binds an installation to an account, once it is proven that it may be.
    pub async fn register_installation(
        &self,
        request: RegisterRequest,
    ) -> Result<Installation, Error> {
        let account = &request.account;
        let SetupAction::Installed(id) = request.action else {
            return self.await_approval(account).await;
        };
        let found = self.github().installation(id).await.map_err(|error| match error.kind {
            Kind::NotFound => refusal::gone().caused_by(error),
            Kind::Suspended => refusal::suspended().caused_by(error),
            Kind::AppNotConfigured => refusal::app_not_configured(),
            Kind::RateLimited => refusal::rate_limited(&error).caused_by(error),
            _ if error.is_transient() => Error::unavailable().caused_by(error),
            _ => Error::internal(error),
        })?;
        if found.suspended {
            return Err(refusal::suspended());
        }
        if request
            .expected_login
            .as_ref()
            .is_some_and(|login| !login.eq_ignore_ascii_case(&found.account.login))
        {
            return Err(not_owned());
        }
        if let Some(code) = &request.code {
            self.prove_owner(code, id).await?;
        }
        let installation = Installation {
            account: account.clone(),
            id: Some(id),
            github_account_id: Some(found.account.id),
            github_login: found.account.login,
            status: ConnectionStatus::Active,
            registered_at: self.now(),
        };
        self.store().bind_installation(&installation).await?;
        // What was learned before (a refusal, a token of an earlier installation) no longer holds.
        self.inner.tokens.purge(account);
        info!(%account, installation = %id, github_login = %installation.github_login, "installation registered");
        self.stored_installation(account).await
    }

    /// Notes that an organization owner was asked, unless there is an installation already.
    async fn await_approval(&self, account: &AccountId) -> Result<Installation, Error> {
        if let Some(present) = self.store().installation(account).await?.filter(|i| i.id.is_some())
        {
            return Ok(present);
        }
        let pending = Installation {
            account: account.clone(),
            id: None,
            github_account_id: None,
            github_login: String::new(),
            status: ConnectionStatus::PendingApproval,
            registered_at: self.now(),
        };
        self.store().bind_installation(&pending).await?;
        self.stored_installation(account).await
    }

    /// The record as it is now: bound again, an installation keeps the date of the first time.
    async fn stored_installation(&self, account: &AccountId) -> Result<Installation, Error> {
        self.store().installation(account).await?.ok_or_else(not_connected)
    }

    /// Installation ids can be guessed, and the App's own key can read every one: only the user who came back from
    /// GitHub can show that this one is theirs.
    async fn prove_owner(&self, code: &Token, id: InstallationId) -> Result<(), Error> {
        let github = self.github();
        let seen = match github.exchange_code(code.expose()).await {
            Ok(user) => github.user_installations(&user).await,
            Err(error) => Err(error),
        };
        match seen {
            Ok(seen) if seen.contains(&id) => Ok(()),
            Ok(_) => Err(not_owned()),
            Err(error) if error.kind == Kind::AppNotConfigured => Err(Error::invalid(
                "code",
                "cannot be checked: this broker has no [github.oauth] configured",
            )),
            Err(error) if error.kind == Kind::Unauthorized => Err(Error::invalid(
                "code",
                "is not accepted by GitHub: it works once and for 10 minutes; go through the install page again",
            )
            .caused_by(error)),
            Err(error) if error.kind == Kind::RateLimited => {
                Err(refusal::rate_limited(&error).caused_by(error))
            }
            Err(error) if error.is_transient() || error.effect_unknown() => {
                Err(Error::unavailable().caused_by(error))
            }
            Err(error) => Err(not_owned().caused_by(error)),
        }
    }

    /// Checks a personal access token against GitHub and stores it, encrypted.
    pub async fn set_pat(&self, account: AccountId, token: Token) -> Result<Pat, Error> {
        let kind = PatKind::of(token.expose())
            .ok_or_else(|| Error::invalid("token", "must begin with ghp_ or github_pat_"))?;
        let user = self.github().user(&token).await.map_err(|error| match error.kind {
            Kind::RateLimited => refusal::rate_limited(&error).caused_by(error),
            _ if error.is_transient() => Error::unavailable().caused_by(error),
            _ => Error::new(
                Reason::CredentialRejected,
                "GitHub does not accept this personal access token; it was not stored",
            )
            .caused_by(error),
        })?;
        let now = self.now();
        if user.token_expires_at.is_some_and(|end| end <= now) {
            return Err(Error::new(
                Reason::CredentialRejected,
                "this personal access token has expired; it was not stored",
            ));
        }
        let pat = Pat {
            account: account.clone(),
            kind,
            owner_login: user.login,
            owner_id: user.id,
            scopes: user.scopes.unwrap_or_default(),
            expires_at: user.token_expires_at,
            fingerprint: token.fingerprint(),
            status: ConnectionStatus::Active,
            registered_at: now,
        };
        let row_id = uuid::Uuid::now_v7().to_string();
        let place = pat_place(&account, &row_id, 1);
        let sealed = self
            .inner
            .parts
            .keys
            .seal(&place, token.expose().as_bytes())
            .map_err(Error::internal)?;
        self.store().put_pat(&pat, &sealed).await?;
        info!(%account, owner = %pat.owner_login, fingerprint = %pat.fingerprint, "personal access token stored");
        Ok(pat)
    }

    /// Looks a repository up with the account's credential and binds it.
    pub async fn bind_repository(&self, request: BindRequest) -> Result<Binding, Error> {
        let credential = self.credential(&request.account).await?;
        let found = self.look_up(&request.account, &credential, &request.repository).await?;
        let production = request.production.unwrap_or(found.default_branch);
        if production == request.staging {
            return Err(Error::invalid(
                "staging_branch",
                format!("must differ from the production branch ({production})"),
            ));
        }
        let binding = Binding {
            account: request.account,
            repository_id: found.id,
            repository: found.name,
            staging: request.staging,
            production,
            subdirectory: request.subdirectory,
            active: request.activate,
        };
        let stored = self.store().put_binding(&binding, request.activate).await?;
        info!(
            account = %stored.account, repository = %stored.repository, staging = %stored.staging,
            production = %stored.production, active = stored.active, "repository bound"
        );
        Ok(stored)
    }

    /// What an account is connected with, from the database alone.
    pub async fn connection(&self, account: &AccountId) -> Result<Connection, Error> {
        let installation = self.store().installation(account).await?;
        let pat = self.store().pat(account).await?.map(|(pat, _)| pat);
        let bindings = self.store().bindings(account).await?;
        if installation.is_none() && pat.is_none() && bindings.is_empty() {
            return Err(not_connected());
        }
        let usable = |status: ConnectionStatus| status == ConnectionStatus::Active;
        let effective = match (&installation, &pat) {
            (Some(installation), _) if installation.id.is_some() => {
                usable(installation.status).then_some(CredentialSource::AppInstallation)
            }
            (_, Some(pat)) => usable(self.pat_status(pat)).then_some(CredentialSource::Pat),
            _ => None,
        };
        let pat = pat.map(|pat| Pat { status: self.pat_status(&pat), ..pat });
        Ok(Connection { effective, installation, pat, bindings })
    }

    fn pat_status(&self, pat: &Pat) -> ConnectionStatus {
        match pat.expires_at {
            Some(end) if end <= self.now() => ConnectionStatus::Expired,
            _ => pat.status,
        }
    }

    /// Deletes all of an account, and ends at GitHub the tokens that are cached for it.
    pub async fn disconnect(&self, account: &AccountId) -> Result<Disconnected, Error> {
        let existed = self.store().disconnect(account).await?;
        let cached = self.inner.tokens.purge(account);
        let revoked = stream::iter(cached)
            .map(async |cached| match self.github().revoke(&cached.token).await {
                Ok(()) => true,
                Err(error) => {
                    warn!(%account, %error, "a cached token could not be revoked; it ends by itself within the hour");
                    false
                }
            })
            .buffer_unordered(REVOKE_AT_ONCE)
            .filter(|revoked| std::future::ready(*revoked))
            .count()
            .await;
        info!(%account, existed, revoked, "account disconnected");
        Ok(Disconnected { existed, tokens_revoked: revoked })
    }

    /// A repository as the account's credential sees it.
    async fn look_up(
        &self,
        account: &AccountId,
        credential: &Credential,
        repository: &RepoName,
    ) -> Result<crate::github::Repository, Error> {
        if let Credential::Pat(pat) = credential {
            self.usable(pat)?;
        }
        let token = self.probe_token(account, credential, repository, None).await?;
        let context = refusal::Context { source: credential.source(), repository };
        self.look_at(&token, repository).await.map_err(|error| context.explain(error))
    }
}

fn not_owned() -> Error {
    Error::new(
        Reason::InstallationNotOwned,
        "this installation is not on the GitHub account that was expected, or the user cannot see it; \
         install the App from your own account's page",
    )
}
