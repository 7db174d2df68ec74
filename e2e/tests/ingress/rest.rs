//! At rest: what a restart writes and what a resync reads.

use std::collections::BTreeSet;

use anyhow::Result;
use isthmus_e2e::{Call, PATIENCE};

use super::reading::load_balancers;
use super::{BINARY, CLUSTER, NO_RESYNC, for_nothing, ingress, well, world};

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
    let begins = |call: &Call| call.action == "DescribeRouteTables";
    let enough = |calls: &[Call]| calls.iter().filter(|call| begins(call)).count() > RESYNCS;
    let calls = testbed.gate.wait_for(PATIENCE, enough).await?;
    assert!(calls.iter().all(|call| !call.is_write()), "{calls:?}");
    // Neither the one that was under way nor the one that has begun.
    let begun: Vec<_> = (0..calls.len()).filter(|n| begins(&calls[*n])).collect();
    let mut looked_into = BTreeSet::new();
    for resync in begun.windows(2).map(|ends| &calls[ends[0]..ends[1]]) {
        // Of ten load balancers and target groups six at a time, the oldest first.
        let groups = of(resync, "DescribeTargetGroupAttributes").count();
        assert_eq!(of(resync, "DescribeListeners").count() + groups, 6);
        assert!(resync.len() <= 24, "{} calls", resync.len());
        looked_into.extend(of(resync, "DescribeListeners").map(|call| call.params.clone()));
    }
    assert_eq!(looked_into.len(), BALANCERS, "each in its turn");
    assert_eq!(testbed.gate.throttled(), 0);
    process.terminate().await?;
    Ok(())
}

#[tokio::test]
async fn what_is_about_to_be_changed_is_read_first_and_nothing_else() -> Result<()> {
    let (testbed, world) = world(&unshared()).await?;
    well(&testbed, &[]).await?;
    testbed
        .gate
        .rate("elasticloadbalancing", "Describe", 400, 100.0);
    let mut process = testbed.spawn(BINARY, &[CLUSTER, NO_RESYNC]).await?;
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
    let read: Vec<_> = calls[..first.unwrap_or_default()].iter().collect();
    assert_eq!(read.len(), BALANCERS, "{read:?}");
    assert!(
        read.iter()
            .all(|call| call.action == "DescribeTargetHealth"),
        "{read:?}"
    );

    // Afterwards what was changed is read, and then it rests again.
    for_nothing(&testbed, &process, "app-0").await?;
    let calls = testbed.gate.calls().len();
    for_nothing(&testbed, &process, "app-0").await?;
    assert_eq!(testbed.gate.calls().len(), calls);
    assert_eq!(testbed.gate.writes().len(), BALANCERS);
    Ok(())
}
