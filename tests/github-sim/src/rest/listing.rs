//! Which repositories a list of them shows, and in which order.

use std::cmp::Reverse;

use crate::http::{Call, Refusal};
use crate::world::{Meta, World};

fn wrong(name: &str, value: &str) -> Refusal {
    Refusal::new(422, format!("Validation Failed: {value:?} is not a value of {name}."))
}

/// A parameter that takes one of a few words.
fn word<'a>(
    call: &'a Call<'_>,
    name: &str,
    known: &[&str],
    default: &'a str,
) -> Result<&'a str, Refusal> {
    let value = call.query(name).unwrap_or(default);
    if known.contains(&value) { Ok(value) } else { Err(wrong(name, value)) }
}

/// Sorts as `sort` and `direction` say: names ascend by themselves, times descend.
pub(super) fn sort(
    call: &Call<'_>,
    all: &mut [&Meta],
    default: &'static str,
) -> Result<(), Refusal> {
    let by = word(call, "sort", &["created", "updated", "pushed", "full_name"], default)?;
    match by {
        "full_name" => all.sort_by_key(|r| r.full_name().to_lowercase()),
        "created" => all.sort_by_key(|r| Reverse((r.created_at, r.id))),
        _ => all.sort_by_key(|r| Reverse((r.pushed_at, r.id))),
    }
    let natural = if by == "full_name" { "asc" } else { "desc" };
    if word(call, "direction", &["asc", "desc"], natural)? != natural {
        all.reverse();
    }
    Ok(())
}

/// How a person came to a repository.
fn affiliation(world: &World, user: u64, repo: &Meta) -> &'static str {
    if repo.owner_id == user {
        "owner"
    } else if repo.collaborators.contains_key(&user) {
        "collaborator"
    } else if world.accounts.get(&repo.owner_id).and_then(|a| a.role_of(user)).is_some() {
        "organization_member"
    } else {
        ""
    }
}

/// Which of a person's repositories `GET /user/repos` shows.
pub(super) struct Wanted<'a> {
    user: u64,
    visibility: &'a str,
    affiliations: Vec<&'a str>,
}

impl<'a> Wanted<'a> {
    /// `type` says in one word what `visibility` and `affiliation` say in two, and so excludes them.
    pub fn of(call: &'a Call<'_>, user: u64) -> Result<Self, Refusal> {
        let types = ["all", "owner", "public", "private", "member"];
        let kind = word(call, "type", &types, "all")?;
        let visibility = word(call, "visibility", &["all", "public", "private"], "all")?;
        let known = ["owner", "collaborator", "organization_member"];
        let affiliations: Vec<&str> = match call.query("affiliation") {
            Some(list) => list.split(',').map(str::trim).collect(),
            None => known.to_vec(),
        };
        if let Some(odd) = affiliations.iter().find(|a| !known.contains(a)) {
            return Err(wrong("affiliation", odd));
        }
        let apart = call.query("visibility").or(call.query("affiliation")).is_some();
        if call.query("type").is_some() && apart {
            let text = "If you specify visibility or affiliation, you cannot specify type.";
            return Err(Refusal::new(422, text));
        }
        Ok(match kind {
            "owner" => Self { user, visibility, affiliations: vec!["owner"] },
            "member" => {
                Self { user, visibility, affiliations: vec!["collaborator", "organization_member"] }
            }
            "all" => Self { user, visibility, affiliations },
            visibility => Self { user, visibility, affiliations },
        })
    }

    pub fn shows(&self, world: &World, repo: &Meta) -> bool {
        let visibility = if repo.private { "private" } else { "public" };
        (self.visibility == "all" || self.visibility == visibility)
            && self.affiliations.contains(&affiliation(world, self.user, repo))
    }
}
