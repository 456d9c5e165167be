//! A flow of the product as it is told: services of the platform before the broker's door, GitHub with its webhooks and pages, and
//! an operator who reads the audit in the end.

use std::{cell::RefCell, ops::Deref};

use ghbroker::{
    config::Config,
    proto::{ConnectionStatus, GetConnectionRequest, GetConnectionResponse},
};
use github_sim::seed;
use reqwest::Url;
use serde_json::Value;
use tracing::subscriber::DefaultGuard;

use super::{
    ACCOUNT, APP_ID, WEBHOOK_SECRET, World, caller::Caller, door::Door, lines::Lines,
    person::back_from,
};

/// The page of the portal on which the customer's settings for GitHub are.
pub const PORTAL: &str = "https://portal.example/settings/github";
/// What browsers call the broker; an ingress leads from there to its HTTP port.
const BROKER: &str = "https://ghbroker.example";
const CALLBACK: &str = "https://ghbroker.example/github/callback";

pub struct Story {
    world: World,
    /// What connects accounts, and shows how they are.
    pub portal: Caller,
    log: Lines,
    _watching: DefaultGuard,
    /// What must be neither in the log nor in the audit.
    secrets: RefCell<Vec<String>>,
}

impl Deref for Story {
    type Target = World;

    fn deref(&self) -> &World {
        &self.world
    }
}

impl Story {
    /// Begins with what is on GitHub, and what the operator's policy says beside the rule of the portal.
    pub async fn begin(mut seed: seed::Seed, rules: &str) -> Self {
        seed.apps[0].callback_urls = vec![CALLBACK.into()];
        let (log, _watching) = Lines::watch();
        let portal = "[[rule]]\nname = \"portal\"\ncallers = [\"spiffe://example.org/portal\"]\nrole = \"admin\"\n\
                      accounts = [\"*\"]\n";
        let door = Door::new("mtls", &format!("{portal}{rules}"));
        let change = |config: &mut Config| {
            config.connecting.callback_url = Some(CALLBACK.parse().unwrap());
            config.connecting.return_urls = vec![PORTAL.parse().unwrap()];
        };
        let world = World::guarded_and_configured(seed, door, change).await;
        let webhooks = format!("{}/webhooks/github", world.http);
        world.sim.set_webhook(APP_ID, &webhooks, WEBHOOK_SECRET);
        let portal = world.workload("portal").await;
        Self { world, portal, log, _watching, secrets: RefCell::default() }
    }

    /// Takes note of a secret, which the operator must find nowhere.
    pub fn secret(&self, secret: &str) {
        self.secrets.borrow_mut().push(secret.to_owned());
    }

    /// GitHub has sent the browser back to the broker: which page of the portal it ends up on, and with what.
    pub async fn comes_back(&self, to: &Url) -> Vec<String> {
        assert!(to.as_str().starts_with(&format!("{CALLBACK}?")), "{to}");
        let (page, brought) = back_from(&to.as_str().replacen(BROKER, &self.http, 1)).await;
        assert!(page.as_str().starts_with(&format!("{PORTAL}?")), "{page}");
        brought.iter().map(|(name, value)| format!("{name}={value}")).collect()
    }

    /// What the portal shows of the account's connection.
    pub async fn connection(&self) -> GetConnectionResponse {
        self.portal.get_connection(GetConnectionRequest { account: ACCOUNT.into() }).await.unwrap()
    }

    /// What the portal shows once the broker has followed all that GitHub has told by webhook.
    pub async fn connection_after_webhooks(&self) -> GetConnectionResponse {
        self.sim.settled().await;
        let deliveries = self.sim.deliveries();
        let refused = deliveries.iter().find(|delivery| delivery.status != Some(202));
        assert!(refused.is_none(), "the broker did not take {refused:?}");
        let followed = async || {
            let page = reqwest::get(format!("{}/metrics", self.http)).await.unwrap();
            let page = page.text().await.unwrap();
            let accepted = sum(&page, "ghbroker_webhook_deliveries_total{", "accepted");
            let done = sum(&page, "ghbroker_webhook_events_total{", "done");
            (accepted == done).then_some(())
        };
        self.until(followed).await;
        self.connection().await
    }

    /// The same, of the installation's state.
    pub async fn installation_after_webhooks(&self) -> ConnectionStatus {
        self.connection_after_webhooks().await.installation.unwrap().status()
    }

    /// The audit as an operator reads it: who called what, with which credential, and why not; what only looks at the
    /// connection is left out, and what is repeated is told once.
    pub fn audit_as_read(&self) -> Vec<String> {
        let text = |line: &Value, field: &str| line[field].as_str().unwrap_or_default().to_owned();
        let mut told = Vec::new();
        for line in self.audit() {
            if line["phase"] != "end" || line["rpc"] == "GetConnection" {
                continue;
            }
            let caller = text(&line, "caller").replacen("spiffe://example.org/", "", 1);
            let parts = [caller, text(&line, "rpc"), text(&line, "source"), text(&line, "reason")];
            let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
            told.push(parts.join(" "));
        }
        told.dedup();
        told
    }

    /// The operator looks for secrets in the log, in the audit and in the database, and the broker stops in order.
    pub async fn end(self) {
        let audit = self.audit().iter().map(Value::to_string).collect::<Vec<_>>().join("\n");
        let stored = self.stored().await.join("\n");
        let log = self.log.text();
        assert!(log.contains("\"message\":\"ready\""), "the log was not watched: {log}");
        for (place, text) in [("log", &log), ("audit", &audit), ("database", &stored)] {
            for secret in self.secrets.borrow().iter() {
                assert!(!text.contains(secret), "a secret is in the {place}");
            }
            for form in ["ghp_", "github_pat_", "ghs_", "ghu_", "ghr_", "PRIVATE KEY"] {
                assert!(!text.contains(form), "{form} is in the {place}");
            }
        }
        self.world.finish().await;
    }
}

/// Over all counters of this name on a page of metrics that have this outcome.
fn sum(page: &str, name: &str, outcome: &str) -> u64 {
    let outcome = format!("outcome=\"{outcome}\"");
    let lines = page.lines().filter(|line| line.starts_with(name) && line.contains(&outcome));
    lines.map(|line| line.rsplit_once(' ').unwrap().1.parse::<u64>().unwrap()).sum()
}
