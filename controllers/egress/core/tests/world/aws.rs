//! `aws.yaml`: EC2.

use std::collections::BTreeMap;

use egress_core::{
    Address, Association, Config, NatGateway, NatState, Observed, RouteTable, RoutesSeen, Subnet,
    Tags, tags,
};
use serde::Deserialize;

use super::{NOW, dmz_tags, empty, network, route};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
struct AwsYaml {
    /// Zones that are complete: `subnet-nat-X`, `rtb-nat-X`, `eipalloc-X`, `nat-X`.
    built: Vec<String>,
    vpc: VpcYaml,
    internet_gateway: Option<String>,
    subnets: BTreeMap<String, SubnetYaml>,
    route_tables: BTreeMap<String, TableYaml>,
    /// By table: networks whose routes were ours at an earlier look.
    seen: BTreeMap<String, Vec<String>>,
    addresses: BTreeMap<String, AddressYaml>,
    nat_gateways: BTreeMap<String, NatYaml>,
}

impl Default for AwsYaml {
    fn default() -> Self {
        Self {
            built: Vec::new(),
            vpc: VpcYaml {
                id: "vpc-1".into(),
                cidrs: vec!["10.20.0.0/16".into()],
            },
            internet_gateway: Some("igw-1".into()),
            subnets: BTreeMap::new(),
            route_tables: BTreeMap::new(),
            seen: BTreeMap::new(),
            addresses: BTreeMap::new(),
            nat_gateways: BTreeMap::new(),
        }
    }
}

/// What an `aws.yaml` says of an earlier look.
pub(crate) fn seen(yaml: &str) -> RoutesSeen {
    let yaml: AwsYaml = serde_yaml_ng::from_str(yaml).unwrap();
    let mut seen = RoutesSeen::default();
    for (table, networks) in &yaml.seen {
        for text in networks {
            seen.insert(table, network(text));
        }
    }
    seen
}

#[derive(Deserialize)]
struct VpcYaml {
    id: String,
    cidrs: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SubnetYaml {
    zone: String,
    cidr: String,
    #[serde(default)]
    mine: bool,
    #[serde(default)]
    tags: Tags,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TableYaml {
    /// The zone, for a table tagged `Type=dmz`.
    dmz: Option<String>,
    /// The zone, for the table of a NAT subnet of ours.
    mine: Option<String>,
    #[serde(default)]
    tags: Tags,
    /// Destination to target; ` gone` after it means black-holed, `propagated` not made by anybody.
    #[serde(default)]
    routes: BTreeMap<String, String>,
    #[serde(default)]
    subnets: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AddressYaml {
    ip: String,
    mine: Option<String>,
    attached: Option<String>,
    #[serde(default)]
    tags: Tags,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NatYaml {
    mine: Option<String>,
    state: String,
    subnet: String,
    address: Option<String>,
    #[serde(default)]
    age: i64,
    failure: Option<String>,
    #[serde(default)]
    tags: Tags,
}

/// An `aws.yaml`.
pub(crate) fn aws(yaml: &str, config: &Config) -> Observed {
    let yaml: AwsYaml = serde_yaml_ng::from_str(yaml).unwrap();
    let mut observed = empty(
        &yaml
            .vpc
            .cidrs
            .iter()
            .map(String::as_str)
            .collect::<Vec<_>>(),
    );
    observed.vpc.id = yaml.vpc.id;
    observed.internet_gateway = yaml.internet_gateway;
    for zone in &yaml.built {
        build(&mut observed, config, zone);
    }
    let mine = |zone: Option<&String>, mut tags: Tags| {
        tags.extend(
            zone.map(|zone| self::tags::for_new(config, zone))
                .unwrap_or_default(),
        );
        tags
    };
    for (id, subnet) in yaml.subnets {
        let tags = mine(subnet.mine.then_some(&subnet.zone), subnet.tags);
        let cidr = network(&subnet.cidr);
        observed.subnets.insert(
            id,
            Subnet {
                zone: subnet.zone,
                cidr,
                tags,
            },
        );
    }
    for (id, table) in yaml.route_tables {
        let mut tags = mine(table.mine.as_ref(), table.tags);
        if let Some(zone) = table.dmz {
            tags.extend(dmz_tags(&zone));
        }
        let routes = table
            .routes
            .iter()
            .map(|(to, via)| route(to, via))
            .collect();
        let associations = table.subnets.iter().map(|subnet| Association {
            id: format!("rtbassoc-{subnet}"),
            subnet: subnet.clone(),
        });
        let associations = associations.collect();
        observed.route_tables.insert(
            id,
            RouteTable {
                tags,
                routes,
                associations,
            },
        );
    }
    for (id, address) in yaml.addresses {
        let tags = mine(address.mine.as_ref(), address.tags);
        let (public_ip, attached_to) = (address.ip, address.attached);
        observed.addresses.insert(
            id,
            Address {
                public_ip,
                attached_to,
                tags,
            },
        );
    }
    for (id, nat) in yaml.nat_gateways {
        observed.nat_gateways.insert(
            id,
            NatGateway {
                state: state(&nat.state),
                subnet: nat.subnet,
                allocation: nat.address,
                created: NOW - nat.age,
                deleted: matches!(nat.state.as_str(), "deleting" | "deleted")
                    .then_some(NOW - nat.age),
                failure: nat.failure,
                tags: mine(nat.mine.as_ref(), nat.tags),
            },
        );
    }
    observed
}

/// A zone that lacks nothing.
fn build(observed: &mut Observed, config: &Config, zone: &str) {
    let letter = &zone[zone.len() - 1..];
    let nth = letter.as_bytes()[0] - b'a';
    let tags = tags::for_new(config, zone);
    let subnet = format!("subnet-nat-{letter}");
    let cidr = network(&format!("10.20.255.{}/28", u32::from(nth) * 16));
    let nat = format!("nat-{letter}");
    observed.subnets.insert(
        subnet.clone(),
        Subnet {
            zone: zone.into(),
            cidr,
            tags: tags.clone(),
        },
    );
    let table = RouteTable {
        tags: tags.clone(),
        routes: vec![route("10.20.0.0/16", "local"), route("0.0.0.0/0", "igw-1")],
        associations: vec![Association {
            id: format!("rtbassoc-{letter}"),
            subnet: subnet.clone(),
        }],
    };
    observed
        .route_tables
        .insert(format!("rtb-nat-{letter}"), table);
    let mut remembering = tags.clone();
    remembering.insert(tags::NAT_GATEWAYS_TAG.to_owned(), nat.clone());
    let address = Address {
        public_ip: format!("18.184.0.{}", nth + 1),
        attached_to: Some(format!("eni-{nat}")),
        tags: remembering,
    };
    observed
        .addresses
        .insert(format!("eipalloc-{letter}"), address);
    let gateway = NatGateway {
        state: NatState::Available,
        subnet,
        allocation: Some(format!("eipalloc-{letter}")),
        created: NOW - 3600,
        deleted: None,
        failure: None,
        tags,
    };
    observed.nat_gateways.insert(nat, gateway);
}

fn state(word: &str) -> NatState {
    let all = [
        NatState::Pending,
        NatState::Available,
        NatState::Failed,
        NatState::Deleting,
        NatState::Deleted,
    ];
    all.into_iter()
        .find(|state| state.as_str() == word)
        .unwrap_or_else(|| panic!("state {word}"))
}
