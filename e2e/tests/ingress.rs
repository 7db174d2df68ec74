//! `isthmus-ingress` from an Ingress to its load balancer and back, at the emulators.

#[path = "ingress/alarms.rs"]
mod alarms;
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
use isthmus_e2e::{Finished, Process, Testbed, World};
use kube::api::{Patch, PatchParams};
use reading::ingresses;
use serde_json::json;

const BINARY: &str = "isthmus-ingress";
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

/// How many reconciles a controller has behind it.
async fn reconciles(process: &Process) -> Result<u64> {
    const COUNT: &str = r#"isthmus_reconcile_duration_seconds_count{step="total"} "#;
    let (_, metrics) = process.admin_page("/metrics").await?;
    let count = metrics.lines().find_map(|line| line.strip_prefix(COUNT));
    Ok(count.unwrap_or("0").trim().parse()?)
}

async fn annotate(testbed: &Testbed, name: &str, key: &str, value: &str) -> Result<()> {
    let patch = json!({"metadata": {"annotations": {key: value}}});
    ingresses(testbed)
        .patch(name, &PatchParams::default(), &Patch::Merge(&patch))
        .await?;
    Ok(())
}
