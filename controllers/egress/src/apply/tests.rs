//! What one failure does to the other steps. What EC2 itself does is tested
//! end to end, against the emulator.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use egress_core::{Handle, Observed, Vpc, Zone};
use isthmus_core::Ownership;

use super::*;
use crate::aws::FoundVpc;
use crate::error::ObserveError;

/// Answers calls by their kind and writes them down.
#[derive(Default)]
struct Script {
    calls: Mutex<Vec<Call>>,
    fail: Vec<(&'static str, ErrorClass, Ec2ErrorKind)>,
}

impl Ec2 for Script {
    async fn vpcs(&self, _: Option<&str>) -> Result<Vec<FoundVpc>, ObserveError> {
        Err(ObserveError::Vpc("not scripted".into()))
    }
    async fn observe(&self, _: Vpc) -> Result<Observed, ObserveError> {
        Err(ObserveError::Vpc("not scripted".into()))
    }
    async fn write(&self, call: &Call) -> Result<Option<String>, Ec2Error> {
        self.calls.lock().unwrap().push(call.clone());
        let operation = call.operation();
        match self.fail.iter().find(|(name, ..)| *name == operation) {
            Some((_, class, kind)) => Err(Ec2Error {
                operation,
                class: *class,
                kind: *kind,
                message: "Code: no".into(),
            }),
            None => Ok(operation
                .starts_with("Create")
                .then(|| format!("new-{operation}"))),
        }
    }
}

impl Script {
    fn failing(operation: &'static str, class: ErrorClass, kind: Ec2ErrorKind) -> Self {
        Self {
            fail: vec![(operation, class, kind)],
            ..Self::default()
        }
    }

    fn called(&self) -> Vec<&'static str> {
        self.calls
            .lock()
            .unwrap()
            .iter()
            .map(Call::operation)
            .collect()
    }
}

fn config() -> Config {
    Config {
        zones: vec![Zone {
            name: "zone-a".into(),
            nat_cidr: "10.0.0.0/28".parse().unwrap(),
            adopt: None,
        }],
        guards: egress_core::Guards::default(),
        max_routes_per_table: 500,
        release_addresses: false,
        keep_nat_gateways: false,
        ownership: Ownership::new(Ownership::DEFAULT_TAG_PREFIX, "kube-1", "egress"),
        additional_tags: BTreeMap::from([("team".into(), "edge".into())]),
    }
}

fn zone() -> String {
    "zone-a".into()
}

fn building() -> Vec<EgressAction> {
    vec![
        EgressAction::CreateSubnet {
            zone: zone(),
            cidr: "10.0.0.0/28".parse().unwrap(),
        },
        EgressAction::CreateRouteTable { zone: zone() },
        EgressAction::Associate {
            zone: zone(),
            table: Handle::New,
            subnet: Handle::New,
        },
        EgressAction::CreateNatGateway {
            zone: zone(),
            subnet: Handle::New,
            allocation: Handle::Existing("eipalloc-1".into()),
            previous: BTreeSet::new(),
        },
    ]
}

fn route(table: &str, network: &str) -> EgressAction {
    EgressAction::CreateRoute {
        table: table.into(),
        network: network.parse().unwrap(),
        zone: zone(),
        nat: "nat-1".into(),
    }
}

fn plan_of(actions: Vec<EgressAction>) -> Plan<EgressAction> {
    let mut plan = Plan::default();
    for action in actions {
        plan.push(
            action,
            vec![ObjectRef::new("v1", "ConfigMap", "shop", "partners")],
        );
    }
    plan
}

async fn carry_out(ec2: &Script, actions: Vec<EgressAction>) -> Done {
    let config = config();
    let site = Site {
        vpc: "vpc-1",
        config: &config,
        may_call: &|| true,
    };
    apply(ec2, &plan_of(actions), &site).await
}

#[tokio::test]
async fn what_is_made_is_used_by_later_steps_and_tagged() {
    let ec2 = Script::default();
    let done = carry_out(&ec2, building()).await;
    assert!(done.failures.is_empty());
    let calls = ec2.calls.lock().unwrap();
    assert_eq!(
        calls[2],
        Call::Associate {
            table: "new-CreateRouteTable".into(),
            subnet: "new-CreateSubnet".into()
        }
    );
    let Call::CreateNatGateway {
        subnet,
        allocation,
        token,
        tags,
    } = &calls[3]
    else {
        panic!("{:?}", calls[3]);
    };
    assert_eq!(
        (subnet.as_str(), allocation.as_str()),
        ("new-CreateSubnet", "eipalloc-1")
    );
    assert!(token.len() <= 64 && token.is_ascii(), "{token}");
    for (key, value) in [
        ("kubernetes.io/cluster/kube-1", "owned"),
        ("kubernetes:application", "egress"),
        ("isthmus.dev/zone", "zone-a"),
        ("team", "edge"),
    ] {
        assert_eq!(tags.get(key).map(String::as_str), Some(value), "{key}");
    }
}

