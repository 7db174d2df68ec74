//! Anything that may be asked for, be there or happen.

use std::collections::BTreeMap;

use egress_core::{Config, NatGateway, NatState, Observed, RouteTable, Snapshot, Target, tags};
use proptest::prelude::*;
use proptest::sample::subsequence;

use super::cluster::Flags;
use super::ec2::Ec2;
use super::{dmz_tags, empty, list, route};

const NETWORKS: [&str; 8] = [
    "203.0.112.0/22",
    "203.0.112.0/23",
    "203.0.113.0/24",
    "203.0.113.7/32",
    "198.51.100.0/24",
    "192.0.2.0/24",
    "192.0.2.128/25",
    "52.94.0.0/16",
];
pub(crate) const ZONES: [&str; 3] = ["eu-central-1a", "eu-central-1b", "eu-central-1c"];
const REFUSED: [&str; 4] = ["10.0.0.0/8", "0.0.0.0/0", "nonsense", "2001:db8::/32"];

pub(crate) fn config(zones: &[&str]) -> Config {
    let flags = Flags {
        aws_az: zones.iter().map(|zone| (*zone).to_owned()).collect(),
        // By zone and not by place, so that a zone keeps its network.
        aws_nat_cidr_block: zones
            .iter()
            .map(|zone| format!("10.20.255.{}/28", 16 * (zone.as_bytes()[12] - b'a')))
            .collect(),
        ..Flags::default()
    };
    flags.config()
}

prop_compose! {
    pub(crate) fn lists()(
        values in prop::collection::btree_map(0_u8..4, (subsequence(NETWORKS.to_vec(), 0..5), subsequence(REFUSED.to_vec(), 0..2)), 0..4),
    ) -> Snapshot {
        Snapshot::new(values.into_iter().map(|(n, (good, bad))| {
            let data = good.iter().chain(&bad).enumerate().map(|(k, v)| (format!("k{k}"), (*v).to_owned()));
            list("shop", &format!("list-{n}"), data.collect())
        }))
    }
}

prop_compose! {
    /// Route tables of the operator's with some routes of somebody else's.
    pub(crate) fn tables()(
        tables in prop::collection::vec((0_usize..4, subsequence(NETWORKS.to_vec(), 0..3), any::<bool>()), 0..4),
    ) -> Observed {
        let mut observed = empty(&["10.20.0.0/16"]);
        observed.nat_gateways.insert("nat-foreign".into(), foreign_nat());
        for (n, (zone, foreign, dmz)) in tables.into_iter().enumerate() {
            let zone = ZONES.get(zone).copied().unwrap_or("eu-central-1z");
            let targets = ["pcx-1", "nat-foreign", "nat-foreign-gone gone"];
            let routes = foreign.iter().enumerate().map(|(k, to)| route(to, targets[k % 3]));
            let mut routes: Vec<_> = routes.collect();
            routes.push(route("10.20.0.0/16", "local"));
            let tags = if dmz { dmz_tags(zone) } else { BTreeMap::new() };
            let table = RouteTable { tags, routes, associations: Vec::new() };
            observed.route_tables.insert(format!("rtb-{n}"), table);
        }
        observed
    }
}

fn foreign_nat() -> NatGateway {
    NatGateway {
        state: NatState::Available,
        subnet: "subnet-foreign".into(),
        allocation: Some("eipalloc-foreign".into()),
        created: 0,
        deleted: None,
        failure: None,
        tags: BTreeMap::new(),
    }
}

pub(crate) fn zones() -> impl Strategy<Value = Vec<&'static str>> {
    subsequence(ZONES.to_vec(), 1..=3)
}

/// Something happens that nobody asked for.
pub(crate) fn disturb(ec2: &mut Ec2, which: u8) {
    let first_live = || {
        let mut nats = ec2.observed.nat_gateways.iter();
        nats.find(|(id, nat)| nat.state.is_live() && *id != "nat-foreign")
            .map(|(id, _)| id.clone())
    };
    match which {
        0 => {
            if let Some(id) = first_live() {
                ec2.delete_by_hand(&id);
            }
        }
        1 => {
            if let Some(id) = first_live() {
                ec2.delete_by_hand(&id);
            }
            ec2.forget();
        }
        2 => {
            for table in ec2.observed.route_tables.values_mut() {
                let dmz = table.tags.contains_key(tags::TABLE_ZONE_TAG);
                let nat = |target: &Target| matches!(target, Target::NatGateway(id) if !id.contains("foreign"));
                table.routes.retain(|route| !(dmz && nat(&route.target)));
            }
        }
        3 => {
            for table in ec2
                .observed
                .route_tables
                .values_mut()
                .filter(|table| table.tags.len() == 2)
            {
                table.tags.extend(dmz_tags(ZONES[1]));
            }
        }
        4 => ec2.failing = 1,
        _ => {
            let ours = ec2
                .observed
                .route_tables
                .values_mut()
                .find(|table| !table.associations.is_empty());
            if let Some(table) = ours {
                table.routes.clear();
                table.associations.clear();
            }
        }
    }
}
