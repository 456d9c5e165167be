//! What is called as the App: its installations.

use serde::Deserialize;
use url::Url;

use super::{
    GitHub, below,
    call::{Answer, Call, Credential},
    error::{Error, Kind, Result},
    jwt::{Signer, blames_the_clock},
    wire::{or_default, permissions},
};
use crate::domain::{InstallationId, Permissions};

/// An installation of the App.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Installation {
    /// Installation id.
    pub id: InstallationId,
    /// The App that it is of.
    pub app_id: i64,
    /// Who installed it.
    pub account: InstallationAccount,
    /// What was granted.
    pub permissions: Permissions,
    /// `all` or `selected`.
    pub repository_selection: String,
    /// True while it is suspended.
    pub suspended: bool,
    /// The page on which it is configured.
    pub html_url: String,
}

/// Who installed the App.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InstallationAccount {
    /// Id of the user, organization or enterprise.
    pub id: i64,
    /// Login; the slug of an enterprise.
    pub login: String,
    /// `User`, `Organization` or `Enterprise`.
    pub kind: String,
}

impl GitHub {
    /// An installation. `NotFound`: uninstalled, or another App's.
    pub async fn installation(&self, id: InstallationId) -> Result<Installation> {
        let url = self.route(["app", "installations", &id.to_string()]);
        let call = Call::get("/app/installations/{installation_id}", url).of_installation(id);
        let found: Installation =
            self.send_as_app(call).await?.read::<InstallationJson>()?.try_into()?;
        if found.id != id {
            return Err(Error::new(Kind::Malformed, "GitHub answered another installation"));
        }
        Ok(found)
    }

    /// The installation on an organization or a user. `NotFound`: there is none, or no such account.
    pub async fn installation_on(&self, login: &str) -> Result<Installation> {
        let of = |route, kind| Call::get(route, self.route([kind, login, "installation"]));
        let found = match self.send_as_app(of("/orgs/{org}/installation", "orgs")).await {
            Err(error) if error.kind == Kind::NotFound => {
                self.send_as_app(of("/users/{username}/installation", "users")).await
            }
            result => result,
        };
        found?.read::<InstallationJson>()?.try_into()
    }

    /// The page on which people install the App.
    pub async fn install_page(&self) -> Result<Url> {
        let call = Call::get("/app", self.route(["app"]));
        let app: AppJson = self.send_as_app(call).await?.read()?;
        let web = &self.inner.settings.web_url;
        // Only the host knows where its Apps have their pages; another host's page is none.
        let page = app.html_url.as_deref().and_then(|page| page.parse::<Url>().ok());
        let page = page.filter(|page| page.origin() == web.origin());
        let page = page.unwrap_or_else(|| below(web, ["apps", &app.slug]));
        Ok(below(&page, ["installations", "new"]))
    }

    /// Sends a call with the App's JWT; once more if GitHub refused that only because the clocks differ, or takes another
    /// key of the App now.
    pub(super) async fn send_as_app(&self, call: Call) -> Result<Answer> {
        let signer = self.inner.keys.as_ref().ok_or_else(no_app)?.signing();
        let refused = match self.send_signed(&call, &signer).await {
            Err(error) if error.kind == Kind::Unauthorized => error,
            result => return result,
        };
        match self.another_key(&signer).await {
            Some(signer) => self.send_signed(&call, &signer).await,
            None => Err(refused),
        }
    }

    /// Sends a call with a JWT of this key; once more if GitHub refused that only because the clocks differ.
    pub(super) async fn send_signed(&self, call: &Call, signer: &Signer) -> Result<Answer> {
        let clock = &self.inner.clock;
        let signed = signer.jwt(clock)?;
        let refused = match self.send(call, Credential::App(&signed.jwt)).await {
            Err(error) => error,
            answered => return answered,
        };
        if !signer.renew_after(&signed, &refused, clock) {
            return Err(refused);
        }
        let again = self.send(call, Credential::App(&signer.jwt(clock)?.jwt)).await;
        again.map_err(|refused| skewed(refused, clock.offset().whole_seconds()))
    }
}

/// The error of a JWT that was signed by GitHub's own time.
fn skewed(mut refused: Error, seconds: i64) -> Error {
    if refused.kind == Kind::Unauthorized && blames_the_clock(&refused.message) {
        refused.kind = Kind::ClockSkew { seconds };
    }
    refused
}

fn no_app() -> Error {
    Error::new(
        Kind::AppNotConfigured,
        "no GitHub App is configured; set its client id (or App id) and private key",
    )
}

#[derive(Deserialize)]
struct AppJson {
    slug: String,
    html_url: Option<String>,
}

#[derive(Deserialize)]
struct InstallationJson {
    id: i64,
    app_id: i64,
    account: Option<AccountJson>,
    target_type: Option<String>,
    #[serde(default, deserialize_with = "permissions")]
    permissions: Permissions,
    #[serde(default, deserialize_with = "or_default")]
    repository_selection: String,
    suspended_at: Option<String>,
    #[serde(default, deserialize_with = "or_default")]
    html_url: String,
}

#[derive(Deserialize)]
struct AccountJson {
    id: i64,
    login: Option<String>,
    /// What an enterprise has in the place of a login.
    slug: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
}

impl TryFrom<InstallationJson> for Installation {
    type Error = Error;

    fn try_from(json: InstallationJson) -> Result<Self> {
        let account = json.account.ok_or_else(|| {
            Error::new(Kind::Malformed, "GitHub does not say who the installation belongs to")
        })?;
        Ok(Self {
            id: InstallationId(json.id),
            app_id: json.app_id,
            account: InstallationAccount {
                id: account.id,
                login: account.login.or(account.slug).unwrap_or_default(),
                kind: account.kind.or(json.target_type).unwrap_or_default(),
            },
            permissions: json.permissions,
            repository_selection: json.repository_selection,
            suspended: json.suspended_at.is_some(),
            html_url: json.html_url,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_installations_of_users_and_enterprises() {
        let read = |account: &str| -> Result<Installation> {
            let json = format!(
                r#"{{"id":1,"app_id":2,"account":{account},"target_type":"Enterprise",
                    "permissions":{{"contents":"write","new":7}},"suspended_at":null,"x":[]}}"#
            );
            serde_json::from_str::<InstallationJson>(&json).unwrap().try_into()
        };
        let user = read(r#"{"id":3,"login":"ann","type":"User"}"#).unwrap();
        assert_eq!((user.account.login.as_str(), user.account.kind.as_str()), ("ann", "User"));
        assert_eq!(user.permissions.to_string(), "contents:write");
        assert!(!user.suspended);
        let enterprise = read(r#"{"id":3,"slug":"big"}"#).unwrap().account;
        assert_eq!((enterprise.login.as_str(), enterprise.kind.as_str()), ("big", "Enterprise"));
        assert_eq!(read("null").unwrap_err().kind, Kind::Malformed);
    }
}
