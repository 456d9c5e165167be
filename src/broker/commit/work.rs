//! One commit on its way: read, plan, apply, and again when the head moves or an answer is lost.

use std::{collections::BTreeSet, future::Future, time::Duration};

use tokio::time::{Instant, sleep, timeout_at};

use super::{Access, CommitRequest, Committed, Counts, once::Claim, plan, plan::Plan};
use crate::{
    broker::{
        Broker,
        error::{Error, Reason},
        refusal::{Failed, ReadOnly},
        repo_token::{RepoToken, same_repository},
    },
    domain::{
        BranchName, ChangeSet, CommitMessage, CredentialSource, Entries, ObjectId, RepoName,
        RepoPath, Token, is_workflow,
    },
    github::{self, At, Head, Kind, Look, Snapshot},
};

/// How often a commit is planned anew after the head has moved or an answer was lost. Each try reads the branch first.
const TRIES: u32 = 8;
/// The longest wait before the second try, doubled for each further one up to the other. Replicas that race must not do so in
/// step.
const PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);
/// How often GitHub may say on one way that something is not there. A branch that was made or deleted just now is the reason the
/// first times; after that it is a credential that may read and not write, to which GitHub says so, too.
const NOT_FOUND_TRIES: u32 = 3;
/// How often mutations are tried when their answer is lost or cannot be read. After that REST does it, of which each request is
/// less work: GitHub gives up a large mutation in the middle, and another host may answer one in words of its own.
const GRAPHQL_TRIES: u32 = 2;
/// How many commits of others on top of ours are looked behind when an answer was lost.
const LOOK_BACK: usize = 10;

/// One commit on its way.
pub(super) struct Work<'a> {
    pub broker: &'a Broker,
    pub access: &'a Access,
    /// The branch to commit to.
    pub branch: &'a BranchName,
    pub request: &'a CommitRequest,
    pub message: &'a CommitMessage,
    pub changes: &'a ChangeSet,
    /// Those of the changes.
    pub paths: &'a BTreeSet<RepoPath>,
}

/// What a commit is put on.
#[derive(Clone, Copy)]
pub(super) struct Ground<'a> {
    pub head: &'a Head,
    /// False if the branch does not exist yet, and is to begin here.
    pub on_branch: bool,
    /// The repository's id in GraphQL; none where that is not to be used.
    pub node_id: Option<&'a str>,
}

