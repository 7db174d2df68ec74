//! A zone of external-dns changes hands without a record changing.

use anyhow::Result;
use aws_sdk_route53::types::RrType;
use isthmus_e2e::{Scenario, Testbed, World, kill_after_every_call};

use crate::crowd::{fill, hosts_of_external_dns, make};
use crate::stage::{
    BINARY, LB, SOURCE, Stage, alias, ingress, mark, published_by, put_all, records, sorted, values,
};

#[tokio::test]
async fn a_zone_of_a_thousand_hosts_is_taken_over_with_zero_changes() -> Result<()> {
    let stage = Stage::new().await?;
    let hosts = hosts_of_external_dns("example.org", "kube-1", 1000)?;
    let records = hosts.iter().flat_map(|host| host.records.clone()).collect();
    fill(&stage.testbed, &stage.zone, records).await?;
    let ingresses = hosts.into_iter().map(|host| host.ingress).collect();
    make(&stage.testbed, ingresses).await?;
    let before = stage.records().await?;
    assert_eq!(before.len(), 3500);

    let flags = [
        "--txt-owner-id=kube-1",
        "--policy=sync",
        "--aws-api-rate=16",
    ];
    let dry = [&flags[..], &["--dry-run"]].concat();
    let finished = stage.well(&dry).await?;
    assert_eq!(finished.stdout, "nothing to do\n", "{finished}");
    let json = [&dry[..], &["--plan-format=json"]].concat();
    let finished = stage.well(&json).await?;
    let plan: serde_json::Value = serde_json::from_str(&finished.stdout)?;
    assert_eq!(plan, serde_json::json!({"steps": []}));
    stage.well(&flags).await?;
    assert_eq!(stage.testbed.gate.writes().len(), 0);
    assert_eq!(stage.records().await?, before);
    Ok(())
}

/// What an owner leaves that hands over: one name in each form that is asked for here, and one that is not.
fn of_old_owner() -> Result<Vec<aws_sdk_route53::types::ResourceRecordSet>> {
    let mut zone = Vec::new();
    for host in ["shop.example.org", "www.example.org", "stale.example.org"] {
        zone.push(alias(host, RrType::A, LB)?);
        zone.push(alias(host, RrType::Aaaa, LB)?);
        zone.push(mark(&format!("aaaa-{host}"), "old", "web")?);
    }
    zone.push(mark("a-shop.example.org", "old", "web")?);
    zone.push(mark("www.example.org", "old", "web")?);
    zone.push(mark("a-stale.example.org", "old", "stale")?);
    Ok(zone)
}

const HANDED: [&str; 2] = ["shop.example.org", "www.example.org"];
const ADOPT: [&str; 3] = [
    "--txt-owner-id=new",
    "--adopt-from-owner=old",
    "--policy=sync",
];

#[tokio::test]
async fn an_owner_hands_over_what_is_asked_for_and_nothing_else() -> Result<()> {
    let stage = Stage::new().await?;
    put_all(&stage.testbed, &stage.zone, of_old_owner()?).await?;
    stage.apply(&[ingress("web", &HANDED, &[LB])]).await?;
    let before = stage.records().await?;

    let dry = [&ADOPT[..], &["--dry-run"]].concat();
    let listed = stage.well(&dry).await?.stdout;
    assert_eq!(listed.lines().count(), 4, "{listed}");
    let rewritten = |line: &str| {
        line.starts_with("~ ownership ") && line.contains("owner=old") && line.contains("owner=new")
    };
    assert!(
        listed.lines().all(rewritten) && !listed.contains("stale"),
        "{listed}"
    );
    assert_eq!(stage.records().await?, before);

    stage.well(&ADOPT).await?;
    let renamed = |line: &String| match line.contains("stale") {
        true => line.clone(),
        false => line.replace("owner=old", "owner=new"),
    };
    assert_eq!(
        stage.records().await?,
        before.iter().map(renamed).collect::<Vec<_>>()
    );

    // With the flag and without it, there is nothing left to do; then it is ours.
    stage.testbed.gate.clear();
    stage.well(&ADOPT).await?;
    let owner = ["--txt-owner-id=new", "--policy=sync"];
    stage.well(&owner).await?;
    assert_eq!(stage.testbed.gate.writes().len(), 0);
    stage.delete("web").await?;
    stage.well(&owner).await?;
    let left = stage.records().await?;
    assert!(
        left.len() == 4 && left.iter().all(|line| line.contains("stale")),
        "{left:?}"
    );
    Ok(())
}

#[tokio::test]
async fn killed_after_every_call_of_a_hand_over() -> Result<()> {
    let testbed = Testbed::acquire().await?;
    let scenario = Scenario {
        binary: BINARY,
        prepare: async |testbed: &Testbed| {
            let zone = World::zone(testbed, "example.org").await?;
            put_all(testbed, &zone, of_old_owner()?).await?;
            testbed.apply_yaml(&ingress("web", &HANDED, &[LB])).await?;
            // Small batches, so that there is something between two of them.
            let args = [
                &SOURCE[..],
                &ADOPT,
                &["--aws-batch-change-size=4", "--aws-api-rate=16"],
            ];
            Ok(args.concat().into_iter().map(str::to_owned).collect())
        },
        end_state: async |testbed: &Testbed| {
            let zones = aws_sdk_route53::Client::new(testbed.sdk())
                .list_hosted_zones()
                .send()
                .await?;
            let id = zones.hosted_zones()[0]
                .id()
                .trim_start_matches("/hostedzone/")
                .to_owned();
            Ok(records(testbed, &id).await?.join("\n"))
        },
    };
    let report = kill_after_every_call(&testbed, scenario).await?;
    assert!(report.kills >= 4, "{:?}", report.calls);
    assert_eq!(
        report.end_state.matches("owner=new").count(),
        4,
        "{}",
        report.end_state
    );
    Ok(())
}

