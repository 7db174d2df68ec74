//! The annotations of external-dns, under both of its prefixes.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use isthmus_core::GoDuration;

use crate::{DnsName, Routing, ZoneId};
pub(crate) use reader::Findings;
use reader::Reader;

mod reader;
mod routing;

/// The prefix since version 0.22 of external-dns, and the one before. Both are
/// honoured at once; where they disagree the newer one wins.
pub const PREFIXES: [&str; 2] = [
    "external-dns.kubernetes.io/",
    "external-dns.alpha.kubernetes.io/",
];

/// The value of `controller` that does not hide an object.
const CONTROLLER: &str = "dns-controller";
/// Where the ingress controllers are told to make a dualstack load balancer.
const IP_ADDRESS_TYPE: &str = "alb.ingress.kubernetes.io/ip-address-type";

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

/// Whether the annotations give the object to another controller.
pub(crate) fn is_hidden(annotations: &BTreeMap<String, String>) -> bool {
    let reader = Reader::new(annotations);
    reader
        .get("controller")
        .is_some_and(|controller| controller != CONTROLLER)
}

/// Reads all annotations of an object, and everything that is wrong with them.
pub(crate) fn read(annotations: &BTreeMap<String, String>) -> (Wishes, Findings) {
    let mut reader = Reader::new(annotations);
    let text = |reader: &mut Reader<'_>, key: &str| {
        reader.parse(key, "a text that is not empty", |v| {
            (!v.trim().is_empty()).then(|| v.trim().to_owned())
        })
    };
    let hostnames = reader.get("hostname").map(list).unwrap_or_default();
    let hostname_source = reader.parse(
        "ingress-hostname-source",
        "defined-hosts-only, annotation-only",
        |v| match v.to_ascii_lowercase().as_str() {
            "defined-hosts-only" => Some(HostnameSource::DefinedHostsOnly),
            "annotation-only" => Some(HostnameSource::AnnotationOnly),
            _ => None,
        },
    );
    let targets = reader.parse(
        "target",
        "addresses and host names, with commas between",
        targets,
    );
    let ttl = reader.parse(
        "ttl",
        "seconds, or a duration such as 1m, from 1s to 2147483647s",
        ttl,
    );
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
        dualstack: annotations
            .get(IP_ADDRESS_TYPE)
            .is_some_and(|kind| kind.starts_with("dualstack")),
    };
    (wishes, reader.finish())
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
mod tests;
