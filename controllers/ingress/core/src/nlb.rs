//! What operators choose for network load balancers.

/// [Where clients in the VPC are sent] by the DNS name of an NLB.
///
/// [Where clients in the VPC are sent]: https://docs.aws.amazon.com/elasticloadbalancing/latest/network/network-load-balancers.html#zonal-dns-affinity
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ZoneAffinity {
    /// To any zone.
    #[default]
    Any,
    /// To their own zone where it is healthy.
    Own,
    /// 85 of 100 queries as [`ZoneAffinity::Own`].
    Partial,
}

impl ZoneAffinity {
    /// Every value under the name that AWS and `--nlb-zone-affinity` use.
    pub const NAMES: [(&'static str, Self); 3] = [
        ("any_availability_zone", Self::Any),
        ("availability_zone_affinity", Self::Own),
        ("partial_availability_zone_affinity", Self::Partial),
    ];

    /// The name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Any => "any_availability_zone",
            Self::Own => "availability_zone_affinity",
            Self::Partial => "partial_availability_zone_affinity",
        }
    }
}

/// The flags `--nlb-*` but those for targets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NetworkLoadBalancers {
    /// `--nlb-http-enabled`: they have a listener on port 80.
    pub http: bool,
    /// `--nlb-cross-zone`.
    pub cross_zone: bool,
    /// `--nlb-zone-affinity`.
    pub zone_affinity: ZoneAffinity,
}
