//! An independent look at a plan before it is carried out.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::Ipv4Net;
use isthmus_core::{Effect, RemovalLimit, Step, Withheld};

use crate::inventory::is_dmz;
use crate::plan::because;
use crate::{EgressAction, Handle, Inventory, NatState, Planned, Route, Target, withheld};

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
    let facts = Facts::new(inventory);
    let steps = planned.plan.steps.iter_mut();
    for step in steps.filter(|step| step.withheld.is_none()) {
        if let Some(why) = facts.broken_invariant(&step.action) {
            let shown = step.to_string();
            found.push(Unsafe { step: shown, why });
            step.withheld = Some(because(withheld::UNSAFE, why));
        } else if !confirmed_empty && is_removal(step) {
            step.withheld = Some(because(
                withheld::EMPTY_LIST,
                "the list of ConfigMaps is empty and no later list has confirmed it",
            ));
        }
    }
    let managed = facts.managed();
    let _: Option<Withheld> = planned.plan.guard_removals(limit, managed);
    found
}

fn is_removal(step: &Step<EgressAction>) -> bool {
    use isthmus_core::Action as _;
    step.action.effect() == Effect::Remove
}

/// What was observed, as the questions need it.
struct Facts<'a> {
    inventory: &'a Inventory<'a>,
    /// The routes of each table by destination, and whether they are ours.
    routes: BTreeMap<&'a str, BTreeMap<Ipv4Net, (&'a Route, bool)>>,
}

const NOT_OURS: &str = "it would change what does not carry this cluster's ownership tags";

impl<'a> Facts<'a> {
    fn new(inventory: &'a Inventory<'a>) -> Self {
        let tables = inventory.observed.route_tables.iter();
        let routes = tables.map(|(id, table)| {
            let routes = table.routes.iter();
            let routes = routes.map(|r| (r.destination, (r, inventory.owns_route(table, r))));
            (id.as_str(), routes.collect())
        });
        Self {
            inventory,
            routes: routes.collect(),
        }
    }

    /// How many things the removal limit is a share of: networks routed, and addresses.
    fn managed(&self) -> usize {
        let routes = self.routes.values().flatten();
        let networks: BTreeSet<_> = routes
            .filter(|(_, (_, own))| *own)
            .map(|(network, _)| network)
            .collect();
        let zones = self.inventory.zones.values();
        let addresses: usize = zones.map(|holdings| holdings.addresses.len()).sum();
        networks.len() + addresses
    }

