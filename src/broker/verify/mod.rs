//! VerifyRepo: "save and test". Tries out what the credential can do, without side effects.
//!
//! * [`credential`]: does GitHub accept it, and what does it grant. [`unsaid`]: what GitHub does not say of it, tried out.
//! * [`repository`]: does the repository resolve, are its branches there.
//! * [`rules`]: do the staging branch's rules let the broker commit, and what.

mod credential;
mod repository;
mod rules;
mod unsaid;

use super::{Broker, Call, access::not_bound, credential::Credential, error::Error};
use crate::{
    domain::{Binding, BranchName, CredentialSource, RepoId, RepoName},
    github::Repository,
};

/// What to verify.
#[derive(Clone, Debug)]
pub struct VerifyRequest {
    /// The repository; the active binding's by default.
    pub repository: Option<RepoName>,
    /// Branch to check as staging.
    pub staging: Option<BranchName>,
    /// Branch to check as production.
    pub production: Option<BranchName>,
}

/// What a check looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FindingCode {
    /// The credential works and does not end soon.
    CredentialValid,
    /// The repository can be seen and written to.
    RepositoryResolves,
    /// What the broker needs is granted.
    PermissionsGranted,
    /// The staging branch exists or can be created.
    StagingBranchExists,
    /// The production branch exists.
    ProductionBranchExists,
    /// No ruleset refuses the broker's commits to staging.
    RulesAllow,
    /// No ruleset refuses some of them for what is in them.
    ContentAllowed,
    /// The organization lets the credential in.
    OrganizationApproves,
}

/// How a check ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FindingLevel {
    /// Nothing to do.
    Ok,
    /// Works now.
    Warning,
    /// Something will not work.
    Failed,
}

/// Result of one check.
#[derive(Clone, Debug)]
pub struct Finding {
    /// What was checked.
    pub code: FindingCode,
    /// How it ended.
    pub level: FindingLevel,
    /// What was found.
    pub message: String,
    /// What to do about it.
    pub fix: String,
    /// Where on GitHub.
    pub url: String,
}

/// All findings.
#[derive(Clone, Debug)]
pub struct Findings {
    /// The credential that was used.
    pub source: CredentialSource,
    /// The repository, if it resolves.
    pub repository: Option<(RepoId, RepoName)>,
    /// One for each check that could be made.
    pub findings: Vec<Finding>,
}

/// One verification on its way: what it works with, and what it found.
struct Check<'a> {
    broker: &'a Broker,
    call: &'a Call,
    request: &'a VerifyRequest,
    binding: Option<Binding>,
    findings: Vec<Finding>,
}

impl Broker {
    /// Makes every check that can be made. Fails only when GitHub cannot be asked.
    pub async fn verify(&self, call: &Call, request: VerifyRequest) -> Result<Findings, Error> {
        let call = call.for_repository(request.repository.as_ref())?;
        let account = call.account();
        let credential = self.credential(account).await?;
        call.trail.note(|record| credential.note(record));
        if let Credential::User(user) = &credential {
            // GitHub is shown it, whether it accepts it or not.
            call.trail.note(|record| record.hashed_token = Some(user.token.hashed().into()));
        }
        let binding = self.store().binding(account, request.repository.as_ref()).await?;
        // One that the caller may not use is to it as none.
        let binding = binding.filter(|binding| call.for_bound(&binding.repository).is_some());
        let bound = binding.as_ref().map(|binding| binding.repository.clone());
        let name = request.repository.clone().or(bound).ok_or_else(|| not_bound(None))?;
        let mut check =
            Check { broker: self, call: &call, request: &request, binding, findings: Vec::new() };
        let repository = check.run(&credential, &name).await?;
        let ids = repository.iter().map(|repository| repository.id.0).collect();
        call.trail.note(|record| record.repository_ids = ids);
        let source = credential.source();
        Ok(Findings {
            source,
            repository: repository.map(|r| (r.id, r.name)),
            findings: check.findings,
        })
    }
}

impl Check<'_> {
    async fn run(
        &mut self,
        credential: &Credential,
        name: &RepoName,
    ) -> Result<Option<Repository>, Error> {
        let Some(granted) = self.credential(credential).await? else { return Ok(None) };
        let resolved = self.resolve(credential, name).await?;
        self.permissions(&granted, resolved.as_ref()).await?;
        let Some((token, repository)) = resolved else { return Ok(None) };
        self.branches(&token, &repository, credential.source()).await?;
        Ok(Some(repository))
    }

    fn ok(&mut self, code: FindingCode, message: impl Into<String>) {
        self.add(code, FindingLevel::Ok, message, "", "");
    }

    fn failed(&mut self, code: FindingCode, message: impl Into<String>, fix: &str, url: &str) {
        self.add(code, FindingLevel::Failed, message, fix, url);
    }

    fn warning(&mut self, code: FindingCode, message: impl Into<String>, fix: &str, url: &str) {
        self.add(code, FindingLevel::Warning, message, fix, url);
    }

    fn add(
        &mut self,
        code: FindingCode,
        level: FindingLevel,
        message: impl Into<String>,
        fix: &str,
        url: &str,
    ) {
        // One finding for each check: what is found later is known better.
        self.findings.retain(|finding| finding.code != code);
        let (message, fix, url) = (message.into(), fix.to_owned(), url.to_owned());
        self.findings.push(Finding { code, level, message, fix, url });
    }
}
