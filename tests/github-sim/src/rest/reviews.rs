//! Reviewers and reviews of pull requests.

use serde_json::{Value, json};

use super::{pull_view, pulls, view};
use crate::clock::iso;
use crate::http::{Answer, Call, Outcome, Page, Payload, Refusal};
use crate::level::Level;
use crate::urls::node_id;
use crate::world::{Pull, Review};

/// Changes the stored pull request of the path.
fn change(call: &Call<'_>, change: impl FnOnce(&mut Pull)) -> Result<(), Refusal> {
    let number = call.id("pull_number")?;
    call.change(|world, id| {
        let repository = world.repositories.get_mut(&id).ok_or_else(Refusal::not_found)?;
        let issue = repository.issues.get_mut(&number).ok_or_else(Refusal::not_found)?;
        change(issue.pull.as_mut().ok_or_else(Refusal::not_found)?);
        Ok(())
    })
}

pub(super) fn requested(call: &Call<'_>) -> Outcome {
    let (_, pull) = pulls::find(call)?;
    let world = call.hub.world();
    let users: Vec<Value> = pull
        .reviewers
        .iter()
        .filter_map(|id| world.accounts.get(id).map(|a| a.json(&call.hub.urls)))
        .collect();
    Ok(Answer::ok(json!({"users": users, "teams": []})))
}

pub(super) fn request(call: &Call<'_>) -> Outcome {
    let input = call.input()?;
    let repo = call.repo()?;
    let (issue, _) = pulls::find(call)?;
    let logins = input.texts("reviewers")?.unwrap_or_default();
    let teams = input.texts("team_reviewers")?.unwrap_or_default();
    let refused = || {
        let text = format!(
            "Reviews may only be requested from collaborators. One or more of the users or teams you \
             specified is not a collaborator of the {} repository.",
            repo.full_name()
        );
        Refusal::new(422, text)
    };
    if !teams.is_empty() {
        return Err(refused());
    }
    let mut ids = Vec::new();
    {
        let world = call.hub.world();
        for login in &logins {
            let account = world.account(login).ok_or_else(refused)?;
            if world.role(account.id, repo) == Level::None || account.is_organization() {
                return Err(refused());
            }
            if account.id == issue.user_id {
                return Err(Refusal::new(
                    422,
                    "Review cannot be requested from pull request author.",
                ));
            }
            ids.push(account.id);
        }
    }
    change(call, |pull| pull.reviewers.extend(ids))?;
    answer(call, 201)
}

pub(super) fn remove(call: &Call<'_>) -> Outcome {
    let input = call.input()?;
    pulls::find(call)?;
    let logins = input.texts("reviewers")?.unwrap_or_default();
    let ids: Vec<u64> = {
        let world = call.hub.world();
        logins.iter().filter_map(|login| world.account(login)).map(|a| a.id).collect()
    };
    change(call, |pull| pull.reviewers.retain(|id| !ids.contains(id)))?;
    answer(call, 200)
}

fn answer(call: &Call<'_>, status: u16) -> Outcome {
    let (issue, pull) = pulls::find(call)?;
    let world = call.hub.world();
    let body = pull_view::simple(&world, &call.hub.urls, call.repo()?, &issue, &pull);
    Ok(Answer::new(status, Payload::Json(body)))
}

fn show(call: &Call<'_>, number: u64, review: &Review) -> Result<Value, Refusal> {
    let repo = call.repo()?;
    let html = format!(
        "{}/pull/{number}#pullrequestreview-{}",
        view::page(&call.hub.urls, repo),
        review.id
    );
    let pull = format!("{}/pulls/{number}", view::api(&call.hub.urls, repo));
    let world = call.hub.world();
    Ok(json!({
        "id": review.id,
        "node_id": node_id("PullRequestReview", &review.id.to_string()),
        "user": world.accounts.get(&review.user_id).map(|a| a.json(&call.hub.urls)),
        "body": review.body, "state": review.state, "html_url": html, "pull_request_url": pull,
        "_links": {"html": {"href": html}, "pull_request": {"href": pull}},
        "submitted_at": iso(review.submitted_at), "commit_id": review.commit,
        "author_association": "COLLABORATOR",
    }))
}

pub(super) fn list(call: &Call<'_>) -> Outcome {
    let (issue, pull) = pulls::find(call)?;
    let shown: Result<Vec<Value>, Refusal> =
        pull.reviews.iter().map(|review| show(call, issue.number, review)).collect();
    Ok(Page::of(call, shown?).answer())
}

pub(super) fn create(call: &Call<'_>) -> Outcome {
    let input = call.input()?;
    let (issue, pull) = pulls::find(call)?;
    let actor = call.actor()?;
    let body = input.text("body")?.unwrap_or_default().to_owned();
    let state = match input.text("event")? {
        Some("APPROVE") => "APPROVED",
        Some("REQUEST_CHANGES") => "CHANGES_REQUESTED",
        Some("COMMENT") => "COMMENTED",
        None => "PENDING",
        Some(_) => return Err(Refusal::new(422, "Invalid request.\n\nevent is not valid.")),
    };
    if actor.id == issue.user_id && state == "APPROVED" {
        return Err(Refusal::new(422, "Unprocessable Entity")
            .because(json!("Can not approve your own pull request")));
    }
    if body.is_empty() && state == "CHANGES_REQUESTED" {
        return Err(Refusal::new(422, "Unprocessable Entity").because(json!("body can't be blank")));
    }
    let review = Review {
        id: call.hub.world().fresh_id(),
        user_id: actor.id,
        state: state.to_owned(),
        body,
        commit: pull.head_sha.clone(),
        submitted_at: call.now(),
    };
    let shown = show(call, issue.number, &review)?;
    change(call, |pull| {
        pull.reviewers.remove(&actor.id);
        pull.reviews.push(review);
    })?;
    Ok(Answer::ok(shown))
}
