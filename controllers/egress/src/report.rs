//! Events, metrics and rejections.

use egress_core::{Desired, Holdings, Inventory, Planned, reason};
use isthmus_core::{Rejection, Withheld};
use isthmus_runtime::{EventType, Run};

use crate::apply::Done;
use crate::metrics::EgressMetrics;
use crate::page::serving;

/// Events for what could not be done, on those who asked for it.
pub(crate) fn tell_failures(run: &Run<'_>, done: &Done) {
    for (object, message) in &done.told {
        run.event(object, EventType::Warning, reason::FAILED, message.clone());
    }
}

/// Events for removals that are withheld, on every ConfigMap: those whose
/// networks they are may be gone.
pub(crate) fn tell_withheld(run: &Run<'_>, planned: &Planned, desired: &Desired) {
    let mut reasons = planned
        .plan
        .steps
        .iter()
        .filter_map(|step| step.withheld.as_ref());
    if let Some(why) = reasons.find(|why| why.reason == Withheld::MASS_REMOVAL) {
        for list in &desired.lists {
            run.event(
                &list.object,
                EventType::Warning,
                reason::REMOVAL_WITHHELD,
                why.message.clone(),
            );
        }
    }
}

/// What is managed now, as metrics: what was observed, and what the plan has
/// made of it since.
pub(crate) fn measure(
    run: &Run<'_>,
    metrics: &EgressMetrics,
    inventory: &Inventory<'_>,
    done: &Done,
) {
    let managed = |kind: &'static str, observed: usize| {
        let growth = done.growth.get(kind).copied().unwrap_or_default();
        let now = i64::try_from(observed)
            .unwrap_or(i64::MAX)
            .saturating_add(growth);
        run.managed(kind, usize::try_from(now).unwrap_or_default());
    };
    let total = |count: fn(&Holdings<'_>) -> usize| inventory.zones.values().map(count).sum();
    managed("nat-gateway", total(|zone| zone.live().count()));
    managed("address", total(|zone| zone.addresses.len()));
    managed("subnet", total(|zone| zone.subnets.len()));
    managed("route-table", total(|zone| zone.tables.len()));
    let tables = inventory.observed.route_tables.values();
    let routes = tables.flat_map(|table| table.routes.iter().map(move |route| (table, route)));
    let ours = routes.filter(|(table, route)| inventory.owns_route(table, route));
    managed("route", ours.count());
    metrics.public_ips(serving(inventory).filter_map(|(zone, ip, ..)| Some((zone, ip?))));
}

/// Every rejection of a run: by what was asked, by what is in EC2, and by what
/// EC2 said to the calls.
pub(crate) fn all_rejections(
    mut judged: Vec<Rejection>,
    planned: &Planned,
    desired: &Desired,
    done: &Done,
) -> Vec<Rejection> {
    judged.extend(planned.rejections.iter().cloned());
    let failed = done.applied.failed.iter();
    for ((table, network), _) in failed.filter(|(_, failure)| failure.quota) {
        for object in desired.networks.get(network).into_iter().flatten() {
            judged.push(Rejection {
                object: object.clone(),
                reason: Planned::ROUTE_QUOTA,
                message: format!(
                    "{network}: route table {table} is full; ask AWS for more routes per route table, \
                     or ask for fewer networks"
                ),
            });
        }
    }
    judged
}
