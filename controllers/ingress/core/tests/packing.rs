//! What holds of packing, whatever comes and goes.

mod world;

use std::collections::BTreeMap;

use ingress_core::*;
use isthmus_core::ObjectRef;
use jiff::Timestamp;
use proptest::prelude::*;
use world::{World, certificate, config, decide, ingress, network, node};

fn now() -> Timestamp {
    "2026-11-01T12:00:00Z".parse().expect("a time")
}

const SSL_POLICY: &str = "zalando.org/aws-load-balancer-ssl-policy";
const POLICIES: [&str; 3] = ["", "FS-2018-06", "TLS-1-0-2015-04"];

/// Hosts by number, each with a certificate of its own; and a policy.
fn any_ingresses(max: usize) -> impl Strategy<Value = BTreeMap<u8, (Vec<u8>, usize)>> {
    let hosts = prop::collection::vec(0..16_u8, 1..=max);
    prop::collection::btree_map(0..30_u8, (hosts, 0..POLICIES.len()), 1..14)
}

fn snapshot(ingresses: &BTreeMap<u8, (Vec<u8>, usize)>) -> Snapshot {
    let host = |n: &u8| format!("h{n:02}.example.org");
    let one = |(n, (hosts, policy)): (&u8, &(Vec<u8>, usize))| {
        let hosts: Vec<_> = hosts.iter().map(host).collect();
        let hosts: Vec<_> = hosts.iter().map(String::as_str).collect();
        let mut ingress = ingress("default", &format!("i{n:02}"), &hosts);
        if *policy > 0 {
            let policy = format!("ELBSecurityPolicy-{}", POLICIES[*policy]);
            ingress.annotations.insert(SSL_POLICY.to_owned(), policy);
        }
        ingress
    };
    Snapshot {
        ingresses: ingresses.iter().map(one).collect(),
        nodes: vec![node("i-1")],
        certificates: (0..16)
            .map(|n| certificate(&format!("c{n:02}"), &[&host(&n)]))
            .collect(),
        network: network(),
        ..Snapshot::default()
    }
}

fn told(snapshot: &Snapshot) -> BTreeMap<ObjectRef, Vec<StatusEntry>> {
    let told = snapshot.ingresses.iter();
    told.map(|i| (i.object.clone(), i.status.clone())).collect()
}

/// The second cluster with the statuses of the first.
fn carry_over(from: &Snapshot, to: &mut Snapshot) {
    let told = told(from);
    for ingress in &mut to.ingresses {
        ingress.status = told.get(&ingress.object).cloned().unwrap_or_default();
    }
}

/// The TLS policy of each load balancer by its name in statuses.
fn policies(world: &World) -> BTreeMap<String, Option<String>> {
    let balancers = world.observed.load_balancers.values();
    balancers
        .map(|b| (b.dns_name.clone(), b.listeners[&443].ssl_policy.clone()))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    /// One Ingress more or one less: nobody else gets another name, and nobody
    /// who names no policy sees his load balancer's become weaker.
    #[test]
    fn who_has_a_place_stays(
        ingresses in any_ingresses(3),
        (number, added) in (0..30_u8, (prop::collection::vec(0..16_u8, 1..=3), 0..POLICIES.len())),
        remove in any::<bool>(),
        max in 3..6_usize,
    ) {
        let config = Config { max_certificates: max, ..config() };
        let mut world = World::default();
        let mut before = snapshot(&ingresses);
        world.settle(&mut before, &config, now());
        let policies_before = policies(&world);
        let mut changed = ingresses.clone();
        if remove {
            let gone = *ingresses.keys().nth(usize::from(number) % ingresses.len()).expect("one");
            changed.remove(&gone);
        } else {
            changed.entry(number).or_insert(added);
        }
        let mut after = snapshot(&changed);
        carry_over(&before, &mut after);
        let earlier = told(&after);
        world.settle(&mut after, &config, now());
        let policies_after = policies(&world);
        for ingress in &after.ingresses {
            let had = &earlier[&ingress.object];
            if had.is_empty() {
                continue;
            }
            prop_assert_eq!(&ingress.status, had, "{}", ingress.object);
            let name = ingress.hostnames().next().expect("a name");
            let policy = |of: &BTreeMap<String, Option<String>>| -> SslPolicy {
                of[name].as_deref().expect("a policy").parse().expect("known")
            };
            if !remove && !ingress.annotations.contains_key(SSL_POLICY) {
                prop_assert!(policy(&policies_after).is_as_strict_as(policy(&policies_before)));
            }
        }
    }

    /// No load balancer needs more certificates than it may have, every served
    /// host has its certificate on it, and a second run finds nothing to do.
    #[test]
    fn no_load_balancer_is_overfull(
        ingresses in any_ingresses(6),
        max in 1..6_usize,
    ) {
        let config = Config { max_certificates: max, grace: std::time::Duration::ZERO, ..config() };
        let mut world = World::default();
        let mut cluster = snapshot(&ingresses);
        world.settle(&mut cluster, &config, now());
        let (desired, _) = desired(&cluster, &config, now());
        for balancer in desired.load_balancers.values() {
            prop_assert!(balancer.certificates.len() <= max);
        }
        for balancer in world.observed.load_balancers.values() {
            let https = &balancer.listeners[&443];
            let mut attached = https.certificates.clone();
            attached.extend(https.default_certificate.clone());
            prop_assert!(attached.len() <= max);
        }
        for one in &desired.ingresses {
            if let Fate::On { load_balancer, certificates, .. } = &one.fate {
                prop_assert!(certificates.is_subset(&desired.load_balancers[load_balancer].certificates));
            }
        }
        let again = decide(&cluster, &world.observed, &config, now());
        prop_assert_eq!(again.plan.active().count(), 0, "{}", again.plan);
        prop_assert!(again.statuses.changes.is_empty());
    }
}
