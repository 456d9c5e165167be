//! git's smart HTTP: `git http-backend` does the work, and this asks who may.

use std::process::Stdio;
use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use http_body_util::BodyExt;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, Command};
use tokio_util::io::ReaderStream;

use super::push::Pipes;
use super::{GitPage, Service};
use crate::git::bare_command;
use crate::http::{Answer, Arrived, Refusal, basic, org_gate, pairs, token};
use crate::hub::Hub;
use crate::level::Level;
use crate::world::{Caller, Credential, Meta, TokenKind};

/// Answers a request of git.
pub(crate) async fn git_http(
    hub: Arc<Hub>,
    page: GitPage,
    arrived: Arrived,
    body: Body,
) -> Response<Body> {
    let (repo, caller) = match admit(&hub, &page, &arrived) {
        Ok(admitted) => admitted,
        Err(refusal) => {
            let status = refusal.status;
            let mut answer = Answer::text(status, format!("{}\n", refusal.message));
            answer.headers = refusal.headers;
            if status == 401 {
                answer = answer.with("www-authenticate", "Basic realm=\"GitHub\"");
            }
            return answer.into_response();
        }
    };
    match run(hub, page, arrived, body, repo, caller).await {
        Ok(response) => response,
        Err(error) => {
            Answer::text(500, format!("github-sim cannot run git http-backend: {error}\n"))
                .into_response()
        }
    }
}

fn writes(page: &GitPage, arrived: &Arrived) -> bool {
    let asked = || {
        pairs(&arrived.query).into_iter().any(|(n, v)| n == "service" && v == "git-receive-pack")
    };
    page.service == Service::ReceivePack || (page.service == Service::InfoRefs && asked())
}

/// Who holds the token that git sends: as the password, or as the user name alone.
fn caller(hub: &Hub, headers: &HeaderMap) -> Result<Caller, Refusal> {
    let secret = match basic(headers) {
        Some((user, password)) if password.is_empty() || password == "x-oauth-basic" => user,
        Some((_, password)) => password,
        None => {
            let value = headers.get("authorization").and_then(|v| v.to_str().ok());
            match value.and_then(|v| v.split_once(' ')) {
                Some((_, secret)) => secret.to_owned(),
                None => return Ok(Caller::Anonymous),
            }
        }
    };
    let now = hub.github_time();
    token(&mut hub.world(), &secret, now).map_err(|refusal| match refusal.status {
        401 => Refusal::new(
            401,
            "Invalid username or token. Password authentication is not supported for Git operations.",
        ),
        _ => refusal,
    })
}

/// The repository, if the caller may do with it what git asks for.
fn admit(hub: &Hub, page: &GitPage, arrived: &Arrived) -> Result<(Meta, Caller), Refusal> {
    let caller = caller(hub, &arrived.headers);
    let writes = writes(page, arrived);
    let world = hub.world();
    let credential =
        caller.as_ref().map_or(Credential::Rejected, |caller| caller.credential(&world));
    hub.log.credential(arrived.place, credential, 0);
    let caller = caller?;
    let anonymous = matches!(caller, Caller::Anonymous);
    let unknown = || match anonymous {
        true => Refusal::new(401, "Repository not found."),
        false => Refusal::new(404, "Repository not found."),
    };
    let Some(repo) = world.repository(&page.owner, &page.name).map(|r| r.meta.clone()) else {
        let moved = world.moved_repository(&page.owner, &page.name);
        let moved = moved.filter(|r| world.sees(&caller, &r.meta)).ok_or_else(unknown)?;
        let query =
            if arrived.query.is_empty() { String::new() } else { format!("?{}", arrived.query) };
        let url = format!(
            "{}/{}.git/{}{query}",
            hub.urls.web,
            moved.meta.full_name(),
            page.service.path()
        );
        return Err(Refusal::new(301, "Moved Permanently").with("location", url));
    };
    if !world.sees(&caller, &repo) {
        return Err(unknown());
    }
    if anonymous && writes {
        return Err(Refusal::new(401, "No anonymous write access."));
    }
    org_gate(&world, &caller, repo.owner_id, &hub.urls.web)?;
    let level = world.level(&caller, &repo, "contents");
    if level < Level::Read || (writes && level < Level::Write) {
        let text = match (caller.token(), world.actor(&caller)) {
            (Some(TokenKind::Installation { .. }), _) | (_, None) => {
                "Write access to repository not granted.".to_owned()
            }
            (_, Some(actor)) => {
                format!("Permission to {}.git denied to {}.", repo.full_name(), actor.login)
            }
        };
        return Err(Refusal::new(403, text));
    }
    if repo.disabled {
        return Err(Refusal::new(403, "Access to this repository has been disabled."));
    }
    if repo.archived && writes {
        return Err(Refusal::new(403, "This repository was archived so it is read-only."));
    }
    drop(world);
    Ok((repo, caller))
}

