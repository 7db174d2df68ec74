//! From the TXT records of a zone to the owner of a record.

use super::{Claim, Foreign, Mark, TxtRegistry, mark_at, txt_key};
use crate::record::RecordType;
use crate::{DnsName, RecordKey, RecordSet, ZoneRecords};

impl TxtRegistry {
    /// Who owns `record`.
    pub(super) fn claim(&self, record: &RecordSet, zone: &ZoneRecords) -> Claim {
        let mut found = self.found(record, zone);
        let Some((_, decides, _)) = found.first() else {
            return Claim::Foreign(Foreign::Unmarked);
        };
        let owner = decides.owner.clone();
        if !self.may_change(&owner) {
            return Claim::Foreign(Foreign::Owner(owner));
        }
        if let Some(mark) = self.ambiguity(record, zone, found[0].2, &found[0].0) {
            return Claim::Foreign(Foreign::Ambiguous(mark));
        }
        let resource = found[0].1.resource.take();
        // A mark that another record lives by must not go along with this one.
        found.retain(|(key, mark, bare)| {
            mark.owner == owner && self.ambiguity(record, zone, *bare, key).is_none()
        });
        let marks = found.into_iter().map(|(key, _, _)| key).collect();
        if owner == self.owner {
            Claim::Ours { resource, marks }
        } else {
            Claim::HandedOver {
                owner,
                resource,
                marks,
            }
        }
    }

    /// Every mark that may speak of `record`, the one that decides first; `true`
    /// for a form that does not say the type.
    fn found(&self, record: &RecordSet, zone: &ZoneRecords) -> Vec<(RecordKey, Mark, bool)> {
        let mut found: Vec<(RecordKey, Mark, bool)> = Vec::new();
        for (name, bare) in self.affix.to_read(record) {
            let key = txt_key(name, record);
            let mark = mark_at(&key, zone, |value| self.read(value));
            if let Some(mark) = mark.filter(|_| found.iter().all(|(seen, _, _)| *seen != key)) {
                found.push((key, mark, bare));
            }
        }
        if record.key.record_type != RecordType::Aaaa {
            let key = txt_key(record.key.name.clone(), record);
            if let Some(mark) = mark_at(&key, zone, Mark::from_mate) {
                found.push((key, mark, true));
            }
        }
        found
    }

    /// The old form of `a-team` is the current form of the A record of `team`. A
    /// mark that both records exist for, and that neither can do without, is
    /// taken for neither: the wrong guess would delete a stranger's record.
    fn ambiguity(
        &self,
        record: &RecordSet,
        zone: &ZoneRecords,
        bare: bool,
        mark: &RecordKey,
    ) -> Option<DnsName> {
        let (label, _) = record.key.name.split();
        if bare {
            // Mate's marks have one meaning.
            mark_at(mark, zone, |value| self.read(value))?;
            let (word, _) = label.split_once('-')?;
            let record_type: RecordType = word.parse().ok()?;
            let other = DnsName::from_route53(&record.key.name.as_str()[word.len() + 1..]);
            let rival = zone.at(&other).any(|rival| {
                let aliased = rival.key.record_type == RecordType::A && rival.data.is_alias();
                rival.key.set_identifier == record.key.set_identifier
                    && (rival.key.record_type == record_type
                        || (aliased && record_type == RecordType::Cname))
                    && self
                        .found(rival, zone)
                        .first()
                        .is_some_and(|(key, _, _)| key == mark)
            });
            return rival.then(|| mark.name.clone());
        }
        let words = [record.key.record_type.as_str(), "cname"];
        let rival = words.iter().any(|word| {
            let other = format!("{}-{}", word.to_ascii_lowercase(), record.key.name);
            let other = DnsName::from_route53(&other);
            zone.at(&other).any(|rival| {
                rival.key.record_type != RecordType::Txt
                    && rival.key.set_identifier == record.key.set_identifier
                    && self
                        .found(rival, zone)
                        .first()
                        .is_some_and(|(key, _, _)| key == mark)
            })
        });
        rival.then(|| mark.name.clone())
    }
}
