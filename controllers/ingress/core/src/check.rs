//! The brakes: which removals of a plan are withheld.

use std::collections::{BTreeMap, BTreeSet};

use isthmus_core::{Action as _, Effect, ObjectRef, Plan, RemovalLimit, Withheld};

use crate::action::{Action, Operation};
use crate::{Config, Observed, Statuses};

/// One reason for which steps are withheld.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Withholding {
    /// Why.
    pub withheld: Withheld,
    /// How many steps.
    pub steps: usize,
}

/// Withholds removals that look like a mistake, and says which.
///
/// Load balancers and certificates are counted over the account, targets over
/// their target group, each against `limit`. When load balancers may not go, their
/// listeners and target groups stay too. With no certificate in the whole
/// account, none is detached and no load balancer deleted: an empty list is what a
/// missing permission or a wrong filter looks like.
pub fn check(
    plan: &mut Plan<Action>,
    observed: &Observed,
    config: &Config,
    no_certificates: bool,
    limit: &RemovalLimit,
) -> Vec<Withholding> {
    let mut said = Vec::new();
    let (balancers, certificates) = managed(observed, config);
    if no_certificates && certificates > 0 && !limit.allow_mass {
        let why = Withheld {
            reason: "no-certificates",
            message: "the account's list of certificates is empty; look at the permissions and at --cert-filter-tag, \
                      or start with --allow-mass-removal if that is meant"
                .to_owned(),
        };
        said.extend(withhold(plan, &why, |action| !is_target(action)));
    }
    if let Some(why) = too_many(plan, "load balancers", balancers, limit, is_load_balancer) {
        said.extend(withhold(plan, &why, goes_with_load_balancer));
    }
    if let Some(why) = too_many(plan, "certificates", certificates, limit, is_certificate) {
        said.extend(withhold(plan, &why, is_certificate));
    }
    let alarms = observed.alarms.as_ref().map_or(0, BTreeMap::len);
    if let Some(why) = too_many(plan, "alarms", alarms, limit, is_alarm) {
        said.extend(withhold(plan, &why, is_alarm));
    }
    said.extend(targets(plan, limit));
    said
}

/// Withholds that names are taken from more Ingresses than `limit` allows: a
/// wrong `--ingress-class-filter` looks like that. Gives what is withheld.
pub fn check_statuses(
    statuses: &mut Statuses,
    limit: &RemovalLimit,
) -> Option<(Withheld, Vec<ObjectRef>)> {
    let withdrawn = statuses.changes.iter().filter(|change| change.withdraws);
    let objects: Vec<_> = withdrawn.map(|change| change.object.clone()).collect();
    if limit.allows(objects.len(), statuses.told) {
        return None;
    }
    statuses.changes.retain(|change| !change.withdraws);
    let why = mass_removal("names in statuses", objects.len(), statuses.told, limit);
    Some((why, objects))
}

fn is_load_balancer(action: &Action) -> bool {
    matches!(action.operation, Operation::DeleteLoadBalancer { .. })
}

fn is_certificate(action: &Action) -> bool {
    matches!(action.operation, Operation::Detach { .. })
}

fn is_alarm(action: &Action) -> bool {
    matches!(
        action.operation,
        Operation::DeleteAlarm { counts: true, .. }
    )
}

fn is_target(action: &Action) -> bool {
    matches!(action.operation, Operation::Deregister { .. })
}

fn goes_with_load_balancer(action: &Action) -> bool {
    !is_certificate(action) && !is_target(action) && !is_alarm(action)
}

/// How many load balancers and attached certificates are managed.
fn managed(observed: &Observed, config: &Config) -> (usize, usize) {
    let mut balancers = 0;
    let mut certificates = 0;
    for (_, balancer) in observed.our_load_balancers(&config.ownership) {
        balancers += 1;
        for listener in balancer.listeners.values() {
            let mut attached: BTreeSet<_> = listener.certificates.iter().collect();
            attached.extend(&listener.default_certificate);
            certificates += attached.len();
        }
    }
    (balancers, certificates)
}

fn too_many(
    plan: &Plan<Action>,
    what: &str,
    managed: usize,
    limit: &RemovalLimit,
    counts: fn(&Action) -> bool,
) -> Option<Withheld> {
    let removals: usize = plan
        .active()
        .filter(|step| counts(&step.action))
        .map(|step| step.action.removes())
        .sum();
    (!limit.allows(removals, managed)).then(|| mass_removal(what, removals, managed, limit))
}

fn mass_removal(what: &str, removals: usize, managed: usize, limit: &RemovalLimit) -> Withheld {
    Withheld {
        reason: Withheld::MASS_REMOVAL,
        message: format!(
            "this plan removes {removals} of {managed} {what}, more than the {} that --max-removal-percent and \
             --max-removal-count allow; start with --allow-mass-removal if that is meant",
            limit.most(managed)
        ),
    }
}

fn withhold(
    plan: &mut Plan<Action>,
    why: &Withheld,
    which: impl Fn(&Action) -> bool,
) -> Option<Withholding> {
    let mut steps = 0;
    for step in &mut plan.steps {
        let removal = step.action.effect() == Effect::Remove;
        if removal && step.withheld.is_none() && which(&step.action) {
            step.withheld = Some(why.clone());
            steps += 1;
        }
    }
    (steps > 0).then(|| Withholding {
        withheld: why.clone(),
        steps,
    })
}

/// Targets, each target group for itself.
fn targets(plan: &mut Plan<Action>, limit: &RemovalLimit) -> Vec<Withholding> {
    let mut said = Vec::new();
    for step in &mut plan.steps {
        if let Operation::Deregister {
            targets,
            of,
            target_group,
        } = &step.action.operation
            && step.withheld.is_none()
            && !limit.allows(targets.len(), *of)
        {
            let what = format!("targets of {target_group}");
            let why = mass_removal(&what, targets.len(), *of, limit);
            step.withheld = Some(why.clone());
            said.push(Withholding {
                withheld: why,
                steps: 1,
            });
        }
    }
    said
}
