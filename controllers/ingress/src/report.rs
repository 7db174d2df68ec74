//! What is counted, and what the objects are told.

use std::collections::BTreeSet;

use ingress_core::{
    Action, Certificate, Config, Desired, Expiring, Fate, Observed, expiring, reason,
    served_certificates,
};
use isthmus_core::{Action as _, ErrorClass, ObjectRef, Step, Withheld};
use isthmus_runtime::{EventType, Failure, Run};

use crate::decided::{Decided, UNREAD};
use crate::metrics::IngressMetrics;

/// How many Ingresses of one load balancer hear of what was changed on it.
const HEAR_OF_IT: usize = 5;

/// The step of target groups that a single run waited for in vain.
pub(crate) const COLD: &str = "target-health";

/// What a single run leaves unfinished: the old target groups go on.
pub(crate) fn cold(target_groups: &BTreeSet<String>) -> Failure {
    let names: Vec<_> = target_groups.iter().map(String::as_str).collect();
    Failure {
        step: COLD,
        class: ErrorClass::Invalid,
        message: format!(
            "no healthy target yet, so that those before them still serve: {}",
            names.join(", ")
        ),
    }
}

/// Counts what is managed.
pub(crate) fn managed(run: &Run<'_>, observed: &Observed, desired: &Desired, config: &Config) {
    let ownership = &config.ownership;
    run.managed(
        "load-balancer",
        observed.our_load_balancers(ownership).count(),
    );
    run.managed(
        "target-group",
        observed.our_target_groups(ownership).count(),
    );
    let served = desired
        .ingresses
        .iter()
        .filter(|i| matches!(i.fate, Fate::On { .. }))
        .count();
    run.managed("ingress", served);
}

/// Measures until when served certificates are valid, and warns of their end.
pub(crate) fn certificates(
    run: &Run<'_>,
    metrics: &IngressMetrics,
    decided: &Decided,
    certificates: &[Certificate],
) {
    let served = served_certificates(&decided.desired, certificates);
    metrics.served(&served);
    for warning in expiring(&decided.desired, &served, decided.now) {
        let Expiring { object, message } = warning;
        run.event(
            &object,
            EventType::Warning,
            reason::CERTIFICATE_EXPIRES,
            message,
        );
    }
}

/// Says what is withheld and why, also to those whom it concerns.
pub(crate) fn withheld(run: &Run<'_>, decided: &Decided) {
    let said = |why: &Withheld, count: usize| {
        tracing::warn!(reason = why.reason, count, "withheld: {}", why.message);
    };
    for withholding in &decided.withheld {
        said(&withholding.withheld, withholding.steps);
    }
    for step in &decided.plan.steps {
        let Some(why) = &step.withheld else { continue };
        if why.reason == UNREAD {
            // It is a failure of the run, and passes with it.
            continue;
        }
        let what = format!("{} {}", step.action.kind(), step.action.name());
        stays(run, &step.objects, &what, why);
    }
    if let Some((why, objects)) = &decided.kept_names {
        said(why, objects.len());
        stays(run, objects, "the name in its status", why);
    }
}

/// Says what was changed by someone else and is put back now.
pub(crate) fn put_back<'a>(run: &Run<'_>, steps: impl Iterator<Item = &'a Step<Action>>) {
    for step in steps {
        let what = format!("{} {}", step.action.kind(), step.action.name());
        let detail = step.action.to_string();
        let detail = if detail.is_empty() {
            "deleted"
        } else {
            &detail
        };
        tracing::warn!("{what} was changed by someone else; put back: {detail}");
        for object in step.objects.iter().take(HEAR_OF_IT) {
            let message = format!("{what} was changed by someone else; it is put back: {detail}");
            run.event(object, EventType::Warning, reason::CHANGED_BY_HAND, message);
        }
    }
}

fn stays(run: &Run<'_>, objects: &[ObjectRef], what: &str, why: &Withheld) {
    for object in objects {
        let message = format!("{what} stays: {}", why.message);
        run.event(object, EventType::Warning, reason::WITHHELD, message);
    }
}
