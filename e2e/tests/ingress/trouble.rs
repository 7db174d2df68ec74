//! Calls that go wrong: every read and write, throttling, time-outs, refusals.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use aws_sdk_elasticloadbalancingv2::Client as Elb;
use isthmus_e2e::{Call, Fault, PATIENCE, Testbed, eventually};
use kube::api::DeleteParams;

use super::reading::{end_state, events, hostname, hostnames, ingresses, load_balancers};
use super::{BINARY, CLUSTER, NO_GRACE, idle, ingress, once, shop, well, world};

/// Every read of a run on a settled load balancer.
pub(crate) const READS: [&str; 14] = [
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
    "DescribeTargetGroupAttributes",
    "DescribeTargetHealth",
];

fn two_hosts() -> String {
    ingress("both", &["shop.example.org", "blog.example.org"], &[])
}

#[tokio::test]
async fn any_fault_on_any_read_changes_nothing() -> Result<()> {
    let (testbed, _) = world(&two_hosts()).await?;
    well(&testbed, &[NO_GRACE]).await?;
    let expected = end_state(&testbed).await?;
    let run = async |faults: Vec<Fault>| -> Result<Option<i32>> {
        testbed.gate.clear();
        let what = format!("{faults:?}");
        faults
            .into_iter()
            .for_each(|fault| testbed.gate.fault(fault));
        let finished = once(&testbed, &[NO_GRACE]).await?;
        testbed.gate.clear_faults();
        let writes = testbed.gate.writes();
        assert!(writes.is_empty(), "{what}: {writes:?}\n{finished}");
        Ok(finished.code)
    };
    // What the SDK tries again, on every action at once.
    for fault in [
        Fault::throttle,
        Fault::internal_error,
        Fault::cut,
        Fault::half_answer,
        Fault::lost_answer,
    ] {
        let code = run(READS.iter().map(|action| fault(action)).collect()).await?;
        assert_eq!(code, Some(0), "{:?}", fault("*"));
    }
    // What it gives up on, or is told so often that it does.
    for action in READS {
        run(vec![Fault::malformed(action).times(3)]).await?;
        run(vec![Fault::truncated(action).times(3)]).await?;
    }
    assert_eq!(run(Vec::new()).await?, Some(0));
    assert_eq!(end_state(&testbed).await?, expected);
    Ok(())
}

#[tokio::test]
async fn a_load_balancer_that_cannot_be_read_stops_no_other() -> Result<()> {
    let old = ingress("old", &["old.example.org"], &[("shared", "false")]);
    let (testbed, _) = world(&old).await?;
    well(&testbed, &[]).await?;
    testbed.apply_yaml(&shop()).await?;
    testbed.gate.clear();
    const READ: &str = "DescribeListenerCertificates";
    let listener = https_listener(&testbed).await?;
    let of_old = |calls: &[Call]| -> Vec<u16> {
        let reads = calls.iter().filter(|call| call.action == READ);
        let reads = reads.filter(|call| call.params.values().any(|value| *value == listener));
        reads.map(|call| call.status).collect()
    };
    let unreadable = Fault::internal_error(READ).mentioning(&listener);
    testbed.gate.fault(unreadable.always());
    let mut process = testbed.spawn(BINARY, &[CLUSTER]).await?;
    process.wait_ready().await?;
    // The other one comes while the old one cannot be read.
    hostname(&testbed, "shop").await?;
    let failed = of_old(&testbed.gate.calls());
    assert!(failed.len() >= 3, "{failed:?}");
    assert!(failed.iter().all(|status| *status == 500), "{failed:?}");
    assert_eq!(hostnames(&testbed, "old").await?.len(), 1);
    let counted = r#"isthmus_reconcile_errors_total{class="transient",step="observe"}"#;
    eventually("the failure in the metrics", async || {
        let (_, metrics) = process.admin_page("/metrics").await?;
        Ok(metrics.contains(counted).then_some(()))
    })
    .await?;
    testbed.gate.clear_faults();
    let read = |calls: &[Call]| of_old(calls).contains(&200);
    testbed.gate.wait_for(PATIENCE, read).await?;
    Ok(())
}

/// The ARN of the listener for HTTPS of the one load balancer.
async fn https_listener(testbed: &Testbed) -> Result<String> {
    let balancer = load_balancers(testbed).await?.remove(0);
    let listeners = Elb::new(testbed.sdk()).describe_listeners();
    let listeners = listeners.set_load_balancer_arn(balancer.load_balancer_arn);
    let listeners = listeners.send().await?;
    let https = listeners.listeners().iter().find(|l| l.port == Some(443));
    let arn = https.and_then(|listener| listener.listener_arn.clone());
    arn.context("a listener")
}

