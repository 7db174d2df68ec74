use super::*;
use crate::aws::fake::{FakeElb, VPC};
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
    }
}

fn group(name: &str, tags: Tags) -> TargetGroup {
    TargetGroup {
        arn: Arn::new(name),
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

async fn refresh(memory: &mut Memory, elb: &FakeElb, full: bool) -> Result<()> {
    let ownership = ownership();
    let scope = Scope {
        ownership: &ownership,
        vpc: VPC,
    };
    memory.refresh(elb, scope, full).await
}

#[tokio::test]
async fn at_rest_nothing_is_read() {
    let (elb, mut memory) = (elb(), Memory::default());
    refresh(&mut memory, &elb, true).await.unwrap();
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
    refresh(&mut memory, &elb, false).await.unwrap();
    assert_eq!(elb.said(), Vec::<String>::new());
}

#[tokio::test]
async fn after_a_change_only_what_changed_is_read() {
    let (elb, mut memory) = (elb(), Memory::default());
    refresh(&mut memory, &elb, true).await.unwrap();
    elb.said();
    memory.forget(["a".to_owned()]);
    refresh(&mut memory, &elb, false).await.unwrap();
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
    refresh(&mut memory, &elb, true).await.unwrap();
    elb.said();
    memory.wait_for(true, BTreeSet::new());
    elb.there
        .borrow_mut()
        .load_balancers
        .get_mut("a")
        .unwrap()
        .state = State::Active;
    refresh(&mut memory, &elb, false).await.unwrap();
    assert_eq!(elb.said(), ["DescribeLoadBalancers"]);
    assert_eq!(memory.observed().load_balancers["a"].state, State::Active);
    memory.wait_for(false, BTreeSet::from(["a-t".to_owned()]));
    refresh(&mut memory, &elb, false).await.unwrap();
    assert_eq!(elb.said(), ["DescribeTargetHealth a-t"]);
}

#[tokio::test]
async fn a_read_that_fails_changes_nothing() {
    let (elb, mut memory) = (elb(), Memory::default());
    refresh(&mut memory, &elb, true).await.unwrap();
    let before = memory.observed().clone();
    elb.there.borrow_mut().load_balancers.remove("a");
    elb.failing
        .borrow_mut()
        .insert("DescribeListeners b".to_owned());
    assert!(refresh(&mut memory, &elb, true).await.is_err());
    assert_eq!(*memory.observed(), before);
    elb.failing.borrow_mut().clear();
    refresh(&mut memory, &elb, true).await.unwrap();
    assert_eq!(*memory.observed(), *elb.there.borrow());
}
