//! Which tokens a caller may have, and of which repositories.

use ghbroker::proto;
use github_sim::seed as github;
use tonic::Code;

use super::{assert_not_allowed, last_line, rule, said, token_for};
use crate::harness::{
    INSTALLATION, MINT, REPO, World, door::Door, seed, status::assert_reason, write,
};

const WEB: &str = "acme/web";
const CONTENTS: (&str, &str) = ("contents", "read");

/// A world with `ours`, connected by installation: its active repository is [`REPO`], and [`WEB`] is bound, too.
async fn world(rules: &str) -> World {
    let mut seed = seed();
    seed.repositories.push(github::Repository {
        owner: "acme".into(),
        name: "web".into(),
        files: [("README.md".to_owned(), "# Web\n".to_owned())].into(),
        ..Default::default()
    });
    let mut world = World::guarded(seed, Door::new("either", rules)).await;
    world.register("ours", INSTALLATION).await;
    world.configure("ours", REPO).await;
    world.configure("ours", WEB).await;
    world
}

fn consumer(name: &str, more: &str) -> String {
    rule(name, &format!("role = \"consumer\"\naccounts = [\"ours\"]\n{more}"))
}

/// A caller with every RPC, for one repository.
fn web_only() -> String {
    let rpcs = [
        "VerifyRepo",
        "GetRepoToken",
        "CommitFiles",
        "OpenPromotionPr",
        "ConfigureRepo",
        "GetConnection",
    ];
    rule("web", &format!("rpcs = {rpcs:?}\naccounts = [\"*\"]\nrepositories = [{WEB:?}]"))
}

#[tokio::test]
async fn a_token_in_the_cache_is_only_for_who_may_have_it() {
    let rules = [
        consumer("reader", ""),
        consumer("writer", "permissions = { contents = \"write\" }"),
        consumer("web", &format!("repositories = [{WEB:?}]")),
        rule("neighbour", "role = \"consumer\"\naccounts = [\"theirs\"]"),
    ];
    let world = world(&rules.concat()).await;
    let write = token_for("ours", &[("contents", "write")]);
    let writer = world.workload("writer").await;
    let first = writer.broker().get_repo_token(write.clone()).await.unwrap().into_inner();
    let line = last_line(&world);
    assert_eq!((&line["cache"], &line["rule"]), (&"miss".into(), &"writer".into()));
    let again = writer.broker().get_repo_token(write.clone()).await.unwrap().into_inner();
    let hit = last_line(&world);
    assert_eq!((&hit["cache"], &hit["rule"]), (&"hit".into(), &"writer".into()));
    assert_eq!(hit["hashed_token"], line["hashed_token"]);
    assert_eq!(
        (again.token, world.sim.count(MINT)),
        (first.token.clone(), 3),
        "two of ConfigureRepo"
    );

    let asked = world.sim.requests().len();
    let named = proto::GetRepoTokenRequest { repository: REPO.into(), ..write.clone() };
    let callers = [
        world.workload("reader").await,
        world.service_account("reader").await,
        world.workload("web").await,
        world.workload("neighbour").await,
        world.workload("stranger").await,
    ];
    for (caller, request) in callers.iter().zip([&write, &write, &named, &write, &write]) {
        let status = caller.broker().get_repo_token(request.clone()).await.unwrap_err();
        assert_not_allowed(&status);
        assert!(!format!("{status:?}").contains(&first.token));
        let line = last_line(&world);
        assert_eq!(line["decision"], "deny", "{line}");
        let told = ["cache", "hashed_token", "granted_permissions", "repository_ids"];
        assert!(told.iter().all(|key| line[key].is_null()), "{line}");
    }
    assert_eq!(world.sim.requests().len(), asked);
    world.finish().await;
}

#[tokio::test]
async fn a_repository_outside_of_the_rule_is_refused_by_name_before_anything_is_asked() {
    let world = world(&web_only()).await;
    let web = world.workload("web").await;
    let before = (world.footprint(), world.stored().await);
    let (account, repository) = ("ours".to_owned(), REPO.to_owned());
    let token = proto::GetRepoTokenRequest { repository: REPO.into(), ..token_for("ours", &[]) };
    let commit = proto::CommitFilesRequest {
        account: account.clone(),
        repository: repository.clone(),
        message: "Change".into(),
        files: vec![write("a", "b")],
        ..Default::default()
    };
    let promote = proto::OpenPromotionPrRequest {
        account: account.clone(),
        repository: repository.clone(),
        ..Default::default()
    };
    let verify = proto::VerifyRepoRequest {
        account: account.clone(),
        repository: repository.clone(),
        ..Default::default()
    };
    let configure = proto::ConfigureRepoRequest { account, repository, ..Default::default() };
    for refused in [
        web.broker().get_repo_token(token).await.map(drop),
        web.broker().commit_files(commit).await.map(drop),
        web.broker().open_promotion_pr(promote).await.map(drop),
        web.broker().verify_repo(verify).await.map(drop),
        web.admin().configure_repo(configure).await.map(drop),
    ] {
        assert_not_allowed(&refused.unwrap_err());
        assert_eq!(last_line(&world)["decision"], "deny");
    }
    assert_eq!((world.footprint(), world.stored().await), before);
    let token = proto::GetRepoTokenRequest { repository: WEB.into(), ..token_for("ours", &[]) };
    let token = web.broker().get_repo_token(token).await.unwrap().into_inner();
    assert_eq!(token.repository, WEB);
    world.finish().await;
}

