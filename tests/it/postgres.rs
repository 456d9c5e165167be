//! A real PostgreSQL server for the tests: one per test process, on a Unix socket only, gone with the process.

use std::{
    env, fs,
    io::{BufRead, BufReader},
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::{Path, PathBuf},
    process::{ChildStdin, Command, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
};

use sqlx::{AssertSqlSafe, Connection, PgConnection};

const SUPERVISOR: &str = include_str!("postgres.sh");

/// A server that runs as long as its supervisor's standard input is open.
struct Server {
    directory: PathBuf,
    _alive: ChildStdin,
}

/// Makes a database of its own for a test and returns its URL.
pub async fn fresh_database() -> String {
    static SERVER: OnceLock<Result<Server, String>> = OnceLock::new();
    static MADE: AtomicUsize = AtomicUsize::new(0);
    let server = SERVER.get_or_init(Server::start);
    let server = server.as_ref().unwrap_or_else(|reason| panic!("{reason}"));
    let name = format!("test_{}", MADE.fetch_add(1, Ordering::Relaxed));
    let mut connection = PgConnection::connect(&server.url("postgres")).await.unwrap();
    let create = AssertSqlSafe(format!("CREATE DATABASE {name}"));
    sqlx::query(create).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    server.url(&name)
}

impl Server {
    fn start() -> Result<Self, String> {
        let binaries = find_binaries().ok_or(
            "PostgreSQL's server programs are not on this machine: install the package `postgresql` \
             (`apt-get install postgresql`), or put the directory with initdb and pg_ctl into PATH",
        )?;
        // Not removed here but by the supervisor, which outlives this process.
        let directory = tempfile::Builder::new()
            .prefix("ghbroker-pg-")
            .permissions(fs::Permissions::from_mode(0o700))
            .tempdir()
            .map_err(|error| format!("no temporary directory can be made: {error}"))?
            .keep();
        let mut supervisor = Command::new("sh")
            .args(["-c", SUPERVISOR, "postgres.sh"])
            .args([&directory, &binaries])
            // A group of its own: what kills the tests' group leaves it alive to clean up.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("sh does not start: {error}"))?;
        let alive = supervisor.stdin.take().unwrap();
        let mut answer = String::new();
        BufReader::new(supervisor.stdout.take().unwrap()).read_line(&mut answer).unwrap();
        match answer.trim() {
            "ready" => Ok(Self { directory, _alive: alive }),
            reason => Err(format!("PostgreSQL did not start: {reason}")),
        }
    }

    fn url(&self, database: &str) -> String {
        format!("postgres:///{database}?host={}&user=postgres", self.directory.display())
    }
}

/// The directory with the server's programs. Debian keeps them out of PATH.
fn find_binaries() -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let mut candidates: Vec<PathBuf> = env::split_paths(&path).collect();
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    candidates.extend(versions.map(|version| version.path().join("bin")));
    let configured = Command::new("pg_config").arg("--bindir").output().map(|output| output.stdout);
    candidates.push(String::from_utf8_lossy(&configured.unwrap_or_default()).trim().into());
    let complete = |directory: &Path| {
        ["initdb", "pg_ctl", "postgres"].iter().all(|program| directory.join(program).is_file())
    };
    candidates.into_iter().find(|directory| complete(directory))
}
