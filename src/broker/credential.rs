//! Which credential an account uses.

use super::{
    Broker,
    error::{Error, Reason},
    refusal,
};
use crate::{
    audit::Record,
    crypto::Place,
    domain::{
        AccountId, Choice, ConnectionStatus, CredentialSource, Installation, InstallationId,
        OAuthUser, Pat, PatKind, SealedSecret, Token,
    },
    store::{AccountView, PAT_TOKEN_COLUMN, PAT_TOKEN_TABLE},
};

/// What an account reaches GitHub with. An installation comes before a user's token: it is narrower and shorter-lived.
pub(super) enum Credential {
    /// An App installation, and its state as last seen.
    App { id: InstallationId, status: ConnectionStatus },
    /// A token of a user: by OAuth, or a personal access token.
    User(Box<UserToken>),
}

/// A stored token of a user, decrypted for one call.
pub(super) struct UserToken {
    pub token: Token,
    pub kind: UserTokenKind,
    /// Scopes, where GitHub says them.
    pub scopes: Vec<String>,
    /// When it ends, or is renewed.
    pub expires_at: Option<time::OffsetDateTime>,
    pub fingerprint: String,
    pub status: ConnectionStatus,
    /// The row that it is of.
    pub sealed: SealedSecret,
}

/// Where a user's token is from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum UserTokenKind {
    OAuth,
    Pat(PatKind),
}

impl UserToken {
    pub fn source(&self) -> CredentialSource {
        match self.kind {
            UserTokenKind::OAuth => CredentialSource::OAuthUser,
            UserTokenKind::Pat(_) => CredentialSource::Pat,
        }
    }
}

impl Credential {
    pub fn source(&self) -> CredentialSource {
        match self {
            Self::App { .. } => CredentialSource::AppInstallation,
            Self::User(user) => user.source(),
        }
    }

    /// What of it belongs into the audit.
    pub fn note(&self, record: &mut Record) {
        record.source = Some(self.source().as_str());
        if let Self::App { id, .. } = self {
            record.installation_id = Some(id.0);
        }
    }
}

/// All that an account is connected with.
pub(super) struct Held {
    pub installation: Option<Installation>,
    pub user: Option<(OAuthUser, SealedSecret)>,
    pub pat: Option<(Pat, SealedSecret)>,
}

impl Held {
    pub fn is_empty(&self) -> bool {
        self.installation.is_none() && self.user.is_none() && self.pat.is_none()
    }

    /// Which of it is used.
    pub fn choice(&self, fallback: bool, now: time::OffsetDateTime) -> Choice {
        let installation = self.installation.as_ref().map(Installation::state);
        let user = self.user.as_ref().map(|(user, _)| user.state(now));
        let pat = self.pat.as_ref().map(|(pat, _)| pat.state(now));
        let all = [
            (CredentialSource::AppInstallation, installation),
            (CredentialSource::OAuthUser, user),
            (CredentialSource::Pat, pat),
        ];
        let held = all.into_iter().filter_map(|(source, status)| Some((source, status?)));
        Choice::of(held, fallback)
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
        let view = self.store().view(account, self.now()).await?;
        self.credential_in(account, &view).await
    }

    /// The same by what is known of the account: an installation takes no more than that.
    pub(super) async fn credential_in(
        &self,
        account: &AccountId,
        view: &AccountView,
    ) -> Result<Credential, Error> {
        if let Some((id, status)) = view.installation
            && (status == ConnectionStatus::Active || !self.connecting().fallback)
        {
            return Ok(Credential::App { id, status });
        }
        // Seldom, and with much to remember on the way: that takes no room in every call.
        Box::pin(self.credential_of_held(account)).await
    }

    /// The same by all that the account is connected with.
    async fn credential_of_held(&self, account: &AccountId) -> Result<Credential, Error> {
        let mut held = self.held(account).await?;
        let mut choice = held.choice(self.connecting().fallback, self.now());
        if self.may_have_changed(&held, &choice) && self.look_again(account, &mut held).await {
            choice = held.choice(self.connecting().fallback, self.now());
        }
        match (choice.source, held) {
            (
                Some(CredentialSource::AppInstallation),
                Held { installation: Some(Installation { id: Some(id), status, .. }), .. },
            ) => Ok(Credential::App { id, status }),
            (Some(CredentialSource::OAuthUser), Held { user: Some((user, sealed)), .. }) => {
                Ok(Credential::User(Box::new(self.oauth_token(user, sealed).await?)))
            }
            (Some(CredentialSource::Pat), Held { pat: Some((pat, sealed)), .. }) => {
                Ok(Credential::User(Box::new(self.open_pat(pat, sealed)?)))
            }
            (_, held) => Err(none_of(&held)),
        }
    }

    /// All that `account` is connected with.
    pub(super) async fn held(&self, account: &AccountId) -> Result<Held, Error> {
        let installation = self.store().installation(account).await?;
        let user = self.store().oauth_user(account).await?;
        let pat = self.store().pat(account).await?;
        Ok(Held { installation, user, pat })
    }

    pub(super) fn open_pat(&self, about: Pat, sealed: SealedSecret) -> Result<UserToken, Error> {
        let place = pat_place(&about.account, &sealed.row_id, sealed.row_version);
        let plain = self.inner.parts.keys.open(&place, &sealed).map_err(Error::internal)?;
        let token = std::str::from_utf8(&plain).map_err(Error::internal)?.to_owned();
        Ok(UserToken {
            token: Token::new(token),
            kind: UserTokenKind::Pat(about.kind),
            status: about.state(self.now()),
            scopes: about.scopes,
            expires_at: about.expires_at,
            fingerprint: about.fingerprint,
            sealed,
        })
    }

    /// GitHub blocks a user for a while after many refused calls: a token known to be refused is not tried again.
    pub(super) fn usable(&self, user: &UserToken) -> Result<(), Error> {
        if user.status == ConnectionStatus::Active {
            return Ok(());
        }
        let why = match user.status {
            ConnectionStatus::Expired => "has expired",
            _ => "was refused by GitHub",
        };
        let message = match user.kind {
            UserTokenKind::OAuth => {
                format!("{} {why}; {}", user.source().noun(), refusal::CONNECT_AGAIN)
            }
            UserTokenKind::Pat(_) => format!(
                "the personal access token (…{}) {why}; store a new one with SetPat",
                user.fingerprint
            ),
        };
        Err(Error::new(Reason::CredentialRejected, message))
    }
}

/// Why there is no credential to use.
pub(super) fn none_of(held: &Held) -> Error {
    let off = |enabled: bool| !enabled;
    let switched_off = held.installation.as_ref().is_some_and(|i| off(i.enabled))
        || held.user.as_ref().is_some_and(|(user, _)| off(user.enabled))
        || held.pat.as_ref().is_some_and(|(pat, _)| off(pat.enabled));
    if switched_off {
        return Error::new(
            Reason::CredentialDisabled,
            "all that this account is connected with is switched off; switch it on with SetCredentialEnabled",
        );
    }
    if held.installation.is_some() {
        return Error::new(
            Reason::InstallationPending,
            "the App waits for the approval of an owner of the GitHub organization",
        );
    }
    not_connected()
}

pub(super) fn not_connected() -> Error {
    Error::new(
        Reason::AccountNotConnected,
        "this account is not connected to GitHub; call BeginInstallation, BeginOAuth or SetPat first",
    )
}
