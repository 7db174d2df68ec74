//! What was read of the cluster and of its surroundings, slimmed to what decisions need.

use std::collections::{BTreeMap, BTreeSet};

use isthmus_core::ObjectRef;

use crate::{AlarmSource, Certificate, IngressClass, Network, SslPolicy};

/// Everything that [`desired()`](crate::desired()) looks at. The order of the lists means nothing.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// Every Ingress and every RouteGroup of the cluster, of all classes.
    pub ingresses: Vec<Ingress>,
    /// Every IngressClass; `None` if they cannot be read.
    pub classes: Option<Vec<IngressClass>>,
    /// RouteGroups cannot be read: whether there are any is not known.
    pub route_groups_absent: bool,
    /// Every Node.
    pub nodes: Vec<Node>,
    /// The running instances that `CUSTOM_FILTERS` selects, if it is set.
    pub instances: Option<BTreeSet<String>>,
    /// `--cloudwatch-alarms-config-map`, if it is given.
    pub alarms: Option<AlarmSource>,
    /// The pods of `--target-cni-namespace` and `--target-cni-pod-labelselector`.
    pub pods: Vec<Pod>,
    /// The account's certificates, blacklisted ones included.
    pub certificates: Vec<Certificate>,
    /// The VPC.
    pub network: Network,
    /// The TLS policies of our load balancers, by name: [`Observed::ssl_policies`](crate::Observed::ssl_policies).
    pub ssl_policies: BTreeMap<String, SslPolicy>,
}

/// The kind of an Ingress.
pub const INGRESS: &str = "Ingress";
/// The kind of a RouteGroup of skipper, which is treated like an Ingress.
pub const ROUTE_GROUP: &str = "RouteGroup";

/// An Ingress, or a RouteGroup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ingress {
    /// Its name.
    pub object: ObjectRef,
    /// `spec.ingressClassName`, else the annotation `kubernetes.io/ingress.class`,
    /// else empty. A RouteGroup has the annotation alone.
    pub class: String,
    /// `metadata.annotations`.
    pub annotations: BTreeMap<String, String>,
    /// `spec.rules[].host`, those that are not empty; `spec.hosts` of a RouteGroup.
    pub hosts: Vec<String>,
    /// `status.loadBalancer.ingress[]`; `routegroup[]` of a RouteGroup.
    pub status: Vec<StatusEntry>,
    /// Whether it is being deleted: it asks for nothing any more.
    pub deleting: bool,
}

/// One entry of `status.loadBalancer.ingress`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StatusEntry {
    /// A name.
    pub hostname: Option<String>,
    /// An address: never written here, kept where another controller wrote it.
    pub ip: Option<String>,
}

impl StatusEntry {
    /// An entry with a hostname.
    #[must_use]
    pub fn hostname(name: impl Into<String>) -> Self {
        Self {
            hostname: Some(name.into()),
            ip: None,
        }
    }
}

impl Ingress {
    /// The hostnames of the status.
    pub fn hostnames(&self) -> impl Iterator<Item = &str> {
        self.status
            .iter()
            .filter_map(|entry| entry.hostname.as_deref())
    }
}

/// A Node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Node {
    /// `metadata.name`.
    pub name: String,
    /// `spec.providerID`, for example `aws:///eu-central-1a/i-0123456789abcdef0`.
    pub provider_id: Option<String>,
    /// `metadata.labels`.
    pub labels: BTreeMap<String, String>,
    /// The keys of `spec.taints`.
    pub taints: Vec<String>,
    /// Whether it is being deleted.
    pub deleting: bool,
}

/// A pod of the proxy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pod {
    /// `metadata.name`.
    pub name: String,
    /// `status.podIP`, once it has one.
    pub ip: Option<String>,
    /// Whether its condition `Ready` is true.
    pub ready: bool,
    /// Whether it is being deleted.
    pub deleting: bool,
}