async fn run(
    hub: Arc<Hub>,
    page: GitPage,
    arrived: Arrived,
    body: Body,
    repo: Meta,
    caller: Caller,
) -> std::io::Result<Response<Body>> {
    let mut command = Command::from(bare_command());
    command.arg("http-backend").stdin(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
    let header = |name: &str| arrived.headers.get(name).and_then(|v| v.to_str().ok());
    command
        .env("GIT_PROJECT_ROOT", &repo.dir)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("PATH_INFO", format!("/{}", page.service.path()))
        .env("REQUEST_METHOD", arrived.method.as_str())
        .env("QUERY_STRING", &arrived.query);
    if writes(&page, &arrived) {
        command.env("REMOTE_USER", "github-sim");
    }
    for (variable, name) in [
        ("CONTENT_TYPE", "content-type"),
        ("CONTENT_LENGTH", "content-length"),
        ("HTTP_CONTENT_ENCODING", "content-encoding"),
        ("GIT_PROTOCOL", "git-protocol"),
    ] {
        if let Some(value) = header(name) {
            command.env(variable, value);
        }
    }
    let pipes = match page.service {
        Service::ReceivePack => Some(tokio::task::spawn_blocking(Pipes::open).await??),
        Service::InfoRefs | Service::UploadPack => None,
    };
    let mut ender = None;
    if let Some(pipes) = &pipes {
        command.env("GITHUB_SIM_PUSH", pipes.path());
        ender = Some(pipes.ender()?);
    }
    let child = command.spawn()?;
    if let Some(pipes) = pipes {
        let (hub, repo) = (hub.clone(), repo.clone());
        tokio::task::spawn_blocking(move || pipes.answer(&hub, &repo, &caller));
    }
    let after = move || {
        if let Some(end) = ender {
            end();
            hub.pushed(repo.id);
        }
    };
    converse(child, body, after).await
}

/// Sends the body to the backend while its answer is read; `after` runs when the backend has ended.
async fn converse(
    mut child: Child,
    mut body: Body,
    after: impl FnOnce() + Send + 'static,
) -> std::io::Result<Response<Body>> {
    let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
    let mut stdout = BufReader::new(stdout.ok_or(std::io::ErrorKind::BrokenPipe)?);
    tokio::spawn(async move {
        let Some(mut stdin) = stdin else { return };
        while let Some(Ok(frame)) = body.frame().await {
            let Ok(data) = frame.into_data() else { continue };
            // A backend that refuses early closes its side; its answer says why.
            if stdin.write_all(&data).await.is_err() {
                return;
            }
        }
    });
    let mut response = Response::new(Body::empty());
    let mut line = String::new();
    loop {
        line.clear();
        if stdout.read_line(&mut line).await? == 0 {
            *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
            break;
        }
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        if name.eq_ignore_ascii_case("status") {
            let status = value.split(' ').next().and_then(|code| code.parse().ok());
            *response.status_mut() = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        } else if let (Ok(name), Ok(value)) =
            (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(value))
        {
            response.headers_mut().append(name, value);
        }
    }
    *response.body_mut() = Body::from_stream(ReaderStream::new(stdout));
    tokio::spawn(async move {
        // Waiting leaves no zombie; the exit code has been told in the answer.
        let _ = child.wait().await;
        after();
    });
    Ok(response)
}
