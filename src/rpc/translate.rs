//! Domain types become answers.

use std::collections::HashMap;

use prost_types::Timestamp;
use time::OffsetDateTime;

use crate::{
    broker::{Connection, Finding, FindingCode, FindingLevel, Summary},
    domain::{
        Binding, ConnectionStatus, CredentialSource, Installation, OAuthUser, Pat, PatKind,
        Permissions, RepositoryState,
    },
    proto,
};

pub(super) fn timestamp(time: OffsetDateTime) -> Timestamp {
    Timestamp {
        seconds: time.unix_timestamp(),
        nanos: i32::try_from(time.nanosecond()).unwrap_or_default(),
    }
}

/// A count as the contract has it. No count of the broker comes near the limit.
pub(super) fn count(number: usize) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

pub(super) fn source(source: CredentialSource) -> proto::CredentialSource {
    match source {
        CredentialSource::AppInstallation => proto::CredentialSource::AppInstallation,
        CredentialSource::OAuthUser => proto::CredentialSource::OauthUser,
        CredentialSource::Pat => proto::CredentialSource::Pat,
    }
}

fn status(status: ConnectionStatus) -> proto::ConnectionStatus {
    match status {
        ConnectionStatus::Active => proto::ConnectionStatus::Active,
        ConnectionStatus::PendingApproval => proto::ConnectionStatus::PendingApproval,
        ConnectionStatus::Suspended => proto::ConnectionStatus::Suspended,
        ConnectionStatus::Disabled => proto::ConnectionStatus::Disabled,
        ConnectionStatus::Expired => proto::ConnectionStatus::Expired,
        ConnectionStatus::Revoked => proto::ConnectionStatus::Revoked,
    }
}

pub(super) fn permissions(permissions: Permissions) -> HashMap<String, String> {
    permissions
        .iter()
        .map(|(name, level)| (name.name().to_owned(), level.name().to_owned()))
        .collect()
}

pub(super) fn installation(installation: Installation) -> proto::Installation {
    proto::Installation {
        installation_id: installation.id.map_or(0, |id| id.0),
        github_account_id: installation.github_account_id.unwrap_or_default(),
        github_login: installation.github_login,
        status: status(installation.status).into(),
        registered_at: Some(timestamp(installation.registered_at)),
        settings_url: installation.settings_url,
    }
}

pub(super) fn oauth_user(user: OAuthUser) -> proto::OAuthUser {
    proto::OAuthUser {
        login: user.login,
        user_id: user.user_id,
        scopes: user.scopes,
        expire_time: user.expires_at.map(timestamp),
        refresh_expire_time: user.refresh_expires_at.map(timestamp),
        connected_at: Some(timestamp(user.connected_at)),
        status: status(user.status).into(),
    }
}

pub(super) fn connection(connection: Connection) -> proto::GetConnectionResponse {
    proto::GetConnectionResponse {
        site: connection.site.to_string(),
        effective_source: connection.choice.usable().map(source).unwrap_or_default().into(),
        effective_reason: connection.choice.because(),
        installation: connection.installation.map(installation),
        oauth_user: connection.user.map(oauth_user),
        pat: connection.pat.map(pat),
        bindings: connection.bindings.into_iter().map(binding).collect(),
        warnings: connection.warnings,
    }
}

pub(super) fn summary(summary: Summary) -> proto::ConnectionSummary {
    let shown = |state: Option<ConnectionStatus>| state.map(status).unwrap_or_default().into();
    let (state, login) = summary.installation.unzip();
    proto::ConnectionSummary {
        account: summary.account.to_string(),
        site: summary.site.to_string(),
        effective_source: summary.choice.usable().map(source).unwrap_or_default().into(),
        installation_status: shown(state),
        github_login: login.unwrap_or_default(),
        oauth_user_status: shown(summary.user),
        pat_status: shown(summary.pat),
    }
}

pub(super) fn pat(pat: Pat) -> proto::Pat {
    let kind = match pat.kind {
        PatKind::Classic => proto::PatKind::Classic,
        PatKind::FineGrained => proto::PatKind::FineGrained,
    };
    proto::Pat {
        kind: kind.into(),
        owner_login: pat.owner_login,
        scopes: pat.scopes,
        expire_time: pat.expires_at.map(timestamp),
        fingerprint: pat.fingerprint,
        registered_at: Some(timestamp(pat.registered_at)),
        status: status(pat.status).into(),
    }
}

pub(super) fn binding(binding: Binding) -> proto::RepositoryBinding {
    proto::RepositoryBinding {
        repository: binding.repository.to_string(),
        repository_id: binding.repository_id.0,
        staging_branch: binding.staging.to_string(),
        production_branch: binding.production.to_string(),
        subdirectory: binding.subdirectory.as_str().to_owned(),
        active: binding.active,
        staging_base: binding.staging_base.map(|base| base.to_string()).unwrap_or_default(),
        staging_must_exist: binding.staging_must_exist,
        work_branches: binding.work_branches.iter().map(ToString::to_string).collect(),
        repository_state: repository_state(binding.state).into(),
    }
}

fn repository_state(state: RepositoryState) -> proto::RepositoryState {
    match state {
        RepositoryState::Available => proto::RepositoryState::Available,
        RepositoryState::Archived => proto::RepositoryState::Archived,
        RepositoryState::Deleted => proto::RepositoryState::Deleted,
    }
}

pub(super) fn finding(finding: Finding) -> proto::Finding {
    let code = match finding.code {
        FindingCode::CredentialValid => proto::FindingCode::CredentialValid,
        FindingCode::RepositoryResolves => proto::FindingCode::RepositoryResolves,
        FindingCode::PermissionsGranted => proto::FindingCode::PermissionsGranted,
        FindingCode::StagingBranchExists => proto::FindingCode::StagingBranchExists,
        FindingCode::ProductionBranchExists => proto::FindingCode::ProductionBranchExists,
        FindingCode::RulesAllow => proto::FindingCode::RulesAllow,
        FindingCode::ContentAllowed => proto::FindingCode::ContentAllowed,
        FindingCode::OrganizationApproves => proto::FindingCode::OrganizationApproves,
    };
    let level = match finding.level {
        FindingLevel::Ok => proto::FindingLevel::Ok,
        FindingLevel::Warning => proto::FindingLevel::Warning,
        FindingLevel::Failed => proto::FindingLevel::Failed,
    };
    proto::Finding {
        code: code.into(),
        level: level.into(),
        message: finding.message,
        fix: finding.fix,
        url: finding.url,
    }
}
