//! The pull request itself: found, retargeted, opened, brought up to date. GitHub allows one open one for each pair of
//! branches, so that whoever is faster, there is one in the end.

use super::Promotion;
use crate::{
    broker::{
        error::{Error, Reason},
        refusal::Failed,
    },
    github::{self, Kind, NewPull, Pull, PullChange},
};

impl Promotion<'_> {
    /// The open pull request, up to date; true if this call has opened it.
    pub(super) async fn pull(&self) -> Result<(Pull, bool), Failed> {
        let Some(found) = self.find().await? else { return self.create().await };
        let error = match self.up_to_date(found).await {
            Ok(pull) => return Ok((pull, false)),
            Err(error) => error,
        };
        if error.kind != Kind::AlreadyExists {
            return Err(error.into());
        }
        // Somebody opened one to the base before this one could go there.
        match self.find().await? {
            Some(found) => Ok((self.up_to_date(found).await?, false)),
            None => Err(error.into()),
        }
    }

    /// The open one between the two branches. If there is none, and it may be retargeted: the only one of the head.
    async fn find(&self) -> Result<Option<Pull>, github::Error> {
        let (head, base) = (&self.ends.head, &self.ends.base);
        let to = (!self.request.retarget).then_some(base);
        let mut open = self.github().open_pulls(self.token, self.repository(), head, to).await?;
        if let Some(at) = open.iter().position(|pull| pull.base == base.as_str()) {
            return Ok(Some(open.swap_remove(at)));
        }
        Ok(open.pop().filter(|_| open.is_empty()))
    }

    /// Opens one. Somebody may be faster, or the answer be lost: then the open one is looked up. If there is none the request
    /// was lost before it came there, and is sent once more.
    async fn create(&self) -> Result<(Pull, bool), Failed> {
        let mut lost = false;
        loop {
            let error = match self.send_new().await {
                Ok(pull) => return Ok((pull, true)),
                Err(error) => error,
            };
            let lost_again = error.effect_unknown();
            if !lost_again && error.kind != Kind::AlreadyExists {
                return Err(self.not_created(error));
            }
            if let Some(found) = self.find().await? {
                let created = (lost || lost_again) && self.change(&found) == PullChange::default();
                return Ok((self.up_to_date(found).await?, created));
            }
            if lost || !lost_again {
                return Err(error.into());
            }
            lost = true;
        }
    }

    async fn send_new(&self) -> Result<Pull, github::Error> {
        let title = self.title();
        let new = NewPull {
            title: &title,
            body: self.request.body.as_deref(),
            head: &self.ends.head,
            base: &self.ends.base,
            draft: self.request.draft,
        };
        self.github().create_pull(self.token, self.repository(), &new).await
    }

    fn title(&self) -> String {
        let default = || format!("Promote {} to {}", self.ends.head, self.ends.base);
        self.request.title.clone().unwrap_or_else(default)
    }

    fn not_created(&self, error: github::Error) -> Failed {
        // Somebody merged since the branches were compared.
        if error.kind == Kind::NothingToMerge {
            return Failed::Known(self.nothing_to_promote().caused_by(error));
        }
        let said = error.sentence();
        if self.request.draft
            && error.kind == Kind::Invalid
            && said.to_lowercase().contains("draft")
        {
            let message = format!(
                "GitHub opens no drafts in {}: {said}; leave `draft` out, or change the repository's plan",
                self.repository()
            );
            return Failed::Known(Error::new(Reason::RefusedByGithub, message).caused_by(error));
        }
        error.into()
    }

    /// What of a pull request is not as asked.
    fn change(&self, pull: &Pull) -> PullChange<'_> {
        let base = self.ends.base.as_str();
        PullChange {
            title: self.request.title.as_deref().filter(|title| *title != pull.title),
            body: self.request.body.as_deref().filter(|body| *body != pull.body),
            base: Some(base).filter(|base| *base != pull.base),
        }
    }

    /// A pull request from a list as it is asked for, and with what only a look at itself tells. If the answer is lost it is
    /// read, and changed once more if it has to be.
    async fn up_to_date(&self, listed: Pull) -> Result<Pull, github::Error> {
        let number = listed.number;
        let update =
            |change| self.github().update_pull(self.token, self.repository(), number, change);
        let change = self.change(&listed);
        if change == PullChange::default() {
            // That GitHub does not say more of it is no reason to fail.
            return Ok(self.read(number).await.unwrap_or(listed));
        }
        match update(change).await {
            Err(error) if error.effect_unknown() => {
                let now = self.read(number).await?;
                match self.change(&now) {
                    change if change == PullChange::default() => Ok(now),
                    change => update(change).await,
                }
            }
            result => result,
        }
    }
}
