//! Record sets, as Route 53 keeps them and as they are wanted.

use std::collections::BTreeSet;
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use crate::{DnsName, Routing};

mod record_type;

pub use record_type::{RecordType, UnknownRecordType};

/// What makes a record set the same one within a zone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordKey {
    /// The name.
    pub name: DnsName,
    /// The type.
    pub record_type: RecordType,
    /// Tells record sets with a routing policy apart; `None` for a simple one.
    pub set_identifier: Option<String>,
}

impl fmt::Display for RecordKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.record_type)?;
        match &self.set_identifier {
            Some(set) => write!(f, " [{set}]"),
            None => Ok(()),
        }
    }
}

/// A record set, with everything that a deletion has to repeat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordSet {
    /// Which one it is.
    pub key: RecordKey,
    /// The routing policy.
    pub routing: Routing,
    /// The health check that decides whether it is answered.
    pub health_check: Option<String>,
    /// What it answers.
    pub data: RecordData,
}

/// What a record set answers, spelled as it was read or as it is to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordData {
    /// Values of its own.
    Values {
        /// Seconds that resolvers may keep the answer.
        ttl: u32,
        /// In the spelling and the order that were read.
        values: Vec<String>,
    },
    /// The answers of an AWS resource or of another record set, without a TTL of its own.
    Alias(Alias),
}

/// The target of an [alias](https://docs.aws.amazon.com/Route53/latest/APIReference/API_AliasTarget.html).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alias {
    /// The name of the target, in the spelling that was read.
    pub target: String,
    /// The hosted zone of the target, for a load balancer that of its service and region.
    pub zone: String,
    /// Whether the target's health decides about the answer.
    pub evaluate_target_health: bool,
}

impl RecordData {
    /// Whether it is an alias.
    #[must_use]
    pub fn is_alias(&self) -> bool {
        matches!(self, Self::Alias(_))
    }
}

impl RecordSet {
    /// Whether Route 53 has nothing to change to make `self` out of `other`:
    /// case and dots of names, escapes, spellings of addresses and the order of
    /// values do not count, nor does the TTL if `self` does not insist on it.
    #[must_use]
    pub fn same_as(&self, other: &Self, insist_on_ttl: bool) -> bool {
        let data = match (&self.data, &other.data) {
            (RecordData::Alias(a), RecordData::Alias(b)) => {
                DnsName::from_route53(&a.target) == DnsName::from_route53(&b.target)
                    && a.zone == b.zone
                    && a.evaluate_target_health == b.evaluate_target_health
            }
            (RecordData::Values { ttl: a, .. }, RecordData::Values { ttl: b, .. }) => {
                (a == b || !insist_on_ttl) && self.values() == other.values()
            }
            _ => false,
        };
        data && self.key == other.key
            && self.routing == other.routing
            && self.health_check == other.health_check
    }

    /// The values in one spelling; none for an alias.
    fn values(&self) -> BTreeSet<String> {
        let RecordData::Values { values, .. } = &self.data else {
            return BTreeSet::new();
        };
        let record_type = &self.key.record_type;
        values
            .iter()
            .map(|value| normal(record_type, value))
            .collect()
    }

    /// How many `ResourceRecord` elements a change that names it has.
    #[must_use]
    pub fn value_count(&self) -> usize {
        match &self.data {
            RecordData::Values { values, .. } => values.len(),
            RecordData::Alias(_) => 0,
        }
    }

    /// How many characters its `Value` elements have.
    #[must_use]
    pub fn value_chars(&self) -> usize {
        match &self.data {
            RecordData::Values { values, .. } => values.iter().map(|v| v.chars().count()).sum(),
            RecordData::Alias(_) => 0,
        }
    }
}

/// A value in the spelling in which equal values are equal texts.
fn normal(record_type: &RecordType, value: &str) -> String {
    let value = value.trim();
    match record_type {
        RecordType::A => match value.parse::<Ipv4Addr>() {
            Ok(address) => address.to_string(),
            Err(_) => value.to_owned(),
        },
        RecordType::Aaaa => match value.parse::<Ipv6Addr>() {
            Ok(address) => address.to_string(),
            Err(_) => value.to_owned(),
        },
        RecordType::Cname | RecordType::Ns | RecordType::Ptr => {
            DnsName::from_route53(value).to_string()
        }
        RecordType::Mx | RecordType::Srv => match value.rsplit_once(char::is_whitespace) {
            Some((numbers, host)) => {
                let numbers: Vec<_> = numbers.split_whitespace().collect();
                format!("{} {}", numbers.join(" "), DnsName::from_route53(host))
            }
            None => value.to_owned(),
        },
        RecordType::Txt | RecordType::Naptr | RecordType::Other(_) => value.to_owned(),
    }
}

impl fmt::Display for RecordSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.data {
            RecordData::Values { ttl, values } => write!(f, "{} ttl {ttl}", values.join(", "))?,
            RecordData::Alias(alias) => {
                write!(f, "alias {}", DnsName::from_route53(&alias.target))?;
                if !alias.evaluate_target_health {
                    f.write_str(" whatever its health")?;
                }
            }
        }
        if self.routing != Routing::Simple {
            write!(f, " {}", self.routing)?;
        }
        match &self.health_check {
            Some(id) => write!(f, " health check {id}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
