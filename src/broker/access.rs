//! Which credential an account uses, and the token that it gives for one repository.

use std::time::Duration;

use time::OffsetDateTime;
use tracing::warn;

use super::{
    Broker,
    error::{Error, Reason},
    refusal::{self, Context},
    tokens::{Key, MintError},
};
use crate::{
    crypto::Place,
    domain::{
        AccountId, Binding, ConnectionStatus, CredentialSource, Installation, InstallationId,
        Level, Pat, PatKind, Permission, Permissions, RepoId, RepoName, SealedSecret, Token,
    },
    github::{self, Kind, RepoScope},
    store::{PAT_TOKEN_COLUMN, PAT_TOKEN_TABLE},
};

/// What looking at a repository needs: its description, its branches and their rules.
const PROBE: Permissions = Permissions::NONE
    .with(Permission::CONTENTS, Level::Read)
    .with(Permission::METADATA, Level::Read);

/// What an account reaches GitHub with. An installation comes before a token: it is narrower and shorter-lived.
pub(super) enum Credential {
    /// An App installation.
    App(InstallationId),
    /// A personal access token.
    Pat(Box<OpenPat>),
}

/// A stored personal access token, decrypted for one call.
pub(super) struct OpenPat {
    pub token: Token,
    pub about: Pat,
    pub row_id: String,
}

impl Credential {
    pub fn source(&self) -> CredentialSource {
        match self {
            Self::App(_) => CredentialSource::AppInstallation,
            Self::Pat(_) => CredentialSource::Pat,
        }
    }
}

/// The right of an account to work with one of its repositories. There is no other way to a token for a repository.
pub(super) struct Access {
    pub binding: Binding,
    pub credential: Credential,
}

impl Access {
    pub fn context(&self) -> Context<'_> {
        Context { source: self.credential.source(), repository: &self.binding.repository }
    }
}

/// A token for one repository.
#[derive(Clone)]
pub(super) struct RepoToken {
    pub token: Token,
    pub expires_at: Option<OffsetDateTime>,
    pub permissions: Permissions,
    pub stale: bool,
    /// Minted so recently that GitHub may not know it everywhere yet.
    pub fresh: bool,
}

impl RepoToken {
    fn of_pat(pat: &OpenPat) -> Self {
        Self {
            token: pat.token.clone(),
            expires_at: pat.about.expires_at,
            permissions: Permissions::NONE,
            stale: false,
            fresh: false,
        }
    }
}

/// Where the sealed token of a PAT stands: what it is bound to when it is encrypted.
pub(super) fn pat_place<'a>(
    account: &'a AccountId,
    row_id: &'a str,
    row_version: i64,
) -> Place<'a> {
    Place { table: PAT_TOKEN_TABLE, column: PAT_TOKEN_COLUMN, account, row_id, row_version }
}

impl Broker {
    /// The credential that `account` uses now.
    pub(super) async fn credential(&self, account: &AccountId) -> Result<Credential, Error> {
        let installation = self.store().installation(account).await?;
        if let Some(Installation { id: Some(id), .. }) = installation {
            return Ok(Credential::App(id));
        }
        match self.store().pat(account).await? {
            Some((about, sealed)) => Ok(Credential::Pat(Box::new(self.open_pat(about, &sealed)?))),
            None if installation.is_some() => Err(Error::new(
                Reason::InstallationPending,
                "the App waits for the approval of an owner of the GitHub organization",
            )),
            None => Err(not_connected()),
        }
    }

    fn open_pat(&self, about: Pat, sealed: &SealedSecret) -> Result<OpenPat, Error> {
        let place = pat_place(&about.account, &sealed.row_id, sealed.row_version);
        let plain = self.inner.parts.keys.open(&place, sealed).map_err(Error::internal)?;
        let token = std::str::from_utf8(&plain).map_err(Error::internal)?.to_owned();
        Ok(OpenPat { token: Token::new(token), about, row_id: sealed.row_id.clone() })
    }

