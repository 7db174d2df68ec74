//! The annotations of external-dns, under both of its prefixes.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use isthmus_core::{AnnotationError, Annotations, GoDuration};

use crate::{DnsName, Routing, ZoneId};

mod routing;

/// The prefix since version 0.22 of external-dns, and the one before. Both are
/// honoured at once; where they disagree the newer one wins.
pub const PREFIXES: [&str; 2] = ["external-dns.kubernetes.io/", "external-dns.alpha.kubernetes.io/"];

/// The value of `controller` that does not hide an object.
const CONTROLLER: &str = "dns-controller";
/// Where the ingress controllers are told to make a dualstack load balancer.
const IP_ADDRESS_TYPE: &str = "alb.ingress.kubernetes.io/ip-address-type";

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

/// What an object's annotations ask for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wishes {
    pub(crate) hostnames: Vec<String>,
    pub(crate) hostname_source: HostnameSource,
    pub(crate) targets: Option<Targets>,
    pub(crate) ttl: Option<u32>,
    pub(crate) set_identifier: Option<String>,
    pub(crate) routing: Routing,
    pub(crate) health_check: Option<String>,
    pub(crate) alias: Option<bool>,
    pub(crate) evaluate_target_health: Option<bool>,
    pub(crate) target_zone: Option<String>,
    pub(crate) pin: Option<ZoneId>,
    pub(crate) dualstack: bool,
}

/// `ingress-hostname-source`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum HostnameSource {
    #[default]
    Both,
    DefinedHostsOnly,
    AnnotationOnly,
}

/// What names point to.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Targets {
    /// They become an A record.
    pub v4: BTreeSet<Ipv4Addr>,
    /// They become an AAAA record.
    pub v6: BTreeSet<Ipv6Addr>,
    /// They become an alias or a CNAME.
    pub hosts: BTreeSet<DnsName>,
}

impl Targets {
    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn len(&self) -> usize {
        self.v4.len() + self.v6.len() + self.hosts.len()
    }

    pub(crate) fn add_ip(&mut self, ip: IpAddr) {
        match ip {
            IpAddr::V4(ip) => self.v4.insert(ip),
            IpAddr::V6(ip) => self.v6.insert(ip),
        };
    }

    /// An address, or a host name; `None` for neither.
    pub(crate) fn add(&mut self, text: &str) -> Option<()> {
        match text.parse() {
            Ok(ip) => self.add_ip(ip),
            Err(_) => {
                self.hosts.insert(DnsName::parse(text).ok()?);
            }
        }
        Some(())
    }
}

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

/// Whether the annotations give the object to another controller.
pub(crate) fn is_hidden(annotations: &BTreeMap<String, String>) -> bool {
    let reader = Reader::new(annotations);
    reader.get("controller").is_some_and(|controller| controller != CONTROLLER)
}

/// Reads all annotations of an object, and everything that is wrong with them.
pub(crate) fn read(annotations: &BTreeMap<String, String>) -> (Wishes, Findings) {
    let mut reader = Reader::new(annotations);
    let text = |reader: &mut Reader<'_>, key: &str| {
        reader.parse(key, "a text that is not empty", |v| (!v.trim().is_empty()).then(|| v.trim().to_owned()))
    };
    let hostnames = reader.get("hostname").map(list).unwrap_or_default();
    let hostname_source = reader.parse("ingress-hostname-source", "defined-hosts-only, annotation-only", |v| {
        match v.to_ascii_lowercase().as_str() {
            "defined-hosts-only" => Some(HostnameSource::DefinedHostsOnly),
            "annotation-only" => Some(HostnameSource::AnnotationOnly),
            _ => None,
        }
    });
    let targets = reader.parse("target", "addresses and host names, with commas between", targets);
    let ttl = reader.parse("ttl", "seconds, or a duration such as 1m, from 1s to 2147483647s", ttl);
    let set_identifier = text(&mut reader, "set-identifier");
    let routing = routing::read(&mut reader, set_identifier.is_some());
    let wishes = Wishes {
        hostnames,
        hostname_source: hostname_source.unwrap_or_default(),
        targets,
        ttl,
        set_identifier,
        routing,
        health_check: text(&mut reader, "aws-health-check-id"),
        alias: reader.boolean("alias"),
        evaluate_target_health: reader.boolean("aws-evaluate-target-health"),
        target_zone: text(&mut reader, "aws-target-hosted-zone"),
        pin: text(&mut reader, "aws-hosted-zone-id").map(|id| ZoneId::new(&id)),
        dualstack: annotations.get(IP_ADDRESS_TYPE).is_some_and(|kind| kind.starts_with("dualstack")),
    };
    (wishes, reader.finish())
}

/// A reader of short keys, under whichever prefix they are.
struct Reader<'a> {
    map: &'a BTreeMap<String, String>,
    inner: Annotations<'a>,
}

impl<'a> Reader<'a> {
    fn new(map: &'a BTreeMap<String, String>) -> Self {
        Self {
            map,
            inner: Annotations::new(Some(map)),
        }
    }

