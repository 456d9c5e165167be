//! The rules that GitHub names when it refuses a change.
//!
//! Rulesets, branch protection, push protection and the privacy of email addresses all answer with sentences for people,
//! several in one text. What is quoted in them (a check, a pattern, a path) is somebody else's.

use serde_json::Value;
use url::Url;

/// A rule of GitHub's that refuses a change.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum RefusedRule {
    /// Such branches may not be created.
    Creation,
    /// Such branches may not be changed.
    Update,
    /// Such branches may not be deleted.
    Deletion,
    /// No merge commits.
    RequiredLinearHistory,
    /// Changes come by the merge queue.
    MergeQueue,
    /// Must have been deployed before.
    RequiredDeployments,
    /// Commits must be signed.
    RequiredSignatures,
    /// Changes come by pull request.
    PullRequest,
    /// Checks must have passed before.
    RequiredStatusChecks,
    /// No force push.
    NonFastForward,
    /// The commit's message has to fit.
    CommitMessagePattern,
    /// The author's address has to fit.
    CommitAuthorEmailPattern,
    /// The committer's address has to fit.
    CommitterEmailPattern,
    /// The branch's name has to fit.
    BranchNamePattern,
    /// Some paths may not be touched.
    FilePathRestriction,
    /// Paths may not be longer.
    MaxFilePathLength,
    /// Some kinds of files are not taken.
    FileExtensionRestriction,
    /// Files may not be larger.
    MaxFileSize,
    /// Workflows must have passed before.
    Workflows,
    /// Code scanning must have passed before.
    CodeScanning,
    /// Push protection has found a secret.
    SecretScanning,
    /// The author's address is private.
    EmailPrivacy,
    /// Classic protection of the branch.
    BranchProtection,
}

use RefusedRule as R;

/// Names as the `type` in GitHub's rulesets API; the last three, which are no rules there, as GitHub calls the feature.
const NAMES: [(R, &str); 23] = [
    (R::Creation, "creation"),
    (R::Update, "update"),
    (R::Deletion, "deletion"),
    (R::RequiredLinearHistory, "required_linear_history"),
    (R::MergeQueue, "merge_queue"),
    (R::RequiredDeployments, "required_deployments"),
    (R::RequiredSignatures, "required_signatures"),
    (R::PullRequest, "pull_request"),
    (R::RequiredStatusChecks, "required_status_checks"),
    (R::NonFastForward, "non_fast_forward"),
    (R::CommitMessagePattern, "commit_message_pattern"),
    (R::CommitAuthorEmailPattern, "commit_author_email_pattern"),
    (R::CommitterEmailPattern, "committer_email_pattern"),
    (R::BranchNamePattern, "branch_name_pattern"),
    (R::FilePathRestriction, "file_path_restriction"),
    (R::MaxFilePathLength, "max_file_path_length"),
    (R::FileExtensionRestriction, "file_extension_restriction"),
    (R::MaxFileSize, "max_file_size"),
    (R::Workflows, "workflows"),
    (R::CodeScanning, "code_scanning"),
    (R::SecretScanning, "secret_scanning"),
    (R::EmailPrivacy, "email_privacy"),
    (R::BranchProtection, "branch_protection"),
];

