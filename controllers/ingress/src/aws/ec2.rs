//! The VPC through the SDK of EC2.

use std::collections::BTreeMap;

use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{Filter, RouteTable, Tag};
use ingress_core::{Network, SecurityGroup, Subnet};
use isthmus_core::Ownership;
use isthmus_runtime::Aws;

use super::{Result, Vpc};
use crate::error::AwsError;

/// The client.
pub(crate) struct Ec2 {
    client: Client,
}

impl Ec2 {
    pub(crate) fn new(aws: &Aws) -> Self {
        let config = aws_sdk_ec2::config::Builder::from(&aws.sdk)
            .interceptor(aws.interceptor())
            .build();
        Self {
            client: Client::from_conf(config),
        }
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// Without what the route tables tell.
    async fn subnets(&self, vpc: &str) -> Result<Vec<Subnet>> {
        let pages = self
            .client
            .describe_subnets()
            .filters(filter("vpc-id", vpc));
        let found = pages.into_paginator().items().send();
        let found = found
            .try_collect()
            .await
            .map_err(AwsError::of("DescribeSubnets"))?;
        let subnet = |subnet: &aws_sdk_ec2::types::Subnet| {
            let id = subnet.subnet_id()?.to_owned();
            Some(Subnet {
                zone: subnet.availability_zone()?.to_owned(),
                public: false,
                tags: tags(subnet.tags()),
                id,
            })
        };
        Ok(found.iter().filter_map(subnet).collect())
    }

    async fn route_tables(&self, vpc: &str) -> Result<Vec<RouteTable>> {
        let pages = self
            .client
            .describe_route_tables()
            .filters(filter("vpc-id", vpc));
        let found = pages.into_paginator().items().send();
        found
            .try_collect()
            .await
            .map_err(AwsError::of("DescribeRouteTables"))
    }

    async fn security_groups(
        &self,
        vpc: &str,
        ownership: &Ownership,
    ) -> Result<Vec<SecurityGroup>> {
        let pages = self
            .client
            .describe_security_groups()
            .filters(filter("vpc-id", vpc))
            .filters(filter("tag-key", ownership.cluster_tag()));
        let found = pages.into_paginator().items().send();
        let found = found
            .try_collect()
            .await
            .map_err(AwsError::of("DescribeSecurityGroups"))?;
        let group = |group: &aws_sdk_ec2::types::SecurityGroup| {
            Some(SecurityGroup {
                id: group.group_id()?.to_owned(),
                tags: tags(group.tags()),
            })
        };
        Ok(found.iter().filter_map(group).collect())
    }
}

impl Vpc for Ec2 {
    async fn network(&self, vpc: &str, ownership: &Ownership) -> Result<Network> {
        let (tables, mut subnets, security_groups) = tokio::try_join!(
            self.route_tables(vpc),
            self.subnets(vpc),
            self.security_groups(vpc, ownership),
        )?;
        let public = Public::new(&tables);
        for subnet in &mut subnets {
            subnet.public = public.contains(&subnet.id);
        }
        Ok(Network {
            subnets,
            security_groups,
        })
    }

    async fn cluster_of(&self, instance: &str) -> Result<Option<String>> {
        let answer = self
            .client
            .describe_tags()
            .filters(filter("resource-id", instance))
            .send()
            .await
            .map_err(AwsError::of("DescribeTags"))?;
        let mut ids = answer.tags().iter().filter_map(|tag| {
            tag.key()?
                .strip_prefix(Ownership::DEFAULT_TAG_PREFIX)
                .map(str::to_owned)
        });
        Ok(ids.find(|id| !id.is_empty()))
    }
}

/// Which subnets have a route to an internet gateway: by their own route table,
/// or by the VPC's main one where they have none.
struct Public {
    by_subnet: BTreeMap<String, bool>,
    main: bool,
}

impl Public {
    fn new(tables: &[RouteTable]) -> Self {
        let mut public = Self {
            by_subnet: BTreeMap::new(),
            main: false,
        };
        for table in tables {
            let mut gateways = table.routes().iter().filter_map(|route| route.gateway_id());
            let open = gateways.any(|gateway| gateway.starts_with("igw-"));
            for association in table.associations() {
                if association.main() == Some(true) {
                    public.main = open;
                }
                if let Some(subnet) = association.subnet_id() {
                    public.by_subnet.insert(subnet.to_owned(), open);
                }
            }
        }
        public
    }

    fn contains(&self, subnet: &str) -> bool {
        self.by_subnet.get(subnet).copied().unwrap_or(self.main)
    }
}

fn filter(name: &str, value: &str) -> Filter {
    Filter::builder().name(name).values(value).build()
}

fn tags(tags: &[Tag]) -> BTreeMap<String, String> {
    let pair = |tag: &Tag| {
        Some((
            tag.key()?.to_owned(),
            tag.value().unwrap_or_default().to_owned(),
        ))
    };
    tags.iter().filter_map(pair).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use aws_sdk_ec2::types::{Route, RouteTableAssociation};

    fn table(gateway: &str, subnets: &[&str], main: bool) -> RouteTable {
        let to = |subnet: &&str| RouteTableAssociation::builder().subnet_id(*subnet).build();
        let mut associations: Vec<_> = subnets.iter().map(to).collect();
        associations.push(RouteTableAssociation::builder().main(main).build());
        RouteTable::builder()
            .routes(Route::builder().gateway_id("local").build())
            .routes(Route::builder().gateway_id(gateway).build())
            .set_associations(Some(associations))
            .build()
    }

    #[test]
    fn a_subnet_is_public_by_its_own_table_or_the_main_one() {
        let tables = [
            table("igw-1", &["subnet-a"], false),
            table("vgw-1", &["subnet-b"], false),
            table("igw-1", &[], true),
        ];
        let public = Public::new(&tables);
        let all: BTreeSet<_> = ["subnet-a", "subnet-b", "subnet-c"]
            .into_iter()
            .filter(|subnet| public.contains(subnet))
            .collect();
        assert_eq!(all, BTreeSet::from(["subnet-a", "subnet-c"]));
        assert!(!Public::new(&tables[..2]).contains("subnet-c"));
    }
}
