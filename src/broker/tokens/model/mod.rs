//! Single flight and swap in every order that a scheduler can think of: shuttle runs the engine's own code, and decides at each
//! lock and each await who goes on. A failure prints the schedule that leads to it.

mod engine;

use std::{
    collections::BTreeSet,
    future::Future,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use engine::TokenCache;
use futures_util::{FutureExt, future::join_all};
use shuttle::future::{block_on, spawn, yield_now};
use time::{OffsetDateTime, macros::datetime};

use super::{
    error::MintError,
    key::{CachedToken, Key},
    source::{Proof, Source},
};
use crate::{
    audit::Cache,
    domain::{Clock, InstallationId, Level, Permission, Permissions, RepoId, Token},
    github::{self, Kind, MintedToken},
};

const NOW: OffsetDateTime = datetime!(2026-11-20 12:00:00 UTC);
const READ: Permissions = Permissions::NONE.with(Permission::METADATA, Level::Read);
const MIN_TTL: Duration = Duration::from_secs(300);
/// Orders that are tried out in each test, by each of two ways of choosing them.
const ORDERS: usize = 600;
/// Bugs that are found have few places where the order matters.
const DEPTH: usize = 3;

/// A clock that goes on when somebody sleeps.
struct Model(AtomicI64);

impl Clock for Model {
    fn now(&self) -> OffsetDateTime {
        NOW + time::Duration::seconds(self.0.load(Ordering::Relaxed))
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        // The engine sleeps only where it waits for something else as well, or tries again: one step is enough.
        let _ = duration;
        Box::pin(yield_now())
    }
}

/// A GitHub that answers after a few steps, and knows every token that it has minted.
#[derive(Clone)]
struct Mint(Arc<Minted>);

struct Minted {
    clock: Arc<Model>,
    count: AtomicUsize,
    in_flight: AtomicUsize,
    most_in_flight: AtomicUsize,
    ended: Mutex<BTreeSet<String>>,
    fails: bool,
    proof: Proof,
}

impl Source for Mint {
    async fn mint(&self, key: &Key, _ahead: bool) -> Result<MintedToken, MintError> {
        let minted = &self.0;
        let in_flight = minted.in_flight.fetch_add(1, Ordering::Relaxed) + 1;
        minted.most_in_flight.fetch_max(in_flight, Ordering::Relaxed);
        let number = minted.count.fetch_add(1, Ordering::Relaxed);
        yield_now().await;
        minted.in_flight.fetch_sub(1, Ordering::Relaxed);
        if minted.fails {
            return Err(MintError::GitHub(github::Error::new(Kind::Server, "broken")));
        }
        Ok(MintedToken {
            token: Token::new(format!("ghs_{number}")),
            expires_at: minted.clock.now() + time::Duration::HOUR,
            permissions: key.permissions,
            unbounded: false,
            repository_ids: Some(vec![key.repository]),
            repository: None,
        })
    }

    async fn prove(&self, _: &Key, _: &CachedToken) -> Proof {
        yield_now().await;
        self.0.proof
    }

    async fn end(&self, token: &Token) -> Result<(), github::Error> {
        yield_now().await;
        self.0.ended.lock().unwrap().insert(token.expose().to_owned());
        Ok(())
    }

    fn clock_offset(&self) -> time::Duration {
        time::Duration::ZERO
    }

    fn random(&self) -> f64 {
        0.5
    }
}

#[derive(Clone)]
struct World {
    cache: TokenCache<Mint>,
    mint: Mint,
    clock: Arc<Model>,
    key: Key,
}

impl World {
    fn new(fails: bool, proof: Proof) -> Self {
        let clock = Arc::new(Model(AtomicI64::new(0)));
        let minted = Minted {
            clock: clock.clone(),
            count: 0.into(),
            in_flight: 0.into(),
            most_in_flight: 0.into(),
            ended: Mutex::default(),
            fails,
            proof,
        };
        let mint = Mint(Arc::new(minted));
        let key = Key {
            account: "acme".parse().unwrap(),
            installation: InstallationId(1),
            repository: RepoId(2),
            permissions: READ,
        };
        Self { cache: TokenCache::new(mint.clone(), clock.clone()), mint, clock, key }
    }

    /// A world with a token that is due for renewal.
    async fn with_an_old_token() -> Self {
        let world = Self::new(false, Proof::Works);
        world.get().await.unwrap();
        world.clock.0.store(46 * 60, Ordering::Relaxed);
        // Used just now.
        world.get().await.unwrap();
        world
    }

    async fn get(&self) -> Result<(String, Cache), Arc<MintError>> {
        let vended = self.cache.get(&self.key, MIN_TTL).await?;
        assert!(vended.token.expires_at > self.clock.now(), "an expired token was served");
        Ok((vended.token.token.expose().to_owned(), vended.cache))
    }

    fn mints(&self) -> usize {
        self.mint.0.count.load(Ordering::Relaxed)
    }

    /// Waits until no task of the engine has anything to do.
    async fn settle(&self) {
        for _ in 0..60 {
            yield_now().await;
        }
    }

    /// Every token that was minted is in the cache, was given back, or was ended: none is forgotten.
    fn none_is_lost(&self, mut known: Vec<Arc<CachedToken>>) {
        known.extend(self.cache.purge_all().into_iter().flat_map(|(_, tokens)| tokens));
        let mut all = self.mint.0.ended.lock().unwrap().clone();
        all.extend(known.iter().map(|token| token.token.expose().to_owned()));
        let minted: BTreeSet<_> = (0..self.mints()).map(|number| format!("ghs_{number}")).collect();
        assert_eq!(all, minted);
    }
}

fn in_every_order<F: Future<Output = ()> + Send + 'static>(
    story: impl Fn() -> F + Send + Sync + 'static,
) {
    let story = Arc::new(story);
    let again = story.clone();
    shuttle::check_random(move || block_on(story()), ORDERS);
    shuttle::check_pct(move || block_on(again()), ORDERS, DEPTH);
}

