//! Two replicas: one acts, the other takes over.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use isthmus_e2e::{Process, eventually};

use super::reading::hostnames;
use super::{BINARY, CLUSTER, ingress, reconciles, shop, world};

const ARGS: [&str; 3] = [
    CLUSTER,
    "--leader-elect",
    "--leader-election-namespace=default",
];

async fn leads(process: &Process) -> Result<bool> {
    let (_, metrics) = process.admin_page("/metrics").await?;
    Ok(metrics.lines().any(|line| line == "isthmus_leader 1"))
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
    eventually("the status", async || {
        Ok(hostnames(&testbed, "shop").await?.pop())
    })
    .await?;
    let leader = match (leads(&replicas[0]).await?, leads(&replicas[1]).await?) {
        (true, false) => replicas.remove(0),
        (false, true) => replicas.remove(1),
        both => bail!("leaders: {both:?}"),
    };
    let other = replicas.remove(0);
    let settled = reconciles(&leader).await?;
    eventually("the leader at rest", async || {
        Ok((reconciles(&leader).await? >= settled).then_some(()))
    })
    .await?;
    assert_eq!(reconciles(&other).await?, 0, "it only stands by");

    leader.kill().await?;
    let killed = Instant::now();
    testbed.gate.clear();
    eventually("the other one to take over", async || {
        Ok((leads(&other).await? && reconciles(&other).await? > 0).then_some(()))
    })
    .await?;
    let took = killed.elapsed();
    assert!(took < Duration::from_secs(20), "took over after {took:?}");
    let calls = testbed.gate.calls();
    assert!(
        calls.iter().any(|call| call.action == "DescribeListeners"),
        "it looked"
    );
    assert!(
        testbed.gate.writes().is_empty(),
        "{:?}",
        testbed.gate.writes()
    );

    testbed
        .apply_yaml(&ingress("blog", &["blog.example.org"], &[]))
        .await?;
    eventually("its status", async || {
        Ok(hostnames(&testbed, "blog").await?.pop())
    })
    .await?;
    Ok(())
}
