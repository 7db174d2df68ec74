//! The routes of one table.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::Ipv4Net;
use isthmus_core::Withheld;

use super::{Draft, Drafts, RouteState};
use crate::inventory::DmzTable;
use crate::plan::{Planned, because};
use crate::{Desired, EgressAction, Inventory, NatState, Route, withheld};

/// One table, what is wanted and what of it is ours.
pub(super) struct OneTable<'p, 'a> {
    pub(super) desired: &'p Desired,
    pub(super) inventory: &'p Inventory<'a>,
    pub(super) table: DmzTable<'a>,
    pub(super) own: BTreeMap<Ipv4Net, &'a Route>,
}

/// How each wanted network stands in the table.
pub(super) type States = BTreeMap<Ipv4Net, RouteState>;

impl OneTable<'_, '_> {
    /// The table of a zone that is built in.
    pub(super) fn known_zone(&self, drafts: &mut Drafts) -> States {
        let mut states = self.conflicts_and_covers();
        let routes = self.table.table.routes.iter();
        let used = routes.filter(|route| route.created).count();
        let mut free = self
            .inventory
            .config
            .max_routes_per_table
            .saturating_sub(used);
        for network in self.desired.networks.keys() {
            if !states.contains_key(network) {
                let state = match self.own.get(network) {
                    Some(route) => self.keep(drafts, *network, route),
                    None => self.add(drafts, *network, &mut free),
                };
                states.insert(*network, state);
            }
        }
        for (network, route) in &self.own {
            let unwanted = states
                .get(network)
                .is_none_or(|s| matches!(s, RouteState::CoveredBy(_)));
            if unwanted {
                let why = self.reason_to_stay(network, route, &states);
                let action = self.deletion(*network, route);
                drafts.removals.push(Draft {
                    network: *network,
                    action,
                    why,
                });
            }
        }
        states
    }

    /// Networks that get no route of their own here. One that a larger wanted
    /// network contains needs none, unless somebody else has the larger route.
    fn conflicts_and_covers(&self) -> States {
        let mut states = States::new();
        let mut largest_first: Vec<_> = self.desired.networks.keys().copied().collect();
        largest_first.sort_by_key(|network| (network.prefix_len(), *network));
        let mut routed: BTreeSet<Ipv4Net> = BTreeSet::new();
        for network in largest_first {
            let same = self
                .table
                .table
                .routes
                .iter()
                .find(|route| route.destination == network);
            let foreign = same.filter(|_| !self.own.contains_key(&network));
            let cover = (0..network.prefix_len())
                .filter_map(|len| Ipv4Net::new(network.network(), len).ok())
                .map(|larger| larger.trunc())
                .find(|larger| routed.contains(larger));
            if let Some(route) = foreign {
                states.insert(network, RouteState::Conflict(route.target.id().to_owned()));
            } else if let Some(cover) = cover {
                states.insert(network, RouteState::CoveredBy(cover));
            } else {
                routed.insert(network);
            }
        }
        states
    }

    /// A route of ours for a wanted network: as it is, or led elsewhere.
    fn keep(&self, drafts: &mut Drafts, network: Ipv4Net, route: &Route) -> RouteState {
        let Some(zone) = self.table.zone else {
            return RouteState::InPlace;
        };
        let current = self.inventory.current(zone);
        let nat = current.map_or("the new NAT gateway", |(id, _)| id);
        if route.target.id() == nat && !route.blackhole {
            return match self.inventory.available(zone) {
                Some(_) => RouteState::InPlace,
                None => RouteState::Waiting(self.waits_for()),
            };
        }
        let why = self
            .inventory
            .available(zone)
            .is_none()
            .then(|| because(withheld::PENDING, self.waits_for()));
        let state = match &why {
            Some(why) => RouteState::Waiting(why.message.clone()),
            None => RouteState::Planned,
        };
        let action = self.replacement(network, route, (&zone.name, nat));
        drafts.changes.push(Draft {
            network,
            action,
            why,
        });
        state
    }

