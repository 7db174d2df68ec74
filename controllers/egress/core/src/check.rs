//! An independent look at a plan before it is carried out.

use std::collections::BTreeSet;

use isthmus_core::{Effect, RemovalLimit, Step, Withheld};

use crate::inventory::is_dmz;
use crate::plan::because;
use crate::{EgressAction, Handle, Inventory, NatState, Planned, Target, withheld};

/// A step that would have broken an invariant; it has been withheld. That is a
/// mistake in the planner, so it is worth an error in the log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the step \"{step}\" is withheld: {why}")]
pub struct Unsafe {
    /// The step as the plan shows it.
    pub step: String,
    /// The invariant it would have broken.
    pub why: &'static str,
}

/// Withholds what must not be carried out: every step that breaks an invariant,
/// and all removals if there are too many of them.
///
/// `confirmed_empty` says whether an empty list of ConfigMaps was seen twice; an
/// empty list that was seen once removes nothing.
pub fn check(
    planned: &mut Planned,
    inventory: &Inventory<'_>,
    limit: &RemovalLimit,
    confirmed_empty: bool,
) -> Vec<Unsafe> {
    let mut found = Vec::new();
    for step in planned
        .plan
        .steps
        .iter_mut()
        .filter(|step| step.withheld.is_none())
    {
        if let Some(why) = broken_invariant(&step.action, inventory) {
            let shown = step.to_string();
            found.push(Unsafe { step: shown, why });
            step.withheld = Some(because(withheld::UNSAFE, why));
        } else if !confirmed_empty && is_removal(step) {
            step.withheld = Some(because(
                withheld::EMPTY_LIST,
                "the list of ConfigMaps is empty and no second list has confirmed it",
            ));
        }
    }
    let managed = managed(inventory);
    let _: Option<Withheld> = planned.plan.guard_removals(limit, managed);
    found
}

fn is_removal(step: &Step<EgressAction>) -> bool {
    use isthmus_core::Action as _;
    step.action.effect() == Effect::Remove
}

/// How many things the removal limit is a share of: networks routed, and addresses.
fn managed(inventory: &Inventory<'_>) -> usize {
    let tables = inventory.observed.route_tables.values();
    let networks: BTreeSet<_> = tables
        .flat_map(|table| {
            table
                .routes
                .iter()
                .filter(|route| inventory.owns_route(table, route))
        })
        .map(|route| route.destination)
        .collect();
    let addresses: usize = inventory
        .zones
        .values()
        .map(|holdings| holdings.addresses.len())
        .sum();
    networks.len() + addresses
}

fn broken_invariant(action: &EgressAction, inventory: &Inventory<'_>) -> Option<&'static str> {
    let observed = inventory.observed;
    let owned = |tags: Option<&crate::Tags>| tags.is_some_and(|tags| inventory.owns(tags));
    let subnet = |id: &str| owned(observed.subnets.get(id).map(|subnet| &subnet.tags));
    let table = |id: &str| {
        let table = observed.route_tables.get(id);
        owned(table.map(|table| &table.tags)) && !table.is_some_and(is_dmz)
    };
    let nat = |id: &str| owned(observed.nat_gateways.get(id).map(|nat| &nat.tags));
    let address = |id: &str| owned(observed.addresses.get(id).map(|address| &address.tags));
    let named = |id: &str| {
        inventory
            .config
            .zones
            .iter()
            .any(|zone| zone.adopt.as_deref() == Some(id))
    };
    let handle = |handle: &Handle, owned: &dyn Fn(&str) -> bool| match handle {
        Handle::New => true,
        Handle::Existing(id) => owned(id),
    };
    let own = match action {
        EgressAction::CreateSubnet { .. }
        | EgressAction::CreateRouteTable { .. }
        | EgressAction::AllocateAddress { .. } => true,
        EgressAction::CreateDefaultRoute { table: id, .. } => handle(id, &table),
        EgressAction::ReplaceDefaultRoute { table: id, .. }
        | EgressAction::Disassociate { table: id, .. }
        | EgressAction::DeleteRouteTable { table: id, .. } => table(id),
        EgressAction::Associate {
            table: t,
            subnet: s,
            ..
        } => handle(t, &table) && handle(s, &subnet),
        EgressAction::ReplaceAssociation {
            association,
            table: t,
            ..
        } => handle(t, &table) && subnet(associated_subnet(inventory, association)),
        EgressAction::Tag { id, .. } => {
            subnet(id) || table(id) || nat(id) || address(id) || named(id)
        }
        EgressAction::CreateNatGateway {
            subnet: s,
            allocation,
            ..
        } => handle(s, &subnet) && handle(allocation, &|_| true),
        EgressAction::DeleteNatGateway { nat: id, .. } => {
            return (!nat(id))
                .then_some(NOT_OURS)
                .or_else(|| carries(inventory, id));
        }
        EgressAction::DeleteSubnet { subnet: id, .. } => subnet(id),
        EgressAction::ReleaseAddress { allocation, .. } => {
            address(allocation) && !named(allocation)
        }
        EgressAction::CreateRoute {
            table,
            nat,
            network,
            ..
        } => {
            let routes = observed
                .route_tables
                .get(table)
                .map(|table| table.routes.as_slice());
            let free =
                routes.is_some_and(|all| all.iter().all(|route| route.destination != *network));
            return (!free)
                .then_some("the network is routed already")
                .or_else(|| works(inventory, nat));
        }
        EgressAction::ReplaceRoute {
            table,
            nat,
            network,
            ..
        } => {
            let own = owns_route(inventory, table, network);
            return (!own).then_some(NOT_OURS).or_else(|| works(inventory, nat));
        }
        EgressAction::DeleteRoute { table, network, .. } => owns_route(inventory, table, network),
    };
    (!own).then_some(NOT_OURS)
}

const NOT_OURS: &str = "it would change what does not carry this cluster's ownership tags";

fn works(inventory: &Inventory<'_>, nat: &str) -> Option<&'static str> {
    let available = inventory
        .observed
        .nat_gateways
        .get(nat)
        .is_some_and(|gateway| {
            gateway.state == NatState::Available && inventory.owns(&gateway.tags)
        });
    (!available)
        .then_some("it would lead traffic to a NAT gateway that does not work or is not ours")
}

fn carries(inventory: &Inventory<'_>, nat: &str) -> Option<&'static str> {
    let routes = inventory
        .observed
        .route_tables
        .values()
        .flat_map(|table| &table.routes);
    let used = routes
        .map(|route| &route.target)
        .any(|target| *target == Target::NatGateway(nat.to_owned()));
    let failed = inventory
        .observed
        .nat_gateways
        .get(nat)
        .is_some_and(|nat| nat.state == NatState::Failed);
    (used && !failed).then_some("it would delete a NAT gateway that routes lead to")
}

fn owns_route(inventory: &Inventory<'_>, table: &str, network: &ipnet::Ipv4Net) -> bool {
    inventory
        .observed
        .route_tables
        .get(table)
        .is_some_and(|table| {
            let mut routes = table.routes.iter();
            routes.any(|route| route.destination == *network && inventory.owns_route(table, route))
        })
}

fn associated_subnet<'a>(inventory: &Inventory<'a>, association: &str) -> &'a str {
    let tables = inventory.observed.route_tables.values();
    let mut all = tables.flat_map(|table| &table.associations);
    all.find(|known| known.id == association)
        .map_or("", |known| &known.subnet)
}
