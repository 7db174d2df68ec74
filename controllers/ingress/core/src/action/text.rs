//! The detail of each line of a plan.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::{Action, DefaultAction, ListenerSpec, NewLoadBalancer, Operation, RuleSpec};
use crate::DesiredTargetGroup;

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use Operation as Op;
        match &self.operation {
            Op::CreateTargetGroup(group) => {
                let DesiredTargetGroup {
                    kind,
                    protocol,
                    port,
                    vpc,
                    health_check,
                    ..
                } = group;
                write!(
                    f,
                    "{}, {protocol} {port} in {vpc}, check {health_check}",
                    kind.plural()
                )
            }
            Op::SetHealthCheck { health_check, .. } => write!(f, "check {health_check}"),
            Op::SetTargetGroupAttributes { attributes, .. }
            | Op::SetAttributes { attributes, .. } => f.write_str(&pairs(attributes)),
            Op::Register { targets, .. } | Op::Deregister { targets, .. } => {
                f.write_str(&list(targets))
            }
            Op::CreateLoadBalancer(balancer) => {
                let NewLoadBalancer {
                    kind,
                    scheme,
                    ip_address_type,
                    security_group,
                    subnets,
                    ..
                } = balancer;
                let network = security_group.iter().chain(subnets.values());
                let network: Vec<_> = network.map(String::as_str).collect();
                let network = network.join(", ");
                write!(f, "{scheme} {kind} {ip_address_type}, {network}")
            }
            Op::SetSecurityGroup { security_group, .. } => f.write_str(security_group),
            Op::SetIpAddressType {
                ip_address_type, ..
            } => ip_address_type.fmt(f),
            Op::SetSubnets { subnets, .. } => {
                let subnets: Vec<_> = subnets.values().map(String::as_str).collect();
                f.write_str(&subnets.join(", "))
            }
            Op::CreateListener(spec) | Op::SetListener(spec) => spec.fmt(f),
            Op::CreateRule(rule) | Op::SetRule(rule) => rule.fmt(f),
            Op::Associate { web_acl, .. } => web_acl.fmt(f),
            Op::PutAlarm { alarm, .. } => alarm.fmt(f),
            Op::Attach { certificate, .. } | Op::Detach { certificate, .. } => {
                f.write_str(certificate.as_str())
            }
            Op::AddTags { tags, .. } => f.write_str(&pairs(tags)),
            Op::RemoveTags { keys, .. } => write!(f, "without {}", list(keys)),
            Op::DeleteTargetGroup { .. }
            | Op::DeleteLoadBalancer { .. }
            | Op::DeleteListener { .. }
            | Op::DeleteRule { .. }
            | Op::DeleteAlarm { .. }
            | Op::Disassociate { .. } => Ok(()),
        }
    }
}

impl fmt::Display for ListenerSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        if let Some(protocol) = self.protocol {
            parts.push(protocol.to_string());
        }
        if let Some(policy) = self.ssl_policy {
            parts.push(policy.to_string());
        }
        if let Some(certificate) = &self.default_certificate {
            parts.push(format!("default {certificate}"));
        }
        match &self.action {
            Some(DefaultAction::Forward(group)) => parts.push(format!("to {group}")),
            Some(DefaultAction::Shift { from, to }) => {
                parts.push(format!("to {from} until {to} is healthy"));
            }
            Some(DefaultAction::RedirectToHttps) => parts.push("redirect to HTTPS".to_owned()),
            None => {}
        }
        f.write_str(&parts.join(", "))
    }
}

impl fmt::Display for RuleSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let response = &self.response;
        write!(
            f,
            "{} {:?} to {}",
            response.status,
            response.body,
            list(&self.hosts)
        )
    }
}

fn pairs(map: &BTreeMap<String, String>) -> String {
    let pairs: Vec<_> = map
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    pairs.join(", ")
}

fn list(set: &BTreeSet<String>) -> String {
    let items: Vec<_> = set.iter().map(String::as_str).collect();
    items.join(", ")
}
