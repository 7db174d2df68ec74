//! Test input: settings, ConfigMaps and EC2 in a slim form of YAML.

#![allow(dead_code, reason = "each test binary uses its own part")]

pub(crate) mod any;
pub(crate) mod aws;
pub(crate) mod cluster;
pub(crate) mod ec2;

use std::collections::BTreeMap;

use egress_core::{CidrList, Observed, Route, Tags, Target, UnixTime, Vpc, tags};
use ipnet::Ipv4Net;
use isthmus_core::ObjectRef;

/// The time of every test: 2026-11-01T00:00:00Z.
pub(crate) const NOW: UnixTime = 1_793_491_200;

pub(crate) fn network(text: &str) -> Ipv4Net {
    text.parse()
        .unwrap_or_else(|error| panic!("{text}: {error}"))
}

pub(crate) fn list(namespace: &str, name: &str, data: BTreeMap<String, String>) -> CidrList {
    CidrList {
        object: ObjectRef::new("v1", "ConfigMap", namespace, name),
        created: NOW,
        data,
    }
}

pub(crate) fn empty(cidrs: &[&str]) -> Observed {
    Observed {
        vpc: Vpc {
            id: "vpc-1".into(),
            cidrs: cidrs.iter().map(|cidr| network(cidr)).collect(),
        },
        internet_gateway: Some("igw-1".into()),
        subnets: BTreeMap::new(),
        route_tables: BTreeMap::new(),
        addresses: BTreeMap::new(),
        nat_gateways: BTreeMap::new(),
    }
}

pub(crate) fn dmz_tags(zone: &str) -> Tags {
    Tags::from([
        (tags::TYPE_TAG.to_owned(), tags::DMZ.to_owned()),
        (tags::TABLE_ZONE_TAG.to_owned(), zone.to_owned()),
    ])
}

pub(crate) fn route(destination: &str, target: &str) -> Route {
    let (target, note) = target.split_once(' ').unwrap_or((target, ""));
    Route {
        destination: network(destination),
        target: if target.starts_with("nat-") {
            Target::NatGateway(target.into())
        } else if target.starts_with("igw-") || target.starts_with("vgw-") || target == "local" {
            Target::Gateway(target.into())
        } else {
            Target::Other(target.into())
        },
        blackhole: note == "gone",
        created: target != "local" && note != "propagated",
    }
}
