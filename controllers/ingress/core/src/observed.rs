//! The load balancers and target groups that there are.

use std::collections::{BTreeMap, BTreeSet};

use isthmus_core::Ownership;
use jiff::Timestamp;

use crate::{
    Alarm, Arn, FixedResponse, HealthCheck, IpAddressType, Protocol, SslPolicy, TargetType,
    UNUSED_SINCE, WEB_ACL_TAG, WebAcl, certificate_tag,
};

/// What was read of ELBv2.
///
/// Foreign load balancers and target groups are in it with their tags, since their
/// names are taken; everything else about them is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Observed {
    /// By name.
    pub load_balancers: BTreeMap<String, LoadBalancer>,
    /// By name.
    pub target_groups: BTreeMap<String, TargetGroup>,
    /// Our alarms by name; `None` where they are not of interest or could not be read.
    pub alarms: Option<BTreeMap<String, Alarm>>,
}

/// A load balancer's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Being set up.
    Provisioning,
    /// Serving.
    Active,
    /// AWS could not set it up.
    Failed,
}

/// A load balancer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadBalancer {
    /// Its ARN.
    pub arn: Arn,
    /// The name that AWS gave it, as AWS wrote it.
    pub dns_name: String,
    /// Its state.
    pub state: State,
    /// When it was made.
    pub created: Timestamp,
    /// Its addresses; `None` where they are of a type that nobody asks for here.
    pub ip_address_type: Option<IpAddressType>,
    /// Its security groups.
    pub security_groups: BTreeSet<String>,
    /// Its subnets by zone.
    pub subnets: BTreeMap<String, String>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// Its attributes; one that AWS did not name has its default value.
    pub attributes: BTreeMap<String, String>,
    /// By port.
    pub listeners: BTreeMap<u16, Listener>,
    /// Whether it has the web ACL that its tag names. Read only where there is that tag.
    pub has_web_acl: bool,
}

impl LoadBalancer {
    /// Since when it is not needed, if a run has said so.
    #[must_use]
    pub fn unused_since(&self) -> Option<Timestamp> {
        self.tags.get(UNUSED_SINCE)?.parse().ok()
    }

    /// Since when a certificate on it is not needed, if a run has said so.
    #[must_use]
    pub fn certificate_unused_since(&self, certificate: &Arn) -> Option<Timestamp> {
        self.tags.get(&certificate_tag(certificate))?.parse().ok()
    }

    /// The web ACL that was given to it here.
    #[must_use]
    pub fn web_acl(&self) -> Option<WebAcl> {
        self.tags.get(WEB_ACL_TAG)?.parse().ok()
    }

    /// The target groups that its listeners forward to.
    pub fn forwards(&self) -> impl Iterator<Item = &Arn> {
        let listeners = self.listeners.values();
        listeners.flat_map(|listener| listener.action.target_groups())
    }

    /// Whether a status names it.
    #[must_use]
    pub fn is_named(&self, hostname: &str) -> bool {
        self.dns_name.eq_ignore_ascii_case(hostname)
    }
}

/// A listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// Its ARN.
    pub arn: Arn,
    /// `HTTP`, `HTTPS`, `TCP` or `TLS`, or what someone else made of it.
    pub protocol: String,
    /// The TLS policy of an HTTPS listener.
    pub ssl_policy: Option<String>,
    /// What it does where no rule matches.
    pub action: ListenerAction,
    /// The certificate for clients without SNI.
    pub default_certificate: Option<Arn>,
    /// The other certificates.
    pub certificates: BTreeSet<Arn>,
    /// Its rules by priority, all but the default one; empty where they are not of interest.
    pub rules: BTreeMap<u32, Rule>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

/// A rule of a listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Its ARN.
    pub arn: Arn,
    /// The hosts that it is for; `None` where it has other conditions.
    pub hosts: Option<BTreeSet<String>>,
    /// What it answers; `None` where it does something else.
    pub response: Option<FixedResponse>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

/// A listener's default action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListenerAction {
    /// To this target group.
    Forward(Arn),
    /// All requests to `from`, while the health of `to` is checked.
    Shift {
        /// The target group that serves.
        from: Arn,
        /// The one that is to take its place.
        to: Arn,
    },
    /// 301 to the same URL with HTTPS on port 443.
    RedirectToHttps,
    /// Something that is never made here.
    Other,
}

