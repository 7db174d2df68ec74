//! Hosted zones, and which of them a name belongs to.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use regex::Regex;
use serde::Serialize;

use crate::DnsName;

/// The id of a hosted zone without `/hostedzone/`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct ZoneId(String);

impl ZoneId {
    /// Reads an id, with or without `/hostedzone/`.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(text.strip_prefix("/hostedzone/").unwrap_or(text).to_owned())
    }

    /// The id alone.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ZoneId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A hosted zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone {
    /// Its id.
    pub id: ZoneId,
    /// The name at its apex.
    pub name: DnsName,
    /// Whether only VPCs see it.
    pub private: bool,
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let private = if self.private { "private " } else { "" };
        write!(f, "{private}zone {} ({})", self.name, self.id)
    }
}

/// `--aws-zone-type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ZoneType {
    /// Zones that everybody sees.
    Public,
    /// Zones that VPCs see.
    Private,
}

/// Which zones are looked at.
#[derive(Clone, Debug, Default)]
pub struct ZoneFilter {
    /// `--zone-id-filter`: ids or their ends; empty for all.
    pub ids: Vec<String>,
    /// `--aws-zone-type`.
    pub zone_type: Option<ZoneType>,
    /// `--aws-zone-match-parent`: a zone above a domain of the domain filter counts too.
    pub match_parent: bool,
    /// `--aws-zone-tags`: keys, with values where they matter; all must be there.
    pub tags: Vec<(String, Option<String>)>,
}

impl ZoneFilter {
    /// Whether this zone is looked at.
    #[must_use]
    pub fn admits(&self, zone: &Zone, domains: &DomainFilter) -> bool {
        let id = self.ids.is_empty() || self.ids.iter().any(|end| zone.id.as_str().ends_with(end.as_str()));
        let zone_type = match self.zone_type {
            None => true,
            Some(ZoneType::Public) => !zone.private,
            Some(ZoneType::Private) => zone.private,
        };
        let domain = domains.admits(&zone.name) || (self.match_parent && domains.is_below(&zone.name));
        id && zone_type && domain
    }
}

impl ZoneFilter {
    /// Whether a zone with these tags is looked at.
    #[must_use]
    pub fn admits_tags(&self, tags: &BTreeMap<String, String>) -> bool {
        self.tags.iter().all(|(key, wanted)| {
            let value = tags.get(key);
            value.is_some_and(|value| wanted.as_ref().is_none_or(|wanted| wanted == value))
        })
    }
}

/// Which names are looked at: `--domain-filter` and `--exclude-domains`. A
/// domain stands for itself and what is below it, one with a leading dot only
/// for what is below it.
#[derive(Clone, Debug, Default)]
pub struct DomainFilter {
    /// Empty for all.
    pub include: Vec<String>,
    /// Taken away again.
    pub exclude: Vec<String>,
    /// `--regex-domain-filter`: counts instead of the other two.
    pub regex: Option<Regex>,
    /// `--regex-domain-exclusion`: taken away from the regular expression again.
    pub regex_exclude: Option<Regex>,
}

impl DomainFilter {
    /// A filter of the texts of the two flags.
    #[must_use]
    pub fn new(include: &[String], exclude: &[String]) -> Self {
        let clean = |domains: &[String]| {
            let domains = domains.iter().map(|d| d.trim().trim_end_matches('.').to_ascii_lowercase());
            domains.filter(|d| !d.is_empty()).collect()
        };
        Self {
            include: clean(include),
            exclude: clean(exclude),
            ..Self::default()
        }
    }

    /// Whether this name is looked at.
    #[must_use]
    pub fn admits(&self, name: &DnsName) -> bool {
        if self.regex.is_some() || self.regex_exclude.is_some() {
            let matches = |regex: &Regex| regex.is_match(name.as_str());
            return self.regex.as_ref().is_none_or(matches) && !self.regex_exclude.as_ref().is_some_and(matches);
        }
        let matches = |domain: &String| {
            let Some(head) = name.as_str().strip_suffix(domain.as_str()) else {
                return false;
            };
            domain.starts_with('.') || head.is_empty() || head.ends_with('.')
        };
        let included = self.include.is_empty() || self.include.iter().any(matches);
        included && !self.exclude.iter().any(matches)
    }

    /// Whether a domain of the filter is below `zone`.
    fn is_below(&self, zone: &DnsName) -> bool {
        let below = format!(".{zone}");
        self.include.iter().any(|domain| domain.ends_with(&below))
    }
}

