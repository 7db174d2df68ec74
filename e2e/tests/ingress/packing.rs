//! Who shares a load balancer with whom, and moving from one to another.

use std::collections::BTreeSet;

use anyhow::Result;
use aws_sdk_elasticloadbalancingv2::Client as Elb;
use isthmus_e2e::{Testbed, eventually};

use crate::reading::{hostname, hostnames, load_balancers};
use crate::{BINARY, CLUSTER, NO_GRACE, annotate, idle, ingress, shop, well, world};

const STRICT: &str = "ELBSecurityPolicy-TLS13-1-2-2021-06";

/// The TLS policies of all load balancers.
async fn policies(testbed: &Testbed) -> Result<BTreeSet<String>> {
    let elb = Elb::new(testbed.sdk());
    let mut found = BTreeSet::new();
    for balancer in load_balancers(testbed).await? {
        let arn = balancer.load_balancer_arn().unwrap_or_default();
        let listeners = elb
            .describe_listeners()
            .load_balancer_arn(arn)
            .send()
            .await?;
        found.extend(
            listeners
                .listeners()
                .iter()
                .filter(|listener| listener.port == Some(443))
                .filter_map(|listener| listener.ssl_policy.clone()),
        );
    }
    Ok(found)
}

#[tokio::test]
async fn one_without_a_tls_policy_joins_and_does_not_weaken() -> Result<()> {
    let strict = ingress("strict", &["strict.example.org"], &[("ssl-policy", STRICT)]);
    let (testbed, _) = world(&strict).await?;
    well(&testbed, &[]).await?;
    testbed.apply_yaml(&shop()).await?;
    well(&testbed, &[]).await?;
    assert_eq!(
        hostnames(&testbed, "shop").await?,
        hostnames(&testbed, "strict").await?
    );
    assert_eq!(
        policies(&testbed).await?,
        BTreeSet::from([STRICT.to_owned()])
    );
    idle(&testbed, &[]).await?;
    Ok(())
}

#[tokio::test]
async fn a_changed_scheme_makes_the_new_one_first_and_then_retires_the_old() -> Result<()> {
    let (testbed, _) = world(&shop()).await?;
    let mut process = testbed.spawn(BINARY, &[CLUSTER, NO_GRACE]).await?;
    process.wait_ready().await?;
    let public = hostname(&testbed, "shop").await?;
    testbed.gate.clear();
    let scheme = "zalando.org/aws-load-balancer-scheme";
    annotate(&testbed, "shop", scheme, "internal").await?;
    let internal = eventually("the new name", async || {
        let name = hostnames(&testbed, "shop").await?.pop();
        Ok(name.filter(|name| *name != public))
    })
    .await?;
    assert!(internal.starts_with("internal-"), "{internal}");
    eventually("the end of the old one", async || {
        Ok((load_balancers(&testbed).await?.len() == 1).then_some(()))
    })
    .await?;
    let calls = testbed.gate.calls();
    let first = |action: &str| calls.iter().position(|call| call.action == action);
    let order = [
        "CreateLoadBalancer",
        "CreateListener",
        "DeleteListener",
        "DeleteLoadBalancer",
    ];
    let order = order.map(first);
    assert!(order[0].is_some() && order.is_sorted(), "{order:?}");
    Ok(())
}

#[tokio::test]
async fn a_mistake_in_the_scheme_changes_nothing() -> Result<()> {
    let (testbed, _) = world(&shop()).await?;
    well(&testbed, &[NO_GRACE]).await?;
    let before = hostnames(&testbed, "shop").await?;
    let scheme = "zalando.org/aws-load-balancer-scheme";
    annotate(&testbed, "shop", scheme, "Internal").await?;
    idle(&testbed, &[NO_GRACE]).await?;
    assert_eq!(hostnames(&testbed, "shop").await?, before);
    Ok(())
}
