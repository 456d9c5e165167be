//! One commit on its way: read, plan, apply, and again when the head moves or an answer is lost.

use tokio::time::Instant;

use super::{
    Access, CommitRequest, Committed, Counts,
    branch::Head,
    plan::{self, Plan},
    too_late,
};
use crate::{
    broker::{
        Broker,
        error::{Error, Reason},
        refusal::Failed,
    },
    domain::{BranchName, ChangeSet, CommitMessage, ObjectId, RepoName, Token},
    github::{self, Kind},
};

/// How often a commit is planned anew after the head has moved or an answer was lost. Each try reads the branch first.
const TRIES: usize = 5;

/// One commit on its way.
pub(super) struct Work<'a> {
    pub broker: &'a Broker,
    pub access: &'a Access,
    /// The branch to commit to.
    pub branch: &'a BranchName,
    pub token: &'a Token,
    pub request: &'a CommitRequest,
    pub changes: &'a ChangeSet,
}

/// Heads that the commit was tried on, each with an answer that was lost.
type Tried = Vec<ObjectId>;
/// How many commits of others on top of ours are looked behind when an answer was lost.
const LOOK_BACK: usize = 10;

impl Work<'_> {
    pub(super) fn github(&self) -> &github::GitHub {
        self.broker.github()
    }

    pub(super) fn repository(&self) -> &RepoName {
        &self.access.binding.repository
    }

    /// Tries until the commit is made, or must not be.
    pub async fn run(&self) -> Result<Committed, Failed> {
        let mut tried = Tried::new();
        for _ in 0..TRIES {
            self.in_time()?;
            match self.attempt(&tried).await? {
                Attempt::Done(committed) => return Ok(committed),
                Attempt::HeadMoved => {}
                Attempt::Unknown(head) => tried.push(head),
            }
        }
        if !tried.is_empty() {
            return Err(Failed::Known(Error::unavailable()));
        }
        Err(Failed::Known(Error::new(
            Reason::HeadMoved,
            format!("others push to {} faster than the broker can commit; try again", self.branch),
        )))
    }

    /// The caller has been told that the call took too long: nothing is begun for it any more.
    fn in_time(&self) -> Result<(), Failed> {
        if Instant::now() < self.request.deadline {
            return Ok(());
        }
        Err(Failed::Known(too_late()))
    }

    async fn attempt(&self, tried: &Tried) -> Result<Attempt, Failed> {
        let head = self.head().await?;
        if let Some(committed) = self.landed(tried, &head).await? {
            return Ok(Attempt::Done(committed));
        }
        if let Some(expected) = self.request.expected_head.filter(|expected| *expected != head.id) {
            let message =
                format!("{} is at {}, not at {expected}; read it again", self.branch, head.id);
            let moved = Error::new(Reason::HeadMoved, message);
            return Err(Failed::Known(moved.with("current_head_sha", head.id)));
        }
        let plan = self.plan_against(&head).await?;
        if plan.is_empty() {
            return Ok(Attempt::Done(self.answer(head.id, &head.url, true, plan.counts)));
        }
        self.in_time()?;
        match self.apply(&head, &plan).await {
            Ok(Some(pushed)) => {
                Ok(Attempt::Done(self.answer(pushed.id, &pushed.url, false, plan.counts)))
            }
            Ok(None) => Ok(Attempt::HeadMoved),
            // Stale: somebody pushed. Not found: somebody deleted the branch. Both show when it is read again.
            Err(error) if matches!(error.kind, Kind::Stale | Kind::NotFound) => {
                Ok(Attempt::HeadMoved)
            }
            Err(error) if error.effect_unknown() => Ok(Attempt::Unknown(head.id)),
            Err(error) => Err(error.into()),
        }
    }

    /// After an answer was lost: the commit that was made all the same, if it is the head or a little below it.
    async fn landed(&self, tried: &Tried, head: &Head) -> Result<Option<Committed>, Failed> {
        let mut at = head.clone();
        for _ in 0..LOOK_BACK {
            let (false, [parent]) = (tried.is_empty() || tried.contains(&at.id), &at.parents[..])
            else {
                return Ok(None);
            };
            let before = self.head_at(*parent).await?;
            let message = at.message.parse::<CommitMessage>();
            let ours = tried.contains(parent) && message.as_ref() == Ok(&self.request.message);
            if ours && self.plan_against(&at).await?.is_empty() {
                let counts = self.plan_against(&before).await?.counts;
                return Ok(Some(self.answer(at.id, &at.url, false, counts)));
            }
            at = before;
        }
        Ok(None)
    }

    async fn plan_against(&self, head: &Head) -> Result<Plan, Failed> {
        Ok(plan::plan(self.changes, &self.entries(head).await?)?)
    }

    fn answer(&self, id: ObjectId, url: &str, unchanged: bool, counts: Counts) -> Committed {
        Committed {
            commit_sha: id.to_string(),
            url: url.to_owned(),
            branch: self.branch.to_string(),
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
