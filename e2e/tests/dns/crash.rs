//! Killed after every single call: the next run converges, nothing is made twice, nothing is left.

use anyhow::Result;
use aws_sdk_route53::types::RrType;
use isthmus_e2e::{Scenario, Testbed, World, kill_after_every_call};

use crate::stage::{BINARY, LB, SOURCE, alias, delete, ingress, mark, put_all, records};

async fn end_state(testbed: &Testbed) -> Result<String> {
    let zones = aws_sdk_route53::Client::new(testbed.sdk())
        .list_hosted_zones()
        .send()
        .await?;
    let mut lines = Vec::new();
    for zone in zones.hosted_zones() {
        let id = zone.id().trim_start_matches("/hostedzone/");
        lines.extend(
            records(testbed, id)
                .await?
                .into_iter()
                .map(|line| format!("{}: {line}\n", zone.name())),
        );
    }
    lines.sort();
    Ok(lines.concat())
}

fn args() -> Vec<String> {
    [&SOURCE[..], &["--policy=sync"]]
        .concat()
        .into_iter()
        .map(str::to_owned)
        .collect()
}

/// A zone with what an earlier run left of one Ingress with two hosts.
async fn published_before(testbed: &Testbed) -> Result<()> {
    let zone = World::zone(testbed, "example.org").await?;
    for host in ["shop.example.org", "www.example.org"] {
        let records = vec![
            alias(host, RrType::A, LB)?,
            alias(host, RrType::Aaaa, LB)?,
            mark(&format!("a-{host}"), "default", "web")?,
            mark(&format!("aaaa-{host}"), "default", "web")?,
        ];
        put_all(testbed, &zone, records).await?;
    }
    Ok(())
}

#[tokio::test]
async fn killed_after_every_call_of_a_creation() -> Result<()> {
    let testbed = Testbed::acquire().await?;
    let scenario = Scenario {
        binary: BINARY,
        prepare: async |testbed: &Testbed| {
            World::zone(testbed, "example.org").await?;
            World::zone(testbed, "a.example.org").await?;
            let hosts = ["shop.example.org", "www.example.org", "shop.a.example.org"];
            testbed.apply_yaml(&ingress("web", &hosts, &[LB])).await?;
            Ok(args())
        },
        end_state,
    };
    let report = kill_after_every_call(&testbed, scenario).await?;
    assert_eq!(
        report.kills, 5,
        "zones, two listings, two changes: {:?}",
        report.calls
    );
    assert_eq!(report.end_state.lines().count(), 12, "{}", report.end_state);
    Ok(())
}

#[tokio::test]
async fn killed_after_every_call_of_a_change() -> Result<()> {
    let testbed = Testbed::acquire().await?;
    let scenario = Scenario {
        binary: BINARY,
        prepare: async |testbed: &Testbed| {
            published_before(testbed).await?;
            let hosts = ["shop.example.org", "www.example.org"];
            testbed
                .apply_yaml(&ingress("web", &hosts, &["lb.example.com"]))
                .await?;
            Ok(args())
        },
        end_state,
    };
    let report = kill_after_every_call(&testbed, scenario).await?;
    assert_eq!(report.kills, 3, "{:?}", report.calls);
    assert_eq!(
        report
            .end_state
            .matches(" CNAME 300 lb.example.com")
            .count(),
        2,
        "{}",
        report.end_state
    );
    assert_eq!(report.end_state.lines().count(), 4, "{}", report.end_state);
    Ok(())
}

#[tokio::test]
async fn killed_after_every_call_of_a_deletion() -> Result<()> {
    let testbed = Testbed::acquire().await?;
    let scenario = Scenario {
        binary: BINARY,
        prepare: async |testbed: &Testbed| {
            published_before(testbed).await?;
            testbed
                .apply_yaml(&ingress(
                    "web",
                    &["shop.example.org", "www.example.org"],
                    &[LB],
                ))
                .await?;
            delete(testbed, "web").await?;
            Ok(args())
        },
        end_state,
    };
    let report = kill_after_every_call(&testbed, scenario).await?;
    assert_eq!((report.kills, report.end_state.as_str()), (3, ""));
    Ok(())
}
