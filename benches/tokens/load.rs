//! The process that calls: this program again, so that the broker shares neither threads nor memory with it. It reads what to
//! do from its standard input, a line each, and answers in lines.

use std::{
    env,
    io::{BufRead, BufReader, Write, stdin, stdout},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::{BufMut, Bytes, BytesMut};
use ghbroker::proto::GetRepoTokenRequest;
use h2::client::SendRequest;
use prost::Message;
use rustls_pki_types::ServerName;
use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    task::JoinSet,
};
use tokio_rustls::TlsConnector;
use tonic::codegen::http::{HeaderMap, Request, header};

use crate::{
    common::{Result, place::ACCOUNT},
    door::Key,
};

/// The argument that makes this program the process that calls.
pub const ROLE: &str = "load";
/// Size of HTTP/2's windows: no answer waits for one.
const WINDOW: u32 = 1 << 24;

/// What is called.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Rpc {
    Check,
    Token,
}

/// A line to the process.
#[derive(Serialize, Deserialize)]
pub enum Order {
    /// So many calls at once on one connection, each followed by the next, for a time.
    Steady { rpc: Rpc, streams: usize, time: Duration },
    /// So many calls at once, once, on several connections.
    Herd { callers: usize, connections: usize },
}

/// A line from it.
#[derive(Serialize, Deserialize)]
pub struct Took {
    pub calls: usize,
    pub time: Duration,
    pub median: Duration,
    /// Of a hundred calls 99 took no longer.
    pub p99: Duration,
}

/// The process, from outside. It ends when its standard input does.
pub struct Load {
    child: Child,
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Load {
    pub fn start(key: &Key) -> Result<Self> {
        let mut child = Command::new(env::current_exe()?)
            .arg(ROLE)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let orders = child.stdin.take();
        let answers = BufReader::new(child.stdout.take().ok_or("no stdout")?);
        let mut load = Self { child, orders, answers };
        load.say(key)?;
        Ok(load)
    }

    pub fn run(&mut self, order: &Order) -> Result<Took> {
        self.say(order)?;
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        Ok(serde_json::from_str(&line)?)
    }

    fn say(&mut self, what: &impl Serialize) -> Result<()> {
        let orders = self.orders.as_mut().ok_or("no stdin")?;
        Ok(writeln!(orders, "{}", serde_json::to_string(what)?)?)
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        drop(self.orders.take());
        drop(self.child.wait());
    }
}

/// The process, from inside.
pub fn run() -> Result<()> {
    let mut lines = stdin().lock().lines();
    let key: Key = serde_json::from_str(&lines.next().ok_or("no key")??)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    for line in lines {
        let took = match serde_json::from_str(&line?)? {
            Order::Steady { rpc, streams, time } => {
                runtime.block_on(steady(&key, rpc, streams, time))?
            }
            Order::Herd { callers, connections } => {
                runtime.block_on(herd(&key, callers, connections))?
            }
        };
        println!("{}", serde_json::to_string(&took)?);
        stdout().flush()?;
    }
    Ok(())
}

async fn steady(key: &Key, rpc: Rpc, streams: usize, time: Duration) -> Result<Took> {
    let connection = connect(key).await?;
    let start = Instant::now();
    let mut callers = JoinSet::new();
    for _ in 0..streams {
        let call = Call::new(key, rpc, connection.clone())?;
        callers.spawn(async move {
            let mut latencies = Vec::new();
            while start.elapsed() < time {
                let begin = Instant::now();
                call.make().await?;
                latencies.push(begin.elapsed());
            }
            Result::Ok(latencies)
        });
    }
    took(start, callers).await
}

async fn herd(key: &Key, callers: usize, connections: usize) -> Result<Took> {
    let mut calls = Vec::with_capacity(callers);
    for number in 0..connections {
        let connection = connect(key).await?;
        for _ in (number..callers).step_by(connections) {
            calls.push(Call::new(key, Rpc::Token, connection.clone())?);
        }
    }
    let start = Instant::now();
    let mut callers = JoinSet::new();
    for call in calls {
        callers.spawn(async move {
            let begin = Instant::now();
            call.make().await?;
            Ok(vec![begin.elapsed()])
        });
    }
    took(start, callers).await
}

async fn took(start: Instant, mut callers: JoinSet<Result<Vec<Duration>>>) -> Result<Took> {
    let mut all = Vec::new();
    while let Some(latencies) = callers.join_next().await {
        all.extend(latencies??);
    }
    let time = start.elapsed();
    all.sort_unstable();
    let at = |percent: usize| all[(all.len() * percent / 100).min(all.len() - 1)];
    Ok(Took { calls: all.len(), time, median: at(50), p99: at(99) })
}

/// One call, ready to be made again and again.
struct Call {
    connection: SendRequest<Bytes>,
    head: Request<()>,
    body: Bytes,
    /// Bytes that an answer has at least.
    least: usize,
}

impl Call {
    fn new(key: &Key, rpc: Rpc, connection: SendRequest<Bytes>) -> Result<Self> {
        let scheme = if key.tls.is_some() { "https" } else { "http" };
        let (path, message, least) = match rpc {
            Rpc::Check => ("grpc.health.v1.Health/Check", Vec::new(), 1),
            Rpc::Token => {
                let request = GetRepoTokenRequest { account: ACCOUNT.into(), ..Default::default() };
                ("ghbroker.v1.CredentialBroker/GetRepoToken", request.encode_to_vec(), 100)
            }
        };
        let mut head = Request::post(format!("{scheme}://localhost/{path}"))
            .header(header::CONTENT_TYPE, "application/grpc")
            .header(header::TE, "trailers");
        if let Some(value) = &key.authorization {
            head = head.header(header::AUTHORIZATION, value);
        }
        let mut body = BytesMut::new();
        body.put_u8(0);
        body.put_u32(message.len().try_into()?);
        body.put_slice(&message);
        Ok(Self { connection, head: head.body(())?, body: body.freeze(), least })
    }

    /// Makes it, and fails if it is refused.
    async fn make(&self) -> Result<()> {
        let mut connection = self.connection.clone().ready().await?;
        let (answer, mut body) = connection.send_request(self.head.clone(), false)?;
        body.send_data(self.body.clone(), true)?;
        let (head, mut body) = answer.await?.into_parts();
        let mut length = 0;
        while let Some(data) = body.data().await {
            let data = data?;
            length += data.len();
            body.flow_control().release_capacity(data.len())?;
        }
        let trailers = body.trailers().await?;
        let good = |headers: &HeaderMap| headers.get("grpc-status").is_some_and(|code| code == "0");
        if !trailers.as_ref().is_some_and(good) || length < self.least {
            return Err(format!("{length} bytes, {:?}, {trailers:?}", head.headers).into());
        }
        Ok(())
    }
}

async fn connect(key: &Key) -> Result<SendRequest<Bytes>> {
    let stream = TcpStream::connect(&key.address).await?;
    stream.set_nodelay(true)?;
    match key.client_config()? {
        None => shake_hands(stream).await,
        Some(config) => {
            let name = ServerName::try_from("localhost")?;
            shake_hands(TlsConnector::from(Arc::new(config)).connect(name, stream).await?).await
        }
    }
}

async fn shake_hands<T>(stream: T) -> Result<SendRequest<Bytes>>
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (client, connection) = h2::client::Builder::new()
        .initial_window_size(WINDOW)
        .initial_connection_window_size(WINDOW)
        .handshake(stream)
        .await?;
    tokio::spawn(connection);
    Ok(client)
}
