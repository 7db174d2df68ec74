//! All features at once: killed, refused and left without an answer at every call.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use aws_sdk_ec2::Client as Ec2;
use aws_sdk_ec2::types::Filter;
use aws_sdk_elasticloadbalancingv2::Client as Elb;
use aws_sdk_elasticloadbalancingv2::types::IpAddressType;
use isthmus_e2e::{Fault, Finished, Outcome, Scenario, Testbed, World, kill_after_every_call};
use k8s_openapi::api::core::v1::Node;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use kube::{Api, ResourceExt as _};
use serde_json::json;

use super::alarms::{self, alarms};
use super::features::{guarded, rules, web_acl};
use super::reading::{self, ingresses, load_balancers};
use super::{BINARY, CLUSTER, NO_GRACE, ingress, once, trouble, well};

/// An ALB and an NLB, with rules, a web ACL, alarms and a target group for each port.
async fn prepare(testbed: &Testbed) -> Result<Vec<String>> {
    World::create(testbed).await?;
    alarms::config(testbed, &[("health", alarms::HEALTH)]).await?;
    testbed.apply_yaml(&both(&["shop.example.org"])).await?;
    flags(testbed).await
}

async fn flags(testbed: &Testbed) -> Result<Vec<String>> {
    let acl = web_acl(testbed, "web").await?;
    let flags = [
        CLUSTER,
        NO_GRACE,
        alarms::FLAG,
        "--deny-internal-domains",
        "--alb-http-target-port=9998",
        "--nlb-http-enabled",
        &format!("--aws-waf-web-acl-id={acl}"),
    ];
    Ok(flags.map(str::to_owned).to_vec())
}

fn both(hosts: &[&str]) -> String {
    let tcp = ingress("tcp", &["tcp.example.org"], &[("type", "nlb")]);
    [ingress("shop", hosts, &[]), tcp].concat()
}

/// The ids of the web ACL and the VPC are others each time.
fn without_ids(text: &str) -> String {
    let mut parts = text.split("webacl/web/");
    let first = parts.next().unwrap_or_default().to_owned();
    let text = parts.fold(first, |text, part| {
        let end = part.find('"').unwrap_or(part.len());
        format!("{text}webacl/web/{}", &part[end..])
    });
    // The lists go by names, which have the id of the VPC in them.
    let is_group = |line: &&str| line.starts_with("target group ");
    let (mut groups, rest): (Vec<&str>, Vec<&str>) = text.lines().partition(is_group);
    groups.sort_unstable();
    [rest, groups].concat().join("\n")
}

async fn end_state(testbed: &Testbed) -> Result<String> {
    let text = reading::end_state(testbed).await?;
    let alarms = alarms(testbed).await?;
    let alarms: Vec<_> = alarms
        .iter()
        .map(|alarm| (alarm.alarm_name(), alarm.threshold()))
        .collect();
    let rules = rules(testbed).await?;
    Ok(format!("{}\n{rules:?} {alarms:?}", without_ids(&text)))
}

#[tokio::test]
async fn killed_after_every_call_of_a_creation_with_everything() -> Result<()> {
    let testbed = Testbed::acquire().await?;
    let scenario = Scenario {
        binary: BINARY,
        prepare,
        end_state,
    };
    let report = kill_after_every_call(&testbed, scenario).await?;
    let state = &report.end_state;
    for part in [
        "Network",
        "9998",
        "443 1 [\\\"*.cluster.local\\\"] 401",
        "webacl/web/",
        "no-healthy-backends",
        "ingress tcp [\"kube-public-",
    ] {
        assert!(state.contains(part), "{part} is not in\n{state}");
    }
    Ok(())
}

/// Every call that changes something in the three phases of a life.
const WRITES: [&str; 26] = [
    "CreateTargetGroup",
    "RegisterTargets",
    "CreateLoadBalancer",
    "ModifyLoadBalancerAttributes",
    "CreateListener",
    "CreateRule",
    "AssociateWebACL",
    "PutMetricAlarm",
    "ModifyTargetGroup",
    "ModifyTargetGroupAttributes",
    "DeregisterTargets",
    "SetSecurityGroups",
    "SetSubnets",
    "SetIpAddressType",
    "ModifyListener",
    "AddListenerCertificates",
    "RemoveListenerCertificates",
    "ModifyRule",
    "AddTags",
    "RemoveTags",
    "DeleteRule",
    "DisassociateWebACL",
    "DeleteAlarms",
    "DeleteListener",
    "DeleteLoadBalancer",
    "DeleteTargetGroup",
];

