//! The calls that are let in: the right to each, and what is noted of it for the audit.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::{
    Broker,
    error::{Error, Reason},
};
use crate::{
    audit::{Decision, Phase, Record},
    domain::{
        AccountId, Binding, BranchName, Caller, Grant, Method, Permissions, Policy, RepoName,
        RepoPath,
    },
};

/// What a caller waits for the audit's device to be mended.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// What is known of a call so far; at its end it is a line of the audit. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Trail(Arc<Mutex<Record>>);

impl Trail {
    /// Begins with what is known before anything is decided.
    pub fn new(record: Record) -> Self {
        Self(Arc::new(Mutex::new(record)))
    }

    /// Adds what became known.
    pub(super) fn note(&self, add: impl FnOnce(&mut Record)) {
        add(&mut self.record());
    }

    // A std mutex: held for some assignments, never across an await.
    fn record(&self) -> MutexGuard<'_, Record> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call that the policy allows. Every use case for an account needs one, and only [`Broker::admit`] makes it. Cheap to
/// clone.
#[derive(Clone, Debug)]
pub struct Call {
    caller: Caller,
    grant: Grant,
    pub(super) trail: Trail,
}

/// A call that the policy allows for some accounts, without naming one. Only [`Broker::admit_for_any`] makes it.
#[derive(Clone, Debug)]
pub struct AnyAccount {
    caller: Caller,
    method: Method,
    policy: Arc<Policy>,
}

impl AnyAccount {
    /// Whether an account is one of them.
    pub(super) fn may_see(&self, account: &AccountId) -> bool {
        self.policy.admit(&self.caller, self.method, account).is_some()
    }
}

impl Broker {
    /// Whether a caller may call a method for any account at all: asked before its request is read.
    pub fn may_call(&self, caller: &Caller, method: Method) -> Result<(), Error> {
        if self.inner.parts.policy.load().may_call(caller, method).is_some() {
            return Ok(());
        }
        Err(not_allowed(&caller.to_string(), method.name()))
    }

    /// Lets a call in that is for no account. It ends in the audit where it begins: nothing of a customer is in its answer.
    pub async fn admit_for_none(
        &self,
        trail: &Trail,
        caller: &Caller,
        method: Method,
    ) -> Result<(), Error> {
        let rule = self.inner.parts.policy.load().may_call(caller, method).map(str::to_owned);
        let rule = rule.ok_or_else(|| not_allowed(&caller.to_string(), method.name()))?;
        trail.note(|record| {
            record.decision = Some(Decision::Allow);
            record.rule = Some(rule);
        });
        self.conclude(trail, None).await
    }

    /// Lets a call in that is for all accounts that the caller may see: of others nothing is in its answer.
    pub async fn admit_for_any(
        &self,
        trail: &Trail,
        caller: &Caller,
        method: Method,
    ) -> Result<AnyAccount, Error> {
        let policy = self.inner.parts.policy.load_full();
        let rule = policy.may_call(caller, method).map(str::to_owned);
        let rule = rule.ok_or_else(|| {
            trail.note(|record| record.decision = Some(Decision::Deny));
            not_allowed(&caller.to_string(), method.name())
        })?;
        trail.note(|record| {
            record.decision = Some(Decision::Allow);
            record.rule = Some(rule);
        });
        Ok(AnyAccount { caller: caller.clone(), method, policy })
    }

    /// Lets a call in, or not. Only the policy is asked: what the answer is does not depend on whether there is such an
    /// account. What changes something is in the audit from here on.
    pub async fn admit(
        &self,
        trail: &Trail,
        caller: &Caller,
        method: Method,
        account: &AccountId,
    ) -> Result<Call, Error> {
        trail.note(|record| record.account = Some(account.as_str().to_owned()));
        let grant = self.inner.parts.policy.load().admit(caller, method, account);
        let grant = grant.ok_or_else(|| {
            trail.note(|record| record.decision = Some(Decision::Deny));
            not_allowed(&caller.to_string(), &format!("{method} for this account"))
        })?;
        trail.note(|record| {
            record.decision = Some(Decision::Allow);
            record.rule = Some(grant.rule().to_owned());
        });
        if method.changes() {
            self.write(trail, Phase::Begin).await?;
        }
        Ok(Call { caller: caller.clone(), grant, trail: trail.clone() })
    }

    /// Writes the end of a call into the audit: before its answer leaves, which it must not if this fails. `reason` is the
    /// contract's word for why it failed.
    pub async fn conclude(&self, trail: &Trail, reason: Option<&'static str>) -> Result<(), Error> {
        trail.note(|record| record.reason = reason);
        self.write(trail, Phase::End).await
    }

