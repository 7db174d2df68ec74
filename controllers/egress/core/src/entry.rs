//! From the text of a ConfigMap to networks.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net};

use crate::Guards;

/// One network asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The key of the ConfigMap's `data`.
    pub key: String,
    /// The text as written, cut where it is very long.
    pub value: String,
    /// The network in its canonical form (host bits cleared), or why not.
    pub network: Result<Ipv4Net, Refusal>,
}

/// Why an entry is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// One of a closed set: the Event's reason.
    pub reason: &'static str,
    /// One sentence.
    pub message: String,
}

impl Refusal {
    /// Not a network in CIDR notation.
    pub const INVALID_CIDR: &str = "InvalidCidr";
    /// IPv6: a NAT gateway translates IPv4.
    pub const IPV6: &str = "Ipv6NotSupported";
    /// All traffic.
    pub const DEFAULT_ROUTE: &str = "DefaultRoute";
    /// Too large a network.
    pub const PREFIX_TOO_SHORT: &str = "PrefixTooShort";
    /// Overlaps with private or shared address space.
    pub const PRIVATE_RANGE: &str = "PrivateRange";
    /// Overlaps with a range that is never routed.
    pub const RESERVED_RANGE: &str = "ReservedRange";
    /// Overlaps with the VPC.
    pub const VPC_RANGE: &str = "VpcRange";
    /// More than a namespace may ask for.
    pub const NAMESPACE_LIMIT: &str = "NamespaceLimit";

    pub(crate) fn new(reason: &'static str, message: impl Into<String>) -> Self {
        Self {
            reason,
            message: message.into(),
        }
    }
}

/// Ranges of the [IANA registry](https://www.iana.org/assignments/iana-ipv4-special-registry)
/// that must not leave through a NAT gateway.
const SPECIAL: [(&str, &str, &str); 9] = [
    (
        "0.0.0.0/8",
        Refusal::RESERVED_RANGE,
        "\"this network\" (RFC 791)",
    ),
    ("10.0.0.0/8", Refusal::PRIVATE_RANGE, "private (RFC 1918)"),
    (
        "100.64.0.0/10",
        Refusal::PRIVATE_RANGE,
        "shared address space (RFC 6598)",
    ),
    (
        "127.0.0.0/8",
        Refusal::RESERVED_RANGE,
        "loopback (RFC 1122)",
    ),
    (
        "169.254.0.0/16",
        Refusal::RESERVED_RANGE,
        "link-local (RFC 3927)",
    ),
    (
        "172.16.0.0/12",
        Refusal::PRIVATE_RANGE,
        "private (RFC 1918)",
    ),
    (
        "192.168.0.0/16",
        Refusal::PRIVATE_RANGE,
        "private (RFC 1918)",
    ),
    (
        "224.0.0.0/4",
        Refusal::RESERVED_RANGE,
        "multicast (RFC 5771)",
    ),
    (
        "240.0.0.0/4",
        Refusal::RESERVED_RANGE,
        "reserved (RFC 1112)",
    ),
];

/// Every network that a ConfigMap's `data` asks for, in the order of its keys. A
/// value is one network, or several separated by commas, spaces or newlines.
#[must_use]
pub fn entries(
    data: &BTreeMap<String, String>,
    guards: &Guards,
    vpc_cidrs: &[Ipv4Net],
) -> Vec<Entry> {
    let mut found = Vec::new();
    for (key, value) in data {
        let mut words = value
            .split(|c: char| c == ',' || c.is_whitespace())
            .filter(|word| !word.is_empty())
            .peekable();
        if words.peek().is_none() {
            let refusal =
                Refusal::new(Refusal::INVALID_CIDR, format!("{key} is empty; {EXPECTED}"));
            found.push(entry(key, value.trim(), Err(refusal)));
        }
        found.extend(words.map(|word| entry(key, word, network(word, guards, vpc_cidrs))));
    }
    found
}

const EXPECTED: &str = "write a network in CIDR notation, such as 203.0.113.0/24";

fn entry(key: &str, value: &str, network: Result<Ipv4Net, Refusal>) -> Entry {
    Entry {
        key: key.to_owned(),
        value: cut(value),
        network,
    }
}

/// A value may be a whole file put there by mistake.
fn cut(value: &str) -> String {
    const MOST: usize = 64;
    match value.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &value[..end]),
        None => value.to_owned(),
    }
}

fn network(text: &str, guards: &Guards, vpc_cidrs: &[Ipv4Net]) -> Result<Ipv4Net, Refusal> {
    let network = parse(text)?;
    let refuse = |reason, why: String| Err(Refusal::new(reason, format!("{network} {why}")));
    if network.prefix_len() == 0 {
        return refuse(
            Refusal::DEFAULT_ROUTE,
            "is every address; name the networks that need a fixed source address".into(),
        );
    }
    if network.prefix_len() < guards.min_prefix_len {
        let shortest = guards.min_prefix_len;
        return refuse(
            Refusal::PREFIX_TOO_SHORT,
            format!(
                "is too large; the shortest prefix allowed is /{shortest} (--min-prefix-length)"
            ),
        );
    }
    for (range, reason, name) in SPECIAL {
        if range.parse().is_ok_and(|range| overlap(&network, &range)) {
            return refuse(reason, format!("overlaps with {range}, which is {name}"));
        }
    }
    if let Some(own) = vpc_cidrs.iter().find(|own| overlap(&network, own)) {
        return refuse(
            Refusal::VPC_RANGE,
            format!("overlaps with the VPC's own network {own}"),
        );
    }
    Ok(network)
}

fn parse(text: &str) -> Result<Ipv4Net, Refusal> {
    let shown = cut(text);
    match text.parse::<IpNet>() {
        Ok(IpNet::V4(network)) => Ok(network.trunc()),
        Ok(IpNet::V6(_)) => Err(Refusal::new(
            Refusal::IPV6,
            format!(
                "{shown} is IPv6, which a NAT gateway does not translate; only IPv4 is supported"
            ),
        )),
        Err(_) => {
            let help = match text.parse::<IpAddr>() {
                Ok(IpAddr::V4(address)) => format!("write {address}/32 for a single address"),
                _ => EXPECTED.to_owned(),
            };
            let message = format!("{shown:?} is not a network; {help}");
            Err(Refusal::new(Refusal::INVALID_CIDR, message))
        }
    }
}

/// Whether two networks have an address in common.
pub(crate) fn overlap(a: &Ipv4Net, b: &Ipv4Net) -> bool {
    a.contains(b) || b.contains(a)
}

#[cfg(test)]
mod tests;
