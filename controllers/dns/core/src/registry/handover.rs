//! From another owner's hands into ours.

use std::collections::BTreeSet;

use super::{Mark, TxtRegistry};
use crate::{RecordData, RecordSet};

impl TxtRegistry {
    /// Whether marks of this owner may be changed: our own, and those of the
    /// owners that we take over from.
    pub(super) fn may_change(&self, owner: &str) -> bool {
        owner == self.owner || self.adopt_from.contains(owner)
    }

    /// The TXT record with every mark in it that we take over saying that the
    /// record is ours and was made for `resource`. What else it says stays.
    pub(crate) fn taken_over(&self, txt: &RecordSet, resource: &str) -> RecordSet {
        let mut taken = txt.clone();
        if let RecordData::Values { values, .. } = &mut taken.data {
            let mut seen = BTreeSet::new();
            for value in values.iter_mut() {
                let found = self.mark_in(value);
                if let Some(mark) = found.filter(|mark| self.may_change(&mark.owner)) {
                    let ours = Mark {
                        owner: self.owner.clone(),
                        resource: Some(resource.to_owned()),
                        labels: mark.labels,
                    };
                    *value = self.value(&ours, &txt.key);
                }
            }
            values.retain(|value| seen.insert(value.clone()));
        }
        taken
    }

    /// What is left of a TXT record once the marks that we may change are taken
    /// out of it; `None` if nothing is.
    #[must_use]
    pub fn without_marks(&self, txt: &RecordSet) -> Option<RecordSet> {
        let mut rest = txt.clone();
        if let RecordData::Values { values, .. } = &mut rest.data {
            values.retain(|value| {
                let mark = self.mark_in(value);
                mark.is_none_or(|mark| !self.may_change(&mark.owner))
            });
            if values.is_empty() {
                return None;
            }
        }
        Some(rest)
    }

    /// What a TXT value says about ownership, in any form.
    fn mark_in(&self, value: &str) -> Option<Mark> {
        self.read(value).or_else(|| Mark::from_mate(value))
    }
}
