//! The target groups of a load balancer.

use std::collections::BTreeMap;

use crate::{Config, DesiredTargetGroup, HealthCheck, LoadBalancerType, Protocol, naming};

/// A listener of a load balancer, by what comes in there.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Entrance {
    /// Port 443.
    Secure,
    /// Port 80.
    Plain,
}

/// The target group behind one entrance of a load balancer. Both entrances have
/// the same one where port and protocol are the same.
pub(super) fn target_group(
    load_balancer: &str,
    kind: LoadBalancerType,
    entrance: Entrance,
    tags: &BTreeMap<String, String>,
    config: &Config,
) -> DesiredTargetGroup {
    let target = &config.target;
    let protocol = protocol(kind, entrance, target.protocol);
    let other_port = match (entrance, kind) {
        (Entrance::Secure, _) => None,
        (Entrance::Plain, LoadBalancerType::Application) => target.alb_http_port,
        (Entrance::Plain, LoadBalancerType::Network) => target.nlb_http_port,
    };
    let port = other_port.unwrap_or(target.port);
    let scope = (config.vpc.as_str(), target.kind);
    DesiredTargetGroup {
        name: naming::target_group(load_balancer, protocol, port, scope),
        kind: target.kind,
        protocol,
        port,
        vpc: config.vpc.clone(),
        health_check: health_check(kind, config),
        attributes: BTreeMap::from([(
            "deregistration_delay.timeout_seconds".to_owned(),
            target.deregistration_delay.to_string(),
        )]),
        tags: tags.clone(),
    }
}

/// An NLB passes bytes on. What comes in by TLS may go out by TLS; what comes in
/// by TCP goes out as it is
/// (<https://docs.aws.amazon.com/elasticloadbalancing/latest/network/load-balancer-target-groups.html#target-group-routing-configuration>).
fn protocol(kind: LoadBalancerType, entrance: Entrance, to_targets: Protocol) -> Protocol {
    match (kind, entrance, to_targets) {
        (LoadBalancerType::Application, _, protocol) => protocol,
        (LoadBalancerType::Network, Entrance::Secure, Protocol::Https) => Protocol::Tls,
        (LoadBalancerType::Network, _, _) => Protocol::Tcp,
    }
}

/// NLBs have one threshold for both ways, and their own timeout.
fn health_check(kind: LoadBalancerType, config: &Config) -> HealthCheck {
    let check = config.target.health_check.clone();
    match kind {
        LoadBalancerType::Application => check,
        LoadBalancerType::Network => HealthCheck {
            timeout: None,
            healthy_threshold: config.target.nlb_threshold,
            unhealthy_threshold: config.target.nlb_threshold,
            ..check
        },
    }
}
