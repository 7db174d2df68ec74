//! What the cluster says, slimmed down to what decides.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use isthmus_core::ObjectRef;

use crate::Source;

/// The objects of all sources at one moment. All of them in any order.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// Of the source `ingress`.
    pub ingresses: Vec<Ingress>,
    /// Of the source `skipper-routegroup`.
    pub route_groups: Vec<RouteGroup>,
    /// Of the source `service`.
    pub services: Vec<Service>,
    /// Of the source `crd`.
    pub dns_endpoints: Vec<DnsEndpoint>,
    /// What is behind Services: needed for headless ones and for node ports.
    pub endpoints: Vec<Endpoint>,
    /// Needed for headless Services.
    pub pods: Vec<Pod>,
    /// Needed for node ports and the endpoints type `NodeExternalIP`.
    pub nodes: Vec<Node>,
    /// Sources that cannot be asked: what they wanted last stays.
    pub unavailable: BTreeSet<Source>,
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

/// A RouteGroup of Skipper
/// ([format](https://opensource.zalando.com/skipper/kubernetes/routegroup-crd/)).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteGroup {
    /// Which one.
    pub object: ObjectRef,
    /// `metadata.annotations`.
    pub annotations: BTreeMap<String, String>,
    /// `metadata.labels`.
    pub labels: BTreeMap<String, String>,
    /// `spec.hosts[]`.
    pub hosts: Vec<String>,
    /// `status.loadBalancer.routegroup[]`.
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

/// A Service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Which one.
    pub object: ObjectRef,
    /// `metadata.annotations`.
    pub annotations: BTreeMap<String, String>,
    /// `metadata.labels`.
    pub labels: BTreeMap<String, String>,
    /// `spec.type`, with a `ClusterIP` of `None` told apart.
    pub kind: ServiceKind,
    /// `spec.clusterIP`, where it is an address.
    pub cluster_ip: Option<IpAddr>,
    /// `spec.externalIPs`.
    pub external_ips: Vec<IpAddr>,
    /// `spec.externalName`.
    pub external_name: Option<String>,
    /// `status.loadBalancer.ingress[]`.
    pub addresses: Vec<Address>,
    /// `spec.ports[]` that have a node port: the protocol and the node port.
    pub node_ports: Vec<(String, u16)>,
    /// `spec.externalTrafficPolicy` is `Local`.
    pub local: bool,
    /// `spec.publishNotReadyAddresses`.
    pub publish_not_ready: bool,
    /// `spec.ipFamilies` has IPv6.
    pub ipv6: bool,
}

/// How a Service is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ServiceKind {
    /// At an address within the cluster.
    ClusterIp,
    /// At the addresses of its pods: `clusterIP: None`.
    Headless,
    /// At a port of each node.
    NodePort,
    /// At a load balancer.
    LoadBalancer,
    /// It is another name for a host.
    ExternalName,
}

impl ServiceKind {
    /// `spec.type`, as `--service-type-filter` has it.
    #[must_use]
    pub fn type_name(self) -> &'static str {
        match self {
            Self::ClusterIp | Self::Headless => "ClusterIP",
            Self::NodePort => "NodePort",
            Self::LoadBalancer => "LoadBalancer",
            Self::ExternalName => "ExternalName",
        }
    }
}

/// One endpoint of an EndpointSlice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// The namespace of the Service.
    pub namespace: String,
    /// The name of the Service.
    pub service: String,
    /// Its first address: the others mean nothing.
    pub address: IpAddr,
    /// The name of the Pod, where it is one.
    pub pod: Option<String>,
    /// The name of the Node.
    pub node: Option<String>,
    /// `conditions.ready`.
    pub ready: bool,
}

/// A Pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pod {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its annotations with a prefix of ours.
    pub annotations: BTreeMap<String, String>,
    /// `spec.hostname`.
    pub hostname: Option<String>,
    /// `spec.nodeName`.
    pub node: Option<String>,
    /// `status.hostIP`.
    pub host_ip: Option<IpAddr>,
}

/// A Node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// `status.addresses[]` of type `ExternalIP`.
    pub external: Vec<IpAddr>,
    /// `status.addresses[]` of type `InternalIP`.
    pub internal: Vec<IpAddr>,
}

/// A DNSEndpoint
/// ([format](https://kubernetes-sigs.github.io/external-dns/latest/docs/sources/crd/)).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DnsEndpoint {
    /// Which one.
    pub object: ObjectRef,
    /// `metadata.annotations`.
    pub annotations: BTreeMap<String, String>,
    /// `metadata.labels`.
    pub labels: BTreeMap<String, String>,
    /// `spec.endpoints[]`.
    pub endpoints: Vec<EndpointSpec>,
}

/// One record of a DNSEndpoint, as it is written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EndpointSpec {
    /// `dnsName`.
    pub dns_name: String,
    /// `recordType`.
    pub record_type: String,
    /// `targets`.
    pub targets: Vec<String>,
    /// `recordTTL`; 0 is none.
    pub ttl: i64,
    /// `setIdentifier`.
    pub set_identifier: Option<String>,
    /// `labels`: what is to be noted in the registry.
    pub labels: BTreeMap<String, String>,
    /// `providerSpecific`, by name.
    pub properties: BTreeMap<String, String>,
}
