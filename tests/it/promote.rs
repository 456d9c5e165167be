//! OpenPromotionPr: the pull request from staging to production, or of a work branch.
//!
//! * [`branches`]: which branch goes where. [`merged`]: what has nothing to promote any more.
//! * [`extras`]: labels and reviewers. [`auto_merge`]: GitHub merges by itself.
//! * [`refusals`]: what GitHub does not let happen. [`faults`], [`drops`]: what breaks on the way.

mod auto_merge;
mod branches;
mod drops;
mod extras;
mod faults;
mod merged;
mod refusals;

use ghbroker::proto::*;
use github_sim::{Level, seed};
use serde_json::Value;
use tonic::Code;

use crate::harness::{
    self, ACCOUNT, INSTALLATION, REPO, World, git::git, person::Person, status::assert_reason,
    write,
};

fn request() -> OpenPromotionPrRequest {
    OpenPromotionPrRequest { account: ACCOUNT.into(), ..Default::default() }
}

/// A connected account with one commit on staging that main does not have.
async fn ready() -> World {
    let world = World::connected().await;
    world.commit("Add a model", vec![write("models/a.sql", "select 1\n")]).await.unwrap();
    world
}

/// What GitHub holds where a team works: bob may write and carol read, and auto-merge is allowed.
fn team_seed() -> seed::Seed {
    let mut seed = harness::seed();
    for login in ["bob", "carol"] {
        seed.users.push(seed::User { login: login.into(), ..Default::default() });
    }
    let repository = &mut seed.repositories[0];
    repository.collaborators =
        [("bob".to_owned(), Level::Write), ("carol".to_owned(), Level::Read)].into();
    repository.allow_auto_merge = true;
    seed
}

/// The same as [`ready`] where a team works; production wants a check that never comes, and `adagent/*` are work branches.
async fn team() -> World {
    let mut world = World::start_with(team_seed()).await;
    world.register(ACCOUNT, INSTALLATION).await;
    let work_branches = Some(WorkBranches { patterns: vec!["adagent/*".into()] });
    let request = ConfigureRepoRequest {
        account: ACCOUNT.into(),
        repository: REPO.into(),
        work_branches,
        ..Default::default()
    };
    world.configure_repo(request).await.unwrap();
    world.sim.protect_branch(REPO, "main", &["ci"]);
    world.commit("Add a model", vec![write("models/a.sql", "select 1\n")]).await.unwrap();
    world
}

/// Values of a list in a pull request as GitHub shows it.
fn listed(pull: &Value, list: &str, key: &str) -> Vec<String> {
    let values = pull[list].as_array().unwrap().iter();
    values.map(|value| value[key].as_str().unwrap().to_owned()).collect()
}

/// The routes of the requests that GitHub got after the first so many, without those for tokens.
fn asked(world: &World, after: usize) -> Vec<String> {
    let requests = world.sim.requests().into_iter().skip(after).map(|seen| seen.route);
    requests.filter(|route| route != harness::MINT).collect()
}

/// The only pull request of the repository, as GitHub lists it.
#[track_caller]
fn only_pull(world: &World) -> Value {
    let mut pulls = world.sim.pulls(REPO);
    assert_eq!(pulls.len(), 1, "{pulls:?}");
    pulls.remove(0)
}

#[tokio::test]
async fn opens_the_pull_request() {
    let world = ready().await;
    world.commit("Add another", vec![write("models/b.sql", "select 2\n")]).await.unwrap();
    let answer = world.open_promotion_pr(request()).await.unwrap();
    let pull = only_pull(&world);
    assert_eq!(answer.number, pull["number"]);
    assert_eq!(answer.url, pull["html_url"]);
    assert!(answer.created);
    assert_eq!(answer.commits_ahead, 2);
    assert_eq!((answer.head_branch.as_str(), answer.base_branch.as_str()), ("staging", "main"));
    assert_eq!(pull["title"], "Promote staging to main");
    assert_eq!(pull["head"]["ref"], "staging");
    assert_eq!(pull["base"]["ref"], "main");
    assert_eq!(pull["draft"], false);
    assert_eq!(pull["user"]["login"], "ghbroker-test[bot]");
}

