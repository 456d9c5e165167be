//! Each App has an address of its own for its webhooks, and a secret of its own.

use ghbroker::proto::{ConnectionStatus, Installation};
use reqwest::StatusCode;

use super::{AT_DEFAULT, AT_GHES, AT_SECOND, GHES, SECOND, SECOND_INSTALLATION, Sites};
use crate::{
    harness::{INSTALLATION, WEBHOOK_SECRET},
    webhooks::Delivery,
};

impl Sites {
    async fn installation(&self, account: &str) -> Installation {
        self.connection(account).await.unwrap().installation.unwrap()
    }

    async fn until_revoked(&self, account: &str) {
        let revoked = async || {
            let status = self.installation(account).await.status();
            (status == ConnectionStatus::Revoked).then_some(())
        };
        self.world.until(revoked).await;
    }
}

fn signed(secret: &str, mut delivery: Delivery) -> Delivery {
    delivery.secret = secret.into();
    delivery
}

#[tokio::test]
async fn a_webhook_is_of_the_app_whose_secret_signs_it() {
    let sites = Sites::connected().await;
    let gone = || Delivery::installation("deleted");
    for (path, secret) in [
        ("/webhooks/github", "secret of ghes"),
        ("/webhooks/github", "secret of second"),
        ("/webhooks/github/ghes", WEBHOOK_SECRET),
        ("/webhooks/github/ghes", "secret of second"),
        ("/webhooks/github/second", WEBHOOK_SECRET),
    ] {
        let forged = signed(secret, gone()).send_to(&sites.world.http, path).await;
        assert_eq!(forged, StatusCode::UNAUTHORIZED, "{path} {secret}");
    }
    for path in ["/webhooks/github/other", "/webhooks/github/default/x", "/webhooks/github/GHES"] {
        let unknown = signed(WEBHOOK_SECRET, gone()).send_to(&sites.world.http, path).await;
        assert_eq!(unknown, StatusCode::NOT_FOUND, "{path}");
    }
    for account in [AT_DEFAULT, AT_GHES, AT_SECOND] {
        assert_eq!(sites.installation(account).await.status(), ConnectionStatus::Active);
    }
    sites.finish().await;
}

#[tokio::test]
async fn the_same_ids_are_followed_at_their_own_site_only() {
    let sites = Sites::connected().await;
    let path = |site: &str| format!("/webhooks/github/{site}");
    let told = signed("secret of ghes", Delivery::installation("deleted"));
    assert_eq!(told.send_to(&sites.world.http, &path(GHES)).await, StatusCode::ACCEPTED);
    sites.until_revoked(AT_GHES).await;
    assert_eq!(sites.installation(AT_DEFAULT).await.status(), ConnectionStatus::Active);
    assert_eq!(sites.installation(AT_DEFAULT).await.installation_id, INSTALLATION);

    // One event of which GitHub tells two Apps has one id.
    let mut to_second = signed("secret of second", Delivery::uninstalled(SECOND_INSTALLATION));
    let to_default = Delivery::uninstalled(INSTALLATION);
    to_second.id = to_default.id.clone();
    assert_eq!(to_second.send_to(&sites.world.http, &path(SECOND)).await, StatusCode::ACCEPTED);
    sites.until_revoked(AT_SECOND).await;
    assert_eq!(sites.installation(AT_DEFAULT).await.status(), ConnectionStatus::Active);
    let first = to_default.send_to(&sites.world.http, "/webhooks/github").await;
    assert_eq!(first, StatusCode::ACCEPTED, "each App is told");
    sites.until_revoked(AT_DEFAULT).await;
    for (delivery, path) in
        [(&to_default, "/webhooks/github"), (&to_second, "/webhooks/github/second")]
    {
        assert_eq!(delivery.send_to(&sites.world.http, path).await, StatusCode::CONFLICT, "once");
    }
    sites.finish().await;
}

#[tokio::test]
async fn an_installation_of_another_app_is_nobodys_here() {
    let sites = Sites::connected().await;
    // The default App says that the second one's installation is gone.
    let told = Delivery::uninstalled(SECOND_INSTALLATION);
    assert_eq!(told.send_to(&sites.world.http, "/webhooks/github").await, StatusCode::ACCEPTED);
    let marker = Delivery::uninstalled(INSTALLATION);
    assert_eq!(marker.send_to(&sites.world.http, "/webhooks/github").await, StatusCode::ACCEPTED);
    sites.until_revoked(AT_DEFAULT).await;
    let counter = "ghbroker_webhook_events_total{event=\"installation\",outcome=\"done\"}";
    let both =
        async || (crate::webhooks::counted(&sites.world.http, counter).await == 2).then_some(());
    sites.world.until(both).await;
    assert_eq!(sites.installation(AT_SECOND).await.status(), ConnectionStatus::Active);
    sites.finish().await;
}
