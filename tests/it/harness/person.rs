//! What people do on GitHub itself, past the broker.

use std::collections::BTreeMap;

use github_sim::{Sim, seed};
use reqwest::{Client, Method, Url, redirect::Policy};
use serde_json::{Value, json};

use super::CLIENT_ID;

/// Somebody who may do everything in `acme`, at work in the browser.
pub struct Person {
    api: String,
    token: String,
    http: Client,
}

impl Person {
    pub fn of(sim: &Sim, login: &str) -> Self {
        let scopes = vec!["repo".into()];
        let pat = seed::Pat { owner: login.into(), scopes, ..Default::default() };
        Self { api: sim.api_url().into(), token: sim.add_pat(&pat).unwrap(), http: client() }
    }

    async fn send(&self, method: Method, path: &str, body: Value) {
        let request = self.http.request(method, format!("{}{path}", self.api));
        let request = request.bearer_auth(&self.token).header("user-agent", "a browser");
        let answer = request.json(&body).send().await.unwrap();
        assert!(answer.status().is_success(), "{path}: {}", answer.text().await.unwrap());
    }

    pub async fn open(&self, repository: &str, head: &str, base: &str) {
        let pull = json!({"title": "By hand", "head": head, "base": base});
        self.send(Method::POST, &format!("/repos/{repository}/pulls"), pull).await;
    }

    pub async fn merge(&self, repository: &str, number: i64) {
        self.merge_by("merge", repository, number).await;
    }

    pub async fn merge_by(&self, method: &str, repository: &str, number: i64) {
        let path = format!("/repos/{repository}/pulls/{number}/merge");
        self.send(Method::PUT, &path, json!({"merge_method": method})).await;
    }

    pub async fn approve(&self, repository: &str, number: i64) {
        let path = format!("/repos/{repository}/pulls/{number}/reviews");
        self.send(Method::POST, &path, json!({"event": "APPROVE"})).await;
    }

    pub async fn close(&self, repository: &str, number: i64) {
        let closed = json!({"state": "closed"});
        self.send(Method::PATCH, &format!("/repos/{repository}/pulls/{number}"), closed).await;
    }

    /// As the button below a merged pull request does.
    pub async fn delete_branch(&self, repository: &str, branch: &str) {
        let path = format!("/repos/{repository}/git/refs/heads/{branch}");
        self.send(Method::DELETE, &path, Value::Null).await;
    }

    pub async fn reopen(&self, repository: &str, number: i64) {
        let open = json!({"state": "open"});
        self.send(Method::PATCH, &format!("/repos/{repository}/pulls/{number}"), open).await;
    }
}

/// The `code` that GitHub's page gives when `login` authorizes the App.
pub async fn authorize(sim: &Sim, login: &str) -> String {
    authorize_for(sim, login, "https://portal.example").await
}

/// The same for an App with callback URLs, of which this is one.
pub async fn authorize_for(sim: &Sim, login: &str, callback: &str) -> String {
    let url = format!(
        "{}/login/oauth/authorize?client_id={CLIENT_ID}&login={login}&redirect_uri={callback}",
        sim.web_url()
    );
    let (_, mut brought) = back_from(&url).await;
    brought.remove("code").unwrap()
}

/// Where the page at `url` sends the browser of somebody who agrees at once, and what it brings along.
pub async fn back_from(url: &str) -> (Url, BTreeMap<String, String>) {
    let answer = client().get(url).send().await.unwrap();
    let location: Url = answer.headers()["location"].to_str().unwrap().parse().unwrap();
    let brought = location.query_pairs().into_owned().collect();
    (location, brought)
}

fn client() -> Client {
    Client::builder().redirect(Policy::none()).build().unwrap()
}
