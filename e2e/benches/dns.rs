//! What isthmus-dns asks of Route 53 and of the machine:
//! `cargo bench -p isthmus-e2e --bench dns`, about ten minutes.
//!
//! Against the real API server and an emulator of Route 53 behind a gate that
//! allows five calls a second: a zone taken over, a full zone at rest and one
//! changed Ingress in it, memory with 10,000 Ingresses, 500 Ingresses at once for
//! three controllers, one poisoned record among 500. What decides alone is
//! measured by `cargo bench -p dns-core --bench decide`.

#![allow(clippy::print_stdout, reason = "a benchmark")]

#[path = "../tests/dns/crowd.rs"]
mod crowd;
#[path = "../tests/dns/measure.rs"]
mod measure;
#[path = "metadata_proxy/process.rs"]
#[allow(dead_code)]
mod process;
#[path = "../tests/dns/stage.rs"]
#[allow(dead_code)]
mod stage;

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use isthmus_e2e::{Testbed, eventually};

use crowd::{fill, hosts_of_external_dns, make, ten_thousand_hosts};
use measure::{
    a_full_zone, at_rest, five_hundred_for_three_owners, one_change, one_poisoned_of_five_hundred,
};
use process::Watched;
use stage::{BINARY, SOURCE, Stage};

const ROUNDS: usize = 10;

fn main() -> Result<()> {
    if !std::env::args().any(|arg| arg == "--bench") {
        println!("dns: a benchmark; run it with cargo bench -p isthmus-e2e --bench dns");
        return Ok(());
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    runtime.block_on(async {
        taken_over().await?;
        a_zone_of_ten_thousand().await?;
        memory().await?;
        a_burst().await?;
        poisoned().await
    })
}

/// A zone of external-dns with 1,000 hosts.
async fn taken_over() -> Result<()> {
    let stage = Stage::new().await?;
    let hosts = hosts_of_external_dns("example.org", "kube-1", 1000)?;
    let records: Vec<_> = hosts.iter().flat_map(|host| host.records.clone()).collect();
    let count = records.len();
    fill(&stage.testbed, &stage.zone, records).await?;
    let ingresses = hosts.into_iter().map(|host| host.ingress).collect();
    make(&stage.testbed, ingresses).await?;
    // Builds the binary.
    stage.testbed.command(BINARY).await?;
    stage.testbed.gate.clear();
    let start = Instant::now();
    let owner = ["--txt-owner-id=kube-1", "--policy=sync", "--dry-run"];
    let finished = stage.well(&owner).await?;
    let (took, calls) = (start.elapsed(), stage.testbed.gate.calls().len());
    let steps = finished.stdout.lines();
    let steps = steps.filter(|line| *line != "nothing to do").count();
    println!("taking over 1,000 hosts of external-dns, {count} record sets:");
    println!("  {steps} changes planned; {calls} calls, {took:.1?}");
    ensure!(steps == 0, "{finished}");
    Ok(())
}

async fn a_zone_of_ten_thousand() -> Result<()> {
    let stage = Stage::new().await?;
    a_full_zone(&stage, 40).await?;
    let rest = at_rest(&stage).await?;
    println!("a zone of 10,000 record sets:");
    println!(
        "  at rest: {} calls in a simulated hour, {:.1} a minute (at most 2); {} writes",
        rest.calls,
        rest.calls_a_minute(),
        rest.writes
    );
    ensure!(rest.calls_a_minute() <= 2.0 && rest.writes == 0);

    stage.testbed.gate.rate("route53", "", 5, 5.0);
    let args = [&SOURCE[..], &["--policy=sync"]].concat();
    let start = Instant::now();
    let mut process = stage.testbed.spawn(BINARY, &args).await?;
    process.wait_ready().await?;
    println!("  a start at the default rate: {:.0?}", start.elapsed());
    let mut changes = Vec::new();
    for round in 0..ROUNDS {
        changes.push(one_change(&stage, round).await?);
    }
    let calls = changes.iter().map(|change| change.calls).max();
    let calls = calls.unwrap_or_default();
    let first = times(changes.iter().map(|change| change.first));
    let written = times(changes.iter().map(|change| change.written));
    println!("  one Ingress changed, {ROUNDS} times: at most {calls} calls (at most 3);");
    println!("  to the first call {first} (at most 2 s), to the change {written}");
    ensure!(calls <= 3);
    Ok(())
}

fn times(durations: impl Iterator<Item = Duration>) -> String {
    let mut sorted: Vec<_> = durations.collect();
    sorted.sort_unstable();
    let median = sorted.get(sorted.len() / 2).copied().unwrap_or_default();
    let longest = sorted.last().copied().unwrap_or_default();
    format!("{median:.2?} in the middle and {longest:.2?} at most")
}

/// With an Ingress for each of 10,000 hosts, and 40,000 record sets of ours.
async fn memory() -> Result<()> {
    const OWN: &str = "--txt-wildcard-replacement=rss";
    let testbed = Testbed::acquire().await?;
    ten_thousand_hosts(&testbed).await?;
    testbed.gate.rate("route53", "", 1000, 1000.0);
    let fast = ["--aws-api-rate=50", "--interval=10s", "--policy=sync", OWN];
    let args = [&SOURCE[..], &fast].concat();
    let mut process = testbed.spawn(BINARY, &args).await?;
    process.wait_ready().await?;
    let watched = Watched::find(BINARY, OWN)?;
    let ready = watched.rss()?;
    // A resync, during which there are two of everything.
    testbed.gate.clear();
    let mut most = ready;
    eventually("a resync", async || {
        Ok((testbed.gate.calls().len() >= 137).then_some(()))
    })
    .await?;
    for _ in 0..30 {
        most = most.max(watched.rss()?);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let (_, metrics) = process.admin_page("/metrics").await?;
    ensure!(
        metrics.contains("isthmus_managed{kind=\"name\"} 10000\n"),
        "{metrics}"
    );
    println!("10,000 Ingresses and 40,000 record sets of theirs in four zones:");
    println!("  RSS {ready:.0} MB once it is ready, {most:.0} MB after a resync (at most 120)");
    ensure!(testbed.gate.writes().is_empty());
    Ok(())
}

async fn a_burst() -> Result<()> {
    let burst = five_hundred_for_three_owners().await?;
    println!("500 Ingresses at once, for three owners of one account:");
    for (made, fewest) in &burst.batches {
        println!("  {made} batches of {fewest} that there must be");
    }
    println!(
        "  {:.0?}; at most {} calls in any second (at most 5), {} throttled",
        burst.took, burst.most_in_a_second, burst.throttled
    );
    ensure!(burst.throttled == 0 && burst.most_in_a_second <= 5);
    Ok(())
}

async fn poisoned() -> Result<()> {
    println!("one record of 500 that Route 53 refuses:");
    let silent = ["Invalid Resource Record: FATAL problem: it is wrong"];
    let telling = ["RRSet of type A with DNS name app-123.example.org. is wrong"];
    for (which, words) in [("does not name it", silent), ("names it", telling)] {
        let found = one_poisoned_of_five_hundred(&words).await?;
        println!(
            "  Route 53 {which}: {} published after the first pass, with {} batches; {} Event; {} calls in the next ten passes, of which retries {}",
            found.published,
            found.batches,
            found.events.values().sum::<usize>(),
            found.calls,
            found.retries
        );
        ensure!(found.published == 499);
    }
    Ok(())
}
