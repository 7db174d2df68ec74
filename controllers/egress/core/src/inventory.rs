//! What of the observed is ours, by zone.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    Address, Config, NatGateway, NatState, Observed, Route, RouteTable, Subnet, Tags, Target, Zone,
    tags,
};

/// The observed, seen through ownership and zones.
#[derive(Debug)]
pub struct Inventory<'a> {
    /// Everything.
    pub observed: &'a Observed,
    /// The settings it was sorted by.
    pub config: &'a Config,
    /// What is ours, by the zone it serves: zones of `--aws-az` and those that were once.
    pub zones: BTreeMap<&'a str, Holdings<'a>>,
    remembered: BTreeSet<String>,
}

/// What is ours in one zone.
#[derive(Debug, Default)]
pub struct Holdings<'a> {
    /// NAT subnets by id.
    pub subnets: BTreeMap<&'a str, &'a Subnet>,
    /// Route tables of NAT subnets by id.
    pub tables: BTreeMap<&'a str, &'a RouteTable>,
    /// NAT gateways by id, in every state.
    pub nat_gateways: BTreeMap<&'a str, &'a NatGateway>,
    /// Elastic IPs by allocation id.
    pub addresses: BTreeMap<&'a str, &'a Address>,
}

/// A route table of the operator's that gets routes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DmzTable<'a> {
    pub(crate) id: &'a str,
    pub(crate) table: &'a RouteTable,
    /// The value of its tag `AvailabilityZone`.
    pub(crate) zone_name: &'a str,
    /// That zone, if it is one of `--aws-az`.
    pub(crate) zone: Option<&'a Zone>,
}

/// The Elastic IP that a zone is to use.
#[derive(Clone, Copy, Debug)]
pub(crate) enum WantedAddress<'a> {
    Existing(&'a str, &'a Address),
    /// None is there: one has to be allocated.
    New,
    /// The one of `--eip-allocation-id` does not exist.
    Missing(&'a str),
}

impl<'a> Inventory<'a> {
    /// Sorts what is ours by zone.
    #[must_use]
    pub fn new(observed: &'a Observed, config: &'a Config) -> Self {
        let mut inventory = Self {
            observed,
            config,
            zones: config
                .zones
                .iter()
                .map(|zone| (zone.name.as_str(), Holdings::default()))
                .collect(),
            remembered: BTreeSet::new(),
        };
        inventory.sort_network();
        inventory.sort_addresses();
        inventory
    }

    fn sort_network(&mut self) {
        let observed = self.observed;
        for (id, subnet) in &observed.subnets {
            if self.owns(&subnet.tags) {
                self.holdings_mut(&subnet.zone).subnets.insert(id, subnet);
            }
        }
        let subnet_zone = |id: &str| observed.subnets.get(id).map(|subnet| subnet.zone.as_str());
        for (id, nat) in &observed.nat_gateways {
            let zone = subnet_zone(&nat.subnet).or_else(|| zone_tag(&nat.tags));
            if let (true, Some(zone)) = (self.owns(&nat.tags), zone) {
                self.holdings_mut(zone).nat_gateways.insert(id, nat);
            }
        }
        for (id, table) in &observed.route_tables {
            let mut associated = table.associations.iter();
            let zone = zone_tag(&table.tags)
                .or_else(|| associated.find_map(|association| subnet_zone(&association.subnet)));
            if let (true, false, Some(zone)) = (self.owns(&table.tags), is_dmz(table), zone) {
                self.holdings_mut(zone).tables.insert(id, table);
            }
        }
    }

    fn sort_addresses(&mut self) {
        for (id, address) in &self.observed.addresses {
            if !self.owns(&address.tags) {
                continue;
            }
            self.remembered.extend(tags::remembered(&address.tags));
            let user = self.zones.iter().find_map(|(zone, holdings)| {
                let mut live = holdings.live();
                live.any(|(_, nat)| nat.allocation.as_ref() == Some(id))
                    .then_some(*zone)
            });
            if let Some(zone) = zone_tag(&address.tags).or(user) {
                self.holdings_mut(zone).addresses.insert(id, address);
            }
        }
    }

