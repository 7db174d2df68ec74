//! Load balancers that no Ingress needs.

use std::collections::{BTreeMap, BTreeSet};

use isthmus_core::Withheld;

use super::Planner;
use crate::action::{Operation, Resource};
use crate::{LoadBalancer, ROUTE_GROUPS, UNUSED_SINCE};

/// The attribute that makes AWS refuse a deletion.
const PROTECTION: &str = "deletion_protection.enabled";

impl Planner<'_> {
    /// Keeps a load balancer that is not needed while someone may still come to
    /// it, and deletes it after that: listeners, load balancer, and the target
    /// groups in [`clean_target_groups`](Self::clean_target_groups).
    ///
    /// Since when it is not needed is written on it, so that a restart does not
    /// begin anew.
    pub(super) fn retire(&mut self, name: &str, have: &LoadBalancer) {
        if self.usages.of(have).is_some() {
            if have.tags.contains_key(UNUSED_SINCE) {
                let resource = Resource::LoadBalancer(name.to_owned());
                let keys = BTreeSet::from([UNUSED_SINCE.to_owned()]);
                self.push(name, &[], Operation::RemoveTags { resource, keys });
            }
            self.keep_targets(name, have);
            return;
        }
        if self.may_serve_route_groups(have) {
            let load_balancer = name.to_owned();
            self.push(name, &[], Operation::DeleteLoadBalancer { load_balancer });
            self.withhold_last(Withheld {
                reason: "route-groups-absent",
                message: format!(
                    "it served RouteGroups, which cannot be read any more; bring them back, or delete its tag {ROUTE_GROUPS}"
                ),
            });
            self.keep_targets(name, have);
            return;
        }
        let since = have.unused_since();
        if self.kept_until(since.unwrap_or(self.now)).is_some() {
            if since.is_none() {
                let resource = Resource::LoadBalancer(name.to_owned());
                let tags = BTreeMap::from([(UNUSED_SINCE.to_owned(), self.now.to_string())]);
                self.push(name, &[], Operation::AddTags { resource, tags });
            }
            self.keep_targets(name, have);
            return;
        }
        self.delete(name, have);
    }

    /// Whether it may be in use by RouteGroups that cannot be read.
    pub(super) fn may_serve_route_groups(&self, have: &LoadBalancer) -> bool {
        self.desired.route_groups_absent && have.tags.contains_key(ROUTE_GROUPS)
    }

    fn delete(&mut self, name: &str, have: &LoadBalancer) {
        let load_balancer = name.to_owned();
        if have
            .attributes
            .get(PROTECTION)
            .is_some_and(|value| value == "true")
        {
            if !self.config.deletion_protection {
                self.push(name, &[], Operation::DeleteLoadBalancer { load_balancer });
                self.withhold_last(Withheld {
                    reason: "deletion-protection",
                    message:
                        "someone protected it against deletion; take that away, and it is deleted"
                            .to_owned(),
                });
                return;
            }
            let attributes = BTreeMap::from([(PROTECTION.to_owned(), "false".to_owned())]);
            let load_balancer = name.to_owned();
            self.push(
                name,
                &[],
                Operation::SetAttributes {
                    load_balancer,
                    attributes,
                },
            );
        }
        for port in self.our_ports(have) {
            let load_balancer = name.to_owned();
            self.push(
                name,
                &[],
                Operation::DeleteListener {
                    load_balancer,
                    port,
                },
            );
        }
        self.push(name, &[], Operation::DeleteLoadBalancer { load_balancer });
    }

    fn withhold_last(&mut self, why: Withheld) {
        if let Some(step) = self.out.plan.steps.last_mut() {
            step.withheld = Some(why);
        }
    }

    /// While it is kept, it serves: its targets follow the Nodes.
    fn keep_targets(&mut self, name: &str, have: &LoadBalancer) {
        let used: BTreeSet<_> = have.forwards().cloned().collect();
        let observed = self.observed;
        for (group_name, group) in observed.our_target_groups(&self.config.ownership) {
            if used.contains(&group.arn) {
                self.targets(name, &[], group_name, group);
            }
        }
    }
}
