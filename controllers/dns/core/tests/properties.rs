//! What holds for every world: order, convergence, ownership, limits, names.

mod support;

use std::collections::BTreeMap;
use std::time::Duration;

use dns_core::snapshot::{Address, Ingress};
use dns_core::{
    Affix, Alias, Batch, Change, DnsName, Limits, Observed, RecordData, RecordKey, RecordSet, RecordType, Routing,
    Snapshot, Verb, Zone, ZoneId, ZoneRecords, batches,
};
use isthmus_core::{ObjectRef, Plan};
use proptest::prelude::*;
use support::{Flags, config, decide, fake};

const HOSTS: [&str; 8] = [
    "example.org",
    "shop.example.org",
    "a-shop.example.org",
    "cname-shop.example.org",
    "*.example.org",
    "team.example.org",
    "a-team.example.org",
    "x23456789012345678901234567890123456789012345678901234567890123.example.org",
];
const TARGETS: [&str; 6] = [
    "192.0.2.1",
    "192.0.2.2",
    "2001:db8::1",
    "lb.example.com",
    "kube-1.eu-central-1.elb.amazonaws.com",
    "kube-2.eu-central-1.elb.amazonaws.com",
];
const POLICIES: [&str; 3] = ["sync", "upsert-only", "create-only"];
const PREFIXES: [&str; 4] = ["", "txt.", "txt-", "%{record_type}."];

