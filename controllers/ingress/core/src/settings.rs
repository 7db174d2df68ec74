//! The words of ELBv2 that users choose between.

use std::fmt;
use std::str::FromStr;

/// Who can reach a load balancer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scheme {
    /// From inside the VPC only.
    Internal,
    /// From everywhere.
    InternetFacing,
}

impl Scheme {
    /// Every scheme under the name that AWS and the annotation use.
    pub const NAMES: [(&'static str, Self); 2] = [
        ("internal", Self::Internal),
        ("internet-facing", Self::InternetFacing),
    ];

    /// The name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Internal => "internal",
            Self::InternetFacing => "internet-facing",
        }
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The type of a load balancer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LoadBalancerType {
    /// An ALB.
    Application,
    /// An NLB.
    Network,
}

impl LoadBalancerType {
    /// Every type under the name of the annotation.
    pub const NAMES: [(&'static str, Self); 2] =
        [("alb", Self::Application), ("nlb", Self::Network)];

    /// In how many zones it needs subnets: an ALB [in two].
    ///
    /// [in two]: https://docs.aws.amazon.com/elasticloadbalancing/latest/application/application-load-balancers.html#subnets-load-balancer
    #[must_use]
    pub fn min_zones(self) -> usize {
        match self {
            Self::Application => 2,
            Self::Network => 1,
        }
    }

    /// The name that AWS and `--load-balancer-type` use.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Application => "application",
            Self::Network => "network",
        }
    }
}

impl fmt::Display for LoadBalancerType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The addresses that a load balancer answers on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum IpAddressType {
    /// IPv4 alone.
    Ipv4,
    /// IPv4 and IPv6.
    Dualstack,
}

impl IpAddressType {
    /// Every type under the name that AWS, the flag and the annotation use.
    pub const NAMES: [(&'static str, Self); 2] =
        [("ipv4", Self::Ipv4), ("dualstack", Self::Dualstack)];

    /// The name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ipv4 => "ipv4",
            Self::Dualstack => "dualstack",
        }
    }
}

impl fmt::Display for IpAddressType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A security group's id, `sg-` and hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SecurityGroupId(String);

/// A text that is not a security group's id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not the id of a security group, such as sg-0123456789abcdef0")]
pub struct WrongSecurityGroup(String);

impl FromStr for SecurityGroupId {
    type Err = WrongSecurityGroup;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.strip_prefix("sg-").unwrap_or_default();
        if digits.is_empty()
            || !digits
                .bytes()
                .all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
        {
            return Err(WrongSecurityGroup(text.to_owned()));
        }
        Ok(Self(text.to_owned()))
    }
}

impl SecurityGroupId {
    /// The id.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SecurityGroupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A [security policy] of an HTTPS listener, one of those that AWS documents for
/// ALBs. A closed list: a typo must not reach AWS, where it stops a listener.
///
/// [security policy]: https://docs.aws.amazon.com/elasticloadbalancing/latest/application/describe-ssl-policies.html
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SslPolicy(&'static str);

/// A text that is not the name of a security policy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a security policy")]
pub struct WrongSslPolicy(String);

impl SslPolicy {
    /// What every name starts with.
    const PREFIX: &'static str = "ELBSecurityPolicy-";

    /// The names after the prefix: first those of kube-ingress-aws-controller,
    /// then the post-quantum ones of 2025.
    const SUFFIXES: [&'static str; 29] = [
        "2016-08",
        "FS-2018-06",
        "TLS-1-2-2017-01",
        "TLS-1-2-Ext-2018-06",
        "TLS-1-1-2017-01",
        "2015-05",
        "TLS-1-0-2015-04",
        "FS-1-1-2019-08",
        "FS-1-2-2019-08",
        "FS-1-2-Res-2019-08",
        "FS-1-2-Res-2020-10",
        "TLS13-1-2-2021-06",
        "TLS13-1-2-Res-2021-06",
        "TLS13-1-2-Ext1-2021-06",
        "TLS13-1-2-Ext2-2021-06",
        "TLS13-1-1-2021-06",
        "TLS13-1-0-2021-06",
        "TLS13-1-3-2021-06",
        "TLS13-1-2-PQ-2025-09",
        "TLS13-1-2-Res-PQ-2025-09",
        "TLS13-1-2-Ext1-PQ-2025-09",
        "TLS13-1-2-Ext2-PQ-2025-09",
        "TLS13-1-3-PQ-2025-09",
        "TLS13-1-2-FIPS-PQ-2025-09",
        "TLS13-1-2-Res-FIPS-PQ-2025-09",
        "TLS13-1-2-Ext0-FIPS-PQ-2025-09",
        "TLS13-1-2-Ext1-FIPS-PQ-2025-09",
        "TLS13-1-2-Ext2-FIPS-PQ-2025-09",
        "TLS13-1-3-FIPS-PQ-2025-09",
    ];

    /// The names, for a message.
    #[must_use]
    pub fn allowed() -> String {
        format!("{}{}", Self::PREFIX, Self::SUFFIXES.join(", -"))
    }

    /// The name without the prefix that all share.
    pub(crate) fn suffix(self) -> &'static str {
        self.0
    }
}

impl FromStr for SslPolicy {
    type Err = WrongSslPolicy;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.strip_prefix(Self::PREFIX)
            .and_then(|name| Self::SUFFIXES.into_iter().find(|suffix| *suffix == name))
            .map(Self)
            .ok_or_else(|| WrongSslPolicy(text.to_owned()))
    }
}

impl fmt::Display for SslPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", Self::PREFIX, self.suffix())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_are_read_as_written() {
        let policy: SslPolicy = "ELBSecurityPolicy-TLS13-1-2-2021-06".parse().unwrap();
        assert_eq!(policy.to_string(), "ELBSecurityPolicy-TLS13-1-2-2021-06");
        for wrong in [
            "",
            "2016-08",
            "ELBSecurityPolicy-",
            "elbsecuritypolicy-2016-08",
        ] {
            assert!(wrong.parse::<SslPolicy>().is_err(), "{wrong}");
        }
        assert!(SslPolicy::allowed().starts_with("ELBSecurityPolicy-2016-08, -FS-2018-06"));
    }

    #[test]
    fn security_groups_are_ids() {
        assert!("sg-0123456789abcdef0".parse::<SecurityGroupId>().is_ok());
        for wrong in ["", "sg-", "sg-XYZ", "my-group", "sg-1,sg-2"] {
            assert!(wrong.parse::<SecurityGroupId>().is_err(), "{wrong}");
        }
    }
}
