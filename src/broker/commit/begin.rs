//! Where a branch begins that does not exist yet, and what an empty repository begins with.

use tracing::info;

use super::work::Work;
use crate::{
    broker::{
        error::{Error, Reason},
        refusal::{Failed, branch_missing},
    },
    domain::{Base, ObjectId, Token},
    github::{At, Head, Kind},
};

/// What an empty repository gets first: a file that says nothing, as people use it to have a directory in git.
const FIRST_FILE: &str = ".gitkeep";
const FIRST_MESSAGE: &str = "Initial commit";
/// How often the production branch is made after the first commit, when the answer is lost.
const PRODUCTION_TRIES: u32 = 3;

impl Work<'_> {
    /// The commit at which the branch begins. `production` is where that branch is, if there is one.
    pub(super) async fn begin(
        &self,
        token: &Token,
        production: Option<ObjectId>,
    ) -> Result<Head, Failed> {
        self.may_make_branch()?;
        let binding = &self.access.binding;
        let base = if self.is_staging() { &binding.staging_base } else { &self.request.base };
        let (at, branch) = match base {
            Some(Base::Commit(commit)) => {
                self.in_history(token, *commit, production).await?;
                (At::Commit(*commit), &binding.production)
            }
            Some(Base::Branch(branch)) if *branch != binding.production => {
                (At::Branch(branch), branch)
            }
            _ => {
                let missing = || branch_missing(&binding.production, self.repository());
                (At::Commit(production.ok_or_else(missing)?), &binding.production)
            }
        };
        let found = self.look(token, at).await?.head;
        found.ok_or_else(|| branch_missing(branch, self.repository()).into())
    }

    /// Makes the first commit of an empty repository, and the production branch with it. Somebody may be faster: what is
    /// there then is read again.
    pub(super) async fn make_first_commit(&self, token: &Token) -> Result<(), Failed> {
        self.may_make_branch()?;
        let (github, repository) = (self.github(), self.repository());
        let production = &self.access.binding.production;
        let path = FIRST_FILE.parse().map_err(Error::internal)?;
        let path = self.access.binding.subdirectory.join(&path).map_err(Error::internal)?;
        let message = FIRST_MESSAGE.parse().map_err(Error::internal)?;
        // GitHub lets an empty repository begin with its default branch only.
        let default = github.repository(token, repository).await?.default_branch;
        match github.create_file(token, repository, &path, b"", &message).await {
            Ok(_) => info!(%repository, branch = %default, "first commit of an empty repository"),
            Err(error)
                if error.effect_unknown()
                    || matches!(
                        error.kind,
                        Kind::Invalid | Kind::Conflict | Kind::AlreadyExists
                    ) => {}
            Err(error) => return Err(error.into()),
        }
        if default == *production {
            return Ok(());
        }
        match github.branch_head(token, repository, &default).await {
            Ok(Some(first)) => self.make_production(token, first).await,
            Ok(None) => Ok(()),
            Err(error) if error.kind == Kind::EmptyRepository => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    async fn make_production(&self, token: &Token, first: ObjectId) -> Result<(), Failed> {
        let (repository, production) = (self.repository(), &self.access.binding.production);
        for attempt in 1.. {
            match self.github().create_branch(token, repository, production, first).await {
                // Twice is as good as once. Later nothing would tell that this branch is the broker's to make.
                Err(error) if error.effect_unknown() && attempt < PRODUCTION_TRIES => {}
                Err(error) if error.kind != Kind::AlreadyExists => return Err(error.into()),
                _ => break,
            }
        }
        Ok(())
    }

    /// A commit that a branch may begin at is one of production's history. GitHub finds commits of forks, too, by their ids:
    /// anybody could have written those.
    async fn in_history(
        &self,
        token: &Token,
        commit: ObjectId,
        production: Option<ObjectId>,
    ) -> Result<(), Failed> {
        let head = production.ok_or_else(|| self.no_base(commit))?;
        if self.github().is_ancestor(token, self.repository(), commit, head).await? {
            Ok(())
        } else {
            Err(self.no_base(commit).into())
        }
    }

    fn no_base(&self, commit: ObjectId) -> Error {
        let why = format!("{commit} is not in the history of {}", self.access.binding.production);
        if self.is_staging() {
            let message = format!("{why}; call ConfigureRepo with another staging_base");
            Error::new(Reason::BranchMissing, message).with("branch", self.branch)
        } else {
            Error::invalid("base", format!("must be a branch or a commit of production: {why}"))
        }
    }

    fn may_make_branch(&self) -> Result<(), Error> {
        if self.is_staging() && self.access.binding.staging_must_exist {
            let message = format!(
                "{} has no branch {}, which the broker is not to create (staging_must_exist); create it on GitHub, or change \
                 that with ConfigureRepo",
                self.repository(),
                self.branch
            );
            return Err(Error::new(Reason::BranchMissing, message).with("branch", self.branch));
        }
        Ok(())
    }

    fn is_staging(&self) -> bool {
        *self.branch == self.access.binding.staging
    }
}
