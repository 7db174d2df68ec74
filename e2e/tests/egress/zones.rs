//! Zones come and go, addresses are handed over, and all of it at once.

use anyhow::{Context, Result, ensure};
use serde_json::json;

use crate::stage::{CLUSTER_TAG, Stage, built, config_map, entries, routed, sorted, tag};

const BANK: &str = "203.0.113.0/24";
const A: &str = "192.0.2.1";
const B: &str = "192.0.2.2";

/// Two zones, three tables, 50 networks of 10 ConfigMaps; read back by boto3.
#[tokio::test]
async fn two_zones_three_tables_fifty_networks() -> Result<()> {
    let stage = Stage::new().await?;
    stage.another_table("b", "dmz-b2").await?;
    let mut yaml = String::new();
    for n in 0..10 {
        let networks: Vec<(String, String)> = (0..5)
            .map(|k| (format!("k{k}"), format!("198.{n}.{k}.0/24")))
            .collect();
        let data: Vec<(&str, &str)> = networks
            .iter()
            .map(|(k, v)| (k.as_str(), v.as_str()))
            .collect();
        yaml.push_str(&config_map(&format!("list-{n}"), &data));
    }
    stage.testbed.apply_yaml(&yaml).await?;
    stage.well("ab", &[]).await?;
    assert_eq!(stage.testbed.gate.throttled(), 0);

    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/egress/routes.py");
    let python = stage.testbed.python().await?;
    let output = tokio::process::Command::new(python)
        .args([script, stage.testbed.gate.bypass_url()])
        .output()
        .await?;
    ensure!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let seen: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    let networks: Vec<String> = (0..10)
        .flat_map(|n| (0..5).map(move |k| format!("198.{n}.{k}.0/24")))
        .collect();
    for (table, ip) in [
        ("dmz-eu-central-1a", A),
        ("dmz-eu-central-1b", B),
        ("dmz-b2", B),
    ] {
        let routes: Vec<_> = networks.iter().map(|to| json!([to, ip])).collect();
        assert_eq!(seen[table], json!(routes), "{table}");
    }
    assert_eq!(
        seen["dmz-eu-central-1c"],
        json!([]),
        "its zone is not built in"
    );
    for n in 0..10 {
        let status = stage.status(&format!("list-{n}")).await?;
        assert_eq!(status["publicIPs"], json!([A, B]));
        assert!(
            entries(&status)
                .iter()
                .all(|entry| entry.ends_with(" accepted")),
            "{status}"
        );
    }
    stage.idle("ab", &[]).await
}

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
    crate::stage::eventually("the address let go", async || {
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

/// Moving from kube-static-egress-controller with its cluster id and controller
/// id: its stack has put the same tags on everything.
#[tokio::test]
async fn what_the_predecessors_stack_has_built_is_taken_over() -> Result<()> {
    let stage = Stage::new().await?;
    let ec2 = stage.ec2();
    let marks = [
        (CLUSTER_TAG, "owned"),
        ("kubernetes:application", "kube-static-egress-controller"),
    ];
    let (allocation, ip) = stage.foreign_address().await?;
    let request = ec2
        .create_subnet()
        .vpc_id(&stage.world.vpc)
        .cidr_block("10.20.255.0/28");
    let made = request.availability_zone("eu-central-1a").send().await?;
    let subnet = made
        .subnet
        .and_then(|subnet| subnet.subnet_id)
        .context("an id")?;
    let made = ec2
        .create_route_table()
        .vpc_id(&stage.world.vpc)
        .send()
        .await?;
    let table = made
        .route_table
        .and_then(|table| table.route_table_id)
        .context("an id")?;
    let request = ec2
        .create_route()
        .route_table_id(&table)
        .destination_cidr_block("0.0.0.0/0");
    request
        .gateway_id(&stage.world.internet_gateway)
        .send()
        .await?;
    ec2.associate_route_table()
        .route_table_id(&table)
        .subnet_id(&subnet)
        .send()
        .await?;
    let request = ec2
        .create_nat_gateway()
        .subnet_id(&subnet)
        .allocation_id(&allocation);
    let made = request.send().await?;
    let nat = made
        .nat_gateway
        .and_then(|nat| nat.nat_gateway_id)
        .context("an id")?;
    for id in [&allocation, &subnet, &table, &nat] {
        tag(&ec2, id, &marks).await?;
    }
    tag(&ec2, &table, &[("Name", "nat-eu-central-1a")]).await?;
    stage.route(&stage.table("a"), BANK, &nat).await?;

    stage.apply("partners", &[("bank", BANK)]).await?;
    stage.well("a", &[]).await?;
    let writes = stage.testbed.gate.writes();
    assert!(
        writes.iter().all(|call| call.action == "CreateTags"),
        "{writes:?}"
    );
    assert_eq!(
        stage.picture().await?,
        sorted(&[built("a", &ip), routed("a", &[BANK])])
    );
    assert_eq!(
        stage.nat_gateway("a").await?,
        nat,
        "traffic has never moved"
    );
    assert_eq!(stage.status("partners").await?["publicIPs"], json!([ip]));
    stage.idle("a", &[]).await?;

    // From then on it is ours like all else.
    stage.delete("partners").await?;
    stage.well("a", &[]).await?;
    assert_eq!(
        stage.picture().await?,
        [format!("address eu-central-1a {ip} free")]
    );
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