/// The zones in which a record of this name is kept: the public zone with the
/// longest suffix, and every private zone above the name, since each VPC sees
/// only those it is associated with. `pin` narrows it to one zone.
#[must_use]
pub fn zones_of<'a>(
    name: &DnsName,
    pin: Option<&ZoneId>,
    zones: &'a BTreeMap<ZoneId, Zone>,
) -> BTreeSet<&'a ZoneId> {
    let above = || zones.values().filter(|zone| name.is_within(&zone.name));
    let longest = above()
        .filter(|zone| !zone.private)
        .max_by(|a, b| {
            let length = a.name.as_str().len().cmp(&b.name.as_str().len());
            length.then_with(|| b.id.cmp(&a.id))
        });
    let private = above().filter(|zone| zone.private);
    let chosen = private.chain(longest).map(|zone| &zone.id);
    match pin {
        None => chosen.collect(),
        Some(pin) => above().map(|zone| &zone.id).filter(|id| *id == pin).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone(id: &str, name: &str, private: bool) -> (ZoneId, Zone) {
        let id = ZoneId::new(id);
        let name = DnsName::from_route53(name);
        (id.clone(), Zone { id, name, private })
    }

    fn chosen(name: &str, pin: Option<&str>, zones: &BTreeMap<ZoneId, Zone>) -> Vec<String> {
        let name = DnsName::from_route53(name);
        let pin = pin.map(ZoneId::new);
        zones_of(&name, pin.as_ref(), zones).into_iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_longest_public_zone_and_every_private_one() {
        let zones = BTreeMap::from([
            zone("Z1", "example.org.", false),
            zone("Z2", "a.example.org.", false),
            zone("Z3", "example.org.", true),
            zone("Z4", "a.example.org.", true),
            zone("Z5", "other.org.", false),
        ]);
        assert_eq!(chosen("x.a.example.org", None, &zones), ["Z2", "Z3", "Z4"]);
        assert_eq!(chosen("a.example.org", None, &zones), ["Z2", "Z3", "Z4"]);
        assert_eq!(chosen("xa.example.org", None, &zones), ["Z1", "Z3"]);
        assert_eq!(chosen("example.com", None, &zones), [""; 0]);
        assert_eq!(chosen("x.a.example.org", Some("Z1"), &zones), ["Z1"]);
        assert_eq!(chosen("x.a.example.org", Some("/hostedzone/Z5"), &zones), [""; 0]);
    }

    #[test]
    fn domain_filters_know_labels() {
        let filter = DomainFilter::new(&["Example.org.".into(), ".sub.net".into()], &["x.example.org".into()]);
        for (name, admitted) in [
            ("example.org", true),
            ("a.example.org", true),
            ("badexample.org", false),
            ("a.sub.net", true),
            ("sub.net", false),
            ("x.example.org", false),
            ("y.x.example.org", false),
        ] {
            assert_eq!(filter.admits(&DnsName::from_route53(name)), admitted, "{name}");
        }
    }

    #[test]
    fn regular_expressions_count_instead() {
        let filter = DomainFilter {
            regex: Some(Regex::new(r"^(a|b)\.example\.org$").unwrap()),
            regex_exclude: Some(Regex::new("^b").unwrap()),
            ..DomainFilter::new(&["other.org".into()], &[])
        };
        for (name, admitted) in [("a.example.org", true), ("b.example.org", false), ("x.other.org", false)] {
            assert_eq!(filter.admits(&DnsName::from_route53(name)), admitted, "{name}");
        }
    }

    #[test]
    fn a_zone_passes_by_id_type_and_domain() {
        let (_, zone) = zone("Z123ABC", "example.org", false);
        let domains = DomainFilter::default();
        let with = |ids: &[&str], zone_type| ZoneFilter {
            ids: ids.iter().map(|id| (*id).to_owned()).collect(),
            zone_type,
            ..ZoneFilter::default()
        };
        assert!(with(&["Z9", "ABC"], None).admits(&zone, &domains));
        assert!(!with(&["Z9"], None).admits(&zone, &domains));
        assert!(!with(&[], Some(ZoneType::Private)).admits(&zone, &domains));
        let below = DomainFilter::new(&["a.example.org".into()], &[]);
        assert!(!with(&[], None).admits(&zone, &below));
        let match_parent = ZoneFilter { match_parent: true, ..ZoneFilter::default() };
        assert!(match_parent.admits(&zone, &below));
    }
}