    async fn write(&self, trail: &Trail, phase: Phase) -> Result<(), Error> {
        let written = {
            let mut record = trail.record();
            (record.phase, record.time) = (phase, self.now());
            self.inner.parts.audit.write(&record)
        };
        written.await.map_err(|error| {
            Error::new(
                Reason::AuditUnavailable,
                "the broker cannot write its audit, and does nothing without it; try again later",
            )
            .retry_after(RETRY_AFTER)
            .caused_by(error)
        })
    }
}

impl Call {
    /// The account that it is for.
    pub fn account(&self) -> &AccountId {
        self.grant.account()
    }

    /// Who calls.
    pub(super) fn caller(&self) -> &Caller {
        &self.caller
    }

    /// Who calls, and the call's id in log and audit.
    pub(super) fn caller_and_id(&self) -> (String, String) {
        let record = self.trail.record();
        (record.caller.clone().unwrap_or_default(), record.request_id.to_string())
    }

    /// The call for a repository that the caller has named.
    pub(super) fn for_repository(&self, name: Option<&RepoName>) -> Result<Self, Error> {
        match name {
            Some(name) => self
                .narrowed_or_denied(self.grant.repository(name))
                .ok_or_else(|| self.refused("this repository")),
            None => Ok(self.clone()),
        }
    }

    /// The call for the repository that was found bound. None is the same to the caller as no binding; the audit tells them
    /// apart.
    pub(super) fn for_bound(&self, name: &RepoName) -> Option<Self> {
        self.narrowed_or_denied(self.grant.repository(name))
    }

    /// Whether the caller may know that a repository is bound.
    pub(super) fn may_see(&self, name: &RepoName) -> bool {
        self.grant.repository(name).is_some()
    }

    /// The call for a token with these permissions.
    pub(super) fn for_permissions(&self, asked: Permissions) -> Result<Self, Error> {
        match self.grant.permissions(asked) {
            Ok(grant) => Ok(self.narrowed(grant)),
            Err(missing) => {
                self.deny();
                Err(self.refused(&format!("a token with {missing}")).with("missing", missing))
            }
        }
    }

    /// The call for a token that cannot be narrowed.
    pub(super) fn for_unnarrowed_token(&self) -> Option<Self> {
        self.narrowed_or_denied(self.grant.unnarrowed_tokens())
    }

    /// The call for a branch of the binding's repository beside staging, which `field` of the request names. Never production:
    /// no rule and no binding opens it.
    pub(super) fn for_work_branch(
        &self,
        field: &str,
        branch: &BranchName,
        binding: &Binding,
    ) -> Result<Self, Error> {
        let is_production = *branch == binding.production;
        let grant = self.grant.work_branch(branch, &binding.work_branches);
        self.narrowed_or_denied(grant.filter(|_| !is_production)).ok_or_else(|| {
            let why = if is_production {
                "the production branch, which changes come to by OpenPromotionPr"
            } else {
                "no work branch that the binding (ConfigureRepo) and the broker's policy let this caller work on"
            };
            let staging = &binding.staging;
            let message =
                format!("{branch} is {why}; leave `{field}` empty for the staging branch {staging}");
            Error::new(Reason::BranchNotAllowed, message).with("allowed", staging)
        })
    }

    /// The call for files at protected paths; or those of them that are not allowed.
    pub(super) fn for_protected<'a>(
        &self,
        paths: &[&'a RepoPath],
    ) -> Result<Self, Vec<&'a RepoPath>> {
        self.grant
            .protected_paths(paths)
            .map(|grant| self.narrowed(grant))
            .inspect_err(|_| self.deny())
    }

    /// The call for a promotion that GitHub merges by itself once its requirements are met.
    pub(super) fn for_auto_merge(&self) -> Option<Self> {
        self.narrowed_or_denied(self.grant.auto_merge())
    }

    fn narrowed_or_denied(&self, grant: Option<Grant>) -> Option<Self> {
        if grant.is_none() {
            self.deny();
        }
        grant.map(|grant| self.narrowed(grant))
    }

    fn narrowed(&self, grant: Grant) -> Self {
        if grant.rule() != self.grant.rule() {
            self.trail.note(|record| record.rule = Some(grant.rule().to_owned()));
        }
        Self { caller: self.caller.clone(), grant, trail: self.trail.clone() }
    }

    fn deny(&self) {
        self.trail.note(|record| record.decision = Some(Decision::Deny));
    }

    fn refused(&self, what: &str) -> Error {
        let record = self.trail.record();
        let caller = record.caller.as_deref().unwrap_or_default();
        not_allowed(caller, &format!("{} for {what}", record.rpc))
    }
}

fn not_allowed(caller: &str, what: &str) -> Error {
    Error::new(
        Reason::CallerNotAllowed,
        format!(
            "no rule of the broker's policy lets {caller} call {what}; ask its operator for one"
        ),
    )
}
