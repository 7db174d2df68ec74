//! What is no longer used goes, in the order in which nothing breaks: routes
//! first, then the NAT gateway, then its subnet and table. The address stays.

use isthmus_core::Withheld;

use crate::inventory::WantedAddress;
use crate::plan::{Planned, because};
use crate::zone::{chosen_subnet, chosen_table};
use crate::{EgressAction, Holdings, Inventory, NatState, Stance, Zone, tags, withheld};

/// Adds the steps that remove what no zone needs.
pub(crate) fn plan_teardown(planned: &mut Planned, stance: Stance, inventory: &Inventory<'_>) {
    for (name, holdings) in &inventory.zones {
        let place = Place {
            inventory,
            holdings,
            name,
        };
        match (inventory.config.zone(name), stance) {
            (Some(zone), Stance::Build) => place.surplus(planned, zone),
            (Some(_), Stance::Keep) => {}
            (Some(_), Stance::Remove) if inventory.config.keep_nat_gateways => {}
            (Some(_), Stance::Remove) => place.all(planned, "no ConfigMap asks for it"),
            (None, _) => place.all(planned, "its zone is not one of --aws-az"),
        }
    }
}

struct Place<'p, 'a> {
    inventory: &'p Inventory<'a>,
    holdings: &'p Holdings<'a>,
    name: &'a str,
}

impl<'a> Place<'_, 'a> {
    /// A zone that stays: NAT gateways, tables and addresses besides those in use.
    fn surplus(&self, planned: &mut Planned, zone: &'a Zone) {
        let current = self.inventory.current(zone).map(|(id, _)| id);
        let available = self.inventory.available(zone);
        for (id, _) in self.holdings.live().filter(|(id, _)| Some(*id) != current) {
            let waits = available
                .is_none()
                .then(|| because(withheld::PENDING, "until another NAT gateway works"));
            let why = waits.or_else(|| self.used(id));
            self.delete_nat(planned, id, "another one has taken its place", why);
        }
        let subnet = chosen_subnet(self.inventory, self.holdings, zone);
        let table = chosen_table(self.holdings, subnet);
        for (id, free) in &self.holdings.tables {
            if table.is_some() && table != Some(*id) && free.associations.is_empty() {
                let (zone, table) = (self.name.to_owned(), (*id).to_owned());
                planned.step(EgressAction::DeleteRouteTable { zone, table }, &[]);
            }
        }
        if let WantedAddress::Existing(wanted, _) = self.inventory.address(zone) {
            self.release(planned, Some(wanted));
        }
    }

    /// A zone that goes.
    fn all(&self, planned: &mut Planned, why: &str) {
        let mut remaining = None;
        for (id, nat) in &self.holdings.nat_gateways {
            match nat.state {
                NatState::Deleted => {}
                NatState::Deleting => {
                    remaining = Some(because(withheld::PENDING, format!("{id} is deleting")));
                }
                NatState::Pending | NatState::Available | NatState::Failed => {
                    self.delete_nat(planned, id, why, self.used(id));
                    remaining = Some(because(withheld::PENDING, format!("until {id} is deleted")));
                }
            }
        }
        let zone = || self.name.to_owned();
        let mut steps = Vec::new();
        for id in self.holdings.subnets.keys() {
            steps.push(EgressAction::DeleteSubnet {
                zone: zone(),
                subnet: (*id).to_owned(),
            });
        }
        for (id, table) in &self.holdings.tables {
            for association in &table.associations {
                let (association, table) = (association.id.clone(), (*id).to_owned());
                steps.push(EgressAction::Disassociate {
                    zone: zone(),
                    association,
                    table,
                });
            }
            steps.push(EgressAction::DeleteRouteTable {
                zone: zone(),
                table: (*id).to_owned(),
            });
        }
        for step in steps {
            match &remaining {
                Some(why) => planned.hold(step, &[], why.clone()),
                None => planned.step(step, &[]),
            }
        }
        self.release(planned, None);
    }

    fn delete_nat(&self, planned: &mut Planned, id: &str, reason: &str, why: Option<Withheld>) {
        let action = EgressAction::DeleteNatGateway {
            zone: self.name.to_owned(),
            nat: id.to_owned(),
            why: reason.to_owned(),
        };
        match why {
            Some(why) => planned.hold(action, &[], why),
            None => planned.step(action, &[]),
        }
    }

    /// Whether traffic still goes through a NAT gateway.
    fn used(&self, nat: &'a str) -> Option<Withheld> {
        let mut routes = self.inventory.routes_to(nat);
        let mut ours = None;
        let foreign = routes.find(|(table, id, route)| {
            let own = self.inventory.owns_route(table, route);
            if own {
                ours = Some((*id, route.destination));
            }
            !own
        });
        if let Some((_, table, route)) = foreign {
            let message = format!(
                "{table} leads {} through it, a route that is not ours; remove it there",
                route.destination
            );
            return Some(because(withheld::IN_USE, message));
        }
        ours.map(|(table, network)| {
            because(
                withheld::PENDING,
                format!("until {network} in {table} is gone"),
            )
        })
    }

    /// Gives addresses back, if the operator wants that. One that was handed over is not ours to give.
    fn release(&self, planned: &mut Planned, wanted: Option<&str>) {
        if !self.inventory.config.release_addresses {
            return;
        }
        for (id, address) in &self.holdings.addresses {
            let adopted = address.tags.contains_key(tags::ADOPTED_TAG);
            let named = self
                .inventory
                .config
                .zones
                .iter()
                .any(|zone| zone.adopt.as_deref() == Some(id));
            if adopted || named || wanted == Some(id) {
                continue;
            }
            let action = EgressAction::ReleaseAddress {
                zone: self.name.to_owned(),
                allocation: (*id).to_owned(),
                public_ip: address.public_ip.clone(),
            };
            let mut all = self
                .inventory
                .zones
                .values()
                .flat_map(|holdings| &holdings.nat_gateways);
            let holder = all.find(|(_, nat)| {
                let holds = nat.state.is_live() || nat.state == NatState::Deleting;
                holds && nat.allocation.as_deref() == Some(id)
            });
            match (holder, self.inventory.held_by_other(id)) {
                (Some((nat, _)), _) => {
                    planned.hold(
                        action,
                        &[],
                        because(withheld::PENDING, format!("until {nat} is deleted")),
                    );
                }
                (None, Some(other)) => {
                    planned.hold(
                        action,
                        &[],
                        because(withheld::IN_USE, format!("it is attached to {other}")),
                    );
                }
                (None, None) => planned.step(action, &[]),
            }
        }
    }
}
