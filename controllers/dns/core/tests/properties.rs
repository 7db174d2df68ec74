//! What holds for every world: order, convergence, ownership, limits, names.

mod support;

use std::collections::BTreeMap;
use std::time::Duration;

use dns_core::{
    Affix, Change, DnsName, Limits, Observed, RecordData, RecordKey, RecordSet, RecordType,
    Snapshot, Source, Verb, ZoneId, ZoneRecords, batches,
};
use isthmus_core::Plan;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use support::clusters::{arb_snapshot, reversed};
use support::worlds::{PREFIXES, TYPES, arb_flags, arb_observed, change, record, values, zone};
use support::{Flags, config, decide, fake};

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
        let (_, rest) = value
            .split_once("external-dns/owner=")
            .or_else(|| value.split_once("mate:"))?;
        Some(rest.split([',', '"']).next()?.to_owned())
    };
    values.iter().filter_map(owner).collect()
}

/// Whether any TXT record near the name says that it is ours. Looser than the
/// registry's own rule, and written apart from it.
fn could_be_ours(record: &RecordSet, zone: &ZoneRecords, prefix: &str, owner: &str) -> bool {
    let name = &record.key.name;
    let word = record.key.record_type.as_str().to_ascii_lowercase();
    let typed = prefix.replace("%{record_type}", &word);
    let bare = prefix.replace("%{record_type}", "");
    let mut places = vec![
        format!("_isthmus-{word}.{name}"),
        name.to_string(),
        format!("{bare}{name}"),
    ];
    places.extend([
        format!("{typed}{name}"),
        format!("{bare}{word}-{name}"),
        format!("{bare}cname-{name}"),
    ]);
    places.push(format!(
        "{}{name}",
        prefix.replace("%{record_type}", "cname")
    ));
    places.iter().any(|place| {
        let key = RecordKey {
            name: DnsName::from_route53(place),
            record_type: RecordType::Txt,
            set_identifier: record.key.set_identifier.clone(),
        };
        zone.records
            .get(&key)
            .is_some_and(|txt| owner_in(txt).contains(&owner.to_owned()))
    })
}

/// The same 400 worlds each time, so that a change is judged and not luck.
/// `PROPTEST_CASES=20000` looks at as many others, new ones each time.
fn cases() -> ProptestConfig {
    match std::env::var("PROPTEST_CASES") {
        Ok(_) => ProptestConfig::default(),
        Err(_) => ProptestConfig {
            cases: 400,
            rng_seed: RngSeed::Fixed(53),
            ..ProptestConfig::default()
        },
    }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn the_order_of_objects_makes_no_difference(snapshot in arb_snapshot(), observed in arb_observed(), flags in arb_flags()) {
        let config = config(&flags);
        let (straight, told) = decide(&snapshot, &observed, &config, Duration::ZERO);
        let (again, told_again) = decide(&reversed(&snapshot), &observed, &config, Duration::ZERO);
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
        let (asked, _) = dns_core::desired(&snapshot, &config(&flags));
        let handed_over = |name: &DnsName| flags["adopt-from-owner"] == "other" && asked.names.contains_key(name);
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
                let other = handed_over(&step.action.name).then_some("other");
                let ours = owner_in(before).iter().all(|owner| owner == "default" || Some(owner.as_str()) == other);
                prop_assert!(ours && !owner_in(before).is_empty(), "{}", step);
            } else {
                let prefix = &flags["txt-prefix"];
                let other = handed_over(&step.action.name) && could_be_ours(before, zone, prefix, "other");
                prop_assert!(other || could_be_ours(before, zone, prefix, "default"), "{step}");
            }
        }
    }

    #[test]
    fn no_record_is_left_without_its_mark_nor_a_mark_without_its_record(
        mut snapshot in arb_snapshot(), prefix in prop::sample::select(&PREFIXES[..]),
    ) {
        snapshot.unavailable.clear();
        let types = ("managed-record-types".to_owned(), TYPES[1].to_owned());
        let flags = Flags::from([("policy".to_owned(), "sync".to_owned()), ("txt-prefix".to_owned(), prefix.to_owned()), types]);
        let config = config(&flags);
        let mut world = Observed::default();
        world.zones.insert(ZoneId::new("Z1"), zone());
        world.records.insert(ZoneId::new("Z1"), ZoneRecords::new(zone(), []));
        let (decision, _) = decide(&snapshot, &world, &config, Duration::from_secs(300));
        carry_out(&mut world, &decision.plan);
        let records = &world.records[&ZoneId::new("Z1")];
        for record in records.records.values().filter(|record| !config.registry.is_mark(record)) {
            prop_assert!(config.registry.claim(record, records).is_ours(), "{}", record.key);
        }
        let (decision, _) = decide(&Snapshot::default(), &world, &config, Duration::from_secs(300));
        prop_assume!(decision.plan.active().count() == decision.plan.steps.len());
        carry_out(&mut world, &decision.plan);
        prop_assert!(world.records[&ZoneId::new("Z1")].records.is_empty(), "all gone again");
    }

    #[test]
    fn a_source_that_cannot_be_asked_loses_nothing(
        mut snapshot in arb_snapshot(), observed in arb_observed(), flags in arb_flags(),
    ) {
        // What is left of it when its kind is deleted, while others want its names.
        snapshot.dns_endpoints.clear();
        snapshot.unavailable.insert(Source::Crd);
        let config = config(&flags);
        let (decision, _) = decide(&snapshot, &observed, &config, Duration::from_secs(300));
        let zone = &observed.records[&ZoneId::new("Z1")];
        for step in decision.plan.active().filter(|step| !step.action.is_mark) {
            let before = match &step.action.verb {
                Verb::Create(_) => continue,
                Verb::Update { from, .. } | Verb::Replace { from, .. } | Verb::Strip { from, .. } => from,
                Verb::Delete { record, .. } => record,
            };
            let claim = config.registry.claim(before, zone);
            prop_assert_ne!(claim.resource().and_then(Source::of), Some(Source::Crd), "{}", step);
        }
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
