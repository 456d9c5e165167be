//! REPOSITORY_RESOLVES, STAGING_BRANCH_EXISTS, PRODUCTION_BRANCH_EXISTS and RULES_ALLOW.

use std::collections::BTreeSet;

use ghbroker::proto::*;
use github_sim::{Effect, Fault, Rule, seed};

use FindingCode::{ProductionBranchExists, RepositoryResolves, RulesAllow, StagingBranchExists};
use FindingLevel::{Failed, Ok, Warning};

use super::{classic, connected_by, found, verify, verify_named};
use crate::harness::{
    ACCOUNT, APP_ID, INSTALLATION, REPO, World, git::git, status::assert_reason, write,
};

fn repository(name: &str) -> seed::Repository {
    let files = [("README.md".to_owned(), "# Read me\n".to_owned())].into();
    seed::Repository { owner: "acme".into(), name: name.into(), files, ..Default::default() }
}

#[tokio::test]
async fn all_is_well_by_installation_and_by_token() {
    let world = World::connected().await;
    let mut by_token = World::start().await;
    connected_by(&mut by_token, classic()).await;
    for (world, source) in
        [(world, CredentialSource::AppInstallation), (by_token, CredentialSource::Pat)]
    {
        world.sim.commit(REPO, "staging", &[("a.txt", "a\n")]);
        let refs = world.footprint().refs;
        let answer = verify(&world).await;
        let codes: BTreeSet<i32> = answer.findings.iter().map(|f| f.code).collect();
        assert_eq!(codes, (1..=8).collect(), "every check was made: {answer:?}");
        for finding in &answer.findings {
            assert_eq!(finding.level(), Ok, "{finding:?}");
        }
        assert!(answer.ok);
        assert_eq!(answer.source(), source);
        assert_eq!(answer.repository, REPO);
        assert_eq!(answer.repository_id, world.sim.repository_id(REPO) as i64);
        assert_eq!(world.footprint().refs, refs, "a check changes nothing");
    }
}

#[tokio::test]
async fn a_renamed_repository() {
    let world = World::connected().await;
    let id = world.sim.repository_id(REPO) as i64;
    world.sim.rename_repository(REPO, "depot");
    let answer = verify(&world).await;
    // Calls answer REPO_MOVED until it is configured anew.
    let finding = found(&answer, RepositoryResolves, Failed);
    assert!(finding.message.contains("acme/depot"), "{finding:?}");
    assert_eq!((answer.repository.as_str(), answer.repository_id), ("acme/depot", id));
}

#[tokio::test]
async fn an_archived_repository() {
    let world = World::connected().await;
    world.sim.archive(REPO, true);
    let answer = verify(&world).await;
    let finding = found(&answer, RepositoryResolves, Failed);
    assert!(finding.message.contains("archived"), "{finding:?}");
    assert_eq!(answer.repository, REPO);
}

#[tokio::test]
async fn an_empty_repository() {
    let world = World::connected().await;
    let empty = seed::Repository { empty: true, ..repository("empty") };
    world.sim.add_repository(&empty).unwrap();
    let answer = verify_named(&world, "acme/empty").await;
    let finding = found(&answer, RepositoryResolves, Warning);
    assert!(finding.message.contains("empty"), "{finding:?}");
    assert!(finding.message.contains("first commit"), "{finding:?}");
    for code in [StagingBranchExists, ProductionBranchExists] {
        found(&answer, code, Warning);
    }
    found(&answer, RulesAllow, Ok);
    // Its rules are there before its branches.
    world.sim.add_ruleset("acme/empty", "staging", &[Rule::Creation]);
    found(&verify_named(&world, "acme/empty").await, RulesAllow, Failed);
}

#[tokio::test]
async fn a_repository_that_the_installation_does_not_cover() {
    let mut world = World::start().await;
    world.sim.uninstall(INSTALLATION as u64);
    world.sim.add_repository(&repository("attic")).unwrap();
    let selected = seed::Installation {
        app_id: APP_ID,
        account: "acme".into(),
        repository_selection: seed::Selection::Selected,
        repositories: vec!["warehouse".into()],
        ..Default::default()
    };
    let id = world.sim.add_installation(&selected).unwrap() as i64;
    world.register(ACCOUNT, id).await;
    world.configure(ACCOUNT, REPO).await;
    assert!(verify(&world).await.ok);

    let answer = verify_named(&world, "acme/attic").await;
    let finding = found(&answer, RepositoryResolves, Failed);
    assert!(finding.fix.contains("installation"), "{finding:?}");
    assert_eq!((answer.repository.as_str(), answer.repository_id), ("", 0));
}

#[tokio::test]
async fn a_missing_staging_branch_can_be_made_of_production() {
    let world = World::connected().await;
    let answer = verify(&world).await;
    assert!(answer.ok);
    let finding = answer.findings.iter().find(|f| f.code() == StagingBranchExists).unwrap();
    assert_ne!(finding.level(), Failed, "{finding:?}");
    assert!(finding.message.contains("staging"), "{finding:?}");
    assert_eq!(world.sim.head(REPO, "staging"), None, "a check makes no branch");
}

