//! What the tests of `isthmus-egress` share: the world, ConfigMaps, Events.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use aws_sdk_ec2::Client as Ec2;
use aws_sdk_ec2::types::Tag;
use isthmus_e2e::{CLUSTER_ID, Finished, Testbed, World, eventually};
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::api::events::v1::Event;
use kube::Api;
use kube::api::{DeleteParams, ListParams};
use serde_json::{Value, json};

use crate::picture::{Seen, is_gone, picture};

pub(crate) const BINARY: &str = "isthmus-egress";
pub(crate) const STATUS: &str = "isthmus.dev/egress-status";

/// A testbed with the world's VPC, and the flags for some of its zones.
pub(crate) struct Stage {
    pub(crate) testbed: Testbed,
    pub(crate) world: World,
}

impl Stage {
    pub(crate) async fn new() -> Result<Self> {
        let testbed = Testbed::acquire().await?;
        let world = World::create(&testbed).await?;
        Ok(Self { testbed, world })
    }

    pub(crate) fn ec2(&self) -> Ec2 {
        Ec2::new(self.testbed.sdk())
    }

    /// The flags for these zones, `a` say, and more.
    pub(crate) fn flags(&self, zones: &str, more: &[&str]) -> Vec<String> {
        flags(&self.world, zones, more)
    }

    pub(crate) async fn once(&self, zones: &str, more: &[&str]) -> Result<Finished> {
        let args = self.flags(zones, &[&["--once"], more].concat());
        let command = self.testbed.command(BINARY).await?;
        command.args(&args).run().await
    }

    /// A run that ends well.
    pub(crate) async fn well(&self, zones: &str, more: &[&str]) -> Result<Finished> {
        let finished = self.once(zones, more).await?;
        ensure!(finished.code == Some(0), "{finished}");
        Ok(finished)
    }

    /// A run that finds nothing to do.
    pub(crate) async fn idle(&self, zones: &str, more: &[&str]) -> Result<()> {
        self.testbed.gate.clear();
        self.well(zones, more).await?;
        let writes = self.testbed.gate.writes();
        ensure!(writes.is_empty(), "it writes: {writes:?}");
        Ok(())
    }

    pub(crate) async fn apply(&self, name: &str, data: &[(&str, &str)]) -> Result<()> {
        self.testbed.apply_yaml(&config_map(name, data)).await
    }

    pub(crate) async fn delete(&self, name: &str) -> Result<()> {
        delete(&self.testbed, name).await
    }

    /// Waits until a ConfigMap that is made now is younger than this one: the API
    /// server notes the second.
    pub(crate) async fn another_second(&self, than: &str) -> Result<()> {
        let made = config_maps(&self.testbed).get(than).await?;
        let made = made.metadata.creation_timestamp.context("a time")?.0;
        eventually("the next second", async || {
            let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
            Ok((i128::from(now.as_secs()) > i128::from(made.as_second())).then_some(()))
        })
        .await
    }

    pub(crate) async fn picture(&self) -> Result<Vec<String>> {
        picture(&self.testbed).await
    }

    pub(crate) async fn status(&self, name: &str) -> Result<Value> {
        status(&self.testbed, name).await
    }

    /// The Events on a ConfigMap as `reason: text`, sorted.
    pub(crate) async fn events(&self, name: &str) -> Result<Vec<String>> {
        let all: Api<Event> = Api::namespaced(self.testbed.kube(), "shop");
        let found = all.list(&ListParams::default()).await?.items.into_iter();
        let on_it = found.filter(|event| {
            let object = event.regarding.as_ref();
            object.and_then(|object| object.name.as_deref()) == Some(name)
        });
        let mut lines: Vec<String> = on_it
            .map(|event| {
                let (reason, note) = (event.reason, event.note);
                format!(
                    "{}: {}",
                    reason.unwrap_or_default(),
                    note.unwrap_or_default()
                )
            })
            .collect();
        lines.sort();
        Ok(lines)
    }

    /// The route table of the world's private subnet in a zone, `a` say.
    pub(crate) fn table(&self, letter: &str) -> String {
        let subnets = &self.world.private_subnets;
        let subnet = subnets.iter().find(|subnet| subnet.zone.ends_with(letter));
        subnet
            .map(|subnet| subnet.route_table.clone())
            .unwrap_or_default()
    }

