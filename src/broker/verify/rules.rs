//! Checks of the rules: do they let the broker commit to staging. Those of production do not matter before the merge,
//! which people make: no rule refuses to open a pull request.

use super::{Check, FindingCode};
use crate::{
    broker::{
        error::Error,
        refusal::{self, remedy},
    },
    domain::{BranchName, CredentialSource, Token},
    github::{Kind, RefusedRule, Repository, Rule},
};

/// Rulesets that are asked for their bypasses; a branch with more has other worries.
const MAX_RULESETS: usize = 10;

/// The branch that is checked, and by what it is committed to.
#[derive(Clone, Copy)]
pub(super) struct Staging<'a> {
    pub branch: &'a BranchName,
    pub exists: bool,
    pub source: CredentialSource,
}

/// What a rule means for the broker's commits to staging.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Meaning {
    /// It refuses all of them, unless they may bypass it.
    Refuses,
    /// It refuses those that GitHub does not sign.
    RefusesUnsigned,
    /// It may refuse the name of the branch.
    MayRefuseName,
    /// It refuses those with a content that it does not allow.
    RefusesContent,
}

/// The rules of one meaning.
struct Rules<'a> {
    rules: Vec<(RefusedRule, &'a Rule)>,
    /// Whether the credential may bypass all of them; none if GitHub does not tell.
    bypass: Option<bool>,
}

impl Staging<'_> {
    /// None if the rule does not matter to the broker, which makes one commit on top of the branch and never forces.
    fn meaning(&self, kind: RefusedRule, rule: &Rule) -> Option<Meaning> {
        use RefusedRule as R;
        match kind {
            R::Update
            | R::PullRequest
            | R::MergeQueue
            | R::RequiredStatusChecks
            | R::RequiredDeployments
            | R::Workflows
            | R::CodeScanning => Some(Meaning::Refuses),
            R::Creation => (!self.exists).then_some(Meaning::Refuses),
            R::RequiredSignatures => {
                // GitHub signs all that an App makes, but of a user only what is made over GraphQL.
                (self.source != CredentialSource::AppInstallation)
                    .then_some(Meaning::RefusesUnsigned)
            }
            R::BranchNamePattern => {
                match rule.limit.as_ref().and_then(|limit| limit.fits(self.branch.as_str())) {
                    Some(true) => None,
                    Some(false) if !self.exists => Some(Meaning::Refuses),
                    // GitHub may have let the branch be from before the rule.
                    _ => Some(Meaning::MayRefuseName),
                }
            }
            R::CommitMessagePattern
            | R::CommitAuthorEmailPattern
            | R::CommitterEmailPattern
            | R::FilePathRestriction
            | R::MaxFilePathLength
            | R::FileExtensionRestriction
            | R::MaxFileSize => Some(Meaning::RefusesContent),
            R::Deletion
            | R::RequiredLinearHistory
            | R::NonFastForward
            | R::SecretScanning
            | R::EmailPrivacy
            | R::BranchProtection => None,
        }
    }
}

