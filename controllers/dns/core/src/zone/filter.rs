//! Which zones and names are looked at.

use std::collections::BTreeMap;

use regex::Regex;

use super::Zone;
use crate::DnsName;

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
        let id = self.ids.is_empty()
            || self
                .ids
                .iter()
                .any(|end| zone.id.as_str().ends_with(end.as_str()));
        let zone_type = match self.zone_type {
            None => true,
            Some(ZoneType::Public) => !zone.private,
            Some(ZoneType::Private) => zone.private,
        };
        let domain =
            domains.admits(&zone.name) || (self.match_parent && domains.is_below(&zone.name));
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
            let domains = domains
                .iter()
                .map(|d| d.trim().trim_end_matches('.').to_ascii_lowercase());
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
            return self.regex.as_ref().is_none_or(matches)
                && !self.regex_exclude.as_ref().is_some_and(matches);
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
