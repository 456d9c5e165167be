//! What is counted of the tokens of one site.

use prometheus_client::{
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

use super::SiteLabels;

/// All sites together: [`Families::of`] has those of one.
#[derive(Clone, Default, Debug)]
pub(super) struct Families {
    found: Family<SiteLabels<2>, Counter>,
    mints: Family<SiteLabels<3>, Counter>,
    renewals: Family<SiteLabels<2>, Counter>,
    revocations: Family<SiteLabels<2>, Counter>,
    keys: Family<SiteLabels<1>, Gauge>,
}

/// The counters of one site, found once, so that counting is an addition. The default ones are shown to nobody.
#[derive(Clone, Default, Debug)]
pub struct Tokens {
    found: [Counter; Found::ALL.len()],
    waited_for: [Counter; Mint::ALL.len()],
    ahead: [Counter; Mint::ALL.len()],
    renewals: [Counter; Renewal::ALL.len()],
    revoked: Counter,
    not_revoked: Counter,
    keys: Gauge,
}

/// Where the token of a call came from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Found {
    /// It was in memory.
    Hit,
    /// It was minted.
    Miss,
    /// It has less life than asked for, as GitHub could not be reached in time.
    Stale,
    /// It is a user's.
    User,
    /// There is none.
    None,
}

impl Found {
    const ALL: [Self; 5] = [Self::Hit, Self::Miss, Self::Stale, Self::User, Self::None];

    /// Name in the label, which is the audit's `cache`, where that has one.
    fn as_str(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Miss => "miss",
            Self::Stale => "stale",
            Self::User => "user",
            Self::None => "none",
        }
    }
}

/// How a mint ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mint {
    /// With a token.
    Minted,
    /// GitHub refuses: the same request fails again until somebody does something.
    Refused,
    /// It may work a little later.
    Failed,
}

impl Mint {
    const ALL: [Self; 3] = [Self::Minted, Self::Refused, Self::Failed];

    fn as_str(self) -> &'static str {
        match self {
            Self::Minted => "minted",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }
}

/// What became of a token that was minted ahead.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Renewal {
    /// It works, and is served.
    Proven,
    /// It is served, though it could not be tried out in time.
    Unproven,
    /// GitHub refuses it, or nobody wants it any more: it is not served.
    Discarded,
}

impl Renewal {
    const ALL: [Self; 3] = [Self::Proven, Self::Unproven, Self::Discarded];

    fn as_str(self) -> &'static str {
        match self {
            Self::Proven => "proven",
            Self::Unproven => "unproven",
            Self::Discarded => "discarded",
        }
    }
}

impl Families {
    pub fn register(registry: &mut Registry) -> Self {
        let families = Self::default();
        registry.register(
            "tokens",
            "Tokens that calls needed, by where they came from",
            families.found.clone(),
        );
        registry.register(
            "token_mints",
            "Installation tokens that GitHub was asked for, by what came of it, and by whether a call waited for it",
            families.mints.clone(),
        );
        registry.register(
            "token_renewals",
            "Tokens that were minted ahead, by what became of them",
            families.renewals.clone(),
        );
        registry.register(
            "token_revocations",
            "Installation tokens that were to be ended at GitHub before their time",
            families.revocations.clone(),
        );
        registry.register(
            "token_keys",
            "Keys in memory: an account's repository with certain permissions",
            families.keys.clone(),
        );
        families
    }

    /// The counters of one site: at 0 from here on, as a rate can only be seen of what was there before it was counted.
    pub fn of(&self, site: &str) -> Tokens {
        let site = || ("site", site.to_owned());
        let mints = |wanted: &str| {
            Mint::ALL.map(|outcome| {
                let labels = [
                    site(),
                    ("wanted", wanted.to_owned()),
                    ("outcome", outcome.as_str().to_owned()),
                ];
                self.mints.get_or_create_owned(&labels)
            })
        };
        let one = |family: &Family<SiteLabels<2>, Counter>, key, value: &str| {
            family.get_or_create_owned(&[site(), (key, value.to_owned())])
        };
        Tokens {
            found: Found::ALL.map(|found| one(&self.found, "cache", found.as_str())),
            waited_for: mints("now"),
            ahead: mints("ahead"),
            renewals: Renewal::ALL.map(|outcome| one(&self.renewals, "outcome", outcome.as_str())),
            revoked: one(&self.revocations, "outcome", "done"),
            not_revoked: one(&self.revocations, "outcome", "failed"),
            keys: self.keys.get_or_create_owned(&[site()]),
        }
    }
}

impl Tokens {
    /// Counts a token that a call needed. On the warm path: one atomic addition.
    pub fn found(&self, found: Found) {
        count(&self.found, found as usize);
    }

    /// Counts a mint that ended; `ahead` if no call waited for it.
    pub fn mint(&self, ahead: bool, outcome: Mint) {
        count(if ahead { &self.ahead } else { &self.waited_for }, outcome as usize);
    }

    /// Counts a token that was minted ahead.
    pub fn renewal(&self, outcome: Renewal) {
        count(&self.renewals, outcome as usize);
    }

    /// Counts a token that was to be ended at GitHub.
    pub fn revocation(&self, done: bool) {
        if done { &self.revoked } else { &self.not_revoked }.inc();
    }

    /// Says how many keys are in memory.
    pub fn keys(&self, keys: usize) {
        self.keys.set(i64::try_from(keys).unwrap_or(i64::MAX));
    }
}

fn count(counters: &[Counter], at: usize) {
    if let Some(counter) = counters.get(at) {
        counter.inc();
    }
}

#[cfg(test)]
mod tests {
    use crate::metrics::Metrics;

    use super::*;

    #[test]
    fn each_value_counts_by_its_own_name_for_its_own_site() {
        let metrics = Metrics::new();
        let (one, other) = (metrics.tokens("one"), metrics.tokens("other"));
        Found::ALL.into_iter().for_each(|found| one.found(found));
        for outcome in Mint::ALL {
            one.mint(true, outcome);
            one.mint(false, outcome);
        }
        Renewal::ALL.into_iter().for_each(|outcome| one.renewal(outcome));
        one.revocation(true);
        one.revocation(false);
        one.keys(1);
        other.found(Found::Stale);
        let text = metrics.text();
        let lines = |site: &str| -> Vec<&str> {
            text.lines().filter(|line| line.contains(&format!("site=\"{site}\""))).collect()
        };
        assert_eq!(lines("one").len(), 5 + 6 + 3 + 2 + 1);
        assert!(lines("one").iter().all(|line| line.ends_with(" 1")), "{text}");
        let counted: Vec<_> =
            lines("other").into_iter().filter(|line| !line.ends_with(" 0")).collect();
        assert_eq!(counted, ["ghbroker_tokens_total{site=\"other\",cache=\"stale\"} 1"]);
    }
}
