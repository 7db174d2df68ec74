//! AWS in the nouns of this controller: what it asks of each service, as traits,
//! and the SDK behind them.

mod account;
mod acm;
mod alarms;
mod ec2;
mod elb;
#[cfg(test)]
pub(crate) mod fake;
mod iam;
mod instances;
mod limits;
mod waf;

use std::collections::{BTreeMap, BTreeSet};

use ingress_core::{
    Alarm, Arn, Certificate, DesiredTargetGroup, Health, HealthCheck, IpAddressType, Listener,
    ListenerSpec, LoadBalancer, Network, NewLoadBalancer, Rule, RuleSpec, TargetGroup, WebAcl,
};
use isthmus_core::Ownership;

pub(crate) use account::Account;
pub(crate) use acm::Acm;
pub(crate) use alarms::CloudWatch;
pub(crate) use ec2::Ec2;
pub(crate) use elb::Elb;
pub(crate) use iam::Iam;
pub(crate) use waf::Waf;

use crate::error::AwsError;

pub(crate) type Result<T> = std::result::Result<T, AwsError>;
pub(crate) type Tags = BTreeMap<String, String>;

/// A load balancer or target group as a list tells of it: without what takes
/// further calls (tags, attributes, listeners, targets).
#[derive(Clone, Debug)]
pub(crate) struct Listed<T> {
    /// Its name.
    pub(crate) name: String,
    /// Its VPC.
    pub(crate) vpc: String,
    /// The rest.
    pub(crate) resource: T,
}

/// What a listener that is made or changed points at, by ARN.
#[derive(Clone, Debug)]
pub(crate) struct Wiring<'a> {
    /// What to make or change.
    pub(crate) spec: &'a ListenerSpec,
    /// The target groups that the spec names: the one that serves, and the one that
    /// is to take its place.
    pub(crate) target_groups: Vec<&'a Arn>,
}

/// Load balancers.
pub(crate) trait LoadBalancers {
    /// All of the account and region.
    async fn load_balancers(&self) -> Result<Vec<Listed<LoadBalancer>>>;
    async fn attributes(&self, balancer: &Arn) -> Result<BTreeMap<String, String>>;
    async fn create(&self, new: &NewLoadBalancer) -> Result<Arn>;
    async fn set_attributes(&self, balancer: &Arn, set: &BTreeMap<String, String>) -> Result<()>;
    async fn set_security_group(&self, balancer: &Arn, group: &str) -> Result<()>;
    async fn set_ip_address_type(&self, balancer: &Arn, set: IpAddressType) -> Result<()>;
    async fn set_subnets(&self, balancer: &Arn, subnets: &BTreeMap<String, String>) -> Result<()>;
    async fn delete(&self, balancer: &Arn) -> Result<()>;
}

/// Listeners and their certificates.
pub(crate) trait Listeners {
    /// By port, without tags and without the certificates for SNI.
    async fn listeners(&self, balancer: &Arn) -> Result<BTreeMap<u16, Listener>>;
    /// The certificates for SNI, without the default one.
    async fn certificates(&self, listener: &Arn) -> Result<BTreeSet<Arn>>;
    async fn create_listener(&self, balancer: &Arn, wiring: Wiring<'_>) -> Result<Arn>;
    async fn set_listener(&self, listener: &Arn, wiring: Wiring<'_>) -> Result<()>;
    async fn delete_listener(&self, listener: &Arn) -> Result<()>;
    async fn attach(&self, listener: &Arn, certificate: &Arn) -> Result<()>;
    async fn detach(&self, listener: &Arn, certificate: &Arn) -> Result<()>;
}

/// The rules of listeners.
pub(crate) trait Rules {
    /// By priority, without the default one and without tags.
    async fn rules(&self, listener: &Arn) -> Result<BTreeMap<u32, Rule>>;
    async fn create_rule(&self, listener: &Arn, spec: &RuleSpec) -> Result<Arn>;
    async fn set_rule(&self, rule: &Arn, spec: &RuleSpec) -> Result<()>;
    async fn delete_rule(&self, rule: &Arn) -> Result<()>;
}

/// Target groups and their targets.
pub(crate) trait TargetGroups {
    /// All of the account and region.
    async fn target_groups(&self) -> Result<Vec<Listed<TargetGroup>>>;
    async fn target_group_attributes(&self, group: &Arn) -> Result<BTreeMap<String, String>>;
    async fn targets(&self, group: &Arn) -> Result<BTreeMap<String, Health>>;
    async fn create_target_group(&self, new: &DesiredTargetGroup) -> Result<Arn>;
    async fn set_health_check(&self, group: &Arn, check: &HealthCheck) -> Result<()>;
    async fn set_target_group_attributes(
        &self,
        group: &Arn,
        set: &BTreeMap<String, String>,
    ) -> Result<()>;
    async fn delete_target_group(&self, group: &Arn) -> Result<()>;
    async fn register(&self, group: &Arn, targets: &BTreeSet<String>) -> Result<()>;
    async fn deregister(&self, group: &Arn, targets: &BTreeSet<String>) -> Result<()>;
}

/// The tags of them all.
pub(crate) trait Tagging {
    /// One that has gone meanwhile is left out.
    async fn tags(&self, resources: &[Arn]) -> Result<BTreeMap<Arn, Tags>>;
    async fn add_tags(&self, resource: &Arn, tags: &Tags) -> Result<()>;
    async fn remove_tags(&self, resource: &Arn, keys: &BTreeSet<String>) -> Result<()>;
}

/// Elastic Load Balancing, all of it.
pub(crate) trait LoadBalancing:
    LoadBalancers + Listeners + Rules + TargetGroups + Tagging
{
}

impl<T: LoadBalancers + Listeners + Rules + TargetGroups + Tagging> LoadBalancing for T {}

/// The web ACLs of load balancers.
pub(crate) trait Firewall {
    /// The load balancers that have this one.
    async fn guarded_by(&self, acl: &WebAcl) -> Result<BTreeSet<Arn>>;
    /// Gives a load balancer a web ACL, in place of any other.
    async fn associate(&self, balancer: &Arn, acl: &WebAcl) -> Result<()>;
    /// Takes its web ACL away.
    async fn disassociate(&self, balancer: &Arn) -> Result<()>;
}

/// The account's certificates.
pub(crate) trait Certificates {
    /// All that could be served, of every key type; with `tag`, those that have it.
    /// Either the whole list or an error.
    async fn all(&self, tag: Option<&(String, String)>) -> Result<Vec<Certificate>>;
}

/// The VPC.
pub(crate) trait Vpc {
    /// Subnets and security groups of a VPC.
    async fn network(&self, vpc: &str, ownership: &Ownership) -> Result<Network>;
    /// The id in the tag `kubernetes.io/cluster/<id>` of an instance.
    async fn cluster_of(&self, instance: &str) -> Result<Option<String>>;
}

/// Alarms.
pub(crate) trait Alarms {
    /// Those whose names begin like this, by name.
    async fn alarms(&self, prefix: &str) -> Result<BTreeMap<String, Alarm>>;
    /// Makes an alarm, or replaces all of it but its tags.
    async fn put_alarm(&self, name: &str, alarm: &Alarm, tags: Option<&Tags>) -> Result<()>;
    async fn delete_alarm(&self, name: &str) -> Result<()>;
}