    /// The right of `account` to its active repository, or to the bound one that it names.
    pub(super) async fn access(
        &self,
        account: &AccountId,
        repository: Option<&RepoName>,
    ) -> Result<Access, Error> {
        let binding = self.store().binding(account, repository).await?;
        let credential = self.credential(account).await?;
        let binding = binding.ok_or_else(|| match repository {
            Some(name) => Error::new(
                Reason::RepoNotAccessible,
                format!("{name} is not configured for this account; call ConfigureRepo first"),
            ),
            None => Error::new(
                Reason::RepoNotAccessible,
                "no repository is configured for this account; call ConfigureRepo first",
            ),
        })?;
        Ok(Access { binding, credential })
    }

    /// A token for the repository of `access` with just `permissions`; with a PAT, the PAT.
    pub(super) async fn repo_token(
        &self,
        account: &AccountId,
        access: &Access,
        permissions: Permissions,
        min_ttl: Duration,
    ) -> Result<RepoToken, Error> {
        match &access.credential {
            Credential::App(installation) => {
                let key = Key {
                    account: account.clone(),
                    installation: *installation,
                    repository: access.binding.repository_id,
                    permissions,
                };
                match self.inner.tokens.get(&key, min_ttl).await {
                    Ok(vended) => Ok(RepoToken {
                        token: vended.token.token.clone(),
                        expires_at: Some(vended.token.expires_at),
                        permissions: vended.token.permissions,
                        stale: vended.stale,
                        fresh: vended.token.is_fresh(self.now()),
                    }),
                    Err(error) => {
                        let explained = match &*error {
                            MintError::GitHub(refused) => {
                                self.explain_mint(
                                    account,
                                    *installation,
                                    permissions,
                                    &access.context(),
                                    refused,
                                )
                                .await
                            }
                            MintError::WrongScope => Error::new(
                                Reason::Internal,
                                "GitHub minted a token of another scope than asked for; it was not used",
                            ),
                            MintError::GivenUp => Error::unavailable(),
                        };
                        Err(explained.caused_by(error))
                    }
                }
            }
            Credential::Pat(pat) => {
                self.usable(pat)?;
                Ok(RepoToken::of_pat(pat))
            }
        }
    }

    /// A token to look at a repository that may not be bound yet. Not cached: it is for a name, and names change.
    /// One that is `bound` is found by its id when it has another name now.
    pub(super) async fn probe_token(
        &self,
        account: &AccountId,
        credential: &Credential,
        repository: &RepoName,
        bound: Option<RepoId>,
    ) -> Result<RepoToken, Error> {
        let id = match credential {
            Credential::Pat(pat) => return Ok(RepoToken::of_pat(pat)),
            Credential::App(id) => *id,
        };
        let context = Context { source: credential.source(), repository };
        let named = RepoScope::Name(repository);
        match (self.probe(account, id, named, &context).await, bound) {
            (Err(error), Some(bound)) if error.reason == Reason::RepoNotAccessible => {
                self.probe(account, id, RepoScope::Ids(&[bound]), &context).await
            }
            (probed, _) => probed,
        }
    }

    async fn probe(
        &self,
        account: &AccountId,
        id: InstallationId,
        scope: RepoScope<'_>,
        context: &Context<'_>,
    ) -> Result<RepoToken, Error> {
        match self.github().mint(id, scope, PROBE).await {
            Ok(minted) => Ok(RepoToken {
                token: minted.token,
                expires_at: Some(minted.expires_at),
                permissions: minted.permissions,
                stale: false,
                fresh: true,
            }),
            Err(error) => {
                let explained = self.explain_mint(account, id, PROBE, context, &error).await;
                Err(explained.caused_by(error))
            }
        }
    }

    /// GitHub blocks a user for a while after many refused calls: a token known to be refused is not tried again.
    pub(super) fn usable(&self, pat: &OpenPat) -> Result<(), Error> {
        let ended = pat.about.expires_at.is_some_and(|end| end <= self.now());
        if ended || pat.about.status != ConnectionStatus::Active {
            let why = if ended { "has expired" } else { "was refused by GitHub" };
            return Err(Error::new(
                Reason::CredentialRejected,
                format!(
                    "the personal access token (…{}) {why}; store a new one with SetPat",
                    pat.about.fingerprint
                ),
            ));
        }
        Ok(())
    }

