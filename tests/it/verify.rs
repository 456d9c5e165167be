//! VerifyRepo: "save and test". Each check, in each way that it can end.

mod credential;
mod failures;
mod repository;

use ghbroker::proto::*;
use github_sim::seed;

use crate::harness::{ACCOUNT, REPO, World};

/// Checks ACCOUNT's active binding.
async fn verify(world: &World) -> VerifyRepoResponse {
    let request = VerifyRepoRequest { account: ACCOUNT.into(), ..Default::default() };
    world.verify_repo(request).await.unwrap()
}

/// Checks a repository that need not be bound.
async fn verify_named(world: &World, repository: &str) -> VerifyRepoResponse {
    let request = VerifyRepoRequest {
        account: ACCOUNT.into(),
        repository: repository.into(),
        ..Default::default()
    };
    world.verify_repo(request).await.unwrap()
}

/// Asserts that `code` was found to be `level`, that nothing else failed, and that the answer holds together.
#[track_caller]
fn found(answer: &VerifyRepoResponse, code: FindingCode, level: FindingLevel) -> &Finding {
    let codes: Vec<FindingCode> = answer.findings.iter().map(Finding::code).collect();
    for finding in &answer.findings {
        assert_ne!(finding.level(), FindingLevel::Unspecified, "{finding:?}");
        assert!(finding.message.len() > 10, "{finding:?}");
        match finding.level() {
            FindingLevel::Failed => assert!(finding.fix.len() > 10, "what to do? {finding:?}"),
            FindingLevel::Ok => assert_eq!(finding.fix, "", "{finding:?}"),
            _ => {}
        }
        assert_eq!(codes.iter().filter(|c| **c == finding.code()).count(), 1, "{codes:?}");
        if finding.code() != code {
            assert_ne!(finding.level(), FindingLevel::Failed, "{finding:?}");
        }
    }
    assert_eq!(answer.ok, level != FindingLevel::Failed);
    let finding = answer.findings.iter().find(|finding| finding.code() == code);
    let finding = finding.unwrap_or_else(|| panic!("no {code:?} in {codes:?}"));
    assert_eq!(finding.level(), level, "{finding:?}");
    finding
}

/// Connects ACCOUNT by a token alone and binds REPO.
async fn connected_by(world: &mut World, pat: seed::Pat) -> String {
    let secret = world.pat(pat);
    let request =
        SetPatRequest { account: ACCOUNT.into(), token: secret.clone(), ..Default::default() };
    world.set_pat(request).await.unwrap();
    world.configure(ACCOUNT, REPO).await;
    secret
}

fn classic() -> seed::Pat {
    seed::Pat { scopes: vec!["repo".into()], ..Default::default() }
}
