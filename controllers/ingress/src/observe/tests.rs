use super::*;
use crate::aws::Tags;
use crate::aws::fake::{FakeElb, VPC};
use ingress_core::{Arn, Listener, ListenerAction, LoadBalancer, State, TargetGroup, WEB_ACL_TAG};
use jiff::Timestamp;

fn ownership() -> Ownership {
    Ownership::new(Ownership::DEFAULT_TAG_PREFIX, "kube-1", "isthmus")
}

fn balancer(name: &str, tags: Tags) -> LoadBalancer {
    LoadBalancer {
        arn: Arn::new(name),
        dns_name: format!("{name}.example"),
        state: State::Provisioning,
        created: Timestamp::UNIX_EPOCH,
        security_groups: BTreeSet::new(),
        subnets: BTreeMap::new(),
        tags,
        attributes: BTreeMap::new(),
        listeners: BTreeMap::new(),
        ip_address_type: None,
        has_web_acl: false,
    }
}

fn group(name: &str, tags: Tags) -> TargetGroup {
    TargetGroup {
        arn: Arn::new(name),
        kind: None,
        protocol: None,
        port: 1,
        health_check: None,
        tags,
        attributes: BTreeMap::new(),
        targets: BTreeMap::new(),
        load_balancers: BTreeSet::new(),
    }
}

/// Two load balancers of ours and one of someone else, each with a target group.
fn elb() -> FakeElb {
    let elb = FakeElb::default();
    {
        let mut there = elb.there.borrow_mut();
        for (name, tags) in [
            ("a", ownership().tags()),
            ("b", ownership().tags()),
            ("foreign", Tags::new()),
        ] {
            there
                .load_balancers
                .insert(name.to_owned(), balancer(name, tags.clone()));
            there
                .target_groups
                .insert(format!("{name}-t"), group(&format!("{name}-t"), tags));
        }
    }
    elb
}

const RESYNC: Depth = Depth::Resync(Duration::from_secs(300));

async fn refresh(memory: &mut Memory, elb: &FakeElb, depth: Depth) -> Result<()> {
    refresh_all(memory, elb, depth, false).await
}

/// With rules and alarms, if `all` says so.
async fn refresh_all(memory: &mut Memory, elb: &FakeElb, depth: Depth, all: bool) -> Result<()> {
    let ownership = ownership();
    let scope = Scope {
        ownership: &ownership,
        vpc: VPC,
        rules: all,
        alarms: all,
    };
    memory.begin();
    memory.refresh((elb, elb, elb), scope, depth).await
}

#[tokio::test]
async fn at_rest_nothing_is_read() {
    let (elb, mut memory) = (elb(), Memory::default());
    refresh(&mut memory, &elb, Depth::Everything).await.unwrap();
    assert_eq!(*memory.observed(), *elb.there.borrow());
    let first = elb.said();
    assert!(
        first.contains(&"DescribeListeners a".to_owned()),
        "{first:?}"
    );
    let of_foreign = first.iter().filter(|call| call.contains("foreign")).count();
    assert_eq!(
        of_foreign, 0,
        "what is not ours is not looked into: {first:?}"
    );
    refresh(&mut memory, &elb, Depth::Forgotten).await.unwrap();
    assert_eq!(elb.said(), Vec::<String>::new());
}

#[tokio::test]
async fn after_a_change_only_what_changed_is_read() {
    let (elb, mut memory) = (elb(), Memory::default());
    refresh(&mut memory, &elb, Depth::Everything).await.unwrap();
    elb.said();
    memory.forget(["a".to_owned()]);
    refresh(&mut memory, &elb, Depth::Forgotten).await.unwrap();
    assert_eq!(
        elb.said(),
        [
            "DescribeLoadBalancers",
            "DescribeTargetGroups",
            "DescribeTags",
            "DescribeLoadBalancerAttributes a",
            "DescribeListeners a",
        ]
    );
}