    /// Says why there is no installation token, and remembers what it tells about the installation.
    async fn explain_mint(
        &self,
        account: &AccountId,
        id: InstallationId,
        asked: Permissions,
        context: &Context<'_>,
        refused: &github::Error,
    ) -> Error {
        match refused.kind {
            Kind::NotFound => {
                self.note_installation(account, id, ConnectionStatus::Revoked).await;
                refusal::gone()
            }
            Kind::Suspended => {
                self.note_installation(account, id, ConnectionStatus::Suspended).await;
                refusal::suspended()
            }
            Kind::Invalid | Kind::Forbidden | Kind::RepositoryNotAccessible => {
                self.explain_scope(id, asked, context).await
            }
            Kind::RateLimited => refusal::rate_limited(refused),
            Kind::AppNotConfigured => refusal::app_not_configured(),
            _ if refused.is_transient() || refused.effect_unknown() => Error::unavailable(),
            _ => Error::new(
                Reason::Internal,
                "GitHub does not accept the broker's own App key; its operator has to look",
            ),
        }
    }

    /// A 422 does not say in a dependable way whether a permission or the repository is missing: the installation does.
    async fn explain_scope(
        &self,
        id: InstallationId,
        asked: Permissions,
        context: &Context<'_>,
    ) -> Error {
        match self.github().installation(id).await {
            Ok(installation) => {
                let missing = asked.missing_from(installation.permissions);
                if missing.is_empty() {
                    context.not_accessible()
                } else {
                    Error::permission_not_granted(missing)
                }
            }
            Err(error) => context.explain(error),
        }
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

    pub(super) async fn note_pat(
        &self,
        account: &AccountId,
        row_id: &str,
        status: ConnectionStatus,
    ) {
        if let Err(error) = self.store().set_pat_status(account, row_id, status).await {
            warn!(%account, %error, "the token's state could not be stored");
        }
    }

    /// The page on GitHub where tokens of this kind are made.
    pub(super) fn tokens_page(&self, kind: PatKind) -> String {
        let page = match kind {
            PatKind::Classic => "settings/tokens",
            PatKind::FineGrained => "settings/personal-access-tokens",
        };
        format!("{}/{page}", self.github().web_url().as_str().trim_end_matches('/'))
    }

    /// Explains a refused call on the repository of `access`, and remembers what it tells about the credential.
    pub(super) async fn refused(
        &self,
        account: &AccountId,
        access: &Access,
        error: github::Error,
    ) -> Error {
        if error.kind == Kind::Unauthorized {
            match &access.credential {
                Credential::App(_) => drop(self.inner.tokens.purge(account)),
                Credential::Pat(pat) => {
                    self.note_pat(account, &pat.row_id, ConnectionStatus::Revoked).await
                }
            }
        }
        access.context().explain(error)
    }

    /// Looks at a repository: the first thing that is done with a token.
    pub(super) async fn look_at(
        &self,
        token: &RepoToken,
        repository: &RepoName,
    ) -> Result<github::Repository, github::Error> {
        if token.fresh {
            self.github().repository_for_fresh(&token.token, repository).await
        } else {
            self.github().repository(&token.token, repository).await
        }
    }

    /// Checks that a bound name still leads to the bound repository: names can be given away, ids cannot.
    pub(super) fn same_repository(
        &self,
        binding: &Binding,
        found: &github::Repository,
    ) -> Result<(), Error> {
        let RepoId(bound) = binding.repository_id;
        if found.id != binding.repository_id {
            return Err(Error::new(
                Reason::RepoNotAccessible,
                format!(
                    "{} is another repository now (it was {bound} when it was configured); call ConfigureRepo anew",
                    binding.repository
                ),
            ));
        }
        if found.moved {
            return Err(refusal::moved(&binding.repository, Some(&found.name)));
        }
        if found.archived || found.disabled {
            return Err(refusal::read_only(&binding.repository));
        }
        Ok(())
    }
}

pub(super) fn not_connected() -> Error {
    Error::new(
        Reason::AccountNotConnected,
        "this account is not connected to GitHub; call RegisterInstallation or SetPat first",
    )
}