/// Words by which GitHub's sentences about a rule are known, in lower case and as short as they can be.
const WORDS: [(&str, R); 31] = [
    ("creations being restricted", R::Creation),
    ("cannot update this protected ref", R::Update),
    ("cannot delete this", R::Deletion),
    ("deletions being restricted", R::Deletion),
    ("must not contain merge commits", R::RequiredLinearHistory),
    ("through the merge queue", R::MergeQueue),
    ("required deployment", R::RequiredDeployments),
    ("successfully deployed", R::RequiredDeployments),
    ("must have verified signatures", R::RequiredSignatures),
    ("must have valid signatures", R::RequiredSignatures),
    ("made through a pull request", R::PullRequest),
    ("required status check", R::RequiredStatusChecks),
    ("cannot force-push", R::NonFastForward),
    ("commit message must", R::CommitMessagePattern),
    ("author email", R::CommitAuthorEmailPattern),
    ("committer email", R::CommitterEmailPattern),
    ("branch name must", R::BranchNamePattern),
    ("file path is restricted", R::FilePathRestriction),
    ("file path length", R::MaxFilePathLength),
    ("file path is too long", R::MaxFilePathLength),
    ("file extension", R::FileExtensionRestriction),
    ("file size", R::MaxFileSize),
    ("required workflow", R::Workflows),
    ("code scanning", R::CodeScanning),
    ("secret detected", R::SecretScanning),
    ("secrets detected", R::SecretScanning),
    ("cannot contain secrets", R::SecretScanning),
    ("publish a private email", R::EmailPrivacy),
    ("to a protected branch", R::BranchProtection),
    ("protected branch update failed", R::BranchProtection),
    ("not authorized to push", R::BranchProtection),
];

/// Words that show a refusal to be one by rules, in lower case: the names that GitHub has for all of them, and the sentences
/// that come without such a name.
const SHOWN_BY: [&str; 19] = [
    HEADLINE,
    "push protection",
    "protected branch",
    "protected ref",
    "not authorized to push",
    "made through a pull request",
    "through the merge queue",
    "must have verified signatures",
    "must not contain merge commits",
    "cannot force-push",
    "creations being restricted",
    "required status check",
    "secret detected",
    "secrets detected",
    "publish a private email",
    "gh006",
    "gh007",
    "gh009",
    "gh013",
];

/// What is above the sentences about a ruleset's rules.
const HEADLINE: &str = "rule violation";
/// Longest name in quotes.
const MAX_QUOTE: usize = 100;
/// Where a user lets a secret pass, below the repository's page.
const UNBLOCK: &str = "/security/secret-scanning/unblock-secret/";
/// Longest id of a blocked secret that is believed to be one; GitHub's have 27 characters.
const MAX_PLACEHOLDER: usize = 64;

impl RefusedRule {
    /// The rule's name: the `type` that GitHub's rulesets API has for it.
    pub fn name(self) -> &'static str {
        NAMES.iter().find(|(rule, _)| *rule == self).map_or("", |(_, name)| name)
    }

    /// The rule of a name.
    pub fn named(name: &str) -> Option<Self> {
        NAMES.iter().find(|(_, known)| *known == name).map(|(rule, _)| *rule)
    }
}

/// Whether a text, in lower case, tells of a refusal by rules.
pub(super) fn is_told_in(text: &str) -> bool {
    SHOWN_BY.iter().any(|words| text.contains(words))
}

/// Whether rules that a text names are of classic protection: it has some of those that rulesets have, but no headline.
pub(super) fn are_of_protection(text: &str, rules: &[RefusedRule]) -> bool {
    let protects = |rule: &RefusedRule| {
        matches!(
            rule,
            R::PullRequest
                | R::RequiredStatusChecks
                | R::RequiredSignatures
                | R::RequiredLinearHistory
                | R::RequiredDeployments
                | R::MergeQueue
                | R::NonFastForward
        )
    };
    rules.iter().any(protects) && !text.to_lowercase().contains(HEADLINE)
}

/// The rules that a text of GitHub's names, each once, in the text's order.
pub(super) fn named_in(text: &str) -> Vec<RefusedRule> {
    let text = unquoted(&text.to_lowercase());
    let mut found: Vec<(usize, RefusedRule)> =
        WORDS.iter().filter_map(|(words, rule)| Some((text.find(words)?, *rule))).collect();
    found.sort_unstable();
    let mut rules: Vec<RefusedRule> = Vec::with_capacity(found.len());
    for (_, rule) in found {
        if !rules.contains(&rule) {
            rules.push(rule);
        }
    }
    rules
}

/// A text without what is in quotes: the name of a check can be any.
fn unquoted(text: &str) -> String {
    let mut parts = text.split('"');
    let mut own = parts.next().unwrap_or_default().to_owned();
    while let (Some(quoted), rest) = (parts.next(), parts.next()) {
        // A quote that is not closed, or far away, is no quote: it is part of a pattern.
        if rest.is_none() || quoted.len() > MAX_QUOTE {
            own.push_str(quoted);
        }
        own.push(' ');
        own.push_str(rest.unwrap_or_default());
    }
    own
}

