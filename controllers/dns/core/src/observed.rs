//! What Route 53 has.

use std::collections::{BTreeMap, BTreeSet};

use crate::record::RecordType;
use crate::{Batch, DnsName, RecordKey, RecordSet, Verb, Zone, ZoneId};

/// The hosted zones that the filters admit, and what was read of each.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// Every admitted zone, readable or not: a zone that cannot be read still
    /// keeps its names from falling to a shorter one.
    pub zones: BTreeMap<ZoneId, Zone>,
    /// The records of the zones that could be read, completely.
    pub records: BTreeMap<ZoneId, ZoneRecords>,
    /// Why the others could not, in the words of AWS.
    pub unreadable: BTreeMap<ZoneId, String>,
    /// Zones that are known by their ids alone, since nobody says what their
    /// names are, in the words of AWS.
    pub nameless: BTreeMap<ZoneId, String>,
}

/// One hosted zone with its records.
#[derive(Clone, Debug)]
pub struct ZoneRecords {
    /// The zone.
    pub zone: Zone,
    /// Its records.
    pub records: BTreeMap<RecordKey, RecordSet>,
    /// How many of them were forgotten.
    forgotten: usize,
}

impl ZoneRecords {
    /// A zone with these records.
    #[must_use]
    pub fn new(zone: Zone, records: impl IntoIterator<Item = RecordSet>) -> Self {
        let records = records
            .into_iter()
            .map(|record| (record.key.clone(), record));
        Self {
            zone,
            records: records.collect(),
            forgotten: 0,
        }
    }

    /// How many record sets the zone has, as far as is known.
    #[must_use]
    pub fn listed(&self) -> usize {
        self.records.len() + self.forgotten
    }

    /// Forgets the records of a zone in which there is nothing to look after.
    /// What becomes wanted in it is looked at by its name. Where its parts belong
    /// to other zones stays known.
    pub fn forget(&mut self) {
        let listed = self.listed();
        self.records
            .retain(|key, _| key.record_type == RecordType::Ns);
        self.forgotten = listed - self.records.len();
    }

    /// Where the zone hands a part with this name in it to other name servers,
    /// so that what it has there itself is not seen by anybody.
    #[must_use]
    pub fn delegation(&self, name: &DnsName) -> Option<DnsName> {
        let mut part = name.clone();
        while part.is_within(&self.zone.name) && part != self.zone.name {
            let mut here = self.at(&part);
            if here.any(|record| record.key.record_type == RecordType::Ns) {
                return Some(part);
            }
            part = DnsName::from_route53(part.split().1?);
        }
        None
    }

    /// Notes that a batch has been carried out.
    pub fn carry_out(&mut self, batch: &Batch) {
        for change in batch.changes() {
            let record = change.verb.record();
            match change.verb {
                Verb::Delete { .. } => drop(self.records.remove(&record.key)),
                _ => drop(self.records.insert(record.key.clone(), record.clone())),
            }
        }
    }

    /// Puts what was read of some names in place of what was known of them.
    pub fn replace(
        &mut self,
        names: &BTreeSet<DnsName>,
        records: impl IntoIterator<Item = RecordSet>,
    ) {
        self.records.retain(|key, _| !names.contains(&key.name));
        let records = records
            .into_iter()
            .map(|record| (record.key.clone(), record));
        self.records.extend(records);
    }

    /// The records of one name.
    pub fn at<'a>(&'a self, name: &DnsName) -> impl Iterator<Item = &'a RecordSet> + use<'a> {
        let first = RecordKey {
            name: name.clone(),
            record_type: RecordType::A,
            set_identifier: None,
        };
        let name = name.clone();
        self.records
            .range(first..)
            .take_while(move |(key, _)| key.name == name)
            .map(|(_, record)| record)
    }
}
