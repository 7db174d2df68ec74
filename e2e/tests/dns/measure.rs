//! What a cluster of real size costs: the numbers that tests judge and the bench prints.
#![allow(dead_code)] // each of them uses its part

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use isthmus_e2e::{Call, Fault, PATIENCE, Process, Testbed, World, eventually};

use crate::crowd::{fill, hosts_of_external_dns, make};
use crate::stage::{BINARY, LB, OTHER_LB, SOURCE, Stage, annotated, ingress, records};

/// The interval that stands for half an hour.
const HALF_AN_HOUR: Duration = Duration::from_secs(12);
/// Two of them, in minutes: a resync may come a tenth early.
const AN_HOUR: f64 = 54.0;

/// A zone of 10,000 record sets, those of `count` hosts ours.
pub(crate) async fn a_full_zone(stage: &Stage, count: usize) -> Result<()> {
    let ours = hosts_of_external_dns("example.org", "default", count)?;
    let others = hosts_of_external_dns("others.example.org", "another", 2840)?;
    let all = ours.iter().chain(&others);
    let mut records: Vec<_> = all.flat_map(|host| host.records.clone()).collect();
    // Two are the zone's own.
    records.truncate(9998);
    ensure!(records.len() == 9998, "{} record sets", records.len());
    fill(&stage.testbed, &stage.zone, records).await?;
    let ingresses = ours.into_iter().map(|host| host.ingress).collect();
    make(&stage.testbed, ingresses).await
}

/// An hour in which nothing changes: from one full read to the next but one.
#[derive(Debug)]
pub(crate) struct Rest {
    pub(crate) calls: usize,
    pub(crate) writes: usize,
    /// What the process said at its start.
    pub(crate) stderr: String,
    pub(crate) metrics: String,
}

impl Rest {
    pub(crate) fn calls_a_minute(&self) -> f64 {
        self.calls as f64 / AN_HOUR
    }
}

/// Sees [`a_full_zone`] through an hour, with everything so much faster.
pub(crate) async fn at_rest(stage: &Stage) -> Result<Rest> {
    let gate = &stage.testbed.gate;
    gate.rate("route53", "", 1000, 1000.0);
    let interval = format!("--interval={}s", HALF_AN_HOUR.as_secs());
    let fast = ["--policy=sync", "--aws-api-rate=50", &interval];
    let args = [&SOURCE[..], &fast].concat();
    let mut process = stage.testbed.spawn(BINARY, &args).await?;
    process.wait_ready().await?;
    let (_, metrics) = process.admin_page("/metrics").await?;
    gate.clear();
    let reads = |calls: &[Call]| -> Vec<usize> {
        let all = calls.iter().enumerate();
        let reads = all.filter(|(_, call)| call.action == "ListHostedZones");
        reads.map(|(at, _)| at).collect()
    };
    let hour = |calls: &[Call]| reads(calls).len() >= 3;
    gate.wait_for(3 * PATIENCE, hour).await?;
    let reads = reads(&gate.calls());
    let writes = gate.writes().len();
    // Not beside whoever comes next.
    let finished = process.kill().await?;
    Ok(Rest {
        calls: reads[2] - reads[0],
        writes,
        stderr: finished.stderr,
        metrics,
    })
}

/// What one changed Ingress costs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OneChange {
    /// From the answer of the API server to the first call.
    pub(crate) first: Duration,
    /// And to the change.
    pub(crate) written: Duration,
    pub(crate) calls: usize,
}

/// Moves the host of `app-00000`, and back with every other `round`.
pub(crate) async fn one_change(stage: &Stage, round: usize) -> Result<OneChange> {
    let gate = &stage.testbed.gate;
    gate.clear();
    let target = if round.is_multiple_of(2) {
        OTHER_LB
    } else {
        LB
    };
    let moved = ingress("app-00000", &["app-00000.example.org"], &[target]);
    stage.apply(&[moved]).await?;
    let changed = Instant::now();
    let enough = |calls: &[Call]| calls.iter().any(Call::is_write);
    gate.wait_for(PATIENCE, enough).await?;
    // Anything that might follow.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let calls = gate.calls();
    let written = calls.iter().find(|call| call.is_write());
    let written = written.context("a change")?;
    Ok(OneChange {
        first: calls[0].at.saturating_duration_since(changed),
        written: written.at.saturating_duration_since(changed),
        calls: calls.len(),
    })
}

const DOMAINS: [&str; 3] = ["blue.example.org", "green.example.org", "red.example.org"];

fn in_all_domains(index: usize) -> String {
    let name = format!("app-{index:03}");
    let hosts: Vec<_> = DOMAINS
        .iter()
        .map(|domain| format!("{name}.{domain}"))
        .collect();
    let hosts: Vec<_> = hosts.iter().map(String::as_str).collect();
    ingress(&name, &hosts, &[LB])
}

/// The most calls in any second.
fn most_in_a_second(calls: &[Call]) -> usize {
    let second = |from: &Call| {
        let near = calls.iter().filter(|call| call.at >= from.at);
        near.filter(|call| call.at - from.at < Duration::from_secs(1))
            .count()
    };
    calls.iter().map(second).max().unwrap_or(0)
}

async fn wait_for_hosts(testbed: &Testbed, zones: &[String], hosts: usize) -> Result<()> {
    for zone in zones {
        eventually(&format!("{hosts} hosts in {zone}"), async || {
            let found = records(testbed, zone).await?.len();
            Ok((found == hosts * 4).then_some(()))
        })
        .await?;
    }
    Ok(())
}

