//! Names that are withdrawn, and load balancers that go.

use anyhow::Result;
use isthmus_e2e::{Fault, eventually};
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::json;

use super::reading::{hostname, hostnames, ingresses, is_empty, load_balancers, told};
use super::{BINARY, CLUSTER, NO_GRACE, ingress, shop, well, world};

#[tokio::test]
async fn who_is_not_served_any_more_loses_the_name() -> Result<()> {
    let (testbed, _) = world(&shop()).await?;
    let args = [CLUSTER, NO_GRACE, "--ingress-class-filter=mine,"];
    let mut process = testbed.spawn(BINARY, &args).await?;
    process.wait_ready().await?;
    hostname(&testbed, "shop").await?;
    let another = json!({"spec": {"ingressClassName": "another"}});
    ingresses(&testbed)
        .patch("shop", &PatchParams::default(), &Patch::Merge(&another))
        .await?;
    eventually("the name to go", async || {
        Ok(hostnames(&testbed, "shop").await?.is_empty().then_some(()))
    })
    .await?;
    eventually("the load balancer to go", async || {
        Ok(is_empty(&testbed).await?.then_some(()))
    })
    .await?;
    told(&testbed, "shop", ("Withdrawn", "")).await?;
    Ok(())
}

#[tokio::test]
async fn what_is_still_in_use_is_deleted_when_it_is_free() -> Result<()> {
    let (testbed, _) = world(&shop()).await?;
    well(&testbed, &[]).await?;
    ingresses(&testbed)
        .delete("shop", &DeleteParams::default())
        .await?;
    testbed.gate.clear();
    let used = |action: &str, code: &str| Fault::error(action, 400, code, "it is in use");
    testbed
        .gate
        .fault(used("DeleteTargetGroup", "ResourceInUse").times(2));
    testbed
        .gate
        .fault(used("DeleteLoadBalancer", "ResourceInUse").times(2));
    testbed
        .gate
        .fault(used("DeleteListener", "DependencyViolation"));
    well(&testbed, &[NO_GRACE]).await?;
    assert!(is_empty(&testbed).await?);
    let mut order: Vec<_> = testbed
        .gate
        .writes()
        .into_iter()
        .filter(|c| c.status == 200)
        .collect();
    order.retain(|call| call.action.starts_with("Delete"));
    let order: Vec<_> = order.iter().map(|call| call.action.as_str()).collect();
    let last = order.last().copied();
    assert_eq!(last, Some("DeleteTargetGroup"), "{order:?}");
    Ok(())
}

#[tokio::test]
async fn a_mass_removal_waits_for_an_operator() -> Result<()> {
    let one = |n: usize| {
        let host = format!("app-{n}.example.org");
        ingress(&format!("app-{n}"), &[&host], &[("shared", "false")])
    };
    let (testbed, _) = world(&(0..3).map(one).collect::<String>()).await?;
    well(&testbed, &[]).await?;
    for n in 0..2 {
        ingresses(&testbed)
            .delete(&format!("app-{n}"), &DeleteParams::default())
            .await?;
    }
    testbed.gate.clear();
    let tight = [
        NO_GRACE,
        "--max-removal-count=1",
        "--max-removal-percent=30",
    ];
    let finished = well(&testbed, &tight).await?;
    assert!(
        finished
            .stderr
            .contains("this plan removes 2 of 3 load balancers"),
        "{finished}"
    );
    let deletes = || {
        testbed
            .gate
            .writes()
            .into_iter()
            .filter(|c| c.action.starts_with("Delete"))
    };
    assert_eq!(deletes().count(), 0, "{:?}", testbed.gate.writes());
    let confirmed = [&tight[..], &["--allow-mass-removal"]].concat();
    well(&testbed, &confirmed).await?;
    assert_eq!(load_balancers(&testbed).await?.len(), 1);
    assert_eq!(hostnames(&testbed, "app-2").await?.len(), 1);
    Ok(())
}