#[test]
fn callers_who_come_together_share_one_mint() {
    in_every_order(|| async {
        let world = World::new(false, Proof::Works);
        let calls = (0..3).map(|_| {
            let world = world.clone();
            spawn(async move { world.get().await.unwrap().0 })
        });
        for token in join_all(calls.collect::<Vec<_>>()).await {
            assert_eq!(token.unwrap(), "ghs_0");
        }
        assert_eq!(world.mints(), 1);
    });
}

#[test]
fn callers_who_come_together_share_one_failure() {
    in_every_order(|| async {
        let world = World::new(true, Proof::Works);
        let calls = (0..3).map(|_| {
            let world = world.clone();
            spawn(async move { world.get().await.is_err() })
        });
        for failed in join_all(calls.collect::<Vec<_>>()).await {
            assert!(failed.unwrap());
        }
        assert_eq!(world.mints(), 1);
    });
}

#[test]
fn a_caller_who_gives_up_cancels_nobody() {
    in_every_order(|| async {
        let world = World::new(false, Proof::Works);
        let hasty = {
            let world = world.clone();
            spawn(async move {
                let _given_up = world.get().now_or_never();
            })
        };
        let patient = {
            let world = world.clone();
            spawn(async move { world.get().await.unwrap().0 })
        };
        hasty.await.unwrap();
        assert_eq!(patient.await.unwrap(), "ghs_0");
        assert_eq!(world.mints(), 1);
    });
}

#[test]
fn a_renewal_is_noticed_by_nobody() {
    in_every_order(|| async {
        let world = World::with_an_old_token().await;
        let sweeps = (0..2).map(|_| {
            let world = world.clone();
            spawn(async move { world.cache.sweep().await })
        });
        let sweeps: Vec<_> = sweeps.collect();
        let callers = (0..2).map(|_| {
            let world = world.clone();
            spawn(async move {
                let mut renewed = false;
                for _ in 0..4 {
                    let got = world.get().now_or_never().expect("a warm key waits");
                    let (token, cache) = got.unwrap();
                    assert_eq!(cache, Cache::Hit);
                    assert!(!renewed || token == "ghs_1", "an old token after the new one");
                    renewed = token == "ghs_1";
                    yield_now().await;
                }
            })
        });
        for task in sweeps.into_iter().chain(callers.collect::<Vec<_>>()) {
            task.await.unwrap();
        }
        world.settle().await;
        assert_eq!(world.get().await.unwrap(), ("ghs_1".to_owned(), Cache::Hit));
        assert_eq!(world.mints(), 2);
        assert_eq!(world.mint.0.most_in_flight.load(Ordering::Relaxed), 1);
    });
}

