//! The steps from what there is to what there should be.

mod alarms;
mod certificates;
mod listeners;
mod load_balancer;
mod retire;
mod rules;
mod shift;
mod target_group;
mod usage;
mod web_acl;

use std::collections::{BTreeMap, BTreeSet};

use isthmus_core::{ObjectRef, Plan, Rejection};
use jiff::Timestamp;

use crate::action::{Action, Operation};
use crate::{Config, Desired, Observed};
use usage::Usages;

/// A plan and what came up while it was made.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Planned {
    /// The steps.
    pub plan: Plan<Action>,
    /// What cannot be had because of what there is.
    pub rejections: Vec<Rejection>,
    /// When the next thing that is kept for a while has been kept long enough.
    pub wake: Option<Timestamp>,
    /// Target groups that take the place of others as soon as they have a healthy target.
    pub warming: BTreeSet<String>,
}

/// Decides the steps. Nothing without our marks appears in them.
///
/// A load balancer is made from the inside out: target group, targets, load
/// balancer, listeners, certificates. It is taken away from the outside in. On a
/// living one, certificates are attached before others are detached.
#[must_use]
pub fn plan(desired: &Desired, observed: &Observed, config: &Config, now: Timestamp) -> Planned {
    let mut planner = Planner {
        desired,
        observed,
        config,
        now,
        usages: Usages::new(desired),
        serving: BTreeSet::new(),
        out: Planned::default(),
    };
    for (name, balancer) in &desired.load_balancers {
        planner.serve(name, balancer);
    }
    for (name, balancer) in observed.our_load_balancers(&config.ownership) {
        if !desired.load_balancers.contains_key(name) {
            planner.retire(name, balancer);
        }
    }
    planner.clean_target_groups();
    planner.alarms();
    planner.out
}

struct Planner<'a> {
    desired: &'a Desired,
    observed: &'a Observed,
    config: &'a Config,
    now: Timestamp,
    usages: Usages,
    /// Target groups that are not wanted and serve until others are healthy.
    serving: BTreeSet<String>,
    out: Planned,
}

impl Planner<'_> {
    fn push(&mut self, chain: &str, objects: &[ObjectRef], operation: Operation) {
        let action = Action {
            chain: chain.to_owned(),
            operation,
        };
        self.out.plan.push(action, objects.to_vec());
    }

    /// When something that is not needed since `since` has been kept long enough;
    /// `None` if that is now or has been, and remembers it otherwise.
    fn kept_until(&mut self, since: Timestamp) -> Option<Timestamp> {
        let end = since
            .checked_add(self.config.grace)
            .unwrap_or(Timestamp::MAX);
        if end <= self.now {
            return None;
        }
        self.out.wake = Some(self.out.wake.map_or(end, |wake| wake.min(end)));
        Some(end)
    }
}

/// The entries of `want` that `have` does not have; what AWS did not name has its default.
fn differing(
    want: &BTreeMap<String, String>,
    have: &BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    want.iter()
        .filter(|(key, value)| {
            let now = have
                .get(*key)
                .map_or_else(|| default_attribute(key), String::as_str);
            now != value.as_str()
        })
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

/// The value of an attribute that nobody set, see
/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_LoadBalancerAttribute.html>.
fn default_attribute(key: &str) -> &'static str {
    match key {
        "idle_timeout.timeout_seconds" => "60",
        "routing.http2.enabled" => "true",
        "deregistration_delay.timeout_seconds" => "300",
        "deletion_protection.enabled"
        | "access_logs.s3.enabled"
        | "load_balancing.cross_zone.enabled"
        | "routing.http.drop_invalid_header_fields.enabled" => "false",
        "dns_record.client_routing_policy" => "any_availability_zone",
        _ => "",
    }
}

/// The tags of `want` that are missing or different.
fn missing_tags(
    want: &BTreeMap<String, String>,
    have: &BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    want.iter()
        .filter(|(key, value)| have.get(*key) != Some(value))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}
