//! A GitHub as bad as its weather, and the clock of a machine that is off.

use std::{
    collections::HashMap,
    future::Future,
    hash::{DefaultHasher, Hash, Hasher},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use rand::{Rng, SeedableRng, rngs::StdRng};
use time::{OffsetDateTime, macros::datetime};
use tokio::time::{Instant, sleep};

use super::{
    super::{CachedToken, MintError, Proof, Source},
    ACCOUNTS, Key, name,
};
use crate::{
    domain::{AccountId, Clock, InstallationId, Level, Permission, RepoId, Token},
    github::{self, Kind, MintedToken},
};

const BEGIN: OffsetDateTime = datetime!(2026-11-20 12:00:00 UTC);
/// What GitHub mints lives this long.
const LIFE: Duration = Duration::from_secs(3600);
/// Furthest that the machine's clock is off.
const SKEW_SECONDS: i64 = 600;

/// Furthest that it is set forward or back at once.
const STEP_SECONDS: i64 = 1800;

/// How bad it gets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Weather {
    /// GitHub answers, in about 200 ms.
    Fair,
    /// Anything.
    Foul,
}

/// What is the matter just now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Trouble {
    Nothing,
    /// It cannot be reached.
    Partition,
    /// Answers take up to 12 s, and some are lost.
    Slow,
    /// Every second request fails.
    Errors,
    /// It wants to be left alone.
    RateLimited,
    /// Other tokens than asked for, wrong times, tokens that never work.
    Lies,
}

/// Cheap to clone.
#[derive(Clone)]
pub struct Fake(Arc<Inner>);

struct Inner {
    seed: u64,
    weather: Weather,
    began: Instant,
    lasts: Duration,
    skew: time::Duration,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    trouble: Option<Trouble>,
    /// How far the machine's clock was set forward in all.
    stepped: time::Duration,
    tokens: HashMap<String, Minted>,
    /// Draws so far, by what is drawn for.
    draws: HashMap<u64, u64>,
    /// Installations that are suspended or gone.
    closed: HashMap<InstallationId, Kind>,
    /// How often each account was purged: mints from before are for nobody.
    purges: HashMap<AccountId, u32>,
    in_flight: HashMap<(Key, u32), u32>,
    mints: usize,
    served: usize,
    cold: usize,
    failures: usize,
}

struct Minted {
    key: Key,
    number: u64,
    works_from: OffsetDateTime,
    ends_at: OffsetDateTime,
    /// Nobody uses it: it was ended, given back, or its answer was lost.
    gone: bool,
}

impl Fake {
    pub fn new(seed: u64, weather: Weather, lasts: Duration) -> Self {
        let mut dice = StdRng::seed_from_u64(seed);
        let skew = time::Duration::seconds(dice.random_range(-SKEW_SECONDS..=SKEW_SECONDS));
        let state = Mutex::default();
        Self(Arc::new(Inner { seed, weather, began: Instant::now(), lasts, skew, state }))
    }

    pub fn is_foul(&self) -> bool {
        self.0.weather == Weather::Foul
    }

    pub fn is_over(&self) -> bool {
        self.0.began.elapsed() >= self.0.lasts
    }

    /// What comes, comes and goes until the end.
    pub async fn change_the_weather(&self) {
        while self.is_foul() && !self.is_over() {
            let mut dice = self.dice("weather");
            let troubles = [
                Trouble::Nothing,
                Trouble::Nothing,
                Trouble::Partition,
                Trouble::Slow,
                Trouble::Errors,
                Trouble::RateLimited,
                Trouble::Lies,
            ];
            self.state().trouble = Some(troubles[dice.random_range(0..troubles.len())]);
            let installation = InstallationId(dice.random_range(1..=ACCOUNTS) * 100);
            match dice.random_range(0..6) {
                0 => drop(self.state().closed.insert(installation, Kind::Suspended)),
                1 => drop(self.state().closed.insert(installation, Kind::NotFound)),
                _ => drop(self.state().closed.remove(&installation)),
            }
            sleep(Duration::from_secs(dice.random_range(30..2400))).await;
        }
    }