#[tokio::test]
async fn under_heavy_throttling_it_converges() -> Result<()> {
    let alone = ingress("alone", &["alone.example.org"], &[("shared", "false")]);
    let (testbed, _) = world(&[shop(), alone].concat()).await?;
    // As if others had used up what the account may call.
    testbed
        .gate
        .rate("elasticloadbalancing", "Describe", 4, 2.0);
    testbed.gate.rate("elasticloadbalancing", "", 4, 1.0);
    let mut process = testbed.spawn(BINARY, &[CLUSTER]).await?;
    let both = async {
        loop {
            let told = hostnames(&testbed, "shop").await?.len()
                + hostnames(&testbed, "alone").await?.len();
            if told == 2 {
                return anyhow::Ok(());
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    // It backs off the longer the more often it is told to.
    tokio::time::timeout(Duration::from_secs(600), both)
        .await
        .with_context(|| process.stderr())??;
    process.wait_ready().await?;
    assert!(testbed.gate.throttled() > 0, "it was throttled at all");
    let made = |calls: &[Call]| {
        calls
            .iter()
            .filter(|c| c.action == "CreateLoadBalancer")
            .count()
    };
    assert_eq!(load_balancers(&testbed).await?.len(), 2);
    assert!(made(&testbed.gate.calls()) >= 2);
    Ok(())
}

#[tokio::test]
async fn a_call_that_is_never_answered_is_tried_again() -> Result<()> {
    let (testbed, _) = world(&shop()).await?;
    testbed.gate.fault(Fault::timeout("DescribeTargetGroups"));
    testbed.gate.fault(Fault::timeout("CreateListener"));
    well(&testbed, &[NO_GRACE]).await?;
    assert_eq!(hostnames(&testbed, "shop").await?.len(), 1);
    assert!(testbed.gate.calls_of("DescribeTargetGroups").len() > 1);
    idle(&testbed, &[NO_GRACE]).await?;
    Ok(())
}

#[tokio::test]
async fn any_fault_on_any_write_is_overcome() -> Result<()> {
    let (testbed, _) = world(&shop()).await?;
    let quiet = async || {
        ensure!(
            testbed
                .gate
                .writes()
                .iter()
                .any(|call| call.action == "CreateLoadBalancer")
        );
        end_state(&testbed).await
    };
    well(&testbed, &[NO_GRACE]).await?;
    let expected = quiet().await?;
    for action in [
        "CreateTargetGroup",
        "RegisterTargets",
        "CreateLoadBalancer",
        "CreateListener",
    ] {
        for fault in [
            Fault::throttle(action),
            Fault::internal_error(action),
            Fault::cut(action),
            Fault::lost_answer(action),
            Fault::malformed(action),
        ] {
            ingresses(&testbed)
                .delete("shop", &DeleteParams::default())
                .await?;
            well(&testbed, &[NO_GRACE]).await?;
            assert_eq!(end_state(&testbed).await?, "");
            testbed.apply_yaml(&shop()).await?;
            testbed.gate.clear();
            testbed.gate.fault(fault.clone());
            well(&testbed, &[NO_GRACE])
                .await
                .with_context(|| format!("{fault:?}"))?;
            assert_eq!(quiet().await?, expected, "{fault:?}");
            testbed.gate.clear_faults();
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_refusal_is_told_to_the_ingress_and_stops_no_other() -> Result<()> {
    let alone = ingress("alone", &["alone.example.org"], &[("shared", "false")]);
    let (testbed, _) = world(&[shop(), alone].concat()).await?;
    let refused = Fault::error(
        "CreateLoadBalancer",
        400,
        "InvalidSubnet",
        "The subnet is too small",
    );
    testbed.gate.fault(refused);
    let finished = once(&testbed, &[]).await?;
    assert_eq!(finished.code, Some(1), "{finished}");
    let events = events(&testbed, "alone").await?;
    assert!(
        events
            .iter()
            .any(|(reason, text)| reason == "RefusedByAws" && text.contains("InvalidSubnet")),
        "{events:?}"
    );
    assert_eq!(load_balancers(&testbed).await?.len(), 1, "the other one");
    Ok(())
}
