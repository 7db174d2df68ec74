//! Calls that go wrong: reads of every kind, throttling, time-outs, crashes.

use std::time::Duration;

use anyhow::{Context, Result};
use aws_sdk_elasticloadbalancingv2::Client as Elb;
use isthmus_e2e::{Call, Fault, Scenario, Testbed, World, eventually, kill_after_every_call};
use kube::api::{Patch, PatchParams};
use serde_json::json;

use super::reading::{end_state, hostnames, ingresses};
use super::{BINARY, CLUSTER, NO_GRACE, ingress, once, shop, well, world};

/// Every read of a run on a settled load balancer.
const READS: [&str; 14] = [
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
    testbed.gate.fault(Fault::internal_error(READ).times(6));
    let mut process = testbed.spawn(BINARY, &[CLUSTER]).await?;
    process.wait_ready().await?;
    eventually("the status", async || {
        Ok(hostnames(&testbed, "shop").await?.pop())
    })
    .await?;
    let calls = testbed.gate.calls();
    let nth = |action: &str, n: usize| {
        let mut of = calls.iter().filter(|call| call.action == action);
        of.nth(n - 1).map(|call| call.n)
    };
    let made = nth("CreateLoadBalancer", 1).context("a load balancer for the other one")?;
    let read = nth(READ, 7).context("a read that succeeds")?;
    assert!(made < read, "made while the old one could not be read");
    assert_eq!(hostnames(&testbed, "old").await?.len(), 1);
    let (_, metrics) = process.admin_page("/metrics").await?;
    assert!(
        metrics.contains(r#"isthmus_reconcile_errors_total{class="transient",step="observe"}"#),
        "{metrics}"
    );
    Ok(())
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
    tokio::time::timeout(Duration::from_secs(300), both)
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
    let balancers = Elb::new(testbed.sdk())
        .describe_load_balancers()
        .send()
        .await?;
    assert_eq!(balancers.load_balancers().len(), 2);
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
    testbed.gate.clear();
    well(&testbed, &[NO_GRACE]).await?;
    assert!(
        testbed.gate.writes().is_empty(),
        "{:?}",
        testbed.gate.writes()
    );
    Ok(())
}

#[tokio::test]
async fn killed_after_every_call_of_an_update() -> Result<()> {
    let testbed = Testbed::acquire().await?;
    let update = Scenario {
        binary: BINARY,
        prepare: async |testbed: &Testbed| {
            let world = World::create(testbed).await?;
            testbed.apply_yaml(&shop()).await?;
            well(testbed, &[NO_GRACE]).await?;
            // Another host with another certificate, instead of the old one; other
            // flags; and one Node less.
            testbed
                .apply_yaml(&ingress("shop", &["blog.example.org"], &[]))
                .await?;
            let nodes: kube::Api<k8s_openapi::api::core::v1::Node> = kube::Api::all(testbed.kube());
            let leaving = json!({"metadata": {"labels": {"node.kubernetes.io/exclude-from-external-load-balancers": ""}}});
            nodes
                .patch(
                    &world.instances[0].node,
                    &PatchParams::default(),
                    &Patch::Merge(&leaving),
                )
                .await?;
            Ok(vec![
                CLUSTER.to_owned(),
                NO_GRACE.to_owned(),
                "--redirect-http-to-https".to_owned(),
                "--idle-connection-timeout=2m".to_owned(),
                "--deregistration-delay-timeout=30s".to_owned(),
                "--additional-stack-tags=team=web".to_owned(),
            ])
        },
        end_state,
    };
    let report = kill_after_every_call(&testbed, update).await?;
    let state = &report.end_state;
    for part in [
        "[\"*.example.org\"]",
        "Some(Redirect)",
        "targets 1",
        "\"team\": \"web\"",
    ] {
        assert!(state.contains(part), "{part} is not in\n{state}");
    }
    Ok(())
}

#[tokio::test]
async fn killed_after_every_call_of_a_move() -> Result<()> {
    let testbed = Testbed::acquire().await?;
    let to_internal = Scenario {
        binary: BINARY,
        prepare: async |testbed: &Testbed| {
            World::create(testbed).await?;
            testbed.apply_yaml(&shop()).await?;
            well(testbed, &[NO_GRACE]).await?;
            let scheme = [("scheme", "internal")];
            testbed
                .apply_yaml(&ingress("shop", &["shop.example.org"], &scheme))
                .await?;
            Ok(vec![CLUSTER.to_owned(), NO_GRACE.to_owned()])
        },
        end_state,
    };
    let report = kill_after_every_call(&testbed, to_internal).await?;
    let state = &report.end_state;
    assert!(
        state.contains("ingress shop [\"internal-kube-internal-"),
        "{state}"
    );
    assert_eq!(state.matches("load balancer kube-").count(), 1, "{state}");
    assert_eq!(state.matches("target group kube-").count(), 1, "{state}");
    assert!(ingresses(&testbed).get_opt("shop").await?.is_some());
    Ok(())
}
