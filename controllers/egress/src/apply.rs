//! Carrying a plan out, step by step.

use std::collections::{BTreeMap, BTreeSet};

use egress_core::{Applied, Config, EgressAction, RouteFailure};
use ipnet::Ipv4Net;
use isthmus_core::{Action as _, Effect, ErrorClass, ObjectRef, Plan, Step};
use isthmus_runtime::Failure;

use crate::aws::{Call, Ec2};
use crate::error::{Ec2Error, Ec2ErrorKind};

/// Where the steps are carried out.
pub(crate) struct Site<'a> {
    pub(crate) vpc: &'a str,
    pub(crate) config: &'a Config,
    /// Whether another call may begin.
    pub(crate) may_call: &'a (dyn Fn() -> bool + Sync),
}

/// What came of it.
#[derive(Debug, Default)]
pub(crate) struct Done {
    pub(crate) applied: Applied,
    pub(crate) failures: Vec<Failure>,
    /// The same for those who asked.
    pub(crate) told: Vec<(ObjectRef, String)>,
    /// Something was there already: an earlier answer was lost. Look again soon.
    pub(crate) look_again: bool,
    /// The ids of what was made.
    pub(crate) made: Vec<String>,
    /// How many more, or fewer, there are now than were observed, by kind.
    pub(crate) growth: BTreeMap<&'static str, i64>,
}

/// Carries out the active steps in their order.
///
/// A step that fails takes the later ones of its zone's chain with it and no
/// others; throttling ends it all, and a denied call all of its kind.
pub(crate) async fn apply(ec2: &impl Ec2, plan: &Plan<EgressAction>, site: &Site<'_>) -> Done {
    let mut work = Work::default();
    for step in plan.active() {
        if !(site.may_call)() {
            tracing::info!("the rest of the plan is left to the next run");
            break;
        }
        let Some(call) = work.call(&step.action, site) else {
            continue;
        };
        let failed = match ec2.write(&call).await {
            Ok(id) => {
                work.did(&step.action, id);
                continue;
            }
            Err(error) => error,
        };
        if failed.kind == Ec2ErrorKind::Gone && step.action.effect() == Effect::Remove {
            work.did(&step.action, None);
            continue;
        }
        if work.failed(step, &failed) {
            break;
        }
    }
    work.done
}

mod resolve;

#[derive(Default)]
struct Work {
    made: BTreeMap<(String, &'static str), String>,
    broken_chains: BTreeSet<String>,
    denied: BTreeSet<(Effect, &'static str)>,
    full_tables: BTreeSet<String>,
    done: Done,
}

impl Work {
    /// The call for a step, unless an earlier failure stands before it.
    fn call(&mut self, action: &EgressAction, site: &Site<'_>) -> Option<Call> {
        if action
            .chain()
            .is_some_and(|zone| self.broken_chains.contains(zone))
            || self.denied.contains(&(action.effect(), action.kind()))
        {
            return None;
        }
        if let EgressAction::CreateRoute { table, network, .. } = action
            && self.full_tables.contains(table)
        {
            self.no_room(table, *network, "RouteLimitExceeded".to_owned());
            return None;
        }
        let call = self.resolve(action, site);
        if call.is_none() {
            tracing::error!(
                zone = action.chain(),
                "{}: what it needs was not made",
                action.kind()
            );
        }
        call
    }

    fn did(&mut self, action: &EgressAction, id: Option<String>) {
        if let (Some(zone), Some(id)) = (action.chain(), id) {
            tracing::info!(zone, id, "{} made", action.kind());
            self.done.made.push(id.clone());
            self.made.insert((zone.to_owned(), action.kind()), id);
        }
        if let Some(key) = added_route(action) {
            self.done.applied.done.insert(key);
        }
        let growth = self.done.growth.entry(action.kind()).or_default();
        *growth += match action.effect() {
            Effect::Add => 1,
            Effect::Change => 0,
            Effect::Remove => -1,
        };
    }

    /// Notes a failure. Whether it ends everything.
    fn failed(&mut self, step: &Step<EgressAction>, error: &Ec2Error) -> bool {
        let (action, shown) = (&step.action, format!("{step}: {error}"));
        self.broken_chains.extend(action.chain().map(str::to_owned));
        if error.kind == Ec2ErrorKind::AlreadyThere {
            tracing::info!("{shown}; looking again");
            self.done.look_again = true;
            return false;
        }
        if let (Ec2ErrorKind::RouteQuota, EgressAction::CreateRoute { table, network, .. }) =
            (error.kind, action)
        {
            self.full_tables.insert(table.clone());
            self.no_room(table, *network, error.message.clone());
            return false;
        }
        if let Some(key) = added_route(action) {
            let failure = RouteFailure {
                quota: false,
                message: error.message.clone(),
            };
            self.done.applied.failed.insert(key, failure);
        }
        if error.class == ErrorClass::Denied {
            self.denied.insert((action.effect(), action.kind()));
        }
        let told = step
            .objects
            .iter()
            .map(|object| (object.clone(), shown.clone()));
        self.done.told.extend(told);
        self.done.failures.push(Failure {
            step: "apply",
            class: error.class,
            message: shown,
        });
        error.class == ErrorClass::Throttled
    }

    fn no_room(&mut self, table: &str, network: Ipv4Net, message: String) {
        let failure = RouteFailure {
            quota: true,
            message,
        };
        self.done
            .applied
            .failed
            .insert((table.to_owned(), network), failure);
    }
}

fn added_route(action: &EgressAction) -> Option<(String, Ipv4Net)> {
    match action {
        EgressAction::CreateRoute { table, network, .. }
        | EgressAction::ReplaceRoute { table, network, .. } => Some((table.clone(), *network)),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
