//! Reads that fail, calls that are refused, plans that remove too much.

use anyhow::Result;
use isthmus_e2e::{EmulatorSettings, Fault};

use crate::picture::{built, routed, sorted};
use crate::stage::{Stage, entries};

const IP: &str = "192.0.2.1";

#[tokio::test]
async fn a_read_that_fails_removes_nothing() -> Result<()> {
    let stage = Stage::new().await?;
    stage
        .apply("partners", &[("bank", "203.0.113.0/24")])
        .await?;
    stage.well("a", &[]).await?;
    let before = stage.picture().await?;
    stage.delete("partners").await?;
    for action in [
        "DescribeVpcs",
        "DescribeSubnets",
        "DescribeRouteTables",
        "DescribeAddresses",
        "DescribeNatGateways",
    ] {
        for fault in [Fault::denied(action), Fault::malformed(action)] {
            stage.testbed.gate.fault(fault.always());
            let finished = stage.once("a", &[]).await?;
            stage.testbed.gate.clear_faults();
            assert_eq!(finished.code, Some(1), "{action}: {finished}");
            assert_eq!(stage.picture().await?, before, "{action}: {finished}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn throttling_is_waited_for_and_nothing_is_made_twice() -> Result<()> {
    let stage = Stage::new().await?;
    stage
        .apply("partners", &[("bank", "203.0.113.0/24")])
        .await?;
    for action in [
        "DescribeSubnets",
        "CreateSubnet",
        "AllocateAddress",
        "CreateNatGateway",
        "CreateRoute",
    ] {
        stage.testbed.gate.fault(Fault::throttle(action).times(4));
    }
    for _ in 0..30 {
        if stage.once("a", &[]).await?.code == Some(0) {
            break;
        }
    }
    assert_eq!(
        stage.picture().await?,
        sorted(&[built("a", IP), routed("a", &["203.0.113.0/24"])])
    );
    stage.idle("a", &[]).await
}

#[tokio::test]
async fn a_denied_call_is_told_to_those_who_asked_and_stops_only_its_kind() -> Result<()> {
    let stage = Stage::new().await?;
    stage
        .apply(
            "partners",
            &[("bank", "203.0.113.0/24"), ("tax", "198.51.100.0/24")],
        )
        .await?;
    stage.well("a", &[]).await?;
    stage
        .apply("others", &[("a", "192.0.3.0/24"), ("b", "192.0.4.0/24")])
        .await?;
    stage.delete("partners").await?;
    stage.testbed.gate.clear();
    stage
        .testbed
        .gate
        .fault(Fault::denied("CreateRoute").always());
    let finished = stage.once("a", &[]).await?;
    assert_eq!(finished.code, Some(1), "{finished}");
    assert_eq!(
        stage.testbed.gate.calls_of("CreateRoute").len(),
        1,
        "not once for each network"
    );
    assert_eq!(
        stage.testbed.gate.calls_of("DeleteRoute").len(),
        2,
        "the others go on"
    );
    let events = stage.events("others").await?;
    assert!(
        events
            .iter()
            .any(|event| event.starts_with("EgressFailed: + route 192.0.3.0/24")),
        "{events:?}"
    );
    let status = stage.status("others").await?;
    assert_eq!(entries(&status)[0], "192.0.3.0/24 pending Failed");
    Ok(())
}

#[tokio::test]
async fn a_mass_removal_is_withheld_until_somebody_says_yes() -> Result<()> {
    let stage = Stage::new().await?;
    let networks: Vec<(String, String)> = (0..12)
        .map(|n| (format!("k{n:02}"), format!("198.51.{n}.0/24")))
        .collect();
    let data: Vec<(&str, &str)> = networks
        .iter()
        .map(|(k, v)| (k.as_str(), v.as_str()))
        .collect();
    stage.apply("partners", &data).await?;
    stage.apply("others", &[("bank", "203.0.113.0/24")]).await?;
    stage.well("a", &[]).await?;
    let before = stage.picture().await?;
    stage.delete("partners").await?;
    let finished = stage.well("a", &[]).await?;
    assert_eq!(stage.picture().await?, before, "{finished}");
    assert!(
        finished.stderr.contains("this plan removes 12 of 14"),
        "{finished}"
    );
    let events = stage.events("others").await?;
    assert!(
        events
            .iter()
            .any(|event| event.starts_with("RemovalWithheld: this plan removes 12")),
        "{events:?}"
    );
    stage.well("a", &["--allow-mass-removal"]).await?;
    assert_eq!(
        stage.picture().await?,
        sorted(&[built("a", IP), routed("a", &["203.0.113.0/24"])])
    );
    Ok(())
}

#[tokio::test]
async fn a_full_route_table_leaves_entries_pending() -> Result<()> {
    let stage = Stage::new().await?;
    stage
        .apply(
            "partners",
            &[("a", "203.0.113.0/24"), ("b", "198.51.100.0/24")],
        )
        .await?;
    let full = Fault::error(
        "CreateRoute",
        400,
        "RouteLimitExceeded",
        "The maximum number of routes has been reached.",
    );
    // The first is the default route of the NAT subnet, the second a network's.
    stage.testbed.gate.fault(full.nth(3).always());
    stage.well("a", &[]).await?;
    let status = stage.status("partners").await?;
    assert_eq!(
        entries(&status),
        ["203.0.113.0/24 pending quota", "198.51.100.0/24 accepted"]
    );
    let events = stage.events("partners").await?;
    assert!(
        events
            .iter()
            .any(|event| event.starts_with("RouteQuota: 203.0.113.0/24")),
        "{events:?}"
    );
    stage.testbed.gate.clear_faults();
    stage.well("a", &[]).await?;
    let status = stage.status("partners").await?;
    assert_eq!(
        entries(&status),
        ["203.0.113.0/24 accepted", "198.51.100.0/24 accepted"]
    );
    Ok(())
}

/// Below the rate at which EC2 refuses: 50 at once, then 5 a second.
#[tokio::test]
async fn many_routes_are_made_without_one_throttled_call() -> Result<()> {
    let stage = Stage::new().await?;
    let text: Vec<String> = (0..70).map(|n| format!("198.18.{n}.0/24")).collect();
    stage
        .apply("partners", &[("all", &text.join("\n"))])
        .await?;
    stage.well("a", &[]).await?;
    assert_eq!(stage.testbed.gate.throttled(), 0);
    assert_eq!(stage.testbed.gate.calls_of("CreateRoute").len(), 71);
    let entries = entries(&stage.status("partners").await?);
    assert_eq!(
        entries
            .iter()
            .filter(|entry| entry.ends_with(" accepted"))
            .count(),
        70
    );
    Ok(())
}

/// A list that comes in pages is read to its end: what is on the last one is there too.
#[tokio::test]
async fn every_page_of_every_list_is_read() -> Result<()> {
    let stage = Stage::new().await?;
    let paged = EmulatorSettings {
        ec2_page_size: 1,
        ..EmulatorSettings::default()
    };
    stage.testbed.emulators().configure(&paged).await?;
    stage
        .apply("partners", &[("bank", "203.0.113.0/24")])
        .await?;
    stage.well("abc", &[]).await?;
    for action in [
        "DescribeSubnets",
        "DescribeRouteTables",
        "DescribeNatGateways",
    ] {
        let calls = stage.testbed.gate.calls_of(action);
        let later = calls
            .iter()
            .filter(|call| call.params.contains_key("NextToken"));
        assert!(later.count() > 1, "{action}");
    }
    stage.idle("abc", &[]).await?;
    stage
        .testbed
        .emulators()
        .configure(&EmulatorSettings::default())
        .await?;
    let picture = stage.picture().await?;
    let routes = picture
        .iter()
        .filter(|line| line.ends_with(" active") && line.contains("203.0.113.0/24"));
    assert_eq!(routes.count(), 3, "{picture:#?}");
    let addresses = stage.ec2().describe_addresses().send().await?;
    assert_eq!(addresses.addresses().len(), 3);
    stage.testbed.emulators().configure(&paged).await?;
    stage.delete("partners").await?;
    stage.well("abc", &[]).await?;
    stage
        .testbed
        .emulators()
        .configure(&EmulatorSettings::default())
        .await?;
    assert_eq!(stage.picture().await?.len(), 3, "the addresses");
    Ok(())
}
