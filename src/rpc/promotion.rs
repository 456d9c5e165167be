//! OpenPromotionPr: its request becomes what the broker takes, and what the broker did becomes its answer.

use super::fields::{self, Fields};
use crate::{
    broker::{Error, PromoteRequest, Promoted, Warning, WarningCode},
    domain::{AccountId, MergeMethod, is_login},
    proto,
};

/// GitHub's limit for titles of pull requests.
const MAX_TITLE: usize = 256;
/// GitHub's limit for descriptions of pull requests, in characters.
const MAX_BODY: usize = 65_536;
/// GitHub's limit for names of labels, in characters.
const MAX_LABEL: usize = 50;
/// More than a pull request needs: one wrong one among them costs a request for each.
const MAX_LABELS: usize = 20;
/// GitHub's limit for requested reviewers, for users and for teams.
const MAX_REVIEWERS: usize = 15;
/// Longest slug of a team, with room.
const MAX_SLUG: usize = 255;
/// What the login of an App's user ends with.
const BOT: &str = "[bot]";

pub(super) fn promote_request(
    request: proto::OpenPromotionPrRequest,
) -> Result<(AccountId, PromoteRequest), Error> {
    fields::parse(|fields| {
        let account = fields.required("account", &request.account);
        let repository = fields.optional("repository", &request.repository);
        let head = fields.optional("head_branch", &request.head_branch);
        let base = fields.optional("base_branch", &request.base_branch);
        let auto_merge = auto_merge(fields, &request);
        let title = fields.line("title", request.title, MAX_TITLE);
        let body = match request.body {
            Some(body) => fields.text("body", body, MAX_BODY).map(Some),
            None => Some(None),
        };
        let labels = labels(fields, request.labels);
        let (logins, slugs) = (request.reviewers, request.team_reviewers);
        let reviewers = names(fields, "reviewers", logins, is_reviewer, "a login as on GitHub");
        let teams =
            names(fields, "team_reviewers", slugs, is_slug, "a team's slug, without organization");
        // GitHub cuts these off, too.
        let title = title?.trim().to_owned();
        Some((
            account?,
            PromoteRequest {
                repository: repository?,
                head: head?,
                base: base?,
                title: Some(title).filter(|title| !title.is_empty()),
                body: body?,
                draft: request.draft,
                labels: labels?,
                reviewers: reviewers?,
                team_reviewers: teams?,
                auto_merge: auto_merge?,
                retarget: request.retarget,
            },
        ))
    })
}

fn auto_merge(
    fields: &mut Fields,
    request: &proto::OpenPromotionPrRequest,
) -> Option<Option<MergeMethod>> {
    match request.auto_merge() {
        proto::MergeMethod::Unspecified if request.auto_merge != 0 => {
            fields.wrong("auto_merge", "is not a method that this broker knows");
            None
        }
        proto::MergeMethod::Unspecified => Some(None),
        proto::MergeMethod::Merge => Some(Some(MergeMethod::Merge)),
        proto::MergeMethod::Squash => Some(Some(MergeMethod::Squash)),
        proto::MergeMethod::Rebase => Some(Some(MergeMethod::Rebase)),
    }
}

fn labels(fields: &mut Fields, labels: Vec<String>) -> Option<Vec<String>> {
    if labels.len() > MAX_LABELS {
        fields.wrong("labels", format!("must be at most {MAX_LABELS}"));
        return None;
    }
    let mut named = Some(Vec::with_capacity(labels.len()));
    for (index, label) in labels.into_iter().enumerate() {
        let field = format!("labels[{index}]");
        let label = fields.line(&field, label.trim().to_owned(), MAX_LABEL);
        if label.as_ref().is_some_and(String::is_empty) {
            fields.wrong(field, "must not be empty");
        }
        named = named.zip(label).map(|(mut named, label)| {
            named.push(label);
            named
        });
    }
    named
}

/// Names of reviewers, none of which GitHub would take for something else.
fn names(
    fields: &mut Fields,
    field: &str,
    names: Vec<String>,
    is_name: fn(&str) -> bool,
    what: &str,
) -> Option<Vec<String>> {
    if names.len() > MAX_REVIEWERS {
        fields.wrong(field, format!("must be at most {MAX_REVIEWERS}"));
        return None;
    }
    for (index, name) in names.iter().enumerate() {
        if !is_name(name) {
            fields.wrong(format!("{field}[{index}]"), format!("must be {what}"));
        }
    }
    Some(names)
}

fn is_reviewer(login: &str) -> bool {
    is_login(login.strip_suffix(BOT).unwrap_or(login))
}

fn is_slug(slug: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    !slug.is_empty() && slug.len() <= MAX_SLUG && slug.bytes().all(allowed)
}

pub(super) fn promoted(done: Promoted) -> proto::OpenPromotionPrResponse {
    let mergeable = match done.mergeable {
        None => proto::Mergeable::Unspecified,
        Some(true) => proto::Mergeable::Mergeable,
        Some(false) => proto::Mergeable::Conflicting,
    };
    proto::OpenPromotionPrResponse {
        number: done.number,
        url: done.url,
        created: done.created,
        commits_ahead: i32::try_from(done.commits_ahead).unwrap_or(i32::MAX),
        head_branch: done.head.to_string(),
        base_branch: done.base.to_string(),
        mergeable: mergeable.into(),
        draft: done.draft,
        auto_merge_enabled: done.auto_merge_enabled,
        warnings: done.warnings.into_iter().map(warning).collect(),
    }
}

fn warning(warning: Warning) -> proto::PromotionWarning {
    let code = match warning.code {
        WarningCode::ReviewerNotAdded => proto::PromotionWarningCode::ReviewerNotAdded,
        WarningCode::LabelNotAdded => proto::PromotionWarningCode::LabelNotAdded,
        WarningCode::AutoMergeNotEnabled => proto::PromotionWarningCode::AutoMergeNotEnabled,
    };
    proto::PromotionWarning {
        code: code.into(),
        subject: warning.subject,
        message: warning.message,
    }
}
