//! Test input: settings, ConfigMaps and EC2 in a slim form of YAML.

#![allow(dead_code, reason = "each test binary uses its own part")]

pub(crate) mod ec2;

use std::collections::BTreeMap;

use egress_core::{
    Address, Association, CidrList, Config, Guards, NatGateway, NatState, Observed, Route,
    RouteTable, Snapshot, Subnet, Tags, Target, UnixTime, Vpc, Zone, tags,
};
use ipnet::Ipv4Net;
use isthmus_core::{ObjectRef, Ownership, RemovalLimit};
use serde::Deserialize;

/// The time of every test: 2026-11-01T00:00:00Z.
pub(crate) const NOW: UnixTime = 1_793_491_200;

/// The flags that a case differs in, under their own names.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", default, deny_unknown_fields)]
pub(crate) struct Flags {
    pub(crate) aws_az: Vec<String>,
    pub(crate) aws_nat_cidr_block: Vec<String>,
    pub(crate) eip_allocation_id: Vec<String>,
    pub(crate) additional_stack_tags: BTreeMap<String, String>,
    pub(crate) release_eips: bool,
    pub(crate) min_prefix_length: u8,
    pub(crate) max_cidrs_per_namespace: usize,
    pub(crate) max_routes_per_table: usize,
    pub(crate) max_removal_percent: u32,
    pub(crate) max_removal_count: usize,
    pub(crate) allow_mass_removal: bool,
    /// Whether a second look has confirmed an empty list.
    pub(crate) confirmed_empty: bool,
}

impl Default for Flags {
    fn default() -> Self {
        let limit = RemovalLimit::default();
        Self {
            aws_az: vec!["eu-central-1a".into()],
            aws_nat_cidr_block: vec![
                "10.20.255.0/28".into(),
                "10.20.255.16/28".into(),
                "10.20.255.32/28".into(),
            ],
            eip_allocation_id: Vec::new(),
            additional_stack_tags: BTreeMap::new(),
            release_eips: false,
            min_prefix_length: 8,
            max_cidrs_per_namespace: 0,
            max_routes_per_table: 500,
            max_removal_percent: limit.percent,
            max_removal_count: limit.count,
            allow_mass_removal: limit.allow_mass,
            confirmed_empty: true,
        }
    }
}

impl Flags {
    pub(crate) fn config(&self) -> Config {
        let zones = self.aws_az.iter().enumerate().map(|(n, name)| Zone {
            name: name.clone(),
            nat_cidr: network(&self.aws_nat_cidr_block[n]),
            adopt: self.eip_allocation_id.get(n).cloned(),
        });
        Config {
            zones: zones.collect(),
            guards: Guards {
                min_prefix_len: self.min_prefix_length,
                max_per_namespace: self.max_cidrs_per_namespace,
            },
            max_routes_per_table: self.max_routes_per_table,
            release_addresses: self.release_eips,
            ownership: Ownership::new(
                Ownership::DEFAULT_TAG_PREFIX,
                "aws:123456789012:eu-central-1:kube-1",
                "kube-static-egress-controller",
            ),
            additional_tags: self.additional_stack_tags.clone(),
        }
    }

    pub(crate) fn limit(&self) -> RemovalLimit {
        RemovalLimit {
            percent: self.max_removal_percent,
            count: self.max_removal_count,
            allow_mass: self.allow_mass_removal,
        }
    }
}

pub(crate) fn network(text: &str) -> Ipv4Net {
    text.parse()
        .unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// A ConfigMap as Kubernetes shows it, as far as it is read.
#[derive(Deserialize)]
struct ConfigMap {
    metadata: Metadata,
    #[serde(default)]
    data: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Metadata {
    namespace: String,
    name: String,
    /// How old it is, in seconds.
    #[serde(default)]
    age: i64,
}

/// The documents of a `cluster.yaml`: at most one of `kind: Flags`, then ConfigMaps.
pub(crate) fn cluster(yaml: &str) -> (Flags, Snapshot) {
    let mut flags = Flags::default();
    let mut lists = Vec::new();
    for document in serde_yaml_ng::Deserializer::from_str(yaml) {
        let mut value = serde_yaml_ng::Value::deserialize(document).unwrap();
        let Some(map) = value.as_mapping_mut() else {
            continue;
        };
        match map.get("kind").and_then(|kind| kind.as_str()) {
            Some("Flags") => {
                map.remove("kind");
                flags = serde_yaml_ng::from_value(value).unwrap();
            }
            Some("ConfigMap") => {
                let object: ConfigMap = serde_yaml_ng::from_value(value).unwrap();
                lists.push(list(
                    &object.metadata.namespace,
                    &object.metadata.name,
                    object.data,
                ));
                lists.last_mut().unwrap().created = NOW - object.metadata.age;
            }
            other => panic!("kind {other:?} in cluster.yaml"),
        }
    }
    (flags, Snapshot::new(lists))
}

pub(crate) fn list(namespace: &str, name: &str, data: BTreeMap<String, String>) -> CidrList {
    CidrList {
        object: ObjectRef::new("v1", "ConfigMap", namespace, name),
        created: NOW,
        data,
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
struct AwsYaml {
    /// Zones that are complete: `subnet-nat-X`, `rtb-nat-X`, `eipalloc-X`, `nat-X`.
    built: Vec<String>,
    vpc: VpcYaml,
    internet_gateway: Option<String>,
    subnets: BTreeMap<String, SubnetYaml>,
    route_tables: BTreeMap<String, TableYaml>,
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
            addresses: BTreeMap::new(),
            nat_gateways: BTreeMap::new(),
        }
    }
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
