//! What the operator has set.

use std::collections::BTreeMap;

use ipnet::Ipv4Net;
use isthmus_core::Ownership;

/// The operator's settings that decisions depend on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The zones to build in, in the order of `--aws-az`.
    pub zones: Vec<Zone>,
    /// What a ConfigMap may ask for.
    pub guards: Guards,
    /// How many routes a table may have, `--max-routes-per-table`: the account's
    /// quota [routes per route table](https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html).
    pub max_routes_per_table: usize,
    /// Give Elastic IPs back that are no longer used: `--release-eips`.
    pub release_addresses: bool,
    /// Keep the NAT gateways of the zones while nobody asks for anything:
    /// `--keep-nat-gateways`.
    pub keep_nat_gateways: bool,
    /// Whose everything is.
    pub ownership: Ownership,
    /// `--additional-stack-tags`, on everything that is made.
    pub additional_tags: BTreeMap<String, String>,
}

/// One availability zone of `--aws-az`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone {
    /// For example `eu-central-1a`.
    pub name: String,
    /// The network of its NAT subnet, at the same place of `--aws-nat-cidr-block`.
    pub nat_cidr: Ipv4Net,
    /// The allocation to use, at the same place of `--eip-allocation-id`.
    pub adopt: Option<String>,
}

/// The limits of what a ConfigMap may ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guards {
    /// The shortest prefix that is accepted: `--min-prefix-length`.
    pub min_prefix_len: u8,
    /// How many different networks one namespace may ask for:
    /// `--max-cidrs-per-namespace`, where 0 means any number.
    pub max_per_namespace: usize,
}

impl Default for Guards {
    fn default() -> Self {
        Self {
            min_prefix_len: 8,
            max_per_namespace: 0,
        }
    }
}

impl Config {
    /// The settings of a zone, if it is one of `--aws-az`.
    #[must_use]
    pub fn zone(&self, name: &str) -> Option<&Zone> {
        self.zones.iter().find(|zone| zone.name == name)
    }
}
