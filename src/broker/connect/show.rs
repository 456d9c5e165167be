//! What accounts are connected with.

use time::OffsetDateTime;

use crate::{
    broker::{
        Broker, Call,
        call::AnyAccount,
        credential::{Held, not_connected},
        error::Error,
    },
    domain::{AccountId, Binding, Choice, ConnectionStatus, Installation, OAuthUser, Pat},
};

/// What an account is connected with.
#[derive(Clone, Debug)]
pub struct Connection {
    /// Which credential is in use, and why.
    pub choice: Choice,
    /// The installation, if there is one.
    pub installation: Option<Installation>,
    /// The user who has authorized the broker, if there is one.
    pub user: Option<OAuthUser>,
    /// The token, if there is one.
    pub pat: Option<Pat>,
    /// All bindings, the active one first.
    pub bindings: Vec<Binding>,
    /// What needs a person soon.
    pub warnings: Vec<String>,
}

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
    /// Which credential is in use.
    pub choice: Choice,
    /// State of the installation, and whose it is.
    pub installation: Option<(ConnectionStatus, String)>,
    /// State of the user's authorization.
    pub user: Option<ConnectionStatus>,
    /// State of the token.
    pub pat: Option<ConnectionStatus>,
}

/// A token that ends within this time is worth a warning: renewing one takes people some days.
pub(in crate::broker) const EXPIRES_SOON: time::Duration = time::Duration::days(14);

/// Names of accounts that are read at once, to find those that a caller may see.
const NAMES_AT_ONCE: usize = 1000;

impl Broker {
    /// What an account is connected with. GitHub is asked only about an installation that is waited for.
    pub async fn connection(&self, call: &Call) -> Result<Connection, Error> {
        let account = call.account();
        let mut held = self.held(account).await?;
        let mut bindings = self.store().bindings(account).await?;
        if held.is_empty() && bindings.is_empty() {
            return Err(not_connected());
        }
        self.look_for_approval(account, &mut held).await;
        bindings.retain(|binding| call.may_see(&binding.repository));
        let now = self.now();
        let choice = held.choice(self.connecting().fallback, now);
        let warnings = warnings(&held, now);
        let installation = held.installation.map(|i| Installation { status: i.state(), ..i });
        let user = held.user.map(|(user, _)| OAuthUser { status: user.state(now), ..user });
        let pat = held.pat.map(|(pat, _)| Pat { status: pat.state(now), ..pat });
        Ok(Connection { choice, installation, user, pat, bindings, warnings })
    }

    /// What the accounts that a caller may see are connected with, from the database alone.
    pub async fn connections(
        &self,
        call: &AnyAccount,
        request: ListRequest,
    ) -> Result<Listed, Error> {
        let (accounts, last) = self.visible_accounts(call, request).await?;
        let mut connections = Vec::new();
        for account in accounts {
            let held = self.held(&account).await?;
            let (now, fallback) = (self.now(), self.connecting().fallback);
            connections.push(Summary {
                choice: held.choice(fallback, now),
                user: held.user.as_ref().map(|(user, _)| user.state(now)),
                pat: held.pat.as_ref().map(|(pat, _)| pat.state(now)),
                installation: held.installation.map(|i| (i.state(), i.github_login)),
                account,
            });
        }
        Ok(Listed { connections, last })
    }

    /// The accounts of one page, and the last of them if there may be more. It is shown to the caller, so that it is one of
    /// those that the caller may see, however many others are looked at in between.
    async fn visible_accounts(
        &self,
        call: &AnyAccount,
        request: ListRequest,
    ) -> Result<(Vec<AccountId>, Option<AccountId>), Error> {
        let (mut visible, mut after) = (Vec::new(), request.after);
        loop {
            let names = self.store().accounts(after.as_ref(), NAMES_AT_ONCE).await?;
            let more = names.len() == NAMES_AT_ONCE;
            after = names.last().cloned();
            visible.extend(names.into_iter().filter(|account| call.may_see(account)));
            if visible.len() >= request.limit {
                visible.truncate(request.limit);
                let last = visible.last().cloned();
                return Ok((visible, last));
            }
            if !more {
                return Ok((visible, None));
            }
        }
    }
}

fn warnings(held: &Held, now: OffsetDateTime) -> Vec<String> {
    let soon = |end: &OffsetDateTime| *end > now && *end - now < EXPIRES_SOON;
    let mut warnings = Vec::new();
    if let Some((pat, _)) = &held.pat
        && let Some(end) = pat.expires_at.filter(soon)
    {
        warnings.push(format!(
            "the personal access token of {} (…{}) ends on {}: make a new one and store it with SetPat",
            pat.owner_login,
            pat.fingerprint,
            end.date()
        ));
    }
    if let Some((user, _)) = &held.user
        && let Some(end) = user.refresh_expires_at.filter(soon)
    {
        warnings.push(format!(
            "the authorization of {} ends on {} unless it is renewed before: let the user connect GitHub again",
            user.login,
            end.date()
        ));
    }
    warnings
}
