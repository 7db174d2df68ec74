//! What a run decided, with all reasons.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ingress_core::{
    Action, Config, Desired, Observed, Operation, Snapshot, Statuses, Withholding, check,
    check_statuses, desired, plan, status,
};
use isthmus_core::{Action as _, ObjectRef, Plan, Rejection, RemovalLimit, Step, Withheld};
use jiff::Timestamp;

use crate::error::AwsError;

/// The reason of steps that touch what could not be read.
pub(crate) const UNREAD: &str = "unread";

/// What steps take for granted, by name.
#[derive(Debug, Default)]
pub(crate) struct Reliance {
    /// Load balancers and target groups with everything about them.
    pub(crate) whole: BTreeSet<String>,
    /// Target groups with nothing but their targets.
    pub(crate) targets: BTreeSet<String>,
}

/// What an action touches.
fn names(action: &Action) -> [String; 2] {
    [action.chain.clone(), action.name()]
}

/// Everything that follows from a snapshot and an observation.
pub(crate) struct Decided {
    pub(crate) desired: Desired,
    /// When this was decided.
    pub(crate) now: Timestamp,
    pub(crate) plan: Plan<Action>,
    pub(crate) rejections: Vec<Rejection>,
    pub(crate) withheld: Vec<Withholding>,
    pub(crate) statuses: Statuses,
    /// Why names stay in statuses, and in which.
    pub(crate) kept_names: Option<(Withheld, Vec<ObjectRef>)>,
    /// Target groups that take the place of others when they have a healthy target.
    pub(crate) warming: BTreeSet<String>,
    /// How long until something has been kept long enough.
    pub(crate) wake: Option<Duration>,
}

impl Decided {
    pub(crate) fn new(
        snapshot: &Snapshot,
        observed: &Observed,
        config: &Config,
        limit: &RemovalLimit,
        now: Timestamp,
    ) -> Self {
        let (desired, mut rejections) = desired(snapshot, config, now);
        let mut planned = plan(&desired, observed, config, now);
        rejections.append(&mut planned.rejections);
        let none = snapshot.certificates.is_empty();
        let withheld = check(&mut planned.plan, observed, config, none, limit);
        let until = |at: Timestamp| Duration::try_from(at.duration_since(now)).unwrap_or_default();
        let mut statuses = status(&desired, observed, config, now);
        Self {
            kept_names: check_statuses(&mut statuses, limit),
            statuses,
            wake: planned.wake.map(until),
            warming: planned.warming,
            plan: planned.plan,
            desired,
            now,
            rejections,
            withheld,
        }
    }

    pub(crate) fn makes_load_balancers(&self) -> bool {
        let makes = |action: &Action| matches!(action.operation, Operation::CreateLoadBalancer(_));
        self.plan.active().any(|step| makes(&step.action))
    }

    /// What the steps take for granted.
    pub(crate) fn reliance(&self) -> Reliance {
        let mut reliance = Reliance::default();
        for step in self.plan.active() {
            match &step.action.operation {
                Operation::Register { target_group, .. }
                | Operation::Deregister { target_group, .. } => {
                    reliance.targets.insert(target_group.clone());
                }
                _ => reliance.whole.extend(names(&step.action)),
            }
        }
        reliance
    }

    /// Withholds the steps that touch what could not be read.
    pub(crate) fn without(&mut self, unread: &BTreeMap<String, AwsError>) {
        let why = |step: &Step<Action>| names(&step.action).iter().find_map(|n| unread.get(n));
        for step in &mut self.plan.steps {
            if step.withheld.is_none()
                && let Some(error) = why(step)
            {
                step.withheld = Some(Withheld {
                    reason: UNREAD,
                    message: format!("it could not be read: {error}"),
                });
            }
        }
    }

    /// The load balancers and target groups of the plan.
    pub(crate) fn touches(&self) -> Vec<String> {
        self.plan
            .active()
            .flat_map(|step| names(&step.action))
            .collect()
    }

    /// The target groups of load balancers that wait for a healthy target.
    pub(crate) fn unhealthy_groups(&self) -> BTreeSet<String> {
        self.statuses
            .unhealthy
            .iter()
            .filter_map(|name| self.desired.load_balancers.get(name))
            .map(|balancer| balancer.target_group.name.clone())
            .collect()
    }
}