    /// Somebody sets the machine's clock, until two hours before the end: what is minted after that is known at the end, whatever
    /// a clock that was set forward had the broker believe.
    pub async fn set_the_clock(&self) {
        while self.is_foul() && self.0.began.elapsed() + 2 * LIFE < self.0.lasts {
            let mut dice = self.dice("clock");
            let step = time::Duration::seconds(dice.random_range(-STEP_SECONDS..=STEP_SECONDS));
            self.state().stepped += step;
            sleep(Duration::from_secs(dice.random_range(60..3000))).await;
        }
    }

    /// All is well from now on.
    pub fn clear_up(&self) {
        let mut state = self.state();
        state.trouble = None;
        state.closed.clear();
    }

    pub fn installation_of(&self, account: &AccountId) -> InstallationId {
        let number = (1..=ACCOUNTS).find(|number| name(*number) == *account).unwrap();
        InstallationId(number * 100)
    }

    /// Mints of before are for nobody from now on.
    pub fn purged(&self, account: &AccountId) {
        *self.state().purges.entry(account.clone()).or_default() += 1;
    }

    pub fn given_back(&self, token: &Token) {
        self.state().tokens.get_mut(token.expose()).unwrap().gone = true;
    }

    /// What must hold of a token that was served for `key`.
    pub fn check(&self, key: &Key, token: &Token) {
        let now = self.time();
        let state = self.state();
        let minted = &state.tokens[token.expose()];
        assert_eq!(minted.key, *key, "a token of another key was served");
        assert!(minted.ends_at > now, "an expired token was served");
        assert!(!minted.gone, "a token was served that was ended or given back");
    }

    pub fn refuses(&self, token: &Token) -> bool {
        let now = self.time();
        let state = self.state();
        let minted = &state.tokens[token.expose()];
        now < minted.works_from || state.closed.contains_key(&minted.key.installation)
    }

    pub fn counts(&self, warm: bool, served: bool) {
        let mut state = self.state();
        state.cold += usize::from(!warm);
        state.served += usize::from(served);
        state.failures += usize::from(!served);
    }

    pub fn served(&self) -> usize {
        self.state().served
    }

    pub fn cold(&self) -> usize {
        self.state().cold
    }

    pub fn failures(&self) -> usize {
        self.state().failures
    }

    pub fn mints(&self) -> usize {
        self.state().mints
    }

    /// Every token that still lives is in `known`, or was ended or given back before.
    pub fn none_is_lost(&self, known: Vec<Arc<CachedToken>>) {
        known.iter().for_each(|token| self.given_back(&token.token));
        let now = self.time();
        let state = self.state();
        let lost: Vec<_> =
            state.tokens.iter().filter(|(_, token)| !token.gone && token.ends_at > now).collect();
        assert!(lost.is_empty(), "{} live tokens are lost", lost.len());
    }

    /// What was minted, and when.
    pub fn story(&self) -> Vec<String> {
        let state = self.state();
        let told = |token: &Minted| format!("{} {:?} {}", token.ends_at, token.key, token.number);
        let mut story: Vec<_> = state.tokens.values().map(told).collect();
        story.sort();
        story
    }

    /// The time at GitHub.
    fn time(&self) -> OffsetDateTime {
        BEGIN + self.0.began.elapsed()
    }

    /// How far the machine's clock is ahead.
    fn wrong_by(&self) -> time::Duration {
        self.0.skew + self.state().stepped
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap()
    }

    /// Dice that fall the same in the same simulation, in whatever order they are asked for.
    fn dice(&self, what: impl Hash) -> StdRng {
        let mut hasher = DefaultHasher::new();
        (self.0.seed, what).hash(&mut hasher);
        let what = hasher.finish();
        let mut state = self.state();
        let draw = state.draws.entry(what).or_default();
        *draw += 1;
        (what, *draw).hash(&mut hasher);
        StdRng::seed_from_u64(hasher.finish())
    }

    fn trouble(&self) -> Trouble {
        self.state().trouble.unwrap_or(Trouble::Nothing)
    }

