//! ConfigMap → network → route → NAT gateway → fixed address.

use anyhow::{Context, Result};
use aws_sdk_ec2::Client as Ec2;
use aws_sdk_ec2::types::{Filter, RouteTable, Tag};
use k8s_openapi::api::core::v1::ConfigMap;

use super::{named, said};
use crate::playground::tree::Tree;
use crate::{Testbed, World};

pub(super) async fn draw(testbed: &Testbed, world: &World, config_map: &ConfigMap) -> Tree {
    let mut tree = Tree::new(format!("ConfigMap {}", named(config_map)));
    for (key, network) in config_map.data.iter().flatten() {
        let read = routes(testbed, world, network).await;
        let mut below = Tree::new(format!("{key}: {network}"));
        match read {
            Ok(routes) => routes.into_iter().for_each(|route| below.add(route)),
            Err(error) => below.add(Tree::lacking(said(&format!("routes to {network}"))(error))),
        }
        tree.add(below);
    }
    tree
}

/// One line for each private route table.
async fn routes(testbed: &Testbed, world: &World, network: &str) -> Result<Vec<Tree>> {
    let ec2 = Ec2::new(testbed.sdk());
    let filter = |name: &str, value: &str| Filter::builder().name(name).values(value).build();
    let tables = ec2
        .describe_route_tables()
        .filters(filter("vpc-id", &world.vpc))
        .filters(filter("tag:Type", "dmz"))
        .send()
        .await?;
    let mut lines = Vec::new();
    for table in tables.route_tables() {
        let name = tag(table.tags(), "Name").unwrap_or_default();
        let line = match nat_gateway(table, network) {
            Some(id) => {
                let address = public_ip(&ec2, id).await?;
                Tree::new(format!("route in table {name} → {id} → {address}"))
            }
            None => Tree::lacking(format!("a route to {network} in table {name}")),
        };
        lines.push(line);
    }
    Ok(lines)
}

fn nat_gateway<'a>(table: &'a RouteTable, network: &str) -> Option<&'a str> {
    let route = table
        .routes()
        .iter()
        .find(|route| route.destination_cidr_block() == Some(network))?;
    route.nat_gateway_id()
}

fn tag<'a>(tags: &'a [Tag], key: &str) -> Option<&'a str> {
    tags.iter().find(|tag| tag.key() == Some(key))?.value()
}

async fn public_ip(ec2: &Ec2, nat_gateway: &str) -> Result<String> {
    let found = ec2
        .describe_nat_gateways()
        .nat_gateway_ids(nat_gateway)
        .send()
        .await?;
    let gateway = found.nat_gateways().first().context("its NAT gateway")?;
    let address = gateway
        .nat_gateway_addresses()
        .first()
        .context("its address")?;
    let state = gateway.state().map_or("", |s| s.as_str());
    let ip = address.public_ip().context("its public IP")?;
    Ok(format!("{ip} ({state})"))
}
