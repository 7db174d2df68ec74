//! Which load balancers have the web ACL that their tag names.

use std::collections::BTreeSet;

use ingress_core::{LoadBalancer, Observed, WebAcl, is_ours};

use super::Scope;
use crate::aws::Firewall;
use crate::error::AwsError;

/// Asks once for each web ACL on one of `outdated`. What cannot be read counts as
/// not there: giving a load balancer the web ACL that it has harms nobody.
pub(super) async fn read(
    waf: &impl Firewall,
    scope: Scope<'_>,
    observed: &mut Observed,
    outdated: impl Fn(&str) -> bool,
) -> Vec<AwsError> {
    let mut failed = Vec::new();
    let ours = |name: &str, balancer: &LoadBalancer| {
        outdated(name) && is_ours(scope.ownership, &balancer.tags)
    };
    let acls: BTreeSet<WebAcl> = observed
        .load_balancers
        .iter()
        .filter(|(name, balancer)| ours(name, balancer))
        .filter_map(|(_, balancer)| balancer.web_acl())
        .collect();
    for acl in acls {
        let guarded = match waf.guarded_by(&acl).await {
            Ok(guarded) => guarded,
            Err(error) => {
                failed.push(error);
                continue;
            }
        };
        for (name, balancer) in &mut observed.load_balancers {
            if ours(name, balancer) && balancer.web_acl().as_ref() == Some(&acl) {
                balancer.has_web_acl = guarded.contains(&balancer.arn);
            }
        }
    }
    failed
}
