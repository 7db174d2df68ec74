//! What counts as changed by someone else.

mod world;

use std::time::Duration;

use ingress_core::*;
use isthmus_core::{Action as _, Plan};
use jiff::Timestamp;
use world::{World, certificate, config, decide, ingress, network, node};

fn now() -> Timestamp {
    "2026-11-01T12:00:00Z".parse().expect("a time")
}

fn snapshot() -> Snapshot {
    Snapshot {
        ingresses: vec![ingress("default", "shop", &["shop.example.org"])],
        nodes: vec![node("i-1"), node("i-2")],
        certificates: vec![certificate("wild", &["*.example.org"])],
        network: network(),
        ..Snapshot::default()
    }
}

/// A settled world, what was asked for, and its one load balancer changed by `hand`.
fn changed(hand: impl Fn(&mut World, &str)) -> (Snapshot, World, Settled) {
    let (mut snapshot, mut world) = (snapshot(), World::default());
    world.settle(&mut snapshot, &config(), now());
    let in_order = decide(&snapshot, &world.observed, &config(), now()).plan;
    assert!(in_order.is_empty(), "{in_order}");
    let mut settled = Settled::default();
    let (desired, _) = desired(&snapshot, &config(), now());
    settled.note(&desired, &world.observed, &in_order);
    let name = world.observed.load_balancers.keys().next().cloned();
    hand(&mut world, &name.expect("a load balancer"));
    (snapshot, world, settled)
}

fn drift(snapshot: &Snapshot, world: &World, settled: &Settled, config: &Config) -> Vec<String> {
    let run = decide(snapshot, &world.observed, config, now());
    let (desired, _) = desired(snapshot, config, now());
    let plan: &Plan<Action> = &run.plan;
    let steps = settled.drift(&desired, plan);
    steps
        .map(|step| format!("{} {}", step.action.effect().sign(), step.action))
        .collect()
}

fn idle(world: &mut World, name: &str) {
    let balancer = world.observed.load_balancers.get_mut(name).expect("there");
    let key = "idle_timeout.timeout_seconds".to_owned();
    balancer.attributes.insert(key, "4000".to_owned());
}

#[test]
fn what_nobody_asked_for_is_drift() {
    let (snapshot, world, settled) = changed(idle);
    assert_eq!(
        drift(&snapshot, &world, &settled, &config()),
        ["~ idle_timeout.timeout_seconds=60"]
    );
    let (snapshot, world, settled) = changed(|world, name| {
        world.observed.load_balancers.remove(name);
    });
    let steps = drift(&snapshot, &world, &settled, &config());
    assert_eq!(
        steps.len(),
        4,
        "a load balancer with attributes and two listeners: {steps:?}"
    );
}

#[test]
fn what_is_not_in_order_yet_is_not_remembered() {
    let (snapshot, world, mut settled) = changed(idle);
    let flags = Config {
        idle_timeout: 120,
        ..config()
    };
    let plan = decide(&snapshot, &world.observed, &flags, now()).plan;
    let (desired, _) = desired(&snapshot, &flags, now());
    settled.note(&desired, &world.observed, &plan);
    assert_eq!(drift(&snapshot, &world, &settled, &flags), [""; 0]);
    assert_eq!(drift(&snapshot, &world, &settled, &config()).len(), 1);
}

#[test]
fn who_joins_or_leaves_makes_no_drift_and_hides_none() {
    let (mut snapshot, world, settled) = changed(idle);
    let another = ingress("default", "blog", &["blog.example.org"]);
    snapshot.ingresses.push(another);
    assert_eq!(
        drift(&snapshot, &world, &settled, &config()),
        ["~ idle_timeout.timeout_seconds=60"]
    );
}

#[test]
fn what_is_asked_for_or_comes_with_time_is_no_drift() {
    let (mut snapshot, mut world, settled) = changed(|_, _| {});
    let flags = Config {
        idle_timeout: 120,
        ..config()
    };
    assert_eq!(drift(&snapshot, &world, &settled, &flags), [""; 0]);
    snapshot.nodes.pop();
    let run = decide(&snapshot, &world.observed, &config(), now());
    assert!(!run.plan.is_empty(), "a Node has gone");
    assert_eq!(drift(&snapshot, &world, &settled, &config()), [""; 0]);

    // A certificate that was needed once runs out of its grace.
    let spare = certificate("spare", &["spare.example.org"]);
    for balancer in world.observed.load_balancers.values_mut() {
        let https = balancer.listeners.get_mut(&443).expect("HTTPS");
        https.certificates.insert(spare.arn.clone());
        let tag = certificate_tag(&spare.arn);
        balancer.tags.insert(tag, "2026-11-01T10:00:00Z".to_owned());
    }
    assert!(config().grace <= Duration::from_secs(3600));
    let (settled_snapshot, _, _) = changed(|_, _| {});
    assert_eq!(
        drift(&settled_snapshot, &world, &settled, &config()),
        [""; 0]
    );
}

#[test]
fn an_alarm_is_put_back_like_the_rest() {
    const ALARM: &str = "- {AlarmName: a, ComparisonOperator: LessThanThreshold, EvaluationPeriods: 1, MetricName: M, Period: 60, Statistic: Sum, Threshold: 1}";
    let flags = Config {
        alarms: true,
        ..config()
    };
    let object = isthmus_core::ObjectRef::new("v1", "ConfigMap", "kube-system", "alarms");
    let data = std::collections::BTreeMap::from([("a".to_owned(), ALARM.to_owned())]);
    let mut snapshot = Snapshot {
        alarms: Some(AlarmSource {
            object,
            data: Some(data),
        }),
        ..snapshot()
    };
    let mut world = World::default();
    world.observed.alarms = Some(Default::default());
    world.settle(&mut snapshot, &flags, now());
    let (wanted, _) = desired(&snapshot, &flags, now());
    let in_order = decide(&snapshot, &world.observed, &flags, now()).plan;
    let mut settled = Settled::default();
    settled.note(&wanted, &world.observed, &in_order);
    let alarms = world.observed.alarms.as_mut().expect("read");
    alarms
        .values_mut()
        .for_each(|a| a.threshold = Threshold(9.0));
    let put_back = ["~ Sum of M LessThanThreshold 1 in 1 x 60s"];
    assert_eq!(drift(&snapshot, &world, &settled, &flags), put_back);

    // What could not be read when all else was in order is not taken for known.
    let mut unread = world.observed.clone();
    unread.alarms = None;
    let mut settled = Settled::default();
    settled.note(&wanted, &unread, &in_order);
    assert_eq!(drift(&snapshot, &world, &settled, &flags), [""; 0]);
}
