//! Reading a key under either prefix, and keeping every mistake.

use std::collections::BTreeMap;

use isthmus_core::{AnnotationError, Annotations};

use super::PREFIXES;

/// The keys for Route 53 that mean something, as annotations have them.
const AWS_KEYS: [&str; 15] = [
    "aws-weight",
    "aws-region",
    "aws-failover",
    "aws-geolocation-continent-code",
    "aws-geolocation-country-code",
    "aws-geolocation-subdivision-code",
    "aws-geoproximity-region",
    "aws-geoproximity-coordinates",
    "aws-geoproximity-local-zone-group",
    "aws-geoproximity-bias",
    "aws-multi-value-answer",
    "aws-health-check-id",
    "aws-evaluate-target-health",
    "aws-target-hosted-zone",
    "aws-hosted-zone-id",
];

/// What reading annotations brought to light.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    /// Wrong values: the object is not served until they are right.
    pub(crate) errors: Vec<AnnotationError>,
    /// Keys that mean nothing.
    pub(crate) unknown: Vec<String>,
    /// Keys that differ between the prefixes.
    pub(crate) conflicts: Vec<String>,
}

/// Where the keys are.
#[derive(Clone, Copy)]
pub(super) enum Keys {
    /// In annotations, under either prefix.
    Annotations,
    /// In `providerSpecific` of a DNSEndpoint: `aws/weight` for `aws-weight`.
    Properties,
}

/// A reader of short keys, as annotations have them, wherever they are.
pub(super) struct Reader<'a> {
    keys: Keys,
    map: &'a BTreeMap<String, String>,
    inner: Annotations<'a>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(keys: Keys, map: &'a BTreeMap<String, String>) -> Self {
        Self {
            keys,
            map,
            inner: Annotations::new(Some(map)),
        }
    }

    /// The full key: of the prefixes that have it, the newer one's.
    pub(super) fn key(&self, short: &str) -> String {
        if let Keys::Properties = self.keys {
            return match short {
                "set-identifier" => "setIdentifier".to_owned(),
                _ => short.replacen("aws-", "aws/", 1),
            };
        }
        let full = PREFIXES.map(|prefix| format!("{prefix}{short}"));
        let [newer, older] = full;
        if !self.map.contains_key(&newer) && self.map.contains_key(&older) {
            older
        } else {
            newer
        }
    }

    pub(super) fn get(&self, short: &str) -> Option<&'a str> {
        self.inner.get(&self.key(short))
    }

    pub(super) fn parse<T>(
        &mut self,
        short: &str,
        allowed: &str,
        parse: impl FnOnce(&'a str) -> Option<T>,
    ) -> Option<T> {
        let key = self.key(short);
        self.inner.parse(&key, allowed, parse)
    }

    pub(super) fn boolean(&mut self, short: &str) -> Option<bool> {
        let key = self.key(short);
        self.inner.boolean(&key)
    }

    pub(super) fn reject(&mut self, short: &str, allowed: &str) {
        let key = self.key(short);
        let value = self.inner.get(&key).unwrap_or_default();
        self.inner.reject(&key, value, allowed);
    }

    pub(super) fn finish(self) -> Findings {
        let mut findings = match self.keys {
            Keys::Annotations => self.compare(),
            Keys::Properties => self.properties(),
        };
        findings.errors = self.inner.finish().err().unwrap_or_default();
        findings
    }

    fn properties(&self) -> Findings {
        let unknown = self.map.keys().filter(|key| {
            let ours = key.starts_with("aws/") || key.starts_with("aws-");
            ours && !AWS_KEYS.iter().any(|known| self.key(known) == **key)
        });
        Findings {
            unknown: unknown.cloned().collect(),
            ..Findings::default()
        }
    }

    /// Keys that mean nothing, and those that differ between the prefixes.
    fn compare(&self) -> Findings {
        let mut findings = Findings::default();
        for (key, value) in self.map {
            let Some((prefix, short)) = PREFIXES
                .iter()
                .find_map(|p| Some((*p, key.strip_prefix(p)?)))
            else {
                continue;
            };
            if short.starts_with("aws-") && !AWS_KEYS.contains(&short) {
                findings.unknown.push(key.clone());
            }
            let other = self.map.get(&format!("{}{short}", PREFIXES[1]));
            if prefix == PREFIXES[0] && other.is_some_and(|other| other != value) {
                findings.conflicts.push(short.to_owned());
            }
        }
        findings
    }
}
