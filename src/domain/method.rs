//! The RPCs as words: what a policy allows and an audit names.

use std::{fmt, str::FromStr};

use super::Invalid;

/// What can be called.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum Method {
    /// Binds an App installation to an account.
    RegisterInstallation,
    /// Stores a personal access token.
    SetPat,
    /// "Save and test".
    VerifyRepo,
    /// Hands out a token.
    GetRepoToken,
    /// Commits files.
    CommitFiles,
    /// Opens the promotion pull request.
    OpenPromotionPr,
    /// Drops a token that GitHub refused.
    ReportRejectedToken,
    /// Binds a repository.
    ConfigureRepo,
    /// Shows what an account is connected with.
    GetConnection,
    /// Deletes all of an account.
    Disconnect,
    /// Begins the installation of the App.
    BeginInstallation,
    /// Begins "Connect GitHub".
    BeginOAuth,
    /// Finishes "Connect GitHub".
    CompleteOAuth,
    /// Lists what the credential can see.
    ListRepositories,
    /// Creates a repository.
    CreateRepository,
    /// Switches a credential off or on.
    SetCredentialEnabled,
    /// Shows what all accounts are connected with.
    ListConnections,
    /// gRPC server reflection, which shows the contract.
    ServerReflection,
}

impl Method {
    /// All of them.
    pub const ALL: [Self; 18] = [
        Self::RegisterInstallation,
        Self::SetPat,
        Self::VerifyRepo,
        Self::GetRepoToken,
        Self::CommitFiles,
        Self::OpenPromotionPr,
        Self::ReportRejectedToken,
        Self::ConfigureRepo,
        Self::GetConnection,
        Self::Disconnect,
        Self::BeginInstallation,
        Self::BeginOAuth,
        Self::CompleteOAuth,
        Self::ListRepositories,
        Self::CreateRepository,
        Self::SetCredentialEnabled,
        Self::ListConnections,
        Self::ServerReflection,
    ];

    /// Name in the contract.
    pub fn name(self) -> &'static str {
        match self {
            Self::RegisterInstallation => "RegisterInstallation",
            Self::SetPat => "SetPat",
            Self::VerifyRepo => "VerifyRepo",
            Self::GetRepoToken => "GetRepoToken",
            Self::CommitFiles => "CommitFiles",
            Self::OpenPromotionPr => "OpenPromotionPr",
            Self::ReportRejectedToken => "ReportRejectedToken",
            Self::ConfigureRepo => "ConfigureRepo",
            Self::GetConnection => "GetConnection",
            Self::Disconnect => "Disconnect",
            Self::BeginInstallation => "BeginInstallation",
            Self::BeginOAuth => "BeginOAuth",
            Self::CompleteOAuth => "CompleteOAuth",
            Self::ListRepositories => "ListRepositories",
            Self::CreateRepository => "CreateRepository",
            Self::SetCredentialEnabled => "SetCredentialEnabled",
            Self::ListConnections => "ListConnections",
            Self::ServerReflection => "ServerReflection",
        }
    }

    /// True if it changes something here or at GitHub.
    pub fn changes(self) -> bool {
        match self {
            Self::RegisterInstallation
            | Self::SetPat
            | Self::CommitFiles
            | Self::OpenPromotionPr
            | Self::ReportRejectedToken
            | Self::ConfigureRepo
            | Self::BeginInstallation
            | Self::BeginOAuth
            | Self::CompleteOAuth
            | Self::CreateRepository
            | Self::SetCredentialEnabled
            | Self::Disconnect => true,
            Self::VerifyRepo
            | Self::GetRepoToken
            | Self::GetConnection
            | Self::ListRepositories
            | Self::ListConnections
            | Self::ServerReflection => false,
        }
    }
}

impl FromStr for Method {
    type Err = Invalid;

    fn from_str(name: &str) -> Result<Self, Invalid> {
        Self::ALL
            .into_iter()
            .find(|method| method.name() == name)
            .ok_or_else(|| Invalid::new("is not an RPC of this broker"))
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
