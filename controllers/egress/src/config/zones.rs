//! `--aws-az`, `--aws-nat-cidr-block` and `--eip-allocation-id`, which go together.

use std::collections::BTreeSet;

use egress_core::Zone;
use ipnet::Ipv4Net;
use isthmus_runtime::Problems;

use super::Provider;
use crate::args::Args;

/// The zones, as far as the flags are right.
pub(super) fn zones(args: &Args, provider: Provider, problems: &mut Problems) -> Vec<Zone> {
    let count = args.aws_az.len();
    if count == 0 && provider == Provider::Aws {
        problems.push("aws-az", "", "one availability zone or more");
    }
    let mut seen = BTreeSet::new();
    for zone in &args.aws_az {
        let word = zone
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if !word || zone.is_empty() {
            problems.push("aws-az", zone, "an availability zone such as eu-central-1a");
        } else if !seen.insert(zone) {
            problems.push("aws-az", zone, "each availability zone once");
        }
    }
    let networks = nat_networks(args, problems);
    if args.aws_nat_cidr_block.len() != count {
        let given = args.aws_nat_cidr_block.join(",");
        let allowed =
            format!("as many networks as --aws-az has zones ({count}), in the same order");
        problems.push("aws-nat-cidr-block", given, allowed);
    }
    let adopted = adopted(args, problems);
    let each = args.aws_az.iter().zip(networks).enumerate();
    each.map(|(n, (name, nat_cidr))| Zone {
        name: name.clone(),
        nat_cidr,
        adopt: adopted.get(n).cloned().flatten(),
    })
    .collect()
}

fn nat_networks(args: &Args, problems: &mut Problems) -> Vec<Ipv4Net> {
    let mut networks: Vec<Ipv4Net> = Vec::new();
    for text in &args.aws_nat_cidr_block {
        let allowed = "an IPv4 network of the VPC with a prefix of 16 to 28, such as 10.0.255.0/28";
        let network = text.parse::<Ipv4Net>().ok();
        let network = network.filter(|network| *network == network.trunc());
        match network.filter(|network| (16..=28).contains(&network.prefix_len())) {
            None => problems.push("aws-nat-cidr-block", text, allowed),
            Some(network) => {
                let other = networks
                    .iter()
                    .find(|other| other.contains(&network) || network.contains(*other));
                if let Some(other) = other {
                    let allowed =
                        format!("networks that do not overlap, and {other} is one already");
                    problems.push("aws-nat-cidr-block", text, allowed);
                }
                networks.push(network);
            }
        }
    }
    networks
}

fn adopted(args: &Args, problems: &mut Problems) -> Vec<Option<String>> {
    if args.eip_allocation_id.len() > args.aws_az.len() {
        let allowed = format!(
            "at most as many as --aws-az has zones ({})",
            args.aws_az.len()
        );
        problems.push(
            "eip-allocation-id",
            args.eip_allocation_id.join(","),
            allowed,
        );
    }
    let mut seen = BTreeSet::new();
    for id in args.eip_allocation_id.iter().filter(|id| *id != "none") {
        if !is_id(id, "eipalloc-") {
            problems.push(
                "eip-allocation-id",
                id,
                "an allocation id such as eipalloc-0a1b2c3d, or none",
            );
        } else if !seen.insert(id) {
            problems.push("eip-allocation-id", id, "each Elastic IP once");
        }
    }
    args.eip_allocation_id
        .iter()
        .map(|id| (id != "none").then(|| id.clone()))
        .collect()
}

/// Whether a text looks like an id that AWS draws, such as `vpc-0a1b2c3d`.
pub(super) fn is_id(text: &str, prefix: &str) -> bool {
    let digits = text.strip_prefix(prefix).unwrap_or_default();
    !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_alphanumeric())
}
