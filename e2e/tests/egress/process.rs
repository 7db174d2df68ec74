//! The controller as a process that stays.

use std::time::Duration;

use anyhow::{Context, Result};
use isthmus_e2e::{Process, eventually};

use crate::stage::{BINARY, Stage, entries};

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

/// Waits until no reconcile has looked at EC2 for some seconds.
pub(crate) async fn settled(process: &Process) -> Result<f64> {
    let mut last = reconciles(process).await?;
    for _ in 0..20 {
        tokio::time::sleep(Duration::from_millis(1500)).await;
        let now = reconciles(process).await?;
        if now == last {
            return Ok(now);
        }
        last = now;
    }
    anyhow::bail!("it goes on for ever")
}
