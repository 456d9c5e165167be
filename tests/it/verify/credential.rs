//! CREDENTIAL_VALID, PERMISSIONS_GRANTED and ORGANIZATION_APPROVES.

use ghbroker::proto::*;
use github_sim::{Level, seed};
use time::Duration;

use FindingCode::{CredentialValid, OrganizationApproves, PermissionsGranted};
use FindingLevel::{Failed, Ok, Warning};

use super::{classic, connected_by, found, verify, verify_named};
use crate::harness::{ACCOUNT, INSTALLATION, REPO, World};

fn fine_grained(contents: Level) -> seed::Pat {
    seed::Pat {
        kind: seed::PatKind::FineGrained,
        permissions: [("contents", contents), ("pull_requests", Level::Write)]
            .map(|(name, level)| (name.to_owned(), level))
            .into(),
        resource_owner: Some("acme".into()),
        ..Default::default()
    }
}

#[tokio::test]
async fn a_suspended_installation() {
    let world = World::connected().await;
    world.sim.suspend(INSTALLATION as u64);
    let answer = verify(&world).await;
    let finding = found(&answer, CredentialValid, Failed);
    assert!(finding.message.contains("suspended"), "{finding:?}");
    assert_eq!(answer.source(), CredentialSource::AppInstallation);

    world.sim.unsuspend(INSTALLATION as u64);
    found(&verify(&world).await, CredentialValid, Ok);
}

#[tokio::test]
async fn an_app_that_is_not_installed_any_more() {
    let world = World::connected().await;
    world.sim.uninstall(INSTALLATION as u64);
    let answer = verify(&world).await;
    let finding = found(&answer, CredentialValid, Failed);
    assert!(finding.fix.to_lowercase().contains("install"), "{finding:?}");
    assert_eq!(answer.findings.len(), 1, "nothing else can be checked");

    let connection = GetConnectionRequest { account: ACCOUNT.into() };
    let seen = world.get_connection(connection).await.unwrap();
    assert_eq!(seen.installation.unwrap().status(), ConnectionStatus::Revoked);
}

#[tokio::test]
async fn a_revoked_token() {
    let mut world = World::start().await;
    let secret = connected_by(&mut world, classic()).await;
    world.sim.revoke_pat(&secret);
    let answer = verify(&world).await;
    found(&answer, CredentialValid, Failed);
    assert_eq!(answer.source(), CredentialSource::Pat);
    assert!(!format!("{answer:?}").contains("ghp_"));
    let connection = GetConnectionRequest { account: ACCOUNT.into() };
    let seen = world.get_connection(connection).await.unwrap();
    assert_eq!(seen.effective_source(), CredentialSource::Unspecified);
    assert_eq!(seen.pat.unwrap().status(), ConnectionStatus::Revoked);
}

#[tokio::test]
async fn a_token_that_ends_soon_or_has_ended() {
    let mut world = World::start().await;
    let end = world.sim.clock().now() + Duration::days(20);
    connected_by(&mut world, seed::Pat { expires_at: Some(end), ..classic() }).await;
    found(&verify(&world).await, CredentialValid, Ok);

    world.advance(std::time::Duration::from_secs(10 * 86400));
    let answer = verify(&world).await;
    let finding = found(&answer, CredentialValid, Warning);
    assert!(finding.message.contains(&end.date().to_string()), "{finding:?}");
    assert!(finding.url.starts_with(world.sim.web_url()), "{finding:?}");

    world.advance(std::time::Duration::from_secs(10 * 86400));
    found(&verify(&world).await, CredentialValid, Failed);
}

#[tokio::test]
async fn a_permission_that_the_installation_lacks_is_named() {
    let world = World::connected().await;
    let granted =
        [("contents", Level::Read), ("pull_requests", Level::Write), ("metadata", Level::Read)];
    world.sim.set_installation_permissions(INSTALLATION as u64, granted);
    let answer = verify(&world).await;
    let finding = found(&answer, PermissionsGranted, Failed);
    assert!(finding.message.contains("contents"), "{finding:?}");
    assert!(!finding.message.contains("pull_requests"), "that one is granted: {finding:?}");
    assert!(finding.url.starts_with(world.sim.web_url()), "{finding:?}");
}

#[tokio::test]
async fn a_classic_token_without_repo() {
    let mut world = World::start().await;
    connected_by(&mut world, classic()).await;
    let narrow = world.pat(seed::Pat { scopes: vec!["read:org".into()], ..Default::default() });
    let request = SetPatRequest { account: ACCOUNT.into(), token: narrow };
    world.set_pat(request).await.unwrap();
    let answer = verify(&world).await;
    let finding = answer.findings.iter().find(|f| f.code() == PermissionsGranted).unwrap();
    assert_eq!(finding.level(), Failed);
    assert!(format!("{finding:?}").contains("repo"), "{finding:?}");
    assert!(!answer.ok);
}

#[tokio::test]
async fn what_a_fine_grained_token_may_do_is_asked_of_people() {
    let mut world = World::start().await;
    connected_by(&mut world, fine_grained(Level::Read)).await;
    let answer = verify(&world).await;
    let finding = found(&answer, PermissionsGranted, Warning);
    assert!(finding.fix.contains("Contents"), "GitHub does not tell, people can look: {finding:?}");
}

#[tokio::test]
async fn an_organization_that_wants_single_sign_on() {
    let mut world = World::start_with(enforcing_sso()).await;
    let authorized = seed::Pat { sso_authorized: true, ..classic() };
    connected_by(&mut world, authorized).await;
    found(&verify(&world).await, OrganizationApproves, Ok);

    let request = SetPatRequest { account: ACCOUNT.into(), token: world.pat(classic()) };
    world.set_pat(request).await.unwrap();
    let answer = verify(&world).await;
    let finding = found(&answer, OrganizationApproves, Failed);
    assert!(finding.url.contains("/orgs/acme/sso"), "{finding:?}");
}

fn enforcing_sso() -> seed::Seed {
    let mut seed = crate::harness::seed();
    for org in &mut seed.orgs {
        org.saml_sso = true;
    }
    seed
}

#[tokio::test]
async fn a_policy_against_classic_tokens() {
    let mut seed = crate::harness::seed();
    for org in &mut seed.orgs {
        org.pat_policy = seed::PatPolicy::ForbidClassic;
    }
    let world = World::start_with(seed).await;
    let request = SetPatRequest { account: ACCOUNT.into(), token: world.pat(classic()) };
    world.set_pat(request).await.unwrap();
    let answer = verify_named(&world, REPO).await;
    let finding = found(&answer, FindingCode::RepositoryResolves, Failed);
    assert!(finding.message.contains("forbids access via a personal access token (classic)"));
}
