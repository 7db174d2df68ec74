//! Sources that come, go and look empty: nothing is deleted by mistake, and it is said.

use std::time::Duration;

use anyhow::Result;
use isthmus_e2e::{Call, eventually};
use serde_json::json;
use tokio::time::{Instant, sleep_until};

use crate::sources::{
    DNS_ENDPOINTS, ROUTE_GROUPS, delete_kind, dns_endpoint, route_group, service,
};
use crate::stage::{BINARY, LB, Stage, annotated, ingress, metric, published};

const ALL: [&str; 5] = [
    "--source=ingress",
    "--source=service",
    "--source=skipper-routegroup",
    "--source=crd",
    "--policy=sync",
];

/// With so much patience for what comes back.
fn all_with(grace: &'static str) -> Vec<&'static str> {
    [&ALL[..], &[grace]].concat()
}

fn one(name: &str, ip: &str) -> String {
    let host = format!("{name}.example.org");
    let record = json!([{"dnsName": host, "recordType": "A", "targets": [ip]}]);
    dns_endpoint(name, &record)
}

#[tokio::test]
async fn a_kind_that_is_not_there_stops_nobody_and_is_picked_up_when_it_comes() -> Result<()> {
    let stage = Stage::new().await?;
    stage
        .apply(&[ingress("web", &["web.example.org"], &[LB])])
        .await?;
    let finished = stage.testbed.run(BINARY, &all_with("--once")).await?;
    assert_eq!(
        finished.code,
        Some(1),
        "a single run tells by its exit code: {finished}"
    );
    for kind in [
        "RouteGroup of zalando.org/v1",
        "DNSEndpoint of externaldns.k8s.io/v1alpha1",
    ] {
        let said = format!("the API server does not serve {kind}");
        assert!(finished.stderr.contains(&said), "{finished}");
    }
    let web = published("web.example.org", LB, "web");
    assert_eq!(stage.records().await?, web, "the others go on");

    let mut process = stage
        .testbed
        .spawn(BINARY, &all_with("--empty-target-grace=6s"))
        .await?;
    process.wait_ready().await?;
    metric(&process, "isthmus_dns_source_available{source=\"crd\"} 0").await?;
    metric(
        &process,
        "isthmus_dns_source_available{source=\"ingress\"} 1",
    )
    .await?;
    let (_, page) = process.admin_page("/").await?;
    assert!(page.contains("not served by the API server"), "{page}");

    stage.testbed.apply_yaml(DNS_ENDPOINTS).await?;
    stage.testbed.apply_yaml(ROUTE_GROUPS).await?;
    stage
        .apply(&[
            one("late", "192.0.2.1"),
            route_group("group", &["group.example.org"], &[LB]),
        ])
        .await?;
    eventually("records of both kinds", async || {
        let found = stage.records().await?;
        let late = found.contains(&"late.example.org A 300 192.0.2.1".to_owned());
        let group = found
            .iter()
            .any(|line| line.starts_with("group.example.org A alias"));
        Ok((late && group).then_some(()))
    })
    .await?;
    metric(&process, "isthmus_dns_source_available{source=\"crd\"} 1").await?;
    Ok(())
}

#[tokio::test]
async fn a_kind_that_goes_keeps_its_records() -> Result<()> {
    let stage = Stage::new().await?;
    stage.testbed.apply_yaml(DNS_ENDPOINTS).await?;
    stage.testbed.apply_yaml(ROUTE_GROUPS).await?;
    // Fewer than the removal limit: it is not what holds them.
    stage
        .apply(&[
            one("a", "192.0.2.1"),
            one("b", "192.0.2.2"),
            route_group("group", &["group.example.org"], &[LB]),
            ingress("web", &["web.example.org"], &[LB]),
        ])
        .await?;
    let mut process = stage
        .testbed
        .spawn(BINARY, &all_with("--empty-target-grace=6s"))
        .await?;
    process.wait_ready().await?;
    let all = stage.records().await?;
    assert_eq!(all.len(), 2 * 2 + 2 * 4, "{all:?}");
    stage.testbed.gate.clear();

    // The API server deletes the objects first, and tells it.
    delete_kind(&stage, "dnsendpoints.externaldns.k8s.io").await?;
    delete_kind(&stage, "routegroups.zalando.org").await?;
    metric(&process, "isthmus_dns_source_available{source=\"crd\"} 0").await?;
    metric(
        &process,
        "isthmus_dns_source_available{source=\"skipper-routegroup\"} 0",
    )
    .await?;

    // Others go on meanwhile, also through a restart, and a name is not taken away.
    stage
        .apply(&[ingress("new", &["new.example.org", "a.example.org"], &[LB])])
        .await?;
    let new = published("new.example.org", LB, "new");
    let wanted = crate::stage::sorted(&[all.clone(), new]);
    stage.wait_for_records(&wanted).await?;
    assert_eq!(process.terminate().await?.code, Some(0));
    // Longer than it takes to make objects, on however busy a machine.
    let patient = all_with("--empty-target-grace=30s");
    let mut process = stage.testbed.spawn(BINARY, &patient).await?;
    process.wait_ready().await?;
    assert_eq!(stage.records().await?, wanted);
    metric(
        &process,
        "isthmus_plan_withheld{reason=\"source-unavailable\"}",
    )
    .await?;
    let event = eventually("an Event", async || {
        let events = stage.events("a").await?;
        Ok(events
            .into_iter()
            .find(|(reason, _)| reason == "RemovalWithheld"))
    })
    .await?;
    assert!(event.1.contains("is not served"), "{event:?}");

    // It comes back, its objects one by one; what does not come back goes at last.
    stage.testbed.gate.clear();
    stage.testbed.apply_yaml(DNS_ENDPOINTS).await?;
    stage.apply(&[one("a", "192.0.2.7")]).await?;
    let changed = "a.example.org A 300 192.0.2.7".to_owned();
    let b = "b.example.org A 300 192.0.2.2".to_owned();
    eventually("the change of a and the end of b", async || {
        let found = stage.records().await?;
        Ok((found.contains(&changed) && !found.contains(&b)).then_some(()))
    })
    .await?;
    let writes = stage.testbed.gate.writes();
    let first = |text: &str| {
        let mentions = |call: &Call| call.params.values().any(|value| value == text);
        writes.iter().position(mentions)
    };
    let (change, end) = (first("192.0.2.7"), first("b.example.org."));
    assert!(
        change.is_some() && change < end,
        "it may yet come back: {writes:?}"
    );
    let group = stage.records().await?;
    assert!(
        group
            .iter()
            .any(|line| line.starts_with("group.example.org A")),
        "{group:?}"
    );
    Ok(())
}

#[tokio::test]
async fn a_changed_prefix_changes_nothing_and_a_conflict_is_told() -> Result<()> {
    let stage = Stage::new().await?;
    let spec = json!({"type": "LoadBalancer", "ports": [{"port": 80}]});
    let object = |prefix: &str| {
        let annotations =
            json!({format!("{prefix}/hostname"): "svc.example.org", format!("{prefix}/ttl"): "60"});
        let hostname = format!("{prefix}/hostname");
        [
            service("svc", &annotations, &spec, &[LB]),
            annotated("web", &[""], &[LB], &[(&hostname, "web.example.org")]),
        ]
    };
    let (old, new) = (
        "external-dns.alpha.kubernetes.io",
        "external-dns.kubernetes.io",
    );
    stage.apply(&object(old)).await?;
    let args = [
        "--source=ingress",
        "--source=service",
        "--policy=sync",
        "--empty-target-grace=0s",
    ];
    let mut process = stage.testbed.spawn(BINARY, &args).await?;
    process.wait_ready().await?;
    let before = stage.records().await?;
    assert_eq!(before.len(), 8, "{before:?}");
    stage.testbed.gate.clear();

    stage.apply(&object(new)).await?;
    let both = json!({
        "external-dns.alpha.kubernetes.io/hostname": "other.example.org",
        "external-dns.kubernetes.io/hostname": "svc.example.org",
    });
    stage.apply(&[service("svc", &both, &spec, &[LB])]).await?;
    let event = eventually("an Event", async || Ok(stage.events("svc").await?.pop())).await?;
    assert_eq!(event.0, "AnnotationConflict");
    assert!(event.1.contains("the first one counts"), "{event:?}");
    assert_eq!(
        stage.testbed.gate.writes().len(),
        0,
        "{:?}",
        stage.testbed.gate.writes()
    );
    assert_eq!(stage.records().await?, before);
    process.kill().await?;
    let finished = stage
        .testbed
        .run(BINARY, &[&args[..], &["--once"]].concat())
        .await?;
    assert_eq!(finished.code, Some(0), "{finished}");
    assert_eq!(stage.testbed.gate.writes().len(), 0);
    Ok(())
}

#[tokio::test]
async fn an_emptied_status_is_waited_for_whatever_the_kind() -> Result<()> {
    let stage = Stage::new().await?;
    stage.testbed.apply_yaml(ROUTE_GROUPS).await?;
    let spec = json!({"type": "LoadBalancer", "ports": [{"port": 80}]});
    let host = json!({"external-dns.kubernetes.io/hostname": "svc.example.org"});
    let objects = |targets: &[&str]| {
        [
            service("svc", &host, &spec, targets),
            route_group("group", &["group.example.org"], targets),
            ingress("web", &["web.example.org"], targets),
        ]
    };
    stage.apply(&objects(&[LB])).await?;
    let args = [
        "--source=ingress",
        "--source=service",
        "--source=skipper-routegroup",
        "--policy=sync",
        "--empty-target-grace=25s",
    ];
    let mut process = stage.testbed.spawn(BINARY, &args).await?;
    process.wait_ready().await?;
    assert_eq!(stage.records().await?.len(), 12);
    stage.testbed.gate.clear();

    // Empty, and back before the grace is over: nothing happens, then or later.
    metric(&process, "isthmus_managed{kind=\"name\"} 3").await?;
    let emptied = Instant::now();
    stage.apply(&objects(&[])).await?;
    stage.seen("while-empty").await?;
    stage.apply(&objects(&[LB])).await?;
    stage.seen("back").await?;
    sleep_until(emptied + Duration::from_secs(26)).await;
    stage.seen("later").await?;
    assert_eq!(stage.testbed.gate.writes().len(), 0);

    // Empty for good.
    stage.apply(&objects(&[])).await?;
    stage.wait_for_records(&[]).await?;
    Ok(())
}
