//! Tokens from GitHub.

use super::{
    error::MintError,
    key::{CachedToken, Key},
    source::{Proof, Source},
};
use crate::{
    domain::{InstallationId, Permissions, Token},
    github::{self, GitHub, Kind, MintedToken, RepoScope},
};

impl Source for GitHub {
    async fn mint(&self, key: &Key, ahead: bool) -> Result<MintedToken, MintError> {
        let github = if ahead { self.in_background() } else { self.clone() };
        mint(&github, key.installation, RepoScope::Ids(&[key.repository]), key.permissions).await
    }

    async fn prove(&self, key: &Key, token: &CachedToken) -> Proof {
        // Where GitHub did not name the repository there is nothing to read by.
        let Some(name) = &token.repository else { return Proof::Unknown };
        if !self.spare(key.installation) {
            // What is left of its quota is for its callers.
            return Proof::Unknown;
        }
        match self.in_background().repository_for(&token.token, false, name).await {
            Ok(found) if found.id == key.repository => Proof::Works,
            Ok(_) => Proof::Refused,
            Err(error)
                if matches!(error.kind, Kind::Unauthorized | Kind::Forbidden | Kind::NotFound) =>
            {
                Proof::Refused
            }
            Err(_) => Proof::Unknown,
        }
    }

    async fn end(&self, token: &Token) -> Result<(), github::Error> {
        self.in_background().revoke(token).await
    }

    fn clock_offset(&self) -> time::Duration {
        GitHub::clock_offset(self)
    }
}

/// One mint, with its refusal sorted.
pub(in crate::broker) async fn mint(
    github: &GitHub,
    installation: InstallationId,
    scope: RepoScope<'_>,
    permissions: Permissions,
) -> Result<MintedToken, MintError> {
    let refused = match github.mint(installation, scope, permissions).await {
        Ok(minted) => return Ok(minted),
        Err(refused) => refused,
    };
    if !matches!(refused.kind, Kind::Invalid | Kind::Forbidden | Kind::RepositoryNotAccessible) {
        return Err(MintError::GitHub(refused));
    }
    // The refusal does not say in a dependable way whether a permission or the repository is missing: the
    // installation does.
    match github.installation(installation).await {
        Ok(found) => match permissions.missing_from(found.permissions) {
            Permissions::NONE => Err(MintError::NotAccessible { refused, moved: Box::default() }),
            missing => Err(MintError::NotGranted { missing, refused }),
        },
        Err(error) => Err(MintError::GitHub(error)),
    }
}
