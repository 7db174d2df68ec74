//! What of the observed is ours, by zone.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    Address, Config, NatGateway, NatState, Observed, Route, RouteTable, RoutesSeen, Subnet, Tags,
    Target, Zone, tags,
};

mod address;

pub(crate) use address::WantedAddress;

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
    seen: Option<&'a RoutesSeen>,
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
            seen: None,
        };
        inventory.sort_network();
        inventory.sort_addresses();
        inventory
    }

    /// The same, and which routes were ours at an earlier look.
    #[must_use]
    pub fn having_seen(mut self, seen: &'a RoutesSeen) -> Self {
        self.seen = Some(seen);
        self
    }

    /// Whether a route was ours, and somebody has led it elsewhere.
    pub(crate) fn was_ours(&self, table: &str, route: &Route) -> bool {
        let seen = self.seen.filter(|_| route.created);
        seen.is_some_and(|seen| seen.contains(table, &route.destination))
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
