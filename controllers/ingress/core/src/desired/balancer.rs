//! A load balancer for the Ingresses of one slot.

use std::collections::BTreeMap;

use isthmus_core::Rejection;

use super::{DesiredLoadBalancer, DesiredTargetGroup};
use crate::missing::{no_security_group, no_subnets};
use crate::rejection::{NO_SECURITY_GROUP, NO_SUBNETS, reject_all};
use crate::{Config, GroupKey, Network, ROUTE_GROUP, ROUTE_GROUPS, Slot, naming, tags};

pub(super) fn load_balancer(
    name: &str,
    slot: &Slot,
    network: &Network,
    config: &Config,
    rejections: &mut Vec<Rejection>,
) -> DesiredLoadBalancer {
    let key = &slot.key;
    let mut marks = config.extra_tags.clone();
    marks.extend(config.ownership.tags());
    let target_group = target_group(name, marks.clone(), config);
    if let Some(owner) = &key.owner {
        marks.insert(tags::OWNER.to_owned(), owner.name.clone());
    }
    if slot.members.iter().any(|m| m.object.kind == ROUTE_GROUP) {
        marks.insert(ROUTE_GROUPS.to_owned(), "true".to_owned());
    }
    let found = network.security_group(&config.ownership).map(str::to_owned);
    let balancer = DesiredLoadBalancer {
        scheme: key.scheme,
        ip_address_type: key.ip_address_type,
        security_group: key
            .security_group
            .as_ref()
            .map(ToString::to_string)
            .or(found),
        subnets: network.subnets(key.scheme, &config.ownership),
        attributes: attributes(key, config),
        tags: marks,
        redirect_http: config.redirect_http,
        ssl_policy: slot.ssl_policy.unwrap_or(config.ssl_policy),
        certificates: slot.certificates.clone(),
        target_group,
        members: slot
            .members
            .iter()
            .map(|member| member.object.clone())
            .collect(),
    };
    reject_without_network(&balancer, config, rejections);
    balancer
}

fn reject_without_network(
    balancer: &DesiredLoadBalancer,
    config: &Config,
    rejections: &mut Vec<Rejection>,
) {
    if balancer.security_group.is_none() {
        let message = no_security_group(config);
        reject_all(rejections, &balancer.members, NO_SECURITY_GROUP, &message);
    }
    if balancer.subnets.len() < DesiredLoadBalancer::MIN_ZONES {
        let message = no_subnets(balancer.scheme, balancer.subnets.len(), config);
        reject_all(rejections, &balancer.members, NO_SUBNETS, &message);
    }
}

/// The [attributes] that are managed; what is not in it stays as it is.
///
/// [attributes]: https://docs.aws.amazon.com/elasticloadbalancing/latest/application/application-load-balancers.html#load-balancer-attributes
fn attributes(key: &GroupKey, config: &Config) -> BTreeMap<String, String> {
    let mut attributes = BTreeMap::from([
        (
            "idle_timeout.timeout_seconds".to_owned(),
            config.idle_timeout.to_string(),
        ),
        ("routing.http2.enabled".to_owned(), key.http2.to_string()),
    ]);
    if let Some(logs) = &config.access_logs {
        attributes.insert("access_logs.s3.enabled".to_owned(), "true".to_owned());
        attributes.insert("access_logs.s3.bucket".to_owned(), logs.bucket.clone());
        attributes.insert("access_logs.s3.prefix".to_owned(), logs.prefix.clone());
    }
    if config.deletion_protection {
        attributes.insert("deletion_protection.enabled".to_owned(), "true".to_owned());
    }
    attributes
}

fn target_group(
    load_balancer: &str,
    tags: BTreeMap<String, String>,
    config: &Config,
) -> DesiredTargetGroup {
    let target = &config.target;
    DesiredTargetGroup {
        name: naming::target_group(load_balancer, target.protocol, target.port, &config.vpc),
        protocol: target.protocol,
        port: target.port,
        vpc: config.vpc.clone(),
        health_check: target.health_check.clone(),
        attributes: BTreeMap::from([(
            "deregistration_delay.timeout_seconds".to_owned(),
            target.deregistration_delay.to_string(),
        )]),
        tags,
    }
}
