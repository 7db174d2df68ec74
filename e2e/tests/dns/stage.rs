//! What the tests of `isthmus-dns` share.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use aws_sdk_route53::Client as Route53;
use aws_sdk_route53::types::{
    AliasTarget, Change, ChangeAction, ChangeBatch, ResourceRecord, ResourceRecordSet, RrType,
};
use isthmus_e2e::{Finished, Process, Testbed, World, eventually};
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::api::networking::v1::Ingress;
use kube::Api;
use kube::api::{DeleteParams, ListParams};
use serde_json::json;

pub(crate) const BINARY: &str = "isthmus-dns";
pub(crate) const LB: &str = "kube-1-123.eu-central-1.elb.amazonaws.com";
pub(crate) const OTHER_LB: &str = "kube-2-456.eu-central-1.elb.amazonaws.com";
pub(crate) const SOURCE: [&str; 2] = ["--source=ingress", "--provider=aws"];

/// A testbed with the zone `example.org`.
pub(crate) struct Stage {
    pub(crate) testbed: Testbed,
    pub(crate) zone: String,
}

impl Stage {
    pub(crate) async fn new() -> Result<Self> {
        let testbed = Testbed::acquire().await?;
        let zone = World::zone(&testbed, "example.org").await?;
        Ok(Self { testbed, zone })
    }

    pub(crate) async fn once(&self, more: &[&str]) -> Result<Finished> {
        let args = [&SOURCE[..], &["--once"], more].concat();
        self.testbed.run(BINARY, &args).await
    }

    pub(crate) async fn well(&self, more: &[&str]) -> Result<Finished> {
        let finished = self.once(more).await?;
        ensure!(finished.code == Some(0), "{finished}");
        Ok(finished)
    }

    pub(crate) async fn records(&self) -> Result<Vec<String>> {
        records(&self.testbed, &self.zone).await
    }

    pub(crate) async fn put(&self, record: ResourceRecordSet) -> Result<()> {
        put(&self.testbed, &self.zone, record).await
    }

    pub(crate) async fn delete(&self, name: &str) -> Result<()> {
        delete(&self.testbed, name).await
    }

    pub(crate) async fn apply(&self, ingresses: &[String]) -> Result<()> {
        self.testbed.apply_yaml(&ingresses.concat()).await
    }

    /// The Events on an Ingress: reason and text.
    pub(crate) async fn events(&self, name: &str) -> Result<Vec<(String, String)>> {
        let all: Api<Event> = Api::namespaced(self.testbed.kube(), "shop");
        let found = all.list(&ListParams::default()).await?.items.into_iter();
        let on_it =
            found.filter(|e| e.regarding.as_ref().and_then(|r| r.name.as_deref()) == Some(name));
        Ok(on_it
            .map(|e| (e.reason.unwrap_or_default(), e.note.unwrap_or_default()))
            .collect())
    }

    /// Waits until a reconcile has seen what was applied before: it comes upon an
    /// Ingress of this name then, whose host has no zone, and says so.
    pub(crate) async fn seen(&self, name: &str) -> Result<()> {
        let host = format!("{name}.example.com");
        self.apply(&[ingress(name, &[&host], &[LB])]).await?;
        eventually("an Event of a reconcile", async || {
            Ok((!self.events(name).await?.is_empty()).then_some(()))
        })
        .await
    }

    pub(crate) async fn wait_for_records(&self, wanted: &[String]) -> Result<()> {
        eventually(&format!("records\n{}", wanted.join("\n")), async || {
            Ok((self.records().await? == wanted).then_some(()))
        })
        .await
    }
}

/// Waits for a line of the metrics, or its beginning.
pub(crate) async fn metric(process: &Process, line: &str) -> Result<()> {
    eventually(line, async || {
        let (_, metrics) = process.admin_page("/metrics").await?;
        let found = metrics.lines().any(|found| found.starts_with(line));
        Ok(found.then_some(()))
    })
    .await
}

/// An Ingress with a load balancer in its status, as the ingress controller leaves it.
pub(crate) fn ingress(name: &str, hosts: &[&str], targets: &[&str]) -> String {
    annotated(name, hosts, targets, &[])
}

pub(crate) fn annotated(
    name: &str,
    hosts: &[&str],
    targets: &[&str],
    annotations: &[(&str, &str)],
) -> String {
    let rules: Vec<_> = hosts.iter().map(|host| json!({"host": host})).collect();
    let points: Vec<_> = targets
        .iter()
        .map(|target| json!({"hostname": target}))
        .collect();
    let annotations: BTreeMap<_, _> = annotations.iter().copied().collect();
    let object = json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"namespace": "shop", "name": name, "annotations": annotations},
        "spec": {"rules": rules},
        "status": {"loadBalancer": {"ingress": points}},
    });
    format!("{object}\n---\n")
}

