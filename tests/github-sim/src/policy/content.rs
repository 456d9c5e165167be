//! Rules about what is pushed: GitHub calls them push rules.

use super::pushed::{Pushed, violations};
use crate::world::{Rule, matches_glob};

/// A megabyte of `max_file_size`.
const MEGABYTE: usize = 1024 * 1024;

/// GitHub's sentence, with the paths, when a file breaks the rule.
pub(super) fn broken(rule: &Rule, pushed: &Pushed) -> Option<String> {
    match rule {
        Rule::FilePathRestriction(restricted) => {
            let within = |path: &str| restricted.iter().any(|pattern| matches_glob(pattern, path));
            told("File path is restricted", pushed, |path, _| within(path))
        }
        Rule::MaxFilePathLength(most) => {
            let sentence = format!("File path length exceeds the limit of {most} characters");
            told(&sentence, pushed, |path, size| size.is_some() && path.chars().count() > *most)
        }
        Rule::FileExtensionRestriction(list) => {
            let ends =
                |path: &str| list.iter().any(|one| path.ends_with(one.trim_start_matches('*')));
            told("File extension is restricted", pushed, |path, size| size.is_some() && ends(path))
        }
        Rule::MaxFileSize(most) => {
            let sentence = format!("File size exceeds the limit of {most} MB");
            told(&sentence, pushed, |_, size| size.is_some_and(|size| size > most * MEGABYTE))
        }
        _ => None,
    }
}

fn told(
    sentence: &str,
    pushed: &Pushed,
    breaks: impl Fn(&str, Option<usize>) -> bool,
) -> Option<String> {
    if pushed.unreadable {
        return Some(sentence.to_owned());
    }
    let files = pushed.files.iter().filter(|file| breaks(&file.path, file.size));
    violations(sentence, files.map(|file| file.path.as_str()))
}
