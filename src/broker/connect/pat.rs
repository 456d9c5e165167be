//! Storing a personal access token.

use tracing::info;

use crate::{
    broker::{
        Broker, Call,
        credential::pat_place,
        error::{Error, Reason},
        refusal,
    },
    domain::{ConnectionStatus, Pat, PatKind, Token},
    github::Kind,
};

impl Broker {
    /// Checks a personal access token against GitHub and stores it, encrypted.
    pub async fn set_pat(&self, call: &Call, token: Token, kind: PatKind) -> Result<Pat, Error> {
        let account = call.account().clone();
        call.trail.note(|record| record.hashed_token = Some(token.hashed().into()));
        let user = self.github().user(&token).await.map_err(|error| match error.kind {
            Kind::Unauthorized | Kind::Forbidden | Kind::SsoRequired => Error::new(
                Reason::CredentialRejected,
                "GitHub does not accept this personal access token; it was not stored",
            )
            .caused_by(error),
            Kind::Suspended => refusal::owner_suspended().caused_by(error),
            _ => refusal::cannot_ask(error),
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
            enabled: true,
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

    /// The page on GitHub where tokens of this kind are made and changed.
    pub(in crate::broker) fn tokens_page(&self, kind: PatKind) -> String {
        let page = match kind {
            PatKind::Classic => "settings/tokens",
            PatKind::FineGrained => "settings/personal-access-tokens",
        };
        let web_url = self.github().web_url().as_str();
        format!("{}/{page}", web_url.trim_end_matches('/'))
    }
}
