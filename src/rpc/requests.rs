//! Requests of CredentialBroker become what the broker takes.

use std::{collections::HashMap, time::Duration};

use tokio::time::Instant;

use super::fields::{self, Fields};
use crate::{
    broker::{CommitRequest, Error, RegisterRequest, SetupAction, VendRequest, VerifyRequest},
    domain::{
        AccountId, ChangeSet, Edit, FileMode, InstallationId, Level, MAX_FILES, PatKind,
        Permission, Permissions, RepoPath, SiteName, Token, is_login,
    },
    proto::{self, file_change::Change},
};

/// Life that a handed out token has left at least, when the caller does not say.
const DEFAULT_MIN_TTL: Duration = Duration::from_secs(5 * 60);
/// Most life that a caller can ask for: a token lives 60 minutes and is renewed in its last 15 to 20.
const MAX_MIN_TTL: Duration = Duration::from_secs(30 * 60);
/// Generous: GitHub's limit for descriptions of pull requests.
const MAX_MESSAGE: usize = 65_536;
/// Longest secret that a request may carry: GitHub's tokens are opaque, and several times shorter.
const MAX_SECRET: usize = 4096;
/// Longest request id.
const MAX_REQUEST_ID: usize = 128;
/// Longest name of a permission, with room.
const MAX_PERMISSION_NAME: usize = 64;

pub(super) fn register_request(
    request: proto::RegisterInstallationRequest,
) -> Result<(AccountId, Option<SiteName>, RegisterRequest), Error> {
    let action = request.setup_action();
    fields::parse(|fields| {
        let account = fields.required("account", &request.account);
        if proto::SetupAction::try_from(request.setup_action).is_err() {
            fields.wrong("setup_action", "is not one that this broker knows");
        }
        let id = request.installation_id;
        let action = match action {
            proto::SetupAction::Request if id == 0 => Some(SetupAction::Requested),
            proto::SetupAction::Request => {
                fields.wrong(
                    "installation_id",
                    "must be absent: nothing is installed before an owner approves",
                );
                None
            }
            _ if id > 0 => Some(SetupAction::Installed(InstallationId(id))),
            _ => {
                fields.wrong("installation_id", "must be the installation_id of GitHub's redirect");
                None
            }
        };
        let code = fields.line("code", request.code, MAX_SECRET);
        let state = fields.line("state", request.state, MAX_SECRET);
        let site = fields.optional("site", &request.site);
        let login = request.expected_github_login;
        if !login.is_empty() && !is_login(&login) {
            fields.wrong("expected_github_login", "must be a login as on GitHub");
        }
        let given = |text: String| Some(text).filter(|text| !text.is_empty());
        Some((
            account?,
            site?,
            RegisterRequest {
                action: action?,
                state: given(state?).map(Token::new),
                code: given(code?).map(Token::new),
                expected_login: given(login),
            },
        ))
    })
}

pub(super) fn pat_request(
    request: proto::SetPatRequest,
) -> Result<(AccountId, Option<SiteName>, Token, PatKind), Error> {
    fields::parse(|fields| {
        let account = fields.required("account", &request.account);
        let token = token(fields, request.token);
        let kind = token.as_ref().and_then(|token| PatKind::of(token.expose()));
        if token.is_some() && kind.is_none() {
            fields.wrong("token", "must begin with ghp_ or github_pat_");
        }
        let site = fields.optional("site", &request.site);
        Some((account?, site?, token?, kind?))
    })
}

pub(super) fn rejected_request(
    request: proto::ReportRejectedTokenRequest,
) -> Result<(AccountId, Token), Error> {
    fields::parse(|fields| {
        let account = fields.required("account", &request.account);
        let token = token(fields, request.token);
        Some((account?, token?))
    })
}

fn token(fields: &mut Fields, plain: String) -> Option<Token> {
    let visible = plain.bytes().all(|b| b.is_ascii_graphic());
    let fits = !plain.is_empty() && plain.len() <= MAX_SECRET && visible;
    let token = Token::new(plain);
    if !fits {
        fields.wrong("token", "must be the token alone: visible ASCII characters without spaces");
    }
    fits.then_some(token)
}

pub(super) fn verify_request(
    request: &proto::VerifyRepoRequest,
) -> Result<(AccountId, VerifyRequest), Error> {
    fields::parse(|fields| {
        let account = fields.required("account", &request.account);
        let repository = fields.optional("repository", &request.repository);
        let staging = fields.optional("staging_branch", &request.staging_branch);
        let production = fields.optional("production_branch", &request.production_branch);
        Some((
            account?,
            VerifyRequest { repository: repository?, staging: staging?, production: production? },
        ))
    })
}

