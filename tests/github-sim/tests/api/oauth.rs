//! The OAuth pages and user tokens.

use std::time::Duration;

use serde_json::{Value, json};

use crate::lab::{APP, INSTALLATION, Lab, reply};

const CALLBACK: &str = "https://portal.example/callback";
// The pair of RFC 7636, appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// Authorizes and gives back the code.
async fn code(lab: &Lab, query: &str) -> String {
    let url = format!(
        "{}/login/oauth/authorize?client_id=Iv1.client&redirect_uri={CALLBACK}&state=s%20t{query}",
        lab.sim.web_url()
    );
    let reply = lab.get(&url, "").await.expect(302);
    let location = reply.header("location").to_owned();
    let rest = location.strip_prefix(&format!("{CALLBACK}?code=")).unwrap().to_owned();
    rest.strip_suffix("&state=s%20t").unwrap().to_owned()
}

async fn exchange(lab: &Lab, fields: &[(&str, &str)]) -> Value {
    let mut form = vec![("client_id", "Iv1.client"), ("client_secret", "secret")];
    form.extend(fields);
    let body: Vec<String> = form.iter().map(|(n, v)| format!("{n}={v}")).collect();
    let request = lab
        .http
        .post(format!("{}/login/oauth/access_token", lab.sim.web_url()))
        .header("accept", "application/json")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(body.join("&"));
    reply(request).await.expect(200).body
}

#[tokio::test]
async fn a_code_becomes_tokens_once_and_only_with_its_verifier() {
    let lab = Lab::new().await;
    let challenge = format!("&code_challenge={CHALLENGE}&code_challenge_method=S256");
    let one = code(&lab, &challenge).await;
    let wrong = exchange(&lab, &[("code", &one), ("code_verifier", "nonsense")]).await;
    assert_eq!(wrong["error"], "bad_verification_code");
    let two = code(&lab, &challenge).await;
    let right = exchange(&lab, &[("code", &two), ("code_verifier", VERIFIER)]).await;
    assert_eq!(right["expires_in"], 28_800);
    assert!(right["refresh_token"].as_str().unwrap().starts_with("ghr_"));
    let access = right["access_token"].as_str().unwrap();
    let user = lab.get("/user", access).await.expect(200);
    assert_eq!(user.body["login"], "mona");
    let again = exchange(&lab, &[("code", &two), ("code_verifier", VERIFIER)]).await;
    assert_eq!(again["error"], "bad_verification_code");
    let three = code(&lab, "").await;
    lab.sim.advance(Duration::from_secs(600));
    assert_eq!(exchange(&lab, &[("code", &three)]).await["error"], "bad_verification_code");
    let url = format!("{}/login/oauth/access_token", lab.sim.web_url());
    let body = json!({"client_id": "Iv1.client", "client_secret": "wrong", "code": "x"});
    let request = lab.http.post(url).header("accept", "application/json").json(&body);
    let wrong = reply(request).await.expect(200);
    assert_eq!(wrong.body["error"], "incorrect_client_credentials");
    lab.sim.finish();
}

#[tokio::test]
async fn a_foreign_redirect_is_a_mismatch() {
    let lab = Lab::new().await;
    let url = format!(
        "{}/login/oauth/authorize?client_id=Iv1.client&redirect_uri=https://evil.example/",
        lab.sim.web_url()
    );
    let reply = lab.get(&url, "").await.expect(302);
    let told =
        format!("{CALLBACK}?error=redirect_uri_mismatch&error_description=The+redirect_uri+MUST+");
    assert!(reply.header("location").starts_with(&told), "{}", reply.header("location"));
    // Not even a page below a callback URL is the App's, nor one with further parameters.
    for near in [format!("{CALLBACK}/below"), format!("{CALLBACK}%3Fx=1")] {
        let url = format!(
            "{}/login/oauth/authorize?client_id=Iv1.client&redirect_uri={near}",
            lab.sim.web_url()
        );
        let reply = lab.get(&url, "").await.expect(302);
        assert!(reply.header("location").starts_with(&told));
    }
    lab.sim.finish();
}

#[tokio::test]
async fn refreshing_makes_the_old_pair_worthless() {
    let lab = Lab::new().await;
    let one = code(&lab, "").await;
    let first = exchange(&lab, &[("code", &one)]).await;
    let (access, refresh) =
        (first["access_token"].as_str().unwrap(), first["refresh_token"].as_str().unwrap());
    let fields = [("grant_type", "refresh_token"), ("refresh_token", refresh)];
    let second = exchange(&lab, &fields).await;
    lab.get("/user", access).await.expect(401);
    lab.get("/user", second["access_token"].as_str().unwrap()).await.expect(200);
    assert_eq!(exchange(&lab, &fields).await["error"], "bad_refresh_token");
    lab.sim.advance(Duration::from_secs(28_800));
    lab.get("/user", second["access_token"].as_str().unwrap()).await.expect(401);
    lab.sim.finish();
}

#[tokio::test]
async fn a_user_token_lists_the_installations_its_user_has_to_do_with() {
    let lab = Lab::new().await;
    let mona = lab.sim.user_token(APP, "mona");
    let listed = lab.get("/user/installations", &mona).await.expect(200);
    assert_eq!(listed.body["total_count"], 1);
    assert_eq!(listed.body["installations"][0]["id"], INSTALLATION);
    let path = format!("/user/installations/{INSTALLATION}/repositories");
    assert_eq!(lab.get(&path, &mona).await.expect(200).body["total_count"], 3);
    let stranger = lab.sim.user_token(APP, "stranger");
    let listed = lab.get("/user/installations", &stranger).await.expect(200);
    assert_eq!(listed.body["total_count"], 0);
    lab.get(&path, &stranger).await.expect(404);
    lab.get("/user/installations", "ghp_mona").await.expect(403);
    lab.get("/repos/acme/site", &mona).await.expect(200);
    lab.get("/repos/acme/site", &stranger).await.expect(404);
    lab.sim.finish();
}

#[tokio::test]
async fn an_app_checks_resets_and_deletes_user_tokens() {
    let lab = Lab::new().await;
    let token = lab.sim.user_token(APP, "mona");
    let manage = async |method: &str, path: &str, token: &str| {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let url = format!("{}/applications/Iv1.client/{path}", lab.sim.api_url());
        let request = lab.http.request(method, url).basic_auth("Iv1.client", Some("secret"));
        reply(request.json(&json!({"access_token": token}))).await
    };
    let shown = manage("POST", "token", &token).await.expect(200);
    assert_eq!(shown.body["user"]["login"], "mona");
    let fresh = manage("PATCH", "token", &token).await.expect(200);
    let fresh = fresh.body["token"].as_str().unwrap();
    lab.get("/user", &token).await.expect(401);
    lab.get("/user", fresh).await.expect(200);
    manage("DELETE", "token", fresh).await.expect(204);
    manage("POST", "token", fresh).await.refused(404, "Not Found");
    let token = lab.sim.user_token(APP, "mona");
    manage("DELETE", "grant", &token).await.expect(204);
    lab.get("/user", &token).await.expect(401);
    lab.sim.finish();
}

#[tokio::test]
async fn installing_leads_back_to_the_setup_url() {
    let lab = Lab::new().await;
    let url = format!("{}/apps/broker/installations/new?state=abc", lab.sim.web_url());
    let reply = lab.get(&url, "").await.expect(302);
    assert_eq!(
        reply.header("location"),
        "https://portal.example/setup?installation_id=200&setup_action=install&state=abc"
    );
    lab.sim.finish();
}
