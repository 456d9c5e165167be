//! Connecting by App installation, as a portal and its customer's browser do it.

use ghbroker::proto::BeginInstallationRequest;
use reqwest::{Client, redirect::Policy};
use url::Url;

use crate::{
    Result,
    calls::{Account, Calls},
};

/// The page of the portal that the broker may send browsers on to. Nobody opens it here.
pub const RETURN_URL: &str = "https://portal.example/github";

impl Calls {
    /// The portal asks where to send the browser, and the browser goes there and back.
    pub async fn install(&mut self, account: &Account) -> Result<()> {
        let request = BeginInstallationRequest {
            account: account.name.to_owned(),
            expected_github_login: account.name.to_owned(),
            ..BeginInstallationRequest::default()
        };
        let begun = self.admin.begin_installation(request).await?.into_inner();
        let page = begun.install_url.split(&begun.state).next().unwrap_or_default();
        let call = format!("BeginInstallation account={0} expected_github_login={0}", account.name);
        let holds = begun.state.len() == 32 && begun.install_url.ends_with(&begun.state);
        self.step(&call, format!("{page}..."), holds)?;

        let callback = leads_to(&begun.install_url).await?;
        let landed = leads_to(callback.as_str()).await?;
        let call = "a browser: GitHub's install page, then the broker's /github/callback";
        self.step(call, &landed, landed.as_str().contains("outcome=connected"))
    }
}

/// Where a page sends the browser.
async fn leads_to(page: &str) -> Result<Url> {
    let client = Client::builder().redirect(Policy::none()).build()?;
    let answer = client.get(page).header("user-agent", "the demo's browser").send().await?;
    let location = answer.headers().get("location").ok_or("the page sends nobody on")?;
    Ok(location.to_str()?.parse()?)
}
