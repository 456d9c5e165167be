//! Paths that decide what runs with a repository's own power.

use super::RepoPath;

/// True for files that a service which commits generated code has no business with: whoever writes them can run code
/// with the repository's secrets, or change who must review what. Case is ignored, as some file systems do.
pub fn is_protected(path: &RepoPath) -> bool {
    let path = path.as_str().to_ascii_lowercase();
    let inside = |folder: &str| path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'));
    let is = |file: &str| path == file;
    inside(".github/workflows")
        || inside(".github/actions")
        || inside(".github/chainguard")
        || is(".github/minty.yaml")
        || is(".github/dependabot.yml")
        || is(".github/dependabot.yaml")
        || is("codeowners")
        || is(".github/codeowners")
        || is("docs/codeowners")
        || [".github/workflows", ".github/actions", ".github/chainguard", ".github"]
            .contains(&path.as_str())
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
            (".github/ISSUE_TEMPLATE/bug.md", false),
            ("models/.github/workflows/ci.yml", false),
            ("workflows/ci.yml", false),
            ("src/CODEOWNERS", false),
        ];
        for (path, protected) in cases {
            assert_eq!(is_protected(&path.parse().unwrap()), protected, "{path}");
        }
    }
}
