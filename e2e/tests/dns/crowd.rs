//! Zones and clusters of real size: what external-dns leaves of a thousand
//! hosts, and Ingresses by the hundred.
#![allow(dead_code)] // tests and the bench use their parts

use anyhow::{Context, Result};
use aws_sdk_route53::types::{
    AliasTarget, Change, ChangeAction, ChangeBatch, ResourceRecordSet, RrType,
};
use futures::{StreamExt, TryStreamExt, stream};
use isthmus_e2e::{Testbed, World};
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::api::networking::v1::Ingress;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use crate::stage::{LB, alias, annotated, mark, values};

const NLB: &str = "edge-0123456789abcdef.elb.eu-central-1.amazonaws.com";
const NLB_ZONE: &str = "Z3F0SRJ5LGBH90";

/// One host as external-dns keeps it: the Ingress that asks for it, and the
/// record sets that are in the zone.
pub(crate) struct Host {
    pub(crate) ingress: String,
    pub(crate) records: Vec<ResourceRecordSet>,
}

/// Hosts of a zone that external-dns has looked after for years: what each of
/// its ages has written, by the documented formats.
pub(crate) fn hosts_of_external_dns(zone: &str, owner: &str, count: usize) -> Result<Vec<Host>> {
    (0..count)
        .map(|index| host_of_external_dns(zone, owner, index))
        .collect()
}

fn host_of_external_dns(zone: &str, owner: &str, index: usize) -> Result<Host> {
    let name = format!("app-{index:05}");
    let host = format!("{name}.{zone}");
    let own = |form: &str| mark(form, owner, &name);
    let plain = |targets: &[&str]| annotated(&name, &[&host], targets, &[]);
    let both = |lb: &str| {
        anyhow::Ok(vec![
            alias(&host, RrType::A, lb)?,
            alias(&host, RrType::Aaaa, lb)?,
        ])
    };
    let aaaa = || own(&format!("aaaa-{host}"));
    let (ingress, mut records, marks) = match index % 8 {
        // Since 0.22.
        0 => (
            plain(&[LB]),
            both(LB)?,
            vec![own(&format!("a-{host}"))?, aaaa()?],
        ),
        // Until then an alias was kept as the CNAME that it had been asked for as.
        1 => (
            plain(&[LB]),
            both(LB)?,
            vec![own(&format!("cname-{host}"))?, aaaa()?],
        ),
        // Before the type was in the name; and a listing in other spellings.
        2 => {
            let records = both(&format!("{}.", LB.to_uppercase()))?;
            (plain(&[LB]), records, vec![own(&host)?, aaaa()?])
        }
        3 => {
            let cname = values(&host, RrType::Cname, 300, &["Shop.Example.COM."])?;
            (
                plain(&["shop.example.com"]),
                vec![cname],
                vec![own(&format!("cname-{host}"))?],
            )
        }
        4 => {
            let ttl = [
                ("external-dns.alpha.kubernetes.io/ttl", "1m"),
                (
                    "external-dns.alpha.kubernetes.io/target",
                    "192.0.2.2,192.0.2.1",
                ),
            ];
            let a = values(&host, RrType::A, 60, &["192.0.2.1", "192.0.2.2"])?;
            (
                annotated(&name, &[&host], &[LB], &ttl),
                vec![a],
                vec![own(&format!("a-{host}"))?],
            )
        }
        5 => {
            let star = format!("*.{host}");
            let records = vec![
                alias(&star, RrType::A, LB)?,
                alias(&star, RrType::Aaaa, LB)?,
            ];
            let marks = vec![own(&format!("a-{star}"))?, own(&format!("aaaa-{star}"))?];
            (annotated(&name, &[&star], &[LB], &[]), records, marks)
        }
        6 => {
            let weighted = [
                ("external-dns.alpha.kubernetes.io/set-identifier", "blue"),
                ("external-dns.alpha.kubernetes.io/aws-weight", "10"),
            ];
            let marks = vec![weigh(own(&format!("a-{host}"))?), weigh(aaaa()?)];
            let records = both(LB)?.into_iter().map(weigh).collect();
            (annotated(&name, &[&host], &[LB], &weighted), records, marks)
        }
        _ => {
            let ignoring = [(
                "external-dns.kubernetes.io/aws-evaluate-target-health",
                "false",
            )];
            let records = vec![network(&host, RrType::A)?, network(&host, RrType::Aaaa)?];
            let marks = vec![own(&format!("a-{host}"))?, aaaa()?];
            (
                annotated(&name, &[&host], &[NLB], &ignoring),
                records,
                marks,
            )
        }
    };
    records.extend(marks);
    Ok(Host { ingress, records })
}

