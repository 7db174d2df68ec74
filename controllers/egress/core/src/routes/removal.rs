//! The routes of one table that go, or whose zone goes.

use std::ops::Bound::{Excluded, Unbounded};

use ipnet::Ipv4Net;
use isthmus_core::Withheld;

use super::table::{OneTable, States};
use super::{Draft, Drafts, RouteState};
use crate::plan::because;
use crate::{EgressAction, NatState, Route, withheld};

impl OneTable<'_, '_> {
    pub(super) fn remove(
        &self,
        drafts: &mut Drafts,
        (network, route): (Ipv4Net, &Route),
        why: Option<Withheld>,
    ) {
        let action = EgressAction::DeleteRoute {
            table: self.table.id.to_owned(),
            network,
            nat: route.target.id().to_owned(),
            counts: false,
        };
        drafts.removals.push(Draft {
            network,
            action,
            why,
        });
    }

    /// Why a route that is to go still carries traffic that nothing else carries
    /// yet: that of a larger network, or of smaller ones, on their way.
    pub(super) fn reason_to_stay(
        &self,
        network: &Ipv4Net,
        route: &Route,
        states: &States,
    ) -> Option<Withheld> {
        let nat = self.inventory.observed.nat_gateways.get(route.target.id());
        if route.blackhole || nat.is_none_or(|nat| nat.state != NatState::Available) {
            return None;
        }
        let on_its_way =
            |state: &RouteState| matches!(state, RouteState::Planned | RouteState::Waiting(_));
        let larger = (0..network.prefix_len())
            .filter_map(|len| Ipv4Net::new(network.network(), len).ok())
            .map(|larger| larger.trunc())
            .find(|larger| {
                let state = states.get(larger);
                state.is_some_and(|state| on_its_way(state) || *state == RouteState::Quota)
            });
        // In order, a network comes right before those that it contains.
        let smaller = || {
            let after = states.range((Excluded(*network), Unbounded));
            let mut inside = after.take_while(|(other, _)| network.contains(*other));
            inside
                .find(|(_, state)| on_its_way(state))
                .map(|(other, _)| *other)
        };
        let heir = larger.or_else(smaller)?;
        Some(because(
            withheld::PENDING,
            format!("until {heir} is routed"),
        ))
    }

    /// The table of a zone that is not built in: nothing new is put there, but
    /// what is ours there is looked after. Routes of a zone that is given up move
    /// to a NAT gateway that stays.
    pub(super) fn unknown_zone(&self, drafts: &mut Drafts) {
        let zones = self.inventory.config.zones.iter();
        let exits: Vec<(&str, &str)> = zones
            .filter_map(|zone| Some((zone.name.as_str(), self.inventory.available(zone)?)))
            .collect();
        for (network, route) in &self.own {
            if !self.desired.networks.contains_key(network) {
                self.remove(drafts, (*network, route), None);
                continue;
            }
            let stays = exits.iter().any(|(_, nat)| *nat == route.target.id());
            if stays && !route.blackhole {
                continue;
            }
            let new = exits.first().copied();
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
}
