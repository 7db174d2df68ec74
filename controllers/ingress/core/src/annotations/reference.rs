//! The annotations and what they mean, for the reference.

use isthmus_core::{AnnotationReference, AnnotationRow, Values};

use super::{
    Defaults, HTTP2, IP_ADDRESS_TYPE, SCHEME, SECURITY_GROUP, SHARED, SSL_CERT, SSL_CERT_DOMAIN,
    SSL_POLICY, TYPE, WAF, settings,
};
use crate::{IpAddressType, LoadBalancerType};

const WRONG: Values = Values::Wrong("?");

const ROWS: [AnnotationRow; 10] = [
    (
        SCHEME,
        WRONG,
        "`internet-facing`",
        "Who can reach the load balancer.",
    ),
    (
        SHARED,
        WRONG,
        "`true`",
        "Whether other objects may be on the same load balancer.",
    ),
    (
        TYPE,
        WRONG,
        "`--load-balancer-type`",
        "An application or a network load balancer.",
    ),
    (HTTP2, WRONG, "`true`", "Whether clients may speak HTTP/2."),
    (
        SECURITY_GROUP,
        WRONG,
        "the one found by its tags",
        "The security group of the load balancer.",
    ),
    (
        SSL_POLICY,
        WRONG,
        "`--ssl-policy`, or that of those who share it",
        "The TLS protocols and ciphers of the listener.",
    ),
    (
        SSL_CERT,
        WRONG,
        "found by the hosts",
        "The certificate to use, whatever its names.",
    ),
    (
        SSL_CERT_DOMAIN,
        Values::Any("anything"),
        "",
        "Without effect, as in kube-ingress-aws-controller since 0.7.",
    ),
    (
        WAF,
        WRONG,
        "`--aws-waf-web-acl-id`",
        "The web ACL of WAF v2; empty for none.",
    ),
    (
        IP_ADDRESS_TYPE,
        WRONG,
        "`--ip-addr-type`",
        "The addresses of the load balancer.",
    ),
];

/// The annotations that Ingresses and RouteGroups may have, with the values that [`settings`] takes.
#[must_use]
pub fn annotation_reference() -> Vec<AnnotationReference> {
    let defaults = Defaults {
        ip_address_type: IpAddressType::Ipv4,
        kind: LoadBalancerType::Application,
        web_acl: None,
    };
    let row = |(key, values, default, meaning): AnnotationRow| AnnotationReference {
        key: key.to_owned(),
        on: "Ingress, RouteGroup",
        allowed: values.allowed(key, |map| {
            settings(map, &defaults).err().unwrap_or_default()
        }),
        default,
        meaning,
    };
    ROWS.map(row).to_vec()
}