#[tokio::test]
async fn what_is_waited_for_is_read_and_no_more() {
    let (elb, mut memory) = (elb(), Memory::default());
    refresh(&mut memory, &elb, Depth::Everything).await.unwrap();
    elb.said();
    memory.wait_for(true, BTreeSet::new());
    elb.there
        .borrow_mut()
        .load_balancers
        .get_mut("a")
        .unwrap()
        .state = State::Active;
    refresh(&mut memory, &elb, Depth::Forgotten).await.unwrap();
    assert_eq!(elb.said(), ["DescribeLoadBalancers"]);
    assert_eq!(memory.observed().load_balancers["a"].state, State::Active);
    memory.wait_for(false, BTreeSet::from(["a-t".to_owned()]));
    refresh(&mut memory, &elb, Depth::Forgotten).await.unwrap();
    assert_eq!(elb.said(), ["DescribeTargetHealth a-t"]);
}

#[tokio::test]
async fn a_list_that_fails_changes_nothing() {
    let (elb, mut memory) = (elb(), Memory::default());
    refresh(&mut memory, &elb, Depth::Everything).await.unwrap();
    let before = memory.observed().clone();
    elb.there.borrow_mut().load_balancers.remove("a");
    for list in ["DescribeTargetGroups", "DescribeTags"] {
        elb.failing.borrow_mut().insert(list.to_owned());
        let read = refresh(&mut memory, &elb, Depth::Everything).await;
        assert!(read.is_err(), "{list}");
        assert_eq!(*memory.observed(), before, "{list}");
        elb.failing.borrow_mut().clear();
    }
    refresh(&mut memory, &elb, Depth::Everything).await.unwrap();
    assert_eq!(*memory.observed(), *elb.there.borrow());
}

#[tokio::test]
async fn one_that_cannot_be_read_stops_no_other() {
    let (elb, mut memory) = (elb(), Memory::default());
    let fault = "DescribeListeners a".to_owned();
    elb.failing.borrow_mut().insert(fault);
    refresh(&mut memory, &elb, Depth::Everything).await.unwrap();
    assert_eq!(memory.unread().keys().collect::<Vec<_>>(), ["a"]);
    assert_eq!(memory.failures().len(), 1);
    assert!(
        memory.observed().target_groups["b-t"]
            .load_balancers
            .is_empty()
    );
    elb.failing.borrow_mut().clear();
    elb.said();
    refresh(&mut memory, &elb, Depth::Forgotten).await.unwrap();
    let again = elb.said();
    assert!(
        again.contains(&"DescribeListeners a".to_owned()),
        "{again:?}"
    );
    assert!(
        !again.contains(&"DescribeListeners b".to_owned()),
        "{again:?}"
    );
    assert!(memory.unread().is_empty());
    assert_eq!(*memory.observed(), *elb.there.borrow());
}

/// Twenty load balancers, each with a target group.
fn many() -> FakeElb {
    let elb = FakeElb::default();
    {
        let mut there = elb.there.borrow_mut();
        for n in 0..20 {
            let (name, group_name) = (format!("b{n:02}"), format!("b{n:02}-t"));
            there
                .load_balancers
                .insert(name.clone(), balancer(&name, ownership().tags()));
            there
                .target_groups
                .insert(group_name.clone(), group(&group_name, ownership().tags()));
        }
    }
    elb
}

#[tokio::test]
async fn a_resync_reads_the_lists_and_a_share_the_oldest_first() {
    let (elb, mut memory) = (many(), Memory::default());
    refresh(&mut memory, &elb, Depth::Everything).await.unwrap();
    elb.said();
    let mut looked_into = BTreeSet::new();
    for resync in 1..=6 {
        memory.pass(Duration::from_secs(300));
        refresh(&mut memory, &elb, RESYNC).await.unwrap();
        let calls = elb.said();
        assert!(calls.len() <= 24, "resync {resync}: {calls:?}");
        let whole = calls.into_iter().filter(|call| call.contains(' '));
        looked_into.extend(whole);
    }
    for n in 0..20 {
        for call in [
            format!("DescribeListeners b{n:02}"),
            format!("DescribeTargetHealth b{n:02}-t"),
        ] {
            assert!(looked_into.contains(&call), "{call} not within six resyncs");
        }
    }
    // A run after a failure is no resync, and puts none off.
    for shares in [false, true] {
        memory.pass(Duration::from_secs(100));
        refresh(&mut memory, &elb, RESYNC).await.unwrap();
        let calls = elb.said();
        let shared = calls.iter().any(|call| call.contains(' '));
        assert_eq!(shared, shares, "{calls:?}");
    }
}

