//! Every rule of a ruleset, classic protection and push protection.

use ghbroker::proto::*;
use github_sim::{Operator, Pattern, Rule};

use FindingCode::{ContentAllowed, RulesAllow};
use FindingLevel::{Failed, Ok, Warning};

use super::{by_token, finding, metadata, verify};
use crate::harness::{REPO, World, executable, write};

/// A rule, and what a commit `Change` of `bin/tool.exe` meets.
struct Case {
    rule: Rule,
    /// What VerifyRepo says of it before: by App, by token.
    foretold: (FindingCode, FindingLevel, FindingLevel),
    /// What the user is told to do, by App and by token.
    advice: [&'static str; 2],
}

fn case(rule: Rule, level: FindingLevel, advice: &'static str) -> Case {
    Case { rule, foretold: (RulesAllow, level, level), advice: [advice, advice] }
}

fn bypass(rule: Rule) -> Case {
    let advice = ["let the GitHub App bypass", "let the token's owner bypass"];
    Case { advice, ..case(rule, Failed, "") }
}

fn content(rule: Rule, advice: &'static str) -> Case {
    Case { foretold: (ContentAllowed, Warning, Warning), ..case(rule, Warning, advice) }
}

fn cases() -> Vec<Case> {
    let pattern = |operator, text: &str| Pattern::new(operator, text);
    vec![
        bypass(Rule::PullRequest),
        bypass(Rule::Update),
        bypass(Rule::MergeQueue),
        bypass(Rule::RequiredStatusChecks(vec!["ci".into()])),
        bypass(Rule::RequiredDeployments(vec!["production".into()])),
        bypass(Rule::Workflows(vec![".github/workflows/audit.yml".into()])),
        bypass(Rule::CodeScanning("CodeQL".into())),
        bypass(Rule::Creation),
        Case {
            rule: Rule::RequiredSignatures,
            foretold: (RulesAllow, Ok, Warning),
            advice: ["", "connect by App installation"],
        },
        case(
            Rule::BranchNamePattern(pattern(Operator::StartsWith, "feature/")),
            Warning,
            "configure a branch whose name the pattern fits",
        ),
        case(
            Rule::BranchNamePattern(pattern(Operator::Regex, "^feature/")),
            Warning,
            "configure a branch whose name the pattern fits",
        ),
        content(
            Rule::CommitMessagePattern(pattern(Operator::Regex, "^JIRA-[0-9]+")),
            "send a message that the pattern fits",
        ),
        Case {
            advice: ["the App's bot", "the address of the token's owner"],
            ..content(
                Rule::CommitAuthorEmailPattern(pattern(Operator::EndsWith, "@acme.example")),
                "",
            )
        },
        Case {
            // GitHub is committer of what is made over GraphQL, and of all that an App makes.
            advice: ["noreply@github.com", "noreply@github.com"],
            ..content(Rule::CommitterEmailPattern(pattern(Operator::EndsWith, "@acme.example")), "")
        },
        content(Rule::FilePathRestriction(vec!["bin/**".into()]), "leave the restricted paths out"),
        content(Rule::MaxFilePathLength(11), "make the paths shorter"),
        content(
            Rule::FileExtensionRestriction(vec!["*.exe".into()]),
            "leave files with these extensions",
        ),
        content(Rule::MaxFileSize(1), "make the file smaller"),
    ]
}

#[tokio::test]
async fn every_rule_is_foretold_named_and_explained() {
    let tool = "x".repeat(1024 * 1024 + 1);
    for (by_app, case) in
        [true, false].into_iter().flat_map(|app| cases().into_iter().map(move |c| (app, c)))
    {
        let (rule, name) = (&case.rule, case.rule.type_name());
        let world = if by_app { World::connected().await } else { by_token(&["repo"]).await };
        if *rule != Rule::Creation {
            world.sim.commit(REPO, "staging", &[("seed.txt", "x\n")]);
        }
        let id = world.sim.add_ruleset(REPO, "staging", std::slice::from_ref(rule));
        let answer = verify(&world).await;
        let (code, level_by_app, level_by_token) = case.foretold;
        let level = if by_app { level_by_app } else { level_by_token };
        let told = finding(&answer, code);
        assert_eq!(told.level(), level, "{told:?}");
        assert_eq!(answer.ok, level != Failed);
        if level != Ok {
            assert!(told.message.contains(name), "{told:?}");
            assert!(told.fix.len() > 10 && told.fix.ends_with('.'), "{told:?}");
            assert!(told.url.ends_with(&format!("{REPO}/rules/{id}")), "{told:?}");
        }
        // An executable file is committed by way of git's own objects.
        for file in
            [write("bin/tool.exe", tool.as_str()), executable("bin/tool.exe", tool.as_str())]
        {
            let before = world.footprint().refs;
            let signed = by_app || file.mode() != FileMode::Executable;
            let result = world.commit("Change", vec![file]).await;
            if *rule == Rule::RequiredSignatures && signed {
                result.unwrap();
                continue;
            }
            let refused = result.expect_err(name);
            let metadata = metadata(&refused, "REFUSED_BY_RULES");
            assert_eq!(metadata["rules"], name, "{refused:?}");
            let advice = case.advice[usize::from(!by_app)];
            assert!(refused.message().contains(advice), "{name}: {}", refused.message());
            assert!(refused.message().starts_with("rules of acme/warehouse refuse this: "));
            assert_eq!(world.footprint().refs, before, "{name}");
        }
        world.finish().await;
    }
}

#[tokio::test]
async fn limits_are_shown_before_somebody_meets_them() {
    let world = World::connected().await;
    let pattern = Pattern { negate: true, ..Pattern::new(Operator::Contains, "WIP") };
    let rules = [
        Rule::CommitMessagePattern(pattern),
        Rule::FilePathRestriction(vec!["secrets/**".into(), "keys/*".into()]),
        Rule::MaxFilePathLength(200),
        Rule::FileExtensionRestriction(vec!["*.exe".into()]),
        Rule::MaxFileSize(5),
    ];
    world.sim.add_ruleset(REPO, "staging", &rules);
    world.sim.add_ruleset(REPO, "staging", &[Rule::Creation, Rule::PullRequest]);
    let answer = verify(&world).await;
    let told = finding(&answer, ContentAllowed);
    for limit in [
        "commit_message_pattern (must not contain `WIP`)",
        "file_path_restriction (not `secrets/**`, `keys/*`)",
        "max_file_path_length (at most 200 characters)",
        "file_extension_restriction (not `*.exe`)",
        "max_file_size (at most 5 MB)",
    ] {
        assert!(told.message.contains(limit), "{limit}: {told:?}");
    }
    let refusing = finding(&answer, RulesAllow);
    assert_eq!(refusing.level(), Failed);
    assert!(refusing.message.contains("creation, pull_request"), "{refusing:?}");

    // Whoever may bypass all of them meets none.
    world.sim.bypass_rulesets(REPO);
    let answer = verify(&world).await;
    assert_eq!(finding(&answer, ContentAllowed).level(), Ok);
    assert!(answer.ok);
    world.finish().await;
}

#[tokio::test]
async fn a_new_branch_needs_a_name_that_fits() {
    let world = World::connected().await;
    let named = |text| Rule::BranchNamePattern(Pattern::new(Operator::StartsWith, text));
    world.sim.add_ruleset(REPO, "staging", &[named("stag"), Rule::RequiredLinearHistory]);
    assert!(verify(&world).await.ok);
    let id = world.sim.add_ruleset(REPO, "staging", &[named("feature/")]);
    let answer = verify(&world).await;
    let told = finding(&answer, RulesAllow);
    assert_eq!(told.level(), Failed);
    assert!(told.message.contains("must start with `feature/`"), "{told:?}");
    assert!(told.url.ends_with(&format!("/rules/{id}")), "{told:?}");
    let refused = world.commit("Change", vec![write("a", "x")]).await.unwrap_err();
    assert_eq!(metadata(&refused, "REFUSED_BY_RULES")["rules"], "branch_name_pattern");
    world.finish().await;
}

#[tokio::test]
async fn of_many_rules_all_are_named_and_some_explained() {
    let world = World::connected().await;
    world.sim.commit(REPO, "staging", &[("seed.txt", "x\n")]);
    let rules = [
        Rule::PullRequest,
        Rule::RequiredStatusChecks(vec!["file size".into()]),
        Rule::CommitMessagePattern(Pattern::new(Operator::StartsWith, "JIRA-")),
        Rule::FilePathRestriction(vec!["**".into()]),
    ];
    world.sim.add_ruleset(REPO, "staging", &rules);
    let files = (0..300).map(|n| write(&format!("a/long/path/to/a/file/{n}.sql"), "x")).collect();
    let refused = world.commit("Change", files).await.unwrap_err();
    let named = metadata(&refused, "REFUSED_BY_RULES")["rules"].clone();
    assert_eq!(
        named,
        "pull_request,required_status_checks,commit_message_pattern,file_path_restriction"
    );
    assert!(refused.message().contains("What to do: let the GitHub App bypass"));
    assert!(refused.message().contains("send a message that the pattern fits"));
    assert!(refused.message().len() <= 1536 && refused.message().ends_with('.'));
    world.finish().await;
}

#[tokio::test]
async fn classic_protection_is_not_seen_before_but_named() {
    for by_app in [true, false] {
        let world = if by_app { World::connected().await } else { by_token(&["repo"]).await };
        world.sim.commit(REPO, "staging", &[("seed.txt", "x\n")]);
        world.sim.protect_branch(REPO, "staging", &["ci"]);
        let answer = verify(&world).await;
        assert!(
            finding(&answer, RulesAllow)
                .message
                .contains("classic branch protection cannot be seen")
        );
        for file in [write("a", "x"), executable("a", "x")] {
            let before = world.footprint().refs;
            let refused = world.commit("Change", vec![file]).await.unwrap_err();
            let rules = metadata(&refused, "REFUSED_BY_RULES")["rules"].clone();
            assert_eq!(rules, "pull_request,required_status_checks,branch_protection");
            assert!(refused.message().contains("at Settings > Branches"), "{}", refused.message());
            assert!(!refused.message().contains("ruleset"), "{}", refused.message());
            assert_eq!(world.footprint().refs, before);
        }
        world.finish().await;
    }
}

#[tokio::test]
async fn a_secret_is_named_with_the_page_that_lets_it_pass() {
    for by_app in [true, false] {
        let world = if by_app { World::connected().await } else { by_token(&["repo"]).await };
        world.sim.commit(REPO, "staging", &[("seed.txt", "x\n")]);
        world.sim.block_secret("AKIA-SECRET");
        for file in [write("a", "AKIA-SECRET"), executable("a", "AKIA-SECRET")] {
            let before = world.footprint().refs;
            let rest = file.mode() == FileMode::Executable;
            let refused = world.commit("Change", vec![file]).await.unwrap_err();
            let metadata = metadata(&refused, "REFUSED_BY_RULES");
            assert_eq!(metadata["rules"], "secret_scanning");
            assert!(refused.message().contains("take the secret out of the files and revoke it"));
            assert!(!refused.message().contains("AKIA"));
            // GraphQL does not say under which id.
            let page =
                format!("{}/{REPO}/security/secret-scanning/unblock-secret/", world.sim.web_url());
            assert_eq!(metadata.get("url").is_some_and(|url| url.starts_with(&page)), rest);
            assert_eq!(world.footprint().refs, before);
        }
        world.finish().await;
    }
}
