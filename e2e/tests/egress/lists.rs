//! When a list of ConfigMaps is believed.

use anyhow::{Context as _, Result};
use isthmus_e2e::{Process, eventually};

use crate::front::Front;
use crate::picture::{built, routed, sorted};
use crate::process::metric;
use crate::stage::{BINARY, Stage};

const IP: &str = "192.0.2.1";
const BANK: &str = "203.0.113.0/24";
const TAX: &str = "198.51.100.0/24";

impl Stage {
    async fn serve_behind(&self, front: &Front, more: &[&str]) -> Result<Process> {
        let args = self.flags("a", more);
        let command = self.testbed.command(BINARY).await?.args(&args);
        let kubeconfig = front.kubeconfig().display().to_string();
        command.env("KUBECONFIG", &kubeconfig).spawn()
    }
}

#[tokio::test]
async fn an_empty_list_that_a_second_one_contradicts_removes_nothing() -> Result<()> {
    let stage = Stage::new().await?;
    stage.apply("partners", &[("bank", BANK)]).await?;
    stage.well("a", &[]).await?;
    let before = stage.picture().await?;
    stage.testbed.gate.clear();

    let front = Front::new(&stage.testbed).await?;
    front.rules().empty_lists = 1;
    let finished = stage
        .serve_behind(&front, &["--once"])
        .await?
        .finished()
        .await?;
    assert_eq!(finished.code, Some(1), "{finished}");
    assert!(
        finished.stderr.contains(
            "the watch shows no ConfigMap labelled egress=static, and the API server has some"
        ),
        "{finished}"
    );
    assert!(
        finished
            .stderr
            .contains("plan: ! - route 203.0.113.0/24 in ")
            && finished.stderr.contains("no later list has confirmed it"),
        "{finished}"
    );
    assert_eq!(stage.testbed.gate.writes().len(), 0, "{finished}");
    assert_eq!(stage.picture().await?, before);
    assert!(front.rules().lists >= 2);
    Ok(())
}

#[tokio::test]
async fn an_empty_list_that_no_second_one_confirms_removes_nothing() -> Result<()> {
    let stage = Stage::new().await?;
    stage.apply("partners", &[("bank", BANK)]).await?;
    stage.well("a", &[]).await?;
    stage.delete("partners").await?;
    stage.testbed.gate.clear();

    // This one list is what the process begins with; the next ones fail.
    let front = Front::new(&stage.testbed).await?;
    front.rules().last_list = true;
    let mut process = stage
        .serve_behind(&front, &["--resync-interval=1s"])
        .await?;
    process.wait_ready().await?;
    eventually("the failure of the second list", async || {
        let failed = r#"isthmus_reconcile_errors_total{class="transient",step="confirm"}"#;
        let errors = metric(&process, failed).await?;
        Ok(errors.is_some_and(|errors| errors >= 1.0).then_some(()))
    })
    .await?;
    assert_eq!(stage.testbed.gate.writes().len(), 0);

    {
        let mut rules = front.rules();
        (rules.last_list, rules.no_lists) = (false, false);
    }
    let kept = [format!("address eu-central-1a {IP} free")];
    eventually("the removal, now that it is confirmed", async || {
        Ok((stage.picture().await? == kept).then_some(()))
    })
    .await?;
    process.terminate().await?;
    Ok(())
}

/// A controller that starts at the wrong cluster, or before its objects are restored.
#[tokio::test]
async fn a_list_that_is_empty_from_the_start_is_believed_at_the_resync() -> Result<()> {
    let stage = Stage::new().await?;
    stage.apply("partners", &[("bank", BANK)]).await?;
    stage.well("a", &[]).await?;
    let before = stage.picture().await?;
    stage.delete("partners").await?;
    stage.testbed.gate.clear();

    let process = stage.serve("a", &["--resync-interval=1h"]).await?;
    let (_, plan) = process.admin_page("/plan").await?;
    assert!(plan.starts_with("! - route 203.0.113.0/24 in "), "{plan}");
    let held = metric(&process, r#"isthmus_plan_withheld{reason="empty-list"}"#).await?;
    assert_eq!(held, Some(1.0));
    assert_eq!(stage.picture().await?, before);
    let finished = process.terminate().await?;
    assert!(
        finished
            .stderr
            .contains("what is there is removed at the next resync"),
        "{finished}"
    );
    assert_eq!(stage.testbed.gate.writes().len(), 0, "{finished}");

    stage.testbed.gate.clear();
    let process = stage.serve("a", &["--resync-interval=2s"]).await?;
    let kept = [format!("address eu-central-1a {IP} free")];
    eventually("the removal at the resync", async || {
        Ok((stage.picture().await? == kept).then_some(()))
    })
    .await?;
    let finished = process.terminate().await?;
    let calls = stage.testbed.gate.calls().into_iter();
    let before = calls.take_while(|call| call.action != "DeleteRoute");
    let looks = before.filter(|call| call.action == "DescribeNatGateways");
    assert!(looks.count() >= 2, "not at the first look: {finished}");
    Ok(())
}

#[tokio::test]
async fn without_a_first_list_nothing_is_done() -> Result<()> {
    let stage = Stage::new().await?;
    stage.apply("partners", &[("bank", BANK)]).await?;
    let front = Front::new(&stage.testbed).await?;
    front.rules().no_lists = true;
    let mut process = stage.serve_behind(&front, &[]).await?;
    eventually("the answer that it is not ready", async || {
        let answer = process.admin_page("/readyz").await;
        let listed = front.rules().lists > 1;
        Ok(answer
            .is_ok_and(|(code, _)| listed && code == 503)
            .then_some(()))
    })
    .await?;
    assert_eq!(stage.testbed.gate.calls().len(), 0);
    front.rules().no_lists = false;
    process.wait_ready().await?;
    stage.until_accepted("partners").await?;
    process.terminate().await?;
    Ok(())
}

/// A deletion whose event is lost: the watch is cut, and its history is gone.
#[tokio::test]
async fn a_deletion_that_no_watch_told_is_seen_at_the_next_full_list() -> Result<()> {
    let stage = Stage::new().await?;
    stage.apply("partners", &[("bank", BANK)]).await?;
    stage.apply("others", &[("tax", TAX)]).await?;
    let front = Front::new(&stage.testbed).await?;
    let mut process = stage.serve_behind(&front, &["--log-level=trace"]).await?;
    process.wait_ready().await?;
    stage.until_accepted("partners").await?;
    stage.until_accepted("others").await?;

    {
        let mut rules = front.rules();
        (rules.no_history, rules.no_lists) = (true, true);
    }
    front.cut();
    stage.delete("others").await?;
    let lists = front.rules().lists;
    eventually("a list that fails", async || {
        Ok((front.rules().lists > lists).then_some(()))
    })
    .await
    .with_context(|| process.stderr())?;
    {
        let mut rules = front.rules();
        (rules.no_history, rules.no_lists) = (false, false);
    }
    let expected = sorted(&[built("a", IP), routed("a", &[BANK])]);
    eventually("one route", async || {
        Ok((stage.picture().await? == expected).then_some(()))
    })
    .await?;
    process.terminate().await?;
    Ok(())
}