/// What goes wrong in one life.
#[derive(Clone, Debug)]
enum Trouble {
    None,
    /// In each phase the first call of these writes.
    EachPhase(fn(&str) -> Fault, Vec<&'static str>),
    /// The first call of some writes is never answered.
    Silence(Vec<&'static str>),
}

impl Trouble {
    fn begin(&self, testbed: &Testbed, phase: usize) {
        let faults: Vec<Fault> = match self {
            Self::None => Vec::new(),
            Self::EachPhase(fault, actions) => actions.iter().map(|a| fault(a)).collect(),
            Self::Silence(_) if phase > 0 => Vec::new(),
            Self::Silence(actions) => actions.iter().map(|a| Fault::timeout(a)).collect(),
        };
        faults.into_iter().for_each(|f| testbed.gate.fault(f));
    }
}

/// A creation, an update, the end of the features and a deletion; what there is
/// after each.
async fn life(testbed: &Testbed, flags: &[String], trouble: &Trouble) -> Result<[String; 4]> {
    let flags: Vec<&str> = flags.iter().skip(1).map(String::as_str).collect();
    let phase = async |n: usize, flags: &[&str]| {
        trouble.begin(testbed, n);
        let ended = well(testbed, flags).await;
        ended.with_context(|| format!("{trouble:?}, phase {n}"))?;
        end_state(testbed).await
    };
    testbed.gate.clear();
    testbed.apply_yaml(&both(&["blog.example.org"])).await?;
    let made = phase(0, &flags).await?;
    let another = both(&["blog.example.org", "shop.example.org"]);
    testbed.apply_yaml(&another).await?;
    exclude_a_node(testbed, json!("")).await?;
    change_by_hand(testbed).await?;
    let update = [
        "--internal-domains=*.internal",
        "--idle-connection-timeout=2m",
        "--deregistration-delay-timeout=30s",
        "--health-check-interval=20s",
        "--additional-stack-tags=team=web",
    ];
    let updated = phase(1, &[&flags[..], &update].concat()).await?;
    testbed.apply_yaml(&both(&["blog.example.org"])).await?;
    let bare = phase(2, &[NO_GRACE]).await?;
    for name in ["shop", "tcp"] {
        ingresses(testbed)
            .delete(name, &DeleteParams::default())
            .await?;
    }
    let gone = phase(3, &[NO_GRACE]).await?;
    testbed.gate.clear_faults();
    exclude_a_node(testbed, json!(null)).await?;
    Ok([made, updated, bare, gone])
}

/// Sets the label that takes a Node out of the target groups, or takes it away.
async fn exclude_a_node(testbed: &Testbed, label: serde_json::Value) -> Result<()> {
    const LABEL: &str = "node.kubernetes.io/exclude-from-external-load-balancers";
    let nodes: Api<Node> = Api::all(testbed.kube());
    let listed = nodes.list(&ListParams::default()).await?;
    let first = listed.items.first().context("a Node")?.name_any();
    let patch = json!({"metadata": {"labels": {LABEL: label}}});
    let (as_is, patch) = (PatchParams::default(), Patch::Merge(&patch));
    nodes.patch(&first, &as_is, &patch).await?;
    Ok(())
}

/// Security group, subnets and addresses of the ALB become others.
async fn change_by_hand(testbed: &Testbed) -> Result<()> {
    let elb = Elb::new(testbed.sdk());
    let balancers = load_balancers(testbed).await?;
    let mut albs = balancers.iter().filter(|b| !b.security_groups().is_empty());
    let alb = albs.next().context("an ALB")?;
    let arn = alb.load_balancer_arn().unwrap_or_default();
    let in_vpc = Filter::builder()
        .name("vpc-id")
        .values(alb.vpc_id().unwrap_or_default())
        .build();
    let groups = Ec2::new(testbed.sdk()).describe_security_groups();
    let groups = groups.filters(in_vpc).send().await?;
    let mut groups = groups.security_groups().iter().filter_map(|g| g.group_id());
    let other = groups.find(|id| !alb.security_groups().iter().any(|own| own == id));
    let other = other.context("another security group")?;
    let set = elb.set_security_groups().load_balancer_arn(arn);
    set.security_groups(other).send().await?;
    let subnets = alb.availability_zones().iter().take(2);
    let subnets = subnets.filter_map(|zone| zone.subnet_id.clone()).collect();
    let set = elb.set_subnets().load_balancer_arn(arn);
    set.set_subnets(Some(subnets)).send().await?;
    let set = elb.set_ip_address_type().load_balancer_arn(arn);
    set.ip_address_type(IpAddressType::Dualstack).send().await?;
    Ok(())
}

#[tokio::test]
async fn any_fault_on_any_write_of_a_whole_life_is_overcome() -> Result<()> {
    let testbed = Testbed::acquire().await?;
    let flags = prepare(&testbed).await?;
    let expected = life(&testbed, &flags, &Trouble::None).await?;
    assert!(expected[0].contains("no-healthy-backends"), "{expected:?}");
    assert!(expected[1].contains("*.internal"), "{expected:?}");
    assert!(
        expected[2].ends_with(
            "
[] []"
        ),
        "{expected:?}"
    );
    assert_eq!(
        expected[3],
        "
[] []"
    );
    let writes = testbed.gate.writes();
    let writes: BTreeSet<&str> = writes.iter().map(|call| call.action.as_str()).collect();
    assert_eq!(writes, BTreeSet::from(WRITES));

    // The client waits fifteen seconds for each that is not answered.
    let silences = WRITES.chunks(7).map(|some| Trouble::Silence(some.to_vec()));
    let kinds: [fn(&str) -> Fault; 4] = [
        Fault::throttle,
        Fault::internal_error,
        Fault::cut,
        Fault::lost_answer,
    ];
    let kinds = kinds.map(|fault| Trouble::EachPhase(fault, WRITES.to_vec()));
    // The client does not try these again, and a single run gives up after five
    // failures in a row.
    let every_second = |from| WRITES.into_iter().skip(from).step_by(2).collect();
    let malformed = [0, 1].map(|from| Trouble::EachPhase(Fault::malformed, every_second(from)));
    let lives: Vec<_> = silences.chain(kinds).chain(malformed).collect();
    let work = async |testbed: &Testbed, flags: &Vec<String>, trouble: &Trouble| {
        let found = life(testbed, flags, trouble).await?;
        assert_eq!(found, expected, "{trouble:?}");
        if let Trouble::Silence(actions) = trouble {
            for action in actions {
                let calls = testbed.gate.calls_of(action);
                let silent = calls.iter().filter(|call| call.outcome == Outcome::Faulted);
                assert_eq!(silent.count(), 1, "{action}: {calls:?}");
            }
        }
        Ok(())
    };
    let anew = async |testbed: &Testbed| {
        testbed.wipe().await?;
        prepare(testbed).await
    };
    testbed.share(&lives, anew, work).await
}

/// Every read of a run with everything on.
fn reads() -> Vec<&'static str> {
    let more = ["DescribeRules", "ListResourcesForWebACL", "DescribeAlarms"];
    [&trouble::READS[..], &more].concat()
}

/// A settled world, and runs on it in which reads go wrong: nothing may change.
async fn undisturbed(rounds: &[Vec<Fault>]) -> Result<()> {
    let testbed = Testbed::acquire().await?;
    let settle = async |testbed: &Testbed| {
        let flags = prepare(testbed).await?;
        run(testbed, &flags).await?;
        Ok((flags, end_state(testbed).await?))
    };
    let work = async |testbed: &Testbed, settled: &(Vec<String>, String), faults: &Vec<Fault>| {
        let (flags, expected) = settled;
        testbed.gate.clear();
        faults.iter().for_each(|f| testbed.gate.fault(f.clone()));
        // What AWS denies is said and not tried again.
        let finished = run(testbed, flags).await?;
        testbed.gate.clear_faults();
        let mut writes = testbed.gate.writes();
        // It takes a web ACL that it cannot see for gone, and gives it again.
        writes.retain(|call| call.action != "AssociateWebACL");
        assert!(
            writes.is_empty(),
            "{faults:?}: {writes:?}
{finished}"
        );
        assert_eq!(end_state(testbed).await?, *expected, "{faults:?}");
        testbed.gate.clear();
        let finished = run(testbed, flags).await?;
        assert_eq!(finished.code, Some(0), "{finished}");
        for action in reads() {
            assert!(!testbed.gate.calls_of(action).is_empty(), "{action}");
        }
        Ok(())
    };
    testbed.share(rounds, settle, work).await
}

async fn run(testbed: &Testbed, flags: &[String]) -> Result<Finished> {
    let flags: Vec<&str> = flags.iter().skip(1).map(String::as_str).collect();
    once(testbed, &flags).await
}

#[tokio::test]
async fn a_read_that_fails_with_everything_on_changes_nothing() -> Result<()> {
    let kinds: [fn(&str) -> Fault; 6] = [
        Fault::throttle,
        Fault::internal_error,
        Fault::cut,
        Fault::lost_answer,
        Fault::malformed,
        Fault::denied,
    ];
    let all = |fault: fn(&str) -> Fault| reads().into_iter().map(fault).collect();
    undisturbed(&kinds.map(all)).await
}

#[tokio::test]
async fn a_read_that_is_never_answered_changes_nothing() -> Result<()> {
    // The client waits fifteen seconds for each.
    let some = |reads: &[&str]| reads.iter().map(|action| Fault::timeout(action)).collect();
    let rounds: Vec<_> = reads().chunks(5).map(some).collect();
    undisturbed(&rounds).await
}

#[tokio::test]
async fn a_web_acl_guards_what_it_is_given_to_alone() -> Result<()> {
    let testbed = Testbed::acquire().await?;
    let flags = prepare(&testbed).await?;
    let acl = flags.last().and_then(|flag| flag.split_once('='));
    let (_, acl) = acl.context("a web ACL")?;
    let flags: Vec<&str> = flags.iter().skip(1).map(String::as_str).collect();
    well(&testbed, &flags).await?;
    assert_eq!(load_balancers(&testbed).await?.len(), 2);
    assert_eq!(guarded(&testbed, acl).await?, 1, "the ALB and not the NLB");
    Ok(())
}