#[tokio::test]
async fn answers_the_open_one_with_what_is_given_updated() {
    let world = ready().await;
    let first = OpenPromotionPrRequest {
        title: "Week 47".into(),
        body: Some("Two models.".into()),
        ..request()
    };
    let first = world.open_promotion_pr(first).await.unwrap();
    assert_eq!(only_pull(&world)["body"], "Two models.");

    let again = world.open_promotion_pr(request()).await.unwrap();
    assert_eq!((again.number, again.created), (first.number, false));
    let pull = only_pull(&world);
    assert_eq!((&pull["title"], &pull["body"]), (&"Week 47".into(), &"Two models.".into()));

    let retitled = OpenPromotionPrRequest { title: "Week 48".into(), ..request() };
    world.open_promotion_pr(retitled).await.unwrap();
    let pull = only_pull(&world);
    assert_eq!((&pull["title"], &pull["body"]), (&"Week 48".into(), &"Two models.".into()));

    let emptied = OpenPromotionPrRequest { body: Some(String::new()), ..request() };
    world.open_promotion_pr(emptied).await.unwrap();
    let pull = only_pull(&world);
    assert_eq!(pull["title"], "Week 48");
    assert!(pull["body"].as_str().unwrap_or_default().is_empty(), "{pull}");
}

#[tokio::test]
async fn a_draft_is_opened_as_one_and_an_open_one_stays_as_it_is() {
    let world = ready().await;
    world.open_promotion_pr(OpenPromotionPrRequest { draft: true, ..request() }).await.unwrap();
    assert_eq!(only_pull(&world)["draft"], true);
    world.open_promotion_pr(request()).await.unwrap();
    assert_eq!(only_pull(&world)["draft"], true);
}

#[tokio::test]
async fn nothing_to_promote_when_production_has_it_all() {
    let world = World::connected().await;
    git(&world.sim.git_dir(REPO), &["branch", "staging", "main"]);
    let same = world.open_promotion_pr(request()).await.unwrap_err();
    assert_reason(&same, Code::FailedPrecondition, "NOTHING_TO_PROMOTE");
    world.sim.move_head(REPO, "main");
    let behind = world.open_promotion_pr(request()).await.unwrap_err();
    assert_reason(&behind, Code::FailedPrecondition, "NOTHING_TO_PROMOTE");
    assert!(world.sim.pulls(REPO).is_empty());
}

#[tokio::test]
async fn one_that_was_closed_by_hand_is_opened_anew() {
    let world = ready().await;
    let first = world.open_promotion_pr(request()).await.unwrap();
    Person::of(&world.sim, "alice").close(REPO, first.number).await;
    let second = world.open_promotion_pr(request()).await.unwrap();
    assert!(second.created);
    assert_ne!(second.number, first.number);
    let states: Vec<Value> = world.sim.pulls(REPO).iter().map(|p| p["state"].clone()).collect();
    assert_eq!(states, ["closed", "open"]);
}

#[tokio::test]
async fn after_a_merge_the_next_commits_get_the_next_one() {
    let world = ready().await;
    let first = world.open_promotion_pr(request()).await.unwrap();
    Person::of(&world.sim, "alice").merge(REPO, first.number).await;
    let merged = world.open_promotion_pr(request()).await.unwrap_err();
    assert_reason(&merged, Code::FailedPrecondition, "NOTHING_TO_PROMOTE");

    world.commit("Add another", vec![write("models/b.sql", "select 2\n")]).await.unwrap();
    let second = world.open_promotion_pr(request()).await.unwrap();
    assert!(second.created);
    assert_ne!(second.number, first.number);
    assert_eq!(second.commits_ahead, 1);
}

