//! Rules on branches: rulesets and classic branch protection.

use serde_json::{Value, json};

use super::Pattern;

/// One rule of a ruleset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Changes need a pull request.
    PullRequest,
    /// Commits need a verified signature.
    RequiredSignatures,
    /// No force push.
    NonFastForward,
    /// The branch may not be created.
    Creation,
    /// The branch may not be updated.
    Update,
    /// The branch may not be deleted.
    Deletion,
    /// These checks must have passed.
    RequiredStatusChecks(Vec<String>),
    /// No merge commits.
    RequiredLinearHistory,
    /// Changes need the merge queue.
    MergeQueue,
    /// It must have been deployed to these environments.
    RequiredDeployments(Vec<String>),
    /// These workflow files must have run.
    Workflows(Vec<String>),
    /// This tool must have scanned the commit.
    CodeScanning(String),
    /// What commit messages are like.
    CommitMessagePattern(Pattern),
    /// What addresses of authors are like.
    CommitAuthorEmailPattern(Pattern),
    /// What addresses of committers are like.
    CommitterEmailPattern(Pattern),
    /// What names of branches are like.
    BranchNamePattern(Pattern),
    /// Paths that no commit may touch; `*` and `**` as in the names of branches.
    FilePathRestriction(Vec<String>),
    /// Most characters of a path.
    MaxFilePathLength(usize),
    /// Extensions that no file may have, as `*.exe`.
    FileExtensionRestriction(Vec<String>),
    /// Largest file, in megabytes.
    MaxFileSize(usize),
}

impl Rule {
    /// GitHub's `type` of the rule.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::PullRequest => "pull_request",
            Self::RequiredSignatures => "required_signatures",
            Self::NonFastForward => "non_fast_forward",
            Self::Creation => "creation",
            Self::Update => "update",
            Self::Deletion => "deletion",
            Self::RequiredStatusChecks(_) => "required_status_checks",
            Self::RequiredLinearHistory => "required_linear_history",
            Self::MergeQueue => "merge_queue",
            Self::RequiredDeployments(_) => "required_deployments",
            Self::Workflows(_) => "workflows",
            Self::CodeScanning(_) => "code_scanning",
            Self::CommitMessagePattern(_) => "commit_message_pattern",
            Self::CommitAuthorEmailPattern(_) => "commit_author_email_pattern",
            Self::CommitterEmailPattern(_) => "committer_email_pattern",
            Self::BranchNamePattern(_) => "branch_name_pattern",
            Self::FilePathRestriction(_) => "file_path_restriction",
            Self::MaxFilePathLength(_) => "max_file_path_length",
            Self::FileExtensionRestriction(_) => "file_extension_restriction",
            Self::MaxFileSize(_) => "max_file_size",
        }
    }

    /// The `parameters` of the rule, for the types that have any. `repository` is where its workflows are.
    pub(crate) fn parameters(&self, repository: u64) -> Option<Value> {
        match self {
            Self::PullRequest => Some(json!({
                "allowed_merge_methods": ["merge", "squash", "rebase"],
                "dismiss_stale_reviews_on_push": false,
                "require_code_owner_review": false,
                "require_last_push_approval": false,
                "required_approving_review_count": 0,
                "required_review_thread_resolution": false,
            })),
            Self::RequiredStatusChecks(names) => Some(json!({
                "required_status_checks":
                    names.iter().map(|name| json!({"context": name})).collect::<Vec<_>>(),
                "strict_required_status_checks_policy": false,
            })),
            Self::Update => Some(json!({"update_allows_fetch_and_merge": false})),
            Self::MergeQueue => Some(json!({
                "check_response_timeout_minutes": 60,
                "grouping_strategy": "ALLGREEN",
                "max_entries_to_build": 5,
                "max_entries_to_merge": 5,
                "merge_method": "MERGE",
                "min_entries_to_merge": 1,
                "min_entries_to_merge_wait_minutes": 5,
            })),
            Self::RequiredDeployments(names) => {
                Some(json!({"required_deployment_environments": names}))
            }
            Self::Workflows(paths) => Some(json!({"workflows": paths
                .iter()
                .map(|path| json!({"path": path, "repository_id": repository}))
                .collect::<Vec<_>>()})),
            Self::CodeScanning(tool) => Some(json!({"code_scanning_tools": [
                {"tool": tool, "alerts_threshold": "errors", "security_alerts_threshold": "all"},
            ]})),
            Self::CommitMessagePattern(pattern)
            | Self::CommitAuthorEmailPattern(pattern)
            | Self::CommitterEmailPattern(pattern)
            | Self::BranchNamePattern(pattern) => Some(pattern.parameters()),
            Self::FilePathRestriction(paths) => Some(json!({"restricted_file_paths": paths})),
            Self::MaxFilePathLength(most) => Some(json!({"max_file_path_length": most})),
            Self::FileExtensionRestriction(list) => {
                Some(json!({"restricted_file_extensions": list}))
            }
            Self::MaxFileSize(most) => Some(json!({"max_file_size": most})),
            Self::RequiredSignatures
            | Self::NonFastForward
            | Self::Creation
            | Self::Deletion
            | Self::RequiredLinearHistory => None,
        }
    }
}

/// Rules for the branches that match a pattern.
#[derive(Clone, Debug)]
pub(crate) struct Ruleset {
    pub id: u64,
    pub name: String,
    pub pattern: String,
    pub rules: Vec<Rule>,
    /// Whether everybody may bypass it.
    pub bypass: bool,
}

/// Classic protection of the branches that match a pattern.
#[derive(Clone, Debug)]
pub(crate) struct Protection {
    pub pattern: String,
    /// Checks that must have passed.
    pub checks: Vec<String>,
    /// Whether a pull request is needed.
    pub pull_request: bool,
}
