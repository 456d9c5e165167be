//! The pages that a person sees: installing, configuring, authorizing.

use github_sim::Level;
use github_sim::seed::{App, Repository, Seed};
use serde_json::json;

use crate::browser::Browser;
use crate::lab::{APP, INSTALLATION, Lab, SITE, permissions, seed};

const SETUP: &str = "https://portal.example/setup";
const CALLBACK: &str = "https://portal.example/callback";

/// The App is installed nowhere.
fn bare() -> Seed {
    let mut seed = seed();
    seed.installations.clear();
    let own =
        Repository { owner: "mona".to_owned(), name: "own".to_owned(), ..Repository::default() };
    seed.repositories.push(own);
    seed
}

/// The id of an account, as the API has it.
async fn id_of(lab: &Lab, login: &str) -> String {
    lab.get(&format!("/users/{login}"), "").await.expect(200).body["id"].to_string()
}

fn parameter<'a>(url: &'a str, name: &str) -> &'a str {
    let query = url.split_once('?').map_or("", |(_, query)| query);
    let found = query.split('&').filter_map(|p| p.split_once('=')).find(|(n, _)| *n == name);
    found.map_or("", |(_, value)| value)
}

#[tokio::test]
async fn a_browser_without_a_session_is_asked_who_it_is_and_comes_back() {
    let lab = Lab::with(bare()).await;
    let mut browser = Browser::new(&lab);
    let first = browser.get("/apps/broker/installations/new?state=a%20b").await.expect(302);
    let to = "/login?return_to=%2Fapps%2Fbroker%2Finstallations%2Fnew%3Fstate%3Da%2520b";
    assert_eq!(first.header("location"), to);
    let form = browser.get(to).await.expect(200).text;
    assert!(form.contains("id=\"login\"") && form.contains("id=\"sign-in\""), "{form}");
    let back = browser.sign_in("mona", "/apps/broker/installations/new?state=a%20b").await;
    let page = browser.get(&back).await.expect(200).text;
    assert!(page.contains("id=\"signed-in-as\">mona<"), "{page}");
    for account in ["account-mona", "account-acme"] {
        assert!(page.contains(&format!("id=\"{account}\"")), "{page}");
    }
    assert_eq!(browser.sign_in("mona", "//evil.example").await, "/login?as=mona");
    browser.post("/login", &[("login", "nobody")]).await.expect(422);
    lab.sim.finish();
}

#[tokio::test]
async fn an_owner_installs_on_select_repositories_and_is_led_to_the_setup_url() {
    let lab = Lab::with(bare()).await;
    let browser = Browser::of(&lab, "mona");
    let acme = id_of(&lab, "acme").await;
    let path =
        format!("/github-apps/broker/installations/new?suggested_target_id={acme}&state=s%2B1");
    let next = browser.get(&path).await.expect(302).header("location").to_owned();
    let page = browser.get(&next).await.expect(200).text;
    for id in ["all-repositories", "selected-repositories", "repository-site", "install", "cancel"]
    {
        assert!(page.contains(&format!("id=\"{id}\"")), "{id}: {page}");
    }
    let site = SITE.to_string();
    let none = [("target_id", &*acme), ("repository_selection", "selected"), ("do", "install")];
    let told = browser.post("/apps/broker/installations", &none).await.expect(422).text;
    assert!(told.contains("Select at least one repository."), "{told}");
    let one = [&none[..], &[("repository_ids", &site), ("state", "s+1")]].concat();
    let done = browser.post("/apps/broker/installations", &one).await.expect(302);
    let id = lab.get("/orgs/acme/installation", &lab.jwt()).await.expect(200).body["id"].clone();
    let back = format!("{SETUP}?installation_id={id}&setup_action=install&state=s%2B1");
    assert_eq!(done.header("location"), back);
    let mint = format!("/app/installations/{id}/access_tokens");
    let token = lab.post(&mint, &lab.jwt(), json!({})).await.expect(201);
    let token = token.body["token"].as_str().unwrap();
    let listed = lab.get("/installation/repositories", token).await.expect(200);
    assert_eq!(
        (&listed.body["total_count"], &listed.body["repositories"][0]["id"]),
        (&json!(1), &json!(SITE))
    );
    // Now it is there, and the page leads to it.
    let again = browser.get(&path).await.expect(302);
    assert!(
        again
            .header("location")
            .ends_with(&format!("/organizations/acme/settings/installations/{id}"))
    );
    lab.sim.finish();
}

