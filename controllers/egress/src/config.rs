//! The flags, found to be right.

use std::collections::BTreeMap;
use std::time::Duration;

use egress_core::{Config, Guards, Zone};
use isthmus_core::{CONTROLLER_TAG, Ownership};
use isthmus_runtime::{CommonArgs, Problems};

use crate::args::Args;

mod zones;
use zones::{is_id, zones};

/// What the flags say.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) provider: Provider,
    pub(crate) zones: Vec<Zone>,
    pub(crate) vpc: Option<String>,
    pub(crate) namespace: Option<String>,
    pub(crate) resync: Duration,
    /// The least time between two calls of an action that changes something.
    pub(crate) period: Duration,
    pub(crate) guards: Guards,
    /// Things to be said once at the start.
    pub(crate) notes: Vec<String>,
    tag_prefix: String,
    controller_id: String,
    additional_tags: BTreeMap<String, String>,
    max_routes_per_table: usize,
    release_addresses: bool,
    keep_nat_gateways: bool,
}

/// What is worked on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Provider {
    /// EC2.
    Aws,
    /// Nothing: the ConfigMaps are judged, and that is all.
    Noop,
}

impl Settings {
    pub(crate) fn new(args: Args, common: &CommonArgs, problems: &mut Problems) -> Option<Self> {
        let provider = match args.provider.as_str() {
            "aws" => Provider::Aws,
            "noop" => Provider::Noop,
            other => {
                problems.push("provider", other, "aws, noop");
                Provider::Noop
            }
        };
        let zones = zones(&args, provider, problems);
        let additional_tags = additional_tags(&args, common, problems);
        check_numbers(&args, problems);
        let period = period(&args, problems);
        check_names(&args, common, problems);
        problems.is_empty().then(|| Self {
            provider,
            zones,
            vpc: args.vpc_id,
            namespace: Some(args.namespace).filter(|namespace| !namespace.is_empty()),
            resync: args.resync_interval.0,
            period,
            guards: Guards {
                min_prefix_len: args.min_prefix_length,
                max_per_namespace: args.max_cidrs_per_namespace,
            },
            notes: args.older.notes(),
            tag_prefix: args.cluster_id_tag_prefix,
            controller_id: args.controller_id,
            additional_tags,
            max_routes_per_table: args.max_routes_per_table,
            release_addresses: args.release_eips,
            keep_nat_gateways: args.keep_nat_gateways,
        })
    }

    /// What decisions depend on, once the cluster's id is known.
    pub(crate) fn decisions(&self, cluster_id: &str) -> Config {
        Config {
            zones: self.zones.clone(),
            guards: self.guards.clone(),
            max_routes_per_table: self.max_routes_per_table,
            release_addresses: self.release_addresses,
            keep_nat_gateways: self.keep_nat_gateways,
            ownership: Ownership::new(&self.tag_prefix, cluster_id, &self.controller_id),
            additional_tags: self.additional_tags.clone(),
        }
    }
}

fn additional_tags(
    args: &Args,
    common: &CommonArgs,
    problems: &mut Problems,
) -> BTreeMap<String, String> {
    let flag = "additional-stack-tags";
    let cluster_tag = common
        .cluster_id
        .as_ref()
        .map(|id| format!("{}{id}", args.cluster_id_tag_prefix));
    let mut tags = BTreeMap::new();
    for text in &args.additional_stack_tags {
        let (key, value) = match text.split_once('=') {
            Some((key, value)) if !key.is_empty() && !value.contains('=') => (key, value),
            _ => {
                problems.push(flag, text, "KEY=VALUE with exactly one =");
                continue;
            }
        };
        let reserved = key.starts_with("aws:")
            || key.starts_with("isthmus.dev/")
            || key == CONTROLLER_TAG
            || Some(key) == cluster_tag.as_deref()
            || key == egress_core::tags::TYPE_TAG && value == egress_core::tags::DMZ;
        if reserved {
            problems.push(
                flag,
                text,
                "tags other than aws:*, isthmus.dev/*, Type=dmz and the tags of ownership",
            );
        } else if key.chars().count() > 128 || value.chars().count() > 256 {
            problems.push(
                flag,
                text,
                "at most 128 characters before the = and 256 after it",
            );
        } else if tags.insert(key.to_owned(), value.to_owned()).is_some() {
            problems.push(flag, text, "each key once");
        }
    }
    tags
}

fn check_numbers(args: &Args, problems: &mut Problems) {
    if !(1..=32).contains(&args.min_prefix_length) {
        problems.push("min-prefix-length", args.min_prefix_length, "1 to 32");
    }
    if args.max_routes_per_table == 0 {
        problems.push("max-routes-per-table", 0, "1 or more");
    }
    if args.resync_interval.0 < Duration::from_secs(1) {
        problems.push("resync-interval", args.resync_interval, "1s or more");
    }
}

fn period(args: &Args, problems: &mut Problems) -> Duration {
    let rate = args.aws_api_rate.parse::<f64>().ok();
    let Some(rate) = rate.filter(|rate| (0.1..=1000.0).contains(rate)) else {
        problems.push("aws-api-rate", &args.aws_api_rate, "0.1 to 1000");
        return Duration::MAX;
    };
    Duration::from_secs_f64(1.0 / rate)
}

fn check_names(args: &Args, common: &CommonArgs, problems: &mut Problems) {
    if let Some(vpc) = args.vpc_id.as_ref().filter(|vpc| !is_id(vpc, "vpc-")) {
        problems.push("vpc-id", vpc, "a VPC id such as vpc-0a1b2c3d");
    }
    if args.controller_id.is_empty() {
        problems.push("controller-id", "", "a value that is not empty");
    }
    let cluster_id = common.cluster_id.as_deref();
    let too_long = |id: &&str| args.cluster_id_tag_prefix.len() + id.len() > 128;
    if let Some(id) = cluster_id.filter(|id| id.is_empty() || too_long(id)) {
        problems.push(
            "cluster-id",
            id,
            "an id that makes a tag key of at most 128 characters",
        );
    }
    let servers: Vec<_> = args
        .older
        .master
        .iter()
        .filter(|url| !url.is_empty())
        .collect();
    if servers.len() > 1 {
        let given: Vec<_> = servers.iter().map(|url| url.as_str()).collect();
        problems.push(
            "master",
            given.join(","),
            "one cluster; run isthmus-egress in each",
        );
    }
}

#[cfg(test)]
mod tests;
