//! Which keys count, and when they are read again.

use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwapOption;
use time::{Duration, OffsetDateTime};
use tokio::sync::watch;

use super::{keys::Keys, source::Source};
use crate::{auth::Refused, domain::Clock};

/// Keys that are older are read again while they are used: a key that the issuer took back is refused after this.
const REFRESH_AFTER: Duration = Duration::minutes(10);
/// Keys that are older are not used: the source was away for so long that a key may have been taken back for a reason.
/// Shorter than the life of most tokens, longer than an API server is away for its upgrade.
const USABLE_FOR: Duration = Duration::hours(1);
/// No more than one attempt in so long: anybody can send tokens with invented keys, and the source is not ours.
const BETWEEN_READS: Duration = Duration::seconds(10);

/// An issuer's keys. The last ones that were read are kept, for [`USABLE_FOR`] at most while the source cannot be read.
pub(in crate::auth) struct Cache {
    inner: Arc<Inner>,
}

struct Inner {
    source: Source,
    clock: Arc<dyn Clock>,
    kept: ArcSwapOption<Kept>,
    /// A std mutex: no await while it is held.
    reads: Mutex<Reads>,
}

struct Kept {
    keys: Arc<Keys>,
    read_at: OffsetDateTime,
}

#[derive(Default)]
struct Reads {
    /// When the last one began.
    last: Option<OffsetDateTime>,
    /// How it ended.
    failed: bool,
    /// Closed when its task has ended, however that was.
    running: Option<watch::Receiver<()>>,
}

impl Cache {
    pub(in crate::auth) fn new(source: Source, clock: Arc<dyn Clock>) -> Self {
        let inner = Inner { source, clock, kept: ArcSwapOption::empty(), reads: Mutex::default() };
        Self { inner: Arc::new(inner) }
    }

    /// The keys to use now. Waits for the source only if there are none that may be used.
    pub(in crate::auth) async fn keys(&self) -> Result<Arc<Keys>, Refused> {
        let kept = self.inner.usable();
        if kept.as_ref().is_some_and(|kept| self.inner.age(kept.read_at) < REFRESH_AFTER) {
            return kept.map(|kept| kept.keys.clone()).ok_or(Refused::KeysUnavailable);
        }
        let running = self.read();
        if let Some(kept) = kept {
            return Ok(kept.keys.clone());
        }
        ended(running).await;
        let kept = self.inner.usable().ok_or(Refused::KeysUnavailable)?;
        Ok(kept.keys.clone())
    }

    /// The keys after one more look at the source, for a token whose key is not among those of [`Cache::keys`]. If the
    /// last look was a moment ago, its result counts.
    pub(in crate::auth) async fn newest(&self) -> Result<Arc<Keys>, Refused> {
        ended(self.read()).await;
        if self.inner.reads().failed {
            return Err(Refused::KeysUnavailable);
        }
        self.keys().await
    }

    /// Begins to read, unless somebody does or did so a moment ago. It is a task of its own: a caller that gives up
    /// takes nothing from the others.
    fn read(&self) -> Option<watch::Receiver<()>> {
        let now = self.inner.clock.now();
        let mut reads = self.inner.reads();
        if let Some(running) = reads.running.as_ref().filter(|running| is_open(running)) {
            return Some(running.clone());
        }
        if reads.last.is_some_and(|last| (now - last).abs() < BETWEEN_READS) {
            return None;
        }
        let (done, running) = watch::channel(());
        // Said before it is known, for the case that the task does not live to say it.
        *reads = Reads { last: Some(now), failed: true, running: Some(running.clone()) };
        let inner = self.inner.clone();
        tokio::spawn(async move {
            inner.read(now).await;
            drop(done);
        });
        Some(running)
    }
}

impl Inner {
    async fn read(&self, now: OffsetDateTime) {
        match self.source.read(&*self.clock).await {
            Ok(keys) => {
                let (usable, unusable) = (keys.len(), keys.unusable());
                if keys.is_empty() {
                    tracing::warn!(
                        unusable,
                        "the issuer lists no key that ServiceAccount tokens could be checked with: all are refused"
                    );
                } else {
                    tracing::debug!(usable, unusable, "read the keys of ServiceAccount tokens");
                }
                self.kept.store(Some(Arc::new(Kept { keys: Arc::new(keys), read_at: now })));
                self.reads().failed = false;
            }
            Err(failure) => {
                let age = self.kept.load().as_ref().map(|kept| self.age(kept.read_at));
                tracing::warn!(
                    %failure,
                    age_s = age.map(Duration::whole_seconds),
                    usable_for_s = USABLE_FOR.whole_seconds(),
                    "cannot read the keys of ServiceAccount tokens; those from before stay in use for a while"
                );
            }
        }
    }

    fn usable(&self) -> Option<Arc<Kept>> {
        self.kept.load_full().filter(|kept| self.age(kept.read_at) < USABLE_FOR)
    }

    /// How long ago `time` was. A clock that was set back must not make keys last longer.
    fn age(&self, time: OffsetDateTime) -> Duration {
        (self.clock.now() - time).abs()
    }

    fn reads(&self) -> std::sync::MutexGuard<'_, Reads> {
        self.reads.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_open(running: &watch::Receiver<()>) -> bool {
    running.has_changed().is_ok()
}

async fn ended(running: Option<watch::Receiver<()>>) {
    if let Some(mut running) = running {
        // Nothing is ever sent: an error is the end.
        while running.changed().await.is_ok() {}
    }
}
