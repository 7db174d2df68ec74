//! What holds for every cluster and every account.

mod world;

use std::collections::{BTreeMap, BTreeSet};

use ingress_core::*;
use isthmus_core::Action as _;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use world::{World, certificate, config, decide, ingress, network, node};

fn now() -> Timestamp {
    "2026-11-01T12:00:00Z".parse().expect("a time")
}

const PREFIX: &str = "zalando.org/aws-load-balancer-";

/// An Ingress with some hosts and some annotations, right and wrong ones.
fn any_ingress() -> impl Strategy<Value = Ingress> {
    let hosts = proptest::sample::subsequence(
        vec![
            "a.example.org",
            "b.example.org",
            "example.org",
            "a.example.com",
            "b.example.com",
            "nobody.example.net",
        ],
        0..4,
    );
    let annotations = proptest::sample::subsequence(
        vec![
            ("scheme", "internal"),
            ("shared", "false"),
            ("http2", "false"),
            ("security-group", "sg-0a"),
            ("ssl-policy", "ELBSecurityPolicy-FS-2018-06"),
            ("type", "nlb"),
        ],
        0..3,
    );
    (0..20_u8, hosts, annotations).prop_map(|(n, hosts, annotations)| Ingress {
        annotations: annotations
            .into_iter()
            .map(|(key, value)| (format!("{PREFIX}{key}"), value.to_owned()))
            .collect(),
        ..ingress("default", &format!("i{n:02}"), &hosts)
    })
}

fn any_certificates() -> impl Strategy<Value = Vec<Certificate>> {
    proptest::sample::subsequence(
        vec![
            certificate("1", &["*.example.org"]),
            certificate("2", &["a.example.org", "example.org"]),
            certificate("3", &["*.example.com"]),
            certificate("4", &["b.example.com"]),
            certificate("5", &["*.example.org", "*.example.com"]),
        ],
        0..6,
    )
}

fn any_snapshot() -> impl Strategy<Value = Snapshot> {
    let ingresses = prop::collection::vec(any_ingress(), 0..8);
    (ingresses, any_certificates(), 0..4_u8).prop_map(|(ingresses, certificates, nodes)| {
        // Names are unique in a namespace.
        let unique: BTreeMap<_, _> = ingresses
            .into_iter()
            .map(|i| (i.object.clone(), i))
            .collect();
        Snapshot {
            ingresses: unique.into_values().collect(),
            nodes: (0..nodes).map(|n| node(&format!("i-{n}"))).collect(),
            certificates,
            network: network(),
            ..Snapshot::default()
        }
    })
}

fn small_config(max_certificates: usize, grace: u64) -> Config {
    Config {
        max_certificates,
        grace: std::time::Duration::from_secs(grace),
        ..config()
    }
}

