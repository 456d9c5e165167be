//! CREDENTIAL_VALID, PERMISSIONS_GRANTED and ORGANIZATION_APPROVES.

use ghbroker::proto::*;
use github_sim::{Effect, Fault, Level, seed};
use time::Duration;
use tonic::Code;

use FindingCode::{CredentialValid, OrganizationApproves, PermissionsGranted};
use FindingLevel::{Failed, Ok, Warning};

use super::{classic, connected_by, found, verify, verify_named};
use crate::harness::{ACCOUNT, INSTALLATION, REPO, World, status::assert_reason};

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
    let request = SetPatRequest { account: ACCOUNT.into(), token: narrow, ..Default::default() };
    world.set_pat(request).await.unwrap();
    let answer = verify(&world).await;
    let finding = answer.findings.iter().find(|f| f.code() == PermissionsGranted).unwrap();
    assert_eq!(finding.level(), Failed);
    assert!(format!("{finding:?}").contains("repo"), "{finding:?}");
    assert!(!answer.ok);
}

#[tokio::test]
async fn the_scopes_of_a_classic_token_are_told_and_what_they_are_good_for() {
    let mut world = World::start().await;
    let scopes = ["repo", "user:email"].map(String::from).into();
    connected_by(&mut world, seed::Pat { scopes, ..Default::default() }).await;
    let answer = verify(&world).await;
    let finding = found(&answer, PermissionsGranted, Ok);
    for told in
        ["scopes repo, user:email", "does not need `user:email`", "Without the scope `workflow`"]
    {
        assert!(finding.message.contains(told), "{told}: {finding:?}");
    }

    let scopes = ["repo", "workflow"].map(String::from).into();
    let token = world.pat(seed::Pat { scopes, ..Default::default() });
    world
        .set_pat(SetPatRequest { account: ACCOUNT.into(), token, ..Default::default() })
        .await
        .unwrap();
    let answer = verify(&world).await;
    let finding = found(&answer, PermissionsGranted, Ok);
    for not_told in ["Without", "user:email"] {
        assert!(!finding.message.contains(not_told), "{not_told}: {finding:?}");
    }
}

#[tokio::test]
async fn for_a_public_repository_a_narrower_scope_will_do() {
    let mut world = World::start_with(public()).await;
    let scopes = vec!["public_repo".into()];
    connected_by(&mut world, seed::Pat { scopes, ..Default::default() }).await;
    found(&verify(&world).await, PermissionsGranted, Ok);
}

fn public() -> seed::Seed {
    let mut seed = crate::harness::seed();
    seed.repositories[0].private = false;
    seed
}

fn with(permissions: &[(&str, Level)]) -> seed::Pat {
    let permissions = permissions.iter().map(|(name, level)| ((*name).to_owned(), *level));
    seed::Pat { permissions: permissions.collect(), ..fine_grained(Level::Read) }
}

#[tokio::test]
async fn what_a_fine_grained_token_may_do_is_tried_out() {
    use Level::{Read, Write};
    for (permissions, lacks) in [
        (&[("contents", Read), ("pull_requests", Write)][..], "Contents: write"),
        (&[("contents", Write)], "Pull requests: read and write"),
        (&[], "Pull requests: read and write, and Contents: read and write"),
    ] {
        let mut world = World::start().await;
        connected_by(&mut world, with(permissions)).await;
        let answer = verify(&world).await;
        let finding = answer.findings.iter().find(|f| f.code() == PermissionsGranted).unwrap();
        assert_eq!(finding.level(), Failed, "{finding:?}");
        let lacking = format!("The personal access token lacks {lacks}.");
        // What cannot be read at all is known better by then.
        let unread = finding.message.contains("branches of acme/warehouse cannot be read");
        assert!(finding.message == lacking || (permissions.is_empty() && unread), "{finding:?}");
    }
}

