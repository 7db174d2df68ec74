//! The controller as a process that stays.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use isthmus_e2e::{PATIENCE, Process, eventually};

use crate::stage::{BINARY, Stage, entries};

/// Changes are collected for a second; this is several times that.
const QUIET: Duration = Duration::from_secs(4);

impl Stage {
    /// The controller for some zones, `a` say, ready.
    pub(crate) async fn serve(&self, zones: &str, more: &[&str]) -> Result<Process> {
        let args = self.flags(zones, more);
        let mut process = self.testbed.command(BINARY).await?.args(&args).spawn()?;
        process.wait_ready().await?;
        Ok(process)
    }

    pub(crate) async fn until_accepted(&self, name: &str) -> Result<()> {
        eventually(&format!("{name} accepted"), async || {
            let entries = entries(&self.status(name).await?);
            let all = entries.iter().all(|entry| entry.ends_with(" accepted"));
            Ok((all && !entries.is_empty()).then_some(()))
        })
        .await
    }
}

/// The value of a metric, by its name and labels.
pub(crate) async fn metric(process: &Process, line: &str) -> Result<Option<f64>> {
    let (_, text) = process.admin_page("/metrics").await?;
    let found = text
        .lines()
        .find_map(|one| one.strip_prefix(line)?.strip_prefix(' '));
    found
        .map(|value| value.parse().context("a number"))
        .transpose()
}

/// How often it has looked at EC2.
pub(crate) async fn reconciles(process: &Process) -> Result<f64> {
    let observed = metric(
        process,
        r#"isthmus_reconcile_duration_seconds_count{step="observe"}"#,
    )
    .await?;
    observed.context("a count")
}

/// Waits until it has neither called EC2 nor ended a look at it for a while: how
/// often it has looked until then.
pub(crate) async fn settled(stage: &Stage, process: &Process) -> Result<f64> {
    let state = async || {
        let calls = stage.testbed.gate.calls().len();
        anyhow::Ok((reconciles(process).await?, calls))
    };
    let start = Instant::now();
    let (mut last, mut since) = (state().await?, Instant::now());
    while since.elapsed() < QUIET {
        ensure!(start.elapsed() < PATIENCE, "it goes on for ever");
        tokio::time::sleep(Duration::from_millis(200)).await;
        let now = state().await?;
        if now != last {
            (last, since) = (now, Instant::now());
        }
    }
    Ok(last.0)
}