#[tokio::test]
async fn an_active_repository_outside_of_the_rule_is_as_none() {
    let world = world(&web_only()).await;
    let scopes = vec!["repo".into()];
    let token = world.pat(github::Pat { scopes, ..Default::default() });
    // Connected, and nothing bound.
    let request = proto::SetPatRequest {
        account: "unbound".into(),
        token: token.clone(),
        ..Default::default()
    };
    world.set_pat(request).await.unwrap();
    let web = world.workload("web").await;
    let asked = world.sim.requests().len();
    for rpc in ["VerifyRepo", "GetRepoToken", "CommitFiles", "OpenPromotionPr"] {
        let outside = web.call(rpc, "ours", &token).await.expect_err(rpc);
        assert_reason(&outside, Code::NotFound, "REPO_NOT_ACCESSIBLE");
        assert_eq!(last_line(&world)["decision"], "deny", "the operator is told which it is");
        let none = web.call(rpc, "unbound", &token).await.expect_err(rpc);
        assert_eq!(said(&outside), said(&none), "{rpc}");
        assert_eq!(last_line(&world)["decision"], "allow", "{rpc}");
    }
    assert_eq!(world.sim.requests().len(), asked);
    world.finish().await;
}

#[tokio::test]
async fn a_connection_shows_the_repositories_of_the_rule() {
    let world = world(&web_only()).await;
    let request = proto::GetConnectionRequest { account: "ours".into() };
    let shown = async |connection: proto::GetConnectionResponse| -> Vec<String> {
        connection.bindings.into_iter().map(|binding| binding.repository).collect()
    };
    let all = world.get_connection(request.clone()).await.unwrap();
    assert_eq!(shown(all).await, [REPO, WEB]);
    let web = world.workload("web").await;
    let some = web.admin().get_connection(request).await.unwrap().into_inner();
    assert_eq!(shown(some).await, [WEB]);
    world.finish().await;
}

#[tokio::test]
async fn a_token_has_no_more_than_the_rule_says() {
    let rules = [
        consumer("reader", ""),
        consumer("writer", "permissions = { contents = \"write\", issues = \"read\" }"),
        consumer("nothing", "permissions = {}"),
    ];
    let world = world(&rules.concat()).await;
    let (metadata, write) = (("metadata", "read"), ("contents", "write"));
    let (issues, issues_write) = (("issues", "read"), ("issues", "write"));
    for (name, asked, missing) in [
        ("reader", &[CONTENTS, metadata][..], None),
        ("reader", &[], None),
        ("reader", &[write], Some("contents:write")),
        ("reader", &[CONTENTS, issues], Some("issues:read")),
        ("reader", &[write, issues_write], Some("contents:write, issues:write")),
        ("writer", &[CONTENTS], None),
        ("writer", &[write, issues], None),
        ("writer", &[write, issues_write], Some("issues:write")),
        ("nothing", &[metadata], None),
        ("nothing", &[CONTENTS], Some("contents:read")),
        ("nothing", &[], Some("contents:read")),
    ] {
        let caller = world.workload(name).await;
        let answer = caller.broker().get_repo_token(token_for("ours", asked)).await;
        let Err(status) = answer else {
            assert_eq!(missing, None, "{name} {asked:?}");
            continue;
        };
        assert_not_allowed(&status);
        let details = assert_reason(&status, Code::PermissionDenied, "CALLER_NOT_ALLOWED");
        let said = details.error_info().unwrap().metadata.get("missing").cloned();
        assert_eq!(said.as_deref(), missing, "{name} {asked:?}");
    }
    world.finish().await;
}

#[tokio::test]
async fn a_personal_access_token_is_only_for_rules_that_say_so() {
    let rules = [consumer("careful", ""), consumer("trusted", "unnarrowed_tokens = true")].concat();
    let mut world = World::guarded(seed(), Door::new("either", &rules)).await;
    let scopes = vec!["repo".into()];
    let pat = world.pat(github::Pat { scopes, ..Default::default() });
    let request =
        proto::SetPatRequest { account: "ours".into(), token: pat.clone(), ..Default::default() };
    world.set_pat(request).await.unwrap();
    world.configure("ours", REPO).await;
    let trusted = world.workload("trusted").await;
    let token = trusted.broker().get_repo_token(token_for("ours", &[])).await.unwrap();
    assert_eq!(token.into_inner().token, pat);
    assert_eq!(last_line(&world)["source"], "pat");
    for careful in [world.workload("careful").await, world.service_account("careful").await] {
        let status = careful.broker().get_repo_token(token_for("ours", &[])).await.unwrap_err();
        assert_reason(&status, Code::PermissionDenied, "TOKEN_NOT_ALLOWED");
        assert!(status.message().contains("connect it by App installation"));
        let line = last_line(&world);
        assert_eq!(
            (&line["decision"], &line["reason"]),
            (&"deny".into(), &"TOKEN_NOT_ALLOWED".into())
        );
        assert!(line["hashed_token"].is_null(), "{line}");
    }
    world.finish().await;
}
