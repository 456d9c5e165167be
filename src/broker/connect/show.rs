//! What an account is connected with.

use time::OffsetDateTime;

use crate::{
    broker::{
        Broker, Call,
        credential::{Held, not_connected},
        error::Error,
    },
    domain::{Binding, Choice, Installation, OAuthUser, Pat, SiteName},
};

/// What an account is connected with.
#[derive(Clone, Debug)]
pub struct Connection {
    /// The site that it is connected at.
    pub site: SiteName,
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

/// A token that ends within this time is worth a warning: renewing one takes people some days.
pub(in crate::broker) const EXPIRES_SOON: time::Duration = time::Duration::days(14);

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
        let site = self.name().clone();
        Ok(Connection { site, choice, installation, user, pat, bindings, warnings })
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
