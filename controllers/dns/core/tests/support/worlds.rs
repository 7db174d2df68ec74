//! Clusters and zones as they may be, for property tests.

use dns_core::routing::Failover;
use dns_core::{
    Alias, Batch, Change, DnsName, Limits, Observed, RecordData, RecordKey, RecordSet, RecordType,
    Routing, Verb, Zone, ZoneId, ZoneRecords, batches,
};
use isthmus_core::Plan;
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
pub(crate) const TYPES: [&str; 2] = ["A,AAAA,CNAME", "A,AAAA,CNAME,SRV,TXT"];
pub(crate) const PREFIXES: [&str; 4] = ["", "txt.", "txt-", "%{record_type}."];

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

const RESOURCES: [&str; 6] = [
    "ingress/shop/a",
    "ingress/shop/z",
    "service/shop/a",
    "routegroup/shop/b",
    "crd/shop/c",
    "crd/shop/z",
];
const FORMS: [&str; 5] = ["current", "old", "mate", "legacy", "own"];

/// A set identifier with its policy, as one of the objects may ask for it.
pub(crate) fn policy(set: &str) -> (Option<String>, Routing) {
    let routing = match set {
        "" => return (None, Routing::Simple),
        "w1" | "w2" => Routing::Weighted(10),
        "l1" => Routing::Latency("eu-central-1".to_owned()),
        "f1" => Routing::Failover(Failover::Primary),
        "f2" => Routing::Failover(Failover::Secondary),
        _ => Routing::MultiValue,
    };
    (Some(set.to_owned()), routing)
}

pub(crate) const SETS: [&str; 10] = ["", "", "", "", "w1", "w2", "l1", "m1", "f1", "f2"];

fn data(target: &str) -> (RecordType, RecordData) {
    if let Some(text) = target.strip_prefix("text:") {
        return (RecordType::Txt, values(300, &format!("\"{text}\"")));
    }
    match target.parse::<std::net::IpAddr>() {
        Ok(ip) if ip.is_ipv4() => (RecordType::A, values(300, target)),
        Ok(_) => (RecordType::Aaaa, values(300, target)),
        Err(_) if target.contains("amazonaws") => {
            let alias = Alias {
                target: format!("{target}."),
                zone: "Z215JYRZR1TBD5".into(),
                evaluate_target_health: true,
            };
            (RecordType::A, RecordData::Alias(alias))
        }
        Err(_) => (RecordType::Cname, values(300, target)),
    }
}

/// Records of a name as somebody may have left them: types, policy, owner and
/// the form of the mark.
pub(crate) fn arb_records() -> impl Strategy<Value = Vec<RecordSet>> {
    let host = prop::sample::select(&HOSTS[..]);
    let targets: Vec<&str> = TARGETS.iter().copied().chain(["text:hello"]).collect();
    let what = (
        prop::sample::select(targets),
        prop::sample::select(&SETS[..]),
    );
    let owner = prop::option::of(prop::sample::select(&["default", "other"][..]));
    let form = prop::sample::select(&FORMS[..]);
    let resource = prop::sample::select(&RESOURCES[..]);
    (host, what, owner, form, resource, any::<bool>()).prop_map(
        |(host, (target, set), owner, form, resource, both)| {
            let (record_type, data) = data(target);
            let word = record_type.as_str().to_ascii_lowercase();
            let mut records = vec![record(host, record_type, data.clone())];
            if data.is_alias() && both {
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
            for record in &mut records {
                (record.key.set_identifier, record.routing) = policy(set);
            }
            records
        },
    )
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
    let types = prop::sample::select(&TYPES[..]);
    let adopt = prop::sample::select(&["", "", "other"][..]);
    let key = prop::sample::select(&["", "0123456789abcdef0123456789ABCDEF"][..]);
    let all = (policy, prefix, ipv6, types, adopt, key);
    all.prop_map(|(policy, prefix, ipv6, types, adopt, key)| {
        let flags = [
            ("policy", policy),
            ("txt-prefix", prefix),
            ("alias-ipv6", ipv6),
            ("managed-record-types", types),
            ("adopt-from-owner", adopt),
            ("txt-encrypt-aes-key", key),
            ("txt-encrypt-enabled", "true"),
        ];
        flags
            .into_iter()
            .map(|(k, v)| (k.to_owned(), v.to_owned()))
            .collect()
    })
}
