//! The tags that remember something between two runs.

use isthmus_core::short_hash;

use crate::Arn;

/// On a load balancer that no Ingress needs: since when, RFC 3339. It is deleted
/// `--cert-ttl-timeout` after that.
pub const UNUSED_SINCE: &str = "isthmus.dev/unused-since";

/// On a load balancer that serves RouteGroups, so that it is not taken for unused
/// after a restart that cannot read any, their definition having been deleted.
pub const ROUTE_GROUPS: &str = "isthmus.dev/route-groups";

/// On a load balancer that has alarms, or is about to get them.
pub const ALARMS_TAG: &str = "isthmus.dev/alarms";

/// On a load balancer, the ARN of the web ACL that it was given here: what someone
/// else gave it is not taken away.
pub const WEB_ACL_TAG: &str = "isthmus.dev/web-acl";

/// The owner of a load balancer that is not shared, `<namespace>/<name>`: the tag
/// that kube-ingress-aws-controller writes.
pub(crate) const OWNER: &str = "ingress:owner";

/// On a load balancer, the key of "since when this certificate is not needed any
/// more", RFC 3339. It is detached `--cert-ttl-timeout` after that.
///
/// Keys have at most 128 characters (<https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-tags.html>).
#[must_use]
pub fn certificate_tag(certificate: &Arn) -> String {
    let id = certificate.id();
    // A name in IAM may have a comma, a tag may not.
    if id.len() <= 64 && !id.contains(',') {
        format!("{UNUSED_SINCE}/{id}")
    } else {
        format!("{UNUSED_SINCE}/{}", short_hash(&[certificate.as_str()], 32))
    }
}
