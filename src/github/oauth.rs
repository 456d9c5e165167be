//! Users who authorize the App: the page for it, their tokens, and the installations that they can see.

use base64::{Engine, prelude::BASE64_STANDARD};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use url::{Url, form_urlencoded};
use zeroize::Zeroizing;

use super::{
    GitHub, OAuthClient, below,
    call::{Call, Credential},
    clean::clean,
    error::{Error, Kind, Result},
};
use crate::domain::{InstallationId, Token};

/// What a user is sent to GitHub's page with.
#[derive(Clone, Copy, Debug)]
pub struct Authorize<'a> {
    /// Comes back with the user.
    pub state: &'a Token,
    /// PKCE: base64url of the SHA-256 of the verifier.
    pub challenge: &'a str,
    /// Where the user comes back to.
    pub redirect_uri: &'a Url,
    /// Whom GitHub suggests to sign in as.
    pub login: Option<&'a str>,
}

/// What came back with the user, and what has to go with it.
#[derive(Clone, Copy, Debug)]
pub struct Code<'a> {
    /// The single-use code.
    pub code: &'a Token,
    /// The PKCE verifier, if the user was sent with a challenge.
    pub verifier: Option<&'a Token>,
    /// Where the user was to come back to, if that was said.
    pub redirect_uri: Option<&'a Url>,
}

/// A user's tokens.
#[derive(Clone, Debug)]
pub struct UserTokens {
    /// To work with.
    pub access: Token,
    /// To renew both with, once; none if they do not end.
    pub refresh: Option<Token>,
    /// End of the first, by GitHub's clock.
    pub expires_at: Option<OffsetDateTime>,
    /// End of the second, by GitHub's clock.
    pub refresh_expires_at: Option<OffsetDateTime>,
    /// Scopes, of an OAuth App's; empty for a GitHub App's.
    pub scopes: Vec<String>,
}

/// Errors come with status 200, too.
#[derive(Deserialize)]
struct TokenJson {
    access_token: Option<String>,
    expires_in: Option<i64>,
    refresh_token: Option<String>,
    refresh_token_expires_in: Option<i64>,
    scope: Option<String>,
    error: Option<String>,
    error_description: Option<String>,
}

#[derive(Deserialize)]
struct InstallationsJson {
    installations: Vec<InstallationJson>,
}

#[derive(Deserialize)]
struct InstallationJson {
    id: i64,
}

impl GitHub {
    /// The page on which a user authorizes the App. `AppNotConfigured`: there is no OAuth client.
    pub fn authorize_url(&self, authorize: Authorize<'_>) -> Result<Url> {
        let client = self.oauth_client()?;
        let mut url = below(&self.inner.settings.web_url, ["login", "oauth", "authorize"]);
        let mut query = url.query_pairs_mut();
        query
            .append_pair("client_id", &client.client_id)
            .append_pair("redirect_uri", authorize.redirect_uri.as_str())
            .append_pair("state", authorize.state.expose())
            .append_pair("code_challenge", authorize.challenge)
            .append_pair("code_challenge_method", "S256");
        if !client.scopes.is_empty() {
            query.append_pair("scope", &client.scopes.join(" "));
        }
        if let Some(login) = authorize.login {
            query.append_pair("login", login);
        }
        drop(query);
        Ok(url)
    }

    /// Turns the single-use code of a redirect into the user's tokens. `Unauthorized`: GitHub does not take the code.
    pub async fn exchange_code(&self, code: Code<'_>) -> Result<UserTokens> {
        let mut form = vec![("code", code.code.expose())];
        form.extend(code.verifier.map(|verifier| ("code_verifier", verifier.expose())));
        form.extend(code.redirect_uri.map(|uri| ("redirect_uri", uri.as_str())));
        self.user_tokens(&form, code.code).await
    }

    /// Turns a refresh token into a new pair: the old pair is worth nothing from then on. Never sent twice.
    /// `Unauthorized`: GitHub does not take it, or not any more.
    pub async fn renew_user_tokens(&self, refresh: &Token) -> Result<UserTokens> {
        let form = [("grant_type", "refresh_token"), ("refresh_token", refresh.expose())];
        self.user_tokens(&form, refresh).await
    }

    async fn user_tokens(&self, fields: &[(&str, &str)], secret: &Token) -> Result<UserTokens> {
        let client = self.oauth_client()?;
        let form = form_urlencoded::Serializer::new(String::new())
            .append_pair("client_id", &client.client_id)
            .append_pair("client_secret", client.client_secret.expose())
            .extend_pairs(fields)
            .finish();
        let url = below(&self.inner.settings.web_url, ["login", "oauth", "access_token"]);
        let call = Call::post("/login/oauth/access_token", url).form(form);
        let json: TokenJson = self.send(&call, Credential::Nothing).await?.read()?;
        let now = self.inner.clock.now();
        let end = |seconds: Option<i64>| {
            seconds.and_then(|seconds| now.checked_add(time::Duration::seconds(seconds)))
        };
        match json.access_token {
            Some(access) if json.error.is_none() && !access.is_empty() => Ok(UserTokens {
                access: Token::new(access),
                expires_at: end(json.expires_in),
                refresh_expires_at: end(json.refresh_token_expires_in),
                refresh: json.refresh_token.filter(|token| !token.is_empty()).map(Token::new),
                scopes: json.scope.as_deref().map(scopes).unwrap_or_default(),
            }),
            _ => Err(refusal(json.error.as_deref(), json.error_description.as_deref(), secret)),
        }
    }

