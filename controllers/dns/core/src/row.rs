//! The changes for one name in one zone.

use std::collections::{BTreeMap, BTreeSet};

use isthmus_core::{ObjectRef, Rejection, Step, Withheld};

use crate::change::order;
use crate::conflict::{Winner, settle};
use crate::desired::{Candidate, Slot, Wish};
use crate::plan::Scene;
use crate::record::RecordType;
use crate::registry::{Claim, Foreign, Origin};
use crate::wanted::{Site, wanted};
use crate::{Change, DnsName, RecordData, RecordKey, RecordSet, Verb, reason};

mod clash;
mod delete;
mod write;

/// Everything that is to be done for `name`, in the order in which it is done.
pub(crate) fn row(
    scene: &Scene<'_>,
    name: &DnsName,
    candidates: &[&Candidate],
) -> (Vec<Step<Change>>, Vec<Rejection>) {
    let mut row = Row {
        scene,
        name,
        wants: BTreeMap::new(),
        created: Vec::new(),
        blocked: Vec::new(),
        marks_written: BTreeSet::new(),
        kept: BTreeSet::new(),
        dropped: BTreeSet::new(),
        asked: candidates
            .iter()
            .map(|candidate| candidate.set_identifier.clone())
            .collect(),
        steps: Vec::new(),
        rejections: Vec::new(),
    };
    row.keep_unavailable(candidates);
    row.settle(candidates);
    row.drop_clashing();
    row.write();
    let frozen = candidates
        .iter()
        .any(|candidate| candidate.wish == Wish::Frozen);
    row.delete(frozen);
    row.steps.sort_by_key(order);
    (row.steps, row.rejections)
}

struct Row<'a> {
    scene: &'a Scene<'a>,
    name: &'a DnsName,
    wants: BTreeMap<RecordKey, Want>,
    /// Wants that become new record sets.
    created: Vec<RecordSet>,
    /// Wants that something is in the way of.
    blocked: Vec<RecordSet>,
    marks_written: BTreeSet<RecordKey>,
    /// Record sets that stay as they are.
    kept: BTreeSet<Place>,
    /// Where a want was dropped: what is there stays unless it is in the way.
    dropped: BTreeSet<Place>,
    /// Set identifiers that somebody asks for: what is handed over of them is ours.
    asked: BTreeSet<Option<String>>,
    steps: Vec<Step<Change>>,
    rejections: Vec<Rejection>,
}

/// The record sets of a name that have one author: a set identifier and a slot.
type Place = (Option<String>, Slot);

fn place_of(key: &RecordKey) -> Place {
    (key.set_identifier.clone(), Slot::of(&key.record_type))
}

/// A record set that somebody wants.
#[derive(Clone)]
struct Want {
    record: RecordSet,
    insist_on_ttl: bool,
    origin: Origin,
    objects: Vec<ObjectRef>,
}

/// Whether Route 53 does not keep both at one name: nothing stands beside a
/// CNAME, and of one type there is either one simple record set or several with
/// identifiers and one kind of routing policy.
fn exclude(a: &RecordSet, b: &RecordSet) -> bool {
    let (x, y) = (&a.key, &b.key);
    if x.record_type == y.record_type {
        let simple = x.set_identifier.is_none() || y.set_identifier.is_none();
        x.set_identifier != y.set_identifier && (simple || !a.routing.same_kind(&b.routing))
    } else {
        x.record_type == RecordType::Cname || y.record_type == RecordType::Cname
    }
}

impl<'a> Row<'a> {
    /// What was made for objects that cannot be asked for stays.
    fn keep_unavailable(&mut self, candidates: &[&Candidate]) {
        for record in self.scene.records.at(self.name) {
            let Some(resource) = self.resource(record) else {
                continue;
            };
            let asks = candidates.iter().any(|one| one.resource == resource);
            if !asks && self.scene.is_unavailable(Some(resource)) {
                self.kept.insert(place_of(&record.key));
            }
        }
    }

