//! ListRepositories and CreateRepository: what is asked, and how it is answered.

use super::{
    connecting::page_size,
    fields::{self, Fields},
    translate,
};
use crate::{
    broker::{
        CreateRequest, Created, Error, ListedRepositories, RepositoriesRequest,
        RepositoryPermission, VisibleRepository,
    },
    domain::AccountId,
    proto,
};

/// Longest name of a repository with its owner.
const MAX_QUERY: usize = 140;
/// GitHub's limit.
const MAX_DESCRIPTION: usize = 350;
/// Repositories on a page, unless another number is asked for, and at most.
const PAGE: i32 = 30;
const MAX_PAGE: i32 = 100;

pub(super) fn list(
    request: proto::ListRepositoriesRequest,
) -> Result<(AccountId, RepositoriesRequest), Error> {
    fields::parse(|fields| {
        let account = fields.required("account", &request.account);
        let query = fields.line("query", request.query, MAX_QUERY);
        let limit = page_size(fields, request.page_size, PAGE, MAX_PAGE);
        let place = fields.optional("page_token", &request.page_token);
        let query = query?.to_ascii_lowercase();
        Some((account?, RepositoriesRequest { query, limit: limit?, place: place? }))
    })
}

pub(super) fn create(
    request: proto::CreateRepositoryRequest,
) -> Result<(AccountId, CreateRequest), Error> {
    fields::parse(|fields| {
        let account = fields.required("account", &request.account);
        let name = fields.required("repository", &request.repository);
        let description = description(fields, request.description);
        let (name, description) = (name?, description?);
        Some((account?, CreateRequest { name, description, public: request.public }))
    })
}

/// GitHub takes no control characters in it.
fn description(fields: &mut Fields, text: String) -> Option<String> {
    let text = fields.line("description", text, MAX_DESCRIPTION)?;
    if text.contains('\t') {
        fields.wrong("description", "must not contain control characters");
        return None;
    }
    Some(text.trim().to_owned())
}

pub(super) fn listed(listed: ListedRepositories) -> proto::ListRepositoriesResponse {
    proto::ListRepositoriesResponse {
        repositories: listed.repositories.into_iter().map(repository).collect(),
        next_page_token: listed.next.map(|place| place.to_string()).unwrap_or_default(),
        source: translate::source(listed.source).into(),
        add_repositories_url: listed.add_url,
    }
}

pub(super) fn created(created: Created) -> proto::CreateRepositoryResponse {
    proto::CreateRepositoryResponse {
        repository: Some(repository(created.repository)),
        source: translate::source(created.source).into(),
    }
}

fn repository(visible: VisibleRepository) -> proto::Repository {
    let permission = match visible.permission {
        None => proto::RepositoryPermission::Unspecified,
        Some(RepositoryPermission::Read) => proto::RepositoryPermission::Read,
        Some(RepositoryPermission::Write) => proto::RepositoryPermission::Write,
        Some(RepositoryPermission::Admin) => proto::RepositoryPermission::Admin,
    };
    let repository = visible.repository;
    proto::Repository {
        name: repository.name.to_string(),
        repository_id: repository.id.0,
        default_branch: repository.default_branch.to_string(),
        private: repository.private,
        archived: repository.archived,
        disabled: repository.disabled,
        permission: permission.into(),
        html_url: repository.html_url,
        bound: visible.bound,
    }
}