    fn holdings_mut(&mut self, zone: &'a str) -> &mut Holdings<'a> {
        self.zones.entry(zone).or_default()
    }

    /// Whether these tags make something ours.
    #[must_use]
    pub fn owns(&self, tags: &Tags) -> bool {
        self.config.ownership.owns(tags)
    }

    /// Whether a NAT gateway is or was ours; see the crate's documentation.
    #[must_use]
    pub fn owns_nat_gateway(&self, id: &str) -> bool {
        match self.observed.nat_gateways.get(id) {
            Some(nat) => self.owns(&nat.tags),
            None => self.remembered.contains(id),
        }
    }

    /// Whether a route of a table is ours; see the crate's documentation.
    #[must_use]
    pub fn owns_route(&self, table: &RouteTable, route: &Route) -> bool {
        let Target::NatGateway(nat) = &route.target else {
            return false;
        };
        let possible = route.created && route.destination.prefix_len() > 0 && is_dmz(table);
        possible && self.owns_nat_gateway(nat)
    }

    /// The route tables that get routes, by id. One without a zone is none.
    pub(crate) fn dmz_tables(&self) -> impl Iterator<Item = DmzTable<'a>> + '_ {
        let tables = self.observed.route_tables.iter();
        tables
            .filter(|(_, table)| is_dmz(table))
            .filter_map(|(id, table)| {
                let zone_name = table.tags.get(tags::TABLE_ZONE_TAG)?;
                Some(DmzTable {
                    id,
                    table,
                    zone_name,
                    zone: self.config.zone(zone_name),
                })
            })
    }

    /// Every route of the VPC that leads to a NAT gateway: table, table's id, route.
    pub(crate) fn routes_to(
        &self,
        nat: &'a str,
    ) -> impl Iterator<Item = (&'a RouteTable, &'a str, &'a Route)> + '_ {
        let tables = self.observed.route_tables.iter();
        tables.flat_map(move |(id, table)| {
            let leads =
                move |route: &&Route| matches!(&route.target, Target::NatGateway(to) if to == nat);
            let routes = table.routes.iter().filter(leads);
            routes.map(move |route| (table, id.as_str(), route))
        })
    }

    /// The Elastic IP that a zone is to use: the one handed over, else the one in
    /// use, else one of ours that is kept for the zone.
    pub(crate) fn address(&self, zone: &'a Zone) -> WantedAddress<'a> {
        let by_id = |id: &'a str| self.observed.addresses.get_key_value(id);
        if let Some(id) = &zone.adopt {
            return match by_id(id) {
                Some((id, address)) => WantedAddress::Existing(id, address),
                None => WantedAddress::Missing(id),
            };
        }
        let Some(holdings) = self.zones.get(zone.name.as_str()) else {
            return WantedAddress::New;
        };
        let in_use = holdings
            .live()
            .filter_map(|(_, nat)| by_id(nat.allocation.as_deref()?));
        let in_use = in_use.min_by_key(|(id, _)| (holdings.state_of(id), *id));
        let kept = || {
            let addresses = holdings.addresses.iter();
            addresses.min_by_key(|(id, _)| (self.held_by_other(id).is_some(), **id))
        };
        match in_use {
            Some((id, address)) => WantedAddress::Existing(id, address),
            None => kept().map_or(WantedAddress::New, |(id, address)| {
                WantedAddress::Existing(id, address)
            }),
        }
    }

    /// What else an Elastic IP is attached to. An address that one of our NAT
    /// gateways has or had is not counted: EC2 takes a while to say that a deleted
    /// one has let go, and refuses if somebody else was faster.
    pub(crate) fn held_by_other(&self, allocation: &str) -> Option<&'a str> {
        let holder = self
            .observed
            .addresses
            .get(allocation)?
            .attached_to
            .as_deref()?;
        let mut ours = self
            .zones
            .values()
            .flat_map(|holdings| holdings.nat_gateways.values());
        let known = ours.any(|nat| nat.allocation.as_deref() == Some(allocation));
        (!known).then_some(holder)
    }

    /// Whether a NAT gateway that failed still has its address: it is attached,
    /// and not to another one of ours.
    pub(crate) fn has_address(&self, failed: &NatGateway) -> bool {
        let addresses = &self.observed.addresses;
        let address = failed.allocation.as_ref().and_then(|id| addresses.get(id));
        let attached = address.is_some_and(|address| address.attached_to.is_some());
        let mut live = self.zones.values().flat_map(Holdings::live);
        attached && !live.any(|(_, nat)| nat.allocation == failed.allocation)
    }

    /// The NAT gateway that routes of a zone are to lead to, working or on its way.
    pub(crate) fn current(&self, zone: &'a Zone) -> Option<(&'a str, &'a NatGateway)> {
        let WantedAddress::Existing(allocation, _) = self.address(zone) else {
            return None;
        };
        let live = self.zones.get(zone.name.as_str())?.live();
        let with_address = live.filter(|(_, nat)| nat.allocation.as_deref() == Some(allocation));
        with_address
            .max_by_key(|(id, nat)| (nat.state == NatState::Available, std::cmp::Reverse(*id)))
    }

    /// The NAT gateway that traffic of a zone goes through now: while another
    /// address takes over, still the one before.
    #[must_use]
    pub fn serving(&self, zone: &'a Zone) -> Option<(&'a str, &'a NatGateway)> {
        let works = |nat: &NatGateway| nat.state == NatState::Available;
        let current = self.current(zone);
        let others = || {
            self.zones
                .get(zone.name.as_str())?
                .live()
                .find(|(_, nat)| works(nat))
        };
        current
            .filter(|(_, nat)| works(nat))
            .or_else(others)
            .or(current)
    }

    /// The current one, if it works.
    pub(crate) fn available(&self, zone: &'a Zone) -> Option<&'a str> {
        let current = self.current(zone);
        current.and_then(|(id, nat)| (nat.state == NatState::Available).then_some(id))
    }
}

impl<'a> Holdings<'a> {
    /// The NAT gateways that work or are going to.
    pub fn live(&self) -> impl Iterator<Item = (&'a str, &'a NatGateway)> + '_ {
        let all = self.nat_gateways.iter();
        all.filter(|(_, nat)| nat.state.is_live())
            .map(|(id, nat)| (*id, *nat))
    }

    /// Sorts an available NAT gateway's address before a pending one's.
    fn state_of(&self, allocation: &str) -> bool {
        let mut live = self.live();
        !live.any(|(_, nat)| {
            nat.state == NatState::Available && nat.allocation.as_deref() == Some(allocation)
        })
    }
}

/// Whether the operator has marked a table to get routes.
pub(crate) fn is_dmz(table: &RouteTable) -> bool {
    table.tags.get(tags::TYPE_TAG).map(String::as_str) == Some(tags::DMZ)
}

fn zone_tag(tags: &Tags) -> Option<&str> {
    tags.get(tags::ZONE_TAG).map(String::as_str)
}