#[tokio::test]
async fn whoever_cancels_stays_on_github() {
    let mut seed = bare();
    seed.apps[0].homepage_url = Some("https://portal.example/?a&b".to_owned());
    let lab = Lab::with(seed).await;
    let browser = Browser::of(&lab, "stranger");
    // With no organization there is nothing to choose.
    let next = browser.get("/apps/broker/installations/new").await.expect(302);
    let own = id_of(&lab, "stranger").await;
    assert_eq!(parameter(next.header("location"), "target_id"), own);
    let fields = [("target_id", &*own), ("do", "cancel")];
    let page = browser.post("/apps/broker/installations", &fields).await.expect(200).text;
    assert!(page.contains("Nothing was installed"), "{page}");
    assert!(page.contains("id=\"homepage\" href=\"https://portal.example/?a&amp;b\""), "{page}");
    lab.get("/users/stranger/installation", &lab.jwt()).await.expect(404);
    let acme = id_of(&lab, "acme").await;
    let fields = [("target_id", &*acme), ("do", "install")];
    browser.post("/apps/broker/installations", &fields).await.expect(404);
    lab.sim.finish();
}

#[tokio::test]
async fn a_member_asks_and_an_owner_approves() {
    let lab = Lab::with(bare()).await;
    let acme = id_of(&lab, "acme").await;
    let hubot = Browser::of(&lab, "hubot");
    let page = format!("/apps/broker/installations/new/permissions?target_id={acme}&state=x");
    let page = hubot.get(&page).await.expect(200).text;
    assert!(page.contains("id=\"request\"") && !page.contains("id=\"install\""), "{page}");
    let mut fields = vec![("target_id", &*acme), ("state", "x"), ("do", "install")];
    hubot.post("/apps/broker/installations", &fields).await.expect(404);
    fields[2] = ("do", "request");
    let asked = hubot.post("/apps/broker/installations", &fields).await.expect(302);
    assert_eq!(asked.header("location"), format!("{SETUP}?setup_action=request&state=x"));
    lab.get("/orgs/acme/installation", &lab.jwt()).await.expect(404);
    let listed = lab.get("/app/installation-requests", &lab.jwt()).await.expect(200);
    assert_eq!(listed.body[0]["requester"]["login"], "hubot");
    let request = lab.sim.installation_requests()[0].to_string();
    let requests = "/organizations/acme/settings/installation_requests";
    hubot.get(requests).await.expect(404);
    let mona = Browser::of(&lab, "mona");
    let page = mona.get(requests).await.expect(200).text;
    assert!(page.contains(&format!("id=\"approve-{request}\"")), "{page}");
    let approved = mona.post(requests, &[("approve", &request)]).await.expect(302);
    let id = lab.get("/orgs/acme/installation", &lab.jwt()).await.expect(200).body["id"].clone();
    let back = format!("{SETUP}?installation_id={id}&setup_action=install");
    assert_eq!(approved.header("location"), back);
    assert!(lab.sim.installation_requests().is_empty());
    lab.sim.finish();
}

