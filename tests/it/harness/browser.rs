//! A browser in which somebody is signed in to GitHub.

use github_sim::Sim;
use reqwest::{Client, Response, StatusCode, Url, header, redirect::Policy};
use url::form_urlencoded;

pub struct Browser {
    http: Client,
    github: Url,
    session: String,
}

impl Browser {
    pub fn of(sim: &Sim, login: &str) -> Self {
        let http = Client::builder().redirect(Policy::none()).build().unwrap();
        Self { http, github: sim.web_url().parse().unwrap(), session: sim.sign_in(login) }
    }

    /// On the page to which the portal sent the browser: chooses the organization and these repositories (by their ids), and
    /// installs. Returns where GitHub sends the browser then.
    pub async fn install(&self, page: &str, organization: &str, repositories: &[u64]) -> Url {
        self.choose(page, organization, repositories, "install").await
    }

    /// The same by somebody who is no owner, and so can only ask the owners for it.
    pub async fn request(&self, page: &str, organization: &str, repositories: &[u64]) -> Url {
        self.choose(page, organization, repositories, "request").await
    }

    async fn choose(&self, page: &str, organization: &str, ids: &[u64], button: &str) -> Url {
        let accounts = self.read(page.parse().unwrap()).await;
        let choice = value(&accounts, &format!("id=\"account-{organization}\" href=\""));
        let permissions = self.github.join(&choice.replace("&amp;", "&")).unwrap();
        let form = self.read(permissions).await;
        let mut fields = vec![
            ("target_id", value(&form, "name=\"target_id\" value=\"").to_owned()),
            ("state", value(&form, "name=\"state\" value=\"").to_owned()),
            ("repository_selection", "selected".to_owned()),
            ("do", button.to_owned()),
        ];
        fields.extend(ids.iter().map(|id| ("repository_ids", id.to_string())));
        let action = value(&form, "<form method=\"post\" action=\"");
        let fields = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let request = self.http.post(self.github.join(action).unwrap()).body(fields);
        let request = request.header(header::COOKIE, &self.session);
        let request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        destination(&request.send().await.unwrap())
    }

    async fn read(&self, page: Url) -> String {
        let request = self.http.get(page).header(header::COOKIE, &self.session);
        let answer = request.header(header::ACCEPT, "text/html").send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        answer.text().await.unwrap()
    }
}

#[track_caller]
fn destination(answer: &Response) -> Url {
    assert!(answer.status().is_redirection(), "{}", answer.status());
    answer.headers()[header::LOCATION].to_str().unwrap().parse().unwrap()
}

/// What stands in a page between `before` and the next quotation mark.
#[track_caller]
fn value<'a>(page: &'a str, before: &str) -> &'a str {
    let (_, rest) = page.split_once(before).unwrap_or_else(|| panic!("no {before} in {page}"));
    rest.split_once('"').unwrap().0
}
