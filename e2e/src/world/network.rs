//! The VPC with everything in it.

use anyhow::{Context, Result};
use aws_config::SdkConfig;
use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{Filter, InstanceType, ResourceType, Tag, TagSpecification};

use crate::{CLUSTER_ID, REGION};

/// The controller id on the security group: the default of `isthmus-ingress`.
const CONTROLLER_ID: &str = "kube-ingress-aws-controller";

/// On every Node of the fixture.
pub(super) const NODE_LABEL: &str = "isthmus.dev/testbed";

/// A subnet of the world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subnet {
    /// Its id.
    pub id: String,
    /// Its availability zone, `eu-central-1a` say.
    pub zone: String,
    /// Its block.
    pub cidr: String,
    /// The route table that it is associated with.
    pub route_table: String,
}

/// An instance that is a Node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    /// Its id.
    pub id: String,
    /// Its availability zone.
    pub zone: String,
    /// Its address, which is the Node's internal one.
    pub address: String,
    /// The name of its Node.
    pub node: String,
}

impl Instance {
    /// Its Node, ready.
    #[must_use]
    pub fn node_yaml(&self) -> String {
        let Self {
            id,
            zone,
            address,
            node,
        } = self;
        format!(
            "apiVersion: v1
kind: Node
metadata:
  name: {node}
  labels:
    {NODE_LABEL}: 'true'
    kubernetes.io/hostname: {node}
    topology.kubernetes.io/zone: {zone}
    topology.kubernetes.io/region: {REGION}
spec:
  providerID: aws:///{zone}/{id}
status:
  addresses:
  - {{type: InternalIP, address: {address}}}
  conditions:
  - {{type: Ready, status: 'True', reason: KubeletReady, message: ''}}
"
        )
    }
}

pub(super) struct Network {
    pub(super) vpc: String,
    pub(super) internet_gateway: String,
    pub(super) public_subnets: Vec<Subnet>,
    pub(super) private_subnets: Vec<Subnet>,
    pub(super) security_group: String,
    pub(super) instances: Vec<Instance>,
}

pub(super) async fn create(sdk: &SdkConfig) -> Result<Network> {
    let ec2 = Client::new(sdk);
    let vpc = create_vpc(&ec2).await?;
    let internet_gateway = attach_internet_gateway(&ec2, &vpc).await?;
    let main = main_route_table(&ec2, &vpc).await?;
    ec2.create_route()
        .route_table_id(&main)
        .destination_cidr_block("0.0.0.0/0")
        .gateway_id(&internet_gateway)
        .send()
        .await
        .context("create a route")?;
    let (mut public_subnets, mut private_subnets) = (Vec::new(), Vec::new());
    for (index, letter) in ["a", "b", "c"].into_iter().enumerate() {
        let zone = format!("{REGION}{letter}");
        let tags = [
            (cluster_tag(), "shared".to_owned()),
            ("kubernetes.io/role/elb".into(), "1".into()),
            ("Name".into(), format!("public-{zone}")),
        ];
        let cidr = format!("10.20.{index}.0/24");
        let mut public = create_subnet(&ec2, &vpc, &zone, &cidr, &tags).await?;
        public.route_table.clone_from(&main);
        public_subnets.push(public);
        let tags = [
            (cluster_tag(), "shared".to_owned()),
            ("kubernetes.io/role/internal-elb".into(), "1".into()),
            ("Name".into(), format!("private-{zone}")),
        ];
        let cidr = format!("10.20.{}.0/24", 10 + index);
        let mut private = create_subnet(&ec2, &vpc, &zone, &cidr, &tags).await?;
        private.route_table = create_route_table(&ec2, &vpc, &private).await?;
        private_subnets.push(private);
    }
    let security_group = create_security_group(&ec2, &vpc).await?;
    let mut instances = Vec::new();
    for (index, subnet) in private_subnets.iter().take(2).enumerate() {
        instances.push(run_instance(&ec2, subnet, index + 1).await?);
    }
    Ok(Network {
        vpc,
        internet_gateway,
        public_subnets,
        private_subnets,
        security_group,
        instances,
    })
}

fn cluster_tag() -> String {
    format!("kubernetes.io/cluster/{CLUSTER_ID}")
}

fn tagged(kind: ResourceType, tags: &[(String, String)]) -> TagSpecification {
    let tags = tags
        .iter()
        .map(|(key, value)| Tag::builder().key(key).value(value).build());
    TagSpecification::builder()
        .resource_type(kind)
        .set_tags(Some(tags.collect()))
        .build()
}

