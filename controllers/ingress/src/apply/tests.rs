use std::cell::Cell;
use std::collections::BTreeMap;

use super::*;
use crate::aws::fake::FakeElb;
use ingress_core::Operation;
use ingress_core::{
    DefaultAction, IpAddressType, ListenerSpec, LoadBalancerType, NewLoadBalancer, Protocol, Scheme,
};
use isthmus_core::ErrorClass;

fn ownership() -> Ownership {
    Ownership::new(Ownership::DEFAULT_TAG_PREFIX, "kube-1", "isthmus")
}

fn object() -> ObjectRef {
    ObjectRef::new("networking.k8s.io/v1", "Ingress", "default", "shop")
}

/// A load balancer and a listener for each name.
fn plan(names: &[&str]) -> Plan<Action> {
    let mut plan = Plan::default();
    for name in names {
        let push = |plan: &mut Plan<Action>, operation| {
            let chain = (*name).to_owned();
            plan.push(Action { chain, operation }, vec![object()]);
        };
        let create = Operation::CreateLoadBalancer(NewLoadBalancer {
            name: (*name).to_owned(),
            kind: LoadBalancerType::Application,
            scheme: Scheme::Internal,
            ip_address_type: IpAddressType::Ipv4,
            security_group: Some("sg-1".to_owned()),
            subnets: BTreeMap::new(),
            tags: ownership().tags(),
        });
        push(&mut plan, create);
        let listener = Operation::CreateListener(ListenerSpec {
            load_balancer: (*name).to_owned(),
            port: 80,
            protocol: Some(Protocol::Http),
            ssl_policy: None,
            default_certificate: None,
            action: Some(DefaultAction::RedirectToHttps),
            tags: ownership().tags(),
        });
        push(&mut plan, listener);
    }
    plan
}

async fn carry_out(plan: &Plan<Action>, elb: &FakeElb, calls: usize) -> Applied {
    let left = Cell::new(calls);
    let may_call = || left.replace(left.get().saturating_sub(1)) > 0;
    let observed = elb.there.borrow().clone();
    apply(plan, &observed, &ownership(), (elb, elb, elb), may_call).await
}

#[tokio::test]
async fn a_failure_stops_its_own_chain_alone() {
    let elb = FakeElb::default();
    elb.failing
        .borrow_mut()
        .insert("CreateLoadBalancer a".to_owned());
    let applied = carry_out(&plan(&["a", "b"]), &elb, 99).await;
    assert_eq!(
        elb.said(),
        [
            "CreateLoadBalancer a",
            "CreateLoadBalancer b",
            "CreateListener b:80"
        ]
    );
    assert_eq!(applied.failed.len(), 1);
    assert_eq!(applied.failed[0].1, [object()]);
    assert_eq!(applied.calls, 3);
}

#[tokio::test]
async fn no_call_begins_after_the_order_to_stop() {
    let elb = FakeElb::default();
    let applied = carry_out(&plan(&["a", "b"]), &elb, 1).await;
    assert_eq!(elb.said(), ["CreateLoadBalancer a"]);
    assert_eq!(applied.calls, 1);
}

#[tokio::test]
async fn what_is_not_known_to_be_ours_is_not_reached() {
    let elb = FakeElb::default();
    carry_out(&plan(&["a"]), &elb, 99).await;
    elb.there
        .borrow_mut()
        .load_balancers
        .get_mut("a")
        .unwrap()
        .tags
        .clear();
    elb.said();
    let mut delete = Plan::default();
    let operation = Operation::DeleteLoadBalancer {
        load_balancer: "a".to_owned(),
    };
    delete.push(
        Action {
            chain: "a".to_owned(),
            operation,
        },
        vec![],
    );
    let applied = carry_out(&delete, &elb, 99).await;
    assert_eq!(elb.said(), Vec::<String>::new());
    assert_eq!(applied.failed[0].0.class, ErrorClass::Conflict);
}
