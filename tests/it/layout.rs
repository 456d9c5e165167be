//! The layers of `src/lib.rs`, kept by reading the code: who may use whom, and which library lives where.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// What each module may name of the others. Nothing is to the left of itself in the picture of lib.rs.
fn allowed() -> BTreeMap<&'static str, &'static [&'static str]> {
    BTreeMap::from([
        ("main", &["cli"][..]),
        ("cli", &["app", "client", "config", "domain", "telemetry"]),
        ("client", &["auth", "domain", "proto", "telemetry"]),
        (
            "app",
            &[
                "audit", "auth", "broker", "config", "domain", "github", "http", "metrics", "rpc",
                "store",
            ],
        ),
        ("config", &["audit", "auth", "crypto", "domain", "github", "store"]),
        ("telemetry", &["config", "json"]),
        ("rpc", &["audit", "auth", "broker", "domain", "proto", "telemetry"]),
        ("http", &["auth", "broker", "domain", "metrics", "telemetry"]),
        ("broker", &["audit", "crypto", "domain", "github", "metrics", "store"]),
        ("github", &["domain", "metrics"]),
        ("store", &["domain"]),
        ("crypto", &["domain"]),
        ("auth", &["domain"]),
        ("audit", &["domain", "json"]),
        ("metrics", &[]),
        ("domain", &[]),
        ("json", &[]),
        ("proto", &[]),
    ])
}

/// Libraries, and the process's environment, that stay in their rooms.
const ROOMS: [(&str, &[&str]); 9] = [
    ("env::", &["config"]),
    ("reqwest::", &["github", "auth"]),
    ("sea_orm::", &["store"]),
    ("tonic::", &["rpc", "app", "client", "proto"]),
    ("axum::", &["http"]),
    ("hyper", &["http"]),
    ("prometheus_client::", &["metrics"]),
    ("jsonwebtoken::", &["github", "auth"]),
    ("dashmap::", &["auth", "broker", "rpc", "store"]),
];

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

/// (module, file, production part of its text) of every file of the broker.
fn modules() -> Vec<(String, String, String)> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut modules = Vec::new();
    for file in sources(&src) {
        let place = file.strip_prefix(&src).unwrap().to_string_lossy().into_owned();
        let module = place.split('/').next().unwrap().trim_end_matches(".rs").to_owned();
        let text = fs::read_to_string(&file).unwrap();
        let production = text.split("#[cfg(test)]\nmod tests").next().unwrap();
        let code: Vec<&str> =
            production.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
        modules.push((module, place, code.join("\n")));
    }
    modules
}

/// Top-level modules that a file names after `crate::`, in braces too.
fn named(code: &str) -> Vec<String> {
    let mut names = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        let list = match rest.strip_prefix('{') {
            Some(inside) => top_level(inside),
            None => vec![rest.to_owned()],
        };
        let word = |text: &String| {
            text.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
        };
        names.extend(list.iter().map(word));
    }
    names
}

/// The items of a braced list, those of inner braces left with theirs.
fn top_level(inside: &str) -> Vec<String> {
    let (mut depth, mut items) = (0, vec![String::new()]);
    for c in inside.chars() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => items.push(String::new()),
            _ => items.last_mut().unwrap().push(c),
        }
    }
    items.retain(|item| !item.trim().is_empty());
    items
}

#[test]
fn modules_use_only_what_is_to_their_right() {
    let allowed = allowed();
    let mut wrong = Vec::new();
    for (module, file, code) in modules().into_iter().filter(|(module, ..)| module != "lib") {
        let may = allowed
            .get(module.as_str())
            .unwrap_or_else(|| panic!("{module} is not in the picture"));
        let names = named(&code.replace("ghbroker::", "crate::"));
        for name in
            names.into_iter().filter(|name| *name != module && !may.contains(&name.as_str()))
        {
            wrong.push(format!("{file} uses {name}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn libraries_stay_in_their_rooms() {
    let mut wrong = Vec::new();
    for (module, file, code) in modules() {
        for (library, rooms) in ROOMS {
            if code.contains(library) && !rooms.contains(&module.as_str()) {
                wrong.push(format!("{file} names {library}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_check_sees_what_it_looks_for() {
    assert_eq!(
        named("use crate::{domain::{A, B}, github::{self, Kind}};\ncrate::store::X"),
        ["domain", "github", "store"]
    );
}
