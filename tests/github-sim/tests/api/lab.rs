//! A small GitHub, and a client that remembers whom it acts for.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use github_sim::seed::{App, Installation, Member, Org, Pat, PatKind, Repository, Role, User};
use github_sim::{Level, Options, Seed, Sim};
use serde_json::{Value, json};

pub const APP: u64 = 100;
pub const INSTALLATION: u64 = 200;
pub const SITE: u64 = 300;

/// One key for all tests: making one takes a while.
pub fn key() -> &'static KeyPair {
    static KEY: OnceLock<KeyPair> = OnceLock::new();
    KEY.get_or_init(|| KeyPair::generate(KeySize::Rsa2048).unwrap())
}

pub fn public_pem() -> String {
    let der = AsDer::<PublicKeyX509Der<'_>>::as_der(key().public_key()).unwrap();
    let body = STANDARD.encode(der.as_ref());
    format!("-----BEGIN PUBLIC KEY-----\n{body}\n-----END PUBLIC KEY-----\n")
}

pub fn jwt_of(header: &Value, claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", part(header), part(claims));
    let mut signature = vec![0; key().public_modulus_len()];
    key().sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature).unwrap();
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

pub fn permissions(list: &[(&str, Level)]) -> BTreeMap<String, Level> {
    list.iter().map(|(name, level)| ((*name).to_owned(), *level)).collect()
}

pub fn seed() -> Seed {
    let files =
        [("README.md", "# Site\n"), ("models/a.sql", "select 1\n"), ("models/b.sql", "select 2\n")];
    Seed {
        users: ["mona", "hubot", "stranger"]
            .map(|login| User { login: login.to_owned(), ..User::default() })
            .to_vec(),
        orgs: vec![Org {
            login: "acme".to_owned(),
            members: vec![
                Member { login: "mona".to_owned(), role: Role::Admin },
                Member { login: "hubot".to_owned(), role: Role::Member },
            ],
            ..Org::default()
        }],
        apps: vec![App {
            id: Some(APP),
            client_id: Some("Iv1.client".to_owned()),
            client_secret: "secret".to_owned(),
            slug: "broker".to_owned(),
            owner: "acme".to_owned(),
            public_key_pem: vec![public_pem()],
            permissions: permissions(&[
                ("contents", Level::Write),
                ("pull_requests", Level::Write),
                ("issues", Level::Write),
                ("administration", Level::Write),
            ]),
            callback_urls: vec!["https://portal.example/callback".to_owned()],
            setup_url: Some("https://portal.example/setup".to_owned()),
            ..App::default()
        }],
        repositories: vec![
            Repository {
                owner: "acme".to_owned(),
                name: "site".to_owned(),
                id: Some(SITE),
                branches: vec!["staging".to_owned()],
                files: files.map(|(path, text)| (path.to_owned(), text.to_owned())).into(),
                ..Repository::default()
            },
            Repository {
                owner: "acme".to_owned(),
                name: "other".to_owned(),
                files: [("a".to_owned(), "a\n".to_owned())].into(),
                ..Repository::default()
            },
            Repository {
                owner: "acme".to_owned(),
                name: "empty".to_owned(),
                empty: true,
                ..Repository::default()
            },
        ],
        installations: vec![Installation {
            id: Some(INSTALLATION),
            app_id: APP,
            account: "acme".to_owned(),
            ..Installation::default()
        }],
        pats: vec![
            Pat {
                token: Some("ghp_mona".to_owned()),
                owner: "mona".to_owned(),
                scopes: vec!["repo".to_owned()],
                ..Pat::default()
            },
            Pat {
                token: Some("github_pat_mona".to_owned()),
                owner: "mona".to_owned(),
                kind: PatKind::FineGrained,
                resource_owner: Some("acme".to_owned()),
                repositories: Some(vec!["site".to_owned()]),
                permissions: permissions(&[("contents", Level::Read)]),
                ..Pat::default()
            },
        ],
        ..Seed::default()
    }
}

/// A running simulator and a client for it.
pub struct Lab {
    pub sim: Sim,
    pub http: reqwest::Client,
}

