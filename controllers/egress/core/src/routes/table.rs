//! The routes of one table: what stays, what is added, what is led elsewhere.

use std::collections::BTreeMap;

use ipnet::Ipv4Net;

use super::{Draft, Drafts, RouteState};
use crate::inventory::DmzTable;
use crate::plan::{Planned, because};
use crate::{Desired, EgressAction, Inventory, NatGateway, NatState, Route, Zone, withheld};

/// One table, what is wanted and what of it is ours.
pub(super) struct OneTable<'p, 'a> {
    pub(super) desired: &'p Desired,
    pub(super) inventory: &'p Inventory<'a>,
    pub(super) table: DmzTable<'a>,
    /// Every route by its destination.
    pub(super) all: BTreeMap<Ipv4Net, &'a Route>,
    /// Those of them that are ours.
    pub(super) own: BTreeMap<Ipv4Net, &'a Route>,
}

/// How each wanted network stands in the table.
pub(super) type States = BTreeMap<Ipv4Net, RouteState>;

/// Where the routes of a zone are to lead.
#[derive(Clone, Copy)]
struct Exit<'a> {
    zone: &'a Zone,
    /// The NAT gateway, working or on its way.
    nat: Option<(&'a str, &'a NatGateway)>,
}

impl Exit<'_> {
    fn name(&self) -> &str {
        self.nat.map_or("the new NAT gateway", |(id, _)| id)
    }

    /// What a route has to wait for, if the NAT gateway does not work yet.
    fn waits_for(&self) -> Option<String> {
        match self.nat {
            Some((_, nat)) if nat.state == NatState::Available => None,
            Some((id, nat)) => Some(format!("{id} is {}", nat.state.as_str())),
            None => Some(format!("{} has no NAT gateway yet", self.zone.name)),
        }
    }
}

impl<'p, 'a> OneTable<'p, 'a> {
    pub(super) fn new(
        desired: &'p Desired,
        inventory: &'p Inventory<'a>,
        table: DmzTable<'a>,
    ) -> Self {
        let routes = table.table.routes.iter();
        let all: BTreeMap<_, _> = routes.map(|route| (route.destination, route)).collect();
        let mut own = all.clone();
        own.retain(|_, route| inventory.owns_route(table.table, route));
        Self {
            desired,
            inventory,
            table,
            all,
            own,
        }
    }

    /// The table of a zone that is built in.
    pub(super) fn known_zone(&self, drafts: &mut Drafts, zone: &'a Zone) -> States {
        let nat = self.inventory.current(zone);
        let exit = Exit { zone, nat };
        let mut states = self.conflicts_and_covers();
        let used = self.all.values().filter(|route| route.created).count();
        let most = self.inventory.config.max_routes_per_table;
        let mut free = most.saturating_sub(used);
        for network in self.desired.networks.keys() {
            if !states.contains_key(network) {
                // One that is not ours here was, and somebody has changed it.
                let state = match self.all.get(network) {
                    Some(route) => self.keep(drafts, (*network, route), exit),
                    None => self.add(drafts, *network, exit, &mut free),
                };
                states.insert(*network, state);
            }
        }
        for (network, route) in &self.own {
            let state = states.get(network);
            if state.is_none_or(|state| matches!(state, RouteState::CoveredBy(_))) {
                let why = self.reason_to_stay(network, route, &states);
                self.remove(drafts, (*network, route), why);
            }
        }
        states
    }

    /// Networks that get no route of their own here. One that a larger wanted
    /// network contains needs none, unless somebody else has the larger route.
    fn conflicts_and_covers(&self) -> States {
        let mut states = States::new();
        // In order, a network comes right before those that it contains.
        let mut routed: Option<Ipv4Net> = None;
        for network in self.desired.networks.keys() {
            let cover = routed.filter(|larger| larger.contains(network));
            let same = self.all.get(network);
            let foreign = same.filter(|route| {
                let changed = cover.is_none() && self.inventory.was_ours(self.table.id, route);
                !self.own.contains_key(network) && !changed
            });
            if let Some(route) = foreign {
                let target = route.target.id().to_owned();
                states.insert(*network, RouteState::Conflict(target));
            } else if let Some(cover) = cover {
                states.insert(*network, RouteState::CoveredBy(cover));
            } else {
                routed = Some(*network);
            }
        }
        states
    }

    /// A route of ours for a wanted network: as it is, or led elsewhere.
    fn keep(
        &self,
        drafts: &mut Drafts,
        (network, route): (Ipv4Net, &Route),
        exit: Exit<'_>,
    ) -> RouteState {
        let waits = exit.waits_for();
        let right = route.target.id() == exit.name() && !route.blackhole;
        let state = match &waits {
            Some(why) => RouteState::Waiting(why.clone()),
            None if right => RouteState::InPlace,
            None => RouteState::Planned,
        };
        if !right {
            drafts.changes.push(Draft {
                network,
                action: self.replacement(network, route, (&exit.zone.name, exit.name())),
                why: waits.map(|why| because(withheld::PENDING, why)),
            });
        }
        state
    }

    fn add(
        &self,
        drafts: &mut Drafts,
        network: Ipv4Net,
        exit: Exit<'_>,
        free: &mut usize,
    ) -> RouteState {
        let (why, state) = match exit.waits_for() {
            _ if *free == 0 => {
                let most = self.inventory.config.max_routes_per_table;
                let message = format!("{} has {most} routes already", self.table.id);
                (Some(because(withheld::QUOTA, message)), RouteState::Quota)
            }
            Some(why) => {
                let waits = because(withheld::PENDING, why.clone());
                (Some(waits), RouteState::Waiting(why))
            }
            None => (None, RouteState::Planned),
        };
        *free = free.saturating_sub(1);
        let action = EgressAction::CreateRoute {
            table: self.table.id.to_owned(),
            network,
            zone: exit.zone.name.clone(),
            nat: exit.name().to_owned(),
        };
        drafts.adds.push(Draft {
            network,
            action,
            why,
        });
        state
    }

    pub(super) fn replacement(
        &self,
        network: Ipv4Net,
        route: &Route,
        (zone, nat): (&str, &str),
    ) -> EgressAction {
        let gone = if route.blackhole {
            ", which is gone"
        } else {
            ""
        };
        EgressAction::ReplaceRoute {
            table: self.table.id.to_owned(),
            network,
            zone: zone.to_owned(),
            nat: nat.to_owned(),
            instead_of: format!("{}{gone}", route.target.id()),
        }
    }

    /// Tells the ConfigMaps' authors what cannot be done in this table.
    pub(super) fn say(&self, planned: &mut Planned, states: &States) {
        for (network, state) in states {
            let (reason, message) = match state {
                RouteState::Conflict(target) => (
                    Planned::ROUTE_CONFLICT,
                    format!(
                        "{network}: route table {} has a route for it to {target}, which is not ours and is left; \
                         remove that route or the entry",
                        self.table.id
                    ),
                ),
                RouteState::Quota => (
                    Planned::ROUTE_QUOTA,
                    format!(
                        "{network}: route table {} is full ({} routes, --max-routes-per-table)",
                        self.table.id, self.inventory.config.max_routes_per_table
                    ),
                ),
                _ => continue,
            };
            for object in &self.desired.networks[network] {
                planned.reject(object, reason, &message);
            }
        }
    }
}
