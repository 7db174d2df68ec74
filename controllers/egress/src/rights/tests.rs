use std::collections::{BTreeMap, BTreeSet};

use egress_core::{
    Address, Association, Guards, NatGateway, NatState, RouteTable, Subnet, Tags, Vpc, Zone,
};
use isthmus_core::Ownership;

use super::*;

fn config() -> Config {
    Config {
        zones: vec![Zone {
            name: "zone-a".into(),
            nat_cidr: "10.0.0.0/28".parse().unwrap(),
            adopt: None,
        }],
        guards: Guards::default(),
        max_routes_per_table: 500,
        release_addresses: true,
        keep_nat_gateways: false,
        ownership: Ownership::new(Ownership::DEFAULT_TAG_PREFIX, "kube-1", "egress"),
        additional_tags: BTreeMap::new(),
    }
}

fn empty() -> Observed {
    Observed {
        vpc: Vpc {
            id: "vpc-1".into(),
            cidrs: Vec::new(),
        },
        internet_gateway: None,
        subnets: BTreeMap::new(),
        route_tables: BTreeMap::new(),
        addresses: BTreeMap::new(),
        nat_gateways: BTreeMap::new(),
    }
}

/// One of each kind, with these tags.
fn built(tags: &Tags) -> Observed {
    let subnet = Subnet {
        zone: "zone-a".into(),
        cidr: "10.0.0.0/28".parse().unwrap(),
        tags: tags.clone(),
    };
    let table = RouteTable {
        tags: tags.clone(),
        routes: Vec::new(),
        associations: vec![Association {
            id: "rtbassoc-1".into(),
            subnet: "subnet-1".into(),
        }],
    };
    let address = Address {
        public_ip: "192.0.2.1".into(),
        attached_to: None,
        tags: tags.clone(),
    };
    let nat = NatGateway {
        state: NatState::Available,
        subnet: "subnet-1".into(),
        allocation: Some("eipalloc-1".into()),
        created: 0,
        deleted: None,
        failure: None,
        tags: tags.clone(),
    };
    Observed {
        internet_gateway: Some("igw-1".into()),
        subnets: BTreeMap::from([("subnet-1".into(), subnet)]),
        route_tables: BTreeMap::from([("rtb-1".into(), table)]),
        addresses: BTreeMap::from([("eipalloc-1".into(), address)]),
        nat_gateways: BTreeMap::from([("nat-1".into(), nat)]),
        ..empty()
    }
}

fn operations(observed: &Observed) -> BTreeSet<&'static str> {
    let calls = calls(&config(), observed);
    let operations: BTreeSet<_> = calls.iter().map(Call::operation).collect();
    assert_eq!(
        operations.len(),
        calls.len(),
        "each kind is asked about once"
    );
    operations
}

const MAKING: [&str; 3] = ["AllocateAddress", "CreateRouteTable", "CreateSubnet"];
const ROUTING: [&str; 3] = ["CreateRoute", "DeleteRoute", "ReplaceRoute"];

#[test]
fn before_anything_is_there_the_making_is_rehearsed() {
    assert_eq!(operations(&empty()), BTreeSet::from(MAKING));
}

#[test]
fn nothing_of_others_is_named_in_a_rehearsal() {
    assert_eq!(operations(&built(&Tags::new())), BTreeSet::from(MAKING));
    let dmz = Tags::from([(tags::TYPE_TAG.to_owned(), tags::DMZ.to_owned())]);
    let expected = MAKING.into_iter().chain(ROUTING).collect();
    assert_eq!(operations(&built(&dmz)), expected);
}

#[test]
fn once_it_is_built_every_kind_of_call_is_rehearsed() {
    let mut tags = tags::for_new(&config(), "zone-a");
    tags.insert(tags::TYPE_TAG.to_owned(), tags::DMZ.to_owned());
    let of_ours = [
        "AssociateRouteTable",
        "CreateNatGateway",
        "CreateTags",
        "DeleteNatGateway",
        "DeleteRouteTable",
        "DeleteSubnet",
        "DisassociateRouteTable",
        "ReleaseAddress",
        "ReplaceRouteTableAssociation",
    ];
    let expected = MAKING.into_iter().chain(ROUTING).chain(of_ours).collect();
    assert_eq!(operations(&built(&tags)), expected);
}
