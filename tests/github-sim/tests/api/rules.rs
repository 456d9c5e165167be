//! Every rule, in every way in.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use github_sim::{Operator, Pattern, Rule};
use serde_json::{Value, json};

use crate::lab::{Lab, git, ok};

const FOUND: &str = "Repository rule violations found\n\n";
const COMMIT: &str = "mutation($input: CreateCommitOnBranchInput!) {
  createCommitOnBranch(input: $input) { commit { oid } }
}";

/// Each rule with GitHub's sentence for a commit `Change` of `bin/tool.exe`, 2 MiB, by `ghp_mona`.
fn rules() -> Vec<(Rule, &'static str)> {
    let starts = |text: &str| Pattern::new(Operator::StartsWith, text);
    vec![
        (Rule::PullRequest, "Changes must be made through a pull request."),
        (Rule::MergeQueue, "Changes must be made through the merge queue"),
        (Rule::Update, "Cannot update this protected ref."),
        (
            Rule::RequiredStatusChecks(vec!["ci".into()]),
            "Required status check \"ci\" is expected.",
        ),
        (
            Rule::RequiredDeployments(vec!["production".into()]),
            "Required deployment to \"production\" is expected.",
        ),
        (
            Rule::Workflows(vec![".github/workflows/audit.yml".into()]),
            "Required workflow \".github/workflows/audit.yml\" is expected.",
        ),
        (Rule::CodeScanning("CodeQL".into()), "Code scanning is waiting for results from CodeQL"),
        (
            Rule::CommitMessagePattern(Pattern::new(Operator::Regex, "^JIRA-[0-9]+")),
            "Commit message must match a given regex pattern: ^JIRA-[0-9]+\n  Found 1 violation:\n\n  ",
        ),
        (
            Rule::CommitAuthorEmailPattern(Pattern::new(Operator::EndsWith, "@acme.example")),
            "Commit author email must end with a matching pattern: @acme.example",
        ),
        (
            Rule::CommitterEmailPattern(Pattern { negate: true, ..starts("") }),
            "Committer email must not start with a matching pattern: ",
        ),
        (
            Rule::BranchNamePattern(starts("feature/")),
            "Branch name must start with a matching pattern: feature/",
        ),
        (
            Rule::FilePathRestriction(vec!["bin/**".into()]),
            "File path is restricted\n  Found 1 violation:\n\n  bin/tool.exe",
        ),
        (Rule::MaxFilePathLength(11), "File path length exceeds the limit of 11 characters"),
        (Rule::FileExtensionRestriction(vec!["*.exe".into()]), "File extension is restricted"),
        (Rule::MaxFileSize(1), "File size exceeds the limit of 1 MB"),
    ]
}

#[tokio::test]
async fn every_rule_refuses_every_way_in_and_nothing_changes() {
    let lab = Lab::new().await;
    let token = "ghp_mona";
    let tool = vec![b'x'; 2 * 1024 * 1024];
    let scratch = tempfile::tempdir().unwrap();
    ok(git(scratch.path(), &["clone", "-q", &lab.remote(token, "acme/site"), "work"]).await);
    let work = scratch.path().join("work");
    std::fs::create_dir(work.join("bin")).unwrap();
    std::fs::write(work.join("bin/tool.exe"), &tool).unwrap();
    ok(git(&work, &["add", "."]).await);
    ok(git(&work, &["commit", "-q", "-m", "Change"]).await);
    // GitHub has the objects before the branch moves.
    ok(git(&work, &["push", "-q", "origin", "HEAD:refs/tags/made"]).await);

    for (number, (rule, sentence)) in rules().into_iter().enumerate() {
        let branch = format!("b{number}");
        let head = lab.sim.commit("acme/site", &branch, &[("seed.txt", "x\n")]);
        ok(git(&work, &["fetch", "-q", "origin"]).await);
        ok(git(&work, &["rebase", "-q", "--onto", &head, "HEAD~1"]).await);
        ok(git(&work, &["push", "-q", "-f", "origin", "HEAD:refs/tags/made"]).await);
        let rebased = ok(git(&work, &["rev-parse", "HEAD"]).await).trim().to_owned();
        lab.sim.add_ruleset("acme/site", &branch, std::slice::from_ref(&rule));
        let expected = format!("{FOUND}{sentence}");

        let refs = format!("/repos/acme/site/git/refs/heads/{branch}");
        let reply = lab.patch(&refs, token, json!({"sha": rebased})).await.expect(422);
        assert!(reply.message().starts_with(&expected), "{rule:?}: {}", reply.message());

        let file =
            json!({"message": "Change", "content": STANDARD.encode(&tool), "branch": branch});
        let put = lab.put("/repos/acme/site/contents/bin/tool.exe", token, file).await.expect(409);
        assert!(put.message().starts_with(&expected), "{rule:?}: {}", put.message());

        let additions = json!([{"path": "bin/tool.exe", "contents": STANDARD.encode(&tool)}]);
        let input = json!({"input": {
            "branch": {"repositoryNameWithOwner": "acme/site", "branchName": branch},
            "expectedHeadOid": head,
            "message": {"headline": "Change"},
            "fileChanges": {"additions": additions},
        }});
        let body = lab.graphql(token, COMMIT, input).await;
        let text = body["errors"][0]["message"].as_str().unwrap_or_default();
        assert!(text.starts_with(&expected), "{rule:?}: {body}");
        assert_eq!(body["data"]["createCommitOnBranch"], Value::Null);

        let (pushed, text) = git(&work, &["push", "origin", &format!("HEAD:{branch}")]).await;
        assert!(!pushed && text.contains("GH013: Repository rule violations found"), "{text}");
        let first = sentence.lines().next().unwrap().trim_end();
        assert!(text.contains(first), "{rule:?}: {text}");
        assert_eq!(lab.sim.head("acme/site", &branch), Some(head), "{rule:?}");
    }
    lab.sim.finish();
}

