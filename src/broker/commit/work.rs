//! One commit on its way: read, plan, apply, and again when the head moves or an answer is lost.

use super::{
    Access, CommitRequest, Committed, Counts,
    branch::Head,
    plan::{self, Plan},
};
use crate::{
    broker::{
        Broker,
        error::{Error, Reason},
        refusal::Failed,
    },
    domain::{BranchName, ChangeSet, ObjectId, RepoName, Token},
    github::{self, Kind},
};

/// How often a commit is planned anew after the head has moved or an answer was lost. Each try reads the branch first.
const TRIES: usize = 5;

/// One commit on its way.
pub(super) struct Work<'a> {
    pub broker: &'a Broker,
    pub access: &'a Access,
    pub token: &'a Token,
    pub request: &'a CommitRequest,
    pub changes: &'a ChangeSet,
}

/// The head that a commit was tried on before, when its outcome is not known.
type Tried = Option<ObjectId>;

impl Work<'_> {
    pub(super) fn github(&self) -> &github::GitHub {
        self.broker.github()
    }

    pub(super) fn repository(&self) -> &RepoName {
        &self.access.binding.repository
    }

    pub(super) fn staging(&self) -> &BranchName {
        &self.access.binding.staging
    }

    /// Tries until the commit is made, or must not be.
    pub async fn run(&self) -> Result<Committed, Failed> {
        let mut tried: Tried = None;
        for _ in 1..TRIES {
            match self.attempt(tried).await? {
                Attempt::Done(committed) => return Ok(committed),
                Attempt::HeadMoved => tried = None,
                Attempt::Unknown(head) => tried = Some(head),
            }
        }
        match self.attempt(tried).await? {
            Attempt::Done(committed) => Ok(committed),
            Attempt::HeadMoved => Err(Failed::Known(Error::new(
                Reason::HeadMoved,
                format!(
                    "others push to {} faster than the broker can commit; try again",
                    self.staging()
                ),
            ))),
            Attempt::Unknown(_) => Err(Failed::Known(Error::unavailable())),
        }
    }

    async fn attempt(&self, tried: Tried) -> Result<Attempt, Failed> {
        let head = self.head().await?;
        if let Some(committed) = self.landed(tried, &head).await? {
            return Ok(Attempt::Done(committed));
        }
        if let Some(expected) = self.request.expected_head.filter(|expected| *expected != head.id) {
            return Err(Failed::Known(
                Error::new(
                    Reason::HeadMoved,
                    format!(
                        "{} is at {}, not at {expected}; read it again",
                        self.staging(),
                        head.id
                    ),
                )
                .with("current_head_sha", head.id),
            ));
        }
        let entries = self.entries(&head).await?;
        let plan = plan::plan(self.changes, &entries)?;
        if plan.is_empty() {
            return Ok(Attempt::Done(self.answer(head.id, &head.url, true, plan.counts)));
        }
        match self.apply(&head, &plan).await {
            Ok(pushed) => {
                Ok(Attempt::Done(self.answer(pushed.id, &pushed.url, false, plan.counts)))
            }
            Err(error) if error.kind == Kind::Stale => Ok(Attempt::HeadMoved),
            Err(error) if error.effect_unknown() => Ok(Attempt::Unknown(head.id)),
            Err(error) => Err(error.into()),
        }
    }

    /// After an answer was lost: the commit that was made all the same, if the head is it.
    async fn landed(&self, tried: Tried, head: &Head) -> Result<Option<Committed>, Failed> {
        let Some(before) = tried.filter(|before| *before != head.id) else { return Ok(None) };
        let ours =
            head.parents == [before] && head.message.trim_end() == self.request.message.trim_end();
        if !ours || !self.plan_against(head).await?.is_empty() {
            return Ok(None);
        }
        let old = self.head_at(before).await?;
        let counts = self.plan_against(&old).await?.counts;
        Ok(Some(self.answer(head.id, &head.url, false, counts)))
    }

    async fn plan_against(&self, head: &Head) -> Result<Plan, Failed> {
        Ok(plan::plan(self.changes, &self.entries(head).await?)?)
    }

    fn answer(&self, id: ObjectId, url: &str, unchanged: bool, counts: Counts) -> Committed {
        Committed {
            commit_sha: id.to_string(),
            url: url.to_owned(),
            branch: self.staging().to_string(),
            unchanged,
            counts,
        }
    }
}

/// How one try ended.
enum Attempt {
    Done(Committed),
    /// Somebody else pushed: plan again.
    HeadMoved,
    /// The answer was lost: look whether it was done.
    Unknown(ObjectId),
}
