//! `isthmus-ingress` from an Ingress to its load balancer and back, at the emulators.

#[path = "ingress/alarms.rs"]
mod alarms;
#[path = "ingress/annotations.rs"]
mod annotations;
#[path = "ingress/certificates.rs"]
mod certificates;
#[path = "ingress/discovery.rs"]
mod discovery;
#[path = "ingress/drift.rs"]
mod drift;
#[path = "ingress/everything.rs"]
mod everything;
#[path = "ingress/features.rs"]
mod features;
#[path = "ingress/killed.rs"]
mod killed;
#[path = "ingress/life.rs"]
mod life;
#[path = "ingress/packing.rs"]
mod packing;
#[path = "ingress/pages.rs"]
mod pages;
#[path = "ingress/reading.rs"]
mod reading;
#[path = "ingress/removal.rs"]
mod removal;
#[path = "ingress/replicas.rs"]
mod replicas;
#[path = "ingress/rest.rs"]
mod rest;
#[path = "ingress/sources.rs"]
mod sources;
#[path = "ingress/start.rs"]
mod start;
#[path = "ingress/targets.rs"]
mod targets;
#[path = "ingress/trouble.rs"]
mod trouble;

use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use isthmus_e2e::{Finished, Process, Testbed, World, eventually};
use kube::api::{Patch, PatchParams};
use reading::ingresses;
use serde_json::json;

const BINARY: &str = "isthmus-ingress";
/// Looks at everything again all the time, so that there is always a next reconcile.
const RESYNC: &str = "--polling-interval=1s";
/// Never looks again by itself: what happens has another cause.
const NO_RESYNC: &str = "--polling-interval=24h";
const CLUSTER: &str = "--cluster-id=aws:123456789012:eu-central-1:kube-1";
/// What is not needed goes at once.
const NO_GRACE: &str = "--cert-ttl-timeout=0s";

fn ingress(name: &str, hosts: &[&str], annotations: &[(&str, &str)]) -> String {
    let rules: Vec<_> = hosts.iter().map(|host| json!({"host": host})).collect();
    let annotations: BTreeMap<_, _> = annotations
        .iter()
        .map(|(key, value)| (format!("zalando.org/aws-load-balancer-{key}"), *value))
        .collect();
    let object = json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"namespace": "default", "name": name, "annotations": annotations},
        "spec": {"rules": rules},
    });
    format!("{object}\n---\n")
}

fn shop() -> String {
    ingress("shop", &["shop.example.org"], &[])
}

async fn world(yaml: &str) -> Result<(Testbed, World)> {
    let testbed = Testbed::acquire().await?;
    let world = World::create(&testbed).await?;
    testbed.apply_yaml(yaml).await?;
    Ok((testbed, world))
}

async fn once(testbed: &Testbed, more: &[&str]) -> Result<Finished> {
    let args = [&["--once", CLUSTER], more].concat();
    testbed.run(BINARY, &args).await
}

async fn well(testbed: &Testbed, more: &[&str]) -> Result<Finished> {
    let finished = once(testbed, more).await?;
    ensure!(finished.code == Some(0), "{finished}");
    Ok(finished)
}

/// Another run finds nothing to do.
async fn idle(testbed: &Testbed, more: &[&str]) -> Result<()> {
    testbed.gate.clear();
    well(testbed, more).await?;
    nothing_written(testbed);
    Ok(())
}

#[track_caller]
fn nothing_written(testbed: &Testbed) {
    let writes = testbed.gate.writes();
    assert!(writes.is_empty(), "{writes:?}");
}

/// How many reconciles a controller has behind it.
async fn reconciles(process: &Process) -> Result<u64> {
    const COUNT: &str = r#"isthmus_reconcile_duration_seconds_count{step="total"} "#;
    let (_, metrics) = process.admin_page("/metrics").await?;
    let count = metrics.lines().find_map(|line| line.strip_prefix(COUNT));
    Ok(count.unwrap_or("0").trim().parse()?)
}

/// Waits for the end of so many further ones: of two, the last began after now.
async fn reconciled(process: &Process, more: u64) -> Result<()> {
    let before = reconciles(process).await?;
    eventually(&format!("{more} more reconciles"), async || {
        Ok((reconciles(process).await? >= before + more).then_some(()))
    })
    .await
}

async fn annotate(testbed: &Testbed, name: &str, key: &str, value: &str) -> Result<()> {
    let patch = json!({"metadata": {"annotations": {key: value}}});
    ingresses(testbed)
        .patch(name, &PatchParams::default(), &Patch::Merge(&patch))
        .await?;
    Ok(())
}

/// Two reconciles for changes that mean nothing. The second begins after the first
/// change, whatever else there may be to ask for one.
async fn for_nothing(testbed: &Testbed, process: &Process, name: &str) -> Result<()> {
    for _ in 0..2 {
        let before = reconciles(process).await?;
        let value = before.to_string();
        annotate(testbed, name, "example.org/unimportant", &value).await?;
        eventually("a reconcile", async || {
            Ok((reconciles(process).await? > before).then_some(()))
        })
        .await?;
    }
    Ok(())
}
