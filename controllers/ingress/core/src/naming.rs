//! Names that a restart finds again.
//!
//! At most 32 characters, letters, digits and hyphens, not starting with
//! `internal-` (<https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateLoadBalancer.html>).

use isthmus_core::{Ownership, short_name};

use crate::{GroupKey, INGRESS, Owner, Protocol, Scheme, TargetType, WebAclChoice};

const MAX: usize = 32;

/// The name of the `ordinal`th load balancer of a group. Everything that cannot
/// be changed on a living load balancer is part of its identity.
pub(crate) fn load_balancer(ownership: &Ownership, key: &GroupKey, ordinal: usize) -> String {
    let readable = match (&key.owner, key.scheme) {
        (Some(owner), _) => format!("kube-{}", owner.name),
        (None, Scheme::InternetFacing) => "kube-public".to_owned(),
        (None, Scheme::Internal) => "kube-internal".to_owned(),
    };
    let text = |value: Option<String>| value.unwrap_or_default();
    let identity = [
        ownership.cluster_tag().to_owned(),
        ownership.controller_id().to_owned(),
        key.scheme.to_string(),
        key.kind.to_string(),
        key.ip_address_type.to_string(),
        key.http2.to_string(),
        text(key.security_group.as_ref().map(ToString::to_string)),
        // Kept empty: names must not change with a release.
        String::new(),
        text(key.owner.as_ref().map(owner)),
        ordinal.to_string(),
    ];
    let web_acl = match &key.web_acl {
        WebAclChoice::Default => None,
        WebAclChoice::Without => Some("without web ACL"),
        WebAclChoice::Acl(acl) => Some(acl.as_str()),
    };
    let identity: Vec<&str> = identity.iter().map(String::as_str).chain(web_acl).collect();
    short_name(&readable, &identity, MAX)
}

/// An Ingress by its name alone, so that what it owns keeps its name.
fn owner(owner: &Owner) -> String {
    match owner.kind {
        INGRESS => owner.name.clone(),
        kind => format!("{kind} {}", owner.name),
    }
}

/// The name of a load balancer's target group. Port, protocol, VPC and type cannot
/// be changed on a living one, so another one gets another name.
pub(crate) fn target_group(
    load_balancer: &str,
    protocol: Protocol,
    port: u16,
    (vpc, kind): (&str, TargetType),
) -> String {
    let identity = [
        load_balancer,
        protocol.as_str(),
        &port.to_string(),
        vpc,
        kind.as_str(),
    ];
    short_name(load_balancer, &identity, MAX)
}

/// The name in the DNS name that AWS gave: `<name>-<digits>.<region>.elb.amazonaws.com`,
/// with `internal-` before it where the scheme is.
pub(crate) fn in_hostname(hostname: &str) -> Option<&str> {
    let label = hostname.split('.').next()?;
    let label = label.strip_prefix("internal-").unwrap_or(label);
    label.rsplit_once('-').map(|(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostname_tells_the_name() {
        for (hostname, name) in [
            (
                "kube-public-0123456789-1234.eu-central-1.elb.amazonaws.com",
                Some("kube-public-0123456789"),
            ),
            (
                "internal-kube-internal-01-12.eu-central-1.elb.amazonaws.com",
                Some("kube-internal-01"),
            ),
            ("example", None),
            ("", None),
        ] {
            assert_eq!(in_hostname(hostname), name, "{hostname}");
        }
    }

    #[test]
    fn another_port_is_another_target_group() {
        let of = |port, kind| {
            let scope = ("vpc-1", kind);
            target_group("kube-public-0123456789", Protocol::Http, port, scope)
        };
        let name = |port| of(port, TargetType::Instance);
        assert_ne!(name(9999), name(9998));
        assert_ne!(name(9999), of(9999, TargetType::Ip));
        assert!(name(9999).len() <= MAX);
        assert_ne!(name(9999), "kube-public-0123456789");
    }
}
