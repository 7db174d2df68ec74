//! The alarms of load balancers.

use std::collections::{BTreeMap, BTreeSet};

use isthmus_core::ObjectRef;

use super::Planner;
use crate::action::{Operation, Resource};
use crate::alarm::{alarm_chain, alarm_name, alarm_prefix};
use crate::{ALARMS_TAG, Alarm, DesiredLoadBalancer, is_ours};

impl Planner<'_> {
    /// Makes and mends alarms, and deletes those that nothing asks for. An alarm
    /// that cannot be made stops nothing else: the steps are in a chain of their own.
    pub(super) fn alarms(&mut self) {
        let desired = self.desired;
        let Some(observed) = &self.observed.alarms else {
            return;
        };
        let objects: Vec<ObjectRef> = desired.alarms.object.iter().cloned().collect();
        let mut wanted = BTreeSet::new();
        for (name, balancer) in &desired.load_balancers {
            for (part, alarm) in &desired.alarms.alarms {
                if alarm.is_for(balancer.kind) {
                    let full = alarm_name(&self.config.ownership, name, part);
                    self.alarm(name, balancer, (&full, alarm), observed.get(&full));
                    wanted.insert(full);
                }
            }
        }
        if desired.alarms.complete {
            for name in observed.keys().filter(|name| !wanted.contains(*name)) {
                self.delete_alarm(name, &objects);
            }
            self.forget_alarms(observed);
        }
    }

    fn alarm(
        &mut self,
        name: &str,
        want: &DesiredLoadBalancer,
        (full, alarm): (&str, &Alarm),
        have: Option<&Alarm>,
    ) {
        let balancer = self.observed.load_balancers.get(name);
        let group = self.observed.target_groups.get(&want.target_group.name);
        let taken = balancer.is_some_and(|b| !is_ours(&self.config.ownership, &b.tags));
        if taken || (balancer.is_none() && !want.can_be_made()) {
            return;
        }
        let met = match (balancer, group, have) {
            (Some(balancer), Some(group), Some(have)) => {
                alarm.of(&balancer.arn, &group.arn).is_met_by(have)
            }
            _ => false,
        };
        if !met {
            let put = Operation::PutAlarm {
                name: full.to_owned(),
                load_balancer: name.to_owned(),
                target_group: want.target_group.name.clone(),
                alarm: Box::new(alarm.clone()),
                tags: want.target_group.tags.clone(),
                is_new: have.is_none(),
            };
            let objects: Vec<ObjectRef> = self.desired.alarms.object.iter().cloned().collect();
            self.push(&alarm_chain(name), &objects, put);
        }
    }

    /// Those of a load balancer that is only kept for a while stay with it.
    fn delete_alarm(&mut self, name: &str, objects: &[ObjectRef]) {
        let prefix = alarm_prefix(&self.config.ownership);
        let of = |balancer: &str| {
            let rest = name
                .strip_prefix(&prefix)
                .and_then(|n| n.strip_prefix(balancer));
            rest.is_some_and(|rest| rest.starts_with('-'))
        };
        let balancers = self.observed.our_load_balancers(&self.config.ownership);
        let mut kept = balancers.map(|(name, _)| name.as_str()).filter(|n| of(n));
        let owner = kept.next();
        let desired = owner.is_some_and(|n| self.desired.load_balancers.contains_key(n));
        let going = owner.is_none_or(|owner| self.is_deleted(owner));
        if desired || going {
            let delete = Operation::DeleteAlarm {
                name: name.to_owned(),
                counts: desired,
            };
            self.push(&alarm_chain(owner.unwrap_or(name)), objects, delete);
        }
    }

    fn is_deleted(&self, balancer: &str) -> bool {
        self.out.plan.active().any(|step| {
            matches!(&step.action.operation, Operation::DeleteLoadBalancer { load_balancer } if load_balancer == balancer)
        })
    }

    /// When no alarms are asked for any more and none is left, nobody has to look again.
    fn forget_alarms(&mut self, observed: &BTreeMap<String, Alarm>) {
        if self.config.alarms || !observed.is_empty() {
            return;
        }
        let marked: Vec<String> = self
            .observed
            .our_load_balancers(&self.config.ownership)
            .filter(|(name, balancer)| {
                balancer.tags.contains_key(ALARMS_TAG) && !self.is_deleted(name)
            })
            .map(|(name, _)| name.clone())
            .collect();
        for name in marked {
            let keys = BTreeSet::from([ALARMS_TAG.to_owned()]);
            let resource = Resource::LoadBalancer(name.clone());
            self.push(
                &alarm_chain(&name),
                &[],
                Operation::RemoveTags { resource, keys },
            );
        }
    }
}
