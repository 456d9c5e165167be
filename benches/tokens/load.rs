//! The process that calls: this program again, so that the broker shares neither threads nor memory with it. It reads what to
//! do from its standard input, a line each, and answers in lines.

use std::{
    env,
    io::{BufRead, BufReader, Write, stdin, stdout},
    iter,
    ops::Range,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::{BufMut, Bytes, BytesMut};
use ghbroker::proto::GetRepoTokenRequest;
use h2::client::SendRequest;
use prost::Message;
use rand::{Rng, SeedableRng, rngs::StdRng};
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
    many::Keys,
};

/// The argument that makes this program the process that calls.
pub const ROLE: &str = "load";
/// Size of HTTP/2's windows: no answer waits for one.
const WINDOW: u32 = 1 << 24;

/// Random requests that are ready before a run: more than most runs make, and none waits for its making.
const DRAWN: usize = 32_000;

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
    /// The same for a token of a random key each; a seed has its own ones.
    Random { keys: Keys, seed: u64, streams: usize, time: Duration },
    /// So many calls at once, once, on several connections.
    Herd { callers: usize, connections: usize },
    /// A call for each of `these` keys, so many at once on each of several connections.
    Each { keys: Keys, these: Range<usize>, streams: usize, connections: usize },
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
        let took = runtime.block_on(obey(&key, serde_json::from_str(&line?)?))?;
        println!("{}", serde_json::to_string(&took)?);
        stdout().flush()?;
    }
    Ok(())
}

async fn obey(key: &Key, order: Order) -> Result<Took> {
    let (rpc, bodies, connections, time) = match order {
        Order::Steady { rpc, streams, time } => {
            (rpc, vec![vec![rpc.body()?]; streams], 1, Some(time))
        }
        Order::Random { keys, seed, streams, time } => {
            let mut random = StdRng::seed_from_u64(seed);
            let drawn = (0..DRAWN).map(|_| random.random_range(0..keys.count()));
            (Rpc::Token, dealt(keys, drawn, streams)?, 1, Some(time))
        }
        Order::Herd { callers, connections } => {
            (Rpc::Token, vec![vec![Rpc::Token.body()?]; callers], connections, None)
        }
        Order::Each { keys, these, streams, connections } => {
            (Rpc::Token, dealt(keys, these, streams * connections)?, connections, None)
        }
    };
    let mut open = Vec::new();
    for _ in 0..connections {
        open.push(connect(key).await?);
    }
    let calls = bodies.into_iter().zip(open.iter().cycle());
    let calls = calls.map(|(bodies, open)| Call::new(key, rpc, open.clone(), bodies));
    make(calls.collect::<Result<_>>()?, time).await
}

/// Requests for keys, dealt out to so many callers.
fn dealt(
    keys: Keys,
    numbers: impl Iterator<Item = usize>,
    callers: usize,
) -> Result<Vec<Vec<Bytes>>> {
    let mut dealt = vec![Vec::new(); callers];
    for (turn, number) in numbers.enumerate() {
        dealt[turn % callers].push(framed(&keys.request(number))?);
    }
    Ok(dealt)
}

/// All calls at once, each of whose requests follows the one before: once, or again and again for a time.
async fn make(calls: Vec<Call>, time: Option<Duration>) -> Result<Took> {
    let turns = if time.is_some() { usize::MAX } else { 1 };
    let start = Instant::now();
    let mut callers = JoinSet::new();
    for call in calls {
        callers.spawn(async move {
            let mut latencies = Vec::new();
            for body in iter::repeat_n(&call.bodies, turns).flatten() {
                if time.is_some_and(|time| start.elapsed() >= time) {
                    break;
                }
                let begin = Instant::now();
                call.make(body).await?;
                latencies.push(begin.elapsed());
            }
            Result::Ok(latencies)
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

impl Rpc {
    /// The request of a call that is made again and again.
    fn body(self) -> Result<Bytes> {
        match self {
            Self::Check => framed(&()),
            Self::Token => {
                framed(&GetRepoTokenRequest { account: ACCOUNT.into(), ..Default::default() })
            }
        }
    }
}

/// A message as gRPC has it: not compressed, and its length first.
fn framed(message: &impl Message) -> Result<Bytes> {
    let mut body = BytesMut::new();
    body.put_u8(0);
    body.put_u32(message.encoded_len().try_into()?);
    message.encode(&mut body)?;
    Ok(body.freeze())
}

/// A call, ready to be made with one request after the other.
struct Call {
    connection: SendRequest<Bytes>,
    head: Request<()>,
    bodies: Vec<Bytes>,
    /// Bytes that an answer has at least.
    least: usize,
}

impl Call {
    fn new(
        key: &Key,
        rpc: Rpc,
        connection: SendRequest<Bytes>,
        bodies: Vec<Bytes>,
    ) -> Result<Self> {
        let scheme = if key.tls.is_some() { "https" } else { "http" };
        let (path, least) = match rpc {
            Rpc::Check => ("grpc.health.v1.Health/Check", 1),
            Rpc::Token => ("ghbroker.v1.CredentialBroker/GetRepoToken", 100),
        };
        let mut head = Request::post(format!("{scheme}://localhost/{path}"))
            .header(header::CONTENT_TYPE, "application/grpc")
            .header(header::TE, "trailers");
        if let Some(value) = &key.authorization {
            head = head.header(header::AUTHORIZATION, value);
        }
        Ok(Self { connection, head: head.body(())?, bodies, least })
    }

    /// Makes it once, and fails if it is refused.
    async fn make(&self, body: &Bytes) -> Result<()> {
        let mut connection = self.connection.clone().ready().await?;
        let (answer, mut request) = connection.send_request(self.head.clone(), false)?;
        request.send_data(body.clone(), true)?;
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