    /// Ends a user's token at GitHub. One that GitHub no longer knows is ended already.
    pub async fn delete_user_token(&self, access: &Token) -> Result<()> {
        let client = self.oauth_client()?;
        let url = self.route(["applications", &client.client_id, "token"]);
        let call = Call::delete("/applications/{client_id}/token", url)
            .json(&AccessTokenJson { access_token: access.expose() }, 0)?;
        let basic =
            Zeroizing::new(format!("{}:{}", client.client_id, client.client_secret.expose()));
        let basic = Token::new(BASE64_STANDARD.encode(&basic));
        match self.send(&call, Credential::Basic(&basic)).await {
            Err(error) if !matches!(error.kind, Kind::NotFound | Kind::Invalid) => Err(error),
            _ => Ok(()),
        }
    }

    /// Ends tokens at GitHub by showing them: those that [`Self::delete_user_token`] leaves, such as refresh tokens.
    pub async fn revoke_credentials(&self, tokens: &[&Token]) -> Result<()> {
        let credentials = tokens.iter().map(|token| token.expose()).collect();
        let call = Call::post("/credentials/revoke", self.route(["credentials", "revoke"]))
            .repeatable()
            .json(&CredentialsJson { credentials }, 0)?;
        self.send(&call, Credential::Nothing).await.map(drop)
    }

    /// The page on which a user sees what the OAuth App may do, and asks organizations to let it in.
    pub fn oauth_app_page(&self) -> Result<Url> {
        let client = self.oauth_client()?;
        let path = ["settings", "connections", "applications", &client.client_id];
        Ok(below(&self.inner.settings.web_url, path))
    }

    fn oauth_client(&self) -> Result<&OAuthClient> {
        self.inner.settings.oauth.as_ref().ok_or_else(|| {
            Error::new(
                Kind::AppNotConfigured,
                "no OAuth client is configured; set the App's client id and client secret",
            )
        })
    }

    /// The installations of this App that a user can see.
    pub async fn user_installations(&self, user: &Token) -> Result<Vec<InstallationId>> {
        let call = Call::get("/user/installations", self.route(["user", "installations"]));
        let mut ids = Vec::new();
        self.pages(call, user, |page: InstallationsJson| {
            ids.extend(page.installations.iter().map(|one| InstallationId(one.id)));
        })
        .await?;
        Ok(ids)
    }
}

#[derive(Serialize)]
struct AccessTokenJson<'a> {
    access_token: &'a str,
}

#[derive(Serialize)]
struct CredentialsJson<'a> {
    credentials: Vec<&'a str>,
}

/// GitHub writes commas between them, the standard blanks.
fn scopes(text: &str) -> Vec<String> {
    let parts = text.split([',', ' ']).filter(|scope| !scope.is_empty());
    parts.map(str::to_owned).collect()
}

fn refusal(error: Option<&str>, description: Option<&str>, secret: &Token) -> Error {
    let error = error.unwrap_or_default();
    let kind = match error {
        "bad_verification_code" | "bad_refresh_token" => Kind::Unauthorized,
        "incorrect_client_credentials" | "redirect_uri_mismatch" => Kind::ClientRefused,
        "" => Kind::Malformed,
        _ => Kind::Invalid,
    };
    Error::new(kind, clean(description.unwrap_or(error), secret.expose()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sorts_refusals_and_does_not_repeat_the_code() {
        let code = Token::new("abcdef0123".to_owned());
        let refused = |error, description| refusal(error, description, &code);
        let bad = refused(Some("bad_verification_code"), Some("The code abcdef0123 is bad."));
        assert_eq!(bad.kind, Kind::Unauthorized);
        assert_eq!(bad.message, "The code [redacted] is bad.");
        assert_eq!(refused(Some("bad_refresh_token"), None).kind, Kind::Unauthorized);
        assert_eq!(refused(Some("incorrect_client_credentials"), None).kind, Kind::ClientRefused);
        assert_eq!(refused(None, None).kind, Kind::Malformed);
    }

    #[test]
    fn reads_scopes_as_github_and_as_the_standard_writes_them() {
        for text in ["repo,workflow", "repo workflow", "repo, workflow"] {
            assert_eq!(scopes(text), ["repo", "workflow"], "{text}");
        }
        assert!(scopes("").is_empty());
    }
}
