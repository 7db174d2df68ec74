//! The routes that were ours at an earlier look.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::Ipv4Net;

use crate::{Applied, Desired, Inventory};

/// Table and network of routes that led to one of our NAT gateways when this
/// process looked last. It lives as long as the process and no longer: nothing in
/// EC2 says it, and a ConfigMap that said it could be written by anybody.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RoutesSeen(BTreeMap<String, BTreeSet<Ipv4Net>>);

impl RoutesSeen {
    /// Whether a route was ours, and its network has been wanted ever since.
    #[must_use]
    pub fn contains(&self, table: &str, network: &Ipv4Net) -> bool {
        let networks = self.0.get(table);
        networks.is_some_and(|networks| networks.contains(network))
    }

    /// Notes the routes that are ours now. What nobody wants any more is
    /// forgotten, and with it every claim to what somebody else makes of it.
    pub fn note(&mut self, desired: &Desired, inventory: &Inventory<'_>, applied: &Applied) {
        let tables = &inventory.observed.route_tables;
        self.0.retain(|table, networks| {
            networks.retain(|network| desired.networks.contains_key(network));
            !networks.is_empty() && tables.contains_key(table)
        });
        let there = tables.iter().flat_map(|(id, table)| {
            let ours = table.routes.iter();
            let ours = ours.filter(|route| inventory.owns_route(table, route));
            ours.map(move |route| (id, route.destination))
        });
        let made = applied.done.iter().map(|(id, network)| (id, *network));
        for (id, network) in there.chain(made) {
            if desired.networks.contains_key(&network) {
                self.insert(id, network);
            }
        }
    }

    /// Notes one route.
    pub fn insert(&mut self, table: &str, network: Ipv4Net) {
        match self.0.get_mut(table) {
            Some(networks) => {
                networks.insert(network);
            }
            None => {
                self.0.insert(table.to_owned(), BTreeSet::from([network]));
            }
        }
    }
}
