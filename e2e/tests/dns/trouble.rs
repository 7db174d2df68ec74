//! Refusals, throttling, lost answers, vanished load balancers, mass removals.

use std::time::{Duration, Instant};

use anyhow::Result;
use isthmus_e2e::{Call, Fault, PATIENCE, World, eventually};

use crate::stage::{BINARY, LB, SOURCE, Stage, ingress, metric, published, records, sorted};

/// An Ingress whose name Route 53 refuses to take.
fn poisoned(stage: &Stage) -> String {
    let words = "[FATAL problem: it is wrong encountered with 'bad.example.org']";
    let fault = Fault::error("ChangeResourceRecordSets", 400, "InvalidChangeBatch", words);
    let fault = fault.mentioning("ingress/shop/poisoned");
    stage.testbed.gate.fault(fault.always());
    ingress("poisoned", &["bad.example.org"], &[LB])
}

fn many(count: usize) -> (Vec<String>, Vec<String>) {
    let names: Vec<_> = (0..count).map(|index| format!("app-{index:02}")).collect();
    let objects = names
        .iter()
        .map(|name| ingress(name, &[&format!("{name}.example.org")], &[LB]));
    let wanted: Vec<_> = names
        .iter()
        .map(|name| published(&format!("{name}.example.org"), LB, name))
        .collect();
    (objects.collect(), sorted(&wanted))
}

#[tokio::test]
async fn one_poisoned_name_does_not_hold_up_the_others() -> Result<()> {
    let stage = Stage::new().await?;
    let (mut objects, wanted) = many(20);
    objects.push(poisoned(&stage));
    stage.apply(&objects).await?;
    let mut process = stage.testbed.spawn(BINARY, &SOURCE).await?;
    process.wait_ready().await?;
    let first_call = stage.testbed.gate.calls()[0].at;
    assert_eq!(
        stage.records().await?,
        wanted,
        "everything else after the first pass"
    );
    let event = eventually("an Event with Route 53's words", async || {
        let events = stage.events("poisoned").await?;
        Ok(events
            .into_iter()
            .find(|(reason, _)| reason == "RecordRefused"))
    })
    .await?;
    assert!(
        event.1.contains("FATAL problem") && event.1.contains("bad.example.org"),
        "{event:?}"
    );

    // It is set aside: what happens next is not spoiled by it.
    stage.testbed.gate.clear();
    stage
        .apply(&[ingress("late", &["late.example.org"], &[LB])])
        .await?;
    stage
        .wait_for_records(&sorted(&[
            wanted.clone(),
            published("late.example.org", LB, "late"),
        ]))
        .await?;
    let writes = stage.testbed.gate.writes();
    // Only a minute after its refusal it is tried again.
    let retry = first_call + Duration::from_secs(60);
    let soon: Vec<_> = writes.iter().filter(|call| call.at < retry).collect();
    assert!(soon.len() <= 1, "{soon:?}");
    let has_it = |call: &&&Call| call.params.values().any(|v| v == "bad.example.org.");
    assert_eq!(soon.iter().filter(has_it).count(), 0, "{soon:?}");
    assert_eq!(stage.testbed.gate.throttled(), 0);

    // And once it is right, it goes through at once.
    stage.delete("poisoned").await?;
    stage
        .apply(&[ingress("good", &["bad.example.org"], &[LB])])
        .await?;
    let late = published("late.example.org", LB, "late");
    stage
        .wait_for_records(&sorted(&[
            wanted,
            late,
            published("bad.example.org", LB, "good"),
        ]))
        .await?;
    metric(&process, "isthmus_dns_refused_names 0").await?;
    Ok(())
}

#[tokio::test]
async fn a_refused_name_is_an_exit_code_of_once() -> Result<()> {
    let stage = Stage::new().await?;
    let (mut objects, wanted) = many(3);
    objects.push(poisoned(&stage));
    stage.apply(&objects).await?;
    let finished = stage.once(&[]).await?;
    assert_eq!(finished.code, Some(1), "{finished}");
    assert!(
        finished.stderr.contains("bad.example.org") && finished.stderr.contains("FATAL problem"),
        "{finished}"
    );
    assert_eq!(stage.records().await?, wanted);
    Ok(())
}

#[tokio::test]
async fn throttling_and_a_busy_zone_are_waited_for() -> Result<()> {
    let stage = Stage::new().await?;
    let (objects, wanted) = many(5);
    stage.apply(&objects).await?;
    stage.testbed.gate.fault(Fault::throttle("ListHostedZones"));
    stage
        .testbed
        .gate
        .fault(Fault::internal_error("ListResourceRecordSets"));
    let busy = "The request was rejected because Route 53 was still processing a prior request.";
    stage.testbed.gate.fault(Fault::error(
        "ChangeResourceRecordSets",
        400,
        "PriorRequestNotComplete",
        busy,
    ));
    stage.well(&[]).await?;
    assert_eq!(stage.records().await?, wanted);
    assert_eq!(
        stage.testbed.gate.writes().len(),
        2,
        "whole, and not in pieces"
    );
    Ok(())
}

