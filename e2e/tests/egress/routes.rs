//! Routes: those of others, and what happens to ours behind our back.

use anyhow::{Context, Result};

use crate::picture::{built, is_gone, routed, sorted};
use crate::stage::{Stage, entries, tag};

const IP: &str = "192.0.2.1";
const BANK: &str = "203.0.113.0/24";

#[tokio::test]
async fn a_foreign_route_is_a_conflict_and_stays() -> Result<()> {
    let stage = Stage::new().await?;
    let ec2 = stage.ec2();
    let (allocation, _) = stage.foreign_address().await?;
    let subnet = &stage.world.public_subnets[0].id;
    let made = ec2
        .create_nat_gateway()
        .subnet_id(subnet)
        .allocation_id(allocation)
        .send()
        .await?;
    let foreign = made
        .nat_gateway
        .and_then(|nat| nat.nat_gateway_id)
        .context("an id")?;
    stage.route(&stage.table("a"), BANK, &foreign).await?;
    stage.another_table("a", "dmz-2").await?;
    stage
        .apply("partners", &[("bank", BANK), ("tax", "198.51.100.0/24")])
        .await?;
    stage.well("a", &[]).await?;

    let second = ["198.51.100.0/24", BANK]
        .map(|to| format!("route dmz-2 {to} to nat-gateway of eu-central-1a active"));
    let foreign_route = vec![format!(
        "route dmz-eu-central-1a {BANK} to foreign nat-gateway active"
    )];
    let expected = sorted(&[
        built("a", "192.0.2.2"),
        routed("a", &["198.51.100.0/24"]),
        second.to_vec(),
        foreign_route,
    ]);
    assert_eq!(stage.picture().await?, expected);
    let status = stage.status("partners").await?;
    assert_eq!(
        entries(&status),
        [
            "203.0.113.0/24 conflict RouteConflict",
            "198.51.100.0/24 accepted"
        ]
    );
    let events = stage.events("partners").await?;
    assert!(
        events
            .iter()
            .any(|event| event.starts_with("RouteConflict: 203.0.113.0/24")),
        "{events:?}"
    );
    stage.idle("a", &[]).await?;

    // Their route stays when ours go.
    stage.delete("partners").await?;
    stage.well("a", &[]).await?;
    let left = [
        "address eu-central-1a 192.0.2.2 free".to_owned(),
        format!("route dmz-eu-central-1a {BANK} to foreign nat-gateway active"),
    ];
    assert_eq!(stage.picture().await?, left);
    Ok(())
}

#[tokio::test]
async fn a_route_deleted_by_hand_comes_back() -> Result<()> {
    let stage = Stage::new().await?;
    stage.apply("partners", &[("bank", BANK)]).await?;
    stage.well("a", &[]).await?;
    stage.delete_route(&stage.table("a"), BANK).await?;
    stage.testbed.gate.clear();
    stage.well("a", &[]).await?;
    assert_eq!(
        stage.picture().await?,
        sorted(&[built("a", IP), routed("a", &[BANK])])
    );
    assert_eq!(stage.testbed.gate.writes().len(), 1);
    Ok(())
}

#[tokio::test]
async fn a_nat_gateway_deleted_by_hand_comes_back_with_its_address() -> Result<()> {
    let stage = Stage::new().await?;
    stage.apply("partners", &[("bank", BANK)]).await?;
    stage.well("a", &[]).await?;
    let nat = stage.nat_gateway("a").await?;
    stage
        .ec2()
        .delete_nat_gateway()
        .nat_gateway_id(&nat)
        .send()
        .await?;
    stage.testbed.gate.clear();
    stage.well("a", &[]).await?;
    assert_eq!(
        stage.picture().await?,
        sorted(&[built("a", IP), routed("a", &[BANK])])
    );
    assert_eq!(stage.testbed.gate.calls_of("AllocateAddress").len(), 0);
    assert_eq!(
        stage.testbed.gate.calls_of("ReplaceRoute").len(),
        1,
        "the black hole is led elsewhere"
    );
    assert_ne!(stage.nat_gateway("a").await?, nat);
    stage.idle("a", &[]).await
}

#[tokio::test]
async fn a_route_moved_to_another_zone_moves_back() -> Result<()> {
    let stage = Stage::new().await?;
    stage.apply("partners", &[("bank", BANK)]).await?;
    stage.well("ab", &[]).await?;
    let (table, other) = (stage.table("b"), stage.nat_gateway("a").await?);
    let request = stage
        .ec2()
        .replace_route()
        .route_table_id(&table)
        .destination_cidr_block(BANK);
    request.nat_gateway_id(other).send().await?;
    stage.well("ab", &[]).await?;
    let picture = stage.picture().await?;
    assert!(picture.contains(&routed("b", &[BANK])[0]), "{picture:#?}");
    Ok(())
}

#[tokio::test]
async fn a_new_table_joins_and_one_that_leaves_its_mark_is_left() -> Result<()> {
    let stage = Stage::new().await?;
    stage.apply("partners", &[("bank", BANK)]).await?;
    stage.well("a", &[]).await?;
    let table = stage.another_table("a", "dmz-2").await?;
    stage.well("a", &[]).await?;
    let second = vec![format!(
        "route dmz-2 {BANK} to nat-gateway of eu-central-1a active"
    )];
    let expected = sorted(&[built("a", IP), routed("a", &[BANK]), second.clone()]);
    assert_eq!(stage.picture().await?, expected);

    // Without its mark nobody can say whose the route is: it is left, and holds the NAT gateway.
    tag(&stage.ec2(), &table, &[("Type", "internal")]).await?;
    stage.idle("a", &[]).await?;
    stage.delete("partners").await?;
    let finished = stage.well("a", &[]).await?;
    assert_eq!(
        stage.picture().await?,
        sorted(&[built("a", IP), second]),
        "{finished}"
    );
    assert!(
        finished
            .stderr
            .contains("a route that is not ours; remove it there"),
        "{finished}"
    );
    stage.delete_route(&table, BANK).await?;
    stage.well("a", &[]).await?;
    let nats = stage.ec2().describe_nat_gateways().send().await?;
    assert!(nats.nat_gateways().iter().all(is_gone));
    Ok(())
}

#[tokio::test]
async fn a_larger_network_takes_over_from_a_smaller_one_and_gives_it_back() -> Result<()> {
    let stage = Stage::new().await?;
    stage.apply("small", &[("bank", BANK)]).await?;
    stage.well("a", &[]).await?;
    stage.apply("large", &[("all", "203.0.112.0/22")]).await?;
    stage.testbed.gate.clear();
    stage.well("a", &[]).await?;
    assert_eq!(
        stage.picture().await?,
        sorted(&[built("a", IP), routed("a", &["203.0.112.0/22"])])
    );
    let order = |stage: &Stage| -> Vec<String> {
        stage
            .testbed
            .gate
            .writes()
            .into_iter()
            .map(|call| call.action)
            .collect()
    };
    assert_eq!(
        order(&stage),
        ["CreateRoute", "DeleteRoute"],
        "never without a route"
    );
    assert_eq!(
        entries(&stage.status("small").await?),
        ["203.0.113.0/24 accepted"]
    );

    stage.delete("large").await?;
    stage.testbed.gate.clear();
    stage.well("a", &[]).await?;
    assert_eq!(
        stage.picture().await?,
        sorted(&[built("a", IP), routed("a", &[BANK])])
    );
    assert_eq!(
        order(&stage),
        ["CreateRoute", "DeleteRoute"],
        "never without a route"
    );
    Ok(())
}
