//! Reading the zones: all of them, or what a change touches.

use std::collections::{BTreeMap, BTreeSet};

use dns_core::{Change, Config, DnsName, Observed, Verb, ZoneId, ZoneRecords};
use isthmus_core::Plan;
use isthmus_runtime::Failure;

use crate::aws::Route53;
use crate::error::CallError;

/// How many record sets one listing gives.
const PAGE: usize = 300;

/// Reads every zone that the filters admit. A zone that cannot be read does not
/// keep the others from being read; its failure is told beside what was read.
///
/// # Errors
///
/// The zones cannot be listed, so nothing is known.
pub(crate) async fn everything<R: Route53>(
    route53: &R,
    config: &Config,
) -> Result<(Observed, Vec<Failure>), CallError> {
    let mut zones = route53.zones().await?;
    zones.retain(|zone| config.zones.admits(zone, &config.domains));
    if !config.zones.tags.is_empty() {
        let ids: Vec<_> = zones.iter().map(|zone| zone.id.clone()).collect();
        let tags = route53.tags(&ids).await?;
        let none = BTreeMap::new();
        zones.retain(|zone| {
            config
                .zones
                .admits_tags(tags.get(&zone.id).unwrap_or(&none))
        });
    }
    let mut observed = Observed::default();
    let mut failures = Vec::new();
    for zone in zones {
        match route53.records(&zone.id).await {
            Ok(records) => {
                let records = ZoneRecords::new(zone.clone(), records);
                observed.records.insert(zone.id.clone(), records);
            }
            // Deleted since it was listed.
            Err(error) if error.zone_gone => continue,
            Err(error) => {
                failures.push(error.failure("observe", &zone));
                observed
                    .unreadable
                    .insert(zone.id.clone(), error.to_string());
            }
        }
        observed.zones.insert(zone.id.clone(), zone);
    }
    Ok((observed, failures))
}

/// Reads again what `plan` is about to touch, and nothing else: what was
/// remembered may be out of date, and is the more so the longer ago it was read.
pub(crate) async fn touched<R: Route53>(
    route53: &R,
    observed: &mut Observed,
    plan: &Plan<Change>,
) -> Vec<Failure> {
    let mut failures = Vec::new();
    for (id, names) in names(plan) {
        let Some(zone) = observed.records.get_mut(&id) else {
            continue;
        };
        let whole = names.len() > zone.records.len() / PAGE + 1;
        let read = if whole {
            route53.records(&id).await
        } else {
            route53.records_of_names(&id, &names).await
        };
        match read {
            Ok(records) if whole => *zone = ZoneRecords::new(zone.zone.clone(), records),
            Ok(records) => zone.replace(&names, records),
            Err(error) => {
                failures.push(error.failure("observe", &zone.zone));
                observed.records.remove(&id);
                observed.unreadable.insert(id, error.to_string());
            }
        }
    }
    failures
}

/// The names whose record sets decide about a plan's steps. An ownership record
/// that is made or deleted needs no look: Route 53 refuses to make one that is
/// there and to delete one that is different.
fn names(plan: &Plan<Change>) -> BTreeMap<ZoneId, BTreeSet<DnsName>> {
    let mut names: BTreeMap<ZoneId, BTreeSet<DnsName>> = BTreeMap::new();
    for step in plan.active() {
        let change = &step.action;
        let of_zone = names.entry(change.zone.id.clone()).or_default();
        of_zone.insert(change.name.clone());
        if change.is_mark && !matches!(change.verb, Verb::Create(_) | Verb::Delete { .. }) {
            of_zone.insert(change.verb.record().key.name.clone());
        }
    }
    names
}
