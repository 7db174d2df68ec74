//! Elastic IPs that are handed over.

use anyhow::{Context, Result};
use isthmus_e2e::eventually;
use serde_json::json;

use crate::picture::{built, routed, sorted};
use crate::stage::Stage;

const BANK: &str = "203.0.113.0/24";
const A: &str = "192.0.2.1";

#[tokio::test]
async fn an_address_is_handed_over_from_the_start() -> Result<()> {
    let stage = Stage::new().await?;
    let (id, ip) = stage.foreign_address().await?;
    stage.apply("partners", &[("bank", BANK)]).await?;
    let adopt = format!("--eip-allocation-id={id}");
    stage.well("a", &[&adopt]).await?;
    assert_eq!(
        stage.picture().await?,
        sorted(&[built("a", &ip), routed("a", &[BANK])])
    );
    assert_eq!(stage.testbed.gate.calls_of("AllocateAddress").len(), 0);
    stage.idle("a", &[&adopt]).await?;
    // It is found by its tags from now on, and never released.
    stage.idle("a", &[]).await?;
    stage.delete("partners").await?;
    stage.well("a", &["--release-eips"]).await?;
    assert_eq!(
        stage.picture().await?,
        [format!("address eu-central-1a {ip} free")]
    );
    Ok(())
}

#[tokio::test]
async fn an_address_is_handed_over_while_traffic_flows() -> Result<()> {
    let stage = Stage::new().await?;
    stage.apply("partners", &[("bank", BANK)]).await?;
    stage.well("a", &[]).await?;
    let (id, ip) = stage.foreign_address().await?;
    stage.testbed.gate.clear();
    stage
        .well("a", &[&format!("--eip-allocation-id={id}")])
        .await?;
    let kept = vec![format!("address eu-central-1a {A} free")];
    assert_eq!(
        stage.picture().await?,
        sorted(&[built("a", &ip), routed("a", &[BANK]), kept])
    );
    let actions: Vec<String> = stage
        .testbed
        .gate
        .writes()
        .into_iter()
        .map(|call| call.action)
        .collect();
    assert_eq!(
        actions,
        [
            "CreateTags",
            "CreateNatGateway",
            "CreateTags",
            "ReplaceRoute",
            "DeleteNatGateway"
        ],
        "the route is never without a NAT gateway that works"
    );
    assert_eq!(stage.status("partners").await?["publicIPs"], json!([ip]));
    Ok(())
}

/// Moving from kube-static-egress-controller: its stack still holds the address.
#[tokio::test]
async fn an_address_that_is_in_use_elsewhere_is_waited_for() -> Result<()> {
    let stage = Stage::new().await?;
    let ec2 = stage.ec2();
    let (id, ip) = stage.foreign_address().await?;
    let subnet = &stage.world.public_subnets[0].id;
    let made = ec2
        .create_nat_gateway()
        .subnet_id(subnet)
        .allocation_id(&id)
        .send()
        .await?;
    let theirs = made
        .nat_gateway
        .and_then(|nat| nat.nat_gateway_id)
        .context("an id")?;
    stage.apply("partners", &[("bank", BANK)]).await?;
    let adopt = format!("--eip-allocation-id={id}");
    let finished = stage.once("a", &[&adopt]).await?;
    assert_eq!(finished.code, Some(1), "{finished}");
    assert_eq!(stage.testbed.gate.writes().len(), 0, "nothing is begun");
    let events = stage.events("partners").await?;
    assert!(
        events
            .iter()
            .any(|event| event.starts_with("AddressInUse: ") && event.contains(&ip)),
        "{events:?}"
    );

    ec2.delete_nat_gateway()
        .nat_gateway_id(theirs)
        .send()
        .await?;
    eventually("the address let go", async || {
        let found = ec2.describe_addresses().allocation_ids(&id).send().await?;
        Ok(found
            .addresses()
            .iter()
            .all(|one| one.association_id().is_none())
            .then_some(()))
    })
    .await?;
    stage.well("a", &[&adopt]).await?;
    assert_eq!(
        stage.picture().await?,
        sorted(&[built("a", &ip), routed("a", &[BANK])])
    );
    Ok(())
}
