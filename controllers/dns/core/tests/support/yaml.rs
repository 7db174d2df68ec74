//! Cases as files: Kubernetes objects and flags in `cluster.yaml`, zones in `aws.yaml`.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use dns_core::snapshot::{Address, Ingress};
use dns_core::{
    Alias, DnsName, Observed, RecordData, RecordKey, RecordSet, RecordType, Routing, Snapshot,
    Zone, ZoneId, ZoneRecords,
};
use isthmus_core::ObjectRef;
use serde::Deserialize;
use serde_yaml_ng::Value;

use super::Flags;

/// The objects of a case, its flags and how long objects without a target have waited.
pub(crate) fn cluster(path: &Path) -> (Snapshot, Flags, Duration) {
    let text = std::fs::read_to_string(path).unwrap();
    let (mut snapshot, mut flags, mut waited) = (Snapshot::default(), Flags::new(), Duration::ZERO);
    for document in serde_yaml_ng::Deserializer::from_str(&text) {
        let document =
            Value::deserialize(document).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        match document["kind"].as_str() {
            Some("Ingress") => snapshot.ingresses.push(ingress(&document)),
            Some("Flags") => {
                flags = serde_yaml_ng::from_value(document["flags"].clone()).unwrap_or_default();
                waited = Duration::from_secs(document["waited"].as_u64().unwrap_or(0));
            }
            other => panic!("{}: kind {other:?}", path.display()),
        }
    }
    (snapshot, flags, waited)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn items(value: &Value) -> &[Value] {
    value.as_sequence().map_or(&[], Vec::as_slice)
}

fn ingress(document: &Value) -> Ingress {
    let metadata = &document["metadata"];
    let spec = &document["spec"];
    let map = |value: &Value| -> BTreeMap<String, String> {
        serde_yaml_ng::from_value(value.clone()).unwrap_or_default()
    };
    let addresses = items(&document["status"]["loadBalancer"]["ingress"])
        .iter()
        .map(|entry| match entry["ip"].as_str() {
            Some(ip) => Address::Ip(ip.parse().unwrap()),
            None => Address::Host(text(&entry["hostname"])),
        });
    Ingress {
        object: ObjectRef::new(
            "networking.k8s.io/v1",
            "Ingress",
            text(&metadata["namespace"]),
            text(&metadata["name"]),
        ),
        annotations: map(&metadata["annotations"]),
        labels: map(&metadata["labels"]),
        class: spec["ingressClassName"].as_str().map(str::to_owned),
        rule_hosts: items(&spec["rules"])
            .iter()
            .map(|rule| text(&rule["host"]))
            .collect(),
        tls_hosts: items(&spec["tls"])
            .iter()
            .flat_map(|tls| items(&tls["hosts"]))
            .map(text)
            .collect(),
        addresses: addresses.collect(),
    }
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
    let routing = match (file.weight, file.region) {
        (Some(weight), _) => Routing::Weighted(weight),
        (None, Some(region)) => Routing::Latency(region),
        (None, None) => Routing::Simple,
    };
    RecordSet {
        key: RecordKey {
            name: DnsName::from_route53(&file.name),
            record_type: RecordType::from_route53(&file.r#type),
            set_identifier: file.set,
        },
        routing,
        health_check: None,
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
