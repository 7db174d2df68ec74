//! A picture of EC2 in which the ids that the emulator draws have become names.

use std::collections::BTreeMap;

use anyhow::Result;
use aws_sdk_ec2::Client as Ec2;
use aws_sdk_ec2::types::{NatGateway, NatGatewayState, RouteTable, Tag};
use isthmus_e2e::Testbed;

pub(crate) const CLUSTER_TAG: &str = "kubernetes.io/cluster/aws:123456789012:eu-central-1:kube-1";

pub(crate) fn is_gone(nat: &NatGateway) -> bool {
    matches!(nat.state, Some(NatGatewayState::Deleted))
}

/// Everything of EC2 that this controller makes or changes.
pub(crate) struct Seen {
    subnets: BTreeMap<String, (String, String, bool)>,
    tables: Vec<RouteTable>,
    addresses: Vec<aws_sdk_ec2::types::Address>,
    pub(crate) nat_gateways: Vec<NatGateway>,
}

impl Seen {
    pub(crate) async fn read(ec2: &Ec2) -> Result<Self> {
        let subnets = ec2.describe_subnets().send().await?;
        let subnets = subnets.subnets().iter().map(|subnet| {
            let zone = subnet.availability_zone().unwrap_or_default().to_owned();
            let cidr = subnet.cidr_block().unwrap_or_default().to_owned();
            let id = subnet.subnet_id().unwrap_or_default().to_owned();
            (id, (zone, cidr, is_ours(subnet.tags())))
        });
        Ok(Self {
            subnets: subnets.collect(),
            tables: ec2
                .describe_route_tables()
                .send()
                .await?
                .route_tables()
                .to_vec(),
            addresses: ec2.describe_addresses().send().await?.addresses().to_vec(),
            nat_gateways: ec2
                .describe_nat_gateways()
                .send()
                .await?
                .nat_gateways()
                .to_vec(),
        })
    }

    pub(crate) fn zone_of(&self, nat: &NatGateway) -> String {
        let subnet = self.subnets.get(nat.subnet_id().unwrap_or_default());
        let of_subnet = subnet.map(|(zone, ..)| zone.clone());
        of_subnet.unwrap_or_else(|| tag_of(nat.tags(), "isthmus.dev/zone").unwrap_or_default())
    }

    fn nat_name(&self, id: &str) -> String {
        let mut all = self.nat_gateways.iter();
        match all.find(|nat| nat.nat_gateway_id() == Some(id)) {
            Some(nat) if is_ours(nat.tags()) => format!("nat-gateway of {}", self.zone_of(nat)),
            _ => "foreign nat-gateway".to_owned(),
        }
    }

    fn lines(&self) -> Vec<String> {
        let ours = self.subnets.values().filter(|(.., ours)| *ours);
        let mut lines: Vec<String> = ours
            .map(|(zone, cidr, _)| format!("subnet {zone} {cidr}"))
            .collect();
        for table in &self.tables {
            self.table(table, &mut lines);
        }
        for nat in self
            .nat_gateways
            .iter()
            .filter(|nat| is_ours(nat.tags()) && !is_gone(nat))
        {
            let state = nat.state().map_or("", NatGatewayState::as_str);
            let ip = nat
                .nat_gateway_addresses()
                .first()
                .and_then(|address| address.public_ip());
            lines.push(format!(
                "nat-gateway {} {state} {}",
                self.zone_of(nat),
                ip.unwrap_or_default()
            ));
        }
        for address in self
            .addresses
            .iter()
            .filter(|address| is_ours(address.tags()))
        {
            let zone = tag_of(address.tags(), "isthmus.dev/zone").unwrap_or_default();
            let use_ = address.association_id().map_or("free", |_| "in use");
            lines.push(format!(
                "address {zone} {} {use_}",
                address.public_ip().unwrap_or_default()
            ));
        }
        lines.sort();
        lines
    }

    fn table(&self, table: &RouteTable, lines: &mut Vec<String>) {
        let own = is_ours(table.tags());
        let name = tag_of(table.tags(), "Name").unwrap_or_default();
        if own {
            let uses = table
                .associations()
                .iter()
                .filter_map(|one| one.subnet_id());
            let uses: Vec<_> = uses
                .map(|id| self.subnets.get(id).map_or("gone", |(zone, ..)| zone))
                .collect();
            lines.push(format!("route-table {name} of subnets {uses:?}"));
        }
        for route in table.routes() {
            let Some(to) = route.destination_cidr_block() else {
                continue;
            };
            let via = match (route.nat_gateway_id(), route.gateway_id()) {
                (Some(nat), _) => self.nat_name(nat),
                (None, Some("local")) => continue,
                (None, Some(_)) if own => "internet gateway".to_owned(),
                (None, Some(_)) => continue,
                (None, None) => "something else".to_owned(),
            };
            let state = route.state().map_or("", |state| state.as_str());
            lines.push(format!("route {name} {to} to {via} {state}"));
        }
    }
}

/// What is there of ours, and every route to a NAT gateway, one line each.
pub(crate) async fn picture(testbed: &Testbed) -> Result<Vec<String>> {
    Ok(Seen::read(&Ec2::new(testbed.sdk())).await?.lines())
}

/// The lines of a zone that lacks nothing.
pub(crate) fn built(letter: &str, ip: &str) -> Vec<String> {
    let zone = format!("eu-central-1{letter}");
    let nth = u32::from(letter.as_bytes()[0] - b'a');
    vec![
        format!("address {zone} {ip} in use"),
        format!("nat-gateway {zone} available {ip}"),
        format!("route nat-{zone} 0.0.0.0/0 to internet gateway active"),
        format!("route-table nat-{zone} of subnets [\"{zone}\"]"),
        format!("subnet {zone} 10.20.255.{}/28", nth * 16),
    ]
}

/// A route in the table `dmz-<zone>` to that zone's NAT gateway.
pub(crate) fn routed(letter: &str, networks: &[&str]) -> Vec<String> {
    let zone = format!("eu-central-1{letter}");
    let line = |network| format!("route dmz-{zone} {network} to nat-gateway of {zone} active");
    networks.iter().map(line).collect()
}

pub(crate) fn sorted(groups: &[Vec<String>]) -> Vec<String> {
    let mut lines = groups.concat();
    lines.sort();
    lines
}

pub(crate) fn tag_of(tags: &[Tag], key: &str) -> Option<String> {
    let found = tags.iter().find(|tag| tag.key() == Some(key));
    found.and_then(|tag| tag.value()).map(str::to_owned)
}

pub(crate) fn is_ours(tags: &[Tag]) -> bool {
    tag_of(tags, CLUSTER_TAG).as_deref() == Some("owned")
        && tag_of(tags, "kubernetes:application").as_deref()
            == Some("kube-static-egress-controller")
}
