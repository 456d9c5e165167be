//! The part of a form in which a person chooses repositories.

use std::collections::BTreeSet;

use super::form::Form;
use super::html::escape;
use crate::level::Level;
use crate::seed::Selection;
use crate::world::{App, Meta, World};

/// The repositories of an account that a person can see, by name.
fn choices(world: &World, account: u64, user: u64) -> Vec<&Meta> {
    let metas = world.repositories.values().map(|r| &r.meta);
    let mut shown: Vec<&Meta> =
        metas.filter(|r| r.owner_id == account && world.role(user, r) >= Level::Read).collect();
    shown.sort_by_key(|r| r.name.to_lowercase());
    shown
}

/// The radio buttons and the checkboxes.
pub(super) fn fields(
    world: &World,
    account: u64,
    user: u64,
    selection: Selection,
    chosen: &BTreeSet<u64>,
) -> String {
    let checked = |yes: bool| if yes { " checked" } else { "" };
    let radio = |id: &str, value: &str, text: &str, yes: bool| {
        format!(
            "<label><input type=\"radio\" name=\"repository_selection\" id=\"{id}\" value=\"{value}\"{}> \
             {text}</label>",
            checked(yes)
        )
    };
    let mut html =
        radio("all-repositories", "all", "All repositories", selection == Selection::All);
    html += &radio(
        "selected-repositories",
        "selected",
        "Only select repositories",
        selection == Selection::Selected,
    );
    html += "<div class=\"repositories\">";
    for repo in choices(world, account, user) {
        html += &format!(
            "<label><input type=\"checkbox\" name=\"repository_ids\" id=\"repository-{}\" value=\"{}\"{}> \
             {}</label>",
            escape(&repo.name),
            repo.id,
            checked(chosen.contains(&repo.id)),
            escape(&repo.full_name())
        );
    }
    html + "</div>"
}

/// What was chosen; nothing when only select repositories were wanted and none was selected.
pub(super) fn chosen(
    world: &World,
    account: u64,
    user: u64,
    form: &Form,
) -> Option<(Selection, BTreeSet<u64>)> {
    if form.get("repository_selection") != Some("selected") {
        return Some((Selection::All, BTreeSet::new()));
    }
    let wanted: BTreeSet<u64> = form
        .all("repository_ids")
        .chain(form.all("repository_ids[]"))
        .filter_map(|id| id.parse().ok())
        .collect();
    let visible: BTreeSet<u64> = choices(world, account, user).iter().map(|r| r.id).collect();
    (!wanted.is_empty() && wanted.is_subset(&visible)).then_some((Selection::Selected, wanted))
}

/// What an App asks for, as a person reads it.
pub(super) fn permissions(app: &App) -> String {
    let of = |level: Level, text: &str| {
        let all = app.permissions.iter().filter(|(_, l)| **l == level);
        let names: Vec<String> = all.map(|(name, _)| escape(&name.replace('_', " "))).collect();
        if names.is_empty() {
            String::new()
        } else {
            format!("<li>{text} {}</li>", names.join(", "))
        }
    };
    let list = [
        of(Level::Read, "Read access to"),
        of(Level::Write, "Read and write access to"),
        of(Level::Admin, "Admin access to"),
    ];
    format!("<ul id=\"permissions\">{}</ul>", list.join(""))
}