/// Pages that a text names on which a user can let a secret pass.
pub(super) fn unblock_urls(text: &str) -> Vec<String> {
    let words = text.split_whitespace();
    words
        .filter(|word| word.starts_with("https://") && word.contains(UNBLOCK))
        .map(str::to_owned)
        .collect()
}

/// The same pages for a refusal over REST, whose body has only the ids of what is blocked.
pub(super) fn unblock_pages(web: &Url, call: &Url, body: &Value) -> Vec<String> {
    let Some(repository) = repository_of(call) else { return Vec::new() };
    let blocked = body.pointer("/metadata/secret_scanning/bypass_placeholders");
    let blocked = blocked.and_then(Value::as_array).into_iter().flatten();
    let ids = blocked.filter_map(|one| one.get("placeholder_id")?.as_str());
    let is_id = |id: &&str| {
        (1..=MAX_PLACEHOLDER).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric())
    };
    let web = web.as_str().trim_end_matches('/');
    ids.filter(is_id).map(|id| format!("{web}/{repository}{UNBLOCK}{id}")).collect()
}

/// `owner/name` of the repository that a route is below.
fn repository_of(call: &Url) -> Option<String> {
    let mut segments = call.path_segments()?.skip_while(|segment| *segment != "repos").skip(1);
    Some(format!("{}/{}", segments.next()?, segments.next()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_has_a_name_of_its_own() {
        for (rule, name) in NAMES {
            assert_eq!((rule.name(), RefusedRule::named(name)), (name, Some(rule)));
        }
        assert_eq!(RefusedRule::named("copilot_code_review"), None);
    }

    #[test]
    fn knows_the_sentences_of_the_api() {
        let cases: [(&str, &[R]); 25] = [
            ("Changes must be made through a pull request.", &[R::PullRequest]),
            (
                "Commits must have verified signatures.\n  Found 1 violation:\n\n  0b1c",
                &[R::RequiredSignatures],
            ),
            ("Cannot create ref due to creations being restricted.", &[R::Creation]),
            ("Cannot update this protected ref.", &[R::Update]),
            ("Cannot delete this branch", &[R::Deletion]),
            ("Cannot force-push to this branch", &[R::NonFastForward]),
            ("This branch must not contain merge commits.", &[R::RequiredLinearHistory]),
            ("Changes must be made through the merge queue", &[R::MergeQueue]),
            ("Required status check \"ci\" is expected.", &[R::RequiredStatusChecks]),
            ("4 of 4 required status checks are expected.", &[R::RequiredStatusChecks]),
            ("Required deployment to production has not succeeded", &[R::RequiredDeployments]),
            ("Commit message must match a given regex pattern: ^JIRA-", &[R::CommitMessagePattern]),
            (
                "Commit author email must end with a matching pattern: @acme.example",
                &[R::CommitAuthorEmailPattern],
            ),
            (
                "Committer email must end with a matching pattern: @acme.example",
                &[R::CommitterEmailPattern],
            ),
            ("Branch name must start with a matching pattern: feature/", &[R::BranchNamePattern]),
            (
                "File path is restricted\n  Found 2 violations:\n\n  a.yaml\n  b.yaml",
                &[R::FilePathRestriction],
            ),
            ("File path length exceeds the limit of 20", &[R::MaxFilePathLength]),
            ("File extension is restricted", &[R::FileExtensionRestriction]),
            ("File size exceeds the limit of 1 MB", &[R::MaxFileSize]),
            ("Required workflow \"audit\" is expected", &[R::Workflows]),
            (
                "Code scanning is waiting for results from CodeQL for the commit cfbb5c1.",
                &[R::CodeScanning],
            ),
            ("Secret detected in content", &[R::SecretScanning]),
            ("Cannot force-push to a protected branch", &[R::NonFastForward, R::BranchProtection]),
            ("You're not authorized to push to this branch.", &[R::BranchProtection]),
            ("A sentence that nobody has seen yet", &[]),
        ];
        for (sentence, rules) in cases {
            let text = format!("Repository rule violations found\n\n{sentence}\n\n");
            assert_eq!(named_in(&text), rules, "{sentence}");
            assert!(is_told_in(&text.to_lowercase()));
        }
    }

    #[test]
    fn knows_what_a_push_is_told() {
        let cases: [(&str, &[R]); 6] = [
            (
                "remote: error: GH006: Protected branch update failed for refs/heads/main.\n\
                 remote: error: Changes must be made through a pull request.",
                &[R::BranchProtection, R::PullRequest],
            ),
            ("error: GH007: Your push would publish a private email address.", &[R::EmailPrivacy]),
            ("remote: error: GH009: Secrets detected! This push failed.", &[R::SecretScanning]),
            (
                "remote: error: GH013: Repository rule violations found for refs/heads/main.\nremote:\n\
                 remote: - Changes must be made through a pull request.\nremote:\n\
                 remote: - 12 of 12 required status checks are expected.\nremote:\n\
                 remote: - Code scanning is waiting for results from CodeQL for the commit cfbb5c1.",
                &[R::PullRequest, R::RequiredStatusChecks, R::CodeScanning],
            ),
            (
                "remote: - GITHUB PUSH PROTECTION\nremote:     Resolve the following violations before pushing again\n\
                 remote:\nremote:     - Push cannot contain secrets",
                &[R::SecretScanning],
            ),
            (
                "remote: - GITHUB PUSH PROTECTION\nremote:     - File path is restricted\n\
                 remote:       Found 1 violation:\nremote:       .github/workflows/build.yaml",
                &[R::FilePathRestriction],
            ),
        ];
        for (text, rules) in cases {
            assert_eq!(named_in(text), rules, "{text}");
            assert!(is_told_in(&text.to_lowercase()), "{text}");
        }
    }

    #[test]
    fn knows_classic_protection_by_what_is_not_there() {
        let classic = "Changes must be made through a pull request. Required status check \"ci\" is expected.";
        let ruleset = format!("Repository rule violations found\n\n{classic}");
        for (text, expected) in
            [(classic, true), (&ruleset, false), ("Secret detected in content", false)]
        {
            assert_eq!(are_of_protection(text, &named_in(text)), expected, "{text}");
        }
    }

    #[test]
    fn what_is_quoted_names_no_rule() {
        let check = "Required status check \"code scanning\" is expected.";
        assert_eq!(named_in(check), [R::RequiredStatusChecks]);
        let odd = "Commit message must match a given regex pattern: ^\"\n\nCommits must have verified signatures.";
        assert_eq!(named_in(odd), [R::CommitMessagePattern, R::RequiredSignatures]);
        assert!(named_in("GH013: Repository rule violations found for refs/heads/x.").is_empty());
    }

    #[test]
    fn finds_where_a_secret_is_let_pass() {
        let page = "https://github.com/ada/thesis/security/secret-scanning/unblock-secret/2eMd3zNc";
        let text =
            format!("(?) To push, remove secret from commit(s) or follow this URL:\n  {page}\n\n");
        assert_eq!(unblock_urls(&text), [page]);

        let body = serde_json::json!({ "metadata": { "secret_scanning": { "bypass_placeholders": [
            { "placeholder_id": "2eMd3zNc", "token_type": "x" },
            { "placeholder_id": "../../settings" },
            { "token_type": "x" },
        ]}}});
        let url = |text: &str| text.parse::<Url>().unwrap();
        for call in [
            "https://api.github.com/repos/ada/thesis/git/blobs",
            "https://h/api/v3/repos/ada/thesis/contents/a",
        ] {
            assert_eq!(unblock_pages(&url("https://github.com/"), &url(call), &body), [page]);
        }
        let elsewhere = url("https://api.github.com/graphql");
        assert!(unblock_pages(&url("https://github.com/"), &elsewhere, &body).is_empty());
    }
}
