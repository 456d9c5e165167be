//! A browser: cookies, pages and forms, without the redirects that leave GitHub.

use crate::lab::{Lab, Reply, reply};

pub struct Browser<'a> {
    lab: &'a Lab,
    cookie: Option<String>,
}

impl<'a> Browser<'a> {
    /// One in which nobody is signed in.
    pub fn new(lab: &'a Lab) -> Self {
        Self { lab, cookie: None }
    }

    /// One in which somebody has signed in.
    pub fn of(lab: &'a Lab, login: &str) -> Self {
        Self { lab, cookie: Some(lab.sim.sign_in(login)) }
    }

    /// Signs in and gives back where that leads.
    pub async fn sign_in(&mut self, login: &str, to: &str) -> String {
        let form = [("login", login), ("return_to", to)];
        let signed_in = self.post("/login", &form).await.expect(302);
        let cookie = signed_in.header("set-cookie").split(';').next().unwrap().to_owned();
        assert!(cookie.starts_with("user_session="), "{cookie}");
        self.cookie = Some(cookie);
        signed_in.header("location").to_owned()
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Reply {
        let request = request.header("accept", "text/html,application/xhtml+xml,*/*;q=0.8");
        reply(match &self.cookie {
            Some(cookie) => request.header("cookie", cookie),
            None => request,
        })
        .await
    }

    fn url(&self, path: &str) -> String {
        if path.starts_with("http") {
            return path.to_owned();
        }
        format!("{}{path}", self.lab.sim.web_url())
    }

    pub async fn get(&self, path: &str) -> Reply {
        self.send(self.lab.http.get(self.url(path))).await
    }

    /// Sends a form.
    pub async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Reply {
        let encode = |text: &str| -> String {
            let keep = |b: &u8| b.is_ascii_alphanumeric() || b"-_.".contains(b);
            let one =
                |b: &u8| if keep(b) { char::from(*b).to_string() } else { format!("%{b:02X}") };
            text.as_bytes().iter().map(one).collect()
        };
        let body: Vec<String> =
            fields.iter().map(|(n, v)| format!("{}={}", encode(n), encode(v))).collect();
        let request = self.lab.http.post(self.url(path));
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        self.send(request.body(body.join("&"))).await
    }
}
