//! `[sites.NAME]`: further Apps and hosts, each with the keys of `[github]` and a `[sites.NAME.webhooks]`.

use std::collections::HashMap;

use super::{check::Checker, github::Given};
use crate::{auth::WebhookSecrets, domain::SiteName, github::Settings};

/// One App on one host.
#[derive(Debug)]
pub struct Site {
    /// Its name; `default` is that of `[github]`.
    pub name: SiteName,
    /// The host's addresses, the App and its key.
    pub github: Settings,
    /// Issuers that the App had before: accounts that were connected then are its.
    pub former_issuers: Vec<String>,
    /// What GitHub signs this App's webhooks with; none if none are taken.
    pub webhooks: Option<WebhookSecrets>,
}

impl Site {
    /// The host that ids at GitHub are of.
    pub fn host(&self) -> &str {
        self.github.web_url.host_str().unwrap_or_default()
    }

    /// The App's issuer; empty without an App.
    pub fn issuer(&self) -> &str {
        self.github.app.as_ref().map_or("", |app| &app.issuer)
    }
}

/// A further site in the summary.
pub(super) fn shown(site: &Site) -> String {
    let github = &site.github;
    let app = github.app.as_ref().map_or("no App", |app| &app.issuer);
    let oauth = if github.oauth.is_some() { ", oauth" } else { "" };
    let webhooks = if site.webhooks.is_some() { ", webhooks" } else { "" };
    format!(
        "site {}: {}, {}, {}; {app}{oauth}{webhooks}",
        site.name, github.api_url, github.graphql_url, github.web_url
    )
}

/// Section of further sites.
const SITES: &str = "sites";

impl Checker<'_> {
    /// The site of `[github]`.
    pub(super) fn default_site(&mut self) -> Option<Site> {
        let given = Given::by(self.flags);
        self.site(SiteName::default(), "github", "webhooks", given)
    }

    /// All further ones, by name.
    pub(super) fn further_sites(&mut self) -> Vec<Site> {
        let mut sites = Vec::new();
        let Some(names) = self.file.sections(SITES) else {
            self.wrong("sites must have a section for each site: [sites.NAME]");
            self.file.pass_over(SITES);
            return sites;
        };
        for name in names {
            let section = format!("{SITES}.{name}");
            let parsed: Option<SiteName> = self.take(&section, name.parse());
            let reserved = parsed.as_ref().is_some_and(|name| *name == SiteName::default());
            if reserved {
                self.wrong(format!("{section} cannot be named so: that is the site of [github]"));
            }
            match parsed.filter(|_| !reserved) {
                Some(name) => {
                    let webhooks = format!("{section}.webhooks");
                    sites.extend(self.site(name, &section, &webhooks, Given::default()));
                }
                // Its name is the mistake, and not its keys, too.
                None => self.file.pass_over(&section),
            }
        }
        sites
    }

    fn site(
        &mut self,
        name: SiteName,
        section: &str,
        webhooks: &str,
        given: Given,
    ) -> Option<Site> {
        let github = self.github(section, given);
        let former = self.file.texts(&format!("{section}.app.former_issuers"));
        let webhooks = self.webhooks(webhooks);
        Some(Site { name, github: github?, former_issuers: former.unwrap_or_default(), webhooks })
    }

    /// True if users can authorize the App of any site.
    pub(super) fn has_oauth(&self) -> bool {
        let further = self.file.sections(SITES).unwrap_or_default();
        let mut further = further.iter().map(|name| format!("{SITES}.{name}.oauth"));
        self.file.has("github.oauth") || further.any(|section| self.file.has(&section))
    }

    /// What is stored is of one App on one host: two sites that could not be told apart would serve each other's accounts.
    pub(super) fn told_apart<'a>(&mut self, sites: impl IntoIterator<Item = &'a Site>) {
        let mut seen: HashMap<(&str, &str), &SiteName> = HashMap::new();
        for site in sites {
            let issuers = site.former_issuers.iter().map(String::as_str);
            for issuer in std::iter::once(site.issuer()).chain(issuers) {
                if let Some(other) = seen.insert((site.host(), issuer), &site.name)
                    && *other != site.name
                {
                    let (name, host) = (&site.name, site.host());
                    self.wrong(format!(
                        "the sites {other} and {name} are the same: the App {issuer:?} on {host}"
                    ));
                }
            }
        }
    }
}
