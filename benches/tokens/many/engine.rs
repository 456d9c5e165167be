//! The token engine itself with a million keys: what it takes of memory, and of time to read.

use std::{
    fs,
    hint::black_box,
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use ghbroker::{
    broker::tokens::{CachedToken, Key, MintError, Proof, Source, TokenCache},
    domain::{Clock, InstallationId, Level, Permission, Permissions, RepoId, SystemClock, Token},
    github::{self, MintedToken},
};
use rand::{Rng, SeedableRng, rngs::StdRng};

use super::TOKEN;
use crate::{
    at_most,
    common::{Result, summary::Figure},
    figure, median,
};

/// The last one is what memory is measured with.
const SIZES: [usize; 3] = [1_000, 100_000, 1_000_000];
/// Keys of one account: two repositories with two sets of permissions each.
const OF_AN_ACCOUNT: usize = 4;
const MOST_MEMORY: f64 = 1.5 * 1024.0;
const ROUNDS: usize = 5;
const READS: usize = 200_000;
/// What callers ask for who do not say.
const MIN_TTL: Duration = Duration::from_secs(5 * 60);

pub fn measure() -> Result<Vec<Figure>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut caches = Vec::new();
    let mut bytes = 0.0;
    for size in SIZES {
        let before = resident()?;
        let cache = TokenCache::new(Mint, Arc::new(SystemClock));
        runtime.block_on(fill(&cache, size))?;
        bytes = (resident()? - before) as f64 / size as f64;
        caches.push(cache);
    }
    println!("\n{} keys with tokens of {TOKEN} characters: {bytes:.0} B each", SIZES[2]);
    let name = format!("memory of a key, {} keys", SIZES[2]);
    let mut figures = vec![at_most(MOST_MEMORY, figure(name, bytes, "bytes"))];
    for (cache, size) in caches.iter().zip(SIZES) {
        let time = median((0..ROUNDS).map(|_| time_of_a_read(cache, size)));
        println!("{size} keys: {time:.0} ns for a read of a random one");
        figures.push(figure(format!("time of a cache read, {size} keys"), time, "ns"));
    }
    Ok(figures)
}

/// Of a random key, in nanoseconds.
fn time_of_a_read(cache: &TokenCache<Mint>, size: usize) -> f64 {
    let mut random = StdRng::seed_from_u64(size as u64);
    let keys: Vec<Key> = (0..READS).map(|_| key(random.random_range(0..size))).collect();
    let begin = Instant::now();
    keys.iter().for_each(|key| read(cache, key));
    begin.elapsed().as_secs_f64() / READS as f64 * 1e9
}

fn read(cache: &TokenCache<Mint>, key: &Key) {
    let read = pin!(cache.get(key, MIN_TTL)).poll(&mut Context::from_waker(Waker::noop()));
    assert!(matches!(black_box(read), Poll::Ready(Ok(_))), "what is cached is there at once");
}

async fn fill(cache: &TokenCache<Mint>, size: usize) -> Result<()> {
    for number in 0..size {
        cache.get(&key(number), MIN_TTL).await?;
    }
    Ok(())
}

fn key(number: usize) -> Key {
    let (account, of_it) = (number / OF_AN_ACCOUNT, number % OF_AN_ACCOUNT);
    let level = if of_it % 2 == 0 { Level::Read } else { Level::Write };
    let permissions =
        Permissions::NONE.with(Permission::METADATA, Level::Read).with(Permission::CONTENTS, level);
    Key {
        account: format!("tenant-{account}").parse().unwrap(),
        installation: InstallationId(account as i64),
        repository: RepoId((2 * account + of_it / 2) as i64),
        permissions,
    }
}

/// Memory of this process, in bytes.
fn resident() -> Result<usize> {
    let text = fs::read_to_string("/proc/self/status")?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")).ok_or("no VmRSS")?;
    Ok(kib.parse::<usize>()? * 1024)
}

/// A GitHub that mints at once.
#[derive(Clone)]
struct Mint;

impl Source for Mint {
    async fn mint(&self, key: &Key, _: bool) -> std::result::Result<MintedToken, MintError> {
        let number = key.repository.0;
        Ok(MintedToken {
            token: Token::new(format!("ghs_{number:0>width$}", width = TOKEN - 4)),
            expires_at: SystemClock.now() + time::Duration::HOUR,
            permissions: key.permissions,
            unbounded: false,
            repository_ids: Some(vec![key.repository]),
            repository: Some(format!("organization-{number}/repository").parse().unwrap()),
        })
    }

    async fn prove(&self, _: &Key, _: &CachedToken) -> Proof {
        Proof::Works
    }

    async fn end(&self, _: &Token) -> std::result::Result<(), github::Error> {
        Ok(())
    }

    fn clock_offset(&self) -> time::Duration {
        time::Duration::ZERO
    }
}