    /// The way to GitHub and back: how long it takes, and what goes wrong.
    async fn travel(&self, dice: &mut StdRng) -> Result<Trouble, github::Error> {
        let trouble = self.trouble();
        let milliseconds = match trouble {
            Trouble::Partition => 3_000,
            Trouble::Slow => dice.random_range(1_000..12_000),
            _ => dice.random_range(50..350),
        };
        sleep(Duration::from_millis(milliseconds)).await;
        match trouble {
            Trouble::Partition => Err(github::Error::new(Kind::Unreachable, "no route")),
            Trouble::Errors if dice.random_bool(0.5) => {
                Err(github::Error::new(Kind::Server, "broken"))
            }
            Trouble::RateLimited => Err(github::Error::new(Kind::RateLimited, "slow down")),
            trouble => Ok(trouble),
        }
    }

    /// What is minted, which in bad weather is not what was asked for.
    fn minted(&self, key: &Key, trouble: Trouble, dice: &mut StdRng) -> MintedToken {
        let now = self.time();
        let mut lag = Duration::from_millis(dice.random_range(0..8_000));
        let mut minted = MintedToken {
            token: Token::new(String::new()),
            expires_at: now + LIFE,
            permissions: key.permissions,
            unbounded: false,
            repository_ids: Some(vec![key.repository]),
            repository: None,
        };
        if trouble == Trouble::Lies {
            match dice.random_range(0..7) {
                0 => minted.expires_at += LIFE * 5,
                1 => minted.expires_at = now,
                2 => minted.repository_ids = Some(vec![RepoId(key.repository.0 + 1)]),
                3 => minted.permissions = key.permissions.with(Permission::WORKFLOWS, Level::Write),
                4 => minted.unbounded = true,
                5 => lag = LIFE,
                _ => {}
            }
        }
        let mut state = self.state();
        state.mints += 1;
        let number = state.mints as u64;
        minted.token = Token::new(format!("ghs_{number}"));
        let token = Minted {
            key: key.clone(),
            number: dice.random(),
            works_from: now + lag,
            ends_at: now + LIFE,
            gone: false,
        };
        state.tokens.insert(format!("ghs_{number}"), token);
        minted
    }
}

impl Source for Fake {
    async fn mint(&self, key: &Key, _ahead: bool) -> Result<MintedToken, MintError> {
        let flight = {
            let mut state = self.state();
            let purges = state.purges.get(&key.account).copied().unwrap_or_default();
            let in_flight = state.in_flight.entry((key.clone(), purges)).or_default();
            *in_flight += 1;
            assert!(*in_flight == 1, "two mints in flight for one key");
            (key.clone(), purges)
        };
        let mut dice = self.dice(("mint", key));
        let arrived = self.travel(&mut dice).await;
        let minted = arrived.and_then(|trouble| {
            if let Some(kind) = self.state().closed.get(&key.installation) {
                return Err(github::Error::new(kind.clone(), "closed"));
            }
            let minted = self.minted(key, trouble, &mut dice);
            if trouble == Trouble::Slow && dice.random_bool(0.2) {
                // Nobody ever learns of it.
                self.given_back(&minted.token);
                return Err(github::Error::new(Kind::Interrupted, "lost"));
            }
            Ok(minted)
        });
        self.state().in_flight.remove(&flight);
        minted.map_err(MintError::GitHub)
    }

    async fn prove(&self, key: &Key, token: &CachedToken) -> Proof {
        let mut dice = self.dice(("prove", key));
        match self.travel(&mut dice).await {
            Err(_) => Proof::Unknown,
            Ok(_) if self.refuses(&token.token) => Proof::Refused,
            Ok(_) => Proof::Works,
        }
    }

    async fn end(&self, token: &Token) -> Result<(), github::Error> {
        // Asked for is done: what GitHub does not hear of ends by itself.
        self.given_back(token);
        let arrived = self.travel(&mut self.dice("end")).await;
        arrived.map(drop)
    }

    fn clock_offset(&self) -> time::Duration {
        let lie = self.trouble() == Trouble::Lies && self.dice("offset").random_bool(0.3);
        if lie {
            time::Duration::hours(self.dice("lie").random_range(-2..=2))
        } else {
            -self.wrong_by()
        }
    }

    fn random(&self) -> f64 {
        self.dice("random").random_range(0.0..1.0)
    }
}

impl Clock for Fake {
    fn now(&self) -> OffsetDateTime {
        self.time() + self.wrong_by()
    }

    fn steady(&self) -> Duration {
        self.0.began.elapsed()
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(sleep(duration))
    }
}
