//! What the CloudFormation stack of kube-static-egress-controller has made.

use anyhow::{Context, Result};
use isthmus_e2e::eventually;

use crate::picture::{CLUSTER_TAG, is_gone};
use crate::stage::{Stage, tag};

pub(crate) const BANK: &str = "203.0.113.0/24";
pub(crate) const TAX: &str = "198.51.100.0/24";
const NETWORKS: [&str; 2] = [BANK, TAX];

/// One zone of the old controller's stack.
#[derive(Debug)]
pub(crate) struct OldZone {
    letter: &'static str,
    pub(crate) allocation: String,
    pub(crate) public_ip: String,
    subnet: String,
    table: String,
    nat: String,
}

impl OldZone {
    /// `EIPn`, `NATSubnetn`, `NATSubnetRouteTablen`, `NATSubnetRouten`,
    /// `NATSubnetRouteTableAssociationn`, `NATGatewayn` and its `RouteToNAT…` of the template.
    async fn create(stage: &Stage, letter: &'static str, tags: &[(&str, &str)]) -> Result<Self> {
        let (ec2, vpc) = (stage.ec2(), &stage.world.vpc);
        let zone = format!("eu-central-1{letter}");
        let nth = u32::from(letter.as_bytes()[0] - b'a');
        let (allocation, public_ip) = stage.foreign_address().await?;
        let cidr = format!("10.20.255.{}/28", nth * 16);
        let request = ec2.create_subnet().vpc_id(vpc).cidr_block(cidr);
        let made = request.availability_zone(&zone).send().await?.subnet;
        let subnet = made.and_then(|it| it.subnet_id).context("a subnet")?;
        let made = ec2
            .create_route_table()
            .vpc_id(vpc)
            .send()
            .await?
            .route_table;
        let table = made.and_then(|it| it.route_table_id).context("a table")?;
        let request = ec2
            .create_route()
            .route_table_id(&table)
            .destination_cidr_block("0.0.0.0/0");
        request
            .gateway_id(&stage.world.internet_gateway)
            .send()
            .await?;
        let request = ec2.associate_route_table().route_table_id(&table);
        request.subnet_id(&subnet).send().await?;
        let request = ec2
            .create_nat_gateway()
            .subnet_id(&subnet)
            .allocation_id(&allocation);
        let made = request.send().await?.nat_gateway;
        let nat = made
            .and_then(|it| it.nat_gateway_id)
            .context("a NAT gateway")?;
        for id in [&allocation, &subnet, &table, &nat] {
            tag(&ec2, id, tags).await?;
        }
        tag(&ec2, &subnet, &[("Name", &format!("nat-{zone}"))]).await?;
        for network in NETWORKS {
            stage.route(&stage.table(letter), network, &nat).await?;
        }
        Ok(Self {
            letter,
            allocation,
            public_ip,
            subnet,
            table,
            nat,
        })
    }

    /// What the deletion of a stack takes away of which only the addresses are retained.
    pub(crate) async fn delete_all_but_the_address(&self, stage: &Stage) -> Result<()> {
        let ec2 = stage.ec2();
        for network in NETWORKS {
            stage
                .delete_route(&stage.table(self.letter), network)
                .await?;
        }
        ec2.delete_nat_gateway()
            .nat_gateway_id(&self.nat)
            .send()
            .await?;
        eventually("the NAT gateway to go", async || {
            let found = ec2
                .describe_nat_gateways()
                .nat_gateway_ids(&self.nat)
                .send()
                .await?;
            Ok(found.nat_gateways().iter().all(is_gone).then_some(()))
        })
        .await?;
        ec2.delete_subnet().subnet_id(&self.subnet).send().await?;
        ec2.delete_route_table()
            .route_table_id(&self.table)
            .send()
            .await?;
        Ok(())
    }
}

/// The stack of the old controller, in two zones.
pub(crate) async fn old_stack(stage: &Stage, controller: &str) -> Result<[OldZone; 2]> {
    let tags = [
        (CLUSTER_TAG, "owned"),
        ("kubernetes:application", controller),
        ("InfrastructureComponent", "true"),
    ];
    let a = OldZone::create(stage, "a", &tags).await?;
    Ok([a, OldZone::create(stage, "b", &tags).await?])
}