fn arb_ingress() -> impl Strategy<Value = Ingress> {
    let hosts = prop::collection::vec(prop::sample::select(&HOSTS[..]), 1..4);
    let targets = prop::collection::vec(prop::sample::select(&TARGETS[..]), 0..3);
    let annotations = prop::option::weighted(0.2, prop::sample::select(&["60", "soon"][..]));
    ("[a-e]", hosts, targets, annotations).prop_map(|(name, hosts, targets, ttl)| Ingress {
        object: ObjectRef::new("networking.k8s.io/v1", "Ingress", "shop", name),
        annotations: ttl
            .map(|ttl| ("external-dns.alpha.kubernetes.io/ttl".to_owned(), ttl.to_owned()))
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

fn arb_snapshot() -> impl Strategy<Value = Snapshot> {
    prop::collection::vec(arb_ingress(), 0..5).prop_map(|mut ingresses| {
        ingresses.sort_by(|a, b| a.object.cmp(&b.object));
        ingresses.dedup_by(|a, b| a.object == b.object);
        Snapshot { ingresses }
    })
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

fn values(ttl: u32, value: &str) -> RecordData {
    RecordData::Values {
        ttl,
        values: vec![value.to_owned()],
    }
}

/// Records of a name as somebody may have left them: types, owner and the form of the mark.
fn arb_records() -> impl Strategy<Value = Vec<RecordSet>> {
    let host = prop::sample::select(&HOSTS[..]);
    let target = prop::sample::select(&TARGETS[..]);
    let owner = prop::option::of(prop::sample::select(&["default", "other"][..]));
    let form = prop::sample::select(&["current", "old", "mate", "legacy", "own"][..]);
    let resource = prop::sample::select(&["ingress/shop/a", "ingress/shop/b", "ingress/shop/z"][..]);
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

fn zone() -> Zone {
    Zone {
        id: ZoneId::new("Z1"),
        name: DnsName::from_route53("example.org"),
        private: false,
    }
}

/// Only what Route 53 would have let anybody make.
fn arb_observed() -> impl Strategy<Value = Observed> {
    prop::collection::vec(arb_records(), 0..6).prop_map(|groups| {
        let mut observed = Observed::default();
        observed.zones.insert(ZoneId::new("Z1"), zone());
        observed.records.insert(ZoneId::new("Z1"), ZoneRecords::new(zone(), []));
        for record in groups.into_iter().flatten() {
            let change = change(Verb::Create(record));
            let _ = fake::apply(&mut observed, &batch_of(vec![change]));
        }
        observed
    })
}

fn change(verb: Verb) -> Change {
    Change {
        zone: zone().into(),
        name: verb.record().key.name.clone(),
        is_mark: false,
        counts: false,
        verb,
    }
}

fn batch_of(changes: Vec<Change>) -> Batch {
    let mut plan = Plan::default();
    for change in changes {
        plan.push(change, Vec::new());
    }
    batches(&plan, &Limits::default()).0.remove(0)
}

fn arb_flags() -> impl Strategy<Value = Flags> {
    let policy = prop::sample::select(&POLICIES[..]);
    let prefix = prop::sample::select(&PREFIXES[..]);
    let ipv6 = prop::sample::select(&["always", "dualstack"][..]);
    (policy, prefix, ipv6).prop_map(|(policy, prefix, ipv6)| {
        let flags = [("policy", policy), ("txt-prefix", prefix), ("alias-ipv6", ipv6)];
        flags.into_iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect()
    })
}

/// Carries batches out as the shell does: what is refused is split until one name is left.
fn carry_out(observed: &mut Observed, plan: &Plan<Change>) -> usize {
    let (mut queue, _) = batches(plan, &Limits::default());
    let mut refused = 0;
    while let Some(batch) = queue.pop() {
        if let Err(words) = fake::apply(observed, &batch) {
            match batch.split(&[words]) {
                Some((first, second)) => queue.extend([second, first]),
                None => refused += 1,
            }
        }
    }
    refused
}

fn owner_in(record: &RecordSet) -> Vec<String> {
    let RecordData::Values { values, .. } = &record.data else {
        return Vec::new();
    };
    let owner = |value: &String| {
        let (_, rest) = value.split_once("external-dns/owner=").or_else(|| value.split_once("mate:"))?;
        Some(rest.split([',', '"']).next()?.to_owned())
    };
    values.iter().filter_map(owner).collect()
}

/// Whether any TXT record near the name says that it is ours. Looser than the
/// registry's own rule, and written apart from it.
fn could_be_ours(record: &RecordSet, zone: &ZoneRecords, prefix: &str) -> bool {
    let name = &record.key.name;
    let word = record.key.record_type.as_str().to_ascii_lowercase();
    let typed = prefix.replace("%{record_type}", &word);
    let bare = prefix.replace("%{record_type}", "");
    let mut places = vec![format!("_isthmus-{word}.{name}"), name.to_string(), format!("{bare}{name}")];
    places.extend([format!("{typed}{name}"), format!("{bare}{word}-{name}"), format!("{bare}cname-{name}")]);
    places.push(format!("{}{name}", prefix.replace("%{record_type}", "cname")));
    places.iter().any(|place| {
        let key = RecordKey {
            name: DnsName::from_route53(place),
            record_type: RecordType::Txt,
            set_identifier: None,
        };
        zone.records.get(&key).is_some_and(|txt| owner_in(txt).contains(&"default".to_owned()))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn the_order_of_objects_makes_no_difference(snapshot in arb_snapshot(), observed in arb_observed(), flags in arb_flags()) {
        let config = config(&flags);
        let (straight, told) = decide(&snapshot, &observed, &config, Duration::ZERO);
        let mut reversed = snapshot.clone();
        reversed.ingresses.reverse();
        for ingress in &mut reversed.ingresses {
            ingress.rule_hosts.reverse();
            ingress.addresses.reverse();
        }
        let (again, told_again) = decide(&reversed, &observed, &config, Duration::ZERO);
        prop_assert_eq!(straight.plan, again.plan);
        prop_assert_eq!(told, told_again);
    }

    #[test]
    fn a_plan_carried_out_leaves_nothing_to_do(
        snapshot in arb_snapshot(), observed in arb_observed(), flags in arb_flags(), waited in 0_u64..240,
    ) {
        let config = config(&flags);
        let waited = Duration::from_secs(waited);
        let mut world = observed;
        let (first, _) = decide(&snapshot, &world, &config, waited);
        let mut refused = carry_out(&mut world, &first.plan);
        // What had to go first may have been in the way of something else.
        let (second, _) = decide(&snapshot, &world, &config, waited);
        refused += carry_out(&mut world, &second.plan);
        let (third, told) = decide(&snapshot, &world, &config, waited);
        prop_assert_eq!(third.plan.active().count(), 0, "after\n{}and\n{}still\n{}", first.plan, second.plan, third.plan);
        prop_assert!(refused == 0 || !told.is_empty(), "a refused name is told");
    }

    #[test]
    fn what_is_not_ours_is_not_touched(snapshot in arb_snapshot(), observed in arb_observed(), flags in arb_flags()) {
        let (decision, _) = decide(&snapshot, &observed, &config(&flags), Duration::from_secs(300));
        let zone = &observed.records[&ZoneId::new("Z1")];
        for step in decision.plan.active() {
            let before = match &step.action.verb {
                Verb::Create(record) => {
                    prop_assert!(!zone.records.contains_key(&record.key), "{step}");
                    continue;
                }
                Verb::Update { from, .. } | Verb::Replace { from, .. } | Verb::Strip { from, .. } => from,
                Verb::Delete { record, .. } => record,
            };
            prop_assert_eq!(zone.records.get(&before.key), Some(before), "exactly what was read: {}", step);
            if step.action.is_mark {
                prop_assert_eq!(owner_in(before), ["default"], "{}", step);
            } else {
                prop_assert!(could_be_ours(before, zone, &flags["txt-prefix"]), "{step}");
            }
        }
    }

    #[test]
    fn no_record_is_left_without_its_mark_nor_a_mark_without_its_record(
        snapshot in arb_snapshot(), prefix in prop::sample::select(&PREFIXES[..]),
    ) {
        let flags = Flags::from([("policy".to_owned(), "sync".to_owned()), ("txt-prefix".to_owned(), prefix.to_owned())]);
        let config = config(&flags);
        let mut world = Observed::default();
        world.zones.insert(ZoneId::new("Z1"), zone());
        world.records.insert(ZoneId::new("Z1"), ZoneRecords::new(zone(), []));
        let (decision, _) = decide(&snapshot, &world, &config, Duration::from_secs(300));
        carry_out(&mut world, &decision.plan);
        let records = &world.records[&ZoneId::new("Z1")];
        for record in records.records.values().filter(|record| record.key.record_type != RecordType::Txt) {
            prop_assert!(config.registry.claim(record, records).is_ours(), "{}", record.key);
        }
        let (decision, _) = decide(&Snapshot::default(), &world, &config, Duration::from_secs(300));
        prop_assume!(decision.plan.active().count() == decision.plan.steps.len());
        carry_out(&mut world, &decision.plan);
        prop_assert!(world.records[&ZoneId::new("Z1")].records.is_empty(), "all gone again");
    }

    #[test]
    fn batches_fit_and_keep_names_together(
        sizes in prop::collection::vec((1_usize..5, 1_usize..400), 1..60), changes in 1_usize..40, chars in 50_usize..2000,
    ) {
        let mut plan = Plan::default();
        for (index, (count, length)) in sizes.iter().enumerate() {
            for part in 0..*count {
                let data = values(300, &"v".repeat(*length));
                let record = record(&format!("h{index}.example.org"), RecordType::Other(format!("T{part}")), data);
                let verb = if index % 2 == 0 { Verb::Create(record) } else { Verb::Update { from: record.clone(), to: record } };
                plan.push(change(verb), Vec::new());
            }
        }
        let limits = Limits { changes, values: 100, chars };
        let (batches, too_large) = batches(&plan, &limits);
        let mut seen = BTreeMap::new();
        for (index, batch) in batches.iter().enumerate() {
            let mut sum = [0; 3];
            for change in batch.changes() {
                sum = std::array::from_fn(|i| sum[i] + change.verb.weight()[i]);
                prop_assert_eq!(*seen.entry(change.name.clone()).or_insert(index), index, "a name is in one batch");
            }
            prop_assert!(sum[0] <= limits.changes && sum[1] <= limits.values && sum[2] <= limits.chars, "{sum:?}");
        }
        let carried: usize = batches.iter().map(|batch| batch.changes().count()).sum();
        let left: usize = too_large.iter().map(|(_, unit)| unit.changes.len()).sum();
        prop_assert_eq!(carried + left, plan.steps.len(), "nothing is lost");
    }

    #[test]
    fn registry_names_are_read_back_as_external_dns_reads_them(
        label in "[b-z0-9][a-z0-9]{0,8}", zone in "[a-z]{2,5}\\.org",
        prefix in prop::sample::select(&["", "txt.", "txt-", "%{record_type}.", "p%{record_type}-"][..]),
        record_type in prop::sample::select(&RecordType::KNOWN[..3]),
    ) {
        let host = DnsName::from_route53(&format!("{label}.{zone}"));
        let written = Affix::new(prefix, "", "").current(&host, &record_type);
        prop_assert_eq!(read_back(written.as_str(), prefix), Some((record_type.as_str().to_owned(), host.to_string())));
    }
}

/// External-dns's way back from a registry name, for prefixes.
fn read_back(name: &str, prefix: &str) -> Option<(String, String)> {
    for record_type in ["A", "AAAA", "CNAME"] {
        let word = record_type.to_ascii_lowercase();
        let before = if prefix.contains("%{record_type}") {
            prefix.replace("%{record_type}", &word)
        } else {
            format!("{prefix}{word}-")
        };
        if let Some(host) = name.strip_prefix(&before) {
            return Some((record_type.to_owned(), host.to_owned()));
        }
    }
    None
}