/// What 500 Ingresses at once cost three controllers of one account.
#[derive(Debug)]
pub(crate) struct Burst {
    /// For each zone: the batches, and the fewest that could have done.
    pub(crate) batches: Vec<(usize, usize)>,
    pub(crate) took: Duration,
    pub(crate) most_in_a_second: usize,
    pub(crate) throttled: usize,
    /// When the first calls of each controller were made, those before it takes
    /// more than its share.
    pub(crate) starts: Vec<Vec<Instant>>,
}

/// 500 Ingresses with a host for each of three owners, and 100 more as they come.
pub(crate) async fn five_hundred_for_three_owners() -> Result<Burst> {
    let testbed = Testbed::acquire().await?;
    let mut zones = Vec::new();
    for domain in DOMAINS {
        zones.push(World::zone(&testbed, domain).await?);
    }
    make(&testbed, (0..500).map(in_all_domains).collect()).await?;
    testbed.gate.clear();
    testbed.gate.rate("route53", "", 5, 5.0);
    let start = Instant::now();
    let mut processes = Vec::new();
    for (name, zone) in DOMAINS.iter().zip(&zones) {
        let domain = name;
        let owner = format!("--txt-owner-id={domain}");
        let filter = format!("--zone-id-filter={zone}");
        let domain = format!("--domain-filter={domain}");
        let args = [&SOURCE[..], &[&owner, &filter, &domain]].concat();
        let command = testbed.command(BINARY).await?.args(&args);
        // The gate's record names its caller by this.
        processes.push(command.env("AWS_SDK_UA_APP_ID", name).spawn()?);
    }
    for process in &mut processes {
        process.wait_ready().await?;
    }
    wait_for_hosts(&testbed, &zones, 500).await?;
    let took = start.elapsed();
    let batches = zones
        .iter()
        .map(|zone| batches(&testbed.gate.writes(), zone));
    let batches = batches.collect();

    make(&testbed, (500..600).map(in_all_domains).collect()).await?;
    wait_for_hosts(&testbed, &zones, 600).await?;
    let calls = testbed.gate.calls();
    let of = |name: &str| {
        let own = calls.iter().filter(|call| call.caller == name);
        own.map(|call| call.at).take(30).collect()
    };
    Ok(Burst {
        batches,
        took,
        most_in_a_second: most_in_a_second(&calls),
        starts: DOMAINS.map(of).to_vec(),
        throttled: testbed.gate.throttled(),
    })
}

/// The batches of a zone, and the fewest that could have done: 500 names are
/// 2,000 elements and about 100,000 characters, and a call carries 1,000 and 32,000.
fn batches(writes: &[Call], zone: &str) -> (usize, usize) {
    let of_zone = writes.iter().filter(|call| call.params["Id"] == zone);
    let chars = of_zone.clone().flat_map(|call| {
        let values = call.params.iter();
        let values = values.filter(|(path, _)| path.ends_with(".Value"));
        values.map(|(_, value)| value.len())
    });
    let fewest = chars.sum::<usize>().div_ceil(32_000).max(2);
    (of_zone.count(), fewest)
}

/// What one record costs that Route 53 refuses, among 500.
#[derive(Debug)]
pub(crate) struct Poisoned {
    pub(crate) published: usize,
    pub(crate) batches: usize,
    pub(crate) events: BTreeMap<String, usize>,
    /// Of the ten passes that follow.
    pub(crate) calls: usize,
    pub(crate) retries: usize,
}

/// 500 Ingresses of which `app-123` is refused in these words.
pub(crate) async fn one_poisoned_of_five_hundred(words: &[&str]) -> Result<Poisoned> {
    let stage = Stage::new().await?;
    let gate = &stage.testbed.gate;
    let name = |index: usize| format!("app-{index:03}");
    let objects =
        (0..500).map(|i| ingress(&name(i), &[&format!("{}.example.org", name(i))], &[LB]));
    make(&stage.testbed, objects.collect()).await?;
    let fault = Fault::invalid_change_batch(words).mentioning("app-123.example.org");
    gate.fault(fault.always());
    let args = [&SOURCE[..], &["--aws-api-rate=16"]].concat();
    let mut process = stage.testbed.spawn(BINARY, &args).await?;
    process.wait_ready().await?;
    let found = stage.records().await?;
    ensure!(!found.iter().any(|line| line.contains("app-123")));
    let batches = gate.writes().len();
    eventually("an Event", async || {
        Ok((!stage.events("app-123").await?.is_empty()).then_some(()))
    })
    .await?;

    // Ten passes in which nothing is asked of Route 53.
    gate.clear();
    let before = passes(&process).await?;
    for pass in 0..10_u64 {
        let text = pass.to_string();
        let label = [("team", text.as_str())];
        let touched = annotated("app-000", &["app-000.example.org"], &[LB], &label);
        stage.apply(&[touched]).await?;
        eventually("a pass", async || {
            Ok((passes(&process).await? > before + pass).then_some(()))
        })
        .await?;
    }
    let (calls, retries) = (gate.calls().len(), gate.writes().len());
    let mut events = BTreeMap::new();
    for (_, note) in stage.events("app-123").await? {
        *events.entry(note).or_default() += 1;
    }
    Ok(Poisoned {
        published: found.len() / 4,
        batches,
        events,
        calls,
        retries,
    })
}

/// How many reconciles there have been.
pub(crate) async fn passes(process: &Process) -> Result<u64> {
    let (_, metrics) = process.admin_page("/metrics").await?;
    let line = metrics
        .lines()
        .find(|line| line.starts_with("isthmus_reconcile_duration_seconds_count{step=\"total\"}"));
    let count = line.and_then(|line| line.rsplit(' ').next());
    Ok(count.context("the count of reconciles")?.parse()?)
}
