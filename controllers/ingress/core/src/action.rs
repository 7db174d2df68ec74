//! The steps of a plan.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use isthmus_core::Effect;

use crate::{
    Arn, DesiredTargetGroup, HealthCheck, IpAddressType, LoadBalancerType, Protocol, Scheme,
    SslPolicy,
};

/// One call to ELBv2. Load balancers and target groups are named, since their ARNs
/// may come into being only while the plan is carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Action {
    /// The load balancer that it is for. When a step fails, the later ones of the
    /// same chain are left out, and the other chains go on.
    pub chain: String,
    /// What to do.
    pub operation: Operation,
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Make a target group.
    CreateTargetGroup(DesiredTargetGroup),
    /// Change how targets are checked.
    SetHealthCheck {
        /// Its name.
        target_group: String,
        /// The new check.
        health_check: HealthCheck,
    },
    /// Change attributes of a target group.
    SetTargetGroupAttributes {
        /// Its name.
        target_group: String,
        /// Those that differ.
        attributes: BTreeMap<String, String>,
    },
    /// Delete a target group.
    DeleteTargetGroup {
        /// Its name.
        target_group: String,
    },
    /// Add instances.
    Register {
        /// The target group's name.
        target_group: String,
        /// Instance ids.
        targets: BTreeSet<String>,
    },
    /// Take instances away; their connections run out first.
    Deregister {
        /// The target group's name.
        target_group: String,
        /// Instance ids.
        targets: BTreeSet<String>,
        /// How many are registered before.
        of: usize,
    },
    /// Make a load balancer.
    CreateLoadBalancer(NewLoadBalancer),
    /// Change attributes of a load balancer.
    SetAttributes {
        /// Its name.
        load_balancer: String,
        /// Those that differ.
        attributes: BTreeMap<String, String>,
    },
    /// Replace its security groups.
    SetSecurityGroup {
        /// Its name.
        load_balancer: String,
        /// The one that it gets.
        security_group: String,
    },
    /// Replace its subnets.
    SetSubnets {
        /// Its name.
        load_balancer: String,
        /// All that it has then, by zone.
        subnets: BTreeMap<String, String>,
    },
    /// Delete a load balancer.
    DeleteLoadBalancer {
        /// Its name.
        load_balancer: String,
    },
    /// Make a listener.
    CreateListener(ListenerSpec),
    /// Change a listener: every field that is set.
    SetListener(ListenerSpec),
    /// Delete a listener.
    DeleteListener {
        /// The load balancer's name.
        load_balancer: String,
        /// The listener's port.
        port: u16,
    },
    /// Add a certificate for clients with SNI.
    Attach {
        /// The load balancer's name.
        load_balancer: String,
        /// Which one.
        certificate: Arn,
    },
    /// Take a certificate away.
    Detach {
        /// The load balancer's name.
        load_balancer: String,
        /// Which one.
        certificate: Arn,
    },
    /// Write tags.
    AddTags {
        /// What gets them.
        resource: Resource,
        /// Those that differ.
        tags: BTreeMap<String, String>,
    },
    /// Take tags away.
    RemoveTags {
        /// What loses them.
        resource: Resource,
        /// Their keys.
        keys: BTreeSet<String>,
    },
}

/// A resource that carries tags, by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resource {
    /// A load balancer.
    LoadBalancer(String),
    /// A target group.
    TargetGroup(String),
}

impl Resource {
    fn name(&self) -> &str {
        match self {
            Self::LoadBalancer(name) | Self::TargetGroup(name) => name,
        }
    }
}

/// A load balancer to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewLoadBalancer {
    /// Its name.
    pub name: String,
    /// Its type.
    pub kind: LoadBalancerType,
    /// Who can reach it.
    pub scheme: Scheme,
    /// Its addresses.
    pub ip_address_type: IpAddressType,
    /// Its security group.
    pub security_group: String,
    /// Its subnets by zone.
    pub subnets: BTreeMap<String, String>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

/// A listener to be made, or the fields of one that change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenerSpec {
    /// The load balancer's name.
    pub load_balancer: String,
    /// The port.
    pub port: u16,
    /// The protocol.
    pub protocol: Option<Protocol>,
    /// The TLS policy.
    pub ssl_policy: Option<SslPolicy>,
    /// The certificate for clients without SNI.
    pub default_certificate: Option<Arn>,
    /// What it does.
    pub action: Option<DefaultAction>,
    /// Its tags; not written when it changes.
    pub tags: BTreeMap<String, String>,
}

impl ListenerSpec {
    /// Whether a change would change anything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.protocol.is_none()
            && self.ssl_policy.is_none()
            && self.default_certificate.is_none()
            && self.action.is_none()
    }
}

/// What a listener does where no rule matches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DefaultAction {
    /// To the target group of this name.
    Forward(String),
    /// 301 to the same URL with HTTPS on port 443.
    RedirectToHttps,
}

