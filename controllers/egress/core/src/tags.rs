//! The tags that are read and written.

use std::collections::{BTreeMap, BTreeSet};

use crate::{Config, Tags};

/// On everything made here: the availability zone it serves. Elastic IPs have no
/// zone of their own, and a route table loses its own with its last association.
pub const ZONE_TAG: &str = "isthmus.dev/zone";

/// On an Elastic IP: the NAT gateways made with it, separated by spaces.
pub const NAT_GATEWAYS_TAG: &str = "isthmus.dev/nat-gateways";

/// On an Elastic IP that was handed over by `--eip-allocation-id`: it is never released.
pub const ADOPTED_TAG: &str = "isthmus.dev/adopted";

/// On a route table of the operator's: `Type=dmz` makes it one that gets routes.
pub const TYPE_TAG: &str = "Type";

/// The value of [`TYPE_TAG`] that is looked for.
pub const DMZ: &str = "dmz";

/// On a route table of the operator's: whose zone's NAT gateway it uses.
pub const TABLE_ZONE_TAG: &str = "AvailabilityZone";

/// What EC2 shows as the name.
pub const NAME_TAG: &str = "Name";

/// How many NAT gateways [`NAT_GATEWAYS_TAG`] holds: a tag's value has at most
/// 256 characters, an id 21 and a space.
pub const MOST_REMEMBERED: usize = 11;

/// The tags that something of a zone must have: ownership, the operator's and the zone.
#[must_use]
pub fn required(config: &Config, zone: &str) -> Tags {
    let mut tags = config.additional_tags.clone();
    tags.extend(config.ownership.tags());
    tags.insert(ZONE_TAG.to_owned(), zone.to_owned());
    tags
}

/// The tags that something new in a zone is created with.
#[must_use]
pub fn for_new(config: &Config, zone: &str) -> Tags {
    let mut tags = BTreeMap::from([(NAME_TAG.to_owned(), format!("nat-{zone}"))]);
    tags.extend(required(config, zone));
    tags
}

/// Those of `wanted` that `present` lacks or has otherwise.
#[must_use]
pub fn missing(wanted: &Tags, present: &Tags) -> Tags {
    wanted
        .iter()
        .filter(|(key, value)| present.get(*key) != Some(value))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

/// The NAT gateways that an Elastic IP with these tags remembers.
#[must_use]
pub fn remembered(tags: &Tags) -> BTreeSet<String> {
    tags.get(NAT_GATEWAYS_TAG)
        .map(|ids| ids.split_whitespace().map(str::to_owned).collect())
        .unwrap_or_default()
}

/// `key=value` of every tag, for a plan.
pub(crate) fn display(tags: &Tags) -> String {
    let pairs: Vec<_> = tags.iter().map(|(k, v)| format!("{k}={v}")).collect();
    pairs.join(", ")
}
