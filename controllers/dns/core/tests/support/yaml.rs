//! Cases as files: Kubernetes objects and flags in `cluster.yaml`, zones in `aws.yaml`.

use std::path::Path;
use std::time::Duration;

use dns_core::routing::{Failover, Geolocation};
use dns_core::{
    Alias, DnsName, Observed, RecordData, RecordKey, RecordSet, RecordType, Routing, Snapshot,
    Source, Zone, ZoneId, ZoneRecords,
};
use serde::Deserialize;
use serde_yaml_ng::Value;

use super::{Flags, objects};

/// The objects of a case, its flags and how long objects without a target have waited.
pub(crate) fn cluster(path: &Path) -> (Snapshot, Flags, Duration) {
    let text = std::fs::read_to_string(path).unwrap();
    let (mut snapshot, mut flags, mut waited) = (Snapshot::default(), Flags::new(), Duration::ZERO);
    for document in serde_yaml_ng::Deserializer::from_str(&text) {
        let document =
            Value::deserialize(document).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        match document["kind"].as_str() {
            Some("Flags") => {
                flags = serde_yaml_ng::from_value(document["flags"].clone()).unwrap_or_default();
                waited = Duration::from_secs(document["waited"].as_u64().unwrap_or(0));
                let absent = document["unavailable"].as_str();
                let source = Source::ALL
                    .into_iter()
                    .find(|source| Some(source.flag()) == absent);
                snapshot.unavailable.extend(source);
            }
            _ => objects::add(&mut snapshot, &document)
                .unwrap_or_else(|kind| panic!("{}: kind {kind:?}", path.display())),
        }
    }
    (snapshot, flags, waited)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ZoneFile {
    zone: String,
    id: String,
    #[serde(default)]
    private: bool,
    unreadable: Option<String>,
    #[serde(default)]
    records: Vec<RecordFile>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RecordFile {
    name: String,
    r#type: String,
    #[serde(default)]
    ttl: u32,
    #[serde(default)]
    values: Vec<String>,
    alias: Option<String>,
    #[serde(default)]
    alias_zone: String,
    set: Option<String>,
    weight: Option<u8>,
    region: Option<String>,
    failover: Option<String>,
    country: Option<String>,
    #[serde(default)]
    multivalue: bool,
    health_check: Option<String>,
}

/// The zones of a case.
pub(crate) fn aws(path: &Path) -> Observed {
    let text = std::fs::read_to_string(path).unwrap();
    let zones: Vec<ZoneFile> =
        serde_yaml_ng::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let mut observed = Observed::default();
    for file in zones {
        let zone = Zone {
            id: ZoneId::new(&file.id),
            name: DnsName::from_route53(&file.zone),
            private: file.private,
        };
        observed.zones.insert(zone.id.clone(), zone.clone());
        match file.unreadable {
            Some(words) if file.zone.is_empty() => {
                observed.zones.remove(&zone.id);
                observed.nameless.insert(zone.id, words);
            }
            Some(words) => drop(observed.unreadable.insert(zone.id, words)),
            None => {
                let records = file.records.into_iter().map(record);
                observed
                    .records
                    .insert(zone.id.clone(), ZoneRecords::new(zone, records));
            }
        }
    }
    observed
}

fn record(file: RecordFile) -> RecordSet {
    let failover = file.failover.map(|side| match side.as_str() {
        "PRIMARY" => Routing::Failover(Failover::Primary),
        _ => Routing::Failover(Failover::Secondary),
    });
    let country = file.country.map(|country| {
        Routing::Geolocation(Geolocation {
            country: Some(country),
            ..Geolocation::default()
        })
    });
    let weight = file.weight.map(Routing::Weighted);
    let region = file.region.map(Routing::Latency);
    let multivalue = file.multivalue.then_some(Routing::MultiValue);
    let routing = weight.or(region).or(failover).or(country).or(multivalue);
    RecordSet {
        key: RecordKey {
            name: DnsName::from_route53(&file.name),
            record_type: RecordType::from_route53(&file.r#type),
            set_identifier: file.set,
        },
        routing: routing.unwrap_or_default(),
        health_check: file.health_check,
        data: match file.alias {
            Some(target) => RecordData::Alias(Alias {
                target,
                zone: file.alias_zone,
                evaluate_target_health: true,
            }),
            None => RecordData::Values {
                ttl: file.ttl,
                values: file.values,
            },
        },
    }
}
