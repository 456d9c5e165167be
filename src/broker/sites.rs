//! The sites that one process serves, and which of them is an account's.

use std::{iter, sync::Arc};

use super::{Broker, Call, Parts, error::Error};
use crate::{domain::SiteName, github::GitHub, store::Store};

/// One App on one host, and what is kept of it.
pub struct Site {
    /// Its name in the configuration.
    pub name: SiteName,
    /// The host, asked as this App.
    pub github: GitHub,
    /// What is stored of this App on this host.
    pub store: Store,
}

/// The brokers of all sites. Cheap to clone.
#[derive(Clone)]
pub struct Sites {
    inner: Arc<Inner>,
}

struct Inner {
    default: Broker,
    more: Vec<Broker>,
}

impl Sites {
    /// A broker for each site. Accounts that are connected nowhere are served by `default`.
    pub fn new(parts: Parts, default: Site, more: Vec<Site>) -> Self {
        let parts = Arc::new(parts);
        let broker = |site| Broker::new(parts.clone(), site);
        let inner =
            Inner { default: broker(default), more: more.into_iter().map(broker).collect() };
        Self { inner: Arc::new(inner) }
    }

    /// The one that serves whoever is connected nowhere. What is of no site can be asked of it, too.
    pub fn default_site(&self) -> &Broker {
        &self.inner.default
    }

    /// All of them, the default one first.
    pub fn all(&self) -> impl Iterator<Item = &Broker> {
        iter::once(&self.inner.default).chain(&self.inner.more)
    }

    /// The one of this name.
    pub fn named(&self, name: &SiteName) -> Option<&Broker> {
        self.all().find(|site| site.name() == name)
    }

    /// The site of a call's account.
    pub async fn of(&self, _call: &Call) -> Result<&Broker, Error> {
        Ok(self.default_site())
    }
}
