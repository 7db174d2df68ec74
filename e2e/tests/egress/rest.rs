//! What it costs when nothing happens.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Result;
use isthmus_e2e::eventually;

use crate::process::{metric, reconciles, settled};
use crate::stage::{Stage, entries};

/// What `--resync-interval` is if nobody says otherwise, a tenth earlier at most.
const DEFAULT_RESYNC: Duration = Duration::from_secs(270);

/// At most three calls a minute, with everything in the cluster that is never done with:
/// refused entries, somebody else's routes, full tables, tables of unknown zones.
#[tokio::test]
async fn at_rest_it_makes_at_most_three_calls_a_minute() -> Result<()> {
    let stage = Stage::new().await?;
    let request = stage.ec2().create_route().route_table_id(stage.table("a"));
    let foreign = request.destination_cidr_block("203.0.113.0/24");
    foreign
        .gateway_id(&stage.world.internet_gateway)
        .send()
        .await?;
    stage
        .apply(
            "partners",
            &[
                ("a", "198.51.100.0/24"),
                ("bad", "10.0.0.0/8"),
                ("bank", "203.0.113.0/24"),
                ("full", "198.51.101.0/24"),
            ],
        )
        .await?;
    let more = ["--resync-interval=2s", "--max-routes-per-table=2"];
    let process = stage.serve("a", &more).await?;
    eventually("all verdicts", async || {
        let expected = [
            "198.51.100.0/24 accepted",
            "10.0.0.0/8 rejected PrivateRange",
            "203.0.113.0/24 conflict RouteConflict",
            "198.51.101.0/24 pending quota",
        ];
        Ok((entries(&stage.status("partners").await?) == expected).then_some(()))
    })
    .await?;

    let before = reconciles(&process).await?;
    eventually("the work to end", async || {
        Ok((reconciles(&process).await? > before).then_some(()))
    })
    .await?;
    stage.testbed.gate.clear();
    let first = reconciles(&process).await?;
    eventually("three resyncs", async || {
        Ok((reconciles(&process).await? >= first + 3.0).then_some(()))
    })
    .await?;
    let calls = stage.testbed.gate.calls();
    let looks = reconciles(&process).await? - first;
    assert_eq!(
        stage.testbed.gate.writes().len(),
        0,
        "at rest nothing is written"
    );
    let mut kinds = BTreeMap::new();
    for call in calls {
        *kinds.entry(call.action).or_insert(0) += 1;
    }
    // One look may have been under way at the beginning, one at the end.
    assert!(
        kinds.values().all(|&count| f64::from(count) <= looks + 2.0),
        "once in each of {looks} looks: {kinds:?}"
    );
    let a_minute = kinds.len() as f64 * 60.0 / DEFAULT_RESYNC.as_secs_f64();
    println!("so at most {a_minute:.2} EC2 calls a minute: {kinds:?}");
    assert!(kinds.len() <= 6 && a_minute <= 3.0, "{kinds:?}");
    process.terminate().await?;

    // With the interval that it has by itself, nothing happens in between.
    let process = stage.serve("a", &["--max-routes-per-table=2"]).await?;
    settled(&stage, &process).await?;
    stage.testbed.gate.clear();
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(stage.testbed.gate.calls().len(), 0, "at rest");
    process.terminate().await?;
    Ok(())
}

/// Two that stand for election: one works, and when it goes the other one goes on.
#[tokio::test]
async fn one_of_two_works_and_the_other_takes_over() -> Result<()> {
    let stage = Stage::new().await?;
    stage
        .apply("partners", &[("bank", "203.0.113.0/24")])
        .await?;
    let elect = [
        "--leader-elect",
        "--leader-election-namespace=shop",
        "--leader-election-id=egress",
    ];
    let first = stage.serve("a", &elect).await?;
    stage.until_accepted("partners").await?;
    let second = stage.serve("a", &elect).await?;
    assert_eq!(metric(&first, "isthmus_leader").await?, Some(1.0));
    assert_eq!(metric(&second, "isthmus_leader").await?, Some(0.0));

    stage.testbed.gate.clear();
    stage.apply("others", &[("tax", "198.51.100.0/24")]).await?;
    stage.until_accepted("others").await?;
    assert_eq!(
        stage.testbed.gate.calls_of("CreateRoute").len(),
        1,
        "made once"
    );
    assert_eq!(second.admin_page("/plan").await?.1.trim(), "no plan yet");

    first.terminate().await?;
    stage.delete("others").await?;
    eventually("the other one to go on", async || {
        let picture = stage.picture().await?;
        Ok(picture
            .iter()
            .all(|line| !line.contains("198.51.100.0/24"))
            .then_some(()))
    })
    .await?;
    assert_eq!(metric(&second, "isthmus_leader").await?, Some(1.0));
    second.terminate().await?;
    Ok(())
}