#[tokio::test]
async fn what_a_step_relies_on_is_read_before_it() {
    let (elb, mut memory) = (elb(), Memory::default());
    refresh(&mut memory, &elb, Depth::Everything).await.unwrap();
    let names = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect();
    let reliance = Reliance {
        whole: names(&["a", "new"]),
        targets: names(&["b-t"]),
    };
    assert!(!memory.doubt(&reliance), "everything was read just now");
    elb.said();
    memory.begin();
    assert!(memory.doubt(&reliance), "in a run before this one");
    let scope_of = ownership();
    let scope = Scope {
        ownership: &scope_of,
        vpc: VPC,
        rules: false,
        alarms: false,
    };
    memory
        .refresh((&elb, &elb, &elb), scope, Depth::Forgotten)
        .await
        .unwrap();
    let calls = elb.said();
    let whole: Vec<_> = calls.iter().filter(|call| call.contains(' ')).collect();
    assert_eq!(
        whole,
        [
            "DescribeLoadBalancerAttributes a",
            "DescribeListeners a",
            "DescribeTargetHealth b-t"
        ]
    );
    assert!(!memory.doubt(&reliance));
}

/// On each of the twenty two listeners, a web ACL and a second target group.
fn with_everything() -> FakeElb {
    const ACL: &str = "arn:aws:wafv2:eu-central-1:123456789012:regional/webacl/web/0a";
    let elb = many();
    let mut there = elb.there.borrow_mut();
    for (name, balancer) in &mut there.load_balancers {
        let acl = (WEB_ACL_TAG.to_owned(), ACL.to_owned());
        balancer.tags.extend([acl]);
        for (port, protocol) in [(80, "HTTP"), (443, "HTTPS")] {
            let listener = Listener {
                arn: Arn::new(format!("listener/{name}:{port}")),
                protocol: protocol.to_owned(),
                ssl_policy: None,
                action: ListenerAction::Other,
                default_certificate: (port == 443).then(|| Arn::new("certificate")),
                certificates: BTreeSet::new(),
                rules: BTreeMap::new(),
                tags: ownership().tags(),
            };
            balancer.listeners.insert(port, listener);
        }
    }
    for n in 0..20 {
        let name = format!("b{n:02}-plain");
        let second = group(&name, ownership().tags());
        there.target_groups.insert(name, second);
    }
    drop(there);
    elb
}

#[tokio::test]
async fn at_rest_everything_takes_less_than_ten_calls_a_minute() {
    const RESYNCS: usize = 12;
    // Of the VPC three calls; further pages of tags, of which the fake knows one; and
    // the two lists of certificates every half an hour.
    const MORE: usize = RESYNCS * (3 + 3) + 2 * 2;
    let (elb, mut memory) = (with_everything(), Memory::default());
    let first = refresh_all(&mut memory, &elb, Depth::Everything, true);
    first.await.unwrap();
    elb.said();
    for _ in 0..RESYNCS {
        memory.pass(Duration::from_secs(300));
        let resync = refresh_all(&mut memory, &elb, RESYNC, true);
        resync.await.unwrap();
    }
    let calls = elb.said();
    let of = |action: &str| calls.iter().filter(|call| call.starts_with(action)).count();
    assert!(
        of("DescribeRules") >= 2 * 20 * 2,
        "each twice an hour, on both listeners"
    );
    assert_eq!(of("DescribeAlarms"), RESYNCS);
    assert!(of("ListResourcesForWebACL") > 0);
    let hour = calls.len() + MORE;
    assert!(hour <= 60 * 10, "{hour} calls an hour");
}