#[tokio::test]
async fn a_failure_ends_its_zone_and_nothing_else() {
    let ec2 = Script::failing(
        "CreateRouteTable",
        ErrorClass::Transient,
        Ec2ErrorKind::Other,
    );
    let mut actions = building();
    actions.push(route("rtb-1", "203.0.113.0/24"));
    let done = carry_out(&ec2, actions).await;
    assert_eq!(
        ec2.called(),
        ["CreateSubnet", "CreateRouteTable", "CreateRoute"]
    );
    assert_eq!(done.failures.len(), 1);
    assert_eq!(
        done.failures[0].message,
        "+ route-table zone-a: CreateRouteTable: Code: no"
    );
    assert_eq!(done.told.len(), 1);
    assert_eq!(done.applied.done.len(), 1);
}

#[tokio::test]
async fn throttling_ends_everything() {
    let ec2 = Script::failing("CreateRoute", ErrorClass::Throttled, Ec2ErrorKind::Other);
    let actions = vec![
        route("rtb-1", "203.0.113.0/24"),
        route("rtb-2", "203.0.113.0/24"),
    ];
    let done = carry_out(&ec2, actions).await;
    assert_eq!(ec2.called().len(), 1);
    assert_eq!(done.failures[0].class, ErrorClass::Throttled);
}

#[tokio::test]
async fn what_is_denied_is_not_tried_again_for_each_network() {
    let ec2 = Script::failing("CreateRoute", ErrorClass::Denied, Ec2ErrorKind::Other);
    let actions = vec![
        route("rtb-1", "203.0.113.0/24"),
        route("rtb-2", "203.0.113.0/24"),
        EgressAction::DeleteRoute {
            table: "rtb-1".into(),
            network: "192.0.2.0/24".parse().unwrap(),
            nat: "nat-1".into(),
            counts: true,
        },
    ];
    let done = carry_out(&ec2, actions).await;
    assert_eq!(ec2.called(), ["CreateRoute", "DeleteRoute"]);
    assert_eq!(done.failures.len(), 1);
}

#[tokio::test]
async fn a_full_table_is_no_failure_and_is_asked_once() {
    let ec2 = Script::failing("CreateRoute", ErrorClass::Invalid, Ec2ErrorKind::RouteQuota);
    let actions = vec![
        route("rtb-1", "203.0.113.0/24"),
        route("rtb-1", "192.0.2.0/24"),
        route("rtb-2", "192.0.2.0/24"),
    ];
    let done = carry_out(&ec2, actions).await;
    assert_eq!(ec2.called().len(), 2, "once for each table");
    assert!(done.failures.is_empty());
    assert_eq!(done.applied.failed.len(), 3);
    assert!(done.applied.failed.values().all(|failure| failure.quota));
}

#[tokio::test]
async fn what_is_gone_is_deleted_and_what_is_there_is_looked_at_again() {
    let ec2 = Script::failing(
        "DisassociateRouteTable",
        ErrorClass::Conflict,
        Ec2ErrorKind::Gone,
    );
    let actions = vec![
        EgressAction::Disassociate {
            zone: zone(),
            association: "a".into(),
            table: "rtb-1".into(),
        },
        EgressAction::DeleteRouteTable {
            zone: zone(),
            table: "rtb-1".into(),
        },
    ];
    let done = carry_out(&ec2, actions).await;
    assert_eq!(ec2.called(), ["DisassociateRouteTable", "DeleteRouteTable"]);
    assert!(done.failures.is_empty());

    let ec2 = Script::failing(
        "CreateRoute",
        ErrorClass::Conflict,
        Ec2ErrorKind::AlreadyThere,
    );
    let done = carry_out(&ec2, vec![route("rtb-1", "203.0.113.0/24")]).await;
    assert!(done.failures.is_empty() && done.look_again);
    assert!(
        done.applied.done.is_empty(),
        "not known to be ours before it was seen"
    );
}

#[tokio::test]
async fn nothing_begins_after_the_end() {
    let ec2 = Script::default();
    let left = AtomicUsize::new(2);
    let may_call = || {
        let before = left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1));
        before.is_ok()
    };
    let config = config();
    let site = Site {
        vpc: "vpc-1",
        config: &config,
        may_call: &may_call,
    };
    apply(&ec2, &plan_of(building()), &site).await;
    assert_eq!(ec2.called(), ["CreateSubnet", "CreateRouteTable"]);
}
