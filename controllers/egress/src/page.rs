//! What is managed, for the admin server's page.

use egress_core::{Desired, Inventory, Planned, RouteState, Stance};
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
    let networks = desired.networks.iter().map(|(network, askers)| {
        let askers: Vec<_> = askers
            .iter()
            .map(|object| format!("{}/{}", object.namespace, object.name))
            .collect();
        let states = planned.routes.iter();
        let states: Vec<_> = states
            .filter_map(|(table, states)| {
                let done = done.applied.done.contains(&(table.clone(), *network));
                let state = if done {
                    &RouteState::InPlace
                } else {
                    states.get(network)?
                };
                Some(format!("{table}: {}", word(state)))
            })
            .collect();
        row(&[&network.to_string(), &askers.join(", "), &states.join(", ")])
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
            section(
                stance,
                &["Zone", "Public IP", "NAT gateway", "State", "Problem"],
                zones.collect(),
            ),
            section(
                "Networks",
                &["Network", "Asked for by", "Route tables"],
                networks.collect(),
            ),
            section(
                "Elastic IPs",
                &["Public IP", "Allocation", "Zone", "In use by"],
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

fn section(title: &str, headings: &[&str], rows: Vec<Vec<String>>) -> Section {
    Section {
        title: title.to_owned(),
        headings: headings
            .iter()
            .map(|heading| (*heading).to_owned())
            .collect(),
        rows,
    }
}

/// Each zone with the public address, the id and the state of its NAT gateway.
pub(crate) fn serving<'a>(
    inventory: &'a Inventory<'_>,
) -> impl Iterator<Item = (&'a str, Option<&'a str>, &'a str, &'a str)> {
    inventory.config.zones.iter().filter_map(|zone| {
        let (id, nat) = inventory.serving(zone)?;
        let address = nat
            .allocation
            .as_ref()
            .and_then(|id| inventory.observed.addresses.get(id));
        let ip = address.map(|address| address.public_ip.as_str());
        Some((zone.name.as_str(), ip, id, nat.state.as_str()))
    })
}
