//! Who calls.

use std::{borrow::Cow, fmt, str::FromStr, sync::Arc};

use super::{Invalid, SpiffeId};

/// A Kubernetes ServiceAccount, as tokens name it in `sub`: `system:serviceaccount:NAMESPACE:NAME`. Cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ServiceAccount(Arc<str>);

/// What each begins with.
const PREFIX: &str = "system:serviceaccount:";
/// Kubernetes' limits: of a namespace, a DNS label, ...
const MAX_NAMESPACE: usize = 63;
/// ... and of a name, a DNS subdomain.
const MAX_NAME: usize = 253;

impl ServiceAccount {
    /// The account as in `sub`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its namespace and its name.
    pub fn parts(&self) -> (&str, &str) {
        split(&self.0).unwrap_or_default()
    }
}

fn split(text: &str) -> Option<(&str, &str)> {
    text.strip_prefix(PREFIX)?.split_once(':')
}

impl FromStr for ServiceAccount {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let label = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        let subdomain = |b: u8| label(b) || b == b'.';
        let good = split(text).is_some_and(|(namespace, name)| {
            (1..=MAX_NAMESPACE).contains(&namespace.len())
                && (1..=MAX_NAME).contains(&name.len())
                && namespace.bytes().all(label)
                && name.bytes().all(subdomain)
        });
        if good {
            Ok(Self(text.into()))
        } else {
            Err(Invalid::new("must be system:serviceaccount:NAMESPACE:NAME"))
        }
    }
}

impl fmt::Display for ServiceAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ServiceAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The service that makes a call: what it has proven to be. Never told by a field of a request.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Caller {
    /// Nobody was asked: the broker runs without authentication.
    Anonymous,
    /// By its certificate.
    Workload(SpiffeId),
    /// By its ServiceAccount token.
    ServiceAccount(ServiceAccount),
    /// By both, where both are required.
    Both(SpiffeId, ServiceAccount),
}

impl Caller {
    /// How policies name a caller that was not asked who it is.
    pub const ANONYMOUS: &str = "anonymous";

    /// How it was authenticated: a word for logs and the audit.
    pub fn authenticated_by(&self) -> &'static str {
        match self {
            Self::Anonymous => "none",
            Self::Workload(_) => "mtls",
            Self::ServiceAccount(_) => "service_account",
            Self::Both(..) => "mtls+service_account",
        }
    }

    /// Every name that it has proven.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let (first, second) = match self {
            Self::Anonymous => (Self::ANONYMOUS, None),
            Self::Workload(id) => (id.as_str(), None),
            Self::ServiceAccount(account) => (account.as_str(), None),
            Self::Both(id, account) => (id.as_str(), Some(account.as_str())),
        };
        [Some(first), second].into_iter().flatten()
    }

    /// As [`Display`](fmt::Display) writes it: most have one name, and nothing is copied.
    pub fn text(&self) -> Cow<'_, str> {
        match self {
            Self::Anonymous => Self::ANONYMOUS.into(),
            Self::Workload(id) => id.as_str().into(),
            Self::ServiceAccount(account) => account.as_str().into(),
            Self::Both(id, account) => format!("{id}+{account}").into(),
        }
    }
}

impl FromStr for Caller {
    type Err = Invalid;

    /// As [`Display`](fmt::Display) writes it.
    fn from_str(text: &str) -> Result<Self, Invalid> {
        if text == Self::ANONYMOUS {
            return Ok(Self::Anonymous);
        }
        if let Some((id, account)) = text.split_once('+') {
            return Ok(Self::Both(id.parse()?, account.parse()?));
        }
        if text.starts_with(PREFIX) {
            return text.parse().map(Self::ServiceAccount);
        }
        text.parse().map(Self::Workload).map_err(|_| {
            Invalid::new(
                "must be spiffe://TRUST-DOMAIN/PATH, system:serviceaccount:NAMESPACE:NAME, both with + between them, or anonymous",
            )
        })
    }
}

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn takes_kubernetes_names_and_nothing_else() {
        let account: ServiceAccount = "system:serviceaccount:build:gen.er-ator".parse().unwrap();
        assert_eq!(account.parts(), ("build", "gen.er-ator"));
        for bad in [
            "system:serviceaccount:build",
            "system:serviceaccount:build:",
            "system:serviceaccount::x",
            "system:serviceaccount:a:b:c",
            "system:serviceaccount:A:b",
            "system:serviceaccount:a.b:c",
            "system:serviceaccount:a:*",
            "system:node:a:b",
            "build:generator",
        ] {
            assert!(bad.parse::<ServiceAccount>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_caller_reads_as_it_is_written() {
        for text in [
            "anonymous",
            "spiffe://example.org/web",
            "system:serviceaccount:build:generator",
            "spiffe://example.org/web+system:serviceaccount:build:generator",
        ] {
            assert_eq!(text.parse::<Caller>().unwrap().to_string(), text);
        }
        for bad in ["", "*", "web", "spiffe://example.org/web+anonymous"] {
            assert!(bad.parse::<Caller>().is_err(), "{bad:?}");
        }
    }
    proptest! {
        #[test]
        fn every_caller_reads_as_it_is_written(
            id in "spiffe://[a-z0-9.-]{1,10}(/[A-Za-z0-9_-]{1,10}){1,3}",
            account in "system:serviceaccount:[a-z0-9-]{1,20}:[a-z0-9.-]{1,20}",
        ) {
            let (id, account) = (id.parse::<SpiffeId>().unwrap(), account.parse::<ServiceAccount>().unwrap());
            for caller in [
                Caller::Workload(id.clone()),
                Caller::ServiceAccount(account.clone()),
                Caller::Both(id, account),
            ] {
                prop_assert_eq!(caller.to_string().parse(), Ok(caller));
            }
        }

        #[test]
        fn no_two_texts_are_the_same_caller(text in r"[a-z:/+.]{0,20}|(spiffe://a/b)?\+?(system:serviceaccount:[a-z:]{1,5})?") {
            if let Ok(caller) = text.parse::<Caller>() {
                prop_assert_eq!(caller.to_string(), text);
            }
        }
    }
}
