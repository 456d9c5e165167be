//! What the simulator saw, and whether all is well at the end of a test.

use super::Sim;
use crate::git::Git;
use crate::seen::Seen;
use crate::world::Meta;

/// What the simulator saw.
impl Sim {
    /// All requests in the order in which they came.
    pub fn requests(&self) -> Vec<Seen> {
        self.hub.log.all()
    }

    /// How many requests of a route have come, such as
    /// `POST /app/installations/{installation_id}/access_tokens`.
    pub fn count(&self, route: &str) -> usize {
        self.hub.log.all().iter().filter(|seen| seen.is_of(route)).count()
    }

    /// The routes and GraphQL fields that were asked for and are not simulated.
    pub fn unknown_routes(&self) -> Vec<String> {
        self.hub.log.unknowns()
    }

    /// Checks at the end of a test that nothing was asked for that is not simulated, and that every
    /// repository is sound.
    ///
    /// # Panics
    /// When something unknown was called, or `git fsck --strict` finds a fault.
    pub fn finish(self) {
        let unknown = self.unknown_routes();
        assert!(unknown.is_empty(), "not simulated: {}", unknown.join(", "));
        self.fsck();
    }

    /// Runs `git fsck --strict` on every repository.
    ///
    /// # Panics
    /// When it finds a fault.
    pub fn fsck(&self) {
        let world = self.hub.world();
        let repos: Vec<Meta> = world.repositories.values().map(|r| r.meta.clone()).collect();
        drop(world);
        for repo in repos {
            let checked = Git::at(&repo.dir).run(&["fsck", "--strict", "--full"]);
            if let Err(error) = checked {
                panic!("{}: {error}", repo.full_name());
            }
        }
    }
}
