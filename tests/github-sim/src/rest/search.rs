//! Search: words and a few qualifiers, over what the caller can see.

use serde_json::{Value, json};

use super::{issues, view};
use crate::http::{Call, Outcome, Page, Refusal};
use crate::level::Level;
use crate::world::Meta;

/// A query: words, and `name:value` qualifiers.
struct Query {
    words: Vec<String>,
    qualifiers: Vec<(String, String)>,
}

impl Query {
    fn of(call: &Call<'_>) -> Result<Self, Refusal> {
        let text = call.query("q").ok_or_else(|| Refusal::invalid("Search", "q", "missing"))?;
        let mut query = Self { words: Vec::new(), qualifiers: Vec::new() };
        for part in text.split_whitespace() {
            match part.split_once(':') {
                Some((name, value)) => {
                    query.qualifiers.push((name.to_owned(), value.trim_matches('"').to_owned()));
                }
                None => query.words.push(part.trim_matches('"').to_lowercase()),
            }
        }
        Ok(query)
    }

    fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.qualifiers.iter().filter(move |(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    /// The repositories that the query names and the caller can read.
    ///
    /// # Errors
    /// When it names some and none of them can be read.
    fn repositories(&self, call: &Call<'_>, permission: &str) -> Result<Vec<Meta>, Refusal> {
        let world = call.hub.world();
        let owners: Vec<&str> = self.all("user").chain(self.all("org")).collect();
        let names: Vec<&str> = self.all("repo").collect();
        let found: Vec<Meta> = world
            .repositories
            .values()
            .map(|r| &r.meta)
            .filter(|r| world.level(&call.caller, r, permission) >= Level::Read)
            .filter(|r| {
                let named = names.iter().any(|name| name.eq_ignore_ascii_case(&r.full_name()));
                let owned = owners.iter().any(|owner| owner.eq_ignore_ascii_case(&r.owner));
                named || owned || (names.is_empty() && owners.is_empty())
            })
            .cloned()
            .collect();
        if found.is_empty() && !(names.is_empty() && owners.is_empty()) {
            return Err(Refusal::new(422, "Validation Failed").because(json!({
                "resource": "Search", "field": "q", "code": "invalid",
                "message": "The listed users and repositories cannot be searched either because the \
                            resources do not exist or you do not have permission to view them.",
            })));
        }
        Ok(found)
    }
}

/// Files on the default branches that hold every word.
pub(super) fn code(call: &Call<'_>) -> Outcome {
    let query = Query::of(call)?;
    if query.words.is_empty() {
        return Err(Refusal::invalid("Search", "q", "missing"));
    }
    let mut found = Vec::new();
    for repo in query.repositories(call, "contents")? {
        let git = crate::git::Git::at(&repo.dir);
        let Some(head) = git.head(&repo.default_branch) else { continue };
        let mut args = vec!["grep", "-l", "-i", "-F", "-z", "--all-match"];
        for word in &query.words {
            args.extend(["-e", word]);
        }
        args.push(&head);
        // Nothing found exits 1.
        let listing = git.run(&args).unwrap_or_default();
        let listing = String::from_utf8_lossy(&listing).into_owned();
        let paths = listing.split_terminator('\0').filter_map(|p| p.split_once(':').map(|p| p.1));
        for path in paths.filter(|path| matches(&query, path)) {
            let oid = git.text(&["rev-parse", &format!("{head}:{path}")])?;
            let api = view::api(&call.hub.urls, &repo);
            let world = call.hub.world();
            found.push(json!({
                "name": path.rsplit('/').next(), "path": path, "sha": oid,
                "url": format!("{api}/contents/{path}?ref={head}"),
                "git_url": format!("{api}/git/blobs/{oid}"),
                "html_url": format!("{}/blob/{head}/{path}", view::page(&call.hub.urls, &repo)),
                "repository": view::repository(&world, &call.hub.urls, &repo, &call.caller),
                "score": 1.0,
            }));
        }
    }
    Ok(Page::of(call, found).answer_as("items", json!({"incomplete_results": false})))
}

fn matches(query: &Query, path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    query.all("path").all(|wanted| path.starts_with(wanted))
        && query.all("filename").all(|wanted| name.contains(wanted))
        && query.all("extension").all(|wanted| name.ends_with(&format!(".{wanted}")))
}

/// Issues and pull requests whose titles or bodies hold every word.
pub(super) fn issues(call: &Call<'_>) -> Outcome {
    let query = Query::of(call)?;
    let mut found: Vec<Value> = Vec::new();
    for repo in query.repositories(call, "issues")? {
        let world = call.hub.world();
        let Some(repository) = world.repositories.get(&repo.id) else { continue };
        for issue in repository.issues.values() {
            let text = format!("{} {}", issue.title, issue.body.as_deref().unwrap_or_default());
            let text = text.to_lowercase();
            let fits = query.words.iter().all(|word| text.contains(word.as_str()))
                && query.all("is").chain(query.all("type")).chain(query.all("state")).all(|is| {
                    match is {
                        "open" => issue.open,
                        "closed" => !issue.open,
                        "pr" => issue.pull.is_some(),
                        "issue" => issue.pull.is_none(),
                        "merged" => issue.pull.as_ref().is_some_and(|p| p.merged_at.is_some()),
                        _ => true,
                    }
                })
                && query.all("label").all(|label| issue.labels.iter().any(|l| l == label))
                && query.all("head").all(|h| issue.pull.as_ref().is_some_and(|p| p.head == h))
                && query.all("base").all(|b| issue.pull.as_ref().is_some_and(|p| p.base == b));
            if fits {
                let mut shown = issues::show(&world, &call.hub.urls, &repo, issue);
                shown["score"] = json!(1.0);
                found.push(shown);
            }
        }
    }
    let rest = json!({"incomplete_results": false, "search_type": "lexical"});
    Ok(Page::of(call, found).answer_as("items", rest))
}
