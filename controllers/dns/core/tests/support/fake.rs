//! A zone that refuses what Route 53 refuses.

use dns_core::routing::Failover;
use dns_core::{Batch, Observed, RecordKey, RecordSet, RecordType, Routing, Verb, ZoneRecords};

/// Carries a batch out, as a whole or not at all.
pub(crate) fn apply(observed: &mut Observed, batch: &Batch) -> Result<(), String> {
    let zone = observed
        .records
        .get_mut(&batch.zone)
        .ok_or("no such zone")?;
    let mut next = zone.clone();
    for change in batch.changes() {
        match &change.verb {
            Verb::Create(record) => create(&mut next, record)?,
            Verb::Delete { record, .. } => delete(&mut next, record)?,
            Verb::Replace { from, to } => {
                delete(&mut next, from)?;
                create(&mut next, to)?;
            }
            Verb::Update { to, .. } | Verb::Strip { to, .. } => {
                next.records.remove(&to.key);
                create(&mut next, to)?;
            }
        }
    }
    if let Some((a, b)) = mixed(&next) {
        return Err(format!(
            "RRSet with DNS name {}. has the routing policies of {a} and {b}",
            a.name
        ));
    }
    *zone = next;
    Ok(())
}

/// Two record sets of one name and type whose kinds of routing policy differ.
fn mixed(zone: &ZoneRecords) -> Option<(&RecordKey, &RecordKey)> {
    let records: Vec<_> = zone.records.values().collect();
    let found = records.windows(2).find(|pair| {
        let (a, b) = (&pair[0].key, &pair[1].key);
        a.name == b.name
            && a.record_type == b.record_type
            && !pair[0].routing.same_kind(&pair[1].routing)
    });
    found.map(|pair| (&pair[0].key, &pair[1].key))
}

fn create(zone: &mut ZoneRecords, record: &RecordSet) -> Result<(), String> {
    let key = &record.key;
    if zone.records.contains_key(key) {
        return Err(format!(
            "Tried to create resource record set [name='{}.', type='{}'] but it already exists",
            key.name, key.record_type
        ));
    }
    if !key.name.is_within(&zone.zone.name) {
        return Err(format!(
            "RRSet with DNS name {}. is not permitted in zone {}.",
            key.name, zone.zone.name
        ));
    }
    let primary = record.routing == Routing::Failover(Failover::Primary);
    if primary && record.health_check.is_none() && !record.data.is_alias() {
        return Err(
            "A non-alias primary ResourceRecordSet must have an associated health check".to_owned(),
        );
    }
    if !key.name.fits() {
        return Err(format!("Domain name {}. is too long", key.name));
    }
    if key.record_type == RecordType::Cname && key.name == zone.zone.name {
        return Err(format!(
            "RRSet of type CNAME with DNS name {}. is not permitted at apex",
            key.name
        ));
    }
    if let Some(other) = zone.at(&key.name).find(|other| clash(key, &other.key)) {
        return Err(format!(
            "RRSet of type {} with DNS name {}. conflicts with {}",
            key.record_type, key.name, other.key
        ));
    }
    zone.records.insert(key.clone(), record.clone());
    Ok(())
}

fn clash(a: &RecordKey, b: &RecordKey) -> bool {
    if a.record_type == b.record_type {
        a.set_identifier.is_none() != b.set_identifier.is_none()
    } else {
        a.record_type == RecordType::Cname || b.record_type == RecordType::Cname
    }
}

fn delete(zone: &mut ZoneRecords, record: &RecordSet) -> Result<(), String> {
    match zone.records.get(&record.key) {
        Some(there) if there == record => {
            zone.records.remove(&record.key);
            Ok(())
        }
        Some(_) => Err(format!(
            "Tried to delete {} but the values provided do not match the current values",
            record.key
        )),
        None => Err(format!(
            "Tried to delete {} but it was not found",
            record.key
        )),
    }
}
