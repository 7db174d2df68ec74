//! Building and repairing one zone: subnet, route table, address, NAT gateway.

use std::collections::BTreeSet;

use ipnet::Ipv4Net;
use isthmus_core::ObjectRef;

use crate::entry::overlap;
use crate::inventory::WantedAddress;
use crate::plan::{Planned, because};
use crate::{
    EgressAction, Handle, Holdings, Inventory, NatState, Tags, Target, UnixTime, Zone, tags, withheld,
};

/// The Event's reason for a zone that cannot be built as the flags say.
const ZONE_BLOCKED: &str = "ZoneBlocked";
/// The Event's reason for an Elastic IP that something else uses.
const ADDRESS_IN_USE: &str = "AddressInUse";
/// The Event's reason for a NAT gateway that EC2 could not make.
const NAT_GATEWAY_FAILED: &str = "NatGatewayFailed";

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
    let place = Place { inventory, holdings, zone, askers };
    let subnet = place.subnet(planned);
    place.table(planned, &subnet, gateway);
    let allocation = place.address(planned);
    place.nat_gateway(planned, subnet, allocation, now);
}

/// What keeps a zone from being built, or the internet gateway to build it on.
fn obstacle<'a>(
    inventory: &'a Inventory<'_>,
    holdings: &Holdings<'_>,
    zone: &Zone,
) -> Result<&'a str, (&'static str, String)> {
    let name = &zone.name;
    let blocked = |why: String| Err((ZONE_BLOCKED, format!("zone {name}: {why}")));
    let observed = inventory.observed;
    let vpc = &observed.vpc;
    let Some(gateway) = &observed.internet_gateway else {
        return blocked(format!("no internet gateway is attached to {}", vpc.id));
    };
    if holdings.subnets.is_empty() {
        let cidr = &zone.nat_cidr;
        if !vpc.cidrs.iter().any(|own| own.contains(cidr)) {
            let own: Vec<_> = vpc.cidrs.iter().map(Ipv4Net::to_string).collect();
            return blocked(format!(
                "--aws-nat-cidr-block {cidr} is not in a network of {} ({})",
                vpc.id,
                own.join(", ")
            ));
        }
        let taken = observed.subnets.iter().find(|(_, subnet)| overlap(&subnet.cidr, cidr));
        if let Some((id, subnet)) = taken {
            return blocked(format!(
                "--aws-nat-cidr-block {cidr} overlaps with {} of {id}, which is not its NAT subnet",
                subnet.cidr
            ));
        }
    }
    match inventory.address(zone) {
        WantedAddress::Missing(id) => {
            blocked(format!("--eip-allocation-id {id} does not exist in this region"))
        }
        WantedAddress::Existing(id, address) if inventory.current(zone).is_none() => {
            match inventory.held_by_other(id) {
                Some(holder) => Err((
                    ADDRESS_IN_USE,
                    format!(
                        "zone {name}: Elastic IP {} ({id}) is attached to {holder}; detach it there",
                        address.public_ip
                    ),
                )),
                None => Ok(gateway),
            }
        }
        _ => Ok(gateway),
    }
}

/// The NAT subnet of a zone: the one with the NAT gateway in it, else the one of
/// the flag, else any. A subnet that is there is kept when the flag changes.
pub(crate) fn chosen_subnet<'a>(
    inventory: &Inventory<'a>,
    holdings: &Holdings<'a>,
    zone: &'a Zone,
) -> Option<&'a str> {
    let in_use = inventory.current(zone).map(|(_, nat)| nat.subnet.as_str());
    let by_preference = holdings.subnets.iter().min_by_key(|(id, subnet)| {
        (Some(**id) != in_use, subnet.cidr != zone.nat_cidr, **id)
    });
    by_preference.map(|(id, _)| *id)
}