#[tokio::test]
async fn one_that_goes_elsewhere_is_not_the_promotion() {
    let world = ready().await;
    world.sim.commit(REPO, "release", &[("RELEASE.md", "1\n")]);
    Person::of(&world.sim, "alice").open(REPO, "staging", "release").await;
    let answer = world.open_promotion_pr(request()).await.unwrap();
    assert!(answer.created);
    let bases: Vec<Value> =
        world.sim.pulls(REPO).iter().map(|p| p["base"]["ref"].clone()).collect();
    assert_eq!(bases, ["release", "main"]);
}

#[tokio::test]
async fn racing_calls_make_one() {
    let world = ready().await;
    let calls = (0..8).map(|_| world.open_promotion_pr(request()));
    let answers = futures_util::future::join_all(calls).await;
    let number = only_pull(&world)["number"].clone();
    let answers: Vec<_> = answers.into_iter().map(Result::unwrap).collect();
    assert!(answers.iter().all(|answer| answer.number == number), "{answers:?}");
    assert_eq!(answers.iter().filter(|answer| answer.created).count(), 1, "{answers:?}");
}

#[tokio::test]
async fn a_token_of_a_person_opens_it_as_that_person() {
    let mut world = World::start().await;
    let scopes = vec!["repo".into()];
    let token = world.pat(github_sim::seed::Pat { scopes, ..Default::default() });
    world
        .set_pat(SetPatRequest { account: ACCOUNT.into(), token, ..Default::default() })
        .await
        .unwrap();
    world.configure(ACCOUNT, REPO).await;
    world.commit("Add a model", vec![write("models/a.sql", "select 1\n")]).await.unwrap();
    world.open_promotion_pr(request()).await.unwrap();
    assert_eq!(only_pull(&world)["user"]["login"], "alice");
}

#[tokio::test]
async fn whether_it_can_be_merged_is_said_as_soon_as_github_knows() {
    let world = ready().await;
    let opened = world.open_promotion_pr(request()).await.unwrap();
    assert_eq!(opened.mergeable(), Mergeable::Unspecified, "GitHub only begins to find out");
    let found = world.open_promotion_pr(request()).await.unwrap();
    assert_eq!(found.mergeable(), Mergeable::Mergeable);

    world.sim.commit(REPO, "main", &[("models/a.sql", "select 2\n")]);
    let found = world.open_promotion_pr(request()).await.unwrap();
    assert_eq!(found.mergeable(), Mergeable::Conflicting);
    let titled = OpenPromotionPrRequest { title: "Week 47".into(), ..request() };
    assert_eq!(world.open_promotion_pr(titled).await.unwrap().mergeable(), Mergeable::Conflicting);
}

#[tokio::test]
async fn github_is_asked_four_times() {
    const LOOK: [&str; 3] = [
        "GET /repos/{owner}/{repo}",
        "GET /repos/{owner}/{repo}/compare/{basehead}",
        "GET /repos/{owner}/{repo}/pulls",
    ];
    const ONE: &str = "/repos/{owner}/{repo}/pulls/{pull_number}";
    let world = ready().await;
    let titled = OpenPromotionPrRequest { title: "Week 47".into(), ..request() };
    for (request, last) in [
        (request(), "POST /repos/{owner}/{repo}/pulls".to_owned()),
        (request(), format!("GET {ONE}")),
        (titled, format!("PATCH {ONE}")),
    ] {
        let before = world.sim.requests().len();
        world.open_promotion_pr(request).await.unwrap();
        assert_eq!(asked(&world, before), [&LOOK[..], &[&last]].concat());
    }
}

#[tokio::test]
async fn a_title_is_what_github_makes_of_it() {
    let world = ready().await;
    let titled = OpenPromotionPrRequest { title: "  Week 47 ".into(), ..request() };
    world.open_promotion_pr(titled.clone()).await.unwrap();
    assert_eq!(only_pull(&world)["title"], "Week 47");
    world.open_promotion_pr(titled).await.unwrap();
    assert_eq!(world.sim.count("PATCH /repos/{owner}/{repo}/pulls/{pull_number}"), 0);
}