#[test]
fn a_renewed_token_that_does_not_work_is_never_served() {
    in_every_order(|| async {
        let world = World::new(false, Proof::Refused);
        world.get().await.unwrap();
        world.clock.0.store(41 * 60, Ordering::Relaxed);
        world.get().await.unwrap();
        // Due for some: the jitter is half of five minutes.
        world.clock.0.store(43 * 60, Ordering::Relaxed);
        let sweep = {
            let world = world.clone();
            spawn(async move { world.cache.sweep().await })
        };
        for _ in 0..6 {
            assert_eq!(world.get().now_or_never().expect("waits").unwrap().0, "ghs_0");
            yield_now().await;
        }
        sweep.await.unwrap();
        world.settle().await;
        assert_eq!(world.get().await.unwrap().0, "ghs_0");
        assert_eq!(world.mints(), 2);
        assert!(world.mint.0.ended.lock().unwrap().contains("ghs_1"));
    });
}

#[test]
fn a_purge_loses_no_token_and_lets_none_of_before_be_served() {
    in_every_order(|| async {
        let world = World::with_an_old_token().await;
        let mut tasks = Vec::new();
        tasks.push({
            let world = world.clone();
            spawn(async move {
                world.cache.sweep().await;
                Vec::new()
            })
        });
        tasks.push({
            let world = world.clone();
            spawn(async move { world.cache.purge(&world.key.account) })
        });
        tasks.push({
            let world = world.clone();
            spawn(async move {
                // Given up by the purge, or served.
                drop(world.get().await);
                Vec::new()
            })
        });
        let mut purged = Vec::new();
        for task in join_all(tasks).await {
            purged.extend(task.unwrap());
        }
        let (now, _) = world.get().await.unwrap();
        assert!(purged.iter().all(|token| token.token.expose() != now), "a purged token is served");
        world.settle().await;
        assert!(!world.mint.0.ended.lock().unwrap().contains(&now), "an ended token is served");
        world.none_is_lost(purged);
    });
}

#[test]
fn a_reported_token_is_replaced_once_and_never_served_again() {
    in_every_order(|| async {
        let world = World::with_an_old_token().await;
        let bad = Token::new("ghs_0".to_owned());
        let reports = (0..2).map(|_| {
            let (world, bad) = (world.clone(), bad.clone());
            spawn(async move {
                let dropped = world.cache.reject(&world.key.account, &bad);
                let (token, _) = world.get().await.unwrap();
                assert!(token != "ghs_0", "a rejected token is served");
                dropped
            })
        });
        let sweep = {
            let world = world.clone();
            spawn(async move {
                world.cache.sweep().await;
                false
            })
        };
        let mut tasks: Vec<_> = reports.collect();
        tasks.push(sweep);
        let dropped = join_all(tasks).await.into_iter().filter(|done| *done.as_ref().unwrap());
        assert!(dropped.count() <= 1);
        world.settle().await;
        assert_eq!(world.mint.0.most_in_flight.load(Ordering::Relaxed), 1);
        assert_eq!(world.mints(), 2);
    });
}

#[test]
fn an_account_that_is_disconnected_leaves_no_token_to_whoever_was_let_in_before() {
    in_every_order(|| async {
        let world = World::new(false, Proof::Works);
        let connected = Arc::new(AtomicBool::new(true));
        let calls = (0..2).map(|_| {
            let (world, connected) = (world.clone(), connected.clone());
            spawn(async move {
                let seen = world.cache.taken();
                yield_now().await;
                let is_let_in = connected.load(Ordering::SeqCst);
                yield_now().await;
                if is_let_in {
                    drop(world.cache.fetch(&world.key, MIN_TTL, seen).await);
                }
            })
        });
        let calls: Vec<_> = calls.collect();
        connected.store(false, Ordering::SeqCst);
        yield_now().await;
        let purged = world.cache.purge(&world.key.account);
        join_all(calls).await;
        world.settle().await;
        let left = world.cache.purge_all();
        assert!(left.iter().all(|(_, tokens)| tokens.is_empty()), "a token is left");
        world.none_is_lost(purged);
    });
}
