//! A portal whose customers "Connect GitHub", and that takes GitHub's redirect itself.

use ghbroker::{config::Config, proto::*};

use super::{World, person::back_from};

/// The portal's page for GitHub's redirect.
pub const CALLBACK: &str = "https://portal.example/github/callback";

impl World {
    /// A world with such a portal, in which nothing is connected yet.
    pub async fn with_portal(change: impl Fn(&mut Config) + Send + Sync + 'static) -> Self {
        Self::configured(move |config| {
            config.connecting.callback_url = Some(CALLBACK.parse().unwrap());
            change(config);
        })
        .await
    }

    /// The portal sends the browser to GitHub, where `login` agrees; what comes back.
    pub async fn authorized(&self, account: &str, login: &str) -> CompleteOAuthRequest {
        let request = BeginOAuthRequest {
            account: account.into(),
            login_hint: login.into(),
            ..Default::default()
        };
        let begun = self.begin_o_auth(request).await.unwrap();
        let (to, mut brought) = back_from(&begun.authorize_url).await;
        assert!(to.as_str().starts_with(CALLBACK), "{to}");
        assert_eq!(brought["state"], begun.state);
        let code = brought.remove("code").unwrap();
        CompleteOAuthRequest { account: account.into(), state: begun.state, code }
    }

    /// The same to its end.
    pub async fn connect_github(&self, account: &str, login: &str) -> OAuthUser {
        let request = self.authorized(account, login).await;
        self.complete_o_auth(request).await.unwrap().oauth_user.unwrap()
    }
}
