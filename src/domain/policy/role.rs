//! What callers are for.

use crate::domain::Method;

/// A set of methods.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Methods(u32);

impl Methods {
    pub const fn of(methods: &[Method]) -> Self {
        let mut set = 0;
        let mut rest = methods;
        while let [first, more @ ..] = rest {
            set |= 1 << *first as u32;
            rest = more;
        }
        Self(set)
    }

    pub fn has(self, method: Method) -> bool {
        self.0 & (1 << method as u32) != 0
    }

    pub fn has_any(self, others: Self) -> bool {
        self.0 & others.0 != 0
    }

    const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// Works with tokens.
const CONSUMER: Methods = Methods::of(&[Method::GetRepoToken, Method::ReportRejectedToken]);
/// Commits and promotes, too.
const COMMITTER: Methods =
    CONSUMER.with(Methods::of(&[Method::CommitFiles, Method::OpenPromotionPr, Method::VerifyRepo]));
/// Connects accounts; gets no token, and commits nothing.
const ADMIN: Methods = OPERATOR.with(Methods::of(&[
    Method::BeginInstallation,
    Method::RegisterInstallation,
    Method::BeginOAuth,
    Method::CompleteOAuth,
    Method::SetPat,
    Method::ListRepositories,
    Method::ConfigureRepo,
    Method::CreateRepository,
    Method::SetCredentialEnabled,
    Method::Disconnect,
]));
/// Looks, and changes nothing.
const OPERATOR: Methods = Methods::of(&[
    Method::VerifyRepo,
    Method::GetConnection,
    Method::ListConnections,
    Method::ServerReflection,
]);

/// Every role by its name.
pub(super) const ROLES: [(&str, Methods); 4] =
    [("consumer", CONSUMER), ("committer", COMMITTER), ("admin", ADMIN), ("operator", OPERATOR)];
