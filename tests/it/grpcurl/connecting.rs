//! The commands of docs/connecting.md, in the order of the page: only address, state and code are those of the test.

use std::collections::BTreeSet;

use github_sim::Level;
use serde_json::{Value, json};

use super::Grpcurl;
use crate::harness::{self, World, person};

const PAGE: &str = include_str!("../../../docs/connecting.md");
const STATE: &str = "5df0ee7fd2b0f9e7ed2e6e0a3a7d4c11";
const CODE: &str = "0123456789abcdef0123";

/// What a command sends, and to which RPC.
fn commands() -> Vec<(String, String)> {
    let page = PAGE.replace("\\\n", " ");
    let commands = page.lines().filter_map(|line| line.strip_prefix("$ grpcurl -plaintext -d "));
    let read = |command: &str| {
        let (body, rest) = match command.strip_prefix('\'') {
            Some(quoted) => quoted.split_once('\'').unwrap(),
            None => command.split_once(' ').unwrap(),
        };
        let mut words = rest.split_whitespace();
        assert_eq!(words.next(), Some("127.0.0.1:50051"), "{command}");
        (body.to_owned(), words.next().unwrap().to_owned())
    };
    commands.map(read).collect()
}

#[tokio::test]
async fn the_commands_of_the_page_of_connecting_work_as_they_stand() {
    let mut seed = harness::seed();
    seed.apps[0].permissions.insert("administration".into(), Level::Write);
    let pages = ["https://portal.example/github/done".parse().unwrap()];
    let world = World::with_pages(seed, None, &pages).await;
    let pat =
        world.pat(github_sim::seed::Pat { scopes: vec!["repo".into()], ..Default::default() });
    let grpcurl = Grpcurl::of(&world);
    let (mut state, mut code) = (String::new(), String::new());
    let mut called = BTreeSet::new();
    for (body, rpc) in commands() {
        let (flag, stdin) = match body.as_str() {
            "@" => ("@".to_owned(), json!({"account": "acme", "token": pat}).to_string()),
            _ => (body.replace(STATE, &state).replace(CODE, &code), String::new()),
        };
        let answer = grpcurl.run(&["-d", &flag], &[&rpc], &stdin).await;
        let answer: Value = serde_json::from_str(&answer.unwrap()).unwrap();
        let name = rpc.rsplit('/').next().unwrap();
        match name {
            "BeginInstallation" => {
                code = person::authorize_for(&world.sim, "alice", world.callback().as_str()).await;
            }
            "BeginOAuth" => {
                let url = answer["authorizeUrl"].as_str().unwrap();
                code = person::back_from(url).await.1.remove("code").unwrap();
            }
            "GetConnection" => assert_eq!(answer["installation"]["githubLogin"], "acme"),
            "ListRepositories" => assert_eq!(answer["repositories"][0]["name"], "acme/warehouse"),
            "SetCredentialEnabled" => {
                assert_eq!(answer["effectiveSource"], "CREDENTIAL_SOURCE_OAUTH_USER");
            }
            "Disconnect" => assert_eq!(answer["disconnected"], true),
            _ => {}
        }
        if let Some(begun) = answer["state"].as_str() {
            state = begun.to_owned();
        }
        called.insert(name.to_owned());
    }
    assert_eq!(called.len(), 12, "{called:?}");

    world.finish().await;
}
