//! Building and repairing one zone: subnet, route table, address, NAT gateway.

mod nat_gateway;
mod obstacle;

use isthmus_core::ObjectRef;

use crate::plan::{Planned, because};
use crate::{
    EgressAction, Handle, Holdings, Inventory, Subnet, Tags, Target, UnixTime, Zone, tags, withheld,
};

pub(crate) use nat_gateway::retry_at;
use obstacle::obstacle;

/// Adds the steps that a zone needs to have a working NAT gateway; none if it has.
pub(crate) fn build(
    planned: &mut Planned,
    inventory: &Inventory<'_>,
    zone: &Zone,
    (askers, now): (&[ObjectRef], UnixTime),
) {
    let Some(holdings) = inventory.zones.get(zone.name.as_str()) else {
        return;
    };
    let gateway = match obstacle(inventory, holdings, zone) {
        Ok(gateway) => gateway,
        Err(problem) => {
            planned.problems.insert(zone.name.clone(), problem);
            return;
        }
    };
    let place = Place {
        inventory,
        holdings,
        zone,
        askers,
    };
    let subnet = place.subnet(planned);
    place.table(planned, &subnet, gateway);
    let allocation = place.address(planned);
    place.nat_gateway(planned, subnet, allocation, now);
}

/// The NAT subnet of a zone: the one with the NAT gateway in it, else the one of
/// the flag, else any. A subnet that is there is kept when the flag changes.
pub(crate) fn chosen_subnet<'a>(
    inventory: &Inventory<'a>,
    holdings: &Holdings<'a>,
    zone: &'a Zone,
) -> Option<&'a str> {
    let in_use = inventory.current(zone).map(|(_, nat)| nat.subnet.as_str());
    let by_preference = holdings
        .subnets
        .iter()
        .min_by_key(|(id, subnet)| (Some(**id) != in_use, subnet.cidr != zone.nat_cidr, **id));
    by_preference.map(|(id, _)| *id)
}

/// The route table of the NAT subnet: the one it uses, else a free one.
pub(crate) fn chosen_table<'a>(holdings: &Holdings<'a>, subnet: Option<&str>) -> Option<&'a str> {
    let uses = |id: &&str| {
        let associations = &holdings.tables[*id].associations;
        associations
            .iter()
            .any(|association| Some(association.subnet.as_str()) == subnet)
    };
    let used = holdings.tables.keys().find(|id| uses(id));
    let free = || {
        let mut ids = holdings.tables.keys();
        ids.find(|id| holdings.tables[*id].associations.is_empty())
    };
    used.or_else(free).copied()
}

struct Place<'p, 'a> {
    inventory: &'p Inventory<'a>,
    holdings: &'p Holdings<'a>,
    zone: &'a Zone,
    askers: &'p [ObjectRef],
}

impl<'a> Place<'_, 'a> {
    fn name(&self) -> String {
        self.zone.name.clone()
    }

    fn tag(
        &self,
        planned: &mut Planned,
        (kind, id): (&'static str, &str),
        wanted: &Tags,
        present: &Tags,
    ) {
        let tags = tags::missing(wanted, present);
        if !tags.is_empty() {
            let zone = self.name();
            let id = id.to_owned();
            planned.step(
                EgressAction::Tag {
                    zone,
                    kind,
                    id,
                    tags,
                },
                self.askers,
            );
        }
    }

    fn required(&self) -> Tags {
        tags::required(self.inventory.config, &self.zone.name)
    }

    fn subnet(&self, planned: &mut Planned) -> Handle {
        let Some(id) = chosen_subnet(self.inventory, self.holdings, self.zone) else {
            let cidr = self.zone.nat_cidr;
            planned.step(
                EgressAction::CreateSubnet {
                    zone: self.name(),
                    cidr,
                },
                self.askers,
            );
            return Handle::New;
        };
        let subnet = self.holdings.subnets[id];
        self.tag(planned, ("subnet", id), &self.required(), &subnet.tags);
        if subnet.cidr != self.zone.nat_cidr {
            self.stays(planned, id, subnet);
        }
        Handle::Existing(id.to_owned())
    }

    /// A NAT gateway cannot move to another subnet, and its address cannot be in
    /// two: the zone would be without it for minutes. So another
    /// `--aws-nat-cidr-block` waits until the zone is built anew.
    fn stays(&self, planned: &mut Planned, id: &str, subnet: &Subnet) {
        let why = format!(
            "{id} with {} is its NAT subnet and stays until the zone is built anew",
            subnet.cidr
        );
        let action = EgressAction::CreateSubnet {
            zone: self.name(),
            cidr: self.zone.nat_cidr,
        };
        planned.hold(action, &[], because(withheld::IN_USE, why));
    }

    fn table(&self, planned: &mut Planned, subnet: &Handle, gateway: &str) {
        let subnet_id = match subnet {
            Handle::Existing(id) => Some(id.as_str()),
            Handle::New => None,
        };
        let chosen = chosen_table(self.holdings, subnet_id);
        let zone = self.name();
        let gateway = gateway.to_owned();
        let table = match chosen {
            Some(id) => {
                let present = &self.holdings.tables[id].tags;
                self.tag(planned, ("route-table", id), &self.required(), present);
                Handle::Existing(id.to_owned())
            }
            None => {
                planned.step(
                    EgressAction::CreateRouteTable { zone: zone.clone() },
                    self.askers,
                );
                Handle::New
            }
        };
        let routes = chosen.map_or(&[][..], |id| &self.holdings.tables[id].routes);
        match (
            routes
                .iter()
                .find(|route| route.destination.prefix_len() == 0),
            &table,
        ) {
            (Some(route), Handle::Existing(id)) => {
                if route.target != Target::Gateway(gateway.clone()) || route.blackhole {
                    let table = id.clone();
                    let action = EgressAction::ReplaceDefaultRoute {
                        zone,
                        table,
                        gateway,
                    };
                    planned.step(action, self.askers);
                }
            }
            _ => {
                let table = table.clone();
                planned.step(
                    EgressAction::CreateDefaultRoute {
                        zone,
                        table,
                        gateway,
                    },
                    self.askers,
                );
            }
        }
        self.associate(planned, subnet, table);
    }

    fn associate(&self, planned: &mut Planned, subnet: &Handle, table: Handle) {
        let zone = self.name();
        let tables = self.inventory.observed.route_tables.iter();
        let found = tables.flat_map(|(id, table)| table.associations.iter().map(move |a| (id, a)));
        let mut ours = found.filter(|(_, a)| *subnet == Handle::Existing(a.subnet.clone()));
        match ours.next() {
            None => {
                let subnet = subnet.clone();
                planned.step(
                    EgressAction::Associate {
                        zone,
                        table,
                        subnet,
                    },
                    self.askers,
                );
            }
            Some((id, association)) if Handle::Existing(id.clone()) != table => {
                let association = association.id.clone();
                let action = EgressAction::ReplaceAssociation {
                    zone,
                    association,
                    table,
                };
                planned.step(action, self.askers);
            }
            Some(_) => {}
        }
    }
}
