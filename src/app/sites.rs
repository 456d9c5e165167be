//! The sites of the configuration become those of the broker.

use std::{collections::HashMap, sync::Arc};

use tokio::task::JoinSet;

use super::{Error, reload};
use crate::{
    auth::WebhookSecrets,
    broker::{Parts, Site, Sites},
    config,
    domain::{Clock, SiteName},
    github::GitHub,
    store::Store,
};

/// What the webhooks of each site are signed with.
pub(super) type Webhooks = HashMap<SiteName, WebhookSecrets>;

/// Builds the broker of each site over one database.
pub(super) async fn open(
    parts: Parts,
    default: config::Site,
    more: Vec<config::Site>,
    store: &Store,
    followed: &mut JoinSet<()>,
) -> Result<(Sites, Webhooks), Error> {
    let (clock, mut webhooks) = (parts.clock.clone(), Webhooks::new());
    let mut unnamed: Vec<String> = unnamed_apps(std::iter::once(&default).chain(&more));
    let mut key_files = Vec::new();
    let mut build = |site: config::Site| {
        let keys = site.github.app.as_ref().and_then(|app| app.key_file.clone());
        let site = build(site, store, &clock, &mut unnamed, &mut webhooks)?;
        key_files.extend(keys.map(|path| (site.name.clone(), path, site.github.clone())));
        Ok::<Site, Error>(site)
    };
    let default = build(default)?;
    let more: Result<Vec<Site>, Error> = more.into_iter().map(build).collect();
    let sites = Sites::open(parts, default, more?).await?;
    for (name, path, github) in key_files {
        reload::app_keys(&name, path, github, &clock, followed).await?;
    }
    Ok((sites, webhooks))
}

/// Hosts of which what is stored without an App's name is the first App's: all but those with a site that has no App.
fn unnamed_apps<'a>(sites: impl Iterator<Item = &'a config::Site> + Clone) -> Vec<String> {
    let without_app =
        |host: &str| sites.clone().any(|site| site.host() == host && site.issuer().is_empty());
    sites
        .clone()
        .map(config::Site::host)
        .filter(|host| !without_app(host))
        .map(str::to_owned)
        .collect()
}

fn build(
    site: config::Site,
    store: &Store,
    clock: &Arc<dyn Clock>,
    unnamed: &mut Vec<String>,
    webhooks: &mut Webhooks,
) -> Result<Site, Error> {
    let mut former = site.former_issuers.clone();
    if unnamed.iter().any(|host| host == site.host()) {
        unnamed.retain(|host| host != site.host());
        former.push(String::new());
    }
    let store = store.at(site.host(), site.issuer(), former);
    if let Some(secrets) = site.webhooks {
        webhooks.insert(site.name.clone(), secrets);
    }
    Ok(Site { name: site.name, github: GitHub::new(site.github, clock.clone())?, store })
}
