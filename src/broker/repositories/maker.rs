//! Which of an account's credentials can make a repository.

use crate::{
    broker::{
        Broker, Call,
        credential::{Credential, Held, UserToken, none_of, not_connected},
        error::{Error, Reason},
        refusal,
    },
    domain::{
        ConnectionStatus, Installation, InstallationId, Level, OAuthUser, Pat, PatKind, Permission,
        Permissions, SealedSecret,
    },
    github::Kind,
};

/// What an App needs to make a repository and to find it again.
pub(super) const MAKING: Permissions = Permissions::NONE
    .with(Permission::ADMINISTRATION, Level::Write)
    .with(Permission::METADATA, Level::Read);

/// What a repository is made with.
pub(super) struct Maker {
    pub credential: Credential,
    /// What an installation was granted.
    pub granted: Option<Permissions>,
}

/// A user's token that may do.
enum Candidate {
    OAuth(OAuthUser, SealedSecret),
    Pat(Pat, SealedSecret),
}

impl Candidate {
    fn login(&self) -> &str {
        match self {
            Self::OAuth(user, _) => &user.login,
            Self::Pat(pat, _) => &pat.owner_login,
        }
    }
}

impl Broker {
    /// The credential that can make a repository of `owner`: of those that are switched on, the first that can, but a user's own
    /// before another user's. One that is broken is passed over only as calls of other kinds do that.
    pub(super) async fn maker(&self, call: &Call, owner: &str) -> Result<Maker, Error> {
        let held = self.held(call.account()).await?;
        if held.is_empty() {
            return Err(not_connected());
        }
        let mut cannot = Vec::new();
        if let Some(installation) = &held.installation
            && let Some(id) = installation.id.filter(|_| self.counts(installation.state()))
        {
            match self.app_maker(call, id, installation, owner).await? {
                Ok(maker) => return Ok(maker),
                Err(why) => cannot.push(why),
            }
        }
        match self.candidate(&held, owner, &mut cannot) {
            Some(candidate) => {
                let user = self.open(candidate).await?;
                self.usable(&user)?;
                Ok(Maker { credential: Credential::User(Box::new(user)), granted: None })
            }
            None if cannot.is_empty() => Err(none_of(&held)),
            None => Err(not_possible(owner, &cannot.join(", and "))),
        }
    }

    /// Whether a credential in this state is one to choose from.
    fn counts(&self, status: ConnectionStatus) -> bool {
        match status {
            ConnectionStatus::Active => true,
            ConnectionStatus::Disabled | ConnectionStatus::PendingApproval => false,
            _ => !self.connecting().fallback,
        }
    }

    /// The App, or why it cannot.
    async fn app_maker(
        &self,
        call: &Call,
        id: InstallationId,
        stored: &Installation,
        owner: &str,
    ) -> Result<Result<Maker, String>, Error> {
        let is_owner = |login: &str| login.eq_ignore_ascii_case(owner);
        let found = match self.github().installation(id).await {
            Ok(found) => found,
            Err(error) if error.kind == Kind::NotFound => {
                self.note_installation(call.account(), id, ConnectionStatus::Revoked).await;
                let why = format!("the App is no longer installed on {}", stored.github_login);
                let gone = is_owner(&stored.github_login);
                return if gone { Err(refusal::gone().caused_by(error)) } else { Ok(Err(why)) };
            }
            Err(error) => return Err(refusal::cannot_ask(error)),
        };
        let login = &found.account.login;
        if !is_owner(login) {
            return Ok(Err(format!("the App is installed on {login}, and makes none elsewhere")));
        }
        if found.account.kind != "Organization" {
            let why = format!("an App makes repositories of organizations, and {login} is a user");
            return Ok(Err(why));
        }
        if found.suspended {
            self.note_installation(call.account(), id, ConnectionStatus::Suspended).await;
            return Err(refusal::suspended());
        }
        let missing = MAKING.missing_from(found.permissions);
        if !missing.is_empty() {
            return Err(Error::permission_not_granted(missing));
        }
        let credential = Credential::App { id, status: stored.status };
        Ok(Ok(Maker { credential, granted: Some(found.permissions) }))
    }

    fn candidate(&self, held: &Held, owner: &str, cannot: &mut Vec<String>) -> Option<Candidate> {
        let now = self.now();
        let mut candidates = Vec::new();
        if let Some((user, sealed)) = &held.user
            && self.counts(user.state(now))
        {
            candidates.push(Candidate::OAuth(user.clone(), sealed.clone()));
        }
        if let Some((pat, sealed)) = &held.pat
            && self.counts(pat.state(now))
        {
            match pat.kind {
                PatKind::Classic => candidates.push(Candidate::Pat(pat.clone(), sealed.clone())),
                PatKind::FineGrained => {
                    cannot.push("a fine-grained personal access token makes none".to_owned());
                }
            }
        }
        let own = candidates.iter().position(|c| c.login().eq_ignore_ascii_case(owner));
        candidates.into_iter().nth(own.unwrap_or_default())
    }

    async fn open(&self, candidate: Candidate) -> Result<UserToken, Error> {
        match candidate {
            Candidate::OAuth(user, sealed) => self.oauth_token(user, sealed).await,
            Candidate::Pat(pat, sealed) => self.open_pat(pat, sealed),
        }
    }
}

/// The error of a repository that nothing of the account can make. `why` is about what the account has.
pub(super) fn not_possible(owner: &str, why: &str) -> Error {
    let message = format!(
        "this account can create no repository of {owner}: {why}; an organization's can be created by the App installed there \
         (Administration: write), a user's by that user's authorization (BeginOAuth) or classic personal access token (SetPat)"
    );
    Error::new(Reason::CreateNotPossible, message)
}
