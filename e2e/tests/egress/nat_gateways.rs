//! NAT gateways that fail.

use std::time::Duration;

use anyhow::Result;
use isthmus_e2e::{EmulatorSettings, PATIENCE, eventually};
use serde_json::json;

use crate::picture::{built, is_gone, routed, sorted};
use crate::stage::{BINARY, Stage};

const IP: &str = "192.0.2.1";

#[tokio::test]
async fn a_failed_nat_gateway_is_said_and_replaced_with_its_address() -> Result<()> {
    let stage = Stage::new().await?;
    let reason = "Subnet has insufficient free addresses to create this NAT gateway";
    let failing = EmulatorSettings {
        nat_failure: Some(("InsufficientFreeAddressesInSubnet".into(), reason.into())),
        ..EmulatorSettings::default()
    };
    stage.testbed.emulators().configure(&failing).await?;
    stage
        .apply("partners", &[("bank", "203.0.113.0/24")])
        .await?;
    let mut process = {
        let args = stage.flags("a", &[]);
        stage.testbed.command(BINARY).await?.args(&args).spawn()?
    };
    process.wait_ready().await?;
    let said = format!("InsufficientFreeAddressesInSubnet: {reason}");
    eventually("the failure on the ConfigMap", async || {
        let status = stage.status("partners").await?;
        let message = status["zones"][0]["message"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        let events = stage.events("partners").await?;
        let event = events
            .iter()
            .any(|event| event.starts_with("NatGatewayFailed") && event.contains(&said));
        Ok((message.contains(&said) && event).then_some(()))
    })
    .await?;
    // It is replaced at once, the next time after a minute.
    let gate = &stage.testbed.gate;
    gate.wait_for(PATIENCE, |calls| {
        calls
            .iter()
            .filter(|call| call.action == "CreateNatGateway")
            .count()
            >= 2
    })
    .await?;
    stage
        .testbed
        .emulators()
        .configure(&EmulatorSettings::default())
        .await?;
    process.terminate().await?;
    let calls = gate.calls_of("CreateNatGateway");
    assert_ne!(
        calls[0].params.get("ClientToken"),
        calls[1].params.get("ClientToken")
    );
    assert_eq!(
        calls[0].params.get("AllocationId"),
        calls[1].params.get("AllocationId")
    );
    assert_eq!(gate.calls_of("AllocateAddress").len(), 1);
    Ok(())
}

#[tokio::test]
async fn a_nat_gateway_that_fails_once_leaves_nothing_behind() -> Result<()> {
    let stage = Stage::new().await?;
    let failing = EmulatorSettings {
        // Until it is said that the next one works.
        nat_pending: Duration::from_secs(3600),
        nat_failure: Some(("InternalError".into(), "Please try again.".into())),
        ..EmulatorSettings::default()
    };
    stage.testbed.emulators().configure(&failing).await?;
    stage
        .apply("partners", &[("bank", "203.0.113.0/24")])
        .await?;
    let args = stage.flags("a", &["--once"]);
    let mut process = stage.testbed.command(BINARY).await?.args(&args).spawn()?;
    let gate = &stage.testbed.gate;
    let waited = gate.wait_for(PATIENCE, |calls| {
        calls
            .iter()
            .any(|call| call.action == "CreateNatGateway" && call.status == 200)
    });
    waited.await?;
    stage
        .testbed
        .emulators()
        .configure(&EmulatorSettings::default())
        .await?;
    let finished = process.finished().await?;
    assert_eq!(finished.code, Some(0), "{finished}");
    assert_eq!(
        stage.picture().await?,
        sorted(&[built("a", IP), routed("a", &["203.0.113.0/24"])])
    );
    let nats = stage.ec2().describe_nat_gateways().send().await?;
    let live: Vec<_> = nats
        .nat_gateways()
        .iter()
        .filter(|nat| !is_gone(nat))
        .collect();
    assert_eq!(
        (live.len(), nats.nat_gateways().len()),
        (1, 2),
        "the failed one is deleted"
    );
    assert_eq!(gate.calls_of("AllocateAddress").len(), 1);
    stage.idle("a", &[]).await
}

#[tokio::test]
async fn a_nat_gateway_that_keeps_failing_ends_a_single_run() -> Result<()> {
    let stage = Stage::new().await?;
    let failing = EmulatorSettings {
        nat_failure: Some(("InternalError".into(), "Please try again.".into())),
        ..EmulatorSettings::default()
    };
    stage.testbed.emulators().configure(&failing).await?;
    stage
        .apply("partners", &[("bank", "203.0.113.0/24")])
        .await?;
    let finished = stage.once("a", &[]).await?;
    assert_eq!(finished.code, Some(1), "{finished}");
    assert_eq!(
        stage.testbed.gate.calls_of("CreateNatGateway").len(),
        2,
        "the first replacement at once, the next one after a minute"
    );
    let status = stage.status("partners").await?;
    assert_eq!(status["zones"][0]["state"], json!("failed"));
    Ok(())
}
