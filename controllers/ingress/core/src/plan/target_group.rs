//! Target groups and their targets.

use std::collections::BTreeSet;

use isthmus_core::ObjectRef;

use super::{Planner, differing, missing_tags};
use crate::action::{Operation, Resource};
use crate::{Arn, DesiredLoadBalancer, DesiredTargetGroup, Health, TargetGroup, is_ours};

impl Planner<'_> {
    /// Makes or mends the target groups of a load balancer and fills them.
    pub(super) fn target_groups(&mut self, chain: &str, want: &DesiredLoadBalancer) {
        for group in want.target_groups() {
            self.target_group(chain, &want.members, group);
        }
    }

    fn target_group(&mut self, chain: &str, objects: &[ObjectRef], group: &DesiredTargetGroup) {
        let Some(have) = self.observed.target_groups.get(&group.name) else {
            self.push(chain, objects, Operation::CreateTargetGroup(group.clone()));
            self.target_group_attributes(chain, objects, group, None);
            if !self.desired.targets.ids.is_empty() {
                let register = Operation::Register {
                    target_group: group.name.clone(),
                    targets: self.desired.targets.ids.clone(),
                };
                self.push(chain, objects, register);
            }
            return;
        };
        let check = &group.health_check;
        if !have
            .health_check
            .as_ref()
            .is_some_and(|have| check.is_met_by(have))
        {
            let set = Operation::SetHealthCheck {
                target_group: group.name.clone(),
                health_check: check.clone(),
            };
            self.push(chain, objects, set);
        }
        self.target_group_attributes(chain, objects, group, Some(have));
        let tags = missing_tags(&group.tags, &have.tags);
        if !tags.is_empty() {
            let resource = Resource::TargetGroup(group.name.clone());
            self.push(chain, objects, Operation::AddTags { resource, tags });
        }
        self.targets(chain, objects, &group.name, have);
    }

    fn target_group_attributes(
        &mut self,
        chain: &str,
        objects: &[ObjectRef],
        want: &DesiredTargetGroup,
        have: Option<&TargetGroup>,
    ) {
        let known = have.map(|have| have.attributes.clone()).unwrap_or_default();
        let attributes = differing(&want.attributes, &known);
        if !attributes.is_empty() {
            let target_group = want.name.clone();
            let set = Operation::SetTargetGroupAttributes {
                target_group,
                attributes,
            };
            self.push(chain, objects, set);
        }
    }

    /// Registers and deregisters. A target group is never emptied: without anything
    /// to send traffic to, those that were there are the best guess, but for those
    /// that are known to stop. One of another type keeps its targets.
    pub(super) fn targets(
        &mut self,
        chain: &str,
        objects: &[ObjectRef],
        name: &str,
        have: &TargetGroup,
    ) {
        let registered: BTreeSet<String> = have
            .targets
            .iter()
            .filter(|(_, health)| **health != Health::Draining)
            .map(|(id, _)| id.clone())
            .collect();
        let wanted = &self.desired.targets;
        if have.kind != Some(wanted.kind) {
            return;
        }
        let add: BTreeSet<String> = wanted.ids.difference(&registered).cloned().collect();
        let remove: BTreeSet<String> = if wanted.ids.is_empty() {
            registered.intersection(&wanted.stopping).cloned().collect()
        } else {
            registered.difference(&wanted.ids).cloned().collect()
        };
        if !add.is_empty() {
            let target_group = name.to_owned();
            self.push(
                chain,
                objects,
                Operation::Register {
                    target_group,
                    targets: add,
                },
            );
        }
        if !remove.is_empty() {
            let deregister = Operation::Deregister {
                target_group: name.to_owned(),
                targets: remove,
                of: registered.len(),
            };
            self.push(chain, objects, deregister);
        }
    }

    /// Deletes target groups that nothing needs any more: left over from another
    /// port, from a deleted load balancer, or from a creation that was cut off.
    pub(super) fn clean_target_groups(&mut self) {
        let ownership = &self.config.ownership;
        let wanted: BTreeSet<&str> = self
            .desired
            .load_balancers
            .values()
            .flat_map(DesiredLoadBalancer::target_groups)
            .map(|group| group.name.as_str())
            .chain(self.serving.iter().map(String::as_str))
            .collect();
        let staying = self.staying();
        let unneeded: Vec<_> = self
            .observed
            .our_target_groups(ownership)
            .filter(|(name, group)| {
                !wanted.contains(name.as_str())
                    && !staying.contains(&group.arn)
                    && !self.is_used_by_others(group)
            })
            .map(|(name, group)| (self.chain_of(name, group), name.clone()))
            .collect();
        for (chain, target_group) in unneeded {
            self.push(&chain, &[], Operation::DeleteTargetGroup { target_group });
        }
    }

    /// The target groups that load balancers use which are neither desired, and so
    /// changed in this plan where needed, nor deleted in it.
    fn staying(&self) -> BTreeSet<Arn> {
        let deleted: BTreeSet<&str> = self
            .out
            .plan
            .active()
            .filter_map(|step| match &step.action.operation {
                Operation::DeleteLoadBalancer { load_balancer } => Some(load_balancer.as_str()),
                _ => None,
            })
            .collect();
        self.observed
            .our_load_balancers(&self.config.ownership)
            .filter(|(name, _)| {
                !self.desired.load_balancers.contains_key(*name) && !deleted.contains(name.as_str())
            })
            .flat_map(|(_, balancer)| balancer.forwards())
            .cloned()
            .collect()
    }

    fn is_used_by_others(&self, group: &TargetGroup) -> bool {
        let ownership = &self.config.ownership;
        self.observed.load_balancers.values().any(|balancer| {
            !is_ours(ownership, &balancer.tags) && group.load_balancers.contains(&balancer.arn)
        })
    }

    fn chain_of(&self, name: &str, group: &TargetGroup) -> String {
        self.observed
            .load_balancers
            .iter()
            .find(|(_, balancer)| {
                group.load_balancers.contains(&balancer.arn)
                    || balancer.forwards().any(|arn| *arn == group.arn)
            })
            .map_or(name, |(balancer, _)| balancer)
            .to_owned()
    }
}