/// The route table of the NAT subnet: the one it uses, else a free one.
pub(crate) fn chosen_table<'a>(holdings: &Holdings<'a>, subnet: Option<&str>) -> Option<&'a str> {
    let uses = |id: &&str| {
        let associations = &holdings.tables[*id].associations;
        associations.iter().any(|association| Some(association.subnet.as_str()) == subnet)
    };
    let used = holdings.tables.keys().find(|id| uses(id));
    let free = || {
        let mut ids = holdings.tables.keys();
        ids.find(|id| holdings.tables[*id].associations.is_empty())
    };
    used.or_else(free).copied()
}

/// When the next attempt at a NAT gateway may be made, if earlier ones failed:
/// the first replacement at once, later ones after 1, 2, 4, … at most 15 minutes.
pub(crate) fn retry_at(inventory: &Inventory<'_>, zone: &Zone) -> Option<UnixTime> {
    const MOST_SECONDS: i64 = 15 * 60;
    let holdings = inventory.zones.get(zone.name.as_str())?;
    let failed = holdings.nat_gateways.values().filter(|nat| nat.failure.is_some());
    let (count, last) = failed.fold((0_u32, None), |(count, last), nat| {
        (count + 1, last.max(Some(nat.created)))
    });
    let exponent = count.checked_sub(2)?;
    let seconds = 60_i64.saturating_mul(1 << exponent.min(10)).min(MOST_SECONDS);
    Some(last?.saturating_add(seconds))
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

    fn tag(&self, planned: &mut Planned, (kind, id): (&'static str, &str), wanted: &Tags, present: &Tags) {
        let tags = tags::missing(wanted, present);
        if !tags.is_empty() {
            let zone = self.name();
            let id = id.to_owned();
            planned.step(EgressAction::Tag { zone, kind, id, tags }, self.askers);
        }
    }

    fn required(&self) -> Tags {
        tags::required(self.inventory.config, &self.zone.name)
    }

    fn subnet(&self, planned: &mut Planned) -> Handle {
        let Some(id) = chosen_subnet(self.inventory, self.holdings, self.zone) else {
            let cidr = self.zone.nat_cidr;
            planned.step(EgressAction::CreateSubnet { zone: self.name(), cidr }, self.askers);
            return Handle::New;
        };
        let present = &self.holdings.subnets[id].tags;
        self.tag(planned, ("subnet", id), &self.required(), present);
        Handle::Existing(id.to_owned())
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
                planned.step(EgressAction::CreateRouteTable { zone: zone.clone() }, self.askers);
                Handle::New
            }
        };
        let routes = chosen.map_or(&[][..], |id| &self.holdings.tables[id].routes);
        match (routes.iter().find(|route| route.destination.prefix_len() == 0), &table) {
            (Some(route), Handle::Existing(id)) => {
                if route.target != Target::Gateway(gateway.clone()) || route.blackhole {
                    let table = id.clone();
                    let action = EgressAction::ReplaceDefaultRoute { zone, table, gateway };
                    planned.step(action, self.askers);
                }
            }
            _ => {
                let table = table.clone();
                planned.step(EgressAction::CreateDefaultRoute { zone, table, gateway }, self.askers);
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
                planned.step(EgressAction::Associate { zone, table, subnet }, self.askers);
            }
            Some((id, association)) if Handle::Existing(id.clone()) != table => {
                let association = association.id.clone();
                let action = EgressAction::ReplaceAssociation { zone, association, table };
                planned.step(action, self.askers);
            }
            Some(_) => {}
        }
    }

    fn address(&self, planned: &mut Planned) -> Handle {
        let WantedAddress::Existing(id, address) = self.inventory.address(self.zone) else {
            planned.step(EgressAction::AllocateAddress { zone: self.name() }, self.askers);
            return Handle::New;
        };
        let mut wanted = Tags::new();
        if self.zone.adopt.is_some() {
            wanted = self.required();
            wanted.insert(tags::ADOPTED_TAG.to_owned(), "true".to_owned());
        } else if self.inventory.owns(&address.tags) {
            wanted = self.required();
        }
        if !wanted.is_empty() {
            wanted.extend(self.memory(id, &address.tags));
            self.tag(planned, ("address", id), &wanted, &address.tags);
        }
        Handle::Existing(id.to_owned())
    }

    /// The tag that remembers the NAT gateways of an address, if one is missing in it.
    fn memory(&self, allocation: &str, present: &Tags) -> Option<(String, String)> {
        let known = tags::remembered(present);
        let nats = self.holdings.nat_gateways.iter();
        let made: BTreeSet<&str> = nats
            .filter(|(_, nat)| nat.allocation.as_deref() == Some(allocation))
            .filter(|(_, nat)| nat.state.is_live() || nat.state == NatState::Failed)
            .map(|(id, _)| *id)
            .collect();
        if made.iter().all(|id| known.contains(*id)) {
            return None;
        }
        let routes = self.inventory.observed.route_tables.values().flat_map(|table| &table.routes);
        let still_led_to: BTreeSet<&str> =
            routes.map(|route| route.target.id()).filter(|id| known.contains(*id)).collect();
        let others = still_led_to.difference(&made);
        let all: Vec<&str> = made.iter().chain(others).copied().take(tags::MOST_REMEMBERED).collect();
        Some((tags::NAT_GATEWAYS_TAG.to_owned(), all.join(" ")))
    }

    fn nat_gateway(&self, planned: &mut Planned, subnet: Handle, allocation: Handle, now: UnixTime) {
        self.failures(planned);
        if let Some((id, nat)) = self.inventory.current(self.zone) {
            self.tag(planned, ("nat-gateway", id), &self.required(), &nat.tags);
            return;
        }
        let why = self.wait(&allocation, now);
        let previous = self.previous(&allocation);
        let zone = self.name();
        let action = EgressAction::CreateNatGateway { zone, subnet, allocation, previous };
        match why {
            Some(why) => planned.hold(action, self.askers, why),
            None => planned.step(action, self.askers),
        }
    }

    /// Says and clears away what EC2 could not make.
    fn failures(&self, planned: &mut Planned) {
        for (id, nat) in &self.holdings.nat_gateways {
            let Some(failure) = &nat.failure else { continue };
            if self.inventory.available(self.zone).is_none() {
                let message = format!("zone {}: {id} failed: {failure}", self.zone.name);
                planned.problems.insert(self.name(), (NAT_GATEWAY_FAILED, message));
            }
            if nat.state == NatState::Failed {
                let (zone, nat) = (self.name(), (*id).to_owned());
                let why = format!("failed: {failure}");
                planned.step(EgressAction::DeleteNatGateway { zone, nat, why }, self.askers);
            }
        }
    }

    /// Why a NAT gateway cannot be made yet.
    fn wait(&self, allocation: &Handle, now: UnixTime) -> Option<isthmus_core::Withheld> {
        let mut all = self.inventory.zones.values().flat_map(|holdings| &holdings.nat_gateways);
        let holder = all.find(|(_, nat)| {
            let has_address = nat.allocation.clone().map(Handle::Existing).as_ref() == Some(allocation);
            has_address && (nat.state.is_live() || nat.state == NatState::Deleting)
        });
        if let Some((id, nat)) = holder {
            let state = nat.state.as_str();
            return Some(because(withheld::PENDING, format!("{id} is {state} and has the address")));
        }
        let retry_at = retry_at(self.inventory, self.zone)?;
        (now < retry_at).then(|| {
            let seconds = retry_at - now;
            because(withheld::BACKOFF, format!("it failed before; next attempt in {seconds} s"))
        })
    }

    fn previous(&self, allocation: &Handle) -> BTreeSet<String> {
        let mut previous: BTreeSet<String> =
            self.holdings.nat_gateways.keys().map(|id| (*id).to_owned()).collect();
        if let Handle::Existing(id) = allocation
            && let Some(address) = self.inventory.observed.addresses.get(id)
        {
            previous.extend(tags::remembered(&address.tags));
        }
        previous
    }
}
