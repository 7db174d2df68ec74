//! The instances that `CUSTOM_FILTERS` selects.

use std::collections::BTreeSet;

use aws_sdk_ec2::types::{Filter, Instance, Reservation};
use ingress_core::Ec2Filter;

use super::{Ec2, Result};
use crate::error::AwsError;

impl Ec2 {
    /// The running ones, since only those can be registered.
    pub(crate) async fn instances(
        &self,
        vpc: &str,
        filters: &[Ec2Filter],
    ) -> Result<BTreeSet<String>> {
        let of = |name: &str, values: &[String]| {
            Filter::builder()
                .name(name)
                .set_values(Some(values.to_vec()))
                .build()
        };
        let mut all: Vec<_> = filters.iter().map(|f| of(&f.name, &f.values)).collect();
        all.push(of("vpc-id", &[vpc.to_owned()]));
        all.push(of("instance-state-name", &["running".to_owned()]));
        let pages = self.client().describe_instances().set_filters(Some(all));
        let found: std::result::Result<Vec<_>, _> =
            pages.into_paginator().items().send().try_collect().await;
        let found = found.map_err(AwsError::of("DescribeInstances"))?;
        let instances = found.iter().flat_map(Reservation::instances);
        Ok(instances
            .filter_map(Instance::instance_id)
            .map(str::to_owned)
            .collect())
    }
}
