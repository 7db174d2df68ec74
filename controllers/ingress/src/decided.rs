//! What a run decided, with all reasons.

use std::collections::BTreeSet;
use std::time::Duration;

use ingress_core::{
    Action, Config, Desired, Observed, Snapshot, Statuses, Withholding, check, check_statuses,
    desired, plan, status,
};
use isthmus_core::{Action as _, Effect, ObjectRef, Plan, Rejection, RemovalLimit, Withheld};
use jiff::Timestamp;

/// Everything that follows from a snapshot and an observation.
pub(crate) struct Decided {
    pub(crate) desired: Desired,
    pub(crate) plan: Plan<Action>,
    pub(crate) rejections: Vec<Rejection>,
    pub(crate) withheld: Vec<Withholding>,
    pub(crate) statuses: Statuses,
    /// Why names stay in statuses, and in which.
    pub(crate) kept_names: Option<(Withheld, Vec<ObjectRef>)>,
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
            plan: planned.plan,
            desired,
            rejections,
            withheld,
        }
    }

    /// Whether something is to be taken away.
    pub(crate) fn removes(&self) -> bool {
        self.plan
            .active()
            .any(|step| step.action.effect() == Effect::Remove)
    }

    /// The load balancers and target groups of the plan.
    pub(crate) fn touches(&self) -> Vec<String> {
        let names = |action: &Action| [action.chain.clone(), action.name()];
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
