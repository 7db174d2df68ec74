//! Which certificate serves a host.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use crate::Arn;

/// A certificate with less than this left to live yields to another one.
pub const MIN_LIFE_LEFT: SignedDuration = SignedDuration::from_hours(7 * 24);

/// A server certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// Its ARN.
    pub arn: Arn,
    /// Common name and alternative names, lower case, `*.example.org` included.
    pub names: BTreeSet<String>,
    /// From when on it is valid.
    pub not_before: Timestamp,
    /// Until when.
    pub not_after: Timestamp,
    /// Whether clients can be expected to trust its issuer.
    pub trusted: bool,
}

/// What makes one certificate better than another for one host; the greatest is
/// taken. Nothing in it depends on the order of a list, and the ARN at the end
/// makes it total.
type Rank<'a> = (
    bool,
    bool,
    bool,
    Timestamp,
    Timestamp,
    std::cmp::Reverse<&'a Arn>,
);

impl Certificate {
    /// Valid now and trusted.
    fn usable(&self, now: Timestamp) -> bool {
        self.trusted && self.not_before <= now && now < self.not_after
    }

    fn rank(&self, host: &str, now: Timestamp) -> Rank<'_> {
        (
            self.usable(now),
            self.names.contains(host),
            self.not_after.duration_since(now) >= MIN_LIFE_LEFT,
            self.not_after,
            self.not_before,
            std::cmp::Reverse(&self.arn),
        )
    }
}

/// Certificates by the names in them.
#[derive(Debug, Default)]
pub struct CertificateIndex<'a> {
    by_name: BTreeMap<&'a str, Vec<&'a Certificate>>,
    by_arn: BTreeMap<&'a Arn, &'a Certificate>,
}

impl<'a> CertificateIndex<'a> {
    /// An index over all but those of `blacklist`.
    pub fn new(
        certificates: impl IntoIterator<Item = &'a Certificate>,
        blacklist: &BTreeSet<Arn>,
    ) -> Self {
        let mut index = Self::default();
        for certificate in certificates {
            if blacklist.contains(&certificate.arn) {
                continue;
            }
            index.by_arn.insert(&certificate.arn, certificate);
            for name in &certificate.names {
                index.by_name.entry(name).or_default().push(certificate);
            }
        }
        index
    }

