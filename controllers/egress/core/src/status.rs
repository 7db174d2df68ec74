//! What each ConfigMap is told: the annotation `isthmus.dev/egress-status`.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::Ipv4Net;
use isthmus_core::ObjectRef;
use serde::{Deserialize, Serialize};

use crate::{Desired, Inventory, Planned, Stance, Zone};

mod verdict;

use verdict::View;

/// How many bytes of entries an answer has at most.
const MOST_BYTES: usize = 100_000;
/// About how many bytes of an entry are names and punctuation.
const NAMES_BYTES: usize = 80;

/// What has become of one ConfigMap. It holds no time, so it changes only when
/// something does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// Every entry, in the order of the keys.
    pub entries: Vec<EntryStatus>,
    /// How many more entries there are, where all would not fit in an annotation.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub entries_left_out: usize,
    /// The public addresses that traffic to the accepted entries comes from;
    /// empty while no entry is accepted.
    #[serde(rename = "publicIPs")]
    pub public_ips: Vec<String>,
    /// The same by zone, with the state of the NAT gateway.
    pub zones: Vec<ZoneStatus>,
}

/// What has become of one entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EntryStatus {
    /// The key of the ConfigMap's `data`.
    pub key: String,
    /// The entry as written.
    pub value: String,
    /// The network that it means.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<String>,
    /// How it stands.
    pub state: EntryState,
    /// Why it is not `accepted`, in one `CamelCase` word (`quota` where the table is full).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The same in a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// How an entry stands, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EntryState {
    /// Its routes are in place.
    Accepted,
    /// It will be routed once something has happened; `reason` says what.
    Pending,
    /// A route table has somebody else's route for it.
    Conflict,
    /// It must not be routed.
    Rejected,
}

/// A zone's part in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ZoneStatus {
    /// The availability zone.
    pub zone: String,
    /// The public address of its NAT gateway, once there is one.
    #[serde(rename = "publicIP", default, skip_serializing_if = "Option::is_none")]
    pub public_ip: Option<String>,
    /// The NAT gateway.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nat_gateway: Option<String>,
    /// `available`, `pending`, `failed` or `missing`.
    pub state: String,
    /// What is wrong with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// What carrying out a plan has done to the routes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// Routes made or moved: table and network.
    pub done: BTreeSet<(String, Ipv4Net)>,
    /// Routes that could not be.
    pub failed: BTreeMap<(String, Ipv4Net), RouteFailure>,
}

/// Why a route could not be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteFailure {
    /// EC2 said that the table is full.
    pub quota: bool,
    /// `Code: message`.
    pub message: String,
}

/// The status of every ConfigMap, in the order of namespace and name.
#[must_use]
pub fn status(
    desired: &Desired,
    planned: &Planned,
    inventory: &Inventory<'_>,
    applied: &Applied,
) -> Vec<(ObjectRef, Status)> {
    let zones = if desired.stance == Stance::Build {
        zone_statuses(planned, inventory)
    } else {
        Vec::new()
    };
    let view = View::new(planned, inventory, applied);
    let all = desired.lists.iter().map(|list| {
        let entries = list.entries.iter().map(|entry| view.entry(entry)).collect();
        let (entries, entries_left_out) = that_fit(entries);
        let wanted = list.entries.iter().any(|entry| entry.network.is_ok());
        let zones = if wanted { zones.clone() } else { Vec::new() };
        let public_ips = zones
            .iter()
            .filter_map(|zone| zone.public_ip.clone())
            .collect();
        (
            list.object.clone(),
            Status {
                entries,
                entries_left_out,
                public_ips,
                zones,
            },
        )
    });
    all.collect()
}

