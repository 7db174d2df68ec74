//! Reading EC2, page by page.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_ec2::Client;
use aws_sdk_ec2::config::Builder;
use aws_sdk_ec2::config::retry::RetryConfig;
use aws_sdk_ec2::types::Filter;
use egress_core::{Observed, Vpc};
use isthmus_runtime::Aws;

use super::pace::Pace;
use super::write::Writer;
use super::{Call, Ec2, FoundVpc, convert};
use crate::error::{Ec2Error, ObserveError};

/// EC2 by the AWS SDK.
#[derive(Debug)]
pub(crate) struct SdkEc2 {
    pub(super) client: Client,
    pub(super) writer: Writer,
    pace: Pace,
}

impl SdkEc2 {
    /// Clients on the process's AWS configuration, which call an action that
    /// changes something once in a `period`.
    pub(crate) fn new(aws: &Aws, period: Duration) -> Self {
        let builder = || Builder::from(&aws.sdk).interceptor(aws.interceptor());
        let once = builder().retry_config(RetryConfig::disabled());
        let client = Client::from_conf(builder().build());
        let writer = Writer {
            client: client.clone(),
            once: Client::from_conf(once.build()),
            dry_run: false,
        };
        Self {
            client,
            writer,
            pace: Pace::new(period),
        }
    }

    /// The cluster id from the tag `<prefix><id>` of an instance.
    pub(crate) async fn cluster_id(
        &self,
        instance: &str,
        prefix: &str,
    ) -> Result<Option<String>, Ec2Error> {
        let request = self.client.describe_tags();
        let request = request
            .filters(filter("resource-id", instance))
            .into_paginator();
        let found = request.items().send().try_collect().await;
        let tags = found.map_err(|error| convert::failed("DescribeTags", &error))?;
        let mut ids = tags
            .iter()
            .filter_map(|tag| tag.key()?.strip_prefix(prefix));
        Ok(ids.find(|id| !id.is_empty()).map(str::to_owned))
    }
}

impl Ec2 for SdkEc2 {
    async fn vpcs(&self, id: Option<&str>) -> Result<Vec<FoundVpc>, ObserveError> {
        let request = self
            .client
            .describe_vpcs()
            .set_vpc_ids(id.map(|id| vec![id.to_owned()]));
        let found = request.into_paginator().items().send().try_collect().await;
        let found = found.map_err(|error| convert::failed("DescribeVpcs", &error))?;
        found.iter().map(convert::vpc).collect()
    }

    async fn observe(&self, vpc: Vpc) -> Result<Observed, ObserveError> {
        let in_vpc = || filter("vpc-id", &vpc.id);
        let gateways = self
            .client
            .describe_internet_gateways()
            .filters(filter("attachment.vpc-id", &vpc.id))
            .into_paginator();
        let gateways = gateways.items().send().try_collect().await;
        let gateways = gateways.map_err(|e| convert::failed("DescribeInternetGateways", &e))?;
        let subnets = self
            .client
            .describe_subnets()
            .filters(in_vpc())
            .into_paginator();
        let subnets = subnets.items().send().try_collect().await;
        let subnets = subnets.map_err(|e| convert::failed("DescribeSubnets", &e))?;
        let tables = self
            .client
            .describe_route_tables()
            .filters(in_vpc())
            .into_paginator();
        let tables = tables.items().send().try_collect().await;
        let tables = tables.map_err(|e| convert::failed("DescribeRouteTables", &e))?;
        // Not paginated by EC2. All of the region: those to adopt carry no tag of ours yet.
        let addresses = self.client.describe_addresses().send().await;
        let addresses = addresses.map_err(|e| convert::failed("DescribeAddresses", &e))?;
        let nats = self
            .client
            .describe_nat_gateways()
            .filter(in_vpc())
            .into_paginator();
        let nats = nats.items().send().try_collect().await;
        let nats = nats.map_err(|e| convert::failed("DescribeNatGateways", &e))?;

        let mut ids: Vec<_> = gateways
            .iter()
            .filter_map(|gateway| gateway.internet_gateway_id())
            .collect();
        ids.sort_unstable();
        Ok(Observed {
            vpc: vpc.clone(),
            internet_gateway: ids.first().map(|id| (*id).to_owned()),
            subnets: collect(subnets.iter().filter_map(convert::subnet))?,
            route_tables: collect(tables.iter().map(convert::route_table))?,
            addresses: collect(addresses.addresses().iter().filter_map(convert::address))?,
            nat_gateways: collect(nats.iter().map(convert::nat_gateway))?,
        })
    }

    async fn write(&self, call: &Call) -> Result<Option<String>, Ec2Error> {
        self.pace.turn(call.operation()).await;
        self.writer.carry_out(call).await
    }
}

fn filter(name: &str, value: &str) -> Filter {
    Filter::builder().name(name).values(value).build()
}

fn collect<T>(
    items: impl Iterator<Item = Result<(String, T), ObserveError>>,
) -> Result<BTreeMap<String, T>, ObserveError> {
    items.collect()
}
