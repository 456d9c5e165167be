//! A GitHub (or something on the way to it) that does not tell the truth: the broker hands nothing wrong out, and does not fall.

use std::{sync::atomic::Ordering::SeqCst, time::Duration};

use ghbroker::proto;
use github_sim::{Effect, Fault};
use serde_json::json;
use tonic::Code;

use crate::harness::{
    ACCOUNT, INSTALLATION, REPO, World, executable,
    git::commits,
    liar::{Answer, Liar},
    seed,
    status::assert_reason,
    write,
};

const MINT: &str = "POST /api/v3/app/installations/";

async fn connected() -> (World, Liar) {
    let (mut world, liar) = Liar::world(seed()).await;
    world.register(ACCOUNT, INSTALLATION).await;
    world.configure(ACCOUNT, REPO).await;
    (world, liar)
}

async fn token(world: &World) -> Result<proto::GetRepoTokenResponse, tonic::Status> {
    let request = proto::GetRepoTokenRequest { account: ACCOUNT.into(), ..Default::default() };
    world.get_repo_token(request).await
}

#[tokio::test]
async fn a_token_that_reaches_more_than_asked_for_is_not_handed_out() {
    let lies: [fn(&mut Answer); 5] = [
        |answer| answer.body["permissions"]["contents"] = json!("write"),
        |answer| answer.body["permissions"]["members"] = json!("write"),
        |answer| answer.body["permissions"]["contents"] = json!("everything"),
        |answer| answer.body["repositories"][0]["id"] = json!(1),
        |answer| {
            answer.body["repository_selection"] = json!("all");
            answer.body.as_object_mut().unwrap().remove("repositories");
        },
    ];
    for (number, lie) in lies.into_iter().enumerate() {
        let (world, liar) = connected().await;
        liar.lie(MINT, lie);
        let refused = token(&world).await.expect_err(&format!("lie {number}"));
        assert_reason(&refused, Code::Internal, "INTERNAL");
        world.finish().await;
    }
}

#[tokio::test]
async fn a_token_is_not_kept_for_longer_than_tokens_live() {
    let (world, liar) = connected().await;
    liar.lie(MINT, |answer| {
        answer.header("date", "Mon, 01 Jan 0001 00:00:00 GMT");
        answer.body["expires_at"] = json!("9999-12-31T23:59:59Z");
    });
    let first = token(&world).await.unwrap().token;
    assert_eq!(token(&world).await.unwrap().token, first, "it is kept");
    liar.be_honest();
    world.advance(Duration::from_secs(61 * 60));
    assert_ne!(token(&world).await.unwrap().token, first, "no token of GitHub's lives so long");
    world.finish().await;
}

#[tokio::test]
async fn times_at_the_end_of_time_do_no_harm() {
    let (world, liar) = connected().await;
    for end in ["9999-12-31 23:59:59 -1200", "0000-01-01 00:00:00 +1200"] {
        liar.lie("GET /api/v3/user ", move |answer| {
            answer.header("github-authentication-token-expiration", end);
        });
        let token =
            world.pat(github_sim::seed::Pat { scopes: vec!["repo".into()], ..Default::default() });
        let answer = world
            .set_pat(proto::SetPatRequest {
                account: "tenant-pat".into(),
                token,
                ..Default::default()
            })
            .await;
        match answer {
            Ok(stored) => assert_eq!(stored.pat.unwrap().expire_time, None),
            Err(refused) => {
                drop(assert_reason(&refused, Code::FailedPrecondition, "CREDENTIAL_REJECTED"))
            }
        }
    }
    world.finish().await;
}

#[tokio::test]
async fn an_answer_about_another_installation_binds_nothing() {
    let (world, liar) = Liar::world(seed()).await;
    liar.lie("GET /api/v3/app/installations/", |answer| answer.body["id"] = json!(9));
    let request = proto::RegisterInstallationRequest {
        account: ACCOUNT.into(),
        installation_id: INSTALLATION,
        expected_github_login: "acme".into(),
        ..Default::default()
    };
    world.register_installation(request).await.unwrap_err();
    let connection = proto::GetConnectionRequest { account: ACCOUNT.into() };
    let status = world.get_connection(connection).await.unwrap_err();
    assert_reason(&status, Code::NotFound, "ACCOUNT_NOT_CONNECTED");
    world.finish().await;
}