    fn add(&self, drafts: &mut Drafts, network: Ipv4Net, free: &mut usize) -> RouteState {
        let Some(zone) = self.table.zone else {
            return RouteState::InPlace;
        };
        let (why, state) = if *free == 0 {
            let most = self.inventory.config.max_routes_per_table;
            let message = format!("{} has {most} routes already", self.table.id);
            (Some(because(withheld::QUOTA, message)), RouteState::Quota)
        } else if self.inventory.available(zone).is_none() {
            let message = self.waits_for();
            (
                Some(because(withheld::PENDING, message.clone())),
                RouteState::Waiting(message),
            )
        } else {
            (None, RouteState::Planned)
        };
        *free = free.saturating_sub(1);
        let nat = self
            .inventory
            .current(zone)
            .map_or("the new NAT gateway", |(id, _)| id);
        let action = EgressAction::CreateRoute {
            table: self.table.id.to_owned(),
            network,
            zone: zone.name.clone(),
            nat: nat.to_owned(),
        };
        drafts.adds.push(Draft {
            network,
            action,
            why,
        });
        state
    }

    fn waits_for(&self) -> String {
        let current = self
            .table
            .zone
            .and_then(|zone| self.inventory.current(zone));
        match current {
            Some((id, nat)) => format!("{id} is {}", nat.state.as_str()),
            None => format!("{} has no NAT gateway yet", self.table.zone_name),
        }
    }

    /// Why a route that is to go still carries traffic that nothing else carries yet.
    fn reason_to_stay(
        &self,
        network: &Ipv4Net,
        route: &Route,
        states: &States,
    ) -> Option<Withheld> {
        let nat = self.inventory.observed.nat_gateways.get(route.target.id());
        let works = !route.blackhole && nat.is_some_and(|nat| nat.state == NatState::Available);
        let on_its_way =
            |state: &RouteState| matches!(state, RouteState::Planned | RouteState::Waiting(_));
        let heir = states.iter().find(|(other, state)| {
            let covers = other.contains(network) && *other != network;
            let missing = on_its_way(state) || (covers && **state == RouteState::Quota);
            missing && (covers || network.contains(*other))
        });
        let (heir, _) = heir.filter(|_| works)?;
        Some(because(
            withheld::PENDING,
            format!("until {heir} is routed"),
        ))
    }

    /// The table of a zone that is not built in: nothing new is put there, but
    /// what is ours there is looked after. Routes of a zone that is given up move
    /// to a NAT gateway that stays.
    pub(super) fn unknown_zone(&self, drafts: &mut Drafts) {
        for (network, route) in &self.own {
            if !self.desired.networks.contains_key(network) {
                let action = self.deletion(*network, route);
                drafts.removals.push(Draft {
                    network: *network,
                    action,
                    why: None,
                });
                continue;
            }
            let zones = &self.inventory.config.zones;
            let stays = |id: &str| {
                zones
                    .iter()
                    .any(|zone| self.inventory.available(zone) == Some(id))
            };
            if stays(route.target.id()) && !route.blackhole {
                continue;
            }
            let new = zones
                .iter()
                .find_map(|zone| Some((zone.name.as_str(), self.inventory.available(zone)?)));
            let why = new
                .is_none()
                .then(|| because(withheld::PENDING, "no zone has a NAT gateway yet"));
            let to = new.unwrap_or(("another zone", "the new NAT gateway"));
            let action = self.replacement(*network, route, to);
            drafts.changes.push(Draft {
                network: *network,
                action,
                why,
            });
        }
    }

    fn deletion(&self, network: Ipv4Net, route: &Route) -> EgressAction {
        EgressAction::DeleteRoute {
            table: self.table.id.to_owned(),
            network,
            nat: route.target.id().to_owned(),
            counts: false,
        }
    }

    fn replacement(
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
