//! Requests that connect accounts, and lists of them, become domain types.

use super::fields::{self, Fields};
use crate::{
    broker::{BeginRequest, Error, ListRequest},
    domain::{AccountId, CredentialSource, SiteName, Token, is_login},
    proto,
};

/// Longest code or `state`; GitHub's codes have 20 characters.
const MAX_SECRET: usize = 1024;
/// Longest return URL, as a field; what it may be is decided with the configuration.
const MAX_URL: usize = 2000;
/// Accounts on a page, unless another number is asked for, and at most.
const PAGE: i32 = 50;
const MAX_PAGE: i32 = 100;

pub(super) fn begin_installation(
    request: proto::BeginInstallationRequest,
) -> Result<(AccountId, Option<SiteName>, BeginRequest), Error> {
    fields::parse(|fields| {
        let account = fields.required("account", &request.account);
        let site = fields.optional("site", &request.site);
        let return_url = fields.line("return_url", request.return_url, MAX_URL);
        let expected_login = login(fields, "expected_github_login", request.expected_github_login);
        let (return_url, expected_login) = (return_url?, expected_login?);
        Some((account?, site?, BeginRequest { return_url, expected_login, login_hint: None }))
    })
}

pub(super) fn begin_oauth(
    request: proto::BeginOAuthRequest,
) -> Result<(AccountId, Option<SiteName>, BeginRequest), Error> {
    fields::parse(|fields| {
        let account = fields.required("account", &request.account);
        let site = fields.optional("site", &request.site);
        let return_url = fields.line("return_url", request.return_url, MAX_URL);
        let login_hint = login(fields, "login_hint", request.login_hint);
        let (return_url, login_hint) = (return_url?, login_hint?);
        Some((account?, site?, BeginRequest { return_url, expected_login: None, login_hint }))
    })
}

/// A login that may be empty.
fn login(fields: &mut Fields, field: &str, text: String) -> Option<Option<String>> {
    if text.is_empty() {
        return Some(None);
    }
    if !is_login(&text) {
        fields.wrong(field, "must be a login as on GitHub");
        return None;
    }
    Some(Some(text))
}

/// Account, `state` and code.
pub(super) fn complete_oauth(
    request: proto::CompleteOAuthRequest,
) -> Result<(AccountId, Token, Token), Error> {
    fields::parse(|fields| {
        let account = fields.required("account", &request.account);
        let state = secret(fields, "state", request.state);
        let code = secret(fields, "code", request.code);
        Some((account?, state?, code?))
    })
}

fn secret(fields: &mut Fields, field: &str, text: String) -> Option<Token> {
    if text.is_empty() {
        fields.wrong(field, "must be that of GitHub's redirect");
        return None;
    }
    fields.line(field, text, MAX_SECRET).map(Token::new)
}

/// Account, credential, and whether it is to be on.
pub(super) fn switch(
    request: &proto::SetCredentialEnabledRequest,
) -> Result<(AccountId, CredentialSource, bool), Error> {
    fields::parse(|fields| {
        let account = fields.required("account", &request.account);
        let source = match request.source() {
            proto::CredentialSource::AppInstallation => Some(CredentialSource::AppInstallation),
            proto::CredentialSource::OauthUser => Some(CredentialSource::OAuthUser),
            proto::CredentialSource::Pat => Some(CredentialSource::Pat),
            proto::CredentialSource::Unspecified => {
                fields.wrong("source", "must name one of the account's credentials");
                None
            }
        };
        if request.enabled.is_none() {
            fields.wrong("enabled", "must be given: true or false");
        }
        Some((account?, source?, request.enabled?))
    })
}

pub(super) fn list(request: &proto::ListConnectionsRequest) -> Result<ListRequest, Error> {
    fields::parse(|fields| {
        let limit = page_size(fields, request.page_size, PAGE, MAX_PAGE);
        // It is the last account of the page before.
        let after = fields.optional("page_token", &request.page_token);
        Some(ListRequest { limit: limit?, after: after? })
    })
}

/// How many of a list are asked for; `default` if none is.
pub(super) fn page_size(fields: &mut Fields, asked: i32, default: i32, max: i32) -> Option<usize> {
    let size = if asked == 0 { default } else { asked };
    if !(1..=max).contains(&size) {
        fields.wrong("page_size", format!("must be 1 to {max}"));
        return None;
    }
    usize::try_from(size).ok()
}