#[tokio::test]
async fn a_lost_answer_accuses_nobody_and_is_found_out() -> Result<()> {
    let stage = Stage::new().await?;
    let (objects, wanted) = many(3);
    stage.apply(&objects).await?;
    stage
        .testbed
        .gate
        .fault(Fault::lost_answer("ChangeResourceRecordSets"));
    let mut process = stage.testbed.spawn(BINARY, &SOURCE).await?;
    process.wait_ready().await?;
    assert_eq!(stage.records().await?, wanted);
    // The zone is read as a whole again, and there is nothing to do.
    let settled = |calls: &[Call]| {
        calls
            .iter()
            .filter(|call| call.action == "ListResourceRecordSets")
            .count()
            >= 2
    };
    stage.testbed.gate.wait_for(PATIENCE, settled).await?;
    eventually("a success", async || {
        let (_, metrics) = process.admin_page("/metrics").await?;
        let refused = metrics.contains("isthmus_dns_refused_names 0");
        let succeeded = metrics
            .lines()
            .any(|l| l.starts_with("isthmus_last_success_timestamp_seconds") && !l.ends_with(" 0"));
        Ok((refused && succeeded).then_some(()))
    })
    .await?;
    assert_eq!(stage.records().await?, wanted);
    assert_eq!(stage.events("app-00").await?, []);
    Ok(())
}

#[tokio::test]
async fn a_zone_that_denies_access_stops_only_itself() -> Result<()> {
    let stage = Stage::new().await?;
    let other = World::zone(&stage.testbed, "example.net").await?;
    stage
        .apply(&[ingress(
            "web",
            &["shop.example.org", "shop.example.net"],
            &[LB],
        )])
        .await?;
    // Zones are read one after the other; the first listing is refused.
    stage
        .testbed
        .gate
        .fault(Fault::denied("ListResourceRecordSets"));
    let finished = stage.once(&["--policy=sync"]).await?;
    assert_eq!(finished.code, Some(1), "{finished}");
    let (one, two) = (
        stage.records().await?,
        records(&stage.testbed, &other).await?,
    );
    assert_eq!(one.len() + two.len(), 4, "one of them: {one:?} {two:?}");
    let events = stage.events("web").await?;
    assert!(
        events
            .iter()
            .any(|(reason, note)| reason == "ZoneUnavailable" && note.contains("AccessDenied")),
        "{events:?}"
    );
    Ok(())
}

#[tokio::test]
async fn a_zone_that_denies_access_does_not_make_every_change_read_everything() -> Result<()> {
    let stage = Stage::new().await?;
    World::zone(&stage.testbed, "example.net").await?;
    stage
        .testbed
        .gate
        .fault(Fault::denied("ListResourceRecordSets").always());
    let start = Instant::now();
    let mut process = stage.testbed.spawn(BINARY, &SOURCE).await?;
    process.wait_ready().await?;
    for index in 0..3 {
        let name = format!("app-{index}");
        let host = format!("{name}.example.org");
        stage.apply(&[ingress(&name, &[&host], &[LB])]).await?;
        eventually("an Event", async || {
            Ok((!stage.events(&name).await?.is_empty()).then_some(()))
        })
        .await?;
    }
    // The zones, and two listings at the start and every 25 seconds at most.
    let calls = stage.testbed.gate.calls();
    let most = 1 + 2 * (1 + start.elapsed().as_secs() / 25);
    assert!(calls.len() as u64 <= most, "at most {most}: {calls:?}");
    Ok(())
}

#[tokio::test]
async fn a_load_balancer_that_vanishes_keeps_its_records_for_a_while() -> Result<()> {
    let stage = Stage::new().await?;
    stage
        .apply(&[ingress("web", &["shop.example.org"], &[LB])])
        .await?;
    let args = [&SOURCE[..], &["--policy=sync", "--empty-target-grace=4s"]].concat();
    let mut process = stage.testbed.spawn(BINARY, &args).await?;
    process.wait_ready().await?;
    assert_eq!(
        stage.records().await?,
        published("shop.example.org", LB, "web")
    );
    stage.testbed.gate.clear();
    let emptied = Instant::now();
    stage
        .apply(&[ingress("web", &["shop.example.org"], &[])])
        .await?;
    stage.wait_for_records(&[]).await?;
    let writes = stage.testbed.gate.writes();
    assert_eq!(writes.len(), 1, "{writes:?}");
    assert!(
        writes[0].at - emptied >= Duration::from_secs(4),
        "after the grace"
    );
    process.kill().await?;

    // A single run has no time to wait, and leaves them.
    stage
        .apply(&[ingress("web", &["shop.example.org"], &[LB])])
        .await?;
    stage.well(&["--policy=sync"]).await?;
    stage
        .apply(&[ingress("web", &["shop.example.org"], &[])])
        .await?;
    stage
        .well(&["--policy=sync", "--empty-target-grace=1s"])
        .await?;
    assert_eq!(stage.records().await?.len(), 4);
    Ok(())
}

#[tokio::test]
async fn a_mass_removal_waits_for_an_operator() -> Result<()> {
    let stage = Stage::new().await?;
    let (objects, wanted) = many(12);
    stage.apply(&objects).await?;
    stage.well(&["--policy=sync"]).await?;
    // A filter with a typo looks as if everything had been deleted.
    let typo = ["--policy=sync", "--ingress-class=typo"];
    stage.testbed.gate.clear();
    let finished = stage.well(&typo).await?;
    assert_eq!(stage.testbed.gate.writes().len(), 0);
    assert!(finished.stderr.contains("removes 12 of 12"), "{finished}");
    let events = stage.events("app-00").await?;
    assert!(
        events
            .iter()
            .any(|(reason, note)| reason == "RemovalWithheld"
                && note.contains("--allow-mass-removal")),
        "{events:?}"
    );
    assert_eq!(stage.records().await?, wanted);
    stage
        .well(&[&typo[..], &["--allow-mass-removal"]].concat())
        .await?;
    assert_eq!(stage.records().await?, [""; 0]);
    Ok(())
}