    fn broken_invariant(&self, action: &EgressAction) -> Option<&'static str> {
        match action {
            EgressAction::CreateRoute {
                table,
                nat,
                network,
                ..
            } => {
                let routes = self.routes.get(table.as_str());
                let free = routes.is_some_and(|routes| !routes.contains_key(network));
                (!free)
                    .then_some("the network is routed already")
                    .or_else(|| self.works(nat))
            }
            EgressAction::ReplaceRoute {
                table,
                nat,
                network,
                ..
            } => (!self.owns_route(table, network) && !self.was_ours(table, network))
                .then_some(NOT_OURS)
                .or_else(|| self.works(nat)),
            EgressAction::DeleteNatGateway { nat, .. } => (!self.owns_nat(nat))
                .then_some(NOT_OURS)
                .or_else(|| self.carries(nat)),
            other => (!self.owns(other)).then_some(NOT_OURS),
        }
    }

    /// Whether everything that a step changes is ours.
    fn owns(&self, action: &EgressAction) -> bool {
        match action {
            EgressAction::CreateSubnet { .. }
            | EgressAction::CreateRouteTable { .. }
            | EgressAction::AllocateAddress { .. } => true,
            EgressAction::CreateDefaultRoute { table, .. } => {
                new_or(table, |id| self.owns_table(id))
            }
            EgressAction::ReplaceDefaultRoute { table, .. }
            | EgressAction::Disassociate { table, .. }
            | EgressAction::DeleteRouteTable { table, .. } => self.owns_table(table),
            EgressAction::Associate { table, subnet, .. } => {
                new_or(table, |id| self.owns_table(id)) && new_or(subnet, |id| self.owns_subnet(id))
            }
            EgressAction::ReplaceAssociation {
                association, table, ..
            } => {
                let subnet = associated_subnet(self.inventory, association);
                new_or(table, |id| self.owns_table(id)) && self.owns_subnet(subnet)
            }
            EgressAction::Tag { id, .. } => {
                let network = self.owns_subnet(id) || self.owns_table(id) || self.owns_nat(id);
                network || self.owns_address(id) || self.handed_over(id)
            }
            EgressAction::CreateNatGateway { subnet, .. } => {
                new_or(subnet, |id| self.owns_subnet(id))
            }
            EgressAction::DeleteSubnet { subnet, .. } => self.owns_subnet(subnet),
            EgressAction::ReleaseAddress { allocation, .. } => {
                self.owns_address(allocation) && !self.handed_over(allocation)
            }
            EgressAction::DeleteRoute { table, network, .. } => self.owns_route(table, network),
            EgressAction::CreateRoute { .. }
            | EgressAction::ReplaceRoute { .. }
            | EgressAction::DeleteNatGateway { .. } => false,
        }
    }

    fn owned(&self, tags: Option<&crate::Tags>) -> bool {
        tags.is_some_and(|tags| self.inventory.owns(tags))
    }

    fn owns_subnet(&self, id: &str) -> bool {
        let subnet = self.inventory.observed.subnets.get(id);
        self.owned(subnet.map(|subnet| &subnet.tags))
    }

    /// The operator's tables are never ours, whatever their tags.
    fn owns_table(&self, id: &str) -> bool {
        let table = self.inventory.observed.route_tables.get(id);
        self.owned(table.map(|table| &table.tags)) && !table.is_some_and(is_dmz)
    }

    fn owns_nat(&self, id: &str) -> bool {
        let nat = self.inventory.observed.nat_gateways.get(id);
        self.owned(nat.map(|nat| &nat.tags))
    }

    fn owns_address(&self, id: &str) -> bool {
        let address = self.inventory.observed.addresses.get(id);
        self.owned(address.map(|address| &address.tags))
    }

    fn owns_route(&self, table: &str, network: &Ipv4Net) -> bool {
        let route = self
            .routes
            .get(table)
            .and_then(|routes| routes.get(network));
        route.is_some_and(|(_, own)| *own)
    }

    fn was_ours(&self, table: &str, network: &Ipv4Net) -> bool {
        let route = self
            .routes
            .get(table)
            .and_then(|routes| routes.get(network));
        route.is_some_and(|(route, _)| self.inventory.was_ours(table, route))
    }

    /// Whether `--eip-allocation-id` names an address.
    fn handed_over(&self, allocation: &str) -> bool {
        let mut zones = self.inventory.config.zones.iter();
        zones.any(|zone| zone.adopt.as_deref() == Some(allocation))
    }

    fn works(&self, nat: &str) -> Option<&'static str> {
        let gateway = self.inventory.observed.nat_gateways.get(nat);
        let available = gateway.is_some_and(|nat| nat.state == NatState::Available);
        (!available || !self.owns_nat(nat))
            .then_some("it would lead traffic to a NAT gateway that does not work or is not ours")
    }

    fn carries(&self, nat: &str) -> Option<&'static str> {
        let leads = Target::NatGateway(nat.to_owned());
        let mut routes = self.routes.values().flat_map(BTreeMap::values);
        let used = routes.any(|(route, _)| route.target == leads);
        let gateway = self.inventory.observed.nat_gateways.get(nat);
        let failed = gateway.is_some_and(|nat| nat.state == NatState::Failed);
        (used && !failed).then_some("it would delete a NAT gateway that routes lead to")
    }
}

fn new_or(handle: &Handle, owned: impl Fn(&str) -> bool) -> bool {
    match handle {
        Handle::New => true,
        Handle::Existing(id) => owned(id),
    }
}

fn associated_subnet<'a>(inventory: &Inventory<'a>, association: &str) -> &'a str {
    let tables = inventory.observed.route_tables.values();
    let mut all = tables.flat_map(|table| &table.associations);
    all.find(|known| known.id == association)
        .map_or("", |known| &known.subnet)
}
