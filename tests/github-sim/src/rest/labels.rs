//! Labels of repositories and issues.

use serde_json::{Value, json};

use super::{issues, view};
use crate::http::{Answer, Call, Outcome, Page, Refusal, encode};
use crate::urls::{Urls, node_id};
use crate::world::{Label, Meta, World};

/// The color of a label that is made on the way.
const GREY: &str = "ededed";
/// The longest name, in characters.
const LONGEST_NAME: usize = 50;

/// GitHub's `label`.
pub(super) fn show(urls: &Urls, repo: &Meta, label: &Label) -> Value {
    json!({
        "id": label.id, "node_id": node_id("Label", &label.id.to_string()),
        "url": format!("{}/labels/{}", view::api(urls, repo), encode(&label.name)),
        "name": label.name, "color": label.color, "default": false, "description": label.description,
    })
}

/// Makes the labels that the repository does not have, as GitHub does when they are put on an issue. A name in another case is the
/// same label: the names come back as the repository has them.
pub(super) fn ensure(
    world: &mut World,
    repository: u64,
    names: &[String],
) -> Result<Vec<String>, Refusal> {
    if names.iter().any(|name| name.chars().count() > LONGEST_NAME) {
        return Err(Refusal::custom(
            "Label",
            format!("name is too long (maximum is {LONGEST_NAME} characters)"),
        ));
    }
    if names.iter().any(|name| name.trim().is_empty()) {
        return Err(Refusal::invalid("Label", "name", "missing_field"));
    }
    let mut known = Vec::new();
    for name in names {
        let id = world.fresh_id();
        let repository = world.repositories.get_mut(&repository).ok_or_else(Refusal::not_found)?;
        let label = repository.labels.iter().find(|label| same(&label.name, name));
        known.push(label.map_or(name, |label| &label.name).clone());
        if label.is_none() {
            let (name, color) = (name.clone(), GREY.to_owned());
            repository.labels.push(Label { id, name, color, description: None });
        }
    }
    Ok(known)
}

fn same(one: &str, other: &str) -> bool {
    one.to_lowercase() == other.to_lowercase()
}

pub(super) fn list(call: &Call<'_>) -> Outcome {
    let repo = call.repo()?;
    let world = call.hub.world();
    let labels = world.repositories.get(&repo.id).map(|r| r.labels.as_slice()).unwrap_or_default();
    let shown = labels.iter().map(|label| show(&call.hub.urls, repo, label)).collect();
    Ok(Page::of(call, shown).answer())
}

pub(super) fn get(call: &Call<'_>) -> Outcome {
    let repo = call.repo()?;
    let world = call.hub.world();
    let name = call.param("name");
    let label = world
        .repositories
        .get(&repo.id)
        .and_then(|r| r.labels.iter().find(|label| label.name.eq_ignore_ascii_case(name)))
        .ok_or_else(Refusal::not_found)?;
    Ok(Answer::ok(show(&call.hub.urls, repo, label)))
}

pub(super) fn create(call: &Call<'_>) -> Outcome {
    let input = call.input()?;
    let repo = call.repo()?;
    let name = input.needed_text("name")?.to_owned();
    let color = input.text("color")?.unwrap_or(GREY).to_owned();
    if color.len() != 6 || !color.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(Refusal::invalid("Label", "color", "invalid"));
    }
    let description = input.text("description")?.map(str::to_owned);
    let mut world = call.hub.world();
    let id = world.fresh_id();
    let repository = world.repositories.get_mut(&repo.id).ok_or_else(Refusal::not_found)?;
    if repository.labels.iter().any(|label| label.name.eq_ignore_ascii_case(&name)) {
        return Err(Refusal::invalid("Label", "name", "already_exists"));
    }
    let label = Label { id, name, color, description };
    repository.labels.push(label.clone());
    Ok(Answer::created(show(&call.hub.urls, repo, &label)))
}

fn answer(call: &Call<'_>) -> Outcome {
    let repo = call.repo()?;
    let shown =
        issues::with(call, |world, issue| issues::labels(world, &call.hub.urls, repo, issue))?;
    Ok(Answer::ok(Value::Array(shown)))
}

pub(super) fn of_issue(call: &Call<'_>) -> Outcome {
    answer(call)
}

/// The names in the request, whose labels are made when they are missing.
fn wanted(call: &Call<'_>) -> Result<Vec<String>, Refusal> {
    let names = call.input()?.texts("labels")?.unwrap_or_default();
    issues::with(call, |_, _| ())?;
    ensure(&mut call.hub.world(), call.repo()?.id, &names)
}

pub(super) fn add(call: &Call<'_>) -> Outcome {
    let names = wanted(call)?;
    issues::change(call, |issue| {
        for name in names {
            if !issue.labels.contains(&name) {
                issue.labels.push(name);
            }
        }
        Ok(())
    })?;
    answer(call)
}

pub(super) fn set(call: &Call<'_>) -> Outcome {
    let names = wanted(call)?;
    issues::change(call, |issue| {
        issue.labels = names;
        Ok(())
    })?;
    answer(call)
}

pub(super) fn remove(call: &Call<'_>) -> Outcome {
    let name = call.param("name");
    issues::change(call, |issue| {
        let place = issue.labels.iter().position(|label| label.eq_ignore_ascii_case(name));
        let place = place.ok_or_else(|| Refusal::new(404, "Label does not exist"))?;
        issue.labels.remove(place);
        Ok(())
    })?;
    answer(call)
}
