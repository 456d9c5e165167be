//! What the execution of one document shares.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::node::Failure;
use crate::git::{Git, Reader};
use crate::http::{Bucket, forbidden, org_gate};
use crate::hub::Hub;
use crate::level::Level;
use crate::world::{Caller, Meta};

/// The caller of a document, and one object reader for each repository it touches.
pub(super) struct Context<'h> {
    pub hub: &'h Hub,
    pub caller: Caller,
    pub bucket: Bucket,
    readers: HashMap<u64, Reader>,
}

impl<'h> Context<'h> {
    pub fn new(hub: &'h Hub, caller: Caller, bucket: Bucket) -> Self {
        Self { hub, caller, bucket, readers: HashMap::new() }
    }

    /// A reader of the repository's objects: one process for the whole document.
    pub fn reader(&mut self, repo: &Meta) -> Result<&mut Reader, Failure> {
        match self.readers.entry(repo.id) {
            Entry::Occupied(reader) => Ok(reader.into_mut()),
            Entry::Vacant(place) => Ok(place.insert(Git::at(&repo.dir).reader()?)),
        }
    }

    /// Lets a mutation's new objects be seen.
    pub fn forget_readers(&mut self) {
        self.readers.clear();
    }

    /// A repository by its name, also by one it had before.
    pub fn repository(&self, owner: &str, name: &str) -> Result<Meta, Failure> {
        let world = self.hub.world();
        let found = world
            .repository(owner, name)
            .or_else(|| world.moved_repository(owner, name))
            .filter(|repo| world.sees(&self.caller, &repo.meta));
        let Some(found) = found else {
            return Err(Failure::not_found(format!(
                "Could not resolve to a Repository with the name '{owner}/{name}'."
            )));
        };
        org_gate(&world, &self.caller, found.meta.owner_id, &self.hub.urls.web)?;
        Ok(found.meta.clone())
    }

    /// A repository by its node id.
    pub fn repository_of_node(&self, node_id: &str) -> Result<Meta, Failure> {
        let unknown = || {
            Failure::not_found(format!(
                "Could not resolve to a node with the global id of '{node_id}'."
            ))
        };
        let (kind, key) = crate::urls::read_node_id(node_id).ok_or_else(unknown)?;
        let key = key.split(':').next().and_then(|key| key.parse::<u64>().ok());
        let world = self.hub.world();
        match key.filter(|_| kind != "User").and_then(|id| world.repositories.get(&id)) {
            Some(repo) if world.sees(&self.caller, &repo.meta) => Ok(repo.meta.clone()),
            _ => Err(unknown()),
        }
    }

    /// Whether the caller has a permission on a repository.
    pub fn need(&self, repo: &Meta, permission: &str, level: Level) -> Result<(), Failure> {
        let granted = self.hub.world().level(&self.caller, repo, permission);
        if granted < level {
            return Err(forbidden(&self.caller).into());
        }
        if level >= Level::Write && repo.archived {
            return Err(Failure::unprocessable("Repository was archived so is read-only."));
        }
        Ok(())
    }
}
