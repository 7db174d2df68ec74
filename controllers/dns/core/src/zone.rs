//! Hosted zones, and which of them a name belongs to.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serialize;

use crate::DnsName;

mod filter;

pub use filter::{DomainFilter, ZoneFilter, ZoneType};

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
    let longest = above().filter(|zone| !zone.private).max_by(|a, b| {
        let length = a.name.as_str().len().cmp(&b.name.as_str().len());
        length.then_with(|| b.id.cmp(&a.id))
    });
    let private = above().filter(|zone| zone.private);
    let chosen = private.chain(longest).map(|zone| &zone.id);
    match pin {
        None => chosen.collect(),
        Some(pin) => above()
            .map(|zone| &zone.id)
            .filter(|id| *id == pin)
            .collect(),
    }
}

#[cfg(test)]
mod tests;