impl ListenerAction {
    /// The target groups in it.
    pub fn target_groups(&self) -> impl Iterator<Item = &Arn> {
        let (first, second) = match self {
            Self::Forward(group) => (Some(group), None),
            Self::Shift { from, to } => (Some(from), Some(to)),
            Self::RedirectToHttps | Self::Other => (None, None),
        };
        first.into_iter().chain(second)
    }

    /// The target group that gets the requests.
    #[must_use]
    pub fn serving(&self) -> Option<&Arn> {
        self.target_groups().next()
    }
}

/// A target's health, as far as decisions need it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// Passes its checks.
    Healthy,
    /// Registered, and not healthy or not known yet.
    NotHealthy,
    /// Deregistered, its connections run out.
    Draining,
}

/// A target group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetGroup {
    /// Its ARN.
    pub arn: Arn,
    /// What its targets are; `None` where it is nothing that is ever made here.
    pub kind: Option<TargetType>,
    /// The protocol to the targets.
    pub protocol: Option<Protocol>,
    /// The port of the targets.
    pub port: u16,
    /// How targets are checked; `None` where it is nothing that is ever made here.
    pub health_check: Option<HealthCheck>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// Its attributes; one that AWS did not name has its default value.
    pub attributes: BTreeMap<String, String>,
    /// Its targets by id.
    pub targets: BTreeMap<String, Health>,
    /// The load balancers that use it.
    pub load_balancers: BTreeSet<Arn>,
}

impl TargetGroup {
    /// Whether a target passes its checks.
    #[must_use]
    pub fn has_healthy_target(&self) -> bool {
        self.targets
            .values()
            .any(|health| *health == Health::Healthy)
    }
}

/// Whether a resource with these tags is ours to change. What CloudFormation made
/// belongs to its stack, whatever else its tags say: a stack of
/// kube-ingress-aws-controller passes the same marks on to its resources.
#[must_use]
pub fn is_ours(ownership: &Ownership, tags: &BTreeMap<String, String>) -> bool {
    ownership.owns(tags)
        && !tags
            .keys()
            .any(|key| key.starts_with("aws:cloudformation:"))
}

impl Observed {
    /// Our load balancers by name.
    pub fn our_load_balancers<'a>(
        &'a self,
        ownership: &'a Ownership,
    ) -> impl Iterator<Item = (&'a String, &'a LoadBalancer)> {
        self.load_balancers
            .iter()
            .filter(|(_, balancer)| is_ours(ownership, &balancer.tags))
    }

    /// The TLS policies of our load balancers, by name; without those that are
    /// not known here.
    #[must_use]
    pub fn ssl_policies(&self, ownership: &Ownership) -> BTreeMap<String, SslPolicy> {
        let policy = |balancer: &LoadBalancer| {
            let https = balancer.listeners.get(&443)?;
            https.ssl_policy.as_deref()?.parse().ok()
        };
        self.our_load_balancers(ownership)
            .filter_map(|(name, balancer)| Some((name.clone(), policy(balancer)?)))
            .collect()
    }

    /// Our target groups by name.
    pub fn our_target_groups<'a>(
        &'a self,
        ownership: &'a Ownership,
    ) -> impl Iterator<Item = (&'a String, &'a TargetGroup)> {
        self.target_groups
            .iter()
            .filter(|(_, group)| is_ours(ownership, &group.tags))
    }

    /// The target group with this ARN.
    #[must_use]
    pub fn target_group(&self, arn: &Arn) -> Option<(&String, &TargetGroup)> {
        self.target_groups
            .iter()
            .find(|(_, group)| group.arn == *arn)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_stack_made_is_the_stacks() {
        let ownership = Ownership::new(Ownership::DEFAULT_TAG_PREFIX, "kube-1", "isthmus");
        let mut tags = ownership.tags();
        assert!(is_ours(&ownership, &tags));
        tags.insert(
            "aws:cloudformation:stack-name".into(),
            "kube-ingress-1".into(),
        );
        assert!(!is_ours(&ownership, &tags));
    }
}
