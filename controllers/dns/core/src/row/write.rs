//! What comes and what changes, of a name.

use std::collections::BTreeSet;

use isthmus_core::{ObjectRef, Withheld};

use super::{Row, Want, exclude, place_of};
use crate::registry::{Claim, Foreign, Site};
use crate::{RecordKey, RecordSet, Registry, Verb, reason};

/// What becomes of a want.
enum Fate<'a> {
    /// It is there already.
    Fulfilled,
    /// What is there is changed; `room_needed` if something else of ours has to go for it.
    Update {
        there: &'a RecordSet,
        room_needed: bool,
    },
    /// It is made.
    Create { room_needed: bool },
}

/// Why a want cannot be fulfilled: a reason and a message.
type Obstacle = (&'static str, String);

impl<'a> Row<'a> {
    /// Decides about every want, and then carries the decisions out: where one
    /// record set of a name cannot be made, its siblings are not made either, so
    /// that a host is never there for IPv6 alone, say.
    pub(super) fn write(&mut self) {
        let mut blocked_sets = BTreeSet::new();
        let mut fates = Vec::new();
        for want in self.wants.clone().into_values() {
            match self.fate(&want) {
                Ok((fate, mark)) => fates.push((want, fate, mark)),
                Err((reason, message)) => {
                    self.blocked.push(want.record.clone());
                    if blocked_sets.insert(place_of(&want.record.key)) {
                        self.reject(&want.objects, reason, &message);
                    }
                }
            }
        }
        for (want, fate, mark) in fates {
            match fate {
                Fate::Fulfilled => self.take_over(&want),
                Fate::Update { there, room_needed } => {
                    if room_needed {
                        self.created.push(want.record.clone());
                    }
                    self.update(&want, there, room_needed, mark);
                    self.take_over(&want);
                }
                Fate::Create { .. } if blocked_sets.contains(&place_of(&want.record.key)) => {
                    self.blocked.push(want.record);
                }
                Fate::Create { room_needed } => self.create(want, room_needed, mark),
            }
        }
    }

    fn fate(&self, want: &Want) -> Result<(Fate<'a>, Option<RecordSet>), Obstacle> {
        let key = &want.record.key;
        let mark = match &self.scene.config.registry {
            Registry::Noop => None,
            Registry::Txt(registry) => {
                let mark = registry.mark(&want.record, &self.scene.zone, &want.origin);
                Some(mark.ok_or_else(|| {
                    let message = format!("{key} is not published: its name is too long for an ownership record beside it");
                    (reason::IMPOSSIBLE_RECORD, message)
                })?)
            }
        };
        let fate = match self.scene.records.records.get(key) {
            Some(there) => match self.claim(key) {
                Claim::Foreign(why) => return Err(self.foreign(key, key, &why)),
                Claim::Ours { .. } if want.record.same_as(there, want.insist_on_ttl) => {
                    Fate::Fulfilled
                }
                Claim::Ours { .. } | Claim::HandedOver { .. } => {
                    let same = there.routing.same_kind(&want.record.routing);
                    let room_needed = !same && self.room_needed(&want.record, None)?;
                    Fate::Update { there, room_needed }
                }
            },
            None => Fate::Create {
                room_needed: self.room_needed(&want.record, mark.as_ref())?,
            },
        };
        Ok((fate, mark))
    }

    /// Whether a record set of ours has to go before this one can be made.
    fn room_needed(&self, wanted: &RecordSet, mark: Option<&RecordSet>) -> Result<bool, Obstacle> {
        let key = &wanted.key;
        let mut room_needed = false;
        for record in self.scene.records.at(self.name) {
            let other = &record.key;
            let excluded = exclude(wanted, record);
            let beside = excluded || place_of(key) == place_of(other);
            match self.claim(other) {
                Claim::Foreign(why) if beside => return Err(self.foreign(key, other, &why)),
                Claim::Ours { .. } if excluded && !self.wants.contains_key(other) => {
                    if self.kept.contains(&place_of(other)) {
                        let message = format!(
                            "{key} is not published: {other} in {} stays for now",
                            self.scene.zone
                        );
                        return Err((reason::HOST_CONFLICT, message));
                    }
                    room_needed = true;
                }
                _ => {}
            }
        }
        if let (Registry::Txt(registry), Some(mark)) = (&self.scene.config.registry, mark) {
            if let Site::Taken(why) = registry.site(mark, self.scene.records) {
                return Err(self.foreign(key, &mark.key, &why));
            }
            self.mark_fits(key, mark)?;
        }
        Ok(room_needed)
    }

    /// Whether Route 53 keeps the mark beside the text records of its name. Those
    /// that are marks of this name go with their records.
    fn mark_fits(&self, key: &RecordKey, mark: &RecordSet) -> Result<(), Obstacle> {
        let mut there = self.scene.records.at(&mark.key.name);
        let in_the_way = there.find(|txt| {
            let mut here = self.scene.records.at(self.name);
            exclude(mark, txt)
                && !here.any(|record| match self.claim(&record.key) {
                    Claim::Ours { marks, .. } => marks.contains(&txt.key),
                    Claim::Foreign(_) | Claim::HandedOver { .. } => false,
                })
        });
        in_the_way.map_or(Ok(()), |txt| {
            let why = match self.scene.config.registry.is_mark(txt) {
                true => Foreign::Ambiguous(txt.key.name.clone()),
                false => Foreign::Unmarked,
            };
            Err(self.foreign(key, &txt.key, &why))
        })
    }

    fn foreign(&self, key: &RecordKey, obstacle: &RecordKey, why: &Foreign) -> Obstacle {
        let zone = &self.scene.zone;
        let message = if key == obstacle {
            format!("{key} is not published: the one that is in {zone} {why}")
        } else {
            format!("{key} is not published: {obstacle} in {zone} {why}")
        };
        (reason::FOREIGN_RECORD, message)
    }

    fn update(
        &mut self,
        want: &Want,
        there: &RecordSet,
        room_needed: bool,
        mark: Option<RecordSet>,
    ) {
        let policy = self.scene.config.policy;
        let withheld = (!policy.changes()).then(|| policy.withholds("changes nothing"));
        let withheld = withheld.or_else(|| self.no_room(room_needed));
        let verb = Verb::transition(there, want.record.clone());
        self.step(verb, false, &want.objects, withheld.as_ref());
        if let Some(mark) = mark {
            self.write_mark(mark, &want.objects, withheld.as_ref());
        }
    }

    fn create(&mut self, want: Want, room_needed: bool, mark: Option<RecordSet>) {
        let withheld = self.no_room(room_needed);
        self.created.push(want.record.clone());
        self.step(
            Verb::Create(want.record),
            false,
            &want.objects,
            withheld.as_ref(),
        );
        if let Some(mark) = mark {
            self.write_mark(mark, &want.objects, withheld.as_ref());
        }
    }

    fn no_room(&self, room_needed: bool) -> Option<Withheld> {
        let policy = self.scene.config.policy;
        (room_needed && !policy.deletes()).then(|| {
            policy.withholds("does not delete the record of another type that it would replace")
        })
    }

    fn write_mark(&mut self, mark: RecordSet, objects: &[ObjectRef], withheld: Option<&Withheld>) {
        let Registry::Txt(registry) = &self.scene.config.registry else {
            return;
        };
        let site = registry.site(&mark, self.scene.records);
        // What is ours by another mark goes without one where there is no room.
        let no_room = matches!(site, Site::Taken(_)) || self.mark_fits(&mark.key, &mark).is_err();
        if no_room || !self.marks_written.insert(mark.key.clone()) {
            return;
        }
        match self.scene.records.records.get(&mark.key) {
            Some(there) if registry.is_written(&mark, there) => {}
            Some(there) => self.step(Verb::transition(there, mark), true, objects, withheld),
            None => self.step(Verb::Create(mark), true, objects, withheld),
        }
    }

    /// Writes our name into the marks of a record that is handed over to us.
    fn take_over(&mut self, want: &Want) {
        let Registry::Txt(registry) = &self.scene.config.registry else {
            return;
        };
        let Some(Claim::HandedOver { marks, .. }) = self.scene.claims.get(&want.record.key) else {
            return;
        };
        let policy = self.scene.config.policy;
        let withheld = (!policy.changes()).then(|| policy.withholds("changes nothing"));
        for mark in marks {
            let there = self.scene.records.records.get(mark);
            let Some(there) = there.filter(|_| self.marks_written.insert(mark.clone())) else {
                continue;
            };
            let taken = registry.taken_over(there, &want.origin.resource);
            let verb = Verb::transition(there, taken);
            self.step(verb, true, &want.objects, withheld.as_ref());
        }
    }
}
