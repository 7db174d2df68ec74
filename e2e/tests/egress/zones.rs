//! Zones come and go.

use anyhow::Result;
use serde_json::json;

use crate::picture::{built, routed, sorted};
use crate::stage::{Stage, entries, tag};

const BANK: &str = "203.0.113.0/24";
const A: &str = "192.0.2.1";
const B: &str = "192.0.2.2";

#[tokio::test]
async fn a_table_of_an_unknown_zone_is_skipped_and_said() -> Result<()> {
    let stage = Stage::new().await?;
    stage.apply("partners", &[("bank", BANK)]).await?;
    stage.well("a", &[]).await?;
    assert_eq!(
        stage.picture().await?,
        sorted(&[built("a", A), routed("a", &[BANK])])
    );
    let events = stage.events("partners").await?;
    for letter in ["b", "c"] {
        let said = format!(
            "UnknownZone: route table {} is skipped",
            stage.table(letter)
        );
        assert!(
            events.iter().any(|event| event.starts_with(&said)),
            "{events:?}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_zone_joins_and_leaves_and_keeps_its_address() -> Result<()> {
    let stage = Stage::new().await?;
    stage.apply("partners", &[("bank", BANK)]).await?;
    stage.well("a", &[]).await?;
    stage.well("ab", &[]).await?;
    let both = sorted(&[
        built("a", A),
        routed("a", &[BANK]),
        built("b", B),
        routed("b", &[BANK]),
    ]);
    assert_eq!(stage.picture().await?, both);

    stage.testbed.gate.clear();
    stage.well("a", &[]).await?;
    let actions: Vec<String> = stage
        .testbed
        .gate
        .writes()
        .into_iter()
        .map(|call| call.action)
        .collect();
    assert_eq!(
        actions[..2],
        ["ReplaceRoute", "DeleteNatGateway"],
        "routes move first"
    );
    let left = vec![
        format!("address eu-central-1b {B} free"),
        format!("route dmz-eu-central-1b {BANK} to nat-gateway of eu-central-1a active"),
    ];
    assert_eq!(
        stage.picture().await?,
        sorted(&[built("a", A), routed("a", &[BANK]), left])
    );
    stage.idle("a", &[]).await?;

    stage.well("ab", &[]).await?;
    assert_eq!(stage.picture().await?, both, "with the address of before");
    Ok(())
}

#[tokio::test]
async fn a_table_that_changes_its_zone_changes_its_nat_gateway() -> Result<()> {
    let stage = Stage::new().await?;
    stage.apply("partners", &[("bank", BANK)]).await?;
    stage.well("ab", &[]).await?;
    tag(
        &stage.ec2(),
        &stage.table("b"),
        &[("AvailabilityZone", "eu-central-1a")],
    )
    .await?;
    stage.well("ab", &[]).await?;
    let moved = vec![format!(
        "route dmz-eu-central-1b {BANK} to nat-gateway of eu-central-1a active"
    )];
    let expected = sorted(&[built("a", A), built("b", B), routed("a", &[BANK]), moved]);
    assert_eq!(stage.picture().await?, expected);
    Ok(())
}

#[tokio::test]
async fn a_zone_that_cannot_be_built_stops_only_itself() -> Result<()> {
    let stage = Stage::new().await?;
    stage.apply("partners", &[("bank", BANK)]).await?;
    let outside = [
        "--aws-az=eu-central-1b",
        "--aws-nat-cidr-block=10.99.0.0/28",
    ];
    let finished = stage.once("a", &outside).await?;
    assert_eq!(finished.code, Some(1), "{finished}");
    assert_eq!(
        stage.picture().await?,
        sorted(&[built("a", A), routed("a", &[BANK])])
    );
    let events = stage.events("partners").await?;
    let said = format!(
        "ZoneBlocked: zone eu-central-1b: --aws-nat-cidr-block 10.99.0.0/28 is not in a network of {} (10.20.0.0/16)",
        stage.world.vpc
    );
    assert!(events.contains(&said), "{events:?}");
    let status = stage.status("partners").await?;
    assert_eq!(entries(&status), ["203.0.113.0/24 pending NatGateway"]);
    assert_eq!(status["zones"][1]["state"], json!("missing"));
    Ok(())
}

#[tokio::test]
async fn nat_gateways_are_kept_for_those_who_want_to_pay_for_them() -> Result<()> {
    let stage = Stage::new().await?;
    stage.apply("partners", &[("bank", BANK)]).await?;
    stage.well("a", &[]).await?;
    let nat = stage.nat_gateway("a").await?;
    stage.delete("partners").await?;
    stage.well("a", &["--keep-nat-gateways"]).await?;
    assert_eq!(stage.picture().await?, sorted(&[built("a", A)]));
    stage.idle("a", &["--keep-nat-gateways"]).await?;

    // The next network has its route at once, through the same one.
    stage.apply("others", &[("bank", BANK)]).await?;
    stage.well("a", &["--keep-nat-gateways"]).await?;
    let expected = sorted(&[built("a", A), routed("a", &[BANK])]);
    assert_eq!(stage.picture().await?, expected);
    assert_eq!(stage.nat_gateway("a").await?, nat);
    Ok(())
}
