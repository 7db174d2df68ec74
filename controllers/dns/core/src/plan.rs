//! From wishes and facts to changes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use isthmus_core::{Plan, Rejection};

use crate::desired::{Candidate, Wish};
use crate::record::RecordType;
use crate::registry::Claim;
use crate::row::row;
use crate::{
    Change, Config, Desired, DnsName, Observed, RecordKey, Source, Zone, ZoneId, ZoneRecords,
    reason, zones_of,
};

/// What is to be done, and what cannot be.
#[derive(Clone, Debug)]
pub struct Decision {
    /// By zone, then by name. Withheld steps are those that the policy leaves out.
    pub plan: Plan<Change>,
    /// In order, each once.
    pub rejections: Vec<Rejection>,
    /// How many names with record sets of ours there are, in all zones.
    pub managed: usize,
    /// The zones that have nothing of ours, and of which nobody asks anything.
    pub idle: BTreeSet<ZoneId>,
}

/// Compares what is wanted with what there is, each zone by itself. Pure and total.
///
/// A zone that could not be read is not touched, and its names do not fall to
/// another zone.
#[must_use]
pub fn plan(desired: &Desired, observed: &Observed, config: &Config) -> Decision {
    let mut decision = Decision {
        plan: Plan::default(),
        rejections: Vec::new(),
        managed: 0,
        idle: BTreeSet::new(),
    };
    let by_zone = place(desired, observed, &mut decision.rejections);
    for (id, records) in &observed.records {
        let scene = Scene::new(records, desired, config);
        let nothing = BTreeMap::new();
        let wishes = by_zone.get(id).unwrap_or(&nothing);
        let ours = scene.claims.iter().filter(|(_, claim)| claim.is_ours());
        let owned: BTreeSet<&DnsName> = ours.map(|(key, _)| &key.name).collect();
        decision.managed += owned.len();
        let names: BTreeSet<&DnsName> = owned.into_iter().chain(wishes.keys().copied()).collect();
        if names.is_empty() {
            decision.idle.insert(id.clone());
        }
        for name in names {
            let candidates = wishes.get(name).map_or(&[][..], Vec::as_slice);
            let (steps, rejections) = row(&scene, name, candidates);
            decision.plan.steps.extend(steps);
            decision.rejections.extend(rejections);
        }
    }
    decision.rejections.sort();
    decision.rejections.dedup();
    decision
}

/// The candidates of each name of a zone.
type Wishes<'a> = BTreeMap<&'a DnsName, Vec<&'a Candidate>>;

/// Finds the zones of every wish, and says which have none.
fn place<'a>(
    desired: &'a Desired,
    observed: &'a Observed,
    rejections: &mut Vec<Rejection>,
) -> BTreeMap<&'a ZoneId, Wishes<'a>> {
    let mut by_zone: BTreeMap<&ZoneId, Wishes<'_>> = BTreeMap::new();
    for (name, candidates) in &desired.names {
        for candidate in candidates {
            let zones = zones_of(name, candidate.pin.as_ref(), &observed.zones);
            let mut reject = |reason, message| {
                if matches!(candidate.wish, Wish::Publish(_)) {
                    let object = candidate.object.clone();
                    rejections.push(Rejection {
                        object,
                        reason,
                        message,
                    });
                }
            };
            if zones.is_empty() {
                reject(reason::NO_HOSTED_ZONE, no_zone(name, candidate, observed));
            }
            for id in zones {
                if let Some(message) = beyond(name, id, observed) {
                    reject(reason::ZONE_UNAVAILABLE, message);
                } else if let Some(words) = observed.unreadable.get(id) {
                    let zone = &observed.zones[id];
                    reject(
                        reason::ZONE_UNAVAILABLE,
                        format!("{name} is not published: {zone} cannot be read: {words}"),
                    );
                } else {
                    by_zone
                        .entry(id)
                        .or_default()
                        .entry(name)
                        .or_default()
                        .push(candidate);
                }
            }
        }
    }
    by_zone
}

/// Why a name that is not in a zone yet has to wait: the zone has given it to
/// other name servers, and they may be those of a zone that nobody knows.
fn beyond(name: &DnsName, id: &ZoneId, observed: &Observed) -> Option<String> {
    let records = observed.records.get(id)?;
    if observed.nameless.is_empty() || records.at(name).next().is_some() {
        return None;
    }
    let part = records.delegation(name)?;
    let zone = &records.zone;
    let (unknown, words) = observed.nameless.first_key_value()?;
    Some(format!(
        "{name} is not published: {zone} delegates {part}, perhaps to zone {unknown}, which cannot be looked at: {words}"
    ))
}

fn no_zone(name: &DnsName, candidate: &Candidate, observed: &Observed) -> String {
    match &candidate.pin {
        Some(pin) => format!(
            "{name} is not published: hosted zone {pin} does not cover it or is not managed here"
        ),
        None if observed.zones.is_empty() => {
            format!("{name} is not published: there is no hosted zone that the filters admit")
        }
        None => {
            let names: BTreeSet<_> = observed
                .zones
                .values()
                .map(|zone| zone.name.as_str())
                .collect();
            let some: Vec<_> = names.iter().take(5).copied().collect();
            let more = if names.len() > 5 { ", …" } else { "" };
            format!(
                "{name} is not published: no hosted zone covers it; there are {}{more}",
                some.join(", ")
            )
        }
    }
}

/// One zone, with what is known of the owners of its records.
pub(crate) struct Scene<'a> {
    pub(crate) records: &'a ZoneRecords,
    pub(crate) zone: Arc<Zone>,
    pub(crate) desired: &'a Desired,
    pub(crate) config: &'a Config,
    /// Of the records of managed types whose names the domain filter admits; ownership records are not in it.
    pub(crate) claims: BTreeMap<&'a RecordKey, Claim>,
}

impl<'a> Scene<'a> {
    pub(crate) fn new(records: &'a ZoneRecords, desired: &'a Desired, config: &'a Config) -> Self {
        let managed = records.records.values().filter(|record| {
            let key = &record.key;
            // The name servers of a zone are its own, whatever the registry says.
            let zones_own = key.record_type == RecordType::Ns && key.name == records.zone.name;
            !zones_own
                && config.types.contains(&key.record_type)
                && config.domains.admits(&key.name)
                && !(key.record_type == RecordType::Txt && config.registry.is_mark(record))
        });
        let claims = managed.map(|record| (&record.key, config.registry.claim(record, records)));
        Self {
            records,
            zone: Arc::new(records.zone.clone()),
            desired,
            config,
            claims: claims.collect(),
        }
    }

    /// Whether the object that a record was made for may be one that cannot be
    /// asked for now.
    pub(crate) fn is_unavailable(&self, resource: Option<&str>) -> bool {
        let unavailable = &self.desired.unavailable;
        match resource.map(Source::of) {
            Some(source) => source.is_some_and(|source| unavailable.contains(&source)),
            None => !unavailable.is_empty(),
        }
    }

    /// Whether a record was made for an object that is faulty now.
    pub(crate) fn is_frozen(&self, resource: Option<&str>) -> bool {
        resource.is_some_and(|resource| self.desired.frozen.contains(resource))
    }
}
