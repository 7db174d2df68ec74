//! The flags of single sources.

/// What of the objects of a source counts.
#[derive(Debug, clap::Args)]
pub(crate) struct SourceArgs {
    /// Type of Services that count: ClusterIP, NodePort, LoadBalancer or ExternalName (repeatable); otherwise all.
    #[arg(long, value_name = "TYPE")]
    pub(crate) service_type_filter: Vec<String>,

    /// Publish the cluster IP of Services that have no load balancer.
    #[arg(long)]
    pub(crate) publish_internal_services: bool,

    /// Let headless Services stand for the hosts of their pods.
    #[arg(long)]
    pub(crate) publish_host_ip: bool,

    /// Let headless Services stand for pods that are not ready too.
    #[arg(long)]
    pub(crate) always_publish_not_ready_addresses: bool,

    /// Count the internal IPv6 addresses of nodes as public.
    #[arg(long)]
    pub(crate) expose_internal_ipv6: bool,

    /// API of the source crd, GROUP/VERSION.
    #[arg(
        long,
        value_name = "API",
        default_value = "externaldns.k8s.io/v1alpha1"
    )]
    pub(crate) crd_source_apiversion: String,

    /// Kind of the source crd.
    #[arg(long, value_name = "KIND", default_value = "DNSEndpoint")]
    pub(crate) crd_source_kind: String,

    /// Target of DNSEndpoints that name none (repeatable).
    #[arg(long, value_name = "TARGET")]
    pub(crate) default_targets: Vec<String>,
}