fn weigh(mut set: ResourceRecordSet) -> ResourceRecordSet {
    set.set_identifier = Some("blue".to_owned());
    set.weight = Some(10);
    set
}

fn network(host: &str, kind: RrType) -> Result<ResourceRecordSet> {
    let target = AliasTarget::builder()
        .dns_name(NLB)
        .hosted_zone_id(NLB_ZONE)
        .evaluate_target_health(false);
    let set = ResourceRecordSet::builder().name(host).r#type(kind);
    Ok(set.alias_target(target.build()?).build()?)
}

/// Puts record sets into a zone, past the gate and its rules: for many of them.
pub(crate) async fn fill(
    testbed: &Testbed,
    zone: &str,
    records: Vec<ResourceRecordSet>,
) -> Result<()> {
    let url = testbed.emulators().ministack();
    let sdk = testbed.sdk().to_builder().endpoint_url(url).build();
    let client = aws_sdk_route53::Client::new(&sdk);
    for some in records.chunks(1000) {
        let changes = some.iter().map(|record| {
            let change = Change::builder().action(ChangeAction::Create);
            change.resource_record_set(record.clone()).build()
        });
        let changes = changes.collect::<Result<Vec<_>, _>>()?;
        let batch = ChangeBatch::builder().set_changes(Some(changes)).build()?;
        let change = client.change_resource_record_sets().hosted_zone_id(zone);
        change
            .change_batch(batch)
            .send()
            .await
            .context("fill a zone")?;
    }
    Ok(())
}

/// Hosts in four zones that are as full as they may be, 2,500 in each, and an
/// Ingress for each of them.
pub(crate) async fn ten_thousand_hosts(testbed: &Testbed) -> Result<()> {
    let mut ingresses = Vec::new();
    for part in ["a", "b", "c", "d"] {
        let domain = format!("{part}.example.org");
        let zone = World::zone(testbed, &domain).await?;
        let mut records = Vec::new();
        for index in 0..2_500 {
            let name = format!("{part}-app-{index:04}");
            let host = format!("{name}.{domain}");
            for (kind, word) in [(RrType::A, "a"), (RrType::Aaaa, "aaaa")] {
                records.push(alias(&host, kind, LB)?);
                records.push(mark(&format!("{word}-{host}"), "default", &name)?);
            }
            ingresses.push(annotated(&name, &[&host], &[LB], &[]));
        }
        fill(testbed, &zone, records).await?;
    }
    make(testbed, ingresses).await
}

/// Makes Ingresses, many at once, each with its status.
pub(crate) async fn make(testbed: &Testbed, ingresses: Vec<String>) -> Result<()> {
    let spaces: Api<Namespace> = Api::all(testbed.kube());
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}});
    let apply = PatchParams::apply("testbed").force();
    spaces
        .patch("shop", &apply, &Patch::Apply(&namespace))
        .await?;
    let api: Api<Ingress> = Api::namespaced(testbed.kube(), "shop");
    let one = async |text: String| {
        let object: Value = serde_json::from_str(text.trim_end().trim_end_matches("---"))?;
        let name = object["metadata"]["name"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        let made = serde_json::from_value(object.clone())?;
        api.create(&PostParams::default(), &made).await?;
        let status = json!({"status": object["status"]});
        api.patch_status(&name, &PatchParams::default(), &Patch::Merge(&status))
            .await?;
        anyhow::Ok(())
    };
    stream::iter(ingresses.into_iter().map(one))
        .buffer_unordered(24)
        .try_collect()
        .await
}

/// Deletes every Ingress at once.
pub(crate) async fn delete_all(testbed: &Testbed) -> Result<()> {
    let api: Api<Ingress> = Api::namespaced(testbed.kube(), "shop");
    api.delete_collection(&DeleteParams::default(), &Default::default())
        .await?;
    Ok(())
}