#[tokio::test]
async fn an_app_that_wants_authorization_gets_a_code_with_the_installation() {
    let mut seed = bare();
    seed.apps[0].request_oauth_on_install = true;
    let lab = Lab::with(seed).await;
    let browser = Browser::of(&lab, "mona");
    let own = id_of(&lab, "mona").await;
    let fields = [("target_id", &*own), ("state", "x"), ("do", "install")];
    let done = browser.post("/apps/broker/installations", &fields).await.expect(302);
    let location = done.header("location");
    assert!(location.starts_with(&format!("{CALLBACK}?code=")), "{location}");
    assert_eq!(
        (parameter(location, "setup_action"), parameter(location, "state")),
        ("install", "x")
    );
    let body = json!({
        "client_id": "Iv1.client", "client_secret": "secret", "code": parameter(location, "code"),
    });
    let url = format!("{}/login/oauth/access_token", lab.sim.web_url());
    let request = lab.http.post(url).header("accept", "application/json").json(&body);
    let token = crate::lab::reply(request).await.expect(200).body;
    let listed = lab.get("/user/installations", token["access_token"].as_str().unwrap()).await;
    let id = listed.expect(200).body["installations"][0]["id"].to_string();
    assert_eq!(id, parameter(location, "installation_id"));
    lab.sim.finish();
}

#[tokio::test]
async fn a_request_of_such_an_app_carries_a_code_but_no_installation() {
    let mut seed = bare();
    seed.apps[0].request_oauth_on_install = true;
    let lab = Lab::with(seed).await;
    let acme = id_of(&lab, "acme").await;
    let fields = [("target_id", &*acme), ("state", "x"), ("do", "request")];
    let hubot = Browser::of(&lab, "hubot");
    let asked = hubot.post("/apps/broker/installations", &fields).await.expect(302);
    let location = asked.header("location");
    assert!(location.starts_with(&format!("{CALLBACK}?code=")), "{location}");
    assert!(location.ends_with("&setup_action=request&state=x"), "{location}");
    assert_eq!(parameter(location, "installation_id"), "");
    lab.sim.finish();
}

#[tokio::test]
async fn an_owner_changes_suspends_and_uninstalls() {
    let mut seed = seed();
    seed.apps[0].setup_on_update = true;
    let lab = Lab::with(seed).await;
    let page = format!("/organizations/acme/settings/installations/{INSTALLATION}");
    let shown =
        lab.get(&format!("/app/installations/{INSTALLATION}"), &lab.jwt()).await.expect(200);
    assert_eq!(shown.body["html_url"], format!("{}{page}", lab.sim.web_url()));
    Browser::of(&lab, "hubot").get(&page).await.expect(404);
    let mona = Browser::of(&lab, "mona");
    let text = mona.get(&page).await.expect(200).text;
    for id in ["save", "suspend", "uninstall"] {
        assert!(text.contains(&format!("id=\"{id}\"")), "{id}: {text}");
    }
    assert!(!text.contains("id=\"accept\""));
    let site = SITE.to_string();
    let fields = [("repository_selection", "selected"), ("repository_ids", &*site), ("do", "save")];
    let saved = mona.post(&page, &fields).await.expect(302);
    let back = format!("{SETUP}?installation_id={INSTALLATION}&setup_action=update");
    assert_eq!(saved.header("location"), back);
    lab.get("/repos/acme/other/installation", &lab.jwt()).await.expect(404);
    lab.sim.set_app_permissions(APP, [("contents", Level::Read)]);
    assert!(mona.get(&page).await.expect(200).text.contains("id=\"accept\""));
    mona.post(&page, &[("do", "accept")]).await.expect(302);
    let minted = lab.mint(json!({})).await.expect(201);
    assert_eq!(minted.body["permissions"], json!({"contents": "read", "metadata": "read"}));
    mona.post(&page, &[("do", "suspend")]).await.expect(302);
    lab.mint(json!({})).await.refused(403, "This installation has been suspended");
    assert!(mona.get(&page).await.expect(200).text.contains("id=\"unsuspend\""));
    mona.post(&page, &[("do", "unsuspend")]).await.expect(302);
    lab.mint(json!({})).await.expect(201);
    mona.post(&page, &[("do", "uninstall")]).await.expect(200);
    lab.mint(json!({})).await.refused(404, "Not Found");
    lab.sim.finish();
}