impl isthmus_core::Action for Action {
    fn effect(&self) -> Effect {
        use Operation as Op;
        match &self.operation {
            Op::CreateTargetGroup(_)
            | Op::Register { .. }
            | Op::CreateLoadBalancer(_)
            | Op::CreateListener(_)
            | Op::Attach { .. } => Effect::Add,
            Op::SetHealthCheck { .. }
            | Op::SetTargetGroupAttributes { .. }
            | Op::SetAttributes { .. }
            | Op::SetSecurityGroup { .. }
            | Op::SetSubnets { .. }
            | Op::SetListener(_)
            | Op::AddTags { .. }
            | Op::RemoveTags { .. } => Effect::Change,
            Op::DeleteTargetGroup { .. }
            | Op::Deregister { .. }
            | Op::DeleteLoadBalancer { .. }
            | Op::DeleteListener { .. }
            | Op::Detach { .. } => Effect::Remove,
        }
    }

    fn kind(&self) -> &'static str {
        use Operation as Op;
        match &self.operation {
            Op::CreateTargetGroup(_)
            | Op::SetHealthCheck { .. }
            | Op::SetTargetGroupAttributes { .. }
            | Op::DeleteTargetGroup { .. } => "target-group",
            Op::Register { .. } | Op::Deregister { .. } => "target",
            Op::CreateLoadBalancer(_)
            | Op::SetAttributes { .. }
            | Op::SetSecurityGroup { .. }
            | Op::SetSubnets { .. }
            | Op::DeleteLoadBalancer { .. } => "load-balancer",
            Op::CreateListener(_) | Op::SetListener(_) | Op::DeleteListener { .. } => "listener",
            Op::Attach { .. } | Op::Detach { .. } => "certificate",
            Op::AddTags { .. } | Op::RemoveTags { .. } => "tag",
        }
    }

    fn name(&self) -> String {
        use Operation as Op;
        match &self.operation {
            Op::CreateTargetGroup(group) => group.name.clone(),
            Op::SetHealthCheck { target_group, .. }
            | Op::SetTargetGroupAttributes { target_group, .. }
            | Op::DeleteTargetGroup { target_group }
            | Op::Register { target_group, .. }
            | Op::Deregister { target_group, .. } => target_group.clone(),
            Op::CreateLoadBalancer(balancer) => balancer.name.clone(),
            Op::SetAttributes { load_balancer, .. }
            | Op::SetSecurityGroup { load_balancer, .. }
            | Op::SetSubnets { load_balancer, .. }
            | Op::DeleteLoadBalancer { load_balancer } => load_balancer.clone(),
            Op::CreateListener(spec) | Op::SetListener(spec) => {
                format!("{}:{}", spec.load_balancer, spec.port)
            }
            Op::DeleteListener {
                load_balancer,
                port,
            } => format!("{load_balancer}:{port}"),
            Op::Attach { load_balancer, .. } | Op::Detach { load_balancer, .. } => {
                format!("{load_balancer}:443")
            }
            Op::AddTags { resource, .. } | Op::RemoveTags { resource, .. } => {
                resource.name().to_owned()
            }
        }
    }

    /// Load balancers, certificates and targets count, each for themselves
    /// ([`check()`](crate::check())); listeners and target groups go with their load balancer.
    fn removes(&self) -> usize {
        match &self.operation {
            Operation::DeleteLoadBalancer { .. } | Operation::Detach { .. } => 1,
            Operation::Deregister { targets, .. } => targets.len(),
            _ => 0,
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use Operation as Op;
        match &self.operation {
            Op::CreateTargetGroup(group) => {
                let DesiredTargetGroup {
                    protocol,
                    port,
                    vpc,
                    health_check,
                    ..
                } = group;
                write!(
                    f,
                    "instances, {protocol} {port} in {vpc}, check {health_check}"
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
                let subnets: Vec<_> = subnets.values().map(String::as_str).collect();
                let subnets = subnets.join(", ");
                write!(
                    f,
                    "{scheme} {kind} {ip_address_type}, {security_group}, {subnets}"
                )
            }
            Op::SetSecurityGroup { security_group, .. } => f.write_str(security_group),
            Op::SetSubnets { subnets, .. } => {
                let subnets: Vec<_> = subnets.values().map(String::as_str).collect();
                f.write_str(&subnets.join(", "))
            }
            Op::CreateListener(spec) | Op::SetListener(spec) => spec.fmt(f),
            Op::Attach { certificate, .. } | Op::Detach { certificate, .. } => {
                f.write_str(certificate.as_str())
            }
            Op::AddTags { tags, .. } => f.write_str(&pairs(tags)),
            Op::RemoveTags { keys, .. } => write!(f, "without {}", list(keys)),
            Op::DeleteTargetGroup { .. }
            | Op::DeleteLoadBalancer { .. }
            | Op::DeleteListener { .. } => Ok(()),
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
            Some(DefaultAction::RedirectToHttps) => parts.push("redirect to HTTPS".to_owned()),
            None => {}
        }
        f.write_str(&parts.join(", "))
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
