//! What every request shares: the world, the clock, the faults and the log.

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::clock::SimClock;
use crate::fault::Faults;
use crate::hooks::Hooks;
use crate::http::Rates;
use crate::seen::Log;
use crate::urls::Urls;
use crate::world::World;

/// The simulator behind its port.
#[derive(Debug)]
pub(crate) struct Hub {
    world: Mutex<World>,
    pub clock: SimClock,
    pub faults: Faults,
    pub log: Log,
    pub rates: Rates,
    pub hooks: Hooks,
    pub urls: Urls,
    /// Where the git repositories lie.
    pub root: PathBuf,
}

impl Hub {
    /// Within a runtime, on which webhooks are delivered.
    pub fn new(clock: SimClock, urls: Urls, root: PathBuf, chatty: bool) -> Self {
        Self {
            world: Mutex::new(World::default()),
            clock,
            faults: Faults::default(),
            log: Log::new(chatty),
            rates: Rates::default(),
            hooks: Hooks::new(),
            urls,
            root,
        }
    }

    /// The state. The guard must not live across an await or a git process.
    pub fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// GitHub's own time: the simulator's, moved by the skew.
    pub fn github_time(&self) -> i64 {
        let skew = self.world().skew;
        self.clock.seconds() + skew
    }
}