#[tokio::test]
async fn a_missing_staging_branch_that_must_exist_or_begins_elsewhere() {
    let world = World::connected().await;
    let bound = ConfigureRepoRequest {
        account: ACCOUNT.into(),
        repository: REPO.into(),
        staging_base: Some("develop".into()),
        ..Default::default()
    };
    world.configure_repo(bound.clone()).await.unwrap();
    let answer = verify(&world).await;
    let finding = found(&answer, StagingBranchExists, Failed);
    assert!(finding.message.contains("no develop"), "{finding:?}");
    world.sim.commit(REPO, "develop", &[("a.txt", "a\n")]);
    let answer = verify(&world).await;
    let finding = found(&answer, StagingBranchExists, Warning);
    assert!(finding.message.contains("from develop"), "{finding:?}");

    let commit = world.sim.head(REPO, "main").unwrap();
    for (base, level) in [(commit, Warning), ("0".repeat(40), Failed)] {
        let at = ConfigureRepoRequest { staging_base: Some(base.clone()), ..bound.clone() };
        world.configure_repo(at).await.unwrap();
        let answer = verify(&world).await;
        let finding = found(&answer, StagingBranchExists, level);
        assert!(finding.message.contains(&format!("commit {base} of main")), "{finding:?}");
    }

    let must = ConfigureRepoRequest { staging_must_exist: Some(true), ..bound };
    world.configure_repo(must).await.unwrap();
    let answer = verify(&world).await;
    let finding = found(&answer, StagingBranchExists, Failed);
    assert!(finding.fix.contains("staging_must_exist"), "{finding:?}");
    let refused = world.commit("Change", vec![write("b.txt", "b\n")]).await.unwrap_err();
    assert_reason(&refused, tonic::Code::FailedPrecondition, "BRANCH_MISSING");
    world.sim.commit(REPO, "staging", &[("a.txt", "a\n")]);
    found(&verify(&world).await, StagingBranchExists, Ok);
}

#[tokio::test]
async fn a_missing_production_branch() {
    let world = World::connected().await;
    let request = VerifyRepoRequest {
        account: ACCOUNT.into(),
        production_branch: "release".into(),
        ..Default::default()
    };
    world.sim.commit(REPO, "staging", &[("a.txt", "a\n")]);
    let answer = world.verify_repo(request.clone()).await.unwrap();
    let finding = found(&answer, ProductionBranchExists, Failed);
    assert!(finding.message.contains("release"), "{finding:?}");

    git(&world.sim.git_dir(REPO), &["branch", "-D", "staging"]);
    let answer = world.verify_repo(request).await.unwrap();
    let staging = answer.findings.iter().find(|f| f.code() == StagingBranchExists).unwrap();
    assert_eq!(staging.level(), Failed, "there is nothing to make it of: {staging:?}");
}

#[tokio::test]
async fn rules_that_refuse_pushes_to_staging() {
    for rule in [Rule::PullRequest, Rule::Update, Rule::RequiredStatusChecks(vec!["ci".into()])] {
        let world = World::connected().await;
        world.sim.commit(REPO, "staging", &[("a.txt", "a\n")]);
        world.sim.add_ruleset(REPO, "staging", std::slice::from_ref(&rule));
        let answer = verify(&world).await;
        let finding = found(&answer, RulesAllow, Failed);
        assert!(finding.message.contains("staging"), "{rule:?}: {finding:?}");
    }
}

#[tokio::test]
async fn rules_that_the_credential_may_bypass_are_none() {
    let world = World::connected().await;
    world.sim.commit(REPO, "staging", &[("a.txt", "a\n")]);
    world.sim.add_ruleset(REPO, "staging", &[Rule::PullRequest, Rule::Update]);
    world.sim.bypass_rulesets(REPO);
    found(&verify(&world).await, RulesAllow, Ok);
    world.commit("Past the rules", vec![write("b.txt", "b\n")]).await.unwrap();
    // Another one that it may not bypass.
    world.sim.add_ruleset(REPO, "staging", &[Rule::PullRequest]);
    found(&verify(&world).await, RulesAllow, Failed);
}

#[tokio::test]
async fn rules_of_which_github_does_not_tell_who_may_bypass_them() {
    let world = World::connected().await;
    world.sim.commit(REPO, "staging", &[("a.txt", "a\n")]);
    world.sim.add_ruleset(REPO, "staging", &[Rule::PullRequest]);
    let hidden = Effect::Status { status: 404, html: false };
    world.sim.fault(Fault::once("GET /repos/{owner}/{repo}/rulesets/{ruleset_id}", hidden));
    let answer = verify(&world).await;
    let finding = found(&answer, RulesAllow, Warning);
    assert!(finding.message.contains("pull_request"), "{finding:?}");
}

#[tokio::test]
async fn a_rule_for_signed_commits_matters_to_tokens_of_users() {
    let world = World::connected().await;
    let mut by_token = World::start().await;
    connected_by(&mut by_token, classic()).await;
    for (world, level) in [(world, Ok), (by_token, Warning)] {
        world.sim.commit(REPO, "staging", &[("a.txt", "a\n")]);
        world.sim.add_ruleset(REPO, "staging", &[Rule::RequiredSignatures]);
        found(&verify(&world).await, RulesAllow, level);
    }
}

#[tokio::test]
async fn a_rule_against_new_branches_matters_while_staging_is_missing() {
    let world = World::connected().await;
    world.sim.add_ruleset(REPO, "staging", &[Rule::Creation]);
    assert!(!verify(&world).await.ok);
    world.sim.commit(REPO, "staging", &[("a.txt", "a\n")]);
    found(&verify(&world).await, RulesAllow, Ok);
}

#[tokio::test]
async fn rules_that_promotion_keeps_anyway_are_fine() {
    let world = World::connected().await;
    world.sim.commit(REPO, "staging", &[("a.txt", "a\n")]);
    world.sim.add_ruleset(REPO, "main", &[Rule::PullRequest, Rule::NonFastForward]);
    world.sim.add_ruleset(REPO, "staging", &[Rule::NonFastForward, Rule::Deletion]);
    let answer = verify(&world).await;
    let finding = found(&answer, RulesAllow, Ok);
    assert_ne!(finding.level(), Warning);
}