#[tokio::test]
async fn sealed_ownership_is_written_read_and_never_written_again() -> Result<()> {
    let stage = Stage::new().await?;
    stage.put(alias("old.example.org", RrType::A, LB)?).await?;
    stage
        .put(alias("old.example.org", RrType::Aaaa, LB)?)
        .await?;
    stage
        .put(mark("a-old.example.org", "default", "web")?)
        .await?;
    stage
        .put(mark("aaaa-old.example.org", "default", "web")?)
        .await?;
    let hosts = ["shop.example.org", "old.example.org"];
    stage.apply(&[ingress("web", &hosts, &[LB])]).await?;
    let sealed = ["--txt-encrypt-enabled", "--policy=sync"];
    let run = async |key: &str| {
        let args = [&SOURCE[..], &sealed, &["--once"]].concat();
        let command = stage.testbed.command(BINARY).await?.args(&args);
        command.env("ISTHMUS_TXT_ENCRYPT_AES_KEY", key).run().await
    };
    let key = "0123456789abcdef0123456789ABCDEF";
    let finished = run(key).await?;
    assert_eq!(finished.code, Some(0), "{finished}");
    assert!(!finished.stderr.contains(key) && !finished.stdout.contains(key));
    let first = stage.records().await?;
    let plain = first
        .iter()
        .filter(|line| line.contains("heritage="))
        .count();
    let marks = first.iter().filter(|line| line.contains(" TXT ")).count();
    assert_eq!(
        (first.len(), marks, plain),
        (8, 4, 2),
        "what was right stays as it is: {first:?}"
    );

    stage.testbed.gate.clear();
    run(key).await?;
    assert_eq!(stage.testbed.gate.writes().len(), 0);

    // With a key that does not fit, what is sealed is nobody's, and stays.
    stage.delete("web").await?;
    stage
        .apply(&[ingress("web", &["shop.example.org"], &["lb.example.com"])])
        .await?;
    let finished = run("X123456789abcdef0123456789ABCDEF").await?;
    assert_eq!(finished.code, Some(0), "{finished}");
    let kept = stage.records().await?;
    assert_eq!(
        kept.iter().filter(|line| line.contains("shop.")).count(),
        4,
        "{kept:?}"
    );
    run(key).await?;
    let last = stage.records().await?;
    assert!(
        last.len() == 2
            && last
                .iter()
                .any(|line| line.contains("CNAME 300 lb.example.com")),
        "{last:?}"
    );
    Ok(())
}

#[tokio::test]
async fn an_ownership_value_over_255_characters_is_several_strings() -> Result<()> {
    let stage = Stage::new().await?;
    let name = "x".repeat(220);
    stage
        .apply(&[ingress(&name, &["shop.example.org"], &[LB])])
        .await?;
    stage.well(&["--policy=sync"]).await?;
    let found = stage.records().await?;
    assert_eq!(found.len(), 4, "{found:?}");
    assert!(
        found
            .iter()
            .any(|line| line.contains("owner=default,\" \"external-dns/resource=")),
        "{found:?}"
    );
    stage.testbed.gate.clear();
    stage.well(&["--policy=sync"]).await?;
    assert_eq!(stage.testbed.gate.writes().len(), 0);
    stage.delete(&name).await?;
    stage.well(&["--policy=sync"]).await?;
    assert_eq!(stage.records().await?, [""; 0]);
    Ok(())
}

#[tokio::test]
async fn the_noop_registry_takes_what_the_filters_admit() -> Result<()> {
    let stage = Stage::new().await?;
    stage
        .put(values("shop.example.org", RrType::A, 60, &["192.0.2.1"])?)
        .await?;
    stage
        .put(values("other.example.org", RrType::A, 60, &["192.0.2.2"])?)
        .await?;
    stage
        .apply(&[ingress("web", &["shop.example.org"], &["lb.example.com"])])
        .await?;
    let flags = [
        "--registry=noop",
        "--policy=sync",
        "--domain-filter=shop.example.org",
        "--aws-zone-match-parent",
    ];
    stage.well(&flags).await?;
    let wanted = [
        "other.example.org A 60 192.0.2.2",
        "shop.example.org CNAME 300 lb.example.com",
    ];
    assert_eq!(stage.records().await?, wanted);
    Ok(())
}

#[tokio::test]
async fn two_owners_and_a_leftover_of_each_live_side_by_side() -> Result<()> {
    let stage = Stage::new().await?;
    stage
        .apply(&[ingress("web", &["shop.example.org"], &[LB])])
        .await?;
    stage.well(&["--txt-owner-id=blue"]).await?;
    // Another owner that asks for the same name gets nothing, not even with the old owner's hand-over to a third.
    let third = [
        "--txt-owner-id=green",
        "--adopt-from-owner=red",
        "--policy=sync",
    ];
    stage.testbed.gate.clear();
    stage.well(&third).await?;
    assert_eq!(stage.testbed.gate.writes().len(), 0);
    let wanted = sorted(&[published_by("shop.example.org", LB, "web", "blue")]);
    assert_eq!(stage.records().await?, wanted);
    Ok(())
}
