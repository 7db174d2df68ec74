//! What an operator decides.

use std::collections::BTreeSet;

use crate::record::RecordType;
use crate::{DomainFilter, Registry, Selector, Targets, ZoneFilter};

/// Everything that decides which records there should be.
#[derive(Clone, Debug)]
pub struct Config {
    /// `--policy`.
    pub policy: Policy,
    /// `--registry` and the `--txt-…` flags.
    pub registry: Registry,
    /// `--managed-record-types` without `--exclude-record-types`.
    pub types: BTreeSet<RecordType>,
    /// `--domain-filter`, `--exclude-domains`.
    pub domains: DomainFilter,
    /// `--zone-id-filter`, `--aws-zone-type`, `--aws-zone-match-parent`.
    pub zones: ZoneFilter,
    /// Which objects count, and what of them.
    pub source: SourceOptions,
    /// How AWS targets are published.
    pub alias: AliasOptions,
    /// `--min-ttl` in seconds, for objects that say nothing.
    pub min_ttl: Option<u32>,
}

/// `--policy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// Records are created, changed and deleted.
    Sync,
    /// Records are created and changed.
    UpsertOnly,
    /// Records are created.
    CreateOnly,
}

impl Policy {
    /// The value of the flag.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sync => "sync",
            Self::UpsertOnly => "upsert-only",
            Self::CreateOnly => "create-only",
        }
    }
}

/// Which objects count, and what of them.
#[derive(Clone, Debug)]
pub struct SourceOptions {
    /// `--ingress-class`; empty for all.
    pub ingress_classes: Vec<String>,
    /// `--annotation-filter`.
    pub annotations: Selector,
    /// `--label-filter`.
    pub labels: Selector,
    /// `--ignore-hostname-annotation`.
    pub ignore_hostname_annotation: bool,
    /// `--ignore-ingress-tls-spec`.
    pub ignore_tls: bool,
    /// `--ignore-ingress-rules-spec`.
    pub ignore_rules: bool,
    /// Which Services, and what of them.
    pub service: ServiceOptions,
    /// `--default-targets`, for DNSEndpoints that name none.
    pub default_targets: Targets,
    /// `--crd-source-apiversion` and `--crd-source-kind`.
    pub crd: (&'static str, &'static str),
}

impl Default for SourceOptions {
    fn default() -> Self {
        Self {
            ingress_classes: Vec::new(),
            annotations: Selector::default(),
            labels: Selector::default(),
            ignore_hostname_annotation: false,
            ignore_tls: false,
            ignore_rules: false,
            service: ServiceOptions::default(),
            default_targets: Targets::default(),
            crd: ("externaldns.k8s.io/v1alpha1", "DNSEndpoint"),
        }
    }
}

/// Which Services count, and what of them.
#[derive(Clone, Debug, Default)]
pub struct ServiceOptions {
    /// `--service-type-filter`: values of `spec.type`; empty for all.
    pub types: Vec<String>,
    /// `--publish-internal-services`: a `ClusterIP` counts as a target.
    pub publish_internal: bool,
    /// `--publish-host-ip`: headless Services stand for the hosts of their pods.
    pub publish_host_ip: bool,
    /// `--always-publish-not-ready-addresses`.
    pub publish_not_ready: bool,
    /// `--expose-internal-ipv6`: a node's internal IPv6 addresses are public.
    pub expose_internal_ipv6: bool,
}

/// How AWS targets are published.
#[derive(Clone, Copy, Debug)]
pub struct AliasOptions {
    /// `--aws-prefer-cname`.
    pub prefer_cname: bool,
    /// `--aws-evaluate-target-health`.
    pub evaluate_target_health: bool,
    /// `--alias-ipv6`.
    pub ipv6: AliasIpv6,
}

/// `--alias-ipv6`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AliasIpv6 {
    /// Every alias has an AAAA beside its A, as with external-dns.
    Always,
    /// Only where the load balancer is known to have IPv6 addresses.
    Dualstack,
}
