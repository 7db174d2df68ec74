//! Throttled, cut off, without an answer, half an answer: it converges, and a
//! record and its ownership are never apart.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use aws_sdk_route53::types::RrType;
use isthmus_e2e::{Fault, World, eventually};

use crate::stage::{
    BINARY, LB, OTHER_LB, SOURCE, Stage, ingress, published, records, sorted, values,
};

const ACTIONS: [&str; 3] = [
    "ListHostedZones",
    "ListResourceRecordSets",
    "ChangeResourceRecordSets",
];

/// Every record has its ownership record and the other way round.
fn paired(lines: &[String]) -> Result<()> {
    let names = |marks: bool| -> Vec<String> {
        let of_kind = lines.iter().filter(|line| line.contains(" TXT ") == marks);
        let key = |line: &String| {
            let mut words = line.split(' ');
            let (name, kind) = (
                words.next().unwrap_or_default(),
                words.next().unwrap_or_default(),
            );
            if marks {
                name.to_owned()
            } else {
                format!("{}-{name}", kind.to_lowercase())
            }
        };
        of_kind.map(key).collect()
    };
    let (mut records, mut marks) = (names(false), names(true));
    records.sort();
    marks.sort();
    ensure!(records == marks, "{records:?} {marks:?}");
    Ok(())
}

/// From one Ingress published to a change, a new one and a deletion, with a fault on the way.
async fn converges_in_spite_of(faults: &[Fault]) -> Result<()> {
    let stage = Stage::new().await?;
    let fast = ["--policy=sync", "--aws-api-rate=16"];
    let old = [
        ingress("web", &["shop.example.org"], &[LB]),
        ingress("gone", &["gone.example.org"], &[LB]),
    ];
    stage.apply(&old).await?;
    stage.well(&fast).await?;
    stage.delete("gone").await?;
    stage
        .apply(&[
            ingress("web", &["shop.example.org"], &[OTHER_LB]),
            ingress("new", &["new.example.org"], &[LB]),
        ])
        .await?;
    let wanted = sorted(&[
        published("shop.example.org", OTHER_LB, "web"),
        published("new.example.org", LB, "new"),
    ]);
    for fault in faults {
        stage.testbed.gate.fault(fault.clone());
    }
    let args = [&SOURCE[..], &fast].concat();
    let _process = stage.testbed.spawn(BINARY, &args).await?;
    eventually("the records in spite of it", async || {
        let found = stage.records().await?;
        paired(&found)?;
        Ok((found == wanted).then_some(()))
    })
    .await
}

#[tokio::test]
async fn server_errors_throttling_and_cut_connections() -> Result<()> {
    let mut faults = Vec::new();
    for action in ACTIONS {
        faults.push(Fault::internal_error(action).times(2));
        faults.push(Fault::throttle(action).nth(3));
        faults.push(Fault::cut(action).nth(4));
    }
    converges_in_spite_of(&faults).await
}

#[tokio::test]
async fn answers_that_are_cut_short_or_are_something_else() -> Result<()> {
    let mut faults = Vec::new();
    for action in ACTIONS {
        faults.push(Fault::cut_short(action));
        faults.push(Fault::malformed(action).nth(2));
        faults.push(Fault::half_answer(action).nth(3));
        faults.push(Fault::lost_answer(action).nth(4));
    }
    converges_in_spite_of(&faults).await
}

#[tokio::test]
async fn a_call_that_is_never_answered() -> Result<()> {
    let faults = ACTIONS.map(Fault::timeout);
    converges_in_spite_of(&faults).await
}

#[tokio::test]
async fn a_short_list_of_records_is_not_taken_for_an_empty_zone() -> Result<()> {
    let stage = Stage::new().await?;
    stage
        .apply(&[ingress("web", &["shop.example.org"], &[LB])])
        .await?;
    stage.well(&[]).await?;
    for action in &ACTIONS[..2] {
        stage.testbed.gate.clear();
        stage.testbed.gate.fault(Fault::cut_short(action).always());
        let finished = stage.once(&["--policy=sync", "--aws-api-rate=50"]).await?;
        assert_eq!(finished.code, Some(1), "{action}: {finished}");
        assert!(finished.stderr.contains("breaks off"), "{finished}");
        assert_eq!(stage.testbed.gate.writes().len(), 0, "{action}");
        stage.testbed.gate.clear_faults();
    }
    assert_eq!(
        stage.records().await?,
        published("shop.example.org", LB, "web")
    );
    Ok(())
}

#[tokio::test]
async fn only_the_zone_in_doubt_is_read_again() -> Result<()> {
    let stage = Stage::new().await?;
    let other = World::zone(&stage.testbed, "example.net").await?;
    let args = [&SOURCE[..], &["--aws-api-rate=16"]].concat();
    let mut process = stage.testbed.spawn(BINARY, &args).await?;
    process.wait_ready().await?;
    stage.testbed.gate.clear();
    stage
        .testbed
        .gate
        .fault(Fault::internal_error("ChangeResourceRecordSets").times(6));
    stage
        .apply(&[ingress("web", &["shop.example.org"], &[LB])])
        .await?;
    stage
        .wait_for_records(&published("shop.example.org", LB, "web"))
        .await?;
    let calls = stage.testbed.gate.calls();
    let of_other = calls
        .iter()
        .filter(|call| call.params.get("Id") == Some(&other))
        .count();
    let zones = calls
        .iter()
        .filter(|call| call.action == "ListHostedZones")
        .count();
    assert_eq!((of_other, zones), (0, 0), "{calls:?}");
    Ok(())
}

