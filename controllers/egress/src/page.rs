//! What is managed, for the admin server's page.

use egress_core::{Desired, Inventory, NatGateway, Planned, RouteState, Stance, Target, tags};
use ipnet::Ipv4Net;
use isthmus_runtime::{Page, Section};

use crate::apply::Done;

/// What is managed now, for the admin server's page.
pub(crate) fn page(
    desired: &Desired,
    planned: &Planned,
    inventory: &Inventory<'_>,
    done: &Done,
) -> Page {
    let row = |cells: &[&str]| {
        cells
            .iter()
            .map(|cell| (*cell).to_owned())
            .collect::<Vec<_>>()
    };
    let zones = inventory.config.zones.iter().map(|zone| {
        let found = serving(inventory).find(|(name, ..)| *name == zone.name);
        let (_, ip, nat, state) = found.unwrap_or((&zone.name, None, "", "missing"));
        let problem = planned
            .problems
            .get(&zone.name)
            .map_or("", |(_, message)| message);
        row(&[&zone.name, ip.unwrap_or(""), nat, state, problem])
    });
    let kept = inventory.zones.iter().flat_map(|(zone, holdings)| {
        let addresses = holdings.addresses.iter();
        addresses.map(move |(id, address)| (*zone, *id, address))
    });
    let addresses = kept.map(|(zone, id, address)| {
        row(&[
            &address.public_ip,
            id,
            zone,
            address.attached_to.as_deref().unwrap_or("kept, not in use"),
        ])
    });
    let networks = desired.networks.iter().flat_map(|(network, askers)| {
        let askers: Vec<_> = askers
            .iter()
            .map(|object| format!("{}/{}", object.namespace, object.name))
            .collect();
        let askers = askers.join(", ");
        let tables = planned.routes.iter();
        tables.filter_map(move |(table, states)| {
            let made = done.applied.done.contains(&(table.clone(), *network));
            let (state, leads) = match states.get(network) {
                _ if made => (word(&RouteState::InPlace), true),
                Some(state) => (word(state), *state == RouteState::InPlace),
                None => return None,
            };
            let way = leads.then(|| way(inventory, table, network)).flatten();
            let (nat, ip) = way.unwrap_or_default();
            Some(row(&[
                &network.to_string(),
                &askers,
                table,
                nat,
                ip,
                &state,
            ]))
        })
    });
    let stance = match desired.stance {
        Stance::Build => "Zones",
        Stance::Keep => "Zones (kept as they are: every entry is refused)",
        Stance::Remove if inventory.config.keep_nat_gateways => {
            "Zones (kept: no ConfigMap asks for anything)"
        }
        Stance::Remove => "Zones (not needed: no ConfigMap asks for anything)",
    };
    Page {
        sections: vec![
            Section::new(
                "Networks",
                [
                    "Network",
                    "Asked for by",
                    "Route table",
                    "NAT gateway",
                    "Public IP",
                    "State",
                ],
                networks.collect(),
            ),
            Section::new(
                stance,
                ["Zone", "Public IP", "NAT gateway", "State", "Problem"],
                zones.collect(),
            ),
            Section::new(
                "Elastic IPs",
                ["Public IP", "Allocation", "Zone", "In use by"],
                addresses.collect(),
            ),
        ],
    }
}

fn word(state: &RouteState) -> String {
    match state {
        RouteState::InPlace => "in place".to_owned(),
        RouteState::Planned => "planned".to_owned(),
        RouteState::Waiting(why) => format!("waiting: {why}"),
        RouteState::Quota => "the table is full".to_owned(),
        RouteState::Conflict(target) => format!("conflict with a route to {target}"),
        RouteState::CoveredBy(network) => format!("covered by {network}"),
    }
}

/// Where the traffic of a table to a network goes: the NAT gateway of the route,
/// or of the table's zone where the route was made just now; and its address.
fn way<'a>(
    inventory: &'a Inventory<'_>,
    table: &str,
    network: &Ipv4Net,
) -> Option<(&'a str, &'a str)> {
    let table = inventory.observed.route_tables.get(table)?;
    let mut routes = table.routes.iter();
    let route = routes.find(|route| route.destination == *network);
    if let Some(Target::NatGateway(id)) = route.map(|route| &route.target)
        && let Some(nat) = inventory.observed.nat_gateways.get(id)
    {
        return Some((id, public_ip(inventory, nat).unwrap_or_default()));
    }
    let zone = table.tags.get(tags::TABLE_ZONE_TAG)?;
    let mut zones = serving(inventory);
    let (_, ip, nat, _) = zones.find(|(name, ..)| name == zone)?;
    Some((nat, ip.unwrap_or_default()))
}

fn public_ip<'a>(inventory: &'a Inventory<'_>, nat: &NatGateway) -> Option<&'a str> {
    let id = nat.allocation.as_ref()?;
    let address = inventory.observed.addresses.get(id)?;
    Some(&address.public_ip)
}

/// Each zone with the public address, the id and the state of its NAT gateway.
pub(crate) fn serving<'a>(
    inventory: &'a Inventory<'_>,
) -> impl Iterator<Item = (&'a str, Option<&'a str>, &'a str, &'a str)> {
    inventory.config.zones.iter().filter_map(|zone| {
        let (id, nat) = inventory.serving(zone)?;
        let ip = public_ip(inventory, nat);
        Some((zone.name.as_str(), ip, id, nat.state.as_str()))
    })
}
