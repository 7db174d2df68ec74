//! What someone else changed on what is ours.

use std::collections::{BTreeMap, BTreeSet};

use isthmus_core::{Plan, Step};

use crate::action::{Action, Operation};
use crate::alarm::alarm_chain;
use crate::{Desired, DesiredAlarms, DesiredLoadBalancer, Observed, Targets};

/// What was asked for when it was in order the last time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settled {
    /// Without their members: who is on a load balancer changes nothing of it.
    load_balancers: BTreeMap<String, DesiredLoadBalancer>,
    targets: Targets,
    /// By load balancer.
    alarms: BTreeMap<String, DesiredAlarms>,
}

impl Settled {
    /// Remembers what is in order: all for which the plan has no step, carried out
    /// or withheld.
    pub fn note(&mut self, desired: &Desired, observed: &Observed, plan: &Plan<Action>) {
        let steps = || plan.steps.iter().map(|step| &step.action);
        let changing: BTreeSet<&str> = steps().map(|action| action.chain.as_str()).collect();
        for (name, balancer) in &desired.load_balancers {
            if !changing.contains(name.as_str()) {
                self.load_balancers.insert(name.clone(), alone(balancer));
            }
            let chain = alarm_chain(name);
            if observed.alarms.is_some() && !changing.contains(chain.as_str()) {
                self.alarms.insert(name.clone(), desired.alarms.clone());
            }
        }
        let wanted = &desired.load_balancers;
        self.load_balancers
            .retain(|name, _| wanted.contains_key(name));
        self.alarms.retain(|name, _| wanted.contains_key(name));
        if !steps().any(|action| moves_targets(&action.operation)) {
            self.targets.clone_from(&desired.targets);
        }
    }

    /// The steps of a plan that nobody's wish explains: the same was asked for when
    /// it was in order. What only the time brings about is not among them.
    pub fn drift<'a>(
        &self,
        desired: &Desired,
        plan: &'a Plan<Action>,
    ) -> impl Iterator<Item = &'a Step<Action>> + use<'a> {
        let mut same = BTreeSet::new();
        for (name, balancer) in &desired.load_balancers {
            if self.load_balancers.get(name) == Some(&alone(balancer)) {
                same.insert(name.clone());
                if self.alarms.get(name) == Some(&desired.alarms) {
                    same.insert(alarm_chain(name));
                }
            }
        }
        let same_targets = self.targets == desired.targets;
        plan.active().filter(move |step| {
            same.contains(&step.action.chain) && mends(&step.action.operation, same_targets)
        })
    }
}

fn alone(balancer: &DesiredLoadBalancer) -> DesiredLoadBalancer {
    DesiredLoadBalancer {
        members: Vec::new(),
        ..balancer.clone()
    }
}

fn moves_targets(operation: &Operation) -> bool {
    matches!(
        operation,
        Operation::Register { .. } | Operation::Deregister { .. }
    )
}

fn mends(operation: &Operation, same_targets: bool) -> bool {
    match operation {
        Operation::Register { .. } | Operation::Deregister { .. } => same_targets,
        // These follow when something has been kept long enough.
        Operation::Detach { .. }
        | Operation::RemoveTags { .. }
        | Operation::DeleteAlarm { .. }
        | Operation::DeleteTargetGroup { .. } => false,
        _ => true,
    }
}
