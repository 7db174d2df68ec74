//! Reading the zones: all of them, or what a change touches.

use std::collections::{BTreeMap, BTreeSet};

use dns_core::{Change, Config, DnsName, Observed, Verb, Zone, ZoneId, ZoneRecords};
use isthmus_core::Plan;
use isthmus_runtime::Failure;

use crate::aws::Route53;
use crate::error::CallError;

/// How many record sets one listing gives.
const PAGE: usize = 300;
/// More new names than these are not looked at before they are made: Route 53
/// refuses to make what is there, and the name is then told by itself.
const NEW_NAMES_LOOKED_AT: usize = 10;

/// What was read, and what went wrong meanwhile.
#[derive(Debug, Default)]
pub(crate) struct Reading {
    pub(crate) observed: Observed,
    /// Why zones in it are unreadable, or are not in it at all.
    pub(crate) failures: BTreeMap<ZoneId, Failure>,
    /// What was known of zones that could not be read again.
    pub(crate) aside: BTreeMap<ZoneId, ZoneRecords>,
}

/// Reads every zone that the filters admit. A zone that cannot be read does not
/// keep the others from being read; its failure is told beside what was read.
///
/// # Errors
///
/// The zones cannot be listed, so nothing is known.
pub(crate) async fn everything<R: Route53>(
    route53: &R,
    config: &Config,
) -> Result<Reading, CallError> {
    let mut reading = Reading::default();
    let listed = route53.zones().await?;
    for (id, error) in listed.failed {
        reading.nameless(&id, &error);
    }
    let zones = admitted(route53, config, listed.zones).await?;
    for zone in zones {
        reading.zone(route53, zone).await;
    }
    Ok(reading)
}

/// The zones that the filters admit.
async fn admitted<R: Route53>(
    route53: &R,
    config: &Config,
    mut zones: Vec<Zone>,
) -> Result<Vec<Zone>, CallError> {
    zones.retain(|zone| config.zones.admits(zone, &config.domains));
    if !config.zones.tags.is_empty() && !zones.is_empty() {
        let ids: Vec<_> = zones.iter().map(|zone| zone.id.clone()).collect();
        let tags = route53.tags(&ids).await?;
        let none = BTreeMap::new();
        zones.retain(|zone| {
            let tags = tags.get(&zone.id).unwrap_or(&none);
            config.zones.admits_tags(tags)
        });
    }
    Ok(zones)
}

impl Reading {
    /// Reads one zone as a whole.
    async fn zone<R: Route53>(&mut self, route53: &R, zone: Zone) {
        let id = zone.id.clone();
        match route53.records(&id).await {
            Ok(records) => self.read(ZoneRecords::new(zone, records)),
            // Deleted since it was listed.
            Err(error) if error.zone_gone => {
                self.observed.zones.remove(&id);
                self.failures.remove(&id);
            }
            Err(error) => self.unreadable(&zone, &error),
        }
    }

    fn read(&mut self, records: ZoneRecords) {
        let zone = records.zone.clone();
        self.failures.remove(&zone.id);
        self.observed.unreadable.remove(&zone.id);
        self.observed.records.insert(zone.id.clone(), records);
        self.observed.zones.insert(zone.id.clone(), zone);
    }

    /// A zone of another account of which not even the name is known.
    fn nameless(&mut self, id: &ZoneId, error: &CallError) {
        let failure = error.failure("observe", format_args!("zone {id}"));
        self.failures.insert(id.clone(), failure);
        self.observed.nameless.insert(id.clone(), error.to_string());
    }

    fn unreadable(&mut self, zone: &Zone, error: &CallError) {
        let failure = error.failure("observe", zone);
        self.failures.insert(zone.id.clone(), failure);
        let words = error.to_string();
        self.observed.unreadable.insert(zone.id.clone(), words);
        self.observed.zones.insert(zone.id.clone(), zone.clone());
    }

