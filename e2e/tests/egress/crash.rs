//! Killed after every single call: the next run converges, nothing is made twice, nothing is left.

use std::time::Duration;

use anyhow::{Result, ensure};
use isthmus_e2e::{EmulatorSettings, Fault, Scenario, Testbed, World, kill_after_every_call};
use serde_json::Value;

use crate::picture::{built, picture, routed, sorted};
use crate::stage::{BINARY, Stage, config_map, delete, entries, flags, status, tag};

const TWO: [&str; 2] = ["192.0.2.1", "192.0.2.2"];

/// EC2, and what the ConfigMap says of it.
async fn end_state(testbed: &Testbed) -> Result<String> {
    let mut lines = picture(testbed).await?;
    // Which zone got which address depends on where the run before was killed.
    for line in &mut lines {
        *line = TWO
            .iter()
            .fold(line.clone(), |line, ip| line.replace(ip, "IP"));
    }
    if let Ok(status) = status(testbed, "partners").await {
        let ips = status["publicIPs"].as_array().map_or(0, Vec::len);
        lines.push(format!("{ips} addresses {}", Value::from(entries(&status))));
    }
    lines.sort();
    Ok(lines.join("\n"))
}

/// The world, with an EC2 that is quick: there is a lot of it to be done.
async fn world(testbed: &Testbed) -> Result<World> {
    let quick = EmulatorSettings {
        nat_pending: Duration::from_millis(50),
        nat_deleting: Duration::from_millis(50),
        ..EmulatorSettings::default()
    };
    testbed.emulators().configure(&quick).await?;
    World::create(testbed).await
}

async fn build(testbed: &Testbed, zones: &str) -> Result<World> {
    let world = world(testbed).await?;
    let networks = [("bank", "203.0.113.0/24")];
    testbed
        .apply_yaml(&config_map("partners", &networks))
        .await?;
    let args = flags(&world, zones, &["--once"]);
    let finished = testbed.command(BINARY).await?.args(&args).run().await?;
    ensure!(finished.code == Some(0), "{finished}");
    Ok(world)
}

#[tokio::test]
async fn killed_after_every_call_of_a_creation() -> Result<()> {
    let testbed = Testbed::acquire().await?;
    let scenario = Scenario {
        binary: BINARY,
        prepare: async |testbed: &Testbed| {
            let world = world(testbed).await?;
            let networks = [("bank", "203.0.113.0/24"), ("tax", "198.51.100.0/24")];
            testbed
                .apply_yaml(&config_map("partners", &networks))
                .await?;
            Ok(flags(&world, "a", &[]))
        },
        end_state,
    };
    let report = kill_after_every_call(&testbed, scenario).await?;
    assert!(report.kills > 20, "{:?}", report.calls);
    let networks = ["198.51.100.0/24", "203.0.113.0/24"];
    let mut expected = sorted(&[built("a", "IP"), routed("a", &networks)]);
    expected.insert(
        0,
        r#"1 addresses ["203.0.113.0/24 accepted","198.51.100.0/24 accepted"]"#.to_owned(),
    );
    assert_eq!(report.end_state, expected.join("\n"));
    Ok(())
}

#[tokio::test]
async fn killed_after_every_call_of_a_removal() -> Result<()> {
    let testbed = Testbed::acquire().await?;
    let scenario = Scenario {
        binary: BINARY,
        prepare: async |testbed: &Testbed| {
            let world = build(testbed, "a").await?;
            delete(testbed, "partners").await?;
            Ok(flags(&world, "a", &[]))
        },
        end_state,
    };
    let report = kill_after_every_call(&testbed, scenario).await?;
    assert!(report.kills > 15, "{:?}", report.calls);
    assert_eq!(report.end_state, "address eu-central-1a IP free");
    Ok(())
}

#[tokio::test]
async fn killed_after_every_call_of_giving_a_zone_up() -> Result<()> {
    let testbed = Testbed::acquire().await?;
    let scenario = Scenario {
        binary: BINARY,
        prepare: async |testbed: &Testbed| Ok(flags(&build(testbed, "ab").await?, "a", &[])),
        end_state,
    };
    let report = kill_after_every_call(&testbed, scenario).await?;
    let moved = "route dmz-eu-central-1b 203.0.113.0/24 to nat-gateway of eu-central-1a active";
    let kept = "address eu-central-1b IP free";
    let left = vec![moved.to_owned(), kept.to_owned()];
    let mut expected = sorted(&[built("a", "IP"), routed("a", &["203.0.113.0/24"]), left]);
    expected.insert(0, r#"1 addresses ["203.0.113.0/24 accepted"]"#.to_owned());
    assert_eq!(report.end_state, expected.join("\n"));
    Ok(())
}

#[tokio::test]
async fn killed_after_every_call_of_an_adoption() -> Result<()> {
    let testbed = Testbed::acquire().await?;
    let scenario = Scenario {
        binary: BINARY,
        prepare: async |testbed: &Testbed| {
            let world = build(testbed, "a").await?;
            let ec2 = aws_sdk_ec2::Client::new(testbed.sdk());
            let made = ec2.allocate_address().send().await?;
            let id = made.allocation_id.unwrap_or_default();
            tag(&ec2, &id, &[("Name", "handed over")]).await?;
            Ok(flags(&world, "a", &[&format!("--eip-allocation-id={id}")]))
        },
        end_state,
    };
    let report = kill_after_every_call(&testbed, scenario).await?;
    let kept = vec!["address eu-central-1a IP free".to_owned()];
    let mut expected = sorted(&[built("a", "IP"), routed("a", &["203.0.113.0/24"]), kept]);
    expected.insert(0, r#"1 addresses ["203.0.113.0/24 accepted"]"#.to_owned());
    assert_eq!(report.end_state, expected.join("\n"));
    Ok(())
}

/// An answer that is lost is not an answer that says no: the SDK would make a
/// second address, which nobody would ever use.
#[tokio::test]
async fn lost_answers_make_nothing_twice() -> Result<()> {
    let stage = Stage::new().await?;
    stage
        .apply("partners", &[("bank", "203.0.113.0/24")])
        .await?;
    let creations = [
        "CreateSubnet",
        "CreateRouteTable",
        "CreateRoute",
        "AssociateRouteTable",
        "AllocateAddress",
        "CreateNatGateway",
        "CreateTags",
    ];
    for action in creations {
        stage.testbed.gate.fault(Fault::lost_answer(action));
    }
    for _ in 0..creations.len() {
        if stage.once("a", &[]).await?.code == Some(0) {
            break;
        }
    }
    stage.idle("a", &[]).await?;
    let expected = sorted(&[built("a", TWO[0]), routed("a", &["203.0.113.0/24"])]);
    assert_eq!(stage.picture().await?, expected);
    let addresses = stage.ec2().describe_addresses().send().await?;
    assert_eq!(addresses.addresses().len(), 1);
    Ok(())
}
