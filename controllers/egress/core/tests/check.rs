//! The guard of the guards: were the check to pass everything, nobody would notice.

#![allow(clippy::unwrap_used, reason = "a test")]

mod world;

use std::collections::BTreeMap;

use egress_core::{EgressAction, Handle, Inventory, Planned, RouteTable, check};
use isthmus_core::RemovalLimit;

use world::any::{ZONES, config};
use world::{dmz_tags, empty, network, route};

#[test]
fn the_check_withholds_what_is_not_ours() {
    let config = config(&ZONES[..1]);
    let mut observed = empty(&["10.20.0.0/16"]);
    let routes = vec![route("203.0.113.0/24", "pcx-1")];
    let table = RouteTable {
        tags: dmz_tags(ZONES[0]),
        routes,
        associations: Vec::new(),
    };
    observed.route_tables.insert("rtb-1".into(), table);
    let inventory = Inventory::new(&observed, &config);
    let zone = || ZONES[0].to_owned();
    let id = |id: &str| id.to_owned();
    let net = network("203.0.113.0/24");
    let forbidden = [
        EgressAction::DeleteRoute {
            table: id("rtb-1"),
            network: net,
            nat: id("pcx-1"),
            counts: true,
        },
        EgressAction::ReplaceRoute {
            table: id("rtb-1"),
            network: net,
            zone: zone(),
            nat: id("nat-1"),
            instead_of: id("pcx-1"),
        },
        EgressAction::CreateRoute {
            table: id("rtb-1"),
            network: net,
            zone: zone(),
            nat: id("nat-1"),
        },
        EgressAction::CreateRoute {
            table: id("rtb-1"),
            network: network("192.0.2.0/24"),
            zone: zone(),
            nat: id("nat-1"),
        },
        EgressAction::DeleteRouteTable {
            zone: zone(),
            table: id("rtb-1"),
        },
        EgressAction::DeleteNatGateway {
            zone: zone(),
            nat: id("nat-1"),
            why: String::new(),
        },
        EgressAction::DeleteSubnet {
            zone: zone(),
            subnet: id("subnet-1"),
        },
        EgressAction::ReleaseAddress {
            zone: zone(),
            allocation: id("eipalloc-1"),
            public_ip: String::new(),
        },
        EgressAction::CreateDefaultRoute {
            zone: zone(),
            table: Handle::Existing(id("rtb-1")),
            gateway: id("igw-1"),
        },
        EgressAction::Tag {
            zone: zone(),
            kind: "address",
            id: id("eipalloc-1"),
            tags: BTreeMap::new(),
        },
    ];
    let count = forbidden.len();
    let mut planned = Planned::default();
    for action in forbidden {
        planned.plan.push(action, Vec::new());
    }
    let found = check(&mut planned, &inventory, &RemovalLimit::default(), true);
    assert_eq!(found.len(), count, "{found:?}");
    assert_eq!(planned.plan.active().count(), 0);
}
