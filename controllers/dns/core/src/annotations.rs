//! The annotations of external-dns, under both of its prefixes.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use isthmus_core::GoDuration;

use crate::{DnsName, Routing, ZoneId};
pub(crate) use reader::Findings;
use reader::{Keys, Reader};
pub use reference::annotation_reference;

mod reader;
mod reference;
mod routing;

/// The prefix since version 0.22 of external-dns, and the one before. Both are
/// honoured at once; where they disagree the newer one wins.
pub const PREFIXES: [&str; 2] = [
    "external-dns.kubernetes.io/",
    "external-dns.alpha.kubernetes.io/",
];

/// The value of `controller` that does not hide an object.
const CONTROLLER: &str = "dns-controller";
/// Where load balancer controllers are told to make a dualstack load balancer.
const IP_ADDRESS_TYPES: [&str; 2] = [
    "alb.ingress.kubernetes.io/ip-address-type",
    "service.beta.kubernetes.io/aws-load-balancer-ip-address-type",
];

/// What an object's annotations ask for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wishes {
    pub(crate) hostnames: Vec<String>,
    pub(crate) internal_hostnames: Vec<String>,
    pub(crate) hostname_source: HostnameSource,
    pub(crate) access: Option<Access>,
    pub(crate) endpoints_type: EndpointsType,
    pub(crate) targets: Option<Targets>,
    pub(crate) ttl: Option<u32>,
    pub(crate) set_identifier: Option<String>,
    pub(crate) routing: Routing,
    pub(crate) health_check: Option<String>,
    pub(crate) alias: Option<bool>,
    pub(crate) alias_types: AliasTypes,
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

/// `access`: which addresses of its nodes a node port is published at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    Public,
    Private,
}

/// `endpoints-type`: what stands for the pods of a headless Service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum EndpointsType {
    #[default]
    /// Its own address.
    Pod,
    /// The address of its host.
    Host,
    /// The external addresses of its node.
    Node,
}

/// Which record types an alias has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum AliasTypes {
    /// A, and AAAA as `--alias-ipv6` says.
    #[default]
    ByFlag,
    /// A alone.
    A,
    /// AAAA alone.
    Aaaa,
    /// A and AAAA.
    Both,
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

    pub(crate) fn merge(&mut self, other: &Self) {
        self.v4.extend(&other.v4);
        self.v6.extend(&other.v6);
        self.hosts.extend(other.hosts.iter().cloned());
    }

    /// Reads a list of addresses and host names; `None` if something in it is neither.
    #[must_use]
    pub fn parse(texts: &[String]) -> Option<Self> {
        let mut targets = Self::default();
        texts.iter().try_for_each(|text| targets.add(text.trim()))?;
        Some(targets)
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
    let reader = Reader::new(Keys::Annotations, annotations);
    reader
        .get("controller")
        .is_some_and(|controller| controller != CONTROLLER)
}

/// Reads all annotations of an object, and everything that is wrong with them.
pub(crate) fn read(annotations: &BTreeMap<String, String>) -> (Wishes, Findings) {
    let mut reader = Reader::new(Keys::Annotations, annotations);
    let set_identifier = text(&mut reader, "set-identifier");
    let wishes = Wishes {
        hostnames: reader.get("hostname").map(list).unwrap_or_default(),
        internal_hostnames: reader
            .get("internal-hostname")
            .map(list)
            .unwrap_or_default(),
        hostname_source: hostname_source(&mut reader),
        access: reader.parse("access", "public, private", |v| match v {
            "public" => Some(Access::Public),
            "private" => Some(Access::Private),
            _ => None,
        }),
        endpoints_type: endpoints_type(&mut reader),
        targets: reader.parse(
            "target",
            "addresses and host names, with commas between",
            targets,
        ),
        ttl: reader.parse(
            "ttl",
            "seconds, or a duration such as 1m, from 1s to 2147483647s",
            ttl,
        ),
        dualstack: IP_ADDRESS_TYPES.iter().any(|key| {
            annotations
                .get(*key)
                .is_some_and(|kind| kind.starts_with("dualstack"))
        }),
        ..answer(&mut reader, set_identifier)
    };
    (wishes, reader.finish())
}

/// Reads what a record of a DNSEndpoint says in `providerSpecific`.
pub(crate) fn read_properties(
    properties: &BTreeMap<String, String>,
    set_identifier: Option<String>,
) -> (Wishes, Findings) {
    let mut reader = Reader::new(Keys::Properties, properties);
    let wishes = answer(&mut reader, set_identifier);
    (wishes, reader.finish())
}

/// How a name is answered: what annotations and properties share.
fn answer(reader: &mut Reader<'_>, set_identifier: Option<String>) -> Wishes {
    let routing = routing::read(reader, set_identifier.is_some());
    let alias = reader.parse("alias", "true, false, A, AAAA", |v| match v {
        "true" => Some((true, AliasTypes::ByFlag)),
        "false" => Some((false, AliasTypes::ByFlag)),
        "A" => Some((true, AliasTypes::A)),
        "AAAA" => Some((true, AliasTypes::Aaaa)),
        _ => None,
    });
    Wishes {
        set_identifier,
        routing,
        health_check: text(reader, "aws-health-check-id"),
        alias: alias.map(|(alias, _)| alias),
        alias_types: alias.map(|(_, types)| types).unwrap_or_default(),
        evaluate_target_health: reader.boolean("aws-evaluate-target-health"),
        target_zone: text(reader, "aws-target-hosted-zone"),
        pin: text(reader, "aws-hosted-zone-id").map(|id| ZoneId::new(&id)),
        ..Wishes::default()
    }
}

fn text(reader: &mut Reader<'_>, key: &str) -> Option<String> {
    reader.parse(key, "a text that is not empty", |v| {
        (!v.trim().is_empty()).then(|| v.trim().to_owned())
    })
}

fn hostname_source(reader: &mut Reader<'_>) -> HostnameSource {
    let allowed = "defined-hosts-only, annotation-only";
    let source = reader.parse("ingress-hostname-source", allowed, |v| {
        match v.to_ascii_lowercase().as_str() {
            "defined-hosts-only" => Some(HostnameSource::DefinedHostsOnly),
            "annotation-only" => Some(HostnameSource::AnnotationOnly),
            _ => None,
        }
    });
    source.unwrap_or_default()
}

fn endpoints_type(reader: &mut Reader<'_>) -> EndpointsType {
    let kind = reader.parse("endpoints-type", "NodeExternalIP, HostIP", |v| match v {
        "NodeExternalIP" => Some(EndpointsType::Node),
        "HostIP" => Some(EndpointsType::Host),
        _ => None,
    });
    kind.unwrap_or_default()
}

/// The targets that a Pod's annotation names in place of its address.
pub(crate) fn pod_targets(annotations: &BTreeMap<String, String>) -> Option<Targets> {
    targets(Reader::new(Keys::Annotations, annotations).get("target")?)
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
