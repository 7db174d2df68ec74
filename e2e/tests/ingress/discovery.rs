//! What it finds around itself: subnets and the security group, looked at again at
//! each resync.

use anyhow::{Context, Result, ensure};
use aws_sdk_ec2::Client as Ec2;
use aws_sdk_ec2::types::Tag;
use isthmus_e2e::{CLUSTER_ID, PATIENCE, Process, Testbed, eventually};

use super::reading::{all_told, events, hostname, load_balancers, told};
use super::{BINARY, CLUSTER, RESYNC, nothing_written, once, reconciled, shop, world};

fn cluster_tag() -> String {
    format!("kubernetes.io/cluster/{CLUSTER_ID}")
}

fn tag(key: &str, value: &str) -> Tag {
    Tag::builder().key(key).value(value).build()
}

/// Takes the cluster's tag away.
async fn untag(testbed: &Testbed, resource: &str) -> Result<()> {
    let key = Tag::builder().key(cluster_tag()).build();
    let ec2 = Ec2::new(testbed.sdk());
    ec2.delete_tags()
        .resources(resource)
        .tags(key)
        .send()
        .await?;
    Ok(())
}

async fn retag(testbed: &Testbed, resource: &str, tags: &[(&str, &str)]) -> Result<()> {
    let tags = tags.iter().map(|(key, value)| tag(key, value)).collect();
    let ec2 = Ec2::new(testbed.sdk());
    let request = ec2.create_tags().resources(resource).set_tags(Some(tags));
    request.send().await?;
    Ok(())
}

/// Waits until `/readyz` says that it is not ready because of `what`.
async fn unready(process: &Process, what: &[&str]) -> Result<()> {
    let wait = eventually("what is missing on /readyz", async || {
        let Ok((status, said)) = process.admin_page("/readyz").await else {
            return Ok(None);
        };
        let all = what.iter().all(|part| said.contains(part));
        Ok((status == 503 && all).then_some(()))
    });
    wait.await
        .with_context(|| format!("{what:?}\n{}", process.stderr()))
}

#[tokio::test]
async fn without_a_security_group_it_is_not_ready_and_writes_nothing() -> Result<()> {
    let (testbed, world) = world(&shop()).await?;
    untag(&testbed, &world.security_group).await?;
    let mut process = testbed.spawn(BINARY, &[CLUSTER, RESYNC]).await?;
    let tags = [
        &*format!("{}=owned", cluster_tag()),
        "kubernetes:application=kube-ingress-aws-controller",
        "no security group in vpc-",
    ];
    unready(&process, &tags).await?;
    eventually("the log", async || {
        Ok(tags
            .iter()
            .all(|part| process.stderr().contains(part))
            .then_some(()))
    })
    .await?;
    reconciled(&process, 2).await?;
    nothing_written(&testbed);
    let finished = once(&testbed, &[]).await?;
    assert_eq!(finished.code, Some(1), "{finished}");
    nothing_written(&testbed);

    retag(
        &testbed,
        &world.security_group,
        &[(&cluster_tag(), "owned")],
    )
    .await?;
    process.wait_ready().await?;
    hostname(&testbed, "shop").await?;
    Ok(())
}

#[tokio::test]
async fn without_subnets_it_is_not_ready_and_says_which_tags_it_looked_for() -> Result<()> {
    let (testbed, world) = world("").await?;
    let mut process = testbed.spawn(BINARY, &[CLUSTER, RESYNC]).await?;
    process.wait_ready().await?;
    // Those of the private subnets are left: no public one is the cluster's.
    for subnet in &world.public_subnets {
        untag(&testbed, &subnet.id).await?;
    }
    testbed.apply_yaml(&shop()).await?;
    let tags = [
        &*cluster_tag(),
        "kubernetes.io/role/elb=1",
        "there are 0",
        "needs subnets in 2 zones",
    ];
    unready(&process, &tags).await?;
    told(&testbed, "shop", ("NoSubnets", tags[0])).await?;
    reconciled(&process, 2).await?;
    nothing_written(&testbed);
    for subnet in &world.public_subnets {
        retag(&testbed, &subnet.id, &[(&cluster_tag(), "shared")]).await?;
    }
    process.wait_ready().await?;
    hostname(&testbed, "shop").await?;
    Ok(())
}

#[tokio::test]
async fn a_new_zone_and_another_security_group_come_to_a_living_load_balancer() -> Result<()> {
    let (testbed, world) = world(&shop()).await?;
    let late = &world.public_subnets[2];
    untag(&testbed, &late.id).await?;
    let mut process = testbed.spawn(BINARY, &[CLUSTER, RESYNC]).await?;
    process.wait_ready().await?;
    hostname(&testbed, "shop").await?;
    let zones = async || -> Result<Vec<String>> {
        let balancers = load_balancers(&testbed).await?;
        ensure!(balancers.len() == 1, "{balancers:?}");
        let zones = balancers[0].availability_zones().iter();
        Ok(zones.filter_map(|zone| zone.subnet_id.clone()).collect())
    };
    assert_eq!(zones().await?.len(), 2);
    retag(&testbed, &late.id, &[(&cluster_tag(), "shared")]).await?;
    eventually("the third zone", async || {
        Ok(zones().await?.contains(&late.id).then_some(()))
    })
    .await?;
    assert_eq!(zones().await?.len(), 3, "the others stay");

    let ec2 = Ec2::new(testbed.sdk());
    let another = ec2
        .create_security_group()
        .group_name("another")
        .description("another");
    let another = another.vpc_id(&world.vpc).send().await?;
    let another = another.group_id.context("an id")?;
    let marks = [
        (&*cluster_tag(), "owned"),
        ("kubernetes:application", "kube-ingress-aws-controller"),
    ];
    retag(&testbed, &another, &marks).await?;
    untag(&testbed, &world.security_group).await?;
    eventually("the other security group", async || {
        let balancers = load_balancers(&testbed).await?;
        Ok((balancers[0].security_groups() == [another.clone()]).then_some(()))
    })
    .await?;
    all_told(&testbed).await?;
    let by_hand = events(&testbed, "shop").await?;
    let by_hand = by_hand.iter().any(|(reason, _)| reason == "ChangedByHand");
    assert!(!by_hand, "nobody changed the load balancer by hand");
    testbed.gate.clear();
    let resynced = |calls: &[isthmus_e2e::Call]| {
        let looks = calls.iter().filter(|call| call.action == "DescribeSubnets");
        looks.count() >= 3
    };
    testbed.gate.wait_for(PATIENCE, resynced).await?;
    nothing_written(&testbed);
    Ok(())
}