/// The second cluster with the statuses of the first.
fn carry_over(from: &Snapshot, to: &mut Snapshot) {
    let told: BTreeMap<_, _> = from
        .ingresses
        .iter()
        .map(|i| (&i.object, &i.status))
        .collect();
    for ingress in &mut to.ingresses {
        if let Some(status) = told.get(&ingress.object) {
            ingress.status = (*status).clone();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Whatever the order of Ingresses, Nodes and certificates: the same plan.
    #[test]
    fn order_means_nothing(snapshot in any_snapshot(), turn in any::<prop::sample::Index>(), max in 1..4_usize) {
        let config = small_config(max, 3600);
        let mut other = snapshot.clone();
        other.ingresses.reverse();
        other.nodes.reverse();
        other.certificates.reverse();
        other.network.subnets.reverse();
        if !other.ingresses.is_empty() {
            let by = turn.index(other.ingresses.len());
            other.ingresses.rotate_left(by);
        }
        let one = decide(&snapshot, &Observed::default(), &config, now());
        let two = decide(&other, &Observed::default(), &config, now());
        prop_assert_eq!(one.plan, two.plan);
        prop_assert_eq!(one.rejections, two.rejections);
    }

    /// From any cluster to any other: what is carried out leaves nothing to do, at
    /// once and an hour later, and the fake refuses nothing on the way.
    #[test]
    fn every_plan_converges(
        mut before in any_snapshot(),
        mut after in any_snapshot(),
        max in 1..4_usize,
        grace in prop::sample::select(vec![0_u64, 3600]),
    ) {
        let config = small_config(max, grace);
        let mut world = World::default();
        world.settle(&mut before, &config, now());
        carry_over(&before, &mut after);
        world.settle(&mut after, &config, now());
        let later = now() + SignedDuration::from_hours(2);
        world.settle(&mut after, &config, later);
        let run = decide(&after, &world.observed, &config, later);
        prop_assert_eq!(run.plan.active().count(), 0, "{}", run.plan);
        prop_assert!(run.statuses.changes.is_empty());
    }

    /// Killed after any step and started again: the same end as undisturbed.
    #[test]
    fn a_run_that_was_cut_off_is_taken_up(
        mut before in any_snapshot(),
        mut after in any_snapshot(),
        steps in 0..40_usize,
    ) {
        let config = small_config(3, 0);
        let mut undisturbed = World::default();
        undisturbed.settle(&mut before, &config, now());
        carry_over(&before, &mut after);
        let mut disturbed = undisturbed.clone();
        let run = decide(&after, &disturbed.observed, &config, now());
        for step in run.plan.active().take(steps) {
            disturbed.apply(&step.action, now());
        }
        let mut again = after.clone();
        undisturbed.settle(&mut after, &config, now());
        disturbed.settle(&mut again, &config, now());
        prop_assert_eq!(without_arns(&undisturbed.observed), without_arns(&disturbed.observed));
        prop_assert_eq!(after.ingresses, again.ingresses);
    }

    /// What has lost our marks is never touched again: the fake panics if it is.
    #[test]
    fn nothing_without_our_marks_is_touched(
        mut before in any_snapshot(),
        mut after in any_snapshot(),
        foreign in prop::collection::vec(any::<bool>(), 24),
    ) {
        let config = small_config(2, 0);
        let mut world = World::default();
        world.settle(&mut before, &config, now());
        carry_over(&before, &mut after);
        let mut foreign = foreign.into_iter().cycle();
        for balancer in world.observed.load_balancers.values_mut() {
            if foreign.next() == Some(true) {
                balancer.tags.clear();
            }
            for listener in balancer.listeners.values_mut() {
                if foreign.next() == Some(true) {
                    listener.tags.clear();
                }
            }
        }
        for group in world.observed.target_groups.values_mut() {
            if foreign.next() == Some(true) {
                group.tags.insert("kubernetes:application".into(), "another".into());
            }
        }
        let kept = foreign_names(&world.observed);
        for _ in 0..3 {
            let run = decide(&after, &world.observed, &config, now());
            for step in run.plan.active() {
                world.apply(&step.action, now());
            }
        }
        prop_assert!(kept.is_subset(&foreign_names(&world.observed)));
    }

    /// A certificate that an Ingress needs is attached before any other is
    /// detached, and the default one stays while it is attached.
    #[test]
    fn certificates_are_attached_first(
        mut before in any_snapshot(),
        mut after in any_snapshot(),
    ) {
        let config = small_config(24, 0);
        let mut world = World::default();
        world.settle(&mut before, &config, now());
        carry_over(&before, &mut after);
        let run = decide(&after, &world.observed, &config, now());
        let mut detached: BTreeSet<&str> = BTreeSet::new();
        for step in run.plan.active() {
            let chain = step.action.chain.as_str();
            match step.action.operation {
                Operation::Detach { .. } => {
                    detached.insert(chain);
                }
                Operation::Attach { .. } => prop_assert!(!detached.contains(chain), "{}", run.plan),
                _ => {}
            }
            prop_assert!(step.action.name().len() <= 36);
        }
    }
}

fn foreign_names(observed: &Observed) -> BTreeSet<String> {
    let ownership = world::ownership();
    let balancers = observed
        .load_balancers
        .iter()
        .map(|(name, b)| (name, &b.tags));
    let groups = observed
        .target_groups
        .iter()
        .map(|(name, g)| (name, &g.tags));
    balancers
        .chain(groups)
        .filter(|(_, tags)| !is_ours(&ownership, tags))
        .map(|(name, _)| name.clone())
        .collect()
}

/// ARNs count up in the order of creation, which a restart may change.
fn without_arns(observed: &Observed) -> Observed {
    let mut observed = observed.clone();
    let names: BTreeMap<Arn, String> = observed
        .target_groups
        .iter()
        .map(|(name, group)| (group.arn.clone(), name.clone()))
        .chain(
            observed
                .load_balancers
                .iter()
                .map(|(name, b)| (b.arn.clone(), name.clone())),
        )
        .collect();
    let plain = |arn: &Arn| Arn::new(names.get(arn).map_or("", String::as_str));
    for balancer in observed.load_balancers.values_mut() {
        balancer.arn = plain(&balancer.arn);
        for listener in balancer.listeners.values_mut() {
            listener.arn = Arn::new("");
            if let ListenerAction::Forward(group) = &listener.action {
                listener.action = ListenerAction::Forward(plain(group));
            }
        }
    }
    for group in observed.target_groups.values_mut() {
        group.arn = plain(&group.arn);
        group.load_balancers = group.load_balancers.iter().map(plain).collect();
    }
    observed
}