pub(super) fn vend_request(
    request: &proto::GetRepoTokenRequest,
) -> Result<(AccountId, VendRequest), Error> {
    fields::parse(|fields| {
        let account = fields.required("account", &request.account);
        let repository = fields.optional("repository", &request.repository);
        let permissions = permissions(fields, &request.permissions);
        let min_ttl = fields.duration("min_ttl", request.min_ttl, DEFAULT_MIN_TTL, MAX_MIN_TTL);
        Some((
            account?,
            VendRequest { repository: repository?, permissions: permissions?, min_ttl: min_ttl? },
        ))
    })
}

/// Metadata read is always in it: GitHub grants it with anything else, and equal requests are to be equal keys.
fn permissions(fields: &mut Fields, asked: &HashMap<String, String>) -> Option<Permissions> {
    let base = Permissions::NONE.with(Permission::METADATA, Level::Read);
    if asked.is_empty() {
        return Some(base.with(Permission::CONTENTS, Level::Read));
    }
    let mut names: Vec<(&String, &String)> = asked.iter().collect();
    names.sort();
    let mut all = Some(base);
    for (name, level) in names {
        let field = permission_field(name);
        let permission: Option<Permission> = fields.required(&field, name);
        let level: Option<Level> = fields.required(&field, level);
        if level == Some(Level::Admin) {
            fields.wrong(&field, "must be `read` or `write`");
        }
        if permission == Some(Permission::WORKFLOWS) && level == Some(Level::Read) {
            fields.wrong(&field, "can only be `write`");
        }
        all = match (all, permission, level) {
            (Some(all), Some(permission), Some(level)) => Some(all.with(permission, level)),
            _ => None,
        };
    }
    all
}

/// Names only what could be a permission: whatever else stands there may be a secret that went astray.
fn permission_field(name: &str) -> String {
    let could_be = name.len() <= MAX_PERMISSION_NAME
        && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    if could_be { format!("permissions[{name}]") } else { "permissions".to_owned() }
}

pub(super) fn commit_request(
    request: proto::CommitFilesRequest,
    deadline: Instant,
) -> Result<(AccountId, CommitRequest), Error> {
    fields::parse(|fields| {
        let account = fields.required("account", &request.account);
        let repository = fields.optional("repository", &request.repository);
        let branch = fields.optional("branch", &request.branch);
        let base = fields.optional("base", &request.base);
        let message = fields
            .text("message", request.message, MAX_MESSAGE)
            .and_then(|text| fields.required("message", &text));
        let expected_head = fields.optional("expected_head_sha", &request.expected_head_sha);
        let request_id = fields.line("request_id", request.request_id, MAX_REQUEST_ID);
        let changes = changes(fields, request.files);
        Some((
            account?,
            CommitRequest {
                repository: repository?,
                branch: branch?,
                base: base?,
                message: message?,
                changes: changes?,
                expected_head: expected_head?,
                request_id: Some(request_id?).filter(|id| !id.is_empty()),
                deadline,
            },
        ))
    })
}

fn changes(fields: &mut Fields, files: Vec<proto::FileChange>) -> Option<ChangeSet> {
    if files.is_empty() || files.len() > MAX_FILES {
        fields.wrong("files", format!("must name 1 to {MAX_FILES} files"));
        return None;
    }
    let total = files.len();
    let (places, edits): (Vec<usize>, Vec<(RepoPath, Edit)>) = files
        .into_iter()
        .enumerate()
        .filter_map(|(index, file)| {
            let path = fields.required(&format!("files[{index}].path"), &file.path);
            let edit = edit(fields, index, file);
            Some((index, (path?, edit?)))
        })
        .unzip();
    let complete = edits.len() == total;
    match ChangeSet::new(edits) {
        Ok(changes) => complete.then_some(changes),
        Err(clashes) => {
            for clash in clashes {
                let index = places.get(clash.index).copied().unwrap_or_default();
                fields.wrong(format!("files[{index}].path"), clash.reason);
            }
            None
        }
    }
}

fn edit(fields: &mut Fields, index: usize, file: proto::FileChange) -> Option<Edit> {
    let mode = match file.mode() {
        proto::FileMode::Unspecified if file.mode != 0 => {
            fields.wrong(format!("files[{index}].mode"), "is not a mode that this broker knows");
            return None;
        }
        proto::FileMode::Unspecified => None,
        proto::FileMode::Regular => Some(FileMode::Regular),
        proto::FileMode::Executable => Some(FileMode::Executable),
    };
    match (file.change, mode) {
        (Some(Change::Content(content)), mode) => Some(Edit::Write { content, mode }),
        (Some(Change::Delete(_)), None) => Some(Edit::Delete),
        (Some(Change::Delete(_)), Some(_)) => {
            fields.wrong(format!("files[{index}].mode"), "must be absent for a deletion");
            None
        }
        (None, Some(mode)) => Some(Edit::Chmod(mode)),
        (None, None) => {
            fields.wrong(format!("files[{index}]"), "must have content, delete or a mode");
            None
        }
    }
}
