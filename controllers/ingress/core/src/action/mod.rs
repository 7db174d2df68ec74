//! The steps of a plan.

mod spec;
mod text;

use std::collections::{BTreeMap, BTreeSet};

use isthmus_core::Effect;

use crate::{Alarm, Arn, DesiredTargetGroup, HealthCheck, IpAddressType, WebAcl};

pub use spec::{DefaultAction, ListenerSpec, NewLoadBalancer, Resource, RuleSpec};

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
    /// Add targets.
    Register {
        /// The target group's name.
        target_group: String,
        /// Instance ids, or addresses.
        targets: BTreeSet<String>,
    },
    /// Take targets away; their connections run out first.
    Deregister {
        /// The target group's name.
        target_group: String,
        /// Instance ids, or addresses.
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
    /// Change the type of its addresses.
    SetIpAddressType {
        /// Its name.
        load_balancer: String,
        /// The type that it gets.
        ip_address_type: IpAddressType,
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
    /// Make a rule.
    CreateRule(RuleSpec),
    /// Change the conditions and the response of a rule.
    SetRule(RuleSpec),
    /// Delete a rule.
    DeleteRule {
        /// The load balancer's name.
        load_balancer: String,
        /// The listener's port.
        port: u16,
        /// The rule's priority.
        priority: u32,
    },
    /// Give a load balancer a web ACL, in place of the one it has.
    Associate {
        /// The load balancer's name.
        load_balancer: String,
        /// Which one.
        web_acl: WebAcl,
    },
    /// Take a load balancer's web ACL away.
    Disassociate {
        /// The load balancer's name.
        load_balancer: String,
    },
    /// Make or replace an alarm.
    PutAlarm {
        /// Its name.
        name: String,
        /// What it watches.
        load_balancer: String,
        /// And the target group of it.
        target_group: String,
        /// How.
        alarm: Box<Alarm>,
        /// Its tags; written only when it is made.
        tags: BTreeMap<String, String>,
        /// Whether there is none yet.
        is_new: bool,
    },
    /// Delete an alarm.
    DeleteAlarm {
        /// Its name.
        name: String,
        /// Whether its load balancer stays, so that it counts as a removal.
        counts: bool,
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

impl isthmus_core::Action for Action {
    fn effect(&self) -> Effect {
        use Operation as Op;
        match &self.operation {
            Op::CreateTargetGroup(_)
            | Op::Register { .. }
            | Op::CreateLoadBalancer(_)
            | Op::CreateListener(_)
            | Op::CreateRule(_)
            | Op::Associate { .. }
            | Op::PutAlarm { is_new: true, .. }
            | Op::Attach { .. } => Effect::Add,
            Op::SetHealthCheck { .. }
            | Op::SetTargetGroupAttributes { .. }
            | Op::SetAttributes { .. }
            | Op::SetSecurityGroup { .. }
            | Op::SetIpAddressType { .. }
            | Op::SetSubnets { .. }
            | Op::SetListener(_)
            | Op::SetRule(_)
            | Op::PutAlarm { is_new: false, .. }
            | Op::AddTags { .. }
            | Op::RemoveTags { .. } => Effect::Change,
            Op::DeleteTargetGroup { .. }
            | Op::Deregister { .. }
            | Op::DeleteLoadBalancer { .. }
            | Op::DeleteListener { .. }
            | Op::DeleteRule { .. }
            | Op::Disassociate { .. }
            | Op::DeleteAlarm { .. }
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
            | Op::SetIpAddressType { .. }
            | Op::SetSubnets { .. }
            | Op::DeleteLoadBalancer { .. } => "load-balancer",
            Op::CreateListener(_) | Op::SetListener(_) | Op::DeleteListener { .. } => "listener",
            Op::CreateRule(_) | Op::SetRule(_) | Op::DeleteRule { .. } => "rule",
            Op::Associate { .. } | Op::Disassociate { .. } => "web-acl",
            Op::PutAlarm { .. } | Op::DeleteAlarm { .. } => "alarm",
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
            | Op::SetIpAddressType { load_balancer, .. }
            | Op::SetSubnets { load_balancer, .. }
            | Op::Associate { load_balancer, .. }
            | Op::Disassociate { load_balancer }
            | Op::DeleteLoadBalancer { load_balancer } => load_balancer.clone(),
            Op::PutAlarm { name, .. } | Op::DeleteAlarm { name, .. } => name.clone(),
            Op::CreateRule(rule) | Op::SetRule(rule) => {
                format!("{}:{}/{}", rule.load_balancer, rule.port, rule.priority)
            }
            Op::DeleteRule {
                load_balancer,
                port,
                priority,
            } => format!("{load_balancer}:{port}/{priority}"),
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
            Operation::DeleteAlarm { counts, .. } => usize::from(*counts),
            Operation::Deregister { targets, .. } => targets.len(),
            _ => 0,
        }
    }
}
