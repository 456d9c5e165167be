//! Paths that decide what runs with a repository's own power.

use super::{
    RepoPath,
    path::{folded, is_short_name},
};

/// True for files that a service which commits generated code has no business with: whoever writes them can run code
/// with the repository's secrets, or change who must review what. So are names that a file system takes for theirs:
/// whoever checks such a commit out and commits all would write them.
pub fn is_protected(path: &RepoPath) -> bool {
    let mut parts: Vec<String> = path.as_str().split('/').map(folded).collect();
    if let Some(first) = parts.first_mut().filter(|first| is_short_name(first, "github")) {
        *first = ".github".to_owned();
    }
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    match parts.as_slice() {
        [".github"] => true,
        [".github", "workflows" | "actions" | "chainguard", ..] => true,
        [".github", "minty.yaml" | "dependabot.yml" | "dependabot.yaml" | "codeowners"] => true,
        // A short name, of whichever of them.
        [".github", inside, ..] => inside.contains('~'),
        ["codeowners"] | ["docs", "codeowners"] => true,
        [name] | ["docs", name] => is_short_name(name, "codeow"),
        _ => false,
    }
}

/// True for files that GitHub takes only with the permission `workflows`.
pub fn is_workflow(path: &RepoPath) -> bool {
    path.as_str().starts_with(".github/workflows/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guards_what_runs_and_who_reviews() {
        let cases = [
            (".github/workflows/ci.yml", true),
            (".GitHub/Workflows/ci.yml", true),
            (".github/actions/x/action.yml", true),
            (".github/chainguard/x.sts.yaml", true),
            (".github/dependabot.yml", true),
            ("CODEOWNERS", true),
            ("docs/CODEOWNERS", true),
            (".github", true),
            (".github./workflows /ci.yml", true),
            (".github/work\u{200c}flows/ci.yml", true),
            (".github/wor\u{212a}flows/ci.yml", true),
            (".github/work\u{fb02}ow\u{17f}/ci.yml", true),
            ("GITHUB~1/WORKFL~1/ci.yml", true),
            (".github::$INDEX_ALLOCATION/workflows/ci.yml", true),
            ("CODEOWNERS::$DATA", true),
            ("CODEOWNERS.", true),
            ("docs/CODEOW~1", true),
            (".github/ISSUE_TEMPLATE/bug.md", false),
            ("models/.github/workflows/ci.yml", false),
            ("workflows/ci.yml", false),
            ("src/CODEOWNERS", false),
            ("docs/notes.md", false),
            ("models/a~1.sql", false),
        ];
        for (path, protected) in cases {
            assert_eq!(is_protected(&path.parse().unwrap()), protected, "{path}");
        }
    }
}
