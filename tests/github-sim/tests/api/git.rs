//! git itself, over smart HTTP.

use std::path::{Path, PathBuf};

use github_sim::seed::{Pat, Repository};
use github_sim::{Credential, Rule};
use serde_json::json;
use tempfile::TempDir;

use crate::lab::{INSTALLATION, Lab, git, ok, seed};

/// A clone of acme/site in a directory of its own.
async fn cloned(lab: &Lab, token: &str) -> (TempDir, PathBuf) {
    let scratch = tempfile::tempdir().unwrap();
    ok(git(scratch.path(), &["clone", "-q", &lab.remote(token, "acme/site"), "work"]).await);
    let work = scratch.path().join("work");
    (scratch, work)
}

async fn commit(work: &Path, path: &str, text: &str) {
    let file = work.join(path);
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(file, text).unwrap();
    ok(git(work, &["add", "."]).await);
    ok(git(work, &["commit", "-q", "-m", "change"]).await);
}

#[tokio::test]
async fn clone_commit_and_push_with_an_installation_token() {
    let lab = Lab::new().await;
    let token = lab.token().await;
    let (_scratch, work) = cloned(&lab, &token).await;
    assert_eq!(std::fs::read_to_string(work.join("models/a.sql")).unwrap(), "select 1\n");
    commit(&work, "größe.txt", "eins\n").await;
    ok(git(&work, &["push", "-q", "origin", "HEAD:main"]).await);
    let head = ok(git(&work, &["rev-parse", "HEAD"]).await);
    assert_eq!(lab.sim.head("acme/site", "main").as_deref(), Some(head.trim()));
    let seen = lab.sim.requests();
    let push = seen.iter().find(|seen| seen.route == "git-receive-pack").unwrap();
    assert!(matches!(
        push.credential,
        Credential::Installation { installation_id: INSTALLATION, .. }
    ));
    lab.sim.finish();
}

#[tokio::test]
async fn a_large_push_is_streamed() {
    let lab = Lab::new().await;
    let token = lab.token().await;
    let (_scratch, work) = cloned(&lab, &token).await;
    let mut state = 1_u32;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    })
    .take(3_000_000)
    .collect();
    std::fs::write(work.join("noise.bin"), noise).unwrap();
    ok(git(&work, &["add", "."]).await);
    ok(git(&work, &["commit", "-q", "-m", "noise"]).await);
    ok(git(&work, &["push", "-q", "origin", "HEAD:refs/heads/noise"]).await);
    assert!(lab.sim.head("acme/site", "noise").is_some());
    lab.sim.finish();
}

#[tokio::test]
async fn git_is_refused_without_a_good_token() {
    let lab = Lab::new().await;
    let scratch = tempfile::tempdir().unwrap();
    let refs = |name: &str| {
        format!("{}/acme/{name}.git/info/refs?service=git-upload-pack", lab.sim.web_url())
    };
    let reply = lab.get(&refs("site"), "").await.expect(401);
    assert_eq!(reply.header("www-authenticate"), "Basic realm=\"GitHub\"");
    let (succeeded, text) =
        git(scratch.path(), &["clone", "-q", &lab.remote("ghs_wrong", "acme/site")]).await;
    assert!(!succeeded && text.contains("Invalid username or token"), "{text}");
    let narrow = lab.mint(json!({"repositories": ["other"]})).await.expect(201);
    let narrow = narrow.body["token"].as_str().unwrap();
    let (succeeded, text) =
        git(scratch.path(), &["clone", "-q", &lab.remote(narrow, "acme/site")]).await;
    assert!(!succeeded && text.contains("Repository not found"), "{text}");
    lab.sim.finish();
}

#[tokio::test]
async fn a_push_without_write_is_refused_and_changes_nothing() {
    let lab = Lab::new().await;
    let token = lab.token_with(json!({"contents": "read"})).await;
    let (_scratch, work) = cloned(&lab, &token).await;
    let before = lab.sim.head("acme/site", "main");
    commit(&work, "a", "a\n").await;
    let (succeeded, text) = git(&work, &["push", "origin", "HEAD:main"]).await;
    assert!(!succeeded && text.contains("Write access to repository not granted"), "{text}");
    let remote = lab.remote("github_pat_mona", "acme/site");
    let (succeeded, text) = git(&work, &["push", &remote, "HEAD:main"]).await;
    assert!(!succeeded && text.contains("Permission to acme/site.git denied to mona"), "{text}");
    assert_eq!(lab.sim.head("acme/site", "main"), before);
    lab.sim.finish();
}

