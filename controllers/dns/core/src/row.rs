//! The changes for one name in one zone.

use std::collections::{BTreeMap, BTreeSet};

use isthmus_core::{ObjectRef, Rejection, Step, Withheld};

use crate::change::order;
use crate::conflict::{Winner, settle};
use crate::desired::{Candidate, Wish};
use crate::plan::Scene;
use crate::record::RecordType;
use crate::registry::{Claim, Foreign};
use crate::wanted::{Place, wanted};
use crate::{Change, DnsName, RecordData, RecordKey, RecordSet, Verb, reason};

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
        created: BTreeSet::new(),
        blocked: BTreeSet::new(),
        marks_written: BTreeSet::new(),
        kept: BTreeSet::new(),
        steps: Vec::new(),
        rejections: Vec::new(),
    };
    row.settle(candidates);
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
    created: BTreeSet<RecordKey>,
    /// Wants that something is in the way of.
    blocked: BTreeSet<RecordKey>,
    marks_written: BTreeSet<RecordKey>,
    /// Set identifiers whose record sets stay as they are.
    kept: BTreeSet<Option<String>>,
    steps: Vec<Step<Change>>,
    rejections: Vec<Rejection>,
}

/// A record set that somebody wants.
#[derive(Clone)]
struct Want {
    record: RecordSet,
    insist_on_ttl: bool,
    resource: String,
    objects: Vec<ObjectRef>,
}

/// Whether Route 53 keeps both at one name: nothing stands beside a CNAME, and
/// of one type either one simple record set or several with identifiers.
fn exclude(a: &RecordKey, b: &RecordKey) -> bool {
    if a.record_type == b.record_type {
        a.set_identifier != b.set_identifier
            && (a.set_identifier.is_none() || b.set_identifier.is_none())
    } else {
        a.record_type == RecordType::Cname || b.record_type == RecordType::Cname
    }
}

impl<'a> Row<'a> {
    fn settle(&mut self, candidates: &[&'a Candidate]) {
        let mut slots: BTreeMap<Option<&str>, Vec<&'a Candidate>> = BTreeMap::new();
        for candidate in candidates {
            slots
                .entry(candidate.set_identifier.as_deref())
                .or_default()
                .push(candidate);
        }
        for (set, candidates) in slots {
            match settle(&candidates, self.holder(set)) {
                None => {
                    self.kept.insert(set.map(str::to_owned));
                }
                Some(winner) => self.want(set, &winner),
            }
        }
    }

    /// The object that the record sets with this identifier were made for.
    fn holder(&self, set: Option<&str>) -> Option<&'a str> {
        let mut here = self
            .scene
            .records
            .at(self.name)
            .filter(|record| record.key.set_identifier.as_deref() == set);
        here.find_map(|record| self.scene.claims.get(&record.key)?.resource())
    }

    fn want(&mut self, set: Option<&str>, winner: &Winner<'_>) {
        let zone = &self.scene.zone;
        let place = Place {
            name: self.name,
            set_identifier: set,
            zone,
        };
        let wanted = wanted(place, &winner.answer, &self.hosts(set), self.scene.config);
        let objects = winner.objects();
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
                resource: winner.resource().to_owned(),
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
        claim.unwrap_or(Claim::Foreign(Foreign::Unmanaged))
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