/// GitHub reads from copies: for a moment a branch seems to be where it was before.
#[tokio::test]
async fn a_commit_that_a_late_copy_does_not_show_yet_is_still_found() {
    for file in [write("late.sql", "1\n"), executable("late.sh", "1\n")] {
        let (world, liar) = connected().await;
        world.commit("First", vec![write("first.sql", "0\n")]).await.unwrap();
        for field in ["createCommitOnBranch", "updateRefs"] {
            world.sim.fault(Fault::once(&format!("POST /graphql {field}"), Effect::DropAfter));
        }
        // The second look is answered as the first one was.
        let looks = std::sync::Mutex::new(Vec::new());
        liar.lie("POST /api/graphql", move |answer| {
            if answer.body["data"]["repository"].is_object() {
                let mut looks = looks.lock().unwrap();
                looks.push(answer.body.clone());
                if looks.len() == 2 {
                    answer.body = looks[0].clone();
                }
            }
        });
        let done = world.commit("Late", vec![file]).await.unwrap();
        assert_eq!((done.unchanged, done.files_added), (false, 1));
        let repository = world.sim.git_dir(REPO);
        assert_eq!(commits(&repository, "staging"), 3);
        assert_eq!(world.sim.head(REPO, "staging").unwrap(), done.commit_sha);
        world.finish().await;
    }
}

/// The branch moves while it is read: a directory is of another commit than the head.
#[tokio::test]
async fn what_does_not_belong_together_is_read_again_and_at_last_by_its_ids() {
    const LOOK: &str = "POST /graphql repository";
    const TREE: &str = "GET /repos/{owner}/{repo}/git/trees/{ref}";
    for (torn, looks, trees) in [(1, 2, 0), (2, 2, 1)] {
        let (world, liar) = connected().await;
        let first = vec![write("models/kept.sql", "0\n"), write("models/new.sql", "0\n")];
        world.commit("First", first).await.unwrap();
        let before = (world.sim.count(LOOK), world.sim.count(TREE));
        let left = std::sync::atomic::AtomicUsize::new(torn);
        liar.lie("POST /api/graphql", move |answer| {
            let directory = &mut answer.body["data"]["directories"]["d0"];
            let again = |left: usize| left.checked_sub(1);
            let lie = directory.is_object() && left.fetch_update(SeqCst, SeqCst, again).is_ok();
            if lie {
                // As it would be before the files were there.
                *directory =
                    json!({"oid": "4b825dc642cb6eb9a060e54bf8d69288fbee4904", "entries": []});
            }
        });
        // Whoever believes the empty directory takes the first file for new.
        let files = vec![write("models/kept.sql", "0\n"), write("models/new.sql", "1\n")];
        let done = world.commit("Second", files).await.unwrap();
        assert_eq!((done.files_added, done.files_changed, done.files_unchanged), (0, 1, 1));
        let after = (world.sim.count(LOOK), world.sim.count(TREE));
        assert_eq!((after.0 - before.0, after.1 - before.1), (looks, trees));
        world.finish().await;
    }
}

#[tokio::test]
async fn however_much_github_says_the_caller_gets_a_status() {
    let (world, liar) = connected().await;
    liar.lie(&format!("POST /api/v3/repos/{REPO}/git/refs"), |answer| {
        answer.status = 422;
        answer.body = json!({"message": "Repository rule violations found: ".to_owned() + &"🦀規".repeat(5000)});
    });
    let files = vec![executable("run.sh", "#!/bin/sh\n")];
    let refused = world.commit("Add", files).await.unwrap_err();
    assert_reason(&refused, Code::FailedPrecondition, "REFUSED_BY_RULES");
    world.finish().await;
}

#[tokio::test]
async fn a_token_comes_with_the_name_that_the_repository_has_now() {
    let (world, _liar) = connected().await;
    world.sim.rename_repository(REPO, "depot");
    // Whoever takes the old name over must not be cloned from.
    let given = token(&world).await.unwrap();
    assert_eq!(given.repository, "acme/depot");
    assert!(given.clone_url.ends_with("/acme/depot.git"), "{}", given.clone_url);
    world.finish().await;
}
