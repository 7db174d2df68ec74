//! The controller as it runs in a cluster: watching, at rest, in bursts.

use std::time::Duration;

use anyhow::Result;
use isthmus_e2e::{EmulatorSettings, eventually};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::json;

use crate::picture::{built, routed, sorted};
use crate::process::{metric, settled};
use crate::stage::{STATUS, Stage, entries};

const IP: &str = "192.0.2.1";
const BANK: &str = "203.0.113.0/24";

#[tokio::test]
async fn changes_are_acted_on_as_they_happen() -> Result<()> {
    let stage = Stage::new().await?;
    let process = stage.serve("a", &[]).await?;
    assert_eq!(stage.testbed.gate.writes().len(), 0);
    stage.apply("partners", &[("bank", BANK)]).await?;
    stage.until_accepted("partners").await?;
    let expected = sorted(&[built("a", IP), routed("a", &[BANK])]);
    assert_eq!(stage.picture().await?, expected);
    let info = format!(r#"isthmus_egress_public_ip_info{{az="eu-central-1a",ip="{IP}"}}"#);
    eventually("the metrics", async || {
        let found = metric(&process, &info).await?;
        let routes = metric(&process, r#"isthmus_managed{kind="route"}"#).await?;
        Ok((found == Some(1.0) && routes == Some(1.0)).then_some(()))
    })
    .await?;
    let (code, page) = process.admin_page("/").await?;
    assert_eq!(code, 200);
    for word in [IP, BANK, "shop/partners", "eu-central-1a", "available"] {
        assert!(page.contains(word), "{word} in\n{page}");
    }

    stage
        .apply("partners", &[("bank", "198.51.100.0/24")])
        .await?;
    eventually("the other route", async || {
        let expected = sorted(&[built("a", IP), routed("a", &["198.51.100.0/24"])]);
        Ok((stage.picture().await? == expected).then_some(()))
    })
    .await?;
    stage.delete("partners").await?;
    eventually("only the address", async || {
        let kept = [format!("address eu-central-1a {IP} free")];
        Ok((stage.picture().await? == kept).then_some(()))
    })
    .await?;
    let finished = process.terminate().await?;
    assert_eq!(finished.code, Some(0), "{finished}");
    Ok(())
}

/// A hundred changes are few reconciles, and the answers that they bring none.
#[tokio::test]
async fn a_burst_is_at_most_two_reconciles() -> Result<()> {
    let stage = Stage::new().await?;
    // Many routes at once: EC2's rates are another test's subject.
    stage.testbed.gate.rate("ec2", "", 100_000, 100_000.0);
    stage.apply("partners", &[("bank", BANK)]).await?;
    let mut process = stage.serve("a", &["--aws-api-rate=1000"]).await?;
    stage.until_accepted("partners").await?;
    let before = settled(&stage, &process).await?;

    // However long the API server takes for them, it hears of all at once.
    process.signal("STOP").await?;
    let burst = (0..100).map(|n| stage_list(&stage, n));
    futures::future::try_join_all(burst).await?;
    process.signal("CONT").await?;
    for n in 0..100 {
        stage.until_accepted(&format!("list-{n}")).await?;
    }
    let after = settled(&stage, &process).await?;
    assert!(after - before <= 2.0, "{before} to {after}");
    process.terminate().await?;
    Ok(())
}

async fn stage_list(stage: &Stage, n: usize) -> Result<()> {
    let network = format!("198.18.{n}.0/24");
    stage.apply(&format!("list-{n}"), &[("x", &network)]).await
}

#[tokio::test]
async fn an_answer_that_somebody_changed_is_put_back_without_a_look_at_aws() -> Result<()> {
    let stage = Stage::new().await?;
    stage.apply("partners", &[("bank", BANK)]).await?;
    let process = stage.serve("a", &[]).await?;
    stage.until_accepted("partners").await?;
    settled(&stage, &process).await?;
    let right = stage.status("partners").await?;
    stage.testbed.gate.clear();
    let maps: Api<ConfigMap> = Api::namespaced(stage.testbed.kube(), "shop");
    let wrong = json!({"metadata": {"annotations": {STATUS: "{}"}}});
    maps.patch("partners", &PatchParams::default(), &Patch::Merge(&wrong))
        .await?;
    eventually("the answer", async || {
        Ok((stage.status("partners").await? == right).then_some(()))
    })
    .await?;
    assert_eq!(stage.testbed.gate.calls().len(), 0);
    process.terminate().await?;
    Ok(())
}

#[tokio::test]
async fn drift_is_seen_at_the_resync() -> Result<()> {
    let stage = Stage::new().await?;
    stage.apply("partners", &[("bank", BANK)]).await?;
    let process = stage.serve("a", &["--resync-interval=3s"]).await?;
    stage.until_accepted("partners").await?;
    stage.delete_route(&stage.table("a"), BANK).await?;
    let expected = sorted(&[built("a", IP), routed("a", &[BANK])]);
    eventually("the route", async || {
        Ok((stage.picture().await? == expected).then_some(()))
    })
    .await?;
    // A table that joins needs no restart.
    stage.another_table("a", "dmz-2").await?;
    let second = format!("route dmz-2 {BANK} to nat-gateway of eu-central-1a active");
    eventually("the other table", async || {
        Ok(stage.picture().await?.contains(&second).then_some(()))
    })
    .await?;
    process.terminate().await?;
    Ok(())
}

/// A deletion that nobody was there to see.
#[tokio::test]
async fn what_was_deleted_meanwhile_goes_at_the_next_full_list() -> Result<()> {
    let stage = Stage::new().await?;
    stage.apply("partners", &[("bank", BANK)]).await?;
    stage.apply("others", &[("tax", "198.51.100.0/24")]).await?;
    let process = stage.serve("a", &[]).await?;
    stage.until_accepted("partners").await?;
    stage.until_accepted("others").await?;
    process.kill().await?;
    stage.delete("others").await?;
    let process = stage.serve("a", &[]).await?;
    let expected = sorted(&[built("a", IP), routed("a", &[BANK])]);
    eventually("one route", async || {
        Ok((stage.picture().await? == expected).then_some(()))
    })
    .await?;
    process.terminate().await?;
    Ok(())
}

#[tokio::test]
async fn one_namespace_is_enough_for_some() -> Result<()> {
    let stage = Stage::new().await?;
    stage.apply("partners", &[("bank", BANK)]).await?;
    stage.well("a", &["--namespace=elsewhere"]).await?;
    assert_eq!(stage.picture().await?, [""; 0]);
    stage.well("a", &["--namespace=shop"]).await?;
    assert_eq!(
        stage.picture().await?,
        sorted(&[built("a", IP), routed("a", &[BANK])])
    );
    Ok(())
}

#[tokio::test]
async fn a_nat_gateway_on_its_way_keeps_nobody_waiting() -> Result<()> {
    let stage = Stage::new().await?;
    let slow = EmulatorSettings {
        nat_pending: Duration::from_secs(600),
        ..EmulatorSettings::default()
    };
    stage.testbed.emulators().configure(&slow).await?;
    stage.apply("partners", &[("bank", BANK)]).await?;
    // Ready while EC2 is not: the first reconcile has ended.
    let process = stage.serve("a", &[]).await?;
    eventually("a pending entry", async || {
        let status = stage.status("partners").await?;
        let pending = entries(&status) == ["203.0.113.0/24 pending NatGateway"];
        let zone = status["zones"][0]["state"] == json!("pending");
        Ok((pending && zone && status["publicIPs"] == json!([IP])).then_some(()))
    })
    .await?;
    // Others are served meanwhile.
    stage.apply("others", &[("bad", "10.0.0.0/8")]).await?;
    eventually("a verdict for the other", async || {
        let entries = entries(&stage.status("others").await?);
        Ok((entries == ["10.0.0.0/8 rejected PrivateRange"]).then_some(()))
    })
    .await?;
    // EC2 would take longer than anybody waits here.
    let finished = process.terminate().await?;
    assert_eq!(finished.code, Some(0), "{finished}");
    let waits = finished.stderr.matches("nat-gateway").count();
    assert!(
        waits < 10,
        "the same plan is not said again and again: {finished}"
    );
    Ok(())
}

#[tokio::test]
async fn without_its_label_a_config_map_has_no_answer_and_no_route() -> Result<()> {
    let stage = Stage::new().await?;
    stage.apply("partners", &[("bank", BANK)]).await?;
    stage.apply("others", &[("tax", "198.51.100.0/24")]).await?;
    let process = stage.serve("a", &[]).await?;
    stage.until_accepted("partners").await?;
    stage.until_accepted("others").await?;
    let maps: Api<ConfigMap> = Api::namespaced(stage.testbed.kube(), "shop");
    let unlabelled = json!({"metadata": {"labels": {"egress": null}}});
    maps.patch(
        "partners",
        &PatchParams::default(),
        &Patch::Merge(&unlabelled),
    )
    .await?;
    eventually("no answer", async || {
        Ok(stage.status("partners").await?.is_null().then_some(()))
    })
    .await?;
    let expected = sorted(&[built("a", IP), routed("a", &["198.51.100.0/24"])]);
    assert_eq!(stage.picture().await?, expected);
    process.terminate().await?;
    Ok(())
}
