//! Decisions as text: every folder of `cases` is a cluster, an AWS account and the
//! plan that follows. `UPDATE_GOLDEN=1` writes the plans anew.
//!
//! * `cluster.yaml`: Ingresses and Nodes as `kubectl` shows them, and a document
//!   `kind: Flags` for flags that are not at their defaults.
//! * `aws.yaml`: the certificates, what was there before and what was changed by hand.
//! * `before.yaml`: the cluster of an hour ago, if AWS is to be in line with one.

mod cluster;
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use ingress_core::*;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use world::{World, certificate, config, decide, network};

const NOW: &str = "2026-11-01T12:00:00Z";

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Aws {
    certificates: Vec<GivenCertificate>,
    /// How long ago AWS was in line with `before.yaml`, in minutes.
    settled: Option<i64>,
    /// How long ago a controller ran on `cluster.yaml` without being carried to the end, in minutes.
    seen: Option<i64>,
    /// How many steps of the plan for `cluster.yaml` were carried out before the controller died.
    cut_off_after: Option<usize>,
    drift: Drift,
    /// The instances that `CUSTOM_FILTERS` selects.
    instances: Option<BTreeSet<String>>,
    /// Whether alarms are of interest and could be read.
    alarms_read: bool,
    /// Subnets that are not there.
    no_subnets: bool,
    /// RouteGroups could be read when AWS was in line with `before.yaml`, and not now.
    route_groups_absent: bool,
    /// IngressClasses cannot be read.
    classes_absent: bool,
    /// Only the subnets of this zone are there.
    only_zone: Option<String>,
    no_security_group: bool,
    /// The VPC as it is now, in place of the usual one.
    network: GivenNetwork,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct GivenNetwork {
    subnets: Option<Vec<GivenSubnet>>,
    security_groups: Option<Vec<GivenSecurityGroup>>,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct GivenSubnet {
    id: String,
    zone: String,
    public: bool,
    #[serde(default)]
    tags: BTreeMap<String, String>,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct GivenSecurityGroup {
    id: String,
    tags: BTreeMap<String, String>,
}

impl GivenNetwork {
    fn replace(&self, network: &mut Network) {
        let subnet = |given: GivenSubnet| Subnet {
            id: given.id,
            zone: given.zone,
            public: given.public,
            tags: given.tags,
        };
        if let Some(subnets) = &self.subnets {
            network.subnets = subnets.iter().cloned().map(subnet).collect();
        }
        let group = |given: GivenSecurityGroup| SecurityGroup {
            id: given.id,
            tags: given.tags,
        };
        if let Some(groups) = &self.security_groups {
            network.security_groups = groups.iter().cloned().map(group).collect();
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GivenCertificate {
    /// Of one in ACM.
    #[serde(default)]
    id: String,
    /// Of any other one.
    arn: Option<Arn>,
    names: Vec<String>,
    not_before: Option<Timestamp>,
    not_after: Option<Timestamp>,
    #[serde(default)]
    untrusted: bool,
    /// Not there when AWS was in line with `before.yaml`.
    #[serde(default)]
    new: bool,
    /// Not there any more.
    #[serde(default)]
    gone: bool,
}

/// What was changed by hand, on every load balancer.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Drift {
    attributes: BTreeMap<String, String>,
    security_group: Option<String>,
    ip_address_type: Option<String>,
    health_check_path: Option<String>,
    delete_listener: Option<u16>,
    untag_listener: Option<u16>,
    without_tags: bool,
    tags: BTreeMap<String, String>,
    targets: BTreeSet<String>,
    unhealthy: bool,
    /// Targets of target groups that only this run knows are not healthy yet.
    new_targets_unhealthy: bool,
    /// A rule of someone else on every listener, and its priority.
    foreign_rule: Option<u32>,
    without_rules: bool,
    /// The threshold that someone gave every alarm.
    alarm_threshold: Option<f64>,
    without_web_acl: bool,
    provisioning: bool,
    failed: bool,
}

#[test]
fn cases() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let mut cases: Vec<_> = std::fs::read_dir(folder)
        .expect("the cases")
        .map(|entry| entry.expect("readable").path())
        .collect();
    cases.sort();
    assert!(cases.len() >= 12, "only {} cases", cases.len());
    let wrong: Vec<_> = cases.iter().filter_map(|case| compare(case)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The lists of a snapshot, of which none has an order.
#[derive(Clone, Copy)]
enum Order {
    AsWritten,
    Reversed,
    Rotated,
}

impl Order {
    fn apply(self, snapshot: &mut Snapshot) {
        fn turn<T>(list: &mut [T], order: Order) {
            match order {
                Order::AsWritten => {}
                Order::Reversed => list.reverse(),
                Order::Rotated => list.rotate_left(list.len() / 2),
            }
        }
        turn(&mut snapshot.ingresses, self);
        turn(&mut snapshot.nodes, self);
        turn(&mut snapshot.certificates, self);
        turn(&mut snapshot.network.subnets, self);
    }
}

/// Every case, with everything in another order: the same plan.
#[test]
fn cases_in_every_order() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    for entry in std::fs::read_dir(folder).expect("the cases") {
        let case = entry.expect("readable").path();
        let written = run(&case, Order::AsWritten);
        for order in [Order::Reversed, Order::Rotated] {
            assert_eq!(run(&case, order), written, "{}", case.display());
        }
    }
}

fn compare(case: &Path) -> Option<String> {
    let found = run(case, Order::AsWritten);
    let golden = case.join("plan.txt");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&golden, &found).expect("writable");
        return None;
    }
    let expected = std::fs::read_to_string(&golden).unwrap_or_default();
    (found != expected).then(|| {
        format!(
            "{}: expected\n{expected}\nbut found\n{found}",
            case.display()
        )
    })
}

fn run(case: &Path, order: Order) -> String {
    let read = |name: &str| std::fs::read_to_string(case.join(name)).ok();
    let aws = read("aws.yaml").unwrap_or_default();
    let aws: Aws = serde_yaml_ng::from_str(&aws).unwrap_or_else(|e| panic!("{case:?}: {e}"));
    let now: Timestamp = NOW.parse().expect("a time");
    let ago = |minutes| now - SignedDuration::from_mins(minutes);
    let mut config = config();
    let mut world = World::default();
    world.observed.alarms = aws.alarms_read.then(BTreeMap::new);
    let mut told = BTreeMap::new();
    if let Some(before) = read("before.yaml") {
        let mut snapshot = cluster::read(&before, &mut config);
        surround(&mut snapshot, &aws, |given| !given.new);
        order.apply(&mut snapshot);
        world.settle(&mut snapshot, &config, ago(aws.settled.unwrap_or(60)));
        told = snapshot
            .ingresses
            .into_iter()
            .map(|i| (i.object, i.status))
            .collect();
        config = world::config();
    }
    let text = read("cluster.yaml").unwrap_or_else(|| panic!("{case:?} has no cluster.yaml"));
    let mut snapshot = cluster::read(&text, &mut config);
    surround(&mut snapshot, &aws, |given| !given.gone);
    aws.network.replace(&mut snapshot.network);
    snapshot.route_groups_absent = aws.route_groups_absent;
    if aws.classes_absent {
        snapshot.classes = None;
    }
    order.apply(&mut snapshot);
    for ingress in &mut snapshot.ingresses {
        if ingress.status.is_empty() {
            ingress.status = told.get(&ingress.object).cloned().unwrap_or_default();
        }
    }
    if let Some(minutes) = aws.seen {
        let run = decide(&snapshot, &world.observed, &config, ago(minutes));
        for step in run.plan.active() {
            world.apply(&step.action, ago(minutes));
        }
    }
    if let Some(steps) = aws.cut_off_after {
        let run = decide(&snapshot, &world.observed, &config, now);
        for step in run.plan.active().take(steps) {
            world.apply(&step.action, now);
        }
    }
    drift(&mut world.observed, &aws.drift);
    say(&decide(&snapshot, &world.observed, &config, now))
}

fn surround(snapshot: &mut Snapshot, aws: &Aws, there: impl Fn(&GivenCertificate) -> bool) {
    snapshot.network = network();
    snapshot.instances = aws.instances.clone();
    if let Some(zone) = &aws.only_zone {
        snapshot.network.subnets.retain(|s| s.zone == *zone);
    }
    if aws.no_subnets {
        snapshot.network.subnets.clear();
    }
    if aws.no_security_group {
        snapshot.network.security_groups.clear();
    }
    snapshot.certificates = aws
        .certificates
        .iter()
        .filter(|given| there(given))
        .map(|given| {
            let names: Vec<_> = given.names.iter().map(String::as_str).collect();
            let standard = certificate(&given.id, &names);
            Certificate {
                arn: given.arn.clone().unwrap_or_else(|| standard.arn.clone()),
                not_before: given.not_before.unwrap_or(standard.not_before),
                not_after: given.not_after.unwrap_or(standard.not_after),
                trusted: !given.untrusted,
                ..standard
            }
        })
        .collect();
}

fn drift(observed: &mut Observed, drift: &Drift) {
    for balancer in observed.load_balancers.values_mut() {
        balancer.attributes.extend(drift.attributes.clone());
        if let Some(group) = &drift.security_group {
            balancer.security_groups = BTreeSet::from([group.clone()]);
        }
        if let Some(name) = &drift.ip_address_type {
            let known = IpAddressType::NAMES.iter().find(|(n, _)| n == name);
            balancer.ip_address_type = known.map(|(_, value)| *value);
        }
        if let Some(port) = drift.delete_listener {
            balancer.listeners.remove(&port);
        }
        if let Some(listener) = drift
            .untag_listener
            .and_then(|p| balancer.listeners.get_mut(&p))
        {
            listener.tags.clear();
        }
        if drift.without_tags {
            balancer.tags.clear();
        }
        balancer.tags.extend(drift.tags.clone());
        balancer.has_web_acl &= !drift.without_web_acl;
        for listener in balancer.listeners.values_mut() {
            if drift.without_rules {
                listener.rules.clear();
            }
            if let Some(priority) = drift.foreign_rule {
                let rule = Rule {
                    arn: Arn::new("foreign"),
                    hosts: None,
                    response: None,
                    tags: BTreeMap::new(),
                };
                listener.rules.insert(priority, rule);
            }
        }
        if drift.provisioning {
            balancer.state = State::Provisioning;
        }
        if drift.failed {
            balancer.state = State::Failed;
        }
    }
    for alarm in observed.alarms.iter_mut().flat_map(|a| a.values_mut()) {
        if let Some(threshold) = drift.alarm_threshold {
            alarm.threshold = Threshold(threshold);
        }
    }
    let serving: BTreeSet<Arn> = observed
        .load_balancers
        .values()
        .flat_map(|b| b.listeners.values())
        .filter_map(|listener| listener.action.serving().cloned())
        .collect();
    for group in observed.target_groups.values_mut() {
        if drift.new_targets_unhealthy && !serving.contains(&group.arn) {
            group
                .targets
                .values_mut()
                .for_each(|health| *health = Health::NotHealthy);
        }
        if let (Some(path), Some(check)) = (&drift.health_check_path, &mut group.health_check) {
            check.path.clone_from(path);
        }
        for id in &drift.targets {
            group.targets.insert(id.clone(), Health::NotHealthy);
        }
        if drift.unhealthy {
            group
                .targets
                .values_mut()
                .for_each(|health| *health = Health::NotHealthy);
        }
    }
}

fn say(run: &world::Run) -> String {
    let mut text = format!("# plan\n{}", run.plan);
    if !run.rejections.is_empty() {
        text.push_str("\n# rejections\n");
        for rejection in &run.rejections {
            text.push_str(&format!("{rejection}\n"));
        }
    }
    let statuses = &run.statuses;
    if !statuses.changes.is_empty() {
        text.push_str("\n# status\n");
        for change in &statuses.changes {
            let entries: Vec<_> = change
                .entries
                .iter()
                .filter_map(|entry| entry.hostname.as_deref().or(entry.ip.as_deref()))
                .collect();
            text.push_str(&format!("{}: [{}]\n", change.object, entries.join(", ")));
        }
    }
    if let Some(why) = &run.withheld {
        text.push_str(&format!("\n# statuses withheld\n{why}\n"));
    }
    for (what, names) in [
        ("being set up", &statuses.provisioning),
        ("no healthy target", &statuses.unhealthy),
    ] {
        for name in names {
            text.push_str(&format!("\n# waiting\n{name}: {what}\n"));
        }
    }
    if let Some(wake) = run.wake {
        text.push_str(&format!("\n# again at\n{wake}\n"));
    }
    text
}
