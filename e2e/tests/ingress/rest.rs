//! At rest: what a restart writes and what a resync reads.

use std::time::Duration;

use anyhow::Result;
use isthmus_e2e::{Call, PATIENCE};

use super::reading::load_balancers;
use super::{BINARY, CLUSTER, ingress, well, world};

const BALANCERS: usize = 5;

fn unshared() -> String {
    let one = |n: usize| {
        let host = format!("app-{n}.example.org");
        ingress(&format!("app-{n}"), &[&host], &[("shared", "false")])
    };
    (0..BALANCERS).map(one).collect()
}

fn of<'a>(calls: &'a [Call], action: &'a str) -> impl Iterator<Item = &'a Call> {
    calls.iter().filter(move |call| call.action == action)
}

#[tokio::test]
async fn a_restart_writes_nothing_and_resyncs_read_a_share() -> Result<()> {
    let (testbed, _) = world(&unshared()).await?;
    well(&testbed, &[]).await?;
    assert_eq!(load_balancers(&testbed).await?.len(), BALANCERS);
    testbed.gate.clear();
    // One start right after another is throttled, and a call that is tried again
    // counts twice.
    testbed
        .gate
        .rate("elasticloadbalancing", "Describe", 400, 100.0);

    let args = [CLUSTER, "--polling-interval=3s"];
    let mut process = testbed.spawn(BINARY, &args).await?;
    process.wait_ready().await?;
    let start = testbed.gate.calls();
    // The next resync may have begun.
    let mut rounds = (0..start.len()).filter(|n| start[*n].action == "DescribeRouteTables");
    let start = &start[..rounds.nth(1).unwrap_or(start.len())];
    assert_eq!(of(start, "DescribeListeners").count(), BALANCERS);
    assert_eq!(of(start, "DescribeTargetHealth").count(), BALANCERS);
    let tags = of(start, "DescribeTags").count();
    assert_eq!(tags, 2, "of ten resources, and of ten listeners");

    testbed.gate.clear();
    const RESYNCS: usize = 5;
    let enough = |calls: &[Call]| of(calls, "DescribeSubnets").count() > RESYNCS;
    let calls = testbed.gate.wait_for(PATIENCE, enough).await?;
    let last = calls
        .iter()
        .rposition(|call| call.action == "DescribeRouteTables");
    let calls = &calls[..last.unwrap_or(calls.len())];
    assert!(calls.iter().all(|call| !call.is_write()), "{calls:?}");
    // Of ten load balancers and target groups six at a time, the oldest first.
    let mut looked_into: Vec<_> = of(calls, "DescribeListeners")
        .map(|call| format!("{:?}", call.params))
        .collect();
    let reads = looked_into.len();
    looked_into.sort();
    looked_into.dedup();
    assert_eq!(looked_into.len(), BALANCERS, "each in its turn");
    assert!(
        reads <= BALANCERS * RESYNCS * 6 / 10 + 1,
        "{reads} in {RESYNCS} resyncs"
    );
    assert!(
        calls.len() <= RESYNCS * 24,
        "{} calls in {RESYNCS} resyncs",
        calls.len()
    );
    assert_eq!(testbed.gate.throttled(), 0);
    process.terminate().await?;
    Ok(())
}

#[tokio::test]
async fn what_is_about_to_be_changed_is_read_first_and_nothing_else() -> Result<()> {
    let (testbed, world) = world(&unshared()).await?;
    well(&testbed, &[]).await?;
    let mut process = testbed.spawn(BINARY, &[CLUSTER]).await?;
    process.wait_ready().await?;
    testbed.gate.clear();
    // A Node leaves: the targets alone matter.
    let nodes: kube::Api<k8s_openapi::api::core::v1::Node> = kube::Api::all(testbed.kube());
    let gone = &world.instances[0].node;
    nodes
        .delete(gone, &kube::api::DeleteParams::default())
        .await?;
    let all_gone = |calls: &[Call]| of(calls, "DeregisterTargets").count() == BALANCERS;
    let calls = testbed.gate.wait_for(PATIENCE, all_gone).await?;
    let first = calls
        .iter()
        .position(|call| call.action == "DeregisterTargets");
    let before: Vec<_> = calls[..first.unwrap_or_default()].iter().collect();
    assert_eq!(before.len(), BALANCERS, "{before:?}");
    assert!(
        before
            .iter()
            .all(|call| call.action == "DescribeTargetHealth"),
        "{before:?}"
    );

    // Afterwards what was changed is read, and then it rests again.
    let at_rest = async || {
        let calls = testbed.gate.calls().len();
        tokio::time::sleep(Duration::from_secs(2)).await;
        Ok((testbed.gate.calls().len() == calls).then_some(()))
    };
    super::eventually("rest", at_rest).await?;
    assert_eq!(testbed.gate.writes().len(), BALANCERS);
    Ok(())
}