/// What came back.
pub struct Reply {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub body: Value,
    pub text: String,
}

impl Reply {
    pub fn message(&self) -> &str {
        self.body["message"].as_str().unwrap_or_default()
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |v| v.to_str().unwrap())
    }

    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text);
        self
    }

    #[track_caller]
    pub fn refused(self, status: u16, message: &str) {
        assert_eq!((self.status, self.message()), (status, message), "{}", self.text);
    }
}

impl Lab {
    pub async fn new() -> Self {
        Self::with(seed()).await
    }

    pub async fn with(seed: Seed) -> Self {
        let sim = Sim::start(Options::default(), seed).await.unwrap();
        let http = reqwest::Client::builder()
            .user_agent("lab")
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap();
        Self { sim, http }
    }

    pub fn jwt(&self) -> String {
        let now = self.sim.clock().seconds();
        let claims = json!({"iss": APP.to_string(), "iat": now - 60, "exp": now + 540});
        jwt_of(&json!({"alg": "RS256", "typ": "JWT"}), &claims)
    }

    pub async fn send(&self, method: &str, path: &str, token: &str, body: Option<Value>) -> Reply {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let url = if path.starts_with("http") {
            path.to_owned()
        } else {
            format!("{}{path}", self.sim.api_url())
        };
        let mut request = self.http.request(method, url);
        if !token.is_empty() {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        reply(request).await
    }

    pub async fn get(&self, path: &str, token: &str) -> Reply {
        self.send("GET", path, token, None).await
    }

    pub async fn post(&self, path: &str, token: &str, body: Value) -> Reply {
        self.send("POST", path, token, Some(body)).await
    }

    pub async fn patch(&self, path: &str, token: &str, body: Value) -> Reply {
        self.send("PATCH", path, token, Some(body)).await
    }

    pub async fn put(&self, path: &str, token: &str, body: Value) -> Reply {
        self.send("PUT", path, token, Some(body)).await
    }

    pub async fn delete(&self, path: &str, token: &str) -> Reply {
        self.send("DELETE", path, token, None).await
    }

    pub async fn mint(&self, body: Value) -> Reply {
        let path = format!("/app/installations/{INSTALLATION}/access_tokens");
        self.post(&path, &self.jwt(), body).await
    }

    /// An installation token for everything the installation has.
    pub async fn token(&self) -> String {
        let reply = self.mint(json!({})).await.expect(201);
        reply.body["token"].as_str().unwrap().to_owned()
    }

    /// An installation token with these permissions.
    pub async fn token_with(&self, permissions: Value) -> String {
        let reply = self.mint(json!({"permissions": permissions})).await.expect(201);
        reply.body["token"].as_str().unwrap().to_owned()
    }

    pub async fn graphql(&self, token: &str, query: &str, variables: Value) -> Value {
        let body = json!({"query": query, "variables": variables});
        let url = self.sim.graphql_url().to_owned();
        self.send("POST", &url, token, Some(body)).await.expect(200).body
    }

    /// The address of a repository for git, with a token in it.
    pub fn remote(&self, token: &str, full_name: &str) -> String {
        let host = self.sim.web_url().trim_start_matches("http://");
        format!("http://x-access-token:{token}@{host}/{full_name}.git")
    }
}

pub async fn reply(request: reqwest::RequestBuilder) -> Reply {
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    let headers = response.headers().clone();
    let text = response.text().await.unwrap();
    let body = serde_json::from_str(&text).unwrap_or(Value::Null);
    Reply { status, headers, body, text }
}

/// Runs git as a person would; gives back whether it succeeded, and everything it printed.
pub async fn git(dir: &Path, args: &[&str]) -> (bool, String) {
    let mut command = Command::new("git");
    command
        .current_dir(dir)
        .args(["-c", "user.name=Mona", "-c", "user.email=mona@example.com"])
        .args(args)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("LC_ALL", "C");
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&text).into_owned())
}

/// Runs git and fails the test when git fails.
#[track_caller]
pub fn ok((succeeded, text): (bool, String)) -> String {
    assert!(succeeded, "{text}");
    text
}