#[tokio::test]
async fn what_cannot_be_tried_out_without_doing_it_is_said_to_be_unknown() {
    let mut world = World::start().await;
    connected_by(&mut world, fine_grained(Level::Write)).await;
    let before = world.footprint();
    let answer = verify(&world).await;
    let finding = found(&answer, PermissionsGranted, Warning);
    assert!(
        finding.message.contains("reads contents and pull requests, and may push"),
        "{finding:?}"
    );
    assert!(finding.message.contains("does not tell whether it may open"), "{finding:?}");
    assert!(finding.fix.contains("Pull requests: read and write"), "people can look: {finding:?}");
    assert!(finding.url.ends_with("/settings/personal-access-tokens"), "{finding:?}");
    let after = world.footprint();
    assert_eq!((before.refs, before.pulls), (after.refs, after.pulls));
    let tried = world.sim.requests();
    let written = tried.iter().filter(|seen| seen.is_of("git-receive-pack")).count();
    assert_eq!((world.sim.count("git-info-refs"), written), (1, 0));
}

#[tokio::test]
async fn of_a_public_repository_only_pushing_tells_something() {
    for (contents, level) in [(Level::Read, Failed), (Level::Write, Warning)] {
        let mut world = World::start_with(public()).await;
        connected_by(&mut world, fine_grained(contents)).await;
        found(&verify(&world).await, PermissionsGranted, level);
    }
}

#[tokio::test]
async fn nothing_is_pushed_to_an_archive_not_even_to_try() {
    let mut world = World::start().await;
    connected_by(&mut world, fine_grained(Level::Write)).await;
    world.sim.archive(REPO, true);
    let answer = verify(&world).await;
    let finding = answer.findings.iter().find(|f| f.code() == PermissionsGranted).unwrap();
    assert_eq!(finding.level(), Warning, "its token is not to blame: {finding:?}");
    assert_eq!(world.sim.count("git-info-refs"), 0);
}

#[tokio::test]
async fn while_the_web_site_is_down_nothing_is_said_of_the_token() {
    let mut world = World::start().await;
    connected_by(&mut world, fine_grained(Level::Write)).await;
    world.sim.fault(Fault::always("git-info-refs", Effect::Status { status: 502, html: true }));
    let request = VerifyRepoRequest { account: ACCOUNT.into(), ..Default::default() };
    let failed = world.verify_repo(request).await.unwrap_err();
    assert_reason(&failed, Code::Unavailable, "GITHUB_UNAVAILABLE");
}

#[tokio::test]
async fn a_fine_grained_token_that_waits_for_its_organization() {
    let world = World::start().await;
    let pending = seed::Pat { pending_approval: true, ..fine_grained(Level::Write) };
    let token = world.pat(pending);
    let request =
        SetPatRequest { account: ACCOUNT.into(), token: token.clone(), ..Default::default() };
    world.set_pat(request).await.unwrap();
    let answer = verify_named(&world, REPO).await;
    found(&answer, FindingCode::RepositoryResolves, Failed);
    let finding = answer.findings.iter().find(|f| f.code() == OrganizationApproves).unwrap();
    assert_eq!(finding.level(), Warning);
    assert!(finding.message.contains("have yet to approve"), "{finding:?}");

    world.sim.approve_pat(&token);
    found(&verify_named(&world, REPO).await, OrganizationApproves, Ok);
}

#[tokio::test]
async fn an_organization_that_wants_single_sign_on() {
    let mut world = World::start_with(enforcing_sso()).await;
    let authorized = seed::Pat { sso_authorized: true, ..classic() };
    connected_by(&mut world, authorized).await;
    found(&verify(&world).await, OrganizationApproves, Ok);

    let request = SetPatRequest {
        account: ACCOUNT.into(),
        token: world.pat(classic()),
        ..Default::default()
    };
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
    let request = SetPatRequest {
        account: ACCOUNT.into(),
        token: world.pat(classic()),
        ..Default::default()
    };
    world.set_pat(request).await.unwrap();
    let answer = verify_named(&world, REPO).await;
    let finding = found(&answer, OrganizationApproves, Failed);
    assert!(finding.message.contains("forbids access via a personal access token (classic)"));
}
