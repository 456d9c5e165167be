//! A GitHub that does not tell the truth: it stands before the simulator and changes its answers.

use std::sync::{Arc, Mutex};

use github_sim::Sim;
use reqwest::{Client, Method, redirect::Policy};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use super::{Urls, World, simulator};

/// An answer of the simulator, to be changed.
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Value,
}

type Lie = Box<dyn Fn(&mut Answer) + Send>;

/// The lies by the begin of the request line that they answer, the newest first.
#[derive(Clone, Default)]
pub struct Liar {
    lies: Arc<Mutex<Vec<(String, Lie)>>>,
}

impl Liar {
    /// A world whose broker sees GitHub through the liar, which is honest at first.
    pub async fn world(seed: github_sim::seed::Seed) -> (World, Self) {
        let sim = simulator(seed).await;
        let liar = Self::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let urls = liar.before(&sim, &format!("http://{}", listener.local_addr().unwrap()));
        let (at_sim, to) = (Urls::of(&sim), liar.clone());
        tokio::spawn(async move {
            let client = Client::builder().redirect(Policy::none()).build().unwrap();
            while let Ok((stream, _)) = listener.accept().await {
                let (to, client, base) = (to.clone(), client.clone(), origin(&at_sim.api));
                tokio::spawn(async move { to.pass(stream, client, base).await });
            }
        });
        (World::start_behind(sim, urls).await, liar)
    }

    /// From now on requests that begin like this (`POST /app/installations/`) are answered so.
    pub fn lie(&self, request: &str, lie: impl Fn(&mut Answer) + Send + 'static) {
        self.lies.lock().unwrap().insert(0, (request.to_owned(), Box::new(lie)));
    }

    /// No more lies.
    pub fn be_honest(&self) {
        self.lies.lock().unwrap().clear();
    }

    fn before(&self, sim: &Sim, own: &str) -> Urls {
        let here = |url: &str| url.replacen(&origin(url), own, 1);
        let Urls { api, graphql, web } = Urls::of(sim);
        Urls { api: here(&api), graphql: here(&graphql), web: here(&web) }
    }

    /// Passes one request on and its answer back.
    async fn pass(&self, mut stream: TcpStream, client: Client, base: String) -> Option<()> {
        let (head, body) = receive(&mut stream).await?;
        let mut lines = head.lines();
        let line = lines.next()?.to_owned();
        let mut words = line.split(' ');
        let method: Method = words.next()?.parse().ok()?;
        let mut request = client.request(method, format!("{base}{}", words.next()?)).body(body);
        for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
            if !["host", "content-length", "connection"].contains(&name.to_lowercase().as_str()) {
                request = request.header(name, value);
            }
        }
        let answered = request.send().await.ok()?;
        let mut answer = Answer {
            status: answered.status().as_u16(),
            headers: answered
                .headers()
                .iter()
                .map(|(name, value)| (name.to_string(), value.to_str().unwrap_or("").to_owned()))
                .filter(|(name, _)| name != "content-length" && name != "transfer-encoding")
                .collect(),
            body: serde_json::from_slice(&answered.bytes().await.ok()?).unwrap_or_default(),
        };
        if let Some((_, lie)) =
            self.lies.lock().unwrap().iter().find(|(begin, _)| line.starts_with(begin))
        {
            lie(&mut answer);
        }
        let body = answer.body.to_string();
        let mut text =
            format!("HTTP/1.1 {} X\r\ncontent-length: {}\r\n", answer.status, body.len());
        for (name, value) in &answer.headers {
            text += &format!("{name}: {value}\r\n");
        }
        text += "connection: close\r\n\r\n";
        stream.write_all((text + &body).as_bytes()).await.ok()
    }
}

impl Answer {
    /// Sets a header in place of what is there.
    pub fn header(&mut self, name: &str, value: &str) {
        self.headers.retain(|(present, _)| present != name);
        self.headers.push((name.to_owned(), value.to_owned()));
    }
}

fn origin(url: &str) -> String {
    url.splitn(4, '/').take(3).collect::<Vec<_>>().join("/")
}

/// The head and the body of a request.
async fn receive(stream: &mut TcpStream) -> Option<(String, Vec<u8>)> {
    let mut bytes = Vec::new();
    loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
            let lower = head.to_lowercase();
            let length =
                lower.split("content-length: ").nth(1).and_then(|rest| rest.lines().next());
            let length: usize = length.map_or(0, |length| length.trim().parse().unwrap());
            let body = &bytes[end + 4..];
            if body.len() >= length {
                return Some((head, body[..length].to_vec()));
            }
        }
        let mut chunk = [0; 65536];
        match stream.read(&mut chunk).await {
            Ok(0) | Err(_) => return None,
            Ok(count) => bytes.extend_from_slice(&chunk[..count]),
        }
    }
}
