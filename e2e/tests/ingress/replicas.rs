//! Two replicas: one acts, the other takes over.

use anyhow::{Context, Result};
use isthmus_e2e::{Process, Testbed, eventually};
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use kube::Api;

use super::reading::hostname;
use super::{BINARY, CLUSTER, ingress, nothing_written, reconciles, shop, world};

const ARGS: [&str; 3] = [
    CLUSTER,
    "--leader-elect",
    "--leader-election-namespace=default",
];

async fn leads(process: &Process) -> Result<bool> {
    let (_, metrics) = process.admin_page("/metrics").await?;
    Ok(metrics.lines().any(|line| line == "isthmus_leader 1"))
}

async fn lease(testbed: &Testbed) -> Result<LeaseSpec> {
    let leases: Api<Lease> = Api::namespaced(testbed.kube(), "default");
    leases.get(BINARY).await?.spec.context("a spec")
}

#[tokio::test]
async fn the_other_replica_takes_over_and_changes_nothing() -> Result<()> {
    let (testbed, _) = world(&shop()).await?;
    let mut replicas = Vec::new();
    for _ in 0..2 {
        let mut process = testbed.spawn(BINARY, &ARGS).await?;
        process.wait_ready().await?;
        replicas.push(process);
    }
    hostname(&testbed, "shop").await?;
    let leader = eventually("one leader", async || {
        let both = (leads(&replicas[0]).await?, leads(&replicas[1]).await?);
        Ok(match both {
            (true, false) => Some(0),
            (false, true) => Some(1),
            _ => None,
        })
    });
    let leader = replicas.remove(leader.await?);
    let other = replicas.remove(0);
    assert_eq!(reconciles(&other).await?, 0, "it only stands by");

    leader.kill().await?;
    testbed.gate.clear();
    let left = lease(&testbed).await?;
    eventually("the other one to take over", async || {
        Ok((leads(&other).await? && reconciles(&other).await? > 0).then_some(()))
    })
    .await?;
    // It asks every two seconds and takes a lease that is 15 seconds old: that is
    // less than 20, which the tests of the election show by a clock of their own.
    assert_eq!(left.lease_duration_seconds, Some(15));
    let taken = lease(&testbed).await?;
    assert_ne!(taken.holder_identity, left.holder_identity);
    let renewed = left.renew_time.context("it was renewed")?.0;
    let taken_at = taken.acquire_time.context("it was taken")?.0;
    let waited = taken_at.duration_since(renewed);
    assert!(
        waited.as_secs() >= 15,
        "before the other one had to stop: {waited}"
    );
    assert!(waited.as_secs() < 20, "{waited}");
    let calls = testbed.gate.calls();
    assert!(
        calls.iter().any(|call| call.action == "DescribeListeners"),
        "it looked"
    );
    nothing_written(&testbed);

    testbed
        .apply_yaml(&ingress("blog", &["blog.example.org"], &[]))
        .await?;
    hostname(&testbed, "blog").await?;
    Ok(())
}