#[tokio::test]
async fn a_zone_may_have_a_role_of_its_own() -> Result<()> {
    let stage = Stage::new().await?;
    let other = World::zone(&stage.testbed, "example.net").await?;
    let hosts = ["shop.example.org", "shop.example.net"];
    stage.apply(&[ingress("web", &hosts, &[LB])]).await?;
    let role = format!("--zone-role={other}=arn:aws:iam::210987654321:role/dns");
    stage
        .well(&[&role, "--aws-assume-role-external-id=x"])
        .await?;
    assert_eq!(
        stage.records().await?,
        published("shop.example.org", LB, "web")
    );
    assert_eq!(
        records(&stage.testbed, &other).await?,
        published("shop.example.net", LB, "web")
    );
    let assumed = stage.testbed.gate.calls_of("AssumeRole");
    assert_eq!(assumed.len(), 1, "{assumed:?}");
    assert_eq!(
        assumed[0].params["RoleArn"],
        "arn:aws:iam::210987654321:role/dns"
    );
    assert_eq!(assumed[0].params["ExternalId"], "x");

    // Where the filter names nothing but zones with a role, the account's are not asked for.
    stage.testbed.gate.clear();
    stage
        .well(&[&role, &format!("--zone-id-filter={other}")])
        .await?;
    assert_eq!(stage.testbed.gate.calls_of("ListHostedZones").len(), 0);
    assert_eq!(stage.testbed.gate.calls_of("GetHostedZone").len(), 1);

    // One that cannot be looked at does not keep the others waiting.
    stage
        .testbed
        .gate
        .fault(Fault::denied("GetHostedZone").always());
    stage.delete("web").await?;
    let gone = "--zone-role=ZGONE=arn:aws:iam::210987654321:role/dns";
    let finished = stage.once(&["--policy=sync", gone]).await?;
    assert_eq!(finished.code, Some(1), "{finished}");
    assert!(finished.stderr.contains("zone ZGONE"), "{finished}");
    assert_eq!(stage.records().await?, [""; 0]);

    // But hosts of a part that other name servers have: they may be its own.
    let part = values("team.example.org", RrType::Ns, 300, &["ns-7.awsdns-7.com."])?;
    stage.put(part).await?;
    let hosts = ["www.example.org", "www.team.example.org"];
    stage.apply(&[ingress("web", &hosts, &[LB])]).await?;
    stage.once(&["--policy=sync", gone]).await?;
    let wanted = published("www.example.org", LB, "web");
    assert_eq!(stage.records().await?, wanted);
    let told = |(reason, note): &(String, String)| {
        reason == "ZoneUnavailable"
            && note.contains("delegates team.example.org, perhaps to zone ZGONE")
    };
    let events = stage.events("web").await?;
    assert!(events.iter().any(told), "{events:?}");
    Ok(())
}

#[tokio::test]
async fn a_change_is_followed_until_all_servers_have_it() -> Result<()> {
    let stage = Stage::new().await?;
    let args = [&SOURCE[..], &["--wait-for-insync"]].concat();
    let mut process = stage.testbed.spawn(BINARY, &args).await?;
    process.wait_ready().await?;
    stage
        .apply(&[ingress("web", &["shop.example.org"], &[LB])])
        .await?;
    eventually("the measure", async || {
        let (_, metrics) = process.admin_page("/metrics").await?;
        let seen = metrics.contains("isthmus_dns_insync_seconds_count 1");
        Ok(seen.then_some(()))
    })
    .await?;
    // Pending first, in sync then.
    assert_eq!(stage.testbed.gate.calls_of("GetChange").len(), 2);
    Ok(())
}

#[tokio::test]
async fn a_zone_that_is_made_later_is_found_for_a_host_that_waits_for_it() -> Result<()> {
    let stage = Stage::new().await?;
    let args = [&SOURCE[..], &["--aws-api-rate=16"]].concat();
    let start = Instant::now();
    let mut process = stage.testbed.spawn(BINARY, &args).await?;
    process.wait_ready().await?;
    stage
        .apply(&[ingress("web", &["shop.example.net"], &[LB])])
        .await?;
    eventually("an Event", async || {
        let events = stage.events("web").await?;
        Ok(events
            .iter()
            .any(|(reason, _)| reason == "NoHostedZone")
            .then_some(()))
    })
    .await?;
    let zone = World::zone(&stage.testbed, "example.net").await?;
    let (wanted, touched) = (
        published("shop.example.net", LB, "web"),
        AtomicUsize::new(0),
    );
    eventually("the records", async || {
        // Something happens now and then.
        let host = format!(
            "app-{}.example.com",
            touched.fetch_add(1, Ordering::Relaxed)
        );
        stage.apply(&[ingress("other", &[&host], &[LB])]).await?;
        tokio::time::sleep(Duration::from_secs(1)).await;
        Ok((records(&stage.testbed, &zone).await? == wanted).then_some(()))
    })
    .await?;
    // At the start, and then every 20 seconds at most.
    let lists = stage.testbed.gate.calls_of("ListHostedZones").len() as u64;
    let most = 1 + start.elapsed().as_secs() / 20;
    assert!(lists <= most, "{lists} lists, at most {most}");
    Ok(())
}
