//! Time and memory of the decisions alone: `desired` and `plan` over a zone that
//! is as it should be, and over one in which everything has to change.
//!
//! `cargo bench -p dns-core --bench decide`

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use dns_core::snapshot::{Address, Ingress};
use dns_core::{
    Affix, Alias, AliasIpv6, AliasOptions, Config, DnsName, DomainFilter, Observed, Policy,
    RecordData, RecordKey, RecordSet, RecordType, Registry, Routing, Snapshot, SourceOptions,
    TxtRegistry, Zone, ZoneFilter, ZoneId, ZoneRecords, desired, plan,
};
use isthmus_core::ObjectRef;

/// A field of `/proc/self/status`, in bytes.
fn status(field: &str) -> usize {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(field));
    let number = line.and_then(|line| line.trim_matches([':', ' ', '\t']).split(' ').next());
    number
        .and_then(|number| number.parse::<usize>().ok())
        .unwrap_or(0)
        * 1024
}

const LB: &str = "kube-1-123.eu-central-1.elb.amazonaws.com";

fn config() -> Config {
    Config {
        policy: Policy::Sync,
        registry: Registry::Txt(TxtRegistry::new("default", Affix::default())),
        types: BTreeSet::from([RecordType::A, RecordType::Aaaa, RecordType::Cname]),
        domains: DomainFilter::default(),
        zones: ZoneFilter::default(),
        source: SourceOptions::default(),
        alias: AliasOptions {
            prefer_cname: false,
            evaluate_target_health: true,
            ipv6: AliasIpv6::Always,
        },
        min_ttl: None,
    }
}

/// As many Ingresses as `records` record sets are: each host has four.
fn cluster(records: usize) -> Snapshot {
    let ingress = |index: usize| Ingress {
        object: ObjectRef::new(
            "networking.k8s.io/v1",
            "Ingress",
            "shop",
            format!("app-{index}"),
        ),
        annotations: Default::default(),
        labels: Default::default(),
        class: None,
        rule_hosts: vec![format!("app-{index}.example.org")],
        tls_hosts: Vec::new(),
        addresses: vec![Address::Host(LB.to_owned())],
    };
    Snapshot {
        ingresses: (0..records / 4).map(ingress).collect(),
        ..Snapshot::default()
    }
}

fn record(name: &str, record_type: RecordType, data: RecordData) -> RecordSet {
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

fn zone(records: usize, target: &str) -> Observed {
    let zone = Zone {
        id: ZoneId::new("Z1"),
        name: DnsName::from_route53("example.org"),
        private: false,
    };
    let mut sets = Vec::new();
    for index in 0..records / 4 {
        let host = format!("app-{index}.example.org");
        for (record_type, word) in [(RecordType::A, "a"), (RecordType::Aaaa, "aaaa")] {
            let alias = Alias {
                target: format!("{target}."),
                zone: "Z215JYRZR1TBD5".to_owned(),
                evaluate_target_health: true,
            };
            sets.push(record(&host, record_type, RecordData::Alias(alias)));
            let mark = format!(
                "\"heritage=external-dns,external-dns/owner=default,external-dns/resource=ingress/shop/app-{index}\""
            );
            let mark = RecordData::Values {
                ttl: 300,
                values: vec![mark],
            };
            sets.push(record(&format!("{word}-{host}"), RecordType::Txt, mark));
        }
    }
    let mut observed = Observed::default();
    observed.zones.insert(zone.id.clone(), zone.clone());
    observed
        .records
        .insert(zone.id.clone(), ZoneRecords::new(zone, sets));
    observed
}

/// The median time of a few runs, the memory of one, and the steps planned.
fn measure(records: usize, target: &str) -> (Duration, usize, usize) {
    let (config, snapshot, observed) = (config(), cluster(records), zone(records, target));
    let mut times = Vec::new();
    let mut steps = 0;
    // The peak begins anew.
    let _ = std::fs::write("/proc/self/clear_refs", "5");
    let before = status("VmRSS");
    for _ in 0..if records > 10_000 { 5 } else { 21 } {
        let start = Instant::now();
        let (desired, rejections) = desired(&snapshot, &config);
        let decision = plan(&desired, &observed, &config);
        times.push(start.elapsed());
        assert!(rejections.is_empty() && decision.rejections.is_empty());
        steps = decision.plan.steps.len();
    }
    times.sort_unstable();
    let memory = status("VmHWM").saturating_sub(before).max(1);
    (times[times.len() / 2], memory, steps)
}

fn main() {
    if !std::env::args().any(|arg| arg == "--bench") {
        println!("decide: cargo bench -p dns-core --bench decide");
        return;
    }
    for (what, target) in [
        ("nothing to do", LB),
        (
            "everything changes",
            "kube-2.eu-central-1.elb.amazonaws.com",
        ),
    ] {
        println!("{what}:");
        let mut last = None;
        for records in [1_000, 10_000, 100_000] {
            let (time, memory, steps) = measure(records, target);
            let each = time.as_nanos() as f64 / records as f64;
            let ratio = last.map_or(String::new(), |(time_before, memory_before): (Duration, usize)| {
                let times = time.as_secs_f64() / time_before.as_secs_f64();
                format!("; ten times the records: {times:.1} times the time, {:.1} times the memory", memory as f64 / memory_before as f64)
            });
            println!(
                "  {records:>6} records: {time:>9.2?} ({each:.0} ns each), {:.1} MB, {steps} steps{ratio}",
                memory as f64 / 1e6
            );
            last = Some((time, memory));
        }
    }
}
