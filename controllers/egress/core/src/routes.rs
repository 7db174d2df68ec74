//! The routes in the tables tagged `Type=dmz`.

use std::collections::BTreeSet;

use ipnet::Ipv4Net;
use isthmus_core::{ObjectRef, Step, Withheld};

use crate::plan::Planned;
use crate::{Desired, EgressAction, Inventory, Route, Target};

mod removal;
mod table;

use table::OneTable;

/// How a network stands in one route table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RouteState {
    /// The route is there and works.
    InPlace,
    /// A step of this plan puts it there.
    Planned,
    /// It has to wait, and for what.
    Waiting(String),
    /// The table is full.
    Quota,
    /// The table has somebody else's route for the same network, to this.
    Conflict(String),
    /// A larger network that is wanted too takes care of it.
    CoveredBy(Ipv4Net),
}

#[derive(Default)]
struct Drafts {
    adds: Vec<Draft>,
    changes: Vec<Draft>,
    removals: Vec<Draft>,
}

struct Draft {
    network: Ipv4Net,
    action: EgressAction,
    why: Option<Withheld>,
}

/// Adds the steps for all routes: additions and changes first, removals last.
pub(crate) fn plan_routes(planned: &mut Planned, desired: &Desired, inventory: &Inventory<'_>) {
    let mut drafts = Drafts::default();
    let mut served = false;
    for table in inventory.dmz_tables() {
        let one = OneTable::new(desired, inventory, table);
        if let Some(zone) = table.zone {
            served = true;
            let states = one.known_zone(&mut drafts, zone);
            one.say(planned, &states);
            planned.routes.insert(table.id.to_owned(), states);
        } else {
            one.unknown_zone(&mut drafts);
            let zones: Vec<_> = inventory
                .config
                .zones
                .iter()
                .map(|zone| zone.name.as_str())
                .collect();
            let message = format!(
                "route table {} is skipped: its tag AvailabilityZone={} is not one of --aws-az ({})",
                table.id,
                table.zone_name,
                zones.join(", ")
            );
            for object in desired.askers() {
                planned.reject(&object, Planned::UNKNOWN_ZONE, &message);
            }
        }
    }
    if !served {
        let message = format!(
            "no route table of {} is tagged Type=dmz and AvailabilityZone with a zone of --aws-az, \
             so no route can be made",
            inventory.observed.vpc.id
        );
        for object in desired.askers() {
            planned.reject(&object, Planned::NO_ROUTE_TABLE, &message);
        }
    }
    collect(planned, drafts, desired);
}

fn collect(planned: &mut Planned, drafts: Drafts, desired: &Desired) {
    let mut counted: BTreeSet<Ipv4Net> = BTreeSet::new();
    for mut bucket in [drafts.adds, drafts.changes, drafts.removals] {
        bucket.sort_by_key(|draft| draft.network);
        for mut draft in bucket {
            if let EgressAction::DeleteRoute {
                network, counts, ..
            } = &mut draft.action
            {
                let lost =
                    !desired.networks.contains_key(network) && desired.cover(network).is_none();
                *counts = lost && draft.why.is_none() && counted.insert(*network);
            }
            let objects: &[ObjectRef] = desired
                .networks
                .get(&draft.network)
                .map_or(&[], Vec::as_slice);
            planned.plan.steps.push(Step {
                action: draft.action,
                objects: objects.to_vec(),
                withheld: draft.why,
            });
        }
    }
}

impl Route {
    /// A route that `CreateRoute` made to a NAT gateway and that works.
    #[must_use]
    pub fn to_nat_gateway(destination: Ipv4Net, nat: &str) -> Self {
        Self {
            destination,
            target: Target::NatGateway(nat.to_owned()),
            blackhole: false,
            created: true,
        }
    }
}
