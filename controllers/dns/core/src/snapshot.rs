//! What the cluster says, slimmed down to what decides.

use std::collections::BTreeMap;
use std::net::IpAddr;

use isthmus_core::ObjectRef;

/// The objects of all sources at one moment.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// In any order.
    pub ingresses: Vec<Ingress>,
}

/// An Ingress.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ingress {
    /// Which one.
    pub object: ObjectRef,
    /// `metadata.annotations`.
    pub annotations: BTreeMap<String, String>,
    /// `metadata.labels`.
    pub labels: BTreeMap<String, String>,
    /// `spec.ingressClassName`.
    pub class: Option<String>,
    /// `spec.rules[].host`.
    pub rule_hosts: Vec<String>,
    /// `spec.tls[].hosts[]`.
    pub tls_hosts: Vec<String>,
    /// `status.loadBalancer.ingress[]`.
    pub addresses: Vec<Address>,
}

/// One entry of a load balancer's status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// `ip`.
    Ip(IpAddr),
    /// `hostname`.
    Host(String),
}
