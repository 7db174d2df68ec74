//! Numbers of a real cluster: calls at rest, calls for one change, five hundred
//! Ingresses at once, one that is poisoned.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use isthmus_e2e::{Call, Fault, Process, Testbed, World};

use crate::crowd::{fill, hosts_of_external_dns, make};
use crate::stage::{BINARY, LB, OTHER_LB, SOURCE, Stage, eventually, ingress, records};

/// The interval that stands for half an hour: an hour is 24 s then.
const HALF_AN_HOUR: Duration = Duration::from_secs(12);

/// A zone of 10,000 record sets, those of `count` hosts ours.
async fn a_full_zone(stage: &Stage, count: usize) -> Result<()> {
    let ours = hosts_of_external_dns("example.org", "default", count)?;
    let others = hosts_of_external_dns("others.example.org", "another", 2840)?;
    let all = ours.iter().chain(&others);
    let mut records: Vec<_> = all.flat_map(|host| host.records.clone()).collect();
    // Two are the zone's own.
    records.truncate(9998);
    anyhow::ensure!(records.len() == 9998, "{} record sets", records.len());
    fill(&stage.testbed, &stage.zone, records).await?;
    let ingresses = ours.into_iter().map(|host| host.ingress).collect();
    make(&stage.testbed, ingresses).await
}

