//! The world fixture: one cluster's VPC, certificates and zone at the emulators,
//! and its Nodes at the API server.

mod authority;
mod certificate;
mod network;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::Node;
use kube::ResourceExt as _;
use kube::api::{Api, DeleteParams};

use crate::{CLUSTER_ID, Testbed};

pub use authority::{Authority, Issued};
pub use certificate::Certificate;
pub use network::{Instance, Subnet};

/// The CustomResourceDefinition of RouteGroups.
pub const ROUTE_GROUP_DEFINITION: &str = include_str!("world/routegroups.yaml");

/// What a cluster finds around itself. Made through the SDK straight at the
/// emulators, so that the gate records none of it.
#[derive(Clone, Debug)]
pub struct World {
    /// The VPC, 10.20.0.0/16.
    pub vpc: String,
    /// Its internet gateway.
    pub internet_gateway: String,
    /// One in each of the zones a, b and c, 10.20.0.0/24 and up, with a route
    /// to the internet gateway; tagged for load balancers.
    pub public_subnets: Vec<Subnet>,
    /// One in each zone, 10.20.10.0/24 and up, each with a route table of its
    /// own, tagged `Type=dmz`, `AvailabilityZone=<zone>`, `Name=dmz-<zone>`.
    pub private_subnets: Vec<Subnet>,
    /// The load balancers' security group, tagged as the ingress controller's.
    pub security_group: String,
    /// The Nodes, in the private subnets of zones a and b.
    pub instances: Vec<Instance>,
    /// For `*.example.org`.
    pub wildcard_certificate: Certificate,
    /// For `shop.example.org`.
    pub shop_certificate: Certificate,
    /// The id of the public Route 53 zone `example.org.`, without `/hostedzone/`.
    pub zone: String,
}

impl World {
    /// Makes it all. The metadata service tells the VPC's id from then on.
    ///
    /// # Errors
    /// If an emulator or the API server refuses something.
    pub async fn create(testbed: &Testbed) -> Result<Self> {
        let sdk = testbed.sdk();
        let network = network::create(sdk).await.context("the network")?;
        testbed.imds.set(
            "meta-data/network/interfaces/macs/02:00:00:00:00:01/vpc-id",
            &network.vpc,
        );
        for instance in &network.instances {
            forget_node(testbed, &instance.node).await?;
            testbed.apply_yaml(&instance.node_yaml()).await?;
        }
        Ok(Self {
            wildcard_certificate: Certificate::import(testbed, &["*.example.org"]).await?,
            shop_certificate: Certificate::import(testbed, &["shop.example.org"]).await?,
            zone: Self::zone(testbed, "example.org").await?,
            vpc: network.vpc,
            internet_gateway: network.internet_gateway,
            public_subnets: network.public_subnets,
            private_subnets: network.private_subnets,
            security_group: network.security_group,
            instances: network.instances,
        })
    }

    /// Makes a public Route 53 zone of that name; its id, without `/hostedzone/`.
    ///
    /// # Errors
    /// If the emulator refuses it.
    pub async fn zone(testbed: &Testbed, name: &str) -> Result<String> {
        let made = aws_sdk_route53::Client::new(testbed.sdk())
            .create_hosted_zone()
            .name(name)
            .caller_reference(format!("world {name}"))
            .send()
            .await
            .context("create a hosted zone")?;
        let id = made.hosted_zone.context("a zone")?.id;
        Ok(id.trim_start_matches("/hostedzone/").to_owned())
    }

    /// The id of the world's cluster.
    #[must_use]
    pub fn cluster_id(&self) -> &'static str {
        CLUSTER_ID
    }
}

/// Deletes a Node of an earlier world: on an API server that is not wiped it
/// may still be there, and the `providerID` of a Node cannot be changed.
async fn forget_node(testbed: &Testbed, name: &str) -> Result<()> {
    let nodes: Api<Node> = Api::all(testbed.kube());
    let Some(node) = nodes.get_opt(name).await? else {
        return Ok(());
    };
    ensure!(
        node.labels().contains_key(network::NODE_LABEL),
        "there is a Node {name} that is not the world's"
    );
    nodes.delete(name, &DeleteParams::default()).await?;
    Ok(())
}
