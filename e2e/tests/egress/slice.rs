//! One ConfigMap, one zone: built, used, removed, and built again.

use anyhow::{Context, Result};
use serde_json::json;

use crate::picture::{CLUSTER_TAG, built, routed, sorted};
use crate::stage::{BINARY, Stage, entries};

const IP: &str = "192.0.2.1";

#[tokio::test]
async fn a_config_map_gets_its_fixed_address() -> Result<()> {
    let stage = Stage::new().await?;
    stage
        .apply(
            "partners",
            &[("bank", "203.0.113.0/24"), ("tax", "198.51.100.9/25")],
        )
        .await?;
    let finished = stage
        .well("a", &["--additional-stack-tags=team=edge"])
        .await?;

    let networks = ["198.51.100.0/25", "203.0.113.0/24"];
    assert_eq!(
        stage.picture().await?,
        sorted(&[built("a", IP), routed("a", &networks)]),
        "{finished}"
    );
    let status = stage.status("partners").await?;
    assert_eq!(
        entries(&status),
        ["203.0.113.0/24 accepted", "198.51.100.9/25 accepted"]
    );
    assert_eq!(status["publicIPs"], json!([IP]));
    assert_eq!(status["zones"][0]["publicIP"], json!(IP));
    let events = stage.events("partners").await?;
    assert!(
        events.contains(&format!(
            "EgressReady: traffic to all 2 networks leaves from {IP}"
        )),
        "{events:?}"
    );

    assert_eq!(stage.testbed.gate.throttled(), 0);
    stage
        .idle("a", &["--additional-stack-tags=team=edge"])
        .await?;
    assert_eq!(
        stage.testbed.gate.calls().len(),
        6,
        "a look at everything: {:?}",
        stage.testbed.gate.calls()
    );
    Ok(())
}

#[tokio::test]
async fn everything_is_tagged_in_the_call_that_makes_it() -> Result<()> {
    let stage = Stage::new().await?;
    stage
        .apply("partners", &[("bank", "203.0.113.0/24")])
        .await?;
    stage
        .well("a", &["--additional-stack-tags=team=edge"])
        .await?;
    for action in [
        "CreateSubnet",
        "CreateRouteTable",
        "AllocateAddress",
        "CreateNatGateway",
    ] {
        let calls = stage.testbed.gate.calls_of(action);
        assert_eq!(calls.len(), 1, "{action}");
        let params = &calls[0].params;
        let tags: Vec<(&str, &str)> = (1..10)
            .filter_map(|n| {
                let part = |what| params.get(&format!("TagSpecification.1.Tag.{n}.{what}"));
                Some((part("Key")?.as_str(), part("Value")?.as_str()))
            })
            .collect();
        for tag in [
            (CLUSTER_TAG, "owned"),
            ("kubernetes:application", "kube-static-egress-controller"),
            ("team", "edge"),
            ("isthmus.dev/zone", "eu-central-1a"),
            ("Name", "nat-eu-central-1a"),
        ] {
            assert!(tags.contains(&tag), "{action}: {tag:?} in {tags:?}");
        }
    }
    let nat = &stage.testbed.gate.calls_of("CreateNatGateway")[0];
    let token = nat.params.get("ClientToken").context("a client token")?;
    assert!(token.starts_with("isthmus-"), "{token}");
    Ok(())
}

#[tokio::test]
async fn it_goes_with_the_config_map_and_the_address_stays() -> Result<()> {
    let stage = Stage::new().await?;
    stage
        .apply("partners", &[("bank", "203.0.113.0/24")])
        .await?;
    stage.well("a", &[]).await?;
    stage.delete("partners").await?;
    stage.well("a", &[]).await?;
    assert_eq!(
        stage.picture().await?,
        [format!("address eu-central-1a {IP} free")]
    );
    stage.idle("a", &[]).await?;

    // It comes back, and with the same address.
    stage
        .apply("others", &[("bank", "198.51.100.0/24")])
        .await?;
    stage.well("a", &[]).await?;
    let expected = sorted(&[built("a", IP), routed("a", &["198.51.100.0/24"])]);
    assert_eq!(stage.picture().await?, expected);
    stage.idle("a", &[]).await
}

#[tokio::test]
async fn release_eips_gives_it_back_and_says_so_first() -> Result<()> {
    let stage = Stage::new().await?;
    let (foreign, _) = stage.foreign_address().await?;
    stage
        .apply("partners", &[("bank", "203.0.113.0/24")])
        .await?;
    stage.well("a", &["--release-eips"]).await?;
    stage.delete("partners").await?;
    let finished = stage.well("a", &["--release-eips"]).await?;
    assert_eq!(stage.picture().await?, [""; 0]);
    let said = finished
        .stderr
        .find("giving up 192.0.2.2 for good")
        .context("said")?;
    let done = finished
        .stderr
        .find("giving an Elastic IP back")
        .context("done")?;
    assert!(said < done, "{finished}");
    let left = stage.ec2().describe_addresses().send().await?;
    let left: Vec<_> = left
        .addresses()
        .iter()
        .filter_map(|address| address.allocation_id())
        .collect();
    assert_eq!(left, [foreign], "what is not ours stays");
    Ok(())
}

#[tokio::test]
async fn the_cluster_and_its_vpc_are_found_without_being_told() -> Result<()> {
    let stage = Stage::new().await?;
    stage
        .apply("partners", &[("bank", "203.0.113.0/24")])
        .await?;
    let mut args = stage.flags("a", &["--once"]);
    args.retain(|flag| !flag.starts_with("--vpc-id") && !flag.starts_with("--cluster-id"));
    let finished = stage
        .testbed
        .command(BINARY)
        .await?
        .args(&args)
        .run()
        .await?;
    assert_eq!(finished.code, Some(0), "{finished}");
    assert_eq!(
        stage.picture().await?,
        sorted(&[built("a", IP), routed("a", &["203.0.113.0/24"])])
    );
    Ok(())
}
