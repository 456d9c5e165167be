//! CommitFiles: one commit of any number of files to the staging branch.
//!
//! * [`branch`]: what the branch has now, as far as the request touches it.
//! * [`plan`]: what differs, and how it can be sent. Pure.
//! * [`apply`]: the one request, or the few, that make the commit.
//! * [`once`]: a request id makes a retry get the first answer.
//!
//! The head of the branch is read, and the commit is made only if it is still there: what somebody else pushed
//! meanwhile is never lost. Nothing is sent a second time before the state has been read again.

mod apply;
mod branch;
mod once;
mod plan;

use std::{sync::Arc, time::Duration};

use tracing::info;

use super::{
    Broker,
    access::{Access, RepoToken},
    error::{Error, FieldViolation, Reason},
    refusal::Failed,
};
use crate::{
    domain::{
        AccountId, BranchName, ChangeSet, Edit, Level, ObjectId, Permission, Permissions, RepoId,
        RepoName, Subdirectory, Token, is_protected,
    },
    github::{self, Kind},
};
use branch::Head;
use plan::Plan;

/// What is to be committed.
#[derive(Clone, Debug)]
pub struct CommitRequest {
    /// Who asks.
    pub account: AccountId,
    /// A bound repository; the active one by default.
    pub repository: Option<RepoName>,
    /// Must be the staging branch if given.
    pub branch: Option<BranchName>,
    /// Headline, empty line, body.
    pub message: String,
    /// The files, relative to the binding's subdirectory.
    pub changes: ChangeSet,
    /// Where the branch must be.
    pub expected_head: Option<ObjectId>,
    /// The caller's own name for this call.
    pub request_id: Option<String>,
}

/// The branch after the call.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
pub struct Committed {
    /// Head of the branch, 40 hex digits.
    pub commit_sha: String,
    /// Its page.
    pub url: String,
    /// The branch.
    pub branch: String,
    /// True if nothing differed.
    pub unchanged: bool,
    /// How many files of each kind.
    pub counts: Counts,
}

/// Files of a commit by what happened to them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, serde::Serialize, serde::Deserialize)]
pub struct Counts {
    /// Did not exist before.
    pub added: usize,
    /// Content or mode differs.
    pub changed: usize,
    /// No longer exist.
    pub deleted: usize,
    /// Already were as asked.
    pub unchanged: usize,
}

const PERMISSIONS: Permissions = Permissions::NONE
    .with(Permission::CONTENTS, Level::Write)
    .with(Permission::METADATA, Level::Read);
/// Long enough for a large commit.
const MIN_TTL: Duration = Duration::from_secs(5 * 60);
/// How often a commit is planned anew after the head has moved or an answer was lost. Each try reads the branch first.
const TRIES: usize = 5;

impl Broker {
    /// Makes the commit, or none if nothing differs.
    pub async fn commit(&self, request: CommitRequest) -> Result<Committed, Error> {
        let access = self.access(&request.account, request.repository.as_ref()).await?;
        let staging = &access.binding.staging;
        if request.branch.as_ref().is_some_and(|branch| branch != staging) {
            return Err(Error::new(
                Reason::BranchNotAllowed,
                format!("commits go to the staging branch {staging} only; leave `branch` empty"),
            )
            .with("allowed", staging));
        }
        let changes = place(&request.changes, &access.binding.subdirectory)?;
        let turn = self.turn(access.binding.repository_id);
        let _turn = turn.lock().await;
        if let Some(answer) = self.first_answer(&request, &access, &changes).await? {
            return Ok(answer);
        }
        let result = self.commit_now(&request, &access, &changes).await;
        self.remember(&request, &result).await;
        result
    }

    async fn commit_now(
        &self,
        request: &CommitRequest,
        access: &Access,
        changes: &ChangeSet,
    ) -> Result<Committed, Error> {
        let account = &request.account;
        let token = self.repo_token(account, access, PERMISSIONS, MIN_TTL).await?;
        let work = Work { broker: self, access, token: &token.token, request, changes };
        match work.run(&token).await {
            Ok(committed) => {
                info!(
                    %account, repository = %access.binding.repository, branch = %access.binding.staging,
                    commit = %committed.commit_sha, unchanged = committed.unchanged, counts = ?committed.counts,
                    "files committed"
                );
                Ok(committed)
            }
            Err(Failed::Known(error)) => Err(error),
            Err(Failed::GitHub(error)) => Err(self.refused(account, access, error).await),
        }
    }

    fn turn(&self, repository: RepoId) -> Arc<tokio::sync::Mutex<()>> {
        // Forget the repositories that nobody waits for, now that the map is touched anyway.
        let turns = &self.inner.turns;
        turns.retain(|id, turn| *id == repository || Arc::strong_count(turn) > 1);
        turns.entry(repository).or_default().clone()
    }
}

/// Prefixes every path with the binding's subdirectory, and refuses protected ones.
fn place(changes: &ChangeSet, subdirectory: &Subdirectory) -> Result<ChangeSet, Error> {
    let mut placed = Vec::with_capacity(changes.len());
    let mut wrong = Vec::new();
    let mut protected: Vec<String> = Vec::new();
    for (path, edit) in changes.iter() {
        match subdirectory.join(path) {
            Ok(path) if is_protected(&path) => protected.push(path.to_string()),
            Ok(path) => placed.push((path, edit.clone())),
            Err(error) => wrong.push(FieldViolation {
                field: "files.path".to_owned(),
                description: format!("{path}: with the subdirectory, {error}"),
            }),
        }
    }
    if !wrong.is_empty() {
        return Err(Error::invalid_fields(wrong));
    }
    if !protected.is_empty() {
        return Err(Error::new(
            Reason::PathNotAllowed,
            format!(
                "these paths decide what runs or who reviews, and are never written: {}",
                protected.join(", ")
            ),
        )
        .with("paths", protected.join(",")));
    }
    ChangeSet::new(placed).map_err(|_| Error::invalid("files", "must not clash"))
}

/// One commit on its way.
struct Work<'a> {
    broker: &'a Broker,
    access: &'a Access,
    token: &'a Token,
    request: &'a CommitRequest,
    changes: &'a ChangeSet,
}

/// The head that a commit was tried on before, when its outcome is not known.
type Tried = Option<ObjectId>;

impl Work<'_> {
    fn github(&self) -> &github::GitHub {
        self.broker.github()
    }

    fn repository(&self) -> &RepoName {
        &self.access.binding.repository
    }

    fn staging(&self) -> &BranchName {
        &self.access.binding.staging
    }

    async fn run(&self, token: &RepoToken) -> Result<Committed, Failed> {
        let found = self.broker.look_at(token, self.repository()).await?;
        self.broker.same_repository(&self.access.binding, &found)?;
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