impl Check<'_> {
    pub(super) async fn rules(
        &mut self,
        token: &Token,
        repository: &Repository,
        staging: Staging<'_>,
    ) -> Result<(), Error> {
        let branch = staging.branch;
        let rules = match self.broker.github().branch_rules(token, &repository.name, branch).await {
            Ok(rules) => rules,
            Err(error) if is_unreadable(&error.kind) => {
                let message = format!("The rules of {branch} cannot be read.");
                let fix = "Look whether a rule refuses direct pushes to it.";
                let page = format!("{}/rules", repository.html_url);
                self.warning(FindingCode::RulesAllow, message, fix, &page);
                return Ok(());
            }
            Err(error) => return Err(refusal::cannot_ask(error)),
        };
        let of = async |meaning| {
            let named =
                rules.iter().filter_map(|rule| Some((RefusedRule::named(&rule.kind)?, rule)));
            let rules: Vec<_> = named
                .filter(|(kind, rule)| staging.meaning(*kind, rule) == Some(meaning))
                .collect();
            let bypass = self.bypass(token, repository, &rules).await?;
            Ok::<_, Error>(Rules { rules, bypass })
        };
        let refusing = of(Meaning::Refuses).await?;
        let unsigned = of(Meaning::RefusesUnsigned).await?;
        let naming = of(Meaning::MayRefuseName).await?;
        let content = of(Meaning::RefusesContent).await?;
        self.judge(repository, staging, &refusing, &unsigned, &naming);
        self.judge_content(repository, staging, &content);
        Ok(())
    }

    fn judge(
        &mut self,
        repository: &Repository,
        staging: Staging<'_>,
        refusing: &Rules<'_>,
        unsigned: &Rules<'_>,
        naming: &Rules<'_>,
    ) {
        let (code, branch) = (FindingCode::RulesAllow, staging.branch);
        if refusing.bypass == Some(false) {
            let message =
                format!("Rules of {branch} refuse the broker's commits: {}.", refusing.told());
            let page = refusing.page(repository, branch);
            self.failed(code, message, &refusing.fix(staging.source), &page);
        } else if refusing.bypass.is_none() {
            let message = format!(
                "Rules of {branch} refuse direct commits ({}) unless the App or the token's owner may bypass them, \
                 which GitHub does not tell.",
                refusing.told()
            );
            let fix = "Look whether the App (or the token's owner) may bypass them.";
            self.warning(code, message, fix, &refusing.page(repository, branch));
        } else if unsigned.bypass != Some(true) {
            let message = format!(
                "Rules of {branch} want signed commits ({}); GitHub does not sign a user's that change the mode of a file.",
                unsigned.told()
            );
            let fix = "Connect by App installation if executable files are to be committed.";
            self.warning(code, message, fix, &unsigned.page(repository, branch));
        } else if naming.bypass != Some(true) {
            let message =
                format!("Rules of {branch} may refuse a branch of this name: {}.", naming.told());
            self.warning(
                code,
                message,
                &naming.fix(staging.source),
                &naming.page(repository, branch),
            );
        } else {
            let message = format!(
                "No ruleset refuses commits to {branch}; classic branch protection cannot be seen from here."
            );
            self.ok(code, message);
        }
    }

    fn judge_content(
        &mut self,
        repository: &Repository,
        staging: Staging<'_>,
        content: &Rules<'_>,
    ) {
        let (code, branch) = (FindingCode::ContentAllowed, staging.branch);
        if content.bypass == Some(true) {
            self.ok(code, format!("No ruleset refuses commits to {branch} for what is in them."));
        } else {
            let message = format!(
                "Rules of {branch} refuse some commits for what is in them: {}.",
                content.told()
            );
            let fix = content.fix(staging.source);
            self.warning(code, message, &fix, &content.page(repository, branch));
        }
    }

    /// Whether the credential may bypass all of these rules, as far as GitHub tells.
    async fn bypass(
        &self,
        token: &Token,
        repository: &Repository,
        rules: &[(RefusedRule, &Rule)],
    ) -> Result<Option<bool>, Error> {
        let mut rulesets: Vec<Option<i64>> =
            rules.iter().map(|(_, rule)| rule.ruleset_id).collect();
        rulesets.sort_unstable();
        rulesets.dedup();
        let mut all = if rulesets.len() > MAX_RULESETS { None } else { Some(true) };
        for id in rulesets.into_iter().take(MAX_RULESETS) {
            let Some(id) = id else {
                all = None;
                continue;
            };
            match self.broker.github().may_bypass(token, &repository.name, id).await {
                Ok(Some(true)) => {}
                Ok(Some(false)) => return Ok(Some(false)),
                Ok(None) => all = None,
                Err(error) if is_unreadable(&error.kind) => all = None,
                Err(error) => return Err(refusal::cannot_ask(error)),
            }
        }
        Ok(all)
    }
}

impl Rules<'_> {
    /// Names, with what each allows: `pull_request, max_file_size (at most 1 MB)`.
    fn told(&self) -> String {
        let tell = |(kind, rule): &(RefusedRule, &Rule)| match &rule.limit {
            Some(limit) => format!("{} ({limit})", kind.name()),
            None => kind.name().to_owned(),
        };
        let mut told: Vec<String> = self.rules.iter().map(tell).collect();
        told.dedup();
        told.join(", ")
    }

    /// What to do, once for each way.
    fn fix(&self, source: CredentialSource) -> String {
        let mut ways: Vec<String> = Vec::new();
        for (kind, _) in &self.rules {
            let way = remedy(*kind, source);
            if !ways.contains(&way) {
                ways.push(way);
            }
        }
        let mut fix = ways.join("; ");
        if let Some(first) = fix.get(..1).map(str::to_uppercase) {
            fix.replace_range(..1, &first);
        }
        fix.push('.');
        fix
    }

    /// The page of the ruleset; of all that concern the branch if there are several.
    fn page(&self, repository: &Repository, branch: &BranchName) -> String {
        let mut rulesets: Vec<_> = self
            .rules
            .iter()
            .map(|(_, rule)| (rule.ruleset_id, rule.organization.as_deref()))
            .collect();
        rulesets.sort_unstable();
        rulesets.dedup();
        match rulesets.as_slice() {
            // Those of an organization are shown to its owners only.
            [(Some(id), None)] => format!("{}/rules/{id}", repository.html_url),
            _ => {
                let name: String = branch.as_str().replace('/', "%2F");
                format!("{}/rules?ref=refs%2Fheads%2F{name}", repository.html_url)
            }
        }
    }
}

fn is_unreadable(kind: &Kind) -> bool {
    matches!(kind, Kind::Forbidden | Kind::NotFound | Kind::Unsupported)
}
