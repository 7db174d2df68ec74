//! What each ConfigMap is told: the annotation `isthmus.dev/egress-status`.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::Ipv4Net;
use isthmus_core::ObjectRef;
use serde::{Deserialize, Serialize};

use crate::{Desired, Entry, Inventory, Planned, RouteState, Stance, Zone, withheld};

/// What has become of one ConfigMap. It holds no time, so it changes only when
/// something does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// Every entry, in the order of the keys.
    pub entries: Vec<EntryStatus>,
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

struct Verdict {
    state: EntryState,
    reason: Option<&'static str>,
    message: Option<String>,
}

impl Verdict {
    fn accepted(message: Option<String>) -> Self {
        Self {
            state: EntryState::Accepted,
            reason: None,
            message,
        }
    }

    fn new(state: EntryState, reason: &'static str, message: impl Into<String>) -> Self {
        let message = Some(message.into());
        Self {
            state,
            reason: Some(reason),
            message,
        }
    }
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
    let view = View {
        planned,
        inventory,
        applied,
    };
    let all = desired.lists.iter().map(|list| {
        let entries: Vec<_> = list.entries.iter().map(|entry| view.entry(entry)).collect();
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
                public_ips,
                zones,
            },
        )
    });
    all.collect()
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

struct View<'a> {
    planned: &'a Planned,
    inventory: &'a Inventory<'a>,
    applied: &'a Applied,
}

impl View<'_> {
    fn entry(&self, entry: &Entry) -> EntryStatus {
        let verdict = match &entry.network {
            Err(refusal) => Verdict::new(
                EntryState::Rejected,
                refusal.reason,
                refusal.message.clone(),
            ),
            Ok(network) => self.network(network),
        };
        EntryStatus {
            key: entry.key.clone(),
            value: entry.value.clone(),
            network: entry.network.as_ref().ok().map(Ipv4Net::to_string),
            state: verdict.state,
            reason: verdict.reason.map(str::to_owned),
            message: verdict.message,
        }
    }

    /// The worst verdict of all tables.
    fn network(&self, network: &Ipv4Net) -> Verdict {
        let tables = self
            .inventory
            .dmz_tables()
            .filter(|table| table.zone.is_some());
        let verdicts = tables.map(|table| self.in_table(table.id, network));
        verdicts
            .reduce(|worst, next| {
                if next.state > worst.state {
                    next
                } else {
                    worst
                }
            })
            .unwrap_or_else(|| {
                let vpc = &self.inventory.observed.vpc.id;
                let message = format!("no route table of {vpc} gets routes");
                Verdict::new(EntryState::Pending, Planned::NO_ROUTE_TABLE, message)
            })
    }

    fn in_table(&self, table: &str, network: &Ipv4Net) -> Verdict {
        let key = (table.to_owned(), *network);
        if let Some(failure) = self.applied.failed.get(&key) {
            let reason = if failure.quota {
                withheld::QUOTA
            } else {
                "Failed"
            };
            return Verdict::new(
                EntryState::Pending,
                reason,
                format!("{table}: {}", failure.message),
            );
        }
        match self.planned.routes.get(&key) {
            Some(RouteState::InPlace) => Verdict::accepted(None),
            Some(RouteState::Planned) if self.applied.done.contains(&key) => {
                Verdict::accepted(None)
            }
            Some(RouteState::CoveredBy(cover)) => match self.in_table(table, cover) {
                accepted if accepted.state == EntryState::Accepted => {
                    Verdict::accepted(Some(format!("part of {cover}, which is asked for too")))
                }
                verdict => verdict,
            },
            Some(RouteState::Planned) | None => Verdict::new(
                EntryState::Pending,
                "Route",
                format!("{table} has no route for it yet"),
            ),
            Some(RouteState::Waiting(why)) => {
                Verdict::new(EntryState::Pending, "NatGateway", format!("{table}: {why}"))
            }
            Some(RouteState::Quota) => Verdict::new(
                EntryState::Pending,
                withheld::QUOTA,
                format!("{table} is full; it is routed as soon as there is room"),
            ),
            Some(RouteState::Conflict(target)) => Verdict::new(
                EntryState::Conflict,
                Planned::ROUTE_CONFLICT,
                format!("{table} has a route for it to {target}, which is not ours"),
            ),
        }
    }
}
