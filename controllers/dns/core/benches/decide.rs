//! Time and memory of the decisions alone: `desired` and `plan` over a zone that
//! is as it should be, and over one in which everything has to change.
//!
//! `cargo bench -p dns-core --bench decide`

use std::collections::BTreeSet;
use std::time::Duration;

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

/// The time that this thread has been on a core: what others do beside it does not count.
fn on_a_core() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanos = text.split(' ').next().and_then(|text| text.parse().ok());
    Duration::from_nanos(nanos.unwrap_or(0))
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
#[allow(clippy::needless_update)] // further sources stay empty
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

/// The two worlds: one in order, and one in which the load balancer is another.
const CASES: [(&str, &str); 2] = [
    ("nothing to do", LB),
    (
        "everything changes",
        "kube-2.eu-central-1.elb.amazonaws.com",
    ),
];

/// The median time of a few runs, the memory of one, and the steps planned.
fn measure(records: usize, target: &str) -> (Duration, usize, usize) {
    let (config, snapshot, observed) = (config(), cluster(records), zone(records, target));
    let mut times = Vec::new();
    let mut steps = 0;
    let before = status("VmRSS");
    for _ in 0..if records > 10_000 { 5 } else { 21 } {
        let start = on_a_core();
        let (desired, rejections) = desired(&snapshot, &config);
        let decision = plan(&desired, &observed, &config);
        times.push(on_a_core() - start);
        assert!(rejections.is_empty() && decision.rejections.is_empty());
        steps = decision.plan.steps.len();
    }
    times.sort_unstable();
    let memory = status("VmHWM").saturating_sub(before).max(1);
    (times[times.len() / 2], memory, steps)
}

/// Measures in a process of its own, so that memory is not that of another size.
fn apart(case: usize, records: usize) -> Option<(f64, f64, String)> {
    let own = std::env::current_exe().ok()?;
    let args = ["--bench", &case.to_string(), &records.to_string()].map(str::to_owned);
    let output = std::process::Command::new(own).args(args).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let mut words = text.split_whitespace();
    let (time, memory) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    Some((time, memory, words.next()?.to_owned()))
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    if !args.iter().any(|arg| arg == "--bench") {
        println!("decide: cargo bench -p dns-core --bench decide");
        return;
    }
    let numbers: Vec<usize> = args.iter().filter_map(|arg| arg.parse().ok()).collect();
    if let [case, records] = numbers[..] {
        let (time, memory, steps) = measure(records, CASES[case].1);
        println!("{} {memory} {steps}", time.as_nanos());
        return;
    }
    for (case, (what, _)) in CASES.iter().enumerate() {
        println!("{what}:");
        let mut last = None;
        for records in [1_000, 10_000, 100_000] {
            let Some((nanos, memory, steps)) = apart(case, records) else {
                println!("  {records} records: no answer");
                continue;
            };
            let ratio = last.map_or(String::new(), |(time, bytes): (f64, f64)| {
                let (time, bytes) = (nanos / time, memory / bytes);
                format!(
                    "; ten times as many: {time:.1} times the time, {bytes:.1} times the memory"
                )
            });
            let (millis, each) = (nanos / 1e6, nanos / records as f64);
            let mega = memory / 1e6;
            println!(
                "  {records:>6} records: {millis:>8.2} ms on a core ({each:.0} ns each), {mega:.1} MB, {steps} steps{ratio}"
            );
            last = Some((nanos, memory));
        }
    }
}
