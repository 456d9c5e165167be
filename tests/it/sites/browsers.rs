//! Browsers come back to one address, whichever site sent them to GitHub: the `state` says which.

use std::collections::BTreeMap;

use ghbroker::proto::*;
use reqwest::{Client, StatusCode, redirect::Policy};
use tonic::Code;

use super::{AT_DEFAULT, AT_GHES, AT_SECOND, GHES, GHES_CLIENT, SECOND, SECOND_CLIENT, Sites};
use crate::harness::{CLIENT_ID, INSTALLATION, person::back_from, status::assert_reason};

impl Sites {
    /// The portal sends the browser of alice to GitHub, where she agrees; what comes back.
    async fn authorized(&self, account: &str, site: &str) -> BTreeMap<String, String> {
        let begun = self.begin(account, site).await.unwrap();
        back_from(&begun.authorize_url).await.1
    }

    async fn begin(&self, account: &str, site: &str) -> Result<BeginOAuthResponse, tonic::Status> {
        let request = BeginOAuthRequest {
            account: account.into(),
            login_hint: "alice".into(),
            site: site.into(),
            ..Default::default()
        };
        self.world.begin_o_auth(request).await
    }

    async fn complete(
        &self,
        account: &str,
        brought: &BTreeMap<String, String>,
    ) -> Result<OAuthUser, tonic::Status> {
        let (state, code) = (brought["state"].clone(), brought["code"].clone());
        let request = CompleteOAuthRequest { account: account.into(), state, code };
        Ok(self.world.complete_o_auth(request).await?.oauth_user.unwrap())
    }
}

#[tokio::test]
async fn a_user_authorizes_the_app_of_the_site_that_the_browser_was_sent_to() {
    let sites = Sites::start().await;
    let mut ids = Vec::new();
    for (account, site, client) in [
        (AT_DEFAULT, "", CLIENT_ID),
        (AT_GHES, GHES, GHES_CLIENT),
        (AT_SECOND, SECOND, SECOND_CLIENT),
    ] {
        let begun = sites.begin(account, site).await.unwrap();
        assert!(begun.authorize_url.contains(&format!("client_id={client}")), "{begun:?}");
        let brought = sites.authorized(account, site).await;
        let before = sites.asked();
        ids.push(sites.complete(account, &brought).await.unwrap().user_id);
        let asked = (sites.asked().0 - before.0, sites.asked().1 - before.1);
        assert_eq!(asked, if site == GHES { (0, 2) } else { (2, 0) }, "{account}");
        sites.bind(account).await;
        let token = sites.token(account).await.unwrap().token;
        assert_eq!(sites.ghes.accepts(&token), site == GHES);
    }
    assert!(ids.iter().all(|id| *id == ids[0]), "the same user at each: {ids:?}");

    // One of them takes the authorization back: those of the other Apps stay.
    sites.world.sim.revoke_authorization(crate::harness::APP_ID, "alice");
    for (account, sim) in [(AT_SECOND, &sites.world.sim), (AT_GHES, &sites.ghes)] {
        assert!(sim.accepts(&sites.token(account).await.unwrap().token), "{account}");
    }
    sites.finish().await;
}

#[tokio::test]
async fn what_was_begun_at_one_site_does_not_connect_an_account_of_another_one() {
    let sites = Sites::start().await;
    let brought = sites.authorized(AT_GHES, GHES).await;
    // Meanwhile the account is connected elsewhere.
    sites.register(AT_GHES, "default").await.unwrap();
    let before = sites.asked();
    let refused = sites.complete(AT_GHES, &brought).await.unwrap_err();
    assert_reason(&refused, Code::FailedPrecondition, "ACCOUNT_ELSEWHERE");
    let refused = sites.begin(AT_GHES, GHES).await.unwrap_err();
    assert_reason(&refused, Code::FailedPrecondition, "ACCOUNT_ELSEWHERE");
    let refused = sites.complete(AT_SECOND, &brought).await.unwrap_err();
    assert_reason(&refused, Code::FailedPrecondition, "STATE_UNKNOWN");
    assert_eq!(sites.asked(), before, "its code was shown to nobody");
    sites.finish().await;
}

#[tokio::test]
async fn the_brokers_own_callback_finishes_where_it_was_begun() {
    let sites = Sites::start().await;
    let request = BeginInstallationRequest {
        account: AT_GHES.into(),
        expected_github_login: "acme".into(),
        site: GHES.into(),
        ..Default::default()
    };
    let begun = sites.world.begin_installation(request).await.unwrap();
    assert!(begun.install_url.starts_with(sites.ghes.web_url()), "{begun:?}");
    let url = format!(
        "{}?installation_id={INSTALLATION}&setup_action=install&state={}",
        sites.world.callback(),
        begun.state
    );
    let browser = Client::builder().redirect(Policy::none()).build().unwrap();
    let before = sites.asked();
    let answer = browser.get(&url).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(sites.asked().0, before.0, "the same id means nothing at the other host");
    assert_eq!(sites.connection(AT_GHES).await.unwrap().site, GHES);
    sites.bind(AT_GHES).await;
    assert!(sites.ghes.accepts(&sites.token(AT_GHES).await.unwrap().token));
    let again = browser.get(&url).send().await.unwrap();
    assert_eq!(again.status(), StatusCode::BAD_REQUEST, "once");
    sites.finish().await;
}
