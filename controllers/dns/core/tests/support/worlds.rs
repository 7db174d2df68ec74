//! Clusters and zones as they may be, for property tests.

use std::collections::BTreeMap;

use dns_core::snapshot::{Address, Ingress};
use dns_core::{
    Alias, Batch, Change, DnsName, Limits, Observed, RecordData, RecordKey, RecordSet, RecordType,
    Routing, Snapshot, Verb, Zone, ZoneId, ZoneRecords, batches,
};
use isthmus_core::{ObjectRef, Plan};
use proptest::prelude::*;

use super::{Flags, fake};

pub(crate) const HOSTS: [&str; 8] = [
    "example.org",
    "shop.example.org",
    "a-shop.example.org",
    "cname-shop.example.org",
    "*.example.org",
    "team.example.org",
    "a-team.example.org",
    "x23456789012345678901234567890123456789012345678901234567890123.example.org",
];
pub(crate) const TARGETS: [&str; 6] = [
    "192.0.2.1",
    "192.0.2.2",
    "2001:db8::1",
    "lb.example.com",
    "kube-1.eu-central-1.elb.amazonaws.com",
    "kube-2.eu-central-1.elb.amazonaws.com",
];
pub(crate) const POLICIES: [&str; 3] = ["sync", "upsert-only", "create-only"];
pub(crate) const PREFIXES: [&str; 4] = ["", "txt.", "txt-", "%{record_type}."];

pub(crate) fn arb_ingress() -> impl Strategy<Value = Ingress> {
    let hosts = prop::collection::vec(prop::sample::select(&HOSTS[..]), 1..4);
    let targets = prop::collection::vec(prop::sample::select(&TARGETS[..]), 0..3);
    let annotations = prop::option::weighted(0.2, prop::sample::select(&["60", "soon"][..]));
    ("[a-e]", hosts, targets, annotations).prop_map(|(name, hosts, targets, ttl)| Ingress {
        object: ObjectRef::new("networking.k8s.io/v1", "Ingress", "shop", name),
        annotations: ttl
            .map(|ttl| {
                (
                    "external-dns.alpha.kubernetes.io/ttl".to_owned(),
                    ttl.to_owned(),
                )
            })
            .into_iter()
            .collect(),
        labels: BTreeMap::new(),
        class: None,
        rule_hosts: hosts.into_iter().map(str::to_owned).collect(),
        tls_hosts: Vec::new(),
        addresses: targets
            .into_iter()
            .map(|target| match target.parse() {
                Ok(ip) => Address::Ip(ip),
                Err(_) => Address::Host(target.to_owned()),
            })
            .collect(),
    })
}

pub(crate) fn arb_snapshot() -> impl Strategy<Value = Snapshot> {
    prop::collection::vec(arb_ingress(), 0..5).prop_map(|mut ingresses| {
        ingresses.sort_by(|a, b| a.object.cmp(&b.object));
        ingresses.dedup_by(|a, b| a.object == b.object);
        Snapshot { ingresses }
    })
}

pub(crate) fn record(name: &str, record_type: RecordType, data: RecordData) -> RecordSet {
    RecordSet {
        key: RecordKey {
            name: DnsName::from_route53(name),
            record_type,
            set_identifier: None,
        },
        routing: Routing::Simple,
        health_check: None,
        data,
    }
}

pub(crate) fn values(ttl: u32, value: &str) -> RecordData {
    RecordData::Values {
        ttl,
        values: vec![value.to_owned()],
    }
}

/// Records of a name as somebody may have left them: types, owner and the form of the mark.
pub(crate) fn arb_records() -> impl Strategy<Value = Vec<RecordSet>> {
    let host = prop::sample::select(&HOSTS[..]);
    let target = prop::sample::select(&TARGETS[..]);
    let owner = prop::option::of(prop::sample::select(&["default", "other"][..]));
    let form = prop::sample::select(&["current", "old", "mate", "legacy", "own"][..]);
    let resource =
        prop::sample::select(&["ingress/shop/a", "ingress/shop/b", "ingress/shop/z"][..]);
    (host, target, owner, form, resource, any::<bool>()).prop_map(|(host, target, owner, form, resource, both)| {
        let alias = target.contains("amazonaws");
        let (record_type, data) = match target.parse::<std::net::IpAddr>() {
            Ok(ip) if ip.is_ipv4() => (RecordType::A, values(300, target)),
            Ok(_) => (RecordType::Aaaa, values(300, target)),
            Err(_) if alias => {
                let alias = Alias { target: format!("{target}."), zone: "Z215JYRZR1TBD5".into(), evaluate_target_health: true };
                (RecordType::A, RecordData::Alias(alias))
            }
            Err(_) => (RecordType::Cname, values(300, target)),
        };
        let word = record_type.as_str().to_ascii_lowercase();
        let mut records = vec![record(host, record_type, data.clone())];
        if alias && both {
            records.push(record(host, RecordType::Aaaa, data));
        }
        if let Some(owner) = owner {
            let heritage = format!("\"heritage=external-dns,external-dns/owner={owner},external-dns/resource={resource}\"");
            let (name, value) = match form {
                "current" => (format!("{word}-{host}"), heritage),
                "old" => (host.to_owned(), heritage),
                "mate" => (host.to_owned(), format!("\"mate:{owner}\"")),
                "legacy" => (format!("cname-{host}"), heritage),
                _ => (format!("_isthmus-{word}.{host}"), heritage),
            };
            records.push(record(&name, RecordType::Txt, values(300, &value)));
        }
        records
    })
}

pub(crate) fn zone() -> Zone {
    Zone {
        id: ZoneId::new("Z1"),
        name: DnsName::from_route53("example.org"),
        private: false,
    }
}

/// Only what Route 53 would have let anybody make.
pub(crate) fn arb_observed() -> impl Strategy<Value = Observed> {
    prop::collection::vec(arb_records(), 0..6).prop_map(|groups| {
        let mut observed = Observed::default();
        observed.zones.insert(ZoneId::new("Z1"), zone());
        observed
            .records
            .insert(ZoneId::new("Z1"), ZoneRecords::new(zone(), []));
        for record in groups.into_iter().flatten() {
            let change = change(Verb::Create(record));
            let _ = fake::apply(&mut observed, &batch_of(vec![change]));
        }
        observed
    })
}

pub(crate) fn change(verb: Verb) -> Change {
    Change {
        zone: zone().into(),
        name: verb.record().key.name.clone(),
        is_mark: false,
        counts: false,
        verb,
    }
}

pub(crate) fn batch_of(changes: Vec<Change>) -> Batch {
    let mut plan = Plan::default();
    for change in changes {
        plan.push(change, Vec::new());
    }
    batches(&plan, &Limits::default()).0.remove(0)
}

pub(crate) fn arb_flags() -> impl Strategy<Value = Flags> {
    let policy = prop::sample::select(&POLICIES[..]);
    let prefix = prop::sample::select(&PREFIXES[..]);
    let ipv6 = prop::sample::select(&["always", "dualstack"][..]);
    (policy, prefix, ipv6).prop_map(|(policy, prefix, ipv6)| {
        let flags = [
            ("policy", policy),
            ("txt-prefix", prefix),
            ("alias-ipv6", ipv6),
        ];
        flags
            .into_iter()
            .map(|(k, v)| (k.to_owned(), v.to_owned()))
            .collect()
    })
}
