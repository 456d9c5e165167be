//! Days with a bad GitHub: partitions, slowness, lies, revocations and wrong clocks, drawn by a seed on simulated time. What
//! must hold whatever happens is checked at every call. A failure prints its seed.

mod fake;

use std::{sync::Arc, time::Duration};

use fake::{Fake, Weather};
use futures_util::FutureExt;
use rand::{Rng, SeedableRng, rngs::StdRng};
use tokio::{task::JoinSet, time::sleep};

use super::{Key, TokenCache, keep_fresh};
use crate::domain::{AccountId, InstallationId, Level, Permission, Permissions, RepoId};

const READ: Permissions = Permissions::NONE.with(Permission::METADATA, Level::Read);
const WRITE: Permissions = READ.with(Permission::CONTENTS, Level::Write);
/// Days that are simulated in each run of the tests.
const SEEDS: u64 = 12;
const ACCOUNTS: i64 = 5;
const REPOSITORIES: i64 = 3;
/// Length of a simulation.
const HOURS: u64 = 8;
/// A key is asked for this often on average.
const EVERY: Duration = Duration::from_secs(90);

fn keys() -> Vec<Key> {
    let mut keys = Vec::new();
    for account in 1..=ACCOUNTS {
        for repository in 1..=REPOSITORIES {
            for permissions in [READ, WRITE] {
                keys.push(Key {
                    account: name(account),
                    installation: InstallationId(account * 100),
                    repository: RepoId(account * 1000 + repository),
                    permissions,
                });
            }
        }
    }
    keys
}

fn name(account: i64) -> AccountId {
    format!("tenant-{account}").parse().unwrap()
}

/// Runs a future on a clock that jumps to whatever is waited for.
fn simulated<F: Future>(future: F) -> F::Output {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_time().start_paused(true).build().unwrap().block_on(future)
}

/// One caller of one key for the whole simulation.
async fn call(cache: TokenCache<Fake>, fake: Fake, key: Key, mut dice: StdRng) {
    while !fake.is_over() {
        sleep(EVERY.mul_f64(dice.random_range(0.0..2.0))).await;
        // On a bad day some ask for more life than most tokens have left.
        let most = fake.is_foul() && dice.random_bool(0.1);
        let min_ttl = Duration::from_secs(if most { 1800 } else { 300 });
        let was_warm = cache.is_warm(&key, min_ttl);
        let mut get = Box::pin(cache.get(&key, min_ttl));
        let got = match (&mut get).now_or_never() {
            Some(got) => got,
            None => {
                assert!(!was_warm, "a warm key waits");
                get.await
            }
        };
        fake.counts(was_warm, got.is_ok());
        let Ok(vended) = got else { continue };
        let token = &vended.token.token;
        fake.check(&key, token);
        // Some report a token that is only too new.
        if fake.is_foul() && fake.refuses(token) && dice.random_bool(0.5) {
            cache.reject(&key.account, token);
        }
    }
}

/// What people and webhooks do.
async fn unrest(cache: TokenCache<Fake>, fake: Fake, mut dice: StdRng) {
    while !fake.is_over() {
        sleep(Duration::from_secs(dice.random_range(60..1800))).await;
        let account = name(dice.random_range(1..=ACCOUNTS));
        match dice.random_range(0..3) {
            0 => cache.refresh(&account),
            1 => cache.forgive(fake.installation_of(&account)),
            _ => {
                fake.purged(&account);
                for token in cache.purge(&account) {
                    fake.given_back(&token.token);
                }
            }
        }
    }
}

async fn day(seed: u64, weather: Weather) -> Fake {
    let fake = Fake::new(seed, weather, Duration::from_secs(HOURS * 3600));
    let cache = TokenCache::new(fake.clone(), Arc::new(fake.clone()));
    let mut tasks = JoinSet::new();
    let background = tokio::spawn(keep_fresh(cache.clone()));
    for (number, key) in (0_u64..).zip(keys()) {
        let dice = StdRng::seed_from_u64(seed.wrapping_mul(1000) + number);
        tasks.spawn(call(cache.clone(), fake.clone(), key, dice));
    }
    if weather == Weather::Foul {
        tasks.spawn(unrest(cache.clone(), fake.clone(), StdRng::seed_from_u64(!seed)));
    }
    tasks.spawn({
        let fake = fake.clone();
        async move { fake.change_the_weather().await }
    });
    tasks.spawn({
        let fake = fake.clone();
        async move { fake.set_the_clock().await }
    });
    while let Some(ended) = tasks.join_next().await {
        ended.unwrap();
    }
    // When all is well again, everybody is served.
    fake.clear_up();
    sleep(Duration::from_secs(300)).await;
    for key in keys() {
        let vended = cache.get(&key, Duration::from_secs(300)).await;
        let vended = vended.unwrap_or_else(|error| panic!("never recovers: {error:?}"));
        fake.check(&key, &vended.token.token);
    }
    background.abort();
    // What is under way ends.
    sleep(Duration::from_secs(120)).await;
    fake.none_is_lost(cache.purge_all().into_iter().flat_map(|(_, tokens)| tokens).collect());
    fake
}

/// Runs `check` with many seeds, and says which one failed.
fn seeds(check: impl Fn(u64)) {
    for seed in 0..SEEDS {
        let run = std::panic::AssertUnwindSafe(|| check(seed));
        assert!(std::panic::catch_unwind(run).is_ok(), "seed {seed} fails");
    }
}

#[test]
fn whatever_github_does_what_must_hold_holds() {
    seeds(|seed| {
        let fake = simulated(day(seed, Weather::Foul));
        assert!(fake.served() > 1000, "only {} calls were served", fake.served());
        assert!(fake.failures() > 0, "nothing went wrong: the weather was fair");
    });
}

#[test]
fn on_a_fair_day_nobody_waits_twice_and_github_is_hardly_asked() {
    seeds(|seed| {
        let fake = simulated(day(seed, Weather::Fair));
        let keys = keys().len();
        assert_eq!(fake.cold(), keys, "a key waits once, for its first token");
        let mints_per_key_and_hour = fake.mints() as f64 / (keys as f64 * HOURS as f64);
        assert!(mints_per_key_and_hour < 1.7, "{mints_per_key_and_hour}");
    });
}

#[test]
fn the_same_seed_gives_the_same_day() {
    let [one, other] = [(); 2].map(|()| simulated(day(7, Weather::Foul)));
    assert_eq!(one.story(), other.story());
}
