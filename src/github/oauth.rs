//! Who installed the App: the user that came back with an OAuth code, and the installations that this user can see.

use serde::Deserialize;
use url::form_urlencoded;

use super::{
    GitHub, below,
    call::Call,
    clean::clean,
    error::{Error, Kind, Result},
};
use crate::domain::{InstallationId, Token};

/// Errors come with status 200, too.
#[derive(Deserialize)]
struct TokenJson {
    access_token: Option<String>,
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
    /// Turns the single-use code of a redirect into the user's token. `Unauthorized`: GitHub does not take the code.
    pub async fn exchange_code(&self, code: &str) -> Result<Token> {
        let client = self.inner.settings.oauth.as_ref().ok_or_else(|| {
            Error::new(
                Kind::AppNotConfigured,
                "no OAuth client is configured; set the App's client id and client secret",
            )
        })?;
        let form = form_urlencoded::Serializer::new(String::new())
            .append_pair("client_id", &client.client_id)
            .append_pair("client_secret", client.client_secret.expose())
            .append_pair("code", code)
            .finish();
        let url = below(&self.inner.settings.web_url, ["login", "oauth", "access_token"]);
        let call = Call::post("/login/oauth/access_token", url).form(form);
        let json: TokenJson = self.send(&call, None).await?.read()?;
        match json.access_token {
            Some(token) if json.error.is_none() && !token.is_empty() => Ok(Token::new(token)),
            _ => Err(refusal(&json, code)),
        }
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

fn refusal(json: &TokenJson, code: &str) -> Error {
    let error = json.error.as_deref().unwrap_or_default();
    let kind = match error {
        "bad_verification_code" => Kind::Unauthorized,
        "incorrect_client_credentials" | "redirect_uri_mismatch" => Kind::ClientRefused,
        "" => Kind::Malformed,
        _ => Kind::Invalid,
    };
    let description = json.error_description.as_deref().unwrap_or(error);
    Error::new(kind, clean(description, code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sorts_refusals_and_does_not_repeat_the_code() {
        let refused = |json: &str| refusal(&serde_json::from_str(json).unwrap(), "abcdef0123");
        let error = refused(
            r#"{"error":"bad_verification_code","error_description":"The code abcdef0123 is bad."}"#,
        );
        assert_eq!(error.kind, Kind::Unauthorized);
        assert_eq!(error.message, "The code [redacted] is bad.");
        let error = refused(r#"{"error":"incorrect_client_credentials"}"#);
        assert_eq!(error.kind, Kind::ClientRefused);
        assert_eq!(refused("{}").kind, Kind::Malformed);
    }
}