    /// Another route table tagged `Type=dmz` in a zone.
    pub(crate) async fn another_table(&self, letter: &str, name: &str) -> Result<String> {
        let ec2 = self.ec2();
        let made = ec2
            .create_route_table()
            .vpc_id(&self.world.vpc)
            .send()
            .await?;
        let id = made
            .route_table
            .and_then(|table| table.route_table_id)
            .context("an id")?;
        let zone = format!("eu-central-1{letter}");
        let tags = [("Type", "dmz"), ("AvailabilityZone", &zone), ("Name", name)];
        tag(&ec2, &id, &tags).await?;
        Ok(id)
    }

    /// The NAT gateway of ours in a zone that is not deleted.
    pub(crate) async fn nat_gateway(&self, letter: &str) -> Result<String> {
        let found = Seen::read(&self.ec2()).await?;
        let zone = format!("eu-central-1{letter}");
        let mut live = found.nat_gateways.iter().filter(|nat| !is_gone(nat));
        let id = live.find(|nat| found.zone_of(nat) == zone);
        let id = id.and_then(|nat| nat.nat_gateway_id.clone());
        id.with_context(|| format!("a NAT gateway in {zone}"))
    }

    /// An Elastic IP that somebody else has allocated.
    pub(crate) async fn foreign_address(&self) -> Result<(String, String)> {
        let made = self.ec2().allocate_address().send().await?;
        let (id, ip) = (made.allocation_id, made.public_ip);
        Ok((id.context("an id")?, ip.context("an address")?))
    }

    pub(crate) async fn route(&self, table: &str, to: &str, nat: &str) -> Result<()> {
        let request = self.ec2().create_route().route_table_id(table);
        request
            .destination_cidr_block(to)
            .nat_gateway_id(nat)
            .send()
            .await?;
        Ok(())
    }

    pub(crate) async fn delete_route(&self, table: &str, to: &str) -> Result<()> {
        let request = self.ec2().delete_route().route_table_id(table);
        request.destination_cidr_block(to).send().await?;
        Ok(())
    }
}

pub(crate) async fn tag(ec2: &Ec2, id: &str, pairs: &[(&str, &str)]) -> Result<()> {
    let tags = pairs
        .iter()
        .map(|(key, value)| Tag::builder().key(*key).value(*value).build());
    ec2.create_tags()
        .resources(id)
        .set_tags(Some(tags.collect()))
        .send()
        .await?;
    Ok(())
}

pub(crate) fn flags(world: &World, zones: &str, more: &[&str]) -> Vec<String> {
    let mut flags = vec![
        format!("--cluster-id={CLUSTER_ID}"),
        format!("--vpc-id={}", world.vpc),
    ];
    for letter in zones.chars() {
        let nth = u32::from(letter) - u32::from('a');
        flags.push(format!("--aws-az=eu-central-1{letter}"));
        flags.push(format!("--aws-nat-cidr-block=10.20.255.{}/28", nth * 16));
    }
    flags.extend(more.iter().map(|flag| (*flag).to_owned()));
    flags
}

pub(crate) fn config_map(name: &str, data: &[(&str, &str)]) -> String {
    let data: BTreeMap<_, _> = data.iter().copied().collect();
    let labels = json!({"egress": "static"});
    let object = json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"namespace": "shop", "name": name, "labels": labels},
        "data": data,
    });
    format!("{object}\n---\n")
}

fn config_maps(testbed: &Testbed) -> Api<ConfigMap> {
    Api::namespaced(testbed.kube(), "shop")
}

pub(crate) async fn delete(testbed: &Testbed, name: &str) -> Result<()> {
    config_maps(testbed)
        .delete(name, &DeleteParams::default())
        .await?;
    Ok(())
}

/// The answer on a ConfigMap; `null` if there is none.
pub(crate) async fn status(testbed: &Testbed, name: &str) -> Result<Value> {
    let object = config_maps(testbed).get(name).await?;
    let text = object
        .metadata
        .annotations
        .unwrap_or_default()
        .remove(STATUS);
    Ok(text.map_or(Ok(Value::Null), |text| serde_json::from_str(&text))?)
}

/// Each entry as `value state reason`.
pub(crate) fn entries(status: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let all = status["entries"].as_array().cloned().unwrap_or_default();
    let line = |entry: &Value| {
        let line = format!(
            "{} {} {}",
            text(&entry["value"]),
            text(&entry["state"]),
            text(&entry["reason"])
        );
        line.trim_end().to_owned()
    };
    all.iter().map(line).collect()
}