/// What fits in an annotation, in the order of the keys: Kubernetes allows
/// [256 KiB](https://kubernetes.io/docs/concepts/overview/working-with-objects/annotations/)
/// for all of an object. Accepted entries are left out before others.
fn that_fit(mut entries: Vec<EntryStatus>) -> (Vec<EntryStatus>, usize) {
    let all = entries.len();
    let mut excess = entries
        .iter()
        .map(EntryStatus::size)
        .sum::<usize>()
        .saturating_sub(MOST_BYTES);
    for accepted in [true, false] {
        while excess > 0
            && let Some(last) = entries
                .iter()
                .rposition(|entry| (entry.state == EntryState::Accepted) == accepted)
        {
            excess = excess.saturating_sub(entries.remove(last).size());
        }
    }
    let left_out = all - entries.len();
    (entries, left_out)
}

impl EntryStatus {
    /// About how many bytes it takes as JSON.
    fn size(&self) -> usize {
        let texts = [&self.network, &self.reason, &self.message];
        let texts = texts.into_iter().flatten().map(String::len);
        NAMES_BYTES + self.key.len() + self.value.len() + texts.sum::<usize>()
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "what serde calls")]
fn is_zero(number: &usize) -> bool {
    *number == 0
}

fn zone_statuses(planned: &Planned, inventory: &Inventory<'_>) -> Vec<ZoneStatus> {
    let zones = inventory.config.zones.iter();
    zones
        .map(|zone| zone_status(zone, planned, inventory))
        .collect()
}

fn zone_status(zone: &Zone, planned: &Planned, inventory: &Inventory<'_>) -> ZoneStatus {
    let holdings = inventory.zones.get(zone.name.as_str());
    let failed = holdings.is_some_and(|holdings| {
        let mut all = holdings.nat_gateways.values();
        all.any(|nat| nat.failure.is_some())
    });
    let serving = inventory.serving(zone);
    let allocation = serving.and_then(|(_, nat)| nat.allocation.as_ref());
    let address = allocation.and_then(|id| inventory.observed.addresses.get(id));
    let state = match serving {
        Some((_, nat)) => nat.state.as_str(),
        None if failed => "failed",
        None => "missing",
    };
    let problem = planned.problems.get(&zone.name);
    ZoneStatus {
        zone: zone.name.clone(),
        public_ip: address.map(|address| address.public_ip.clone()),
        nat_gateway: serving.map(|(id, _)| id.to_owned()),
        state: state.to_owned(),
        message: problem.map(|(_, message)| message.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(n: usize, state: EntryState) -> EntryStatus {
        EntryStatus {
            key: format!("key-{n:05}"),
            value: "203.0.113.0/24".into(),
            network: Some("203.0.113.0/24".into()),
            state,
            reason: None,
            message: None,
        }
    }

    #[test]
    fn an_answer_fits_in_an_annotation_and_what_is_wrong_is_in_it() {
        let all = (0..10_000).map(|n| {
            let wrong = n % 1000 == 999;
            entry(
                n,
                if wrong {
                    EntryState::Rejected
                } else {
                    EntryState::Accepted
                },
            )
        });
        let (entries, entries_left_out) = that_fit(all.collect());
        let rejected = entries
            .iter()
            .filter(|entry| entry.state == EntryState::Rejected);
        assert_eq!(rejected.count(), 10);
        assert_eq!(entries.len() + entries_left_out, 10_000);
        assert_eq!(entries[0].key, "key-00000");
        let status = Status {
            entries,
            entries_left_out,
            public_ips: Vec::new(),
            zones: Vec::new(),
        };
        let text = serde_json::to_string(&status).unwrap_or_default();
        assert!((60_000..100_000).contains(&text.len()), "{}", text.len());
        assert!(text.contains("entriesLeftOut"));
    }

    #[test]
    fn a_list_of_wrong_entries_fits_too() {
        let all = (0..10_000).map(|n| entry(n, EntryState::Rejected));
        let (entries, left_out) = that_fit(all.collect());
        assert!(!entries.is_empty() && left_out > 0);
        let (entries, left_out) = that_fit(vec![entry(1, EntryState::Accepted)]);
        assert_eq!((entries.len(), left_out), (1, 0));
    }
}