#[tokio::test]
async fn what_fits_the_rules_passes() {
    let lab = Lab::new().await;
    let rules = [
        Rule::CommitMessagePattern(Pattern::new(Operator::StartsWith, "JIRA-")),
        Rule::BranchNamePattern(Pattern::new(Operator::EndsWith, "ing")),
        Rule::CommitterEmailPattern(Pattern::new(Operator::Contains, "@")),
        Rule::FilePathRestriction(vec!["bin/*".into()]),
        Rule::MaxFilePathLength(11),
        Rule::FileExtensionRestriction(vec!["*.exe".into()]),
        Rule::MaxFileSize(1),
        Rule::RequiredLinearHistory,
    ];
    let id = lab.sim.add_ruleset("acme/site", "staging", &rules);
    let file = json!({"message": "JIRA-1 Fix", "content": "eA==", "branch": "staging"});
    lab.put("/repos/acme/site/contents/src/bin/x", "ghp_mona", file).await.expect(201);
    let set = lab.get(&format!("/repos/acme/site/rulesets/{id}"), "ghp_mona").await.expect(200);
    let shown = &set.body["rules"];
    assert_eq!(shown[0]["parameters"]["pattern"], "JIRA-");
    assert_eq!(shown[3]["parameters"], json!({"restricted_file_paths": ["bin/*"]}));
    assert_eq!(shown[6]["parameters"], json!({"max_file_size": 1}));
    lab.sim.finish();
}

#[tokio::test]
async fn a_merge_commit_breaks_a_linear_history() {
    let lab = Lab::new().await;
    lab.sim.add_ruleset("acme/site", "staging", &[Rule::RequiredLinearHistory]);
    let main = lab.sim.head("acme/site", "main").unwrap();
    let side = lab.sim.move_head("acme/site", "side");
    let before = lab.sim.head("acme/site", "staging").unwrap();
    let tree = lab.get(&format!("/repos/acme/site/git/commits/{side}"), "ghp_mona").await;
    let tree = tree.body["tree"]["sha"].clone();
    let merge = json!({"message": "Merge", "tree": tree, "parents": [main, side]});
    let merge = lab.post("/repos/acme/site/git/commits", "ghp_mona", merge).await.expect(201);
    let path = "/repos/acme/site/git/refs/heads/staging";
    let refused = lab.patch(path, "ghp_mona", json!({"sha": merge.body["sha"]})).await.expect(422);
    let expected = format!("{FOUND}This branch must not contain merge commits.");
    assert!(refused.message().starts_with(&expected), "{}", refused.message());
    assert_eq!(lab.sim.head("acme/site", "staging"), Some(before));
    lab.sim.finish();
}

#[tokio::test]
async fn a_blocked_secret_can_be_let_pass_on_a_page() {
    let lab = Lab::new().await;
    lab.sim.block_secret("AKIA-SECRET");
    let blob = json!({"content": "AKIA-SECRET"});
    let refused = lab.post("/repos/acme/site/git/blobs", "ghp_mona", blob).await.expect(409);
    let blocked = &refused.body["metadata"]["secret_scanning"]["bypass_placeholders"][0];
    assert_eq!(blocked["placeholder_id"].as_str().unwrap().len(), 27);

    let scratch = tempfile::tempdir().unwrap();
    ok(git(scratch.path(), &["clone", "-q", &lab.remote("ghp_mona", "acme/site"), "work"]).await);
    let work = scratch.path().join("work");
    std::fs::write(work.join("key"), "AKIA-SECRET\n").unwrap();
    ok(git(&work, &["add", "."]).await);
    ok(git(&work, &["commit", "-q", "-m", "Leak"]).await);
    let (pushed, text) = git(&work, &["push", "origin", "HEAD:leak"]).await;
    assert!(!pushed && text.contains("- Push cannot contain secrets"), "{text}");
    let page = format!("{}/acme/site/security/secret-scanning/unblock-secret/", lab.sim.web_url());
    assert!(text.contains(&page), "{text}");
    lab.sim.finish();
}

#[tokio::test]
async fn a_private_address_is_not_pushed() {
    let lab = Lab::new().await;
    lab.sim.keep_email_private("mona", "mona@home.example");
    let scratch = tempfile::tempdir().unwrap();
    ok(git(scratch.path(), &["clone", "-q", &lab.remote("ghp_mona", "acme/site"), "work"]).await);
    let work = scratch.path().join("work");
    let commit = async |author: &str| {
        ok(git(&work, &["commit", "-q", "--allow-empty", "-m", "x", "--author", author]).await);
    };
    commit("Mona <Mona@home.example>").await;
    let (pushed, text) = git(&work, &["push", "origin", "HEAD:refs/heads/mine"]).await;
    let words = "GH007: Your push would publish a private email address.";
    assert!(!pushed && text.contains(words), "{text}");
    assert_eq!(lab.sim.head("acme/site", "mine"), None);
    // Only the newest commit is looked at, and only for the address of who pushes.
    commit("Mona <1+mona@users.noreply.github.com>").await;
    ok(git(&work, &["push", "-q", "origin", "HEAD:refs/heads/mine"]).await);
    lab.sim.finish();
}
