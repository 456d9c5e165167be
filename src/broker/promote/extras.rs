//! Labels and reviewers. Those that the pull request has are not asked for again; those that cannot be are told.

use super::{Promotion, Warning, WarningCode};
use crate::github::{self, Kind, Pull, Reviewers};

/// What is asked for in one request, of one kind or the other.
#[derive(Clone, Copy)]
enum Extra<'a> {
    Label(&'a str),
    Reviewer(&'a str),
    Team(&'a str),
}

impl Promotion<'_> {
    pub(super) async fn add_labels(&self, pull: &Pull, warnings: &mut Vec<Warning>) {
        let missing: Vec<Extra<'_>> =
            missing(&self.request.labels, &pull.labels).map(Extra::Label).collect();
        self.all_or_each(pull, &missing, warnings).await;
    }

    pub(super) async fn request_reviews(&self, pull: &Pull, warnings: &mut Vec<Warning>) {
        let request = self.request;
        let (own, others): (Vec<&str>, Vec<&str>) = missing(&request.reviewers, &pull.reviewers)
            .partition(|login| login.eq_ignore_ascii_case(&pull.author));
        warnings.extend(own.into_iter().map(|login| Warning {
            code: WarningCode::ReviewerNotAdded,
            subject: login.to_owned(),
            message: "opened the pull request, and cannot review it; name somebody else".to_owned(),
        }));
        let teams = missing(&request.team_reviewers, &pull.teams).map(Extra::Team);
        let missing: Vec<Extra<'_>> =
            others.into_iter().map(Extra::Reviewer).chain(teams).collect();
        self.all_or_each(pull, &missing, warnings).await;
    }

    /// Asks for all at once. GitHub refuses all of them for a single wrong one: then for each by itself, so that the right
    /// ones are not lost. What goes wrong otherwise would go wrong for the rest, too.
    async fn all_or_each(&self, pull: &Pull, wanted: &[Extra<'_>], warnings: &mut Vec<Warning>) {
        if wanted.is_empty() {
            return;
        }
        let error = match self.ask(pull, wanted).await {
            Ok(()) => return,
            Err(error) => error,
        };
        if error.kind != Kind::Invalid || wanted.len() == 1 {
            return warnings.extend(wanted.iter().map(|extra| extra.refused(&error)));
        }
        let mut rest = wanted.iter();
        while let Some(extra) = rest.next() {
            let Err(error) = self.ask(pull, &[*extra]).await else { continue };
            warnings.push(extra.refused(&error));
            if error.kind != Kind::Invalid {
                return warnings.extend(rest.map(|extra| extra.refused(&error)));
            }
        }
    }

    async fn ask(&self, pull: &Pull, wanted: &[Extra<'_>]) -> Result<(), github::Error> {
        let (github, repository) = (self.github(), self.repository());
        let mut labels = Vec::new();
        let mut reviewers = Reviewers::default();
        for extra in wanted {
            match extra {
                Extra::Label(name) => labels.push(*name),
                Extra::Reviewer(login) => reviewers.reviewers.push(login),
                Extra::Team(slug) => reviewers.team_reviewers.push(slug),
            }
        }
        if labels.is_empty() {
            github.request_reviews(self.token, repository, pull.number, &reviewers).await
        } else {
            github.add_labels(self.token, repository, pull.number, &labels).await
        }
    }
}

/// Those of the wanted names that are not there, each once. GitHub's names are the same in any case.
fn missing<'a>(wanted: &'a [String], there: &[String]) -> impl Iterator<Item = &'a str> {
    wanted.iter().enumerate().filter_map(move |(at, name)| {
        let same = |other: &String| other.to_lowercase() == name.to_lowercase();
        let before = wanted.get(..at).unwrap_or_default();
        (!there.iter().any(same) && !before.iter().any(same)).then_some(name.as_str())
    })
}

impl Extra<'_> {
    fn refused(&self, error: &github::Error) -> Warning {
        let (code, subject, fix) = match *self {
            Extra::Label(name) => (
                WarningCode::LabelNotAdded,
                name,
                "choose another name, or make the label on GitHub",
            ),
            Extra::Reviewer(login) => (
                WarningCode::ReviewerNotAdded,
                login,
                "name somebody with access to the repository, or give that on GitHub",
            ),
            Extra::Team(slug) => (
                WarningCode::ReviewerNotAdded,
                slug,
                "name a team with access to the repository, or give that on GitHub",
            ),
        };
        Warning::refused(code, subject, error, fix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_missing_is_wanted_and_once() {
        let names =
            |list: &[&str]| -> Vec<String> { list.iter().map(|n| (*n).to_owned()).collect() };
        let wanted = names(&["Data", "ops", "DATA", "Ärger", "core"]);
        let there = names(&["OPS", "ärger"]);
        assert_eq!(missing(&wanted, &there).collect::<Vec<_>>(), ["Data", "core"]);
    }
}