async fn create_vpc(ec2: &Client) -> Result<String> {
    let tags = [
        (cluster_tag(), "shared".to_owned()),
        ("Name".into(), "kube-1".into()),
    ];
    let made = ec2
        .create_vpc()
        .cidr_block("10.20.0.0/16")
        .tag_specifications(tagged(ResourceType::Vpc, &tags))
        .send()
        .await
        .context("create a VPC")?;
    made.vpc.and_then(|vpc| vpc.vpc_id).context("a VPC id")
}

async fn attach_internet_gateway(ec2: &Client, vpc: &str) -> Result<String> {
    let made = ec2.create_internet_gateway().send().await?;
    let gateway = made.internet_gateway.context("an internet gateway")?;
    let id = gateway.internet_gateway_id.context("its id")?;
    ec2.attach_internet_gateway()
        .internet_gateway_id(&id)
        .vpc_id(vpc)
        .send()
        .await
        .context("attach the internet gateway")?;
    Ok(id)
}

async fn main_route_table(ec2: &Client, vpc: &str) -> Result<String> {
    let filter = |name: &str, value: &str| Filter::builder().name(name).values(value).build();
    let tables = ec2
        .describe_route_tables()
        .filters(filter("vpc-id", vpc))
        .filters(filter("association.main", "true"))
        .send()
        .await
        .context("find the main route table")?;
    let table = tables
        .route_tables()
        .first()
        .context("a main route table")?;
    table.route_table_id.clone().context("its id")
}

async fn create_subnet(
    ec2: &Client,
    vpc: &str,
    zone: &str,
    cidr: &str,
    tags: &[(String, String)],
) -> Result<Subnet> {
    let made = ec2
        .create_subnet()
        .vpc_id(vpc)
        .availability_zone(zone)
        .cidr_block(cidr)
        .tag_specifications(tagged(ResourceType::Subnet, tags))
        .send()
        .await
        .context("create a subnet")?;
    let id = made.subnet.and_then(|subnet| subnet.subnet_id);
    Ok(Subnet {
        id: id.context("a subnet id")?,
        zone: zone.to_owned(),
        cidr: cidr.to_owned(),
        route_table: String::new(),
    })
}

async fn create_route_table(ec2: &Client, vpc: &str, subnet: &Subnet) -> Result<String> {
    let tags = [
        ("Type".to_owned(), "dmz".to_owned()),
        ("AvailabilityZone".into(), subnet.zone.clone()),
        ("Name".into(), format!("dmz-{}", subnet.zone)),
        (cluster_tag(), "shared".into()),
    ];
    let made = ec2
        .create_route_table()
        .vpc_id(vpc)
        .tag_specifications(tagged(ResourceType::RouteTable, &tags))
        .send()
        .await
        .context("create a route table")?;
    let id = made.route_table.and_then(|table| table.route_table_id);
    let id = id.context("a route table id")?;
    ec2.associate_route_table()
        .route_table_id(&id)
        .subnet_id(&subnet.id)
        .send()
        .await
        .context("associate a route table")?;
    Ok(id)
}

async fn create_security_group(ec2: &Client, vpc: &str) -> Result<String> {
    let tags = [
        (cluster_tag(), "owned".to_owned()),
        ("kubernetes:application".into(), CONTROLLER_ID.into()),
    ];
    let made = ec2
        .create_security_group()
        .group_name("kube-1-load-balancers")
        .description("Load balancers of kube-1")
        .vpc_id(vpc)
        .tag_specifications(tagged(ResourceType::SecurityGroup, &tags))
        .send()
        .await
        .context("create a security group")?;
    made.group_id.context("a security group id")
}

async fn run_instance(ec2: &Client, subnet: &Subnet, number: usize) -> Result<Instance> {
    let node = format!("node-{number}");
    let tags = [
        (cluster_tag(), "owned".to_owned()),
        ("Name".into(), node.clone()),
    ];
    let address = subnet.cidr.replace(".0/24", ".10");
    let made = ec2
        .run_instances()
        .image_id("ami-0123456789abcdef0")
        .instance_type(InstanceType::M5Large)
        .min_count(1)
        .max_count(1)
        .subnet_id(&subnet.id)
        .private_ip_address(&address)
        .tag_specifications(tagged(ResourceType::Instance, &tags))
        .send()
        .await
        .context("run an instance")?;
    let instance = made.instances().first().context("an instance")?;
    Ok(Instance {
        id: instance.instance_id.clone().context("an instance id")?,
        zone: subnet.zone.clone(),
        address: instance.private_ip_address.clone().unwrap_or(address),
        node,
    })
}