    fn settle(&mut self, candidates: &[&'a Candidate]) {
        let mut places: BTreeMap<Place, Vec<&'a Candidate>> = BTreeMap::new();
        for candidate in candidates {
            let place = (candidate.set_identifier.clone(), candidate.slot.clone());
            places.entry(place).or_default().push(candidate);
        }
        for (place, candidates) in places {
            if self.kept.contains(&place) {
                self.tell_kept(&candidates);
                continue;
            }
            match settle(&candidates, self.holder(&place)) {
                None => {
                    self.kept.insert(place);
                }
                Some(winner) => self.want(place.0.as_deref(), &winner),
            }
        }
    }

    fn tell_kept(&mut self, candidates: &[&Candidate]) {
        let wanting = candidates
            .iter()
            .filter(|candidate| matches!(candidate.wish, Wish::Publish(_)));
        let objects: Vec<_> = wanting.map(|candidate| candidate.object.clone()).collect();
        let message = format!(
            "{} belongs to an object that cannot be asked for now, and stays as it is",
            self.name
        );
        self.reject(&objects, reason::HOST_CONFLICT, &message);
    }

    /// The object that a record set of ours was made for.
    fn resource(&self, record: &RecordSet) -> Option<&'a str> {
        self.scene.claims.get(&record.key)?.resource()
    }

    /// The object that the record sets of this place were made for.
    fn holder(&self, place: &Place) -> Option<&'a str> {
        let mut here = self
            .scene
            .records
            .at(self.name)
            .filter(|record| place_of(&record.key) == *place);
        here.find_map(|record| self.resource(record))
    }

    fn want(&mut self, set: Option<&str>, winner: &Winner<'_>) {
        let zone = &self.scene.zone;
        let place = Site {
            name: self.name,
            set_identifier: set,
            zone,
        };
        let wanted = wanted(place, &winner.answer, &self.hosts(set), self.scene.config);
        let objects = winner.objects();
        let impossible = wanted
            .notes
            .iter()
            .any(|(why, _)| *why == reason::IMPOSSIBLE_RECORD);
        if impossible && wanted.records.is_empty() {
            // As with any other mistake, what there is stays until it is right.
            let slots = winner.members.iter().map(|member| member.slot.clone());
            self.kept
                .extend(slots.map(|slot| (set.map(str::to_owned), slot)));
        }
        for (reason, message) in wanted.notes {
            self.reject(&objects, reason, &message);
        }
        for loser in &winner.losers {
            let (name, holder) = (self.name, winner.members[0]);
            let message = format!(
                "{name} already belongs to {}, which asks for something else",
                holder.object
            );
            self.reject(
                std::slice::from_ref(&loser.object),
                reason::HOST_CONFLICT,
                &message,
            );
        }
        for record in wanted.records {
            let want = Want {
                insist_on_ttl: winner.answer.ttl.is_some(),
                origin: winner.origin(),
                objects: objects.clone(),
                record,
            };
            self.wants.insert(want.record.key.clone(), want);
        }
    }

    /// The host names that the record sets with this identifier point to.
    fn hosts(&self, set: Option<&str>) -> BTreeSet<DnsName> {
        let here = self
            .scene
            .records
            .at(self.name)
            .filter(|record| record.key.set_identifier.as_deref() == set);
        here.flat_map(|record| match &record.data {
            RecordData::Alias(alias) => vec![DnsName::from_route53(&alias.target)],
            RecordData::Values { values, .. } if record.key.record_type == RecordType::Cname => {
                values
                    .iter()
                    .map(|value| DnsName::from_route53(value))
                    .collect()
            }
            RecordData::Values { .. } => Vec::new(),
        })
        .collect()
    }

    fn claim(&self, key: &RecordKey) -> Claim {
        let claim = self.scene.claims.get(key).cloned();
        match claim.unwrap_or(Claim::Foreign(Foreign::Unmanaged)) {
            Claim::HandedOver {
                owner,
                resource,
                marks,
            } => {
                if self.asked.contains(&key.set_identifier) {
                    Claim::Ours { resource, marks }
                } else {
                    Claim::Foreign(Foreign::Owner(owner))
                }
            }
            claim => claim,
        }
    }

    fn reject(&mut self, objects: &[ObjectRef], reason: &'static str, message: &str) {
        self.rejections
            .extend(objects.iter().map(|object| Rejection {
                object: object.clone(),
                reason,
                message: message.to_owned(),
            }));
    }

    fn step(
        &mut self,
        verb: Verb,
        is_mark: bool,
        objects: &[ObjectRef],
        withheld: Option<&Withheld>,
    ) {
        self.steps.push(Step {
            action: Change {
                zone: self.scene.zone.clone(),
                name: self.name.clone(),
                is_mark,
                counts: false,
                verb,
            },
            objects: objects.to_vec(),
            withheld: withheld.cloned(),
        });
    }
}
