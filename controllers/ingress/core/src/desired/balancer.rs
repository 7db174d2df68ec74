//! A load balancer for the Ingresses of one slot.

use isthmus_core::Rejection;

use super::attributes::attributes;
use super::target_group::{Entrance, target_group};
use super::{DesiredLoadBalancer, DesiredTargetGroup, PlainHttp};
use crate::missing::{no_security_group, no_subnets};
use crate::rejection::{NO_SECURITY_GROUP, NO_SUBNETS, reject_all};
use crate::{Config, GroupKey, LoadBalancerType, Network, ROUTE_GROUP, ROUTE_GROUPS, Slot, tags};

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
    let secure = target_group(name, key.kind, Entrance::Secure, &marks, config);
    let plain = plain_http(name, key, &secure, config);
    if let Some(owner) = &key.owner {
        marks.insert(tags::OWNER.to_owned(), owner.name.clone());
    }
    if slot.members.iter().any(|m| m.object.kind == ROUTE_GROUP) {
        marks.insert(ROUTE_GROUPS.to_owned(), "true".to_owned());
    }
    if config.alarms {
        marks.insert(tags::ALARMS_TAG.to_owned(), "true".to_owned());
    }
    let is_alb = key.kind == LoadBalancerType::Application;
    let balancer = DesiredLoadBalancer {
        kind: key.kind,
        scheme: key.scheme,
        ip_address_type: key.ip_address_type,
        security_group: security_group(key, network, config),
        subnets: network.subnets(key.scheme, &config.ownership),
        attributes: attributes(key, config),
        tags: marks,
        plain,
        denial: config.denial.clone().filter(|_| is_alb),
        web_acl: key
            .web_acl
            .resolve(config.defaults.web_acl.as_ref())
            .filter(|_| is_alb)
            .cloned(),
        ssl_policy: slot.ssl_policy.unwrap_or(config.ssl_policy),
        certificates: slot.certificates.clone(),
        target_group: secure,
        members: slot
            .members
            .iter()
            .map(|member| member.object.clone())
            .collect(),
    };
    reject_without_network(&balancer, config, rejections);
    balancer
}

/// NLBs are made without: what they forward keeps the client's address, and the
/// security groups of the targets decide.
fn security_group(key: &GroupKey, network: &Network, config: &Config) -> Option<String> {
    if key.kind == LoadBalancerType::Network {
        return None;
    }
    let annotated = key.security_group.as_ref().map(ToString::to_string);
    annotated.or_else(|| network.security_group(&config.ownership).map(str::to_owned))
}

/// On an NLB there is nothing to redirect with, so it is closed unless told otherwise.
fn plain_http(
    name: &str,
    key: &GroupKey,
    secure: &DesiredTargetGroup,
    config: &Config,
) -> PlainHttp {
    match key.kind {
        LoadBalancerType::Application if config.redirect_http => return PlainHttp::Redirect,
        LoadBalancerType::Network if !config.network_load_balancers.http => {
            return PlainHttp::Closed;
        }
        LoadBalancerType::Application | LoadBalancerType::Network => {}
    }
    let own = target_group(name, key.kind, Entrance::Plain, &secure.tags, config);
    PlainHttp::Forward((own.name != secure.name).then_some(own))
}

fn reject_without_network(
    balancer: &DesiredLoadBalancer,
    config: &Config,
    rejections: &mut Vec<Rejection>,
) {
    if balancer.security_group.is_none() && balancer.needs_security_group() {
        let message = no_security_group(config);
        reject_all(rejections, &balancer.members, NO_SECURITY_GROUP, &message);
    }
    if balancer.subnets.len() < balancer.kind.min_zones() {
        let found = balancer.subnets.len();
        let message = no_subnets((balancer.scheme, balancer.kind.min_zones()), found, config);
        reject_all(rejections, &balancer.members, NO_SUBNETS, &message);
    }
}
