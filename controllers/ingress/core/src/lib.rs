//! Ring 1: what `isthmus-ingress` decides, as pure functions of what it has read.
//!
//! ```text
//! Snapshot -> desired() -> Desired -> plan(&Desired, &Observed, now) -> Plan -> check() -> status()
//! ```
//!
//! * [`Snapshot`]: Ingresses, Nodes, certificates and the VPC, as read.
//! * [`desired()`]: which load balancers there should be and which Ingress is on which.
//! * [`Observed`]: the load balancers and target groups that there are.
//! * [`plan()`]: the steps from one to the other, as typed [`Action`]s.
//! * [`check()`]: which of them are withheld.
//! * [`status()`]: what each Ingress is told.

mod action;
mod alarm;
mod annotations;
mod arn;
mod certificate;
mod check;
mod class;
mod config;
mod denial;
mod desired;
mod drift;
mod ec2_filter;
mod expiry;
mod hosts;
mod missing;
mod naming;
mod network;
mod nlb;
mod observed;
mod placement;
mod plan;
pub mod reason;
mod rejection;
mod settings;
mod snapshot;
mod status;
mod strictness;
mod tags;
mod target_set;
mod targets;
mod web_acl;

pub use action::{
    Action, DefaultAction, ListenerSpec, NewLoadBalancer, Operation, Resource, RuleSpec,
};
pub use alarm::{
    ALARM_MARK, Alarm, AlarmSource, DesiredAlarms, Dimension, Threshold, alarm_prefix,
};
pub use annotations::{Defaults, Settings, annotation_reference, settings};
pub use arn::Arn;
pub use certificate::{Certificate, CertificateIndex, MIN_LIFE_LEFT};
pub use check::{Withholding, check, check_statuses};
pub use class::{ClassFilter, IngressClass};
pub use config::{AccessLogs, Config, HealthCheck, Protocol, TargetConfig};
pub use denial::{Denial, FixedResponse};
pub use desired::{
    Desired, DesiredLoadBalancer, DesiredTargetGroup, Fate, PlainHttp, Served, desired,
};
pub use drift::Settled;
pub use ec2_filter::{Ec2Filter, ec2_filters};
pub use expiry::{Expiring, WARN_BEFORE, expiring, served_certificates};
pub use hosts::{cluster_local, normal_host};
pub use missing::missing;
pub use network::{Network, SecurityGroup, Subnet};
pub use nlb::{NetworkLoadBalancers, ZoneAffinity};
pub use observed::{
    Health, Listener, ListenerAction, LoadBalancer, Observed, Rule, State, TargetGroup, is_ours,
};
pub use placement::{Bounds, Candidate, GroupKey, Owner, Slot, place};
pub use plan::{Planned, plan};
pub use settings::{
    IpAddressType, LoadBalancerType, Scheme, SecurityGroupId, SslPolicy, WrongSecurityGroup,
    WrongSslPolicy,
};
pub use snapshot::{INGRESS, Ingress, Node, Pod, ROUTE_GROUP, Snapshot, StatusEntry};
pub use status::{StatusChange, Statuses, status};
pub use tags::{ALARMS_TAG, ROUTE_GROUPS, UNUSED_SINCE, WEB_ACL_TAG, certificate_tag};
pub use target_set::{TargetType, Targets};
pub use targets::{NodeSelector, WrongSelector};
pub use web_acl::{WebAcl, WebAclChoice, WrongWebAcl};
