//! What the people of a repository can do about a rule of theirs that refuses a change.

use super::Context;
use crate::{
    broker::error::{Error, Reason},
    domain::CredentialSource,
    github::{self, RefusedRule},
};

/// Rules that are explained; all are named in the metadata.
const MAX_EXPLAINED: usize = 3;
/// How much of GitHub's own words is told, in characters: what to do has to fit into the message as well.
const MAX_SAID: usize = 500;
/// What a refusal by a ruleset begins with. The broker's sentence says it already.
const HEADLINE: &str = "Repository rule violations found";

impl Context<'_> {
    /// A refusal by rules: GitHub's words, what to do about each rule, and the rules' names for the caller's program.
    pub(super) fn against_rules(&self, error: &github::Error) -> Error {
        let mut message = format!("rules of {} refuse this", self.repository);
        let said = shortened(&error.sentence());
        if !said.is_empty() {
            message.push_str(": ");
            message.push_str(&said);
        }
        if !message.ends_with(['.', '!', '?']) {
            message.push('.');
        }
        message.push_str(" What to do: ");
        message.push_str(&self.advice(&error.rules).join("; "));
        if let Some(page) = error.unblock_urls.first() {
            message.push_str(&format!(" ({page})"));
        }
        message.push('.');
        let names: Vec<&str> = error.rules.iter().map(|rule| rule.name()).collect();
        let mut refused = Error::new(Reason::RefusedByRules, message);
        if !names.is_empty() {
            refused = refused.with("rules", names.join(","));
        }
        match error.unblock_urls.first() {
            Some(page) => refused.with("url", page),
            None => refused,
        }
    }

    /// One sentence for each rule, but no sentence twice.
    fn advice(&self, rules: &[RefusedRule]) -> Vec<String> {
        let classic = rules.contains(&RefusedRule::BranchProtection);
        let mut sentences: Vec<String> = Vec::new();
        for rule in rules.iter().take(MAX_EXPLAINED) {
            let mut sentence = remedy(*rule, self.source);
            // What is in no ruleset cannot be bypassed there.
            if classic && sentence == remedy(RefusedRule::Update, self.source) {
                sentence = remedy(RefusedRule::BranchProtection, self.source);
            }
            if !sentences.contains(&sentence) {
                sentences.push(sentence);
            }
        }
        if sentences.is_empty() {
            sentences.push(
                "look at the repository's rules (Settings > Rules) and branch protection (Settings > Branches)"
                    .to_owned(),
            );
        }
        sentences
    }
}

/// What to do about a rule, as the end of a sentence: in the message of a refusal, and in VerifyRepo's fixes.
pub(in crate::broker) fn remedy(rule: RefusedRule, source: CredentialSource) -> String {
    use RefusedRule as R;
    let who = bypasser(source);
    match rule {
        R::Creation => {
            format!("let {who} bypass the ruleset at Settings > Rules, or create the branch on GitHub")
        }
        R::Update
        | R::Deletion
        | R::PullRequest
        | R::NonFastForward
        | R::MergeQueue
        | R::RequiredDeployments
        | R::RequiredStatusChecks
        | R::Workflows
        | R::CodeScanning => {
            format!("let {who} bypass the ruleset at Settings > Rules, or take the branch out of it")
        }
        R::RequiredSignatures => match source {
            CredentialSource::AppInstallation => format!(
                "sign the commits that the branch begins with (GitHub signs the App's own), or let {who} bypass the ruleset"
            ),
            CredentialSource::OAuthUser | CredentialSource::Pat => {
                "connect by App installation, whose commits GitHub signs, or let the token's owner bypass the ruleset"
                    .to_owned()
            }
        },
        R::RequiredLinearHistory => {
            format!("make the branch anew without merge commits, or let {who} bypass the ruleset")
        }
        R::CommitMessagePattern => "send a message that the pattern fits".to_owned(),
        R::CommitAuthorEmailPattern => match source {
            CredentialSource::AppInstallation => format!(
                "let the pattern fit the address of the App's bot (…[bot]@users.noreply.github.com), or let {who} bypass it"
            ),
            CredentialSource::OAuthUser | CredentialSource::Pat => {
                format!("let the pattern fit the address of the token's owner, or let {who} bypass it")
            }
        },
        R::CommitterEmailPattern => {
            format!("let the pattern fit noreply@github.com, GitHub's address as committer, or let {who} bypass it")
        }
        R::BranchNamePattern => {
            "configure a branch whose name the pattern fits, or take the branch out of the ruleset".to_owned()
        }
        R::FilePathRestriction => "leave the restricted paths out".to_owned(),
        R::MaxFilePathLength => "make the paths shorter".to_owned(),
        R::FileExtensionRestriction => "leave files with these extensions out".to_owned(),
        R::MaxFileSize => "make the file smaller, or split it".to_owned(),
        R::SecretScanning => "take the secret out of the files and revoke it where it is from; only if it is none, let it \
                              pass on GitHub"
            .to_owned(),
        R::EmailPrivacy => "the author's address is private on GitHub: use the noreply address of \
                            github.com/settings/emails, or allow the address there"
            .to_owned(),
        R::BranchProtection => {
            format!("let {who} push to the branch at Settings > Branches, or work on another branch")
        }
    }
}

/// Whom a ruleset has to let bypass it.
fn bypasser(source: CredentialSource) -> &'static str {
    match source {
        CredentialSource::AppInstallation => "the GitHub App",
        CredentialSource::OAuthUser => "the user who authorized",
        CredentialSource::Pat => "the token's owner",
    }
}

/// GitHub's words without their headline, and not too many.
fn shortened(said: &str) -> String {
    let said = said.strip_prefix(HEADLINE).unwrap_or(said).trim();
    match said.char_indices().nth(MAX_SAID) {
        Some((end, _)) => format!("{}...", said.get(..end).unwrap_or_default()),
        None => said.to_owned(),
    }
}
