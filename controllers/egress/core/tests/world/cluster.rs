//! `cluster.yaml`: the flags, and the ConfigMaps as Kubernetes shows them.

use std::collections::BTreeMap;

use egress_core::{Config, Guards, Snapshot, Zone};
use isthmus_core::{Ownership, RemovalLimit};
use serde::Deserialize;

use super::{NOW, list, network};

/// The flags that a case differs in, under their own names.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", default, deny_unknown_fields)]
pub(crate) struct Flags {
    pub(crate) aws_az: Vec<String>,
    pub(crate) aws_nat_cidr_block: Vec<String>,
    pub(crate) eip_allocation_id: Vec<String>,
    pub(crate) additional_stack_tags: BTreeMap<String, String>,
    pub(crate) release_eips: bool,
    pub(crate) keep_nat_gateways: bool,
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
            keep_nat_gateways: false,
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
            keep_nat_gateways: self.keep_nat_gateways,
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