#[tokio::test]
async fn rules_protection_and_secrets_refuse_a_push() {
    let lab = Lab::new().await;
    lab.sim.add_ruleset("acme/site", "main", &[Rule::PullRequest]);
    lab.sim.add_ruleset("acme/site", "open", &[Rule::NonFastForward, Rule::Deletion]);
    lab.sim.protect_branch("acme/site", "staging", &["ci"]);
    lab.sim.block_secret("AKIA-SECRET");
    let token = lab.token().await;
    let (_scratch, work) = cloned(&lab, &token).await;
    commit(&work, "a", "a\n").await;
    let (succeeded, text) = git(&work, &["push", "origin", "HEAD:main"]).await;
    assert!(
        !succeeded && text.contains("GH013: Repository rule violations found for refs/heads/main")
    );
    assert!(text.contains("- Changes must be made through a pull request."), "{text}");
    let (succeeded, text) = git(&work, &["push", "origin", "HEAD:staging"]).await;
    assert!(!succeeded && text.contains("GH006: Protected branch update failed"), "{text}");
    ok(git(&work, &["push", "-q", "origin", "HEAD:open"]).await);
    ok(git(&work, &["commit", "-q", "--amend", "-m", "other"]).await);
    let (succeeded, text) = git(&work, &["push", "-f", "origin", "HEAD:open"]).await;
    assert!(!succeeded && text.contains("Cannot force-push to this branch"), "{text}");
    let (succeeded, text) = git(&work, &["push", "origin", ":open"]).await;
    assert!(!succeeded && text.contains("Cannot delete this branch"), "{text}");
    commit(&work, "key.txt", "AKIA-SECRET\n").await;
    let (succeeded, text) = git(&work, &["push", "origin", "HEAD:leak"]).await;
    assert!(!succeeded && text.contains("GITHUB PUSH PROTECTION"), "{text}");
    assert_eq!(lab.sim.head("acme/site", "leak"), None);
    lab.sim.finish();
}

#[tokio::test]
async fn workflow_files_need_their_own_permission() {
    let mut seed = seed();
    seed.apps[0].permissions.insert("workflows".to_owned(), github_sim::Level::Write);
    seed.pats.push(Pat {
        token: Some("ghp_workflow".to_owned()),
        owner: "mona".to_owned(),
        scopes: vec!["repo".to_owned(), "workflow".to_owned()],
        ..Pat::default()
    });
    let lab = Lab::with(seed).await;
    let token = lab.token_with(json!({"contents": "write"})).await;
    let (_scratch, work) = cloned(&lab, &token).await;
    commit(&work, ".github/workflows/ci.yml", "on: push\n").await;
    let (succeeded, text) = git(&work, &["push", "origin", "HEAD:main"]).await;
    let refusal = "refusing to allow a GitHub App to create or update workflow \
                   `.github/workflows/ci.yml` without `workflows` permission";
    assert!(!succeeded && text.contains(refusal), "{text}");
    let remote = lab.remote("ghp_mona", "acme/site");
    let (succeeded, text) = git(&work, &["push", &remote, "HEAD:main"]).await;
    assert!(!succeeded && text.contains("without `workflow` scope"), "{text}");
    ok(git(&work, &["push", "-q", &lab.remote("ghp_workflow", "acme/site"), "HEAD:one"]).await);
    let token = lab.token_with(json!({"contents": "write", "workflows": "write"})).await;
    ok(git(&work, &["push", "-q", &lab.remote(&token, "acme/site"), "HEAD:two"]).await);
    lab.sim.finish();
}

#[tokio::test]
async fn a_moved_repository_is_followed_and_an_archived_one_is_read_only() {
    let lab = Lab::new().await;
    let token = lab.token().await;
    let (_scratch, work) = cloned(&lab, &token).await;
    lab.sim.rename_repository("acme/site", "pages");
    commit(&work, "a", "a\n").await;
    ok(git(&work, &["push", "-q", "origin", "HEAD:main"]).await);
    assert!(lab.sim.head("acme/pages", "main").is_some());
    lab.sim.archive("acme/pages", true);
    let (succeeded, text) = git(&work, &["push", "origin", "HEAD:x"]).await;
    assert!(!succeeded && text.contains("archived so it is read-only"), "{text}");
    ok(git(&work, &["fetch", "-q", "origin"]).await);
    lab.sim.finish();
}

#[tokio::test]
async fn a_public_repository_is_cloned_by_anybody() {
    let mut seed = seed();
    seed.repositories.push(Repository {
        owner: "acme".to_owned(),
        name: "public".to_owned(),
        private: false,
        files: [("a".to_owned(), "a\n".to_owned())].into(),
        ..Repository::default()
    });
    let lab = Lab::with(seed).await;
    let scratch = tempfile::tempdir().unwrap();
    let remote = format!("{}/acme/public", lab.sim.web_url());
    ok(git(scratch.path(), &["clone", "-q", &remote, "work"]).await);
    let (succeeded, _) = git(&scratch.path().join("work"), &["push", "origin", "HEAD:x"]).await;
    assert!(!succeeded);
    lab.sim.finish();
}
