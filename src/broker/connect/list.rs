//! What all accounts are connected with, in short.

use crate::{
    broker::{Broker, Sites, call::AnyAccount, error::Error},
    domain::{AccountId, Choice, ConnectionStatus, SiteName},
};

/// Which accounts to list.
#[derive(Clone, Debug)]
pub struct ListRequest {
    /// At most so many.
    pub limit: usize,
    /// Those after this one.
    pub after: Option<AccountId>,
}

/// Some accounts.
#[derive(Clone, Debug)]
pub struct Listed {
    /// By name.
    pub connections: Vec<Summary>,
    /// The last of them, if there may be more.
    pub last: Option<AccountId>,
}

/// What one account is connected with, in short.
#[derive(Clone, Debug)]
pub struct Summary {
    /// The account.
    pub account: AccountId,
    /// Where it is connected.
    pub site: SiteName,
    /// Which credential is in use.
    pub choice: Choice,
    /// State of the installation, and whose it is.
    pub installation: Option<(ConnectionStatus, String)>,
    /// State of the user's authorization.
    pub user: Option<ConnectionStatus>,
    /// State of the token.
    pub pat: Option<ConnectionStatus>,
}

/// Names of accounts that are read at once, to find those that a caller may see.
const NAMES_AT_ONCE: usize = 1000;

impl Sites {
    /// What the accounts that a caller may see are connected with, from the database alone. One whose site is not configured
    /// is left out.
    pub async fn connections(
        &self,
        call: &AnyAccount,
        request: ListRequest,
    ) -> Result<Listed, Error> {
        let (accounts, last) = self.visible_accounts(call, request).await?;
        let mut connections = Vec::new();
        for (account, site) in accounts {
            connections.push(site.summary(account).await?);
        }
        Ok(Listed { connections, last })
    }

    /// The accounts of one page, and the last of them if there may be more. It is shown to the caller, so that it is one of
    /// those that the caller may see, however many others are looked at in between.
    async fn visible_accounts(
        &self,
        call: &AnyAccount,
        request: ListRequest,
    ) -> Result<(Vec<(AccountId, &Broker)>, Option<AccountId>), Error> {
        let (mut visible, mut after) = (Vec::new(), request.after);
        loop {
            let store = self.default_site().store();
            let names = store.accounts(after.as_ref(), NAMES_AT_ONCE).await?;
            let more = names.len() == NAMES_AT_ONCE;
            after = names.last().map(|(account, _)| account.clone());
            let seen = names.into_iter().filter(|(account, _)| call.may_see(account));
            visible.extend(
                seen.filter_map(|(account, home)| Some((account, self.at(home.as_ref())?))),
            );
            if visible.len() >= request.limit {
                visible.truncate(request.limit);
                let last = visible.last().map(|(account, _)| account.clone());
                return Ok((visible, last));
            }
            if !more {
                return Ok((visible, None));
            }
        }
    }
}

impl Broker {
    async fn summary(&self, account: AccountId) -> Result<Summary, Error> {
        let held = self.held(&account).await?;
        let now = self.now();
        Ok(Summary {
            choice: held.choice(self.connecting().fallback, now),
            user: held.user.as_ref().map(|(user, _)| user.state(now)),
            pat: held.pat.as_ref().map(|(pat, _)| pat.state(now)),
            installation: held.installation.map(|i| (i.state(), i.github_login)),
            site: self.name().clone(),
            account,
        })
    }
}