    /// Reads zones that are in doubt as a whole, however much is known of the others.
    pub(crate) async fn again<R: Route53>(
        &mut self,
        route53: &R,
        config: &Config,
        zones: &BTreeSet<ZoneId>,
    ) {
        for id in zones {
            self.observed.records.remove(id);
            self.observed.unreadable.remove(id);
            if let Some(zone) = self.observed.zones.get(id).cloned() {
                self.zone(route53, zone).await;
                continue;
            }
            // A zone of another account, of which not even the name is known yet.
            let found = async {
                let zone = route53.zone(id).await?;
                admitted(route53, config, vec![zone]).await
            };
            match found.await {
                Ok(zones) => {
                    self.failures.remove(id);
                    self.observed.nameless.remove(id);
                    for zone in zones {
                        self.zone(route53, zone).await;
                    }
                }
                Err(error) => self.nameless(id, &error),
            }
        }
    }

    /// Reads zones that have been made since everything was read. That they
    /// cannot be listed now is no failure: what is known is as good as before.
    pub(crate) async fn new_zones<R: Route53>(&mut self, route53: &R, config: &Config) {
        let found = async {
            let mut zones = route53.zones().await?.zones;
            zones.retain(|zone| !self.observed.zones.contains_key(&zone.id));
            admitted(route53, config, zones).await
        };
        match found.await {
            Ok(zones) => {
                for zone in zones {
                    self.observed.nameless.remove(&zone.id);
                    self.zone(route53, zone).await;
                }
            }
            Err(error) => tracing::debug!("no look for new zones: {error}"),
        }
    }

    /// Puts what is known of zones back that could not be read a moment ago.
    pub(crate) fn restore(&mut self) {
        for (_, records) in std::mem::take(&mut self.aside) {
            self.read(records);
        }
    }

    /// Reads again what `plan` is about to touch, and nothing else: what was
    /// remembered may be out of date, and is the more so the longer ago it was read.
    pub(crate) async fn touched<R: Route53>(&mut self, route53: &R, plan: &Plan<Change>) {
        for (id, names) in names(plan) {
            let Some(mut zone) = self.observed.records.remove(&id) else {
                continue;
            };
            let whole = names.len() > zone.listed() / PAGE + 1;
            let read = if whole {
                route53.records(&id).await
            } else {
                route53.records_of_names(&id, &names).await
            };
            match read {
                Ok(records) if whole => self.read(ZoneRecords::new(zone.zone, records)),
                Ok(records) => {
                    zone.replace(&names, records);
                    self.read(zone);
                }
                Err(error) => {
                    self.unreadable(&zone.zone, &error);
                    self.aside.insert(id, zone);
                }
            }
        }
    }
}

/// The names whose record sets decide about a plan's steps. An ownership record
/// that is made or deleted needs no look: Route 53 refuses to make one that is
/// there and to delete one that is different.
fn names(plan: &Plan<Change>) -> BTreeMap<ZoneId, BTreeSet<DnsName>> {
    let mut changed: BTreeMap<ZoneId, BTreeSet<DnsName>> = BTreeMap::new();
    let mut made = changed.clone();
    for step in plan.active() {
        let change = &step.action;
        let (id, creates) = (&change.zone.id, matches!(change.verb, Verb::Create(_)));
        let names = if creates { &mut made } else { &mut changed };
        let names = names.entry(id.clone()).or_default();
        names.insert(change.name.clone());
        if change.is_mark && !creates && !matches!(change.verb, Verb::Delete { .. }) {
            names.insert(change.verb.record().key.name.clone());
        }
    }
    for (id, mut new) in made {
        let changed = changed.entry(id).or_default();
        new.retain(|name| !changed.contains(name));
        if new.len() <= NEW_NAMES_LOOKED_AT {
            changed.extend(new);
        }
    }
    changed.retain(|_, names| !names.is_empty());
    changed
}
