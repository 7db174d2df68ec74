//! What load balancers need and the VPC does not have.

use std::collections::BTreeSet;

use isthmus_core::{CONTROLLER_TAG, Rejection};

use crate::rejection::{NO_SECURITY_GROUP, NO_SUBNETS};
use crate::{Config, Desired, LoadBalancerType, Network, Scheme};

/// What is missing, a sentence each that names the tags looked for: what Ingresses
/// were rejected for, or what the first one would be rejected for.
#[must_use]
pub fn missing(
    network: &Network,
    desired: &Desired,
    rejections: &[Rejection],
    config: &Config,
) -> Vec<String> {
    let of_network = |rejection: &&Rejection| {
        rejection.reason == NO_SECURITY_GROUP || rejection.reason == NO_SUBNETS
    };
    let told = rejections.iter().filter(of_network);
    let mut missing: BTreeSet<String> = told.map(|rejection| rejection.message.clone()).collect();
    if desired.load_balancers.is_empty() {
        let kind = config.defaults.kind;
        let is_alb = kind == LoadBalancerType::Application;
        if is_alb && network.security_group(&config.ownership).is_none() {
            missing.insert(no_security_group(config));
        }
        let zones = |scheme| network.subnets(scheme, &config.ownership).len();
        let (open, inside) = (zones(Scheme::InternetFacing), zones(Scheme::Internal));
        if open.max(inside) < kind.min_zones() {
            let needed = (Scheme::InternetFacing, kind.min_zones());
            missing.insert(no_subnets(needed, open, config));
        }
    }
    missing.into_iter().collect()
}

/// That no security group has our tags.
pub(crate) fn no_security_group(config: &Config) -> String {
    format!(
        "no security group in {} has the tags {}=owned and {CONTROLLER_TAG}={}",
        config.vpc,
        config.ownership.cluster_tag(),
        config.ownership.controller_id(),
    )
}

/// That subnets were found in so many zones only, where a scheme needs more.
pub(crate) fn no_subnets(
    (scheme, needed): (Scheme, usize),
    zones: usize,
    config: &Config,
) -> String {
    let reachable = match scheme {
        Scheme::InternetFacing => " with a route to an internet gateway",
        Scheme::Internal => "",
    };
    format!(
        "a load balancer that is {scheme} needs subnets in {needed} zones of {} and there are {zones}; looked for are subnets{reachable} \
         with the tag {} (or without it, where no subnet has it), best with the tag {}=1",
        config.vpc,
        config.ownership.cluster_tag(),
        Network::role_tag(scheme),
    )
}