pub(crate) async fn delete(testbed: &Testbed, name: &str) -> Result<()> {
    let api: Api<Ingress> = Api::namespaced(testbed.kube(), "shop");
    api.delete(name, &DeleteParams::default()).await?;
    Ok(())
}

/// The records of a zone without NS and SOA, each as one line, sorted.
pub(crate) async fn records(testbed: &Testbed, zone: &str) -> Result<Vec<String>> {
    let client = Route53::new(testbed.sdk());
    let (mut lines, mut name, mut kind) = (Vec::new(), None, None);
    loop {
        let list = client.list_resource_record_sets().hosted_zone_id(zone);
        let page = list
            .set_start_record_name(name)
            .set_start_record_type(kind)
            .send()
            .await?;
        let own = page
            .resource_record_sets()
            .iter()
            .filter(|set| !matches!(set.r#type(), RrType::Ns | RrType::Soa));
        lines.extend(own.map(line));
        if !page.is_truncated() {
            lines.sort();
            return Ok(lines);
        }
        (name, kind) = (page.next_record_name, page.next_record_type);
    }
}

fn line(set: &ResourceRecordSet) -> String {
    let name = set.name().trim_end_matches('.').replace("\\052", "*");
    let data = match set.alias_target() {
        Some(alias) => format!(
            "alias {} {}",
            alias.dns_name().trim_end_matches('.'),
            alias.hosted_zone_id()
        ),
        None => {
            let values: Vec<_> = set
                .resource_records()
                .iter()
                .map(ResourceRecord::value)
                .collect();
            format!("{} {}", set.ttl().unwrap_or(0), values.join(","))
        }
    };
    format!("{name} {} {data}", set.r#type().as_str())
}

/// The lines of a host that has an alias to an ALB: two aliases and their ownership records.
pub(crate) fn published(host: &str, lb: &str, ingress: &str) -> Vec<String> {
    published_by(host, lb, ingress, "default")
}

pub(crate) fn published_by(host: &str, lb: &str, ingress: &str, owner: &str) -> Vec<String> {
    let alias = |kind: &str| format!("{host} {kind} alias {lb} Z215JYRZR1TBD5");
    let mark = |kind: &str| {
        let value = format!(
            "heritage=external-dns,external-dns/owner={owner},external-dns/resource=ingress/shop/{ingress}"
        );
        format!("{kind}-{host} TXT 300 \"{value}\"")
    };
    sorted(&[vec![alias("A"), alias("AAAA"), mark("a"), mark("aaaa")]])
}

pub(crate) fn sorted(groups: &[Vec<String>]) -> Vec<String> {
    let mut lines = groups.concat();
    lines.sort();
    lines
}

pub(crate) async fn put(testbed: &Testbed, zone: &str, record: ResourceRecordSet) -> Result<()> {
    put_all(testbed, zone, vec![record]).await
}

pub(crate) async fn put_all(
    testbed: &Testbed,
    zone: &str,
    records: Vec<ResourceRecordSet>,
) -> Result<()> {
    let change = |record| {
        Change::builder()
            .action(ChangeAction::Create)
            .resource_record_set(record)
            .build()
    };
    let client = Route53::new(testbed.sdk());
    let mut changes = records
        .into_iter()
        .map(change)
        .collect::<Result<Vec<_>, _>>()?;
    while !changes.is_empty() {
        let rest = changes.split_off(changes.len().min(200));
        let batch = ChangeBatch::builder().set_changes(Some(changes)).build()?;
        let made = client
            .change_resource_record_sets()
            .hosted_zone_id(zone)
            .change_batch(batch);
        made.send().await.context("make records")?;
        changes = rest;
    }
    Ok(())
}

pub(crate) fn values(
    name: &str,
    kind: RrType,
    ttl: i64,
    values: &[&str],
) -> Result<ResourceRecordSet> {
    let values = values
        .iter()
        .map(|value| ResourceRecord::builder().value(*value).build());
    let set = ResourceRecordSet::builder()
        .name(name)
        .r#type(kind)
        .ttl(ttl);
    Ok(set
        .set_resource_records(Some(values.collect::<Result<_, _>>()?))
        .build()?)
}

pub(crate) fn alias(name: &str, kind: RrType, lb: &str) -> Result<ResourceRecordSet> {
    let target = AliasTarget::builder()
        .dns_name(lb)
        .hosted_zone_id("Z215JYRZR1TBD5")
        .evaluate_target_health(true);
    Ok(ResourceRecordSet::builder()
        .name(name)
        .r#type(kind)
        .alias_target(target.build()?)
        .build()?)
}

/// An ownership record of external-dns.
pub(crate) fn mark(name: &str, owner: &str, ingress: &str) -> Result<ResourceRecordSet> {
    let value = format!(
        "\"heritage=external-dns,external-dns/owner={owner},external-dns/resource=ingress/shop/{ingress}\""
    );
    values(name, RrType::Txt, 300, &[&value])
}
