//! What a caller has to prove.

use std::sync::Arc;

use super::{BuildError, Peer, Refused, ServiceAccountSettings, ServiceAccounts};
use crate::domain::{Caller, Clock, SpiffeId};

/// What callers have to show.
#[derive(Clone, Debug)]
pub enum Required {
    /// Nothing: everybody is anonymous.
    Nothing,
    /// A client certificate.
    Certificate,
    /// A ServiceAccount token.
    ServiceAccount(ServiceAccountSettings),
    /// One of both. Who sends a token is known by it, and it must be good.
    Either(ServiceAccountSettings),
    /// Both.
    Both(ServiceAccountSettings),
}

/// Knows callers by what is required of them. Cheap to clone.
#[derive(Clone)]
pub struct Authenticator {
    mode: Mode,
    clock: Arc<dyn Clock>,
}

#[derive(Clone)]
enum Mode {
    Nothing,
    Certificate,
    ServiceAccount(ServiceAccounts),
    Either(ServiceAccounts),
    Both(ServiceAccounts),
}

impl Authenticator {
    /// An authenticator that requires this. The issuer's keys are not read yet.
    pub fn new(required: Required, clock: Arc<dyn Clock>) -> Result<Self, BuildError> {
        let accounts = |settings| ServiceAccounts::new(settings, clock.clone());
        let mode = match required {
            Required::Nothing => Mode::Nothing,
            Required::Certificate => Mode::Certificate,
            Required::ServiceAccount(settings) => Mode::ServiceAccount(accounts(settings)?),
            Required::Either(settings) => Mode::Either(accounts(settings)?),
            Required::Both(settings) => Mode::Both(accounts(settings)?),
        };
        Ok(Self { mode, clock })
    }

    /// Reads the issuer's keys, so that the first caller does not wait for them. If they cannot be read now, the log says why,
    /// and callers that need them are told to try again.
    pub async fn load(&self) {
        if let Mode::ServiceAccount(accounts) | Mode::Either(accounts) | Mode::Both(accounts) =
            &self.mode
        {
            let (Ok(()) | Err(_)) = accounts.load().await;
        }
    }

    /// Who calls. `authorization` is the header of that name, as it came.
    pub async fn authenticate(
        &self,
        peer: &Peer,
        authorization: Option<&[u8]>,
    ) -> Result<Caller, Refused> {
        match &self.mode {
            Mode::Nothing => Ok(Caller::Anonymous),
            Mode::Certificate => self.workload(peer).map(Caller::Workload),
            Mode::ServiceAccount(accounts) => {
                accounts.authenticate(authorization).await.map(Caller::ServiceAccount)
            }
            Mode::Either(accounts) if authorization.is_some() => {
                accounts.authenticate(authorization).await.map(Caller::ServiceAccount)
            }
            Mode::Either(_) if peer.certificate.is_none() => Err(Refused::NoCredential),
            Mode::Either(_) => self.workload(peer).map(Caller::Workload),
            Mode::Both(accounts) => {
                let workload = self.workload(peer)?;
                Ok(Caller::Both(workload, accounts.authenticate(authorization).await?))
            }
        }
    }

    fn workload(&self, peer: &Peer) -> Result<SpiffeId, Refused> {
        let certificate = peer.certificate.as_ref().ok_or(Refused::NoCertificate)?;
        certificate.identity(self.clock.now())
    }
}
