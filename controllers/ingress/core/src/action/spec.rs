//! What is made or changed, in full.

use std::collections::{BTreeMap, BTreeSet};

use crate::{Arn, FixedResponse, IpAddressType, LoadBalancerType, Protocol, Scheme, SslPolicy};

/// A resource that carries tags, by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resource {
    /// A load balancer.
    LoadBalancer(String),
    /// A target group.
    TargetGroup(String),
}

impl Resource {
    pub(super) fn name(&self) -> &str {
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
    /// Its security group; NLBs have none.
    pub security_group: Option<String>,
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
    /// All requests to `from`, while the health of `to` is checked.
    Shift {
        /// The target group that serves.
        from: String,
        /// The one that is to take its place.
        to: String,
    },
    /// 301 to the same URL with HTTPS on port 443.
    RedirectToHttps,
}

/// A rule that refuses requests for some hosts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleSpec {
    /// The load balancer's name.
    pub load_balancer: String,
    /// The listener's port.
    pub port: u16,
    /// 1 goes first.
    pub priority: u32,
    /// The hosts.
    pub hosts: BTreeSet<String>,
    /// What they are answered.
    pub response: FixedResponse,
    /// Its tags; not written when it changes.
    pub tags: BTreeMap<String, String>,
}
