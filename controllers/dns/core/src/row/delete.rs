//! What goes, of a name.

use isthmus_core::{Action, Effect, Step, Withheld};

use super::{Row, exclude, place_of};
use crate::registry::Claim;
use crate::source::object;
use crate::{Change, RecordKey, RecordSet, Registry, Verb};

impl Row<'_> {
    /// Deletes our record sets that nobody wants, and the marks that no other
    /// record lives by. `frozen`: only what is in the way of something wanted.
    pub(super) fn delete(&mut self, frozen: bool) {
        let policy = self.scene.config.policy;
        let mut doomed: Vec<(&RecordSet, bool, Option<Withheld>)> = Vec::new();
        let mut needed = std::mem::take(&mut self.marks_written);
        for record in self.scene.records.at(self.name) {
            let key = &record.key;
            let Claim::Ours { marks, resource } = self.claim(key) else {
                continue;
            };
            let gives_way = self.created.iter().any(|created| exclude(created, record));
            let unavailable = self.scene.is_unavailable(resource.as_deref()) && !gives_way;
            let place = place_of(key);
            let faulty = frozen || self.scene.is_frozen(resource.as_deref());
            let stays = self.wants.contains_key(key)
                || (self.kept.contains(&place) && !unavailable)
                || ((faulty || self.dropped.contains(&place)) && !gives_way)
                || self.blocked.iter().any(|blocked| exclude(blocked, record));
            if stays {
                needed.extend(marks);
                continue;
            }
            let unasked = unavailable.then(source_unavailable);
            let withheld = (!policy.deletes()).then(|| policy.withholds("does not delete"));
            doomed.push((record, gives_way, withheld.or(unasked)));
        }
        let first_step = self.steps.len();
        for (record, gives_way, withheld) in doomed {
            let Claim::Ours { marks, resource } = self.claim(&record.key) else {
                continue;
            };
            let options = &self.scene.config.source;
            let object = resource.and_then(|resource| object(&resource, options));
            let objects: Vec<_> = object.into_iter().collect();
            let verb = Verb::Delete {
                record: record.clone(),
                gives_way,
            };
            self.step(verb, false, &objects, withheld.as_ref());
            for mark in marks {
                if needed.insert(mark.clone()) {
                    let verb = self.erasure(&mark, gives_way);
                    if let Some(verb) = verb {
                        self.step(verb, true, &objects, withheld.as_ref());
                    }
                }
            }
        }
        // The removal limit counts names, not the record types of each.
        let removed = |step: &&mut Step<Change>| {
            !step.action.is_mark && step.action.effect() == Effect::Remove
        };
        if let Some(first) = self.steps[first_step..].iter_mut().find(removed) {
            first.action.counts = true;
        }
    }

    /// Takes our mark away, and leaves other values of the same TXT record.
    fn erasure(&self, mark: &RecordKey, gives_way: bool) -> Option<Verb> {
        let Registry::Txt(registry) = &self.scene.config.registry else {
            return None;
        };
        let txt = self.scene.records.records.get(mark)?;
        Some(match registry.without_marks(txt) {
            Some(rest) if gives_way => Verb::transition(txt, rest),
            Some(rest) => Verb::Strip {
                from: txt.clone(),
                to: rest,
            },
            None => Verb::Delete {
                record: txt.clone(),
                gives_way,
            },
        })
    }
}

/// Why the records of objects that cannot be asked for are not deleted.
fn source_unavailable() -> Withheld {
    Withheld {
        reason: Change::SOURCE_UNAVAILABLE,
        message:
            "the API that tells whether it is still wanted is not served; it is kept until it is"
                .to_owned(),
    }
}
