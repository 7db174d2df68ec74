//! All features at once: killed, refused and left without an answer at every call.

use anyhow::{Context, Result};
use isthmus_e2e::{Fault, Scenario, Testbed, World, kill_after_every_call};
use kube::api::DeleteParams;

use super::alarms::{self, alarms};
use super::features::{guarded, rules, web_acl};
use super::reading::{self, events, hostnames, ingresses, load_balancers};
use super::{BINARY, CLUSTER, NO_GRACE, ingress, once, shop, well, world};

/// An ALB and an NLB, with rules, a web ACL, alarms and a target group for each port.
async fn prepare(testbed: &Testbed) -> Result<Vec<String>> {
    World::create(testbed).await?;
    alarms::config(testbed, &[("health", alarms::HEALTH)]).await?;
    testbed.apply_yaml(&both("shop.example.org")).await?;
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

fn both(host: &str) -> String {
    let tcp = ingress("tcp", &["tcp.example.org"], &[("type", "nlb")]);
    [ingress("shop", &[host], &[]), tcp].concat()
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
const WRITES: [&str; 24] = [
    "CreateTargetGroup",
    "ModifyTargetGroup",
    "ModifyTargetGroupAttributes",
    "RegisterTargets",
    "DeregisterTargets",
    "CreateLoadBalancer",
    "ModifyLoadBalancerAttributes",
    "SetSecurityGroups",
    "CreateListener",
    "ModifyListener",
    "AddListenerCertificates",
    "RemoveListenerCertificates",
    "CreateRule",
    "ModifyRule",
    "DeleteRule",
    "AssociateWebACL",
    "PutMetricAlarm",
    "DeleteAlarms",
    "AddTags",
    "RemoveTags",
    "DeleteListener",
    "DeleteLoadBalancer",
    "DeleteTargetGroup",
    "DisassociateWebACL",
];

/// A creation, an update and a deletion; what there is after each.
async fn life(
    testbed: &Testbed,
    flags: &[String],
    fault: fn(&str) -> Fault,
) -> Result<[String; 3]> {
    let flags: Vec<&str> = flags.iter().skip(1).map(String::as_str).collect();
    let phase = async |more: &[&str]| {
        testbed.gate.clear_faults();
        WRITES
            .iter()
            .for_each(|action| testbed.gate.fault(fault(action)));
        let ended = well(testbed, &[&flags[..], more].concat()).await;
        testbed.gate.clear_faults();
        ended.with_context(|| format!("{:?}", fault("*")))?;
        end_state(testbed).await
    };
    testbed.apply_yaml(&both("shop.example.org")).await?;
    let made = phase(&[]).await?;
    testbed.apply_yaml(&both("blog.example.org")).await?;
    let update = [
        "--internal-domains=*.internal",
        "--idle-connection-timeout=2m",
        "--deregistration-delay-timeout=30s",
        "--health-check-interval=20s",
        "--additional-stack-tags=team=web",
    ];
    let updated = phase(&update).await?;
    for name in ["shop", "tcp"] {
        ingresses(testbed)
            .delete(name, &DeleteParams::default())
            .await?;
    }
    Ok([made, updated, phase(&[]).await?])
}

#[tokio::test]
async fn any_fault_on_any_write_of_a_whole_life_is_overcome() -> Result<()> {
    let testbed = Testbed::acquire().await?;
    let flags = prepare(&testbed).await?;
    let nothing = |_: &str| Fault::throttle("NoSuchAction");
    let expected = life(&testbed, &flags, nothing).await?;
    assert!(expected[0].contains("no-healthy-backends"), "{expected:?}");
    assert!(expected[1].contains("*.internal"), "{expected:?}");
    assert_eq!(expected[2], "\n[] []");
    for fault in [
        Fault::throttle,
        Fault::internal_error,
        Fault::cut,
        Fault::lost_answer,
        Fault::malformed,
    ] {
        let found = life(&testbed, &flags, fault).await?;
        assert_eq!(found, expected, "{:?}", fault("*"));
    }
    Ok(())
}

/// Every read of a run with everything on.
const READS: [&str; 17] = [
    "ListCertificates",
    "GetCertificate",
    "ListServerCertificates",
    "DescribeRouteTables",
    "DescribeSubnets",
    "DescribeSecurityGroups",
    "DescribeLoadBalancers",
    "DescribeTargetGroups",
    "DescribeTags",
    "DescribeLoadBalancerAttributes",
    "DescribeListeners",
    "DescribeListenerCertificates",
    "DescribeRules",
    "DescribeTargetGroupAttributes",
    "DescribeTargetHealth",
    "ListResourcesForWebACL",
    "DescribeAlarms",
];

/// A settled world, and runs on it in which reads go wrong: nothing may change.
async fn undisturbed(rounds: impl IntoIterator<Item = Vec<Fault>>) -> Result<()> {
    let testbed = Testbed::acquire().await?;
    let flags = prepare(&testbed).await?;
    let flags: Vec<&str> = flags.iter().skip(1).map(String::as_str).collect();
    well(&testbed, &flags).await?;
    let expected = end_state(&testbed).await?;
    for faults in rounds {
        testbed.gate.clear();
        let what = format!("{faults:?}");
        faults.into_iter().for_each(|f| testbed.gate.fault(f));
        // What AWS denies is said and not tried again.
        let finished = once(&testbed, &flags).await?;
        testbed.gate.clear_faults();
        let mut writes = testbed.gate.writes();
        // It takes a web ACL that it cannot see for gone, and gives it again.
        writes.retain(|call| call.action != "AssociateWebACL");
        assert!(writes.is_empty(), "{what}: {writes:?}\n{finished}");
        assert_eq!(end_state(&testbed).await?, expected, "{what}");
    }
    testbed.gate.clear();
    well(&testbed, &flags).await?;
    for action in READS {
        assert!(!testbed.gate.calls_of(action).is_empty(), "{action}");
    }
    Ok(())
}

#[tokio::test]
async fn a_read_that_fails_with_everything_on_changes_nothing() -> Result<()> {
    let kinds = [
        Fault::throttle,
        Fault::internal_error,
        Fault::cut,
        Fault::lost_answer,
        Fault::malformed,
        Fault::denied,
    ];
    undisturbed(kinds.map(|fault| READS.map(fault).to_vec())).await
}

#[tokio::test]
async fn a_read_that_is_never_answered_changes_nothing() -> Result<()> {
    // The client waits fifteen seconds for each.
    let some = READS.chunks(5);
    undisturbed(some.map(|reads| reads.iter().map(|action| Fault::timeout(action)).collect())).await
}

/// Each annotation with a value that is none of its own, and what its Event says.
const WRONG: [(&str, &str, &str); 11] = [
    (
        "zalando.org/aws-load-balancer-scheme",
        "Internal",
        "internal, internet-facing",
    ),
    ("zalando.org/aws-load-balancer-shared", "no", "true, false"),
    ("zalando.org/aws-load-balancer-type", "network", "alb, nlb"),
    ("zalando.org/aws-load-balancer-http2", "off", "true, false"),
    (
        "zalando.org/aws-load-balancer-security-group",
        "default",
        "sg-",
    ),
    (
        "zalando.org/aws-load-balancer-ssl-policy",
        "modern",
        "ELBSecurityPolicy-",
    ),
    (
        "zalando.org/aws-load-balancer-ssl-cert",
        "shop.example.org",
        "the ARN of a certificate",
    ),
    (
        "zalando.org/aws-waf-web-acl-id",
        "11111111-2222-3333-4444-555555555555",
        "WAF v2",
    ),
    ("zalando.org/aws-waf-web-acl-id", "web", "arn:aws:wafv2:"),
    (
        "alb.ingress.kubernetes.io/ip-address-type",
        "foo",
        "ipv4, dualstack",
    ),
    ("zalando.org/aws-load-balancer-schema", "internal", "scheme"),
];

#[tokio::test]
async fn every_wrong_annotation_is_told_and_harms_no_other() -> Result<()> {
    let (testbed, _) = world(&shop()).await?;
    for (n, (key, value, _)) in WRONG.iter().enumerate() {
        let host = format!("wrong-{n}.example.org");
        let object = serde_json::json!({
            "apiVersion": "networking.k8s.io/v1",
            "kind": "Ingress",
            "metadata": {"namespace": "default", "name": format!("wrong-{n}"), "annotations": {*key: value}},
            "spec": {"rules": [{"host": host}]},
        });
        testbed.apply_yaml(&object.to_string()).await?;
    }
    well(&testbed, &[]).await?;
    assert_eq!(load_balancers(&testbed).await?.len(), 1);
    assert_eq!(hostnames(&testbed, "shop").await?.len(), 1);
    for (n, (key, value, allowed)) in WRONG.iter().enumerate() {
        let name = format!("wrong-{n}");
        assert!(hostnames(&testbed, &name).await?.is_empty(), "{key}");
        let told = events(&testbed, &name).await?;
        let named = told.iter().any(|(reason, text)| {
            reason == "InvalidAnnotation"
                && [*key, *value, *allowed]
                    .iter()
                    .all(|part| text.contains(part))
        });
        assert!(named, "{key}={value}: {told:?}");
    }
    Ok(())
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
