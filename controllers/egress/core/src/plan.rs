//! From what is wanted and what is there to what is to be done.

use std::collections::BTreeMap;
use std::time::Duration;

use ipnet::Ipv4Net;
use isthmus_core::{ObjectRef, Plan, Rejection, Step, Withheld};

use crate::routes::{self, RouteState};
use crate::{Desired, EgressAction, Inventory, NatState, Stance, UnixTime, teardown, zone};

/// Why a step is shown and not carried out: the label values of
/// `isthmus_plan_withheld{reason}`, besides [`Withheld::MASS_REMOVAL`].
pub mod withheld {
    /// It waits for AWS, or for an earlier step to have happened.
    pub const PENDING: &str = "pending";
    /// Somebody else uses what it would take away or use.
    pub const IN_USE: &str = "in-use";
    /// The route table is full.
    pub const QUOTA: &str = "quota";
    /// It failed several times and waits longer each time.
    pub const BACKOFF: &str = "backoff";
    /// It would touch what is not ours: a mistake in the plan.
    pub const UNSAFE: &str = "unsafe";
    /// The list of ConfigMaps is empty, and a second look has not confirmed it.
    pub const EMPTY_LIST: &str = "empty-list";
}

/// What is to be done, and what cannot be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Planned {
    /// The steps.
    pub plan: Plan<EgressAction>,
    /// What is wrong with a zone, by its name: the Event's reason and a sentence.
    pub problems: BTreeMap<String, (&'static str, String)>,
    /// What the ConfigMaps' authors should know: conflicts, quotas, zones.
    pub rejections: Vec<Rejection>,
    /// How each network stands in each route table that gets routes, by the table's id.
    pub routes: BTreeMap<String, BTreeMap<Ipv4Net, RouteState>>,
}

impl Planned {
    /// The Event's reason for a route that is somebody else's.
    pub const ROUTE_CONFLICT: &str = "RouteConflict";
    /// The Event's reason for a full route table.
    pub const ROUTE_QUOTA: &str = "RouteQuota";
    /// The Event's reason for a route table of a zone that is not one of `--aws-az`.
    pub const UNKNOWN_ZONE: &str = "UnknownZone";
    /// The Event's reason for a VPC in which no table gets routes.
    pub const NO_ROUTE_TABLE: &str = "NoRouteTable";

    pub(crate) fn step(&mut self, action: EgressAction, objects: &[ObjectRef]) {
        self.plan.push(action, objects.to_vec());
    }

    pub(crate) fn hold(&mut self, action: EgressAction, objects: &[ObjectRef], why: Withheld) {
        self.plan.steps.push(Step {
            action,
            objects: objects.to_vec(),
            withheld: Some(why),
        });
    }

    pub(crate) fn reject(&mut self, object: &ObjectRef, reason: &'static str, message: &str) {
        self.rejections.push(Rejection {
            object: object.clone(),
            reason,
            message: message.to_owned(),
        });
    }
}

pub(crate) fn because(reason: &'static str, message: impl Into<String>) -> Withheld {
    Withheld {
        reason,
        message: message.into(),
    }
}

/// Everything that has to be done, in this order: zones are built, routes added
/// and moved, routes removed, what is no longer used torn down. A step that has
/// to wait for another one's effect is there, but withheld: the next reconcile
/// sees the effect in EC2 and carries it out.
#[must_use]
pub fn plan(desired: &Desired, inventory: &Inventory<'_>, now: UnixTime) -> Planned {
    let mut planned = Planned::default();
    let askers = desired.askers();
    if desired.stance == Stance::Build {
        for zone in &inventory.config.zones {
            zone::build(&mut planned, inventory, zone, (&askers, now));
        }
    }
    routes::plan_routes(&mut planned, desired, inventory);
    teardown::plan_teardown(&mut planned, desired.stance, inventory);
    for (reason, message) in planned.problems.clone().into_values() {
        for object in &askers {
            planned.reject(object, reason, &message);
        }
    }
    planned.rejections.sort();
    planned
}

/// When to look again, if AWS is not done yet or this plan was not all of it.
///
/// NAT gateways in transition are looked at after half their age, so soon at
/// first and every 15 seconds in the end.
#[must_use]
pub fn pause(
    plan: &Plan<EgressAction>,
    inventory: &Inventory<'_>,
    now: UnixTime,
) -> Option<Duration> {
    const SOON: Duration = Duration::from_millis(200);
    const FIRST: u64 = 250;
    const MOST: u64 = 15_000;
    let waits = |step: &Step<EgressAction>| {
        let reason = step.withheld.as_ref().map(|why| why.reason);
        matches!(reason, Some(withheld::PENDING | withheld::QUOTA))
    };
    let makes_nat = |step: &Step<EgressAction>| {
        let made = matches!(
            step.action,
            EgressAction::CreateNatGateway { .. } | EgressAction::DeleteNatGateway { .. }
        );
        made && step.withheld.is_none()
    };
    let more = plan.active().next().is_some() && plan.steps.iter().any(waits);
    if more || plan.steps.iter().any(makes_nat) {
        return Some(SOON);
    }
    let owned = inventory
        .zones
        .values()
        .flat_map(|holdings| holdings.nat_gateways.values());
    let in_transition = owned.filter_map(|nat| match nat.state {
        NatState::Pending => Some(nat.created),
        NatState::Deleting => Some(nat.deleted.unwrap_or(nat.created)),
        // On its way to let go of its address.
        NatState::Failed if inventory.has_address(nat) => Some(nat.created),
        NatState::Available | NatState::Failed | NatState::Deleted => None,
    });
    let youngest = in_transition.max().map(|since| {
        let age = u64::try_from(now.saturating_sub(since)).unwrap_or(0);
        Duration::from_millis((age * 500).clamp(FIRST, MOST))
    });
    let retry = inventory
        .config
        .zones
        .iter()
        .filter(|_| {
            plan.steps
                .iter()
                .any(|step| held_back(step, withheld::BACKOFF))
        })
        .filter_map(|zone| zone::retry_at(inventory, zone))
        .filter_map(|at| u64::try_from(at.saturating_sub(now)).ok())
        .map(|seconds| Duration::from_secs(seconds.max(1)));
    retry.chain(youngest).min()
}

fn held_back(step: &Step<EgressAction>, reason: &str) -> bool {
    step.withheld
        .as_ref()
        .is_some_and(|why| why.reason == reason)
}
