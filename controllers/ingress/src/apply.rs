//! Carrying a plan out.

mod arns;

use std::collections::BTreeSet;

use ingress_core::{Action, Observed};
use isthmus_core::{Action as _, Effect, ObjectRef, Ownership, Plan};

use crate::aws::{Alarms, Firewall, LoadBalancing};
use crate::error::AwsError;
use arns::Arns;

/// What came of a plan.
#[derive(Debug, Default)]
pub(crate) struct Applied {
    /// Steps that were begun.
    pub(crate) calls: usize,
    /// What failed, and whom it was for.
    pub(crate) failed: Vec<(AwsError, Vec<ObjectRef>)>,
    /// What is still in use by what is being deleted: to be tried again.
    pub(crate) in_use: Vec<AwsError>,
    /// What waits for something that AWS is still setting up: to be tried again.
    pub(crate) not_ready: Vec<AwsError>,
}

impl Applied {
    /// Whether every step was carried out.
    pub(crate) fn is_done(&self) -> bool {
        self.failed.is_empty() && self.not_ready.is_empty()
    }
}

/// Carries the active steps out, in order. When one fails, the later ones of its
/// chain, and of the chains `<chain>/…` that follow from it, are left out and the
/// others go on. `may_call` is asked before each.
pub(crate) async fn apply(
    plan: &Plan<Action>,
    observed: &Observed,
    ownership: &Ownership,
    aws: (&impl LoadBalancing, &impl Firewall, &impl Alarms),
    may_call: impl Fn() -> bool,
) -> Applied {
    let mut applied = Applied::default();
    let mut arns = Arns::new(observed, ownership);
    let mut broken: BTreeSet<&str> = BTreeSet::new();
    for step in plan.active() {
        let chain = step.action.chain.as_str();
        let root = chain.split('/').next().unwrap_or(chain);
        if broken.contains(chain) || broken.contains(root) {
            continue;
        }
        if !may_call() {
            break;
        }
        applied.calls += 1;
        match arns.carry_out(&step.action.operation, aws).await {
            Ok(()) => {}
            Err(error) if is_in_use(&step.action, &error) => applied.in_use.push(error),
            Err(error) if error.is_not_ready() => {
                broken.insert(chain);
                applied.not_ready.push(error);
            }
            Err(error) => {
                broken.insert(chain);
                applied.failed.push((error, step.objects.clone()));
            }
        }
    }
    applied
}

/// What is being deleted goes on using other things for a moment: a load balancer
/// its target group, a listener its certificates.
fn is_in_use(action: &Action, error: &AwsError) -> bool {
    let used = |code: &str| code.starts_with("ResourceInUse") || code == "DependencyViolation";
    action.effect() == Effect::Remove && error.code.as_deref().is_some_and(used)
}

#[cfg(test)]
mod tests;
