//! What is kept for one key, and every change of it.

use std::{
    sync::{
        Arc, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwapOption;
use time::OffsetDateTime;
use tokio::sync::watch;

use super::{
    error::MintError,
    key::{CachedToken, LEAST_LIFE},
    sync::{Mutex, MutexGuard},
};
use crate::domain::RepoName;

/// How a mint ended, for all who waited.
pub(super) type Minted = Result<Arc<CachedToken>, Arc<MintError>>;
/// Where the outcome of a mint will be.
pub(super) type Outcome = watch::Receiver<Option<Minted>>;

/// A key that nobody used for this long is not renewed.
const IN_USE: time::Duration = time::Duration::minutes(30);
/// A caller that reports every new token, too, costs one mint in this time and not one each call. A new token that is
/// refused so soon is one that GitHub does not know everywhere yet.
const REJECT_EVERY: Duration = Duration::from_secs(10);
/// Wait before a renewal that failed is tried again; it doubles with each failure, up to ...
const RETRY_RENEWAL: Duration = Duration::from_secs(15);
/// ... this: the 15 minutes that are left have room for several.
const RETRY_RENEWAL_AT_MOST: Duration = Duration::from_secs(120);

/// Tokens of a key that are remembered after they were served. A renewal makes two an hour at the most; only whoever reports
/// tokens as refused makes more, and with so many in an hour another new one is no help.
const MOST_REPLACED: usize = 32;

/// What is kept for one key. An entry that was taken out of the map is `retired`, and never used again: a mint that is under
/// way for it then is for nobody.
#[derive(Default)]
pub(super) struct Entry {
    /// The token that is served: read without a lock.
    token: ArcSwapOption<CachedToken>,
    /// Unix seconds of the last use: renewal is only for keys in use.
    used: AtomicI64,
    /// Unix seconds from which on the sweep has something to do here.
    wake_at: AtomicI64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    retired: bool,
    /// The mint under way. Its sender lives as long as its task: one whose sender is gone (it panicked) does not count.
    flight: Option<Outcome>,
    /// Tokens that were served before, which somebody may still have until they end. Not handed out, but ended with the one
    /// that is served.
    replaced: Vec<Arc<CachedToken>>,
    /// The last failure, and until when it answers for GitHub.
    failed: Option<(OffsetDateTime, Arc<MintError>)>,
    /// When its token was last reported as refused.
    rejected: Option<OffsetDateTime>,
    /// Renewals that failed in a row, and until when none is tried.
    setbacks: u32,
    rests_until: Option<OffsetDateTime>,
}

/// What a caller finds who needs a mint.
pub(super) enum Joined {
    /// A token, which has come since the caller looked.
    Has(Arc<CachedToken>),
    /// One is under way.
    Waits(Outcome),
    /// None was: the caller begins one, and tells its outcome.
    Begins(watch::Sender<Option<Minted>>, Outcome),
    /// One failed just now.
    Failed(Arc<MintError>),
    /// The entry is out of the map: there may be another one.
    Retired,
}

/// What the sweep finds.
pub(super) enum Due {
    Nothing,
    /// Its token is to be renewed: the sweep does, and tells the outcome.
    Renewal(watch::Sender<Option<Minted>>),
    /// It has nothing any more, and is retired.
    Retired,
}

impl Entry {
    /// The token that is served, ended or not.
    pub fn token(&self) -> Option<Arc<CachedToken>> {
        self.token.load_full()
    }

    /// Notes a use. Written once a second at most: all callers of a key share its cache line.
    pub fn touch(&self, now: OffsetDateTime) {
        let now = now.unix_timestamp();
        if self.used.load(Ordering::Relaxed) != now {
            self.used.store(now, Ordering::Relaxed);
        }
    }

    /// True if the sweep should look at it.
    pub fn is_awake(&self, now: OffsetDateTime) -> bool {
        self.wake_at.load(Ordering::Relaxed) <= now.unix_timestamp()
    }

    /// Joins the mint that is under way, or begins one, for a token with at least `min_ttl` of life left.
    pub fn join(&self, now: OffsetDateTime, min_ttl: Duration) -> Joined {
        let mut state = self.state();
        if state.retired {
            return Joined::Retired;
        }
        if let Some(token) = self.token().filter(|token| token.lives(now, min_ttl)) {
            return Joined::Has(token);
        }
        if let Some(error) = state.failure(now) {
            return Joined::Failed(error);
        }
        if let Some(outcome) = state.in_flight() {
            return Joined::Waits(outcome);
        }
        self.touch(now);
        let (tell, outcome) = state.begin();
        Joined::Begins(tell, outcome)
    }

    /// Begins a renewal before its time, unless a mint is under way or failed just now, or nobody uses the key.
    pub fn begin_renewal(&self, now: OffsetDateTime) -> Option<watch::Sender<Option<Minted>>> {
        let mut state = self.state();
        let failed = state.failure(now).is_some();
        let free = !state.retired && !failed && state.in_flight().is_none();
        (free && self.is_in_use(now)).then(|| state.begin().0)
    }

    /// Gives a new token to those who wait, before it is served to all. False if the entry was retired meanwhile: nobody
    /// gets it.
    pub fn hand(&self, token: &Arc<CachedToken>, tell: &watch::Sender<Option<Minted>>) -> bool {
        // Under the lock, so that nobody gets it after the entry was retired.
        let state = self.state();
        if !state.retired {
            tell.send_replace(Some(Ok(token.clone())));
        }
        !state.retired
    }

    /// Ends a mint with a token, which is served from now on. False if the entry was retired meanwhile.
    pub fn land(&self, token: Arc<CachedToken>, now: OffsetDateTime) -> bool {
        let mut state = self.state();
        state.flight = None;
        if state.retired {
            return false;
        }
        state.failed = None;
        (state.setbacks, state.rests_until) = (0, None);
        state.replace(self.token.swap(Some(token)));
        self.plan(&state, now);
        true
    }

    /// Ends a mint with a failure. One that will not pass takes the token with it; one that may, and was put off because it can
    /// wait (`ahead`), is not told to those who cannot. False if the entry was retired meanwhile.
    pub fn fail(&self, error: &Arc<MintError>, ahead: bool, now: OffsetDateTime) -> bool {
        let mut state = self.state();
        state.flight = None;
        if state.retired {
            return false;
        }
        if !(ahead && error.is_transient()) {
            state.failed = Some((now + error.answers_for(), error.clone()));
        }
        state.rest(now, error.retry_after());
        if error.is_of_those_before() {
            state.replace(self.token.swap(None));
        }
        self.plan(&state, now);
        true
    }

    /// Ends a renewal whose new token never worked: the old one goes on, and another one is tried later.
    pub fn discard(&self, now: OffsetDateTime) {
        let mut state = self.state();
        state.flight = None;
        state.rest(now, None);
        self.plan(&state, now);
    }

    /// Forgets the token if it is this one. Not again within [`REJECT_EVERY`]: each time costs a mint.
    pub fn reject(&self, hash: &str, now: OffsetDateTime) -> bool {
        let mut state = self.state();
        let is_it = self.token.load().as_ref().is_some_and(|token| *token.hash == *hash);
        let too_often = state.rejected.is_some_and(|at| (now - at).unsigned_abs() < REJECT_EVERY);
        if !is_it || too_often || state.replaced.len() == MOST_REPLACED {
            return false;
        }
        state.rejected = Some(now);
        state.replace(self.token.swap(None));
        self.plan(&state, now);
        true
    }

    /// Forgets the token: what it was for is no longer. It stays known to whoever ends tokens.
    pub fn evict(&self, now: OffsetDateTime) {
        let mut state = self.state();
        state.replace(self.token.swap(None));
        self.plan(&state, now);
    }

    /// A token that lives, also one that was replaced: not to be handed out.
    pub fn any_token(&self, now: OffsetDateTime) -> Option<Arc<CachedToken>> {
        let state = self.state();
        let mut latest_first = self.token().into_iter().chain(state.replaced.iter().rev().cloned());
        latest_first.find(|token| token.lives(now, LEAST_LIFE))
    }

    /// Takes over the name that the token's repository has now.
    pub fn rename(&self, name: &RepoName) {
        let _alone = self.state();
        let named = |token: &Arc<CachedToken>| {
            token.repository.as_ref().is_some_and(|old| old.as_str() == name.as_str())
        };
        if let Some(token) = self.token().filter(|token| !named(token)) {
            let repository = Some(name.clone());
            self.token.store(Some(Arc::new(CachedToken { repository, ..(*token).clone() })));
        }
    }

    /// Forgets the last failure if it is one that is `mended`.
    pub fn forgive(&self, mended: impl Fn(&MintError) -> bool, now: OffsetDateTime) {
        let mut state = self.state();
        if state.failed.take_if(|(_, error)| mended(error)).is_some() {
            self.plan(&state, now);
        }
    }

    /// Takes everything away: the tokens that were served, those that were renewed and have not ended too. A mint that is under
    /// way will not be served.
    pub fn retire(&self) -> Vec<Arc<CachedToken>> {
        let mut state = self.state();
        state.retired = true;
        let mut tokens = std::mem::take(&mut state.replaced);
        tokens.extend(self.token.swap(None));
        tokens
    }

    /// Remembers tokens that an entry before this one had.
    pub fn remember(&self, tokens: Vec<Arc<CachedToken>>, now: OffsetDateTime) {
        let mut state = self.state();
        tokens.into_iter().for_each(|token| state.replace(Some(token)));
        self.plan(&state, now);
    }

    /// Drops what has ended, and says what is to be done.
    pub fn tidy(&self, now: OffsetDateTime) -> Due {
        let mut state = self.state();
        if self.token.load().as_ref().is_some_and(|token| token.ends_at <= now) {
            state.replace(self.token.swap(None));
        }
        state.replaced.retain(|token| now < token.surely_ended_at());
        state.failed.take_if(|(until, _)| *until <= now);
        let token = self.token();
        if state.in_flight().is_some() {
            self.wake_at.store(now.unix_timestamp(), Ordering::Relaxed);
            return Due::Nothing;
        }
        if token.is_none() && state.replaced.is_empty() && state.failed.is_none() {
            state.retired = true;
            return Due::Retired;
        }
        self.plan(&state, now);
        let rests = state.rests_until.is_some_and(|until| now < until) || state.failed.is_some();
        let renew = !rests && token.is_some_and(|token| token.is_due(now)) && self.is_in_use(now);
        if renew { Due::Renewal(state.begin().0) } else { Due::Nothing }
    }

    fn is_in_use(&self, now: OffsetDateTime) -> bool {
        now.unix_timestamp() - self.used.load(Ordering::Relaxed) <= IN_USE.whole_seconds()
    }

    /// Plans when the sweep looks again: never too late, and a little too early does no harm.
    fn plan(&self, state: &State, now: OffsetDateTime) {
        let token = self.token.load();
        let renewal = token.as_ref().map(|token| state.rests_until.unwrap_or(token.renew_at));
        let ends = token.as_ref().map(|token| token.ends_at);
        let replaced = state.replaced.iter().map(|before| before.surely_ended_at()).min();
        let failed = state.failed.as_ref().map(|(until, _)| *until);
        let first = [renewal, ends, replaced, failed].into_iter().flatten().min();
        self.wake_at.store(first.unwrap_or(now).unix_timestamp(), Ordering::Relaxed);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Held for some assignments, never across an await; and by nobody who holds a part of the map.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn begin(&mut self) -> (watch::Sender<Option<Minted>>, Outcome) {
        let (tell, outcome) = watch::channel(None);
        self.flight = Some(outcome.clone());
        (tell, outcome)
    }

    fn in_flight(&self) -> Option<Outcome> {
        self.flight.as_ref().filter(|outcome| outcome.has_changed().is_ok()).cloned()
    }

    /// The last failure, while it answers in place of GitHub.
    fn failure(&self, now: OffsetDateTime) -> Option<Arc<MintError>> {
        let (until, error) = self.failed.as_ref()?;
        (now < *until).then(|| error.clone())
    }

    /// Keeps a token that is not served any more. Only the last ones: more are those of an installation that comes and goes.
    fn replace(&mut self, before: Option<Arc<CachedToken>>) {
        let Some(before) = before else { return };
        if self.replaced.len() == MOST_REPLACED {
            self.replaced.remove(0);
        }
        self.replaced.push(before);
    }

    /// No renewal for a while: longer with each failure in a row, and as long as GitHub says.
    fn rest(&mut self, now: OffsetDateTime, at_least: Option<Duration>) {
        let doubled = RETRY_RENEWAL.saturating_mul(1 << self.setbacks.min(8));
        let rest = doubled.min(RETRY_RENEWAL_AT_MOST).max(at_least.unwrap_or_default());
        self.setbacks = self.setbacks.saturating_add(1);
        self.rests_until = Some(now + rest);
    }
}
