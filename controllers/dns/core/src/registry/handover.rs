//! From another owner's hands into ours.

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
        let mark = Mark {
            owner: self.owner.clone(),
            resource: Some(resource.to_owned()),
        };
        let ours = self.value(&mark, &txt.key);
        let mut taken = txt.clone();
        if let RecordData::Values { values, .. } = &mut taken.data {
            for value in values.iter_mut() {
                if self.owner_in(value).is_some_and(|o| self.may_change(&o)) {
                    value.clone_from(&ours);
                }
            }
            let mut seen = false;
            values.retain(|value| *value != ours || !std::mem::replace(&mut seen, true));
        }
        taken
    }

    /// What is left of a TXT record once the marks that we may change are taken
    /// out of it; `None` if nothing is.
    #[must_use]
    pub fn without_marks(&self, txt: &RecordSet) -> Option<RecordSet> {
        let mut rest = txt.clone();
        if let RecordData::Values { values, .. } = &mut rest.data {
            values.retain(|value| self.owner_in(value).is_none_or(|o| !self.may_change(&o)));
            if values.is_empty() {
                return None;
            }
        }
        Some(rest)
    }

    /// The owner that a TXT value names, in any form.
    fn owner_in(&self, value: &str) -> Option<String> {
        let mark = self.read(value).or_else(|| Mark::from_mate(value))?;
        Some(mark.owner)
    }
}