#[tokio::test]
async fn ten_thousand_records_cost_two_calls_a_minute_and_a_change_three() -> Result<()> {
    let stage = Stage::new().await?;
    let gate = &stage.testbed.gate;
    a_full_zone(&stage, 40).await?;
    // So much faster than AWS allows as the hour is shorter.
    gate.rate("route53", "", 1000, 1000.0);
    let interval = format!("--interval={}s", HALF_AN_HOUR.as_secs());
    let fast = ["--policy=sync", "--aws-api-rate=50"];
    let args = [&SOURCE[..], &fast, &[&interval]].concat();
    let mut process = stage.testbed.spawn(BINARY, &args).await?;
    process.wait_ready().await?;
    let stderr = process.stderr();
    assert!(
        stderr.contains("has 10000 of 10000 record sets"),
        "{stderr}"
    );
    let (_, metrics) = process.admin_page("/metrics").await?;
    assert!(
        metrics.contains("isthmus_dns_fullest_zone_ratio 1\n"),
        "{metrics}"
    );
    gate.clear();
    tokio::time::sleep(HALF_AN_HOUR * 2).await;
    let calls = gate.calls();
    let reads = calls
        .iter()
        .filter(|call| call.action == "ListHostedZones")
        .count();
    assert!((1..=3).contains(&reads), "{reads} full reads in an hour");
    assert!(calls.len() <= 120, "{} calls in an hour", calls.len());
    assert_eq!(gate.writes().len(), 0);
    drop(process);

    let args = [&SOURCE[..], &fast].concat();
    let mut process = stage.testbed.spawn(BINARY, &args).await?;
    process.wait_ready().await?;
    gate.clear();
    let changed = Instant::now();
    let name = "app-00000.example.org";
    stage
        .apply(&[ingress("app-00000", &[name], &[OTHER_LB])])
        .await?;
    let enough = |calls: &[Call]| calls.iter().any(Call::is_write);
    gate.wait_for(Duration::from_secs(20), enough).await?;
    tokio::time::sleep(Duration::from_secs(3)).await;
    let calls = gate.calls();
    let first = calls[0].at - changed;
    assert!(
        first < Duration::from_secs(2),
        "the first call after {first:?}"
    );
    assert!(calls.len() <= 3, "{calls:?}");
    Ok(())
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

#[tokio::test]
async fn five_hundred_ingresses_for_three_owners_are_few_batches_and_never_throttled() -> Result<()>
{
    let testbed = Testbed::acquire().await?;
    let mut zones = Vec::new();
    for domain in DOMAINS {
        zones.push(World::zone(&testbed, domain).await?);
    }
    make(&testbed, (0..500).map(in_all_domains).collect()).await?;
    testbed.gate.clear();
    let mut processes = Vec::new();
    for (domain, zone) in DOMAINS.iter().zip(&zones) {
        let owner = format!("--txt-owner-id={domain}");
        let filter = format!("--zone-id-filter={zone}");
        let domain = format!("--domain-filter={domain}");
        let args = [&SOURCE[..], &[&owner, &filter, &domain]].concat();
        processes.push(testbed.spawn(BINARY, &args).await?);
    }
    for process in &mut processes {
        process.wait_ready().await?;
    }
    wait_for_hosts(&testbed, &zones, 500).await?;
    // 500 names are 2,000 elements and about 100,000 characters: a call carries 1,000 and 32,000.
    let mut chars: BTreeMap<String, usize> = BTreeMap::new();
    let mut batches: BTreeMap<String, usize> = BTreeMap::new();
    for call in testbed.gate.writes() {
        let values = call
            .params
            .iter()
            .filter(|(path, _)| path.ends_with(".Value"));
        *chars.entry(call.params["Id"].clone()).or_default() +=
            values.map(|(_, v)| v.len()).sum::<usize>();
        *batches.entry(call.params["Id"].clone()).or_default() += 1;
    }
    for (zone, chars) in &chars {
        let fewest = chars.div_ceil(32_000).max(2);
        assert_eq!(batches[zone], fewest, "{chars} characters");
    }

    // And as they come, one after the other.
    make(&testbed, (500..600).map(in_all_domains).collect()).await?;
    wait_for_hosts(&testbed, &zones, 600).await?;
    let calls = testbed.gate.calls();
    assert_eq!(testbed.gate.throttled(), 0);
    assert!(
        most_in_a_second(&calls) <= 5,
        "{}",
        most_in_a_second(&calls)
    );
    Ok(())
}

/// How many reconciles there have been.
async fn passes(process: &Process) -> Result<u64> {
    let (_, metrics) = process.admin_page("/metrics").await?;
    let line = metrics
        .lines()
        .find(|line| line.starts_with("isthmus_reconcile_duration_seconds_count{step=\"total\"}"));
    let count = line.and_then(|line| line.rsplit(' ').next());
    Ok(count.context("the count of reconciles")?.parse()?)
}

#[tokio::test]
async fn one_poisoned_record_of_five_hundred_costs_itself_only() -> Result<()> {
    for words in [
        vec!["Invalid Resource Record: FATAL problem: it is wrong"],
        vec![
            "RRSet of type A with DNS name app-123.example.org. is wrong",
            "and another thing",
        ],
    ] {
        let stage = Stage::new().await?;
        let gate = &stage.testbed.gate;
        let name = |index: usize| format!("app-{index:03}");
        let objects =
            (0..500).map(|i| ingress(&name(i), &[&format!("{}.example.org", name(i))], &[LB]));
        make(&stage.testbed, objects.collect()).await?;
        let fault = Fault::invalid_change_batch(&words).mentioning("app-123.example.org");
        gate.fault(fault.always());
        let args = [&SOURCE[..], &["--aws-api-rate=16"]].concat();
        let mut process = stage.testbed.spawn(BINARY, &args).await?;
        process.wait_ready().await?;
        let found = stage.records().await?;
        assert_eq!(found.len(), 499 * 4, "after the first pass");
        assert!(!found.iter().any(|line| line.contains("app-123")));
        let few = if words.len() == 2 { 3 + 2 } else { 3 + 18 };
        let writes = gate.writes().len();
        assert!(writes <= few, "{writes} batches");
        let events = eventually("an Event", async || {
            let events = stage.events("app-123").await?;
            Ok((!events.is_empty()).then_some(events))
        });
        let events = events.await?;
        let words = words.join("; ");
        assert!(
            events.len() == 1 && events[0].1.contains(&words),
            "{events:?}"
        );

        // Ten passes in which nothing is asked of Route 53.
        gate.clear();
        let before = passes(&process).await?;
        for pass in 0..10_u64 {
            let pass = pass.to_string();
            let label = [("team", pass.as_str())];
            let touched =
                crate::stage::annotated("app-000", &["app-000.example.org"], &[LB], &label);
            stage.apply(&[touched]).await?;
            let done = before + 1 + pass.parse::<u64>()?;
            eventually("a pass", async || {
                Ok((passes(&process).await? >= done).then_some(()))
            })
            .await?;
        }
        let retries = gate.writes().len();
        let calls = gate.calls();
        assert!(
            retries <= 1 && calls.len() <= 2,
            "nothing beyond its own retry: {calls:?}"
        );
        assert_eq!(stage.events("app-123").await?.len(), 1);
    }
    Ok(())
}
