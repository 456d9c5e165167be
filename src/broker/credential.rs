//! Which credential an account uses.

use super::{
    Broker,
    error::{Error, Reason},
};
use crate::{
    audit::Record,
    crypto::Place,
    domain::{
        AccountId, ConnectionStatus, CredentialSource, Installation, InstallationId, Pat,
        SealedSecret, Token,
    },
    store::{PAT_TOKEN_COLUMN, PAT_TOKEN_TABLE},
};

/// What an account reaches GitHub with. An installation comes before a token: it is narrower and shorter-lived.
pub(super) enum Credential {
    /// An App installation, and its state as last seen.
    App { id: InstallationId, status: ConnectionStatus },
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
            Self::App { .. } => CredentialSource::AppInstallation,
            Self::Pat(_) => CredentialSource::Pat,
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
        if let Some(Installation { id: Some(id), status, .. }) = installation {
            return Ok(Credential::App { id, status });
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

    pub(super) fn open_pat(&self, about: Pat, sealed: &SealedSecret) -> Result<OpenPat, Error> {
        let place = pat_place(&about.account, &sealed.row_id, sealed.row_version);
        let plain = self.inner.parts.keys.open(&place, sealed).map_err(Error::internal)?;
        let token = std::str::from_utf8(&plain).map_err(Error::internal)?.to_owned();
        Ok(OpenPat { token: Token::new(token), about, row_id: sealed.row_id.clone() })
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
}

pub(super) fn not_connected() -> Error {
    Error::new(
        Reason::AccountNotConnected,
        "this account is not connected to GitHub; call RegisterInstallation or SetPat first",
    )
}