#[tokio::test]
async fn a_person_authorizes_once_or_declines() {
    let lab = Lab::new().await;
    let mona = Browser::of(&lab, "mona");
    let path =
        format!("/login/oauth/authorize?client_id=Iv1.client&redirect_uri={CALLBACK}&state=x");
    let page = mona.get(&path).await.expect(200).text;
    assert!(page.contains("id=\"authorize\"") && page.contains("id=\"cancel\""), "{page}");
    let mut fields = vec![
        ("client_id", "Iv1.client"),
        ("redirect_uri", CALLBACK),
        ("state", "x"),
        ("do", "cancel"),
    ];
    let declined = mona.post("/login/oauth/authorize", &fields).await.expect(302);
    let location = declined.header("location");
    let told =
        "error=access_denied&error_description=The+user+has+denied+your+application+access.&";
    assert!(location.starts_with(&format!("{CALLBACK}?{told}")), "{location}");
    assert_eq!(parameter(location, "state"), "x");
    fields[3] = ("do", "authorize");
    let agreed = mona.post("/login/oauth/authorize", &fields).await.expect(302);
    assert!(!parameter(agreed.header("location"), "code").is_empty());
    let again = mona.get(&path).await.expect(302);
    assert!(!parameter(again.header("location"), "code").is_empty(), "it is not asked again");
    mona.get(&format!("{path}&prompt=select_account")).await.expect(200);
    lab.sim.revoke_authorization(APP, "mona");
    mona.get(&path).await.expect(200);
    lab.sim.finish();
}

#[tokio::test]
async fn an_oauth_app_has_scopes_and_nothing_to_install() {
    let mut seed = seed();
    seed.apps.push(App {
        client_id: Some("Ov1.old".to_owned()),
        client_secret: "secret".to_owned(),
        slug: "old".to_owned(),
        owner: "acme".to_owned(),
        oauth_app: true,
        callback_urls: vec![CALLBACK.to_owned()],
        permissions: permissions(&[]),
        ..App::default()
    });
    let lab = Lab::with(seed).await;
    let mona = Browser::of(&lab, "mona");
    mona.get("/apps/old/installations/new").await.expect(404);
    let path = "/login/oauth/authorize?client_id=Ov1.old&scope=repo%20user:email";
    let page = mona.get(path).await.expect(200).text;
    assert!(page.contains("<li>user:email</li>"), "{page}");
    // A page below the callback URL is the App's as well.
    let below = format!("{CALLBACK}/github");
    let fields = [
        ("client_id", "Ov1.old"),
        ("scope", "repo user:email"),
        ("redirect_uri", &*below),
        ("do", "authorize"),
    ];
    let agreed = mona.post("/login/oauth/authorize", &fields).await.expect(302);
    let location = agreed.header("location");
    assert!(location.starts_with(&format!("{below}?code=")), "{location}");
    let body = json!({
        "client_id": "Ov1.old", "client_secret": "secret", "code": parameter(location, "code"),
        "redirect_uri": below,
    });
    let url = format!("{}/login/oauth/access_token", lab.sim.web_url());
    let request = lab.http.post(url).header("accept", "application/json").json(&body);
    let given = crate::lab::reply(request).await.expect(200).body;
    assert_eq!((&given["scope"], given.get("refresh_token")), (&json!("repo,user:email"), None));
    let token = given["access_token"].as_str().unwrap();
    assert!(token.starts_with("gho_"));
    let user = lab.get("/user", token).await.expect(200);
    assert_eq!(
        (user.header("x-oauth-scopes"), &user.body["login"]),
        ("repo, user:email", &json!("mona"))
    );
    lab.get("/repos/acme/site", token).await.expect(200);
    lab.get("/user/installations", token).await.expect(403);
    lab.sim.finish();
}