    /// The full key: of the prefixes that have it, the newer one's.
    fn key(&self, short: &str) -> String {
        let full = PREFIXES.map(|prefix| format!("{prefix}{short}"));
        let [newer, older] = full;
        if !self.map.contains_key(&newer) && self.map.contains_key(&older) {
            older
        } else {
            newer
        }
    }

    fn get(&self, short: &str) -> Option<&'a str> {
        self.inner.get(&self.key(short))
    }

    fn parse<T>(&mut self, short: &str, allowed: &str, parse: impl FnOnce(&'a str) -> Option<T>) -> Option<T> {
        let key = self.key(short);
        self.inner.parse(&key, allowed, parse)
    }

    fn boolean(&mut self, short: &str) -> Option<bool> {
        let key = self.key(short);
        self.inner.boolean(&key)
    }

    fn reject(&mut self, short: &str, allowed: &str) {
        let key = self.key(short);
        let value = self.inner.get(&key).unwrap_or_default();
        self.inner.reject(&key, value, allowed);
    }

    fn finish(self) -> Findings {
        let mut findings = Findings::default();
        for (key, value) in self.map {
            let Some((prefix, short)) = PREFIXES.iter().find_map(|p| Some((*p, key.strip_prefix(p)?))) else {
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
        findings.errors = self.inner.finish().err().unwrap_or_default();
        findings
    }
}

/// The items of a comma list, without spaces and without dots at the end.
fn list(text: &str) -> Vec<String> {
    let items = text.split(',').map(|item| item.replace(' ', ""));
    let items = items.map(|item| item.trim_end_matches('.').to_owned());
    items.filter(|item| !item.is_empty()).collect()
}

fn targets(text: &str) -> Option<Targets> {
    let mut targets = Targets::default();
    for item in list(text) {
        targets.add(&item)?;
    }
    (!targets.is_empty()).then_some(targets)
}

/// Whole seconds; fractions are cut.
fn ttl(text: &str) -> Option<u32> {
    const MOST: u64 = i32::MAX as u64;
    let text = text.trim();
    let seconds = match text.parse::<u64>() {
        Ok(seconds) => seconds,
        Err(_) => text.parse::<GoDuration>().ok()?.0.as_secs(),
    };
    (1..=MOST).contains(&seconds).then_some(seconds as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        let key = |key: &str| match key.strip_prefix("old:") {
            Some(key) => format!("{}{key}", PREFIXES[1]),
            None => format!("{}{key}", PREFIXES[0]),
        };
        pairs.iter().map(|(k, v)| (key(k), (*v).to_owned())).collect()
    }

    #[test]
    fn both_prefixes_count_and_the_newer_one_wins() {
        let (wishes, findings) = read(&map(&[("old:hostname", "a.org, b.org.,,"), ("old:ttl", "60"), ("ttl", "2m")]));
        assert_eq!(wishes.hostnames, ["a.org", "b.org"]);
        assert_eq!(wishes.ttl, Some(120));
        assert_eq!(findings.conflicts, ["ttl"]);
        assert!(findings.errors.is_empty());
    }

    #[test]
    fn forms_of_a_ttl() {
        for (text, seconds) in [("60", Some(60)), ("1h30m", Some(5400)), ("1500ms", Some(1)), ("2147483647", Some(2_147_483_647))] {
            assert_eq!(ttl(text), seconds, "{text}");
        }
        for text in ["0", "-1", "500ms", "2147483648", "1d", ""] {
            assert_eq!(ttl(text), None, "{text}");
        }
    }

    #[test]
    fn targets_are_addresses_or_names() {
        let found = targets("10.0.0.1, 2001:db8::1,LB.example.com.").unwrap();
        assert_eq!((found.v4.len(), found.v6.len(), found.hosts.len()), (1, 1, 1));
        assert_eq!(targets(" , "), None);
        assert_eq!(targets("a b,c_d!"), None);
    }

    #[test]
    fn every_mistake_is_told() {
        let (_, findings) = read(&map(&[
            ("ttl", "soon"),
            ("alias", "TRUE"),
            ("aws-weight", "heavy"),
            ("aws-wieght", "1"),
            ("ingress-hostname-source", "all"),
        ]));
        let keys: Vec<_> = findings.errors.iter().map(|e| e.key.rsplit('/').next().unwrap()).collect();
        assert_eq!(keys, ["ingress-hostname-source", "ttl", "aws-weight", "alias"]);
        assert_eq!(findings.unknown, [format!("{}aws-wieght", PREFIXES[0])]);
    }

    #[test]
    fn another_controllers_objects_are_hidden() {
        assert!(is_hidden(&map(&[("controller", "other")])));
        assert!(is_hidden(&map(&[("old:controller", "other")])));
        assert!(!is_hidden(&map(&[("controller", "dns-controller")])));
        assert!(!is_hidden(&map(&[])));
    }
}
