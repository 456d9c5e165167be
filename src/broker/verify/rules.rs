//! Checks of the rules: do they let the broker commit to staging. Those of production do not matter before the merge,
//! which people make: no rule refuses to open a pull request.

use super::{Check, FindingCode};
use crate::{
    broker::{error::Error, refusal},
    domain::{BranchName, CredentialSource, Token},
    github::{Kind, Repository, Rule},
};

/// Types of rules that refuse a direct push to a branch, unless the pusher may bypass them.
const REFUSE_PUSH: [&str; 5] =
    ["pull_request", "update", "required_status_checks", "merge_queue", "required_deployments"];
/// The type of rule that refuses to create a branch.
const REFUSE_CREATION: &str = "creation";
/// The type of rule that refuses unsigned commits. GitHub signs all that an App makes, but of a user only the ones made
/// over GraphQL, which cannot change the mode of a file.
const REFUSE_UNSIGNED: &str = "required_signatures";
/// Rulesets that are asked for their bypasses; a branch with more has other worries.
const MAX_RULESETS: usize = 10;

impl Check<'_> {
    pub(super) async fn rules(
        &mut self,
        token: &Token,
        repository: &Repository,
        source: CredentialSource,
        staging: &BranchName,
        exists: bool,
    ) -> Result<(), Error> {
        let code = FindingCode::RulesAllow;
        let page = format!("{}/rules", repository.html_url);
        let rules = match self.broker.github().branch_rules(token, &repository.name, staging).await
        {
            Ok(rules) => rules,
            Err(error) if is_unreadable(&error.kind) => {
                let message = format!("The rules of {staging} cannot be read.");
                let fix = "Look whether a rule refuses direct pushes to it.";
                self.warning(code, message, fix, &page);
                return Ok(());
            }
            Err(error) => return Err(refusal::cannot_ask(error)),
        };
        let by = |refuses: &dyn Fn(&str) -> bool| {
            rules.iter().filter(|rule| refuses(&rule.kind)).collect::<Vec<&Rule>>()
        };
        let refusing =
            by(&|kind| REFUSE_PUSH.contains(&kind) || (!exists && kind == REFUSE_CREATION));
        let unsigned = by(&|kind| kind == REFUSE_UNSIGNED && source == CredentialSource::Pat);
        let push = self.bypass(token, repository, &refusing).await?;
        let unsigned = self.bypass(token, repository, &unsigned).await?;
        self.judge(staging, &refusing, push, unsigned, &page);
        Ok(())
    }

    /// `push` and `unsigned` say whether the rules against either may be bypassed; none if GitHub does not tell.
    fn judge(
        &mut self,
        staging: &BranchName,
        refusing: &[&Rule],
        push: Option<bool>,
        unsigned: Option<bool>,
        page: &str,
    ) {
        let code = FindingCode::RulesAllow;
        let kinds: Vec<&str> = refusing.iter().map(|rule| rule.kind.as_str()).collect();
        let kinds = kinds.join(", ");
        match (push, unsigned) {
            (Some(false), _) => {
                let message = format!("Rules of {staging} refuse direct commits: {kinds}.");
                let fix =
                    "Let the App (or the token's owner) bypass them, or leave the branch out.";
                self.failed(code, message, fix, page);
            }
            (None, _) => {
                let message = format!(
                    "Rules of {staging} refuse direct commits ({kinds}) unless the App or the token's owner may \
                     bypass them, which GitHub does not tell."
                );
                let fix = "Look whether the App (or the token's owner) may bypass them.";
                self.warning(code, message, fix, page);
            }
            (Some(true), Some(true)) => {
                let message = format!(
                    "No ruleset refuses commits to {staging}; classic branch protection cannot be seen from here."
                );
                self.ok(code, message);
            }
            (Some(true), _) => {
                let message = format!(
                    "Rules of {staging} want signed commits; GitHub does not sign a user's that change the mode of a \
                     file."
                );
                let fix = "Connect by App installation if executable files are to be committed.";
                self.warning(code, message, fix, page);
            }
        }
    }

    /// Whether the credential may bypass all of these rules, as far as GitHub tells.
    async fn bypass(
        &self,
        token: &Token,
        repository: &Repository,
        rules: &[&Rule],
    ) -> Result<Option<bool>, Error> {
        let mut rulesets: Vec<Option<i64>> = rules.iter().map(|rule| rule.ruleset_id).collect();
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

fn is_unreadable(kind: &Kind) -> bool {
    matches!(kind, Kind::Forbidden | Kind::NotFound | Kind::Unsupported)
}