impl Work<'_> {
    pub(super) fn github(&self) -> &github::GitHub {
        self.broker.github()
    }

    pub(super) fn repository(&self) -> &RepoName {
        &self.access.binding.repository
    }

    /// The first look at the branch, with a token that GitHub may not know yet.
    pub async fn first_look(&self, token: &RepoToken) -> Result<Snapshot, github::Error> {
        self.look_with(&token.token, token.fresh, At::Branch(self.branch)).await
    }

    pub(super) async fn look(&self, token: &Token, at: At<'_>) -> Result<Snapshot, Failed> {
        self.while_in_time(self.look_with(token, false, at)).await
    }

    async fn look_with(
        &self,
        token: &Token,
        fresh: bool,
        at: At<'_>,
    ) -> Result<Snapshot, github::Error> {
        let (repository, beside) = (self.repository(), &self.access.binding.production);
        let look = Look { repository, at, beside, paths: self.paths, fresh };
        self.github().snapshot(token, &look).await
    }

    /// Tries until the commit is made, or must not be. `snapshot` is the first look.
    pub async fn run(
        &self,
        token: &Token,
        mut snapshot: Snapshot,
        claim: &mut Claim<'_>,
    ) -> Result<Committed, Failed> {
        let (mut not_found, mut unanswered, mut lost) = (0, 0, None);
        for attempt in 0..TRIES {
            if attempt > 0 {
                let longest = PAUSE.saturating_mul(1 << (attempt - 1)).min(LONGEST_PAUSE);
                sleep(longest.mul_f64(rand::random())).await;
                self.in_time()?;
                snapshot = self.look(token, At::Branch(self.branch)).await?;
            }
            self.in_time()?;
            match self.attempt(token, &snapshot, claim, unanswered < GRAPHQL_TRIES).await? {
                Next::Done(committed) => return Ok(committed),
                Next::Again => {}
                Next::Unanswered(error) => {
                    unanswered += 1;
                    lost = Some(error);
                }
                Next::NotFound(error) => {
                    not_found += 1;
                    if not_found == NOT_FOUND_TRIES {
                        return Err(self.not_let(error));
                    }
                }
            }
        }
        if claim.tried.is_some() {
            let unavailable = Error::unavailable();
            return Err(Failed::Known(match lost {
                Some(error) => unavailable.caused_by(error),
                None => unavailable,
            }));
        }
        Err(Failed::Known(Error::new(
            Reason::HeadMoved,
            format!("others push to {} faster than the broker can commit; try again", self.branch),
        )))
    }

    /// To a token that must not write workflow files GitHub says 403, or a 404 that stays, and not why.
    fn not_let(&self, error: github::Error) -> Failed {
        let context = self.access.context();
        let workflows = self.paths.iter().any(is_workflow);
        if workflows && context.source != CredentialSource::AppInstallation {
            return context.no_workflows().caused_by(error).into();
        }
        error.into()
    }

    /// The caller has been told that the call took too long: nothing is begun for it any more.
    pub(super) fn in_time(&self) -> Result<(), Failed> {
        if Instant::now() < self.request.deadline {
            return Ok(());
        }
        Err(Failed::Known(super::too_late()))
    }

    /// Does what changes no branch, of however many requests it is, as long as the caller waits.
    pub(super) async fn while_in_time<T>(
        &self,
        work: impl Future<Output = Result<T, github::Error>>,
    ) -> Result<T, Failed> {
        let done = timeout_at(self.request.deadline, work).await;
        Ok(done.map_err(|_| Failed::Known(super::too_late()))??)
    }

    async fn attempt(
        &self,
        token: &Token,
        snapshot: &Snapshot,
        claim: &mut Claim<'_>,
        by_graphql: bool,
    ) -> Result<Next, Failed> {
        let found = &snapshot.repository;
        let read_only = ReadOnly::of(found.archived, found.disabled);
        same_repository(&self.access.binding, found.id, &found.name, read_only)?;
        let begun;
        let (head, on_branch) = match &snapshot.head {
            Some(head) => (head, true),
            None if found.empty => {
                self.can_begin()?;
                self.make_first_commit(token).await?;
                return Ok(Next::Again);
            }
            None => {
                begun = self.begin(token, snapshot.beside).await?;
                (&begun, false)
            }
        };
        // As long as the branch seems to be where it was, what was tried there can land, or has and is not known everywhere.
        if let Some(tried) = claim.tried.filter(|tried| on_branch && *tried != head.id) {
            if let Some(committed) = self.landed(token, tried, head).await? {
                return Ok(Next::Done(committed));
            }
            claim.tried = None;
        }
        if let Some(expected) = self.request.expected_head.filter(|expected| *expected != head.id) {
            let message =
                format!("{} is at {}, not at {expected}; read it again", self.branch, head.id);
            let moved = Error::new(Reason::HeadMoved, message);
            return Err(Failed::Known(moved.with("current_head_sha", head.id)));
        }
        let plan = self.plan_against(head)?;
        if plan.is_empty() {
            return Ok(Next::Done(self.answer(head.id, &head.url, true, plan.counts)));
        }
        self.in_time()?;
        claim.about_to_commit_on(head.id).await?;
        let node_id = found.node_id.as_deref().filter(|_| by_graphql);
        let ground = Ground { head, on_branch, node_id };
        match self.apply(token, ground, &plan, by_graphql).await {
            Ok(Some(commit)) => {
                Ok(Next::Done(self.answer(commit.id, &commit.url, false, plan.counts)))
            }
            Ok(None) => Ok(Next::Again),
            Err(Failed::Known(error)) => Err(error.into()),
            Err(Failed::GitHub(error)) if error.effect_unknown() => {
                claim.tried = Some(head.id);
                Ok(Next::Unanswered(error))
            }
            Err(Failed::GitHub(error)) => match error.kind {
                Kind::Stale => Ok(Next::Again),
                Kind::NotFound => Ok(Next::NotFound(error)),
                Kind::Forbidden => Err(self.not_let(error)),
                _ => Err(error.into()),
            },
        }
    }

    /// An empty repository gets its first commit only for a call that goes on with it.
    fn can_begin(&self) -> Result<(), Error> {
        if let Some(expected) = self.request.expected_head {
            let message = format!("{} has no commit yet, and so not {expected}", self.repository());
            return Err(Error::new(Reason::HeadMoved, message));
        }
        plan::plan(self.changes, &Entries::default()).map(drop)
    }

    /// After an answer was lost: the commit that was made on `tried` all the same, if it is the head or a little below it.
    async fn landed(
        &self,
        token: &Token,
        tried: ObjectId,
        head: &Head,
    ) -> Result<Option<Committed>, Failed> {
        let mut at = head.clone();
        for _ in 0..LOOK_BACK {
            let (false, [parent]) = (at.id == tried, &at.parents[..]) else { return Ok(None) };
            let Some(before) = self.look(token, At::Commit(*parent)).await?.head else {
                return Ok(None);
            };
            let message = at.message.parse::<CommitMessage>();
            let ours = *parent == tried && message.as_ref() == Ok(self.message);
            if ours && self.plan_against(&at).is_ok_and(|plan| plan.is_empty()) {
                let counts = self.plan_against(&before)?.counts;
                return Ok(Some(self.answer(at.id, &at.url, false, counts)));
            }
            at = before;
        }
        Ok(None)
    }

    fn plan_against(&self, head: &Head) -> Result<Plan, Error> {
        plan::plan(self.changes, &head.entries)
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
enum Next {
    Done(Committed),
    /// Somebody pushed: the branch has to be read again.
    Again,
    /// It may have been done: the branch has to be read again.
    Unanswered(github::Error),
    /// Somebody may have deleted the branch.
    NotFound(github::Error),
}
