//! What failures leave to those who call.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use time::{OffsetDateTime, macros::datetime};
use tokio::time::{Instant, advance, sleep};

use super::*;
use crate::{
    audit::Cache,
    domain::{AccountId, Clock, InstallationId, Level, Permission, Permissions, RepoId, Token},
    github::{self, Kind, MintedToken},
};

const BEGIN: OffsetDateTime = datetime!(2026-11-20 12:00 UTC);
const READ: Permissions = Permissions::NONE.with(Permission::METADATA, Level::Read);
const MINUTE: Duration = Duration::from_secs(60);
const MIN_TTL: Duration = Duration::from_secs(5 * 60);

/// A GitHub that mints for whoever waits, and a clock.
#[derive(Clone)]
struct Hub {
    began: Instant,
    /// Seconds by which the clock was set back.
    back: Arc<AtomicI64>,
    minted: Arc<AtomicUsize>,
    trouble: Trouble,
}

/// What becomes of mints.
#[derive(Clone, Copy)]
enum Trouble {
    None,
    /// Renewals are put off after a while.
    GiveWay,
    /// Renewals get tokens that have ended.
    Lies,
    /// The first one is refused.
    Gone,
}

impl Clock for Hub {
    fn now(&self) -> OffsetDateTime {
        BEGIN + self.began.elapsed() - time::Duration::seconds(self.back.load(Ordering::Relaxed))
    }

    fn steady(&self) -> Duration {
        self.began.elapsed()
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(sleep(duration))
    }
}

impl Source for Hub {
    async fn mint(&self, key: &Key, ahead: bool) -> Result<MintedToken, MintError> {
        let mut expires_at = self.now() + time::Duration::HOUR;
        let number = self.minted.fetch_add(1, Ordering::Relaxed) + 1;
        match self.trouble {
            Trouble::GiveWay if ahead => {
                sleep(Duration::from_secs(5)).await;
                return Err(MintError::GitHub(github::Error::new(Kind::RateLimited, "not now")));
            }
            Trouble::Lies if ahead => expires_at = self.now(),
            Trouble::Gone if number == 1 => {
                return Err(MintError::GitHub(github::Error::new(Kind::NotFound, "gone")));
            }
            _ => {}
        }
        Ok(MintedToken {
            token: Token::new(format!("ghs_{number}")),
            expires_at,
            permissions: key.permissions,
            unbounded: false,
            repository_ids: Some(vec![key.repository]),
            repository: None,
        })
    }

    async fn prove(&self, _: &Key, _: &CachedToken) -> Proof {
        Proof::Works
    }

    async fn end(&self, _: &Token) -> Result<(), github::Error> {
        Ok(())
    }

    fn clock_offset(&self) -> time::Duration {
        time::Duration::ZERO
    }
}

fn begin(trouble: Trouble) -> (TokenCache<Hub>, Key, Hub) {
    let (back, minted) = Default::default();
    let hub = Hub { began: Instant::now(), back, minted, trouble };
    let key = Key {
        account: "acme".parse().unwrap(),
        installation: InstallationId(1),
        repository: RepoId(7),
        permissions: READ,
    };
    (TokenCache::new(hub.clone(), Arc::new(hub.clone())), key, hub)
}

/// A key whose token was minted at the begin, and used in its fiftieth minute.
async fn in_use(trouble: Trouble) -> (TokenCache<Hub>, Key) {
    let (cache, key, _) = begin(trouble);
    assert_eq!(cache.get(&key, MIN_TTL).await.unwrap().cache, Cache::Miss);
    advance(50 * MINUTE).await;
    assert_eq!(cache.get(&key, MIN_TTL).await.unwrap().cache, Cache::Hit);
    (cache, key)
}

fn text(vended: &Vended) -> &str {
    vended.token.token.expose()
}

#[tokio::test(start_paused = true)]
async fn a_renewal_that_is_put_off_keeps_nobody_from_a_token_who_waits_for_one() {
    let (cache, key) = in_use(Trouble::GiveWay).await;
    // The token is too near its end to be handed out.
    advance(9 * MINUTE + MINUTE / 2).await;
    cache.refresh(&key.account);
    let vended = cache.get(&key, MIN_TTL).await.unwrap();
    assert_eq!((text(&vended), vended.cache), ("ghs_3", Cache::Miss));
}

#[tokio::test(start_paused = true)]
async fn a_renewal_that_brings_another_token_than_asked_for_leaves_the_one_before() {
    let (cache, key) = in_use(Trouble::Lies).await;
    cache.refresh(&key.account);
    sleep(MINUTE / 60).await;
    let vended = cache.get(&key, MIN_TTL).await.unwrap();
    assert_eq!((text(&vended), vended.cache), ("ghs_1", Cache::Hit));
}

#[tokio::test(start_paused = true)]
async fn a_refusal_answers_no_longer_because_the_clock_is_set_back() {
    let (cache, key, hub) = begin(Trouble::Gone);
    for _ in 0..2 {
        assert!(cache.get(&key, MIN_TTL).await.is_err());
    }
    assert_eq!(hub.minted.load(Ordering::Relaxed), 1);
    hub.back.store(3600, Ordering::Relaxed);
    advance(MINUTE / 2).await;
    assert_eq!(text(&cache.get(&key, MIN_TTL).await.unwrap()), "ghs_2");
}

#[tokio::test(start_paused = true)]
async fn no_token_serves_beyond_its_end_because_the_clock_is_set_back() {
    let (cache, key, hub) = begin(Trouble::None);
    cache.get(&key, MIN_TTL).await.unwrap();
    advance(40 * MINUTE).await;
    hub.back.store(50 * 60, Ordering::Relaxed);
    advance(10 * MINUTE).await;
    let vended = cache.get(&key, MIN_TTL).await.unwrap();
    assert_eq!((text(&vended), vended.cache), ("ghs_1", Cache::Hit), "it has ten minutes left");
    advance(6 * MINUTE).await;
    assert_eq!(text(&cache.get(&key, MIN_TTL).await.unwrap()), "ghs_2");
    // The new one lives for its hour, by whichever clock.
    advance(54 * MINUTE).await;
    let vended = cache.get(&key, MIN_TTL).await.unwrap();
    assert_eq!((text(&vended), vended.cache), ("ghs_2", Cache::Hit));
}

#[tokio::test(start_paused = true)]
async fn who_was_let_in_before_the_tokens_were_taken_away_begins_no_mint_after() {
    let (cache, key, hub) = begin(Trouble::None);
    let takings = [TokenCache::purge, |cache: &TokenCache<Hub>, account: &AccountId| {
        cache.forget_tokens(account);
        Vec::new()
    }];
    for take in takings {
        let seen = cache.taken();
        assert!(take(&cache, &key.account).is_empty());
        let late = cache.fetch(&key, MIN_TTL, seen).await;
        assert!(matches!(*late.unwrap_err(), MintError::GivenUp));
    }
    assert_eq!(hub.minted.load(Ordering::Relaxed), 0);
    let vended = cache.fetch(&key, MIN_TTL, cache.taken()).await.unwrap();
    assert_eq!(vended.cache, Cache::Miss);
}