    /// The best certificate for a host: trusted and valid before expired or
    /// untrusted, its exact name before a wildcard, at least [`MIN_LIFE_LEFT`]
    /// before less, then the longest to live.
    ///
    /// A wildcard stands for exactly one label ([RFC 9525], section 6.3).
    ///
    /// [RFC 9525]: https://www.rfc-editor.org/rfc/rfc9525#section-6.3
    #[must_use]
    pub fn best(&self, host: &str, now: Timestamp) -> Option<&'a Certificate> {
        let wildcard = host
            .split_once('.')
            .map(|(_, parent)| format!("*.{parent}"));
        let exact = self.by_name.get(host).into_iter().flatten();
        let wild = wildcard
            .as_deref()
            .and_then(|name| self.by_name.get(name))
            .into_iter()
            .flatten();
        exact
            .chain(wild)
            .copied()
            .max_by(|a, b| a.rank(host, now).cmp(&b.rank(host, now)))
    }

    /// The certificate with this ARN.
    #[must_use]
    pub fn get(&self, arn: &Arn) -> Option<&'a Certificate> {
        self.by_arn.get(arn).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const DAY: i64 = 86_400;

    fn now() -> Timestamp {
        "2026-11-01T00:00:00Z".parse().unwrap()
    }

    fn at(days: i64) -> Timestamp {
        Timestamp::from_second(now().as_second() + days * DAY).unwrap()
    }

    fn certificate(id: &str, names: &[&str], days: (i64, i64), trusted: bool) -> Certificate {
        Certificate {
            arn: Arn::new(format!("arn:aws:acm:eu-central-1:1:certificate/{id}")),
            names: names.iter().map(|n| (*n).to_owned()).collect(),
            not_before: at(days.0),
            not_after: at(days.1),
            trusted,
        }
    }

    fn best(certificates: &[Certificate], host: &str) -> Option<String> {
        CertificateIndex::new(certificates, &BTreeSet::new())
            .best(host, now())
            .map(|c| c.arn.id().to_owned())
    }

    #[test]
    fn the_ranking_of_the_contract() {
        let wild = certificate("wild", &["*.example.org"], (-10, 400), true);
        let exact = certificate("exact", &["shop.example.org"], (-10, 100), true);
        let ending = certificate("ending", &["shop.example.org"], (-90, 3), true);
        let expired = certificate("expired", &["shop.example.org"], (-400, -1), true);
        let private = certificate("private", &["shop.example.org"], (-10, 900), false);
        let future = certificate("future", &["shop.example.org"], (1, 900), true);
        for (offered, taken, why) in [
            (vec![&wild, &exact], "exact", "exact before wildcard"),
            (
                vec![&wild, &ending],
                "ending",
                "exact before wildcard even with 3 days left",
            ),
            (vec![&ending, &exact], "exact", "7 days left before less"),
            (vec![&wild, &expired], "wild", "valid before expired"),
            (vec![&wild, &private], "wild", "trusted before untrusted"),
            (
                vec![&ending, &future],
                "ending",
                "valid before not yet valid",
            ),
            (vec![&expired], "expired", "the last resort"),
        ] {
            let offered: Vec<_> = offered.into_iter().cloned().collect();
            assert_eq!(
                best(&offered, "shop.example.org").as_deref(),
                Some(taken),
                "{why}"
            );
        }
    }

    #[test]
    fn a_wildcard_is_one_label() {
        let wild = [certificate("wild", &["*.example.org"], (-1, 90), true)];
        assert!(best(&wild, "shop.example.org").is_some());
        assert!(best(&wild, "*.example.org").is_some());
        for host in ["example.org", "a.shop.example.org", "shop.example.com", ""] {
            assert_eq!(best(&wild, host), None, "{host}");
        }
    }

    #[test]
    fn a_blacklisted_one_is_not_there() {
        let only = certificate("a", &["shop.example.org"], (-1, 90), true);
        let blacklist = BTreeSet::from([only.arn.clone()]);
        let all = [only];
        let index = CertificateIndex::new(&all, &blacklist);
        assert!(index.best("shop.example.org", now()).is_none());
        assert!(index.get(&all[0].arn).is_none());
    }

    fn any_certificate() -> impl Strategy<Value = Certificate> {
        let names = proptest::sample::subsequence(
            vec![
                "shop.example.org",
                "*.example.org",
                "example.org",
                "*.shop.example.org",
            ],
            1..=4,
        );
        (0..12_u8, names, -3_i64..3, -2_i64..12, any::<bool>()).prop_map(
            |(id, names, from, to, trusted)| {
                certificate(&format!("c{id:02}"), &names, (from, to), trusted)
            },
        )
    }

    proptest! {
        #[test]
        fn the_answer_does_not_depend_on_the_order(
            certificates in prop::collection::vec(any_certificate(), 0..12),
            seed in any::<prop::sample::Index>(),
        ) {
            let mut shuffled = certificates.clone();
            shuffled.reverse();
            if !shuffled.is_empty() {
                let by = seed.index(shuffled.len());
                shuffled.rotate_left(by);
            }
            for host in ["shop.example.org", "a.example.org", "example.org", "x.shop.example.org"] {
                let index = CertificateIndex::new(&certificates, &BTreeSet::new());
                let other = CertificateIndex::new(&shuffled, &BTreeSet::new());
                // Two certificates with one ARN are the one thing that AWS never lists.
                let unique: BTreeSet<_> = certificates.iter().map(|c| &c.arn).collect();
                prop_assume!(unique.len() == certificates.len());
                prop_assert_eq!(index.best(host, now()), other.best(host, now()));
            }
        }

        #[test]
        fn nothing_better_is_passed_over(certificates in prop::collection::vec(any_certificate(), 1..12)) {
            let host = "shop.example.org";
            let index = CertificateIndex::new(&certificates, &BTreeSet::new());
            let fits = |c: &&Certificate| c.names.contains(host) || c.names.contains("*.example.org");
            let chosen = index.best(host, now());
            prop_assert_eq!(chosen.is_some(), certificates.iter().any(|c| fits(&c)));
            if let Some(chosen) = chosen {
                prop_assert!(fits(&chosen));
                for other in certificates.iter().filter(fits) {
                    prop_assert!(chosen.usable(now()) || !other.usable(now()));
                    let same = chosen.usable(now()) == other.usable(now());
                    let exact = |c: &Certificate| c.names.contains(host);
                    prop_assert!(!same || exact(chosen) || !exact(other));
                }
            }
        }
    }
}
