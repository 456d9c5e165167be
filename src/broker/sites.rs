//! The sites that one process serves, and which of them is an account's.

use std::{iter, sync::Arc};

use tracing::warn;

use super::{
    Broker, Call, Disconnected, Parts,
    error::{Error, Reason},
};
use crate::{
    domain::{SiteName, Token},
    github::GitHub,
    store::{self, Home, Store},
};

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
    /// False if every account is at the default site: then nobody looks.
    several: bool,
}

impl Sites {
    /// A broker for each site. Accounts that are connected nowhere are served by `default`. Reads where accounts are connected,
    /// and logs where no site is any more.
    pub async fn open(parts: Parts, default: Site, more: Vec<Site>) -> Result<Self, store::Error> {
        let homes = default.store.homes().await?;
        let served =
            |home: &Home| iter::once(&default).chain(&more).any(|site| site.store.is_at(home));
        let mut several = !more.is_empty();
        for (Home { host, app }, accounts) in homes.into_iter().filter(|(home, _)| !served(home)) {
            several = true;
            warn!(
                host,
                app,
                accounts,
                "accounts are connected at a site that is not configured, and not served: configure it, or name the App's \
                 former issuer in former_issuers"
            );
        }
        let parts = Arc::new(parts);
        let broker = |site| Broker::new(parts.clone(), site);
        let (default, more) = (broker(default), more.into_iter().map(broker).collect());
        Ok(Self { inner: Arc::new(Inner { default, more, several }) })
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
    ///
    /// # Errors
    /// [`Reason::SiteNotConfigured`]: no other site serves an account.
    pub async fn of(&self, call: &Call) -> Result<&Broker, Error> {
        let home = match self.known_home(call) {
            Some(home) => Some(home),
            None => self.home(call).await?,
        };
        Ok(self.noted(call, home.unwrap_or_else(|| self.default_site())))
    }

    /// The site at which a call connects its account: the one that is `asked` for, or where its `state` was begun, or the
    /// account's own.
    ///
    /// # Errors
    /// [`Reason::InvalidField`] for a name that no site has, [`Reason::AccountElsewhere`] if the account is at another one, and
    /// [`Reason::SiteNotConfigured`].
    pub async fn to_connect(
        &self,
        call: &Call,
        asked: Option<&SiteName>,
        state: Option<&Token>,
    ) -> Result<&Broker, Error> {
        let asked = asked.map(|name| self.named(name).ok_or_else(|| self.unknown())).transpose()?;
        let home = self.home(call).await?;
        let begun_at = match state {
            Some(state) if asked.is_none() => self.begun_at(state).await?,
            _ => None,
        };
        let site = asked.or(begun_at).or(home).unwrap_or_else(|| self.default_site());
        match home {
            Some(home) if home.name() != site.name() => Err(elsewhere(home.name())),
            _ => Ok(self.noted(call, site)),
        }
    }

    /// Disconnects a call's account at its site, or at whichever if that is gone: what is stored is deleted all the same, and no
    /// other site is told a secret of it. Tokens that others of these sites have in memory end, too: the account may have been
    /// there until another replica moved it.
    pub async fn disconnect(&self, call: &Call) -> Result<Disconnected, Error> {
        let site = match self.home(call).await {
            Err(gone) if gone.reason == Reason::SiteNotConfigured => self.default_site(),
            home => home?.unwrap_or_else(|| self.default_site()),
        };
        let mut done = self.noted(call, site).disconnect(call).await?;
        for other in self.all().filter(|other| other.name() != site.name()) {
            done.tokens_revoked += other.revoke_cached(call.account()).await;
        }
        Ok(done)
    }

    /// The site at which a `state` was begun; none if none of these knows it.
    pub(super) async fn begun_at(&self, state: &Token) -> Result<Option<&Broker>, Error> {
        if !self.inner.several {
            return Ok(Some(self.default_site()));
        }
        let home = self.default_site().store().begun_at(&state.hashed()).await?;
        Ok(home.and_then(|home| self.at(Some(&home))))
    }

    /// The site of a home; none if it is not configured. The default one for no home.
    pub(super) fn at(&self, home: Option<&Home>) -> Option<&Broker> {
        match home {
            Some(home) => self.all().find(|site| site.store().is_at(home)),
            None => Some(self.default_site()),
        }
    }

    /// Where a call's account is connected, if it is in memory: as the database has it, but for what others have changed within
    /// seconds.
    fn known_home(&self, call: &Call) -> Option<&Broker> {
        if !self.inner.several {
            return None;
        }
        let now = self.default_site().now();
        self.all().find(|site| site.store().is_known_home(call.account(), now))
    }

    /// Where a call's account is connected, as the database has it; none if nowhere.
    async fn home(&self, call: &Call) -> Result<Option<&Broker>, Error> {
        if !self.inner.several {
            return Ok(None);
        }
        let home = Box::pin(self.default_site().store().home(call.account())).await?;
        let Some(home) = home else { return Ok(None) };
        self.at(Some(&home)).map(Some).ok_or_else(|| not_configured(&home))
    }

    /// With several sites the ids in the audit mean nothing without the site.
    fn noted<'a>(&self, call: &Call, site: &'a Broker) -> &'a Broker {
        if self.inner.several {
            call.trail.note(|record| record.site = Some(site.name().to_string()));
        }
        site
    }

    fn unknown(&self) -> Error {
        let names: Vec<&str> = self.all().map(|site| site.name().as_str()).collect();
        Error::invalid("site", format!("must be one of this broker's sites: {}", names.join(", ")))
    }
}

fn elsewhere(home: &SiteName) -> Error {
    Error::new(
        Reason::AccountElsewhere,
        format!("this account is connected at the site {home}; call Disconnect first to connect it at another one"),
    )
    .with("site", home)
}

fn not_configured(Home { host, app }: &Home) -> Error {
    Error::new(
        Reason::SiteNotConfigured,
        format!(
            "this account is connected at {host} by the App {app:?}, which this broker is not configured for any more; its \
             operator has to add it again, or call Disconnect to connect the account anew"
        ),
    )
}
