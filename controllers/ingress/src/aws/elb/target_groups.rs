use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_elasticloadbalancingv2::types as elb;
use ingress_core::{
    Arn, DesiredTargetGroup, Health, HealthCheck, Protocol, TargetGroup, TargetType,
};

use super::{Elb, gone_is_done, pairs, protocol, required, to_tags};
use crate::aws::{Listed, Result, TargetGroups};
use crate::error::AwsError;

const LIST: &str = "DescribeTargetGroups";
/// Targets in one call of RegisterTargets and DeregisterTargets.
const BATCH: usize = 200;

impl TargetGroups for Elb {
    async fn target_groups(&self) -> Result<Vec<Listed<TargetGroup>>> {
        let mut found = Vec::new();
        let mut marker = None;
        loop {
            self.limits.describe.turn().await;
            let page = self
                .client
                .describe_target_groups()
                .set_marker(marker)
                .send()
                .await
                .map_err(AwsError::of(LIST))?;
            for group in page.target_groups() {
                found.push(listed(group)?);
            }
            marker = page.next_marker.filter(|marker| !marker.is_empty());
            if marker.is_none() {
                return Ok(found);
            }
        }
    }

    async fn target_group_attributes(&self, group: &Arn) -> Result<BTreeMap<String, String>> {
        self.limits.describe.turn().await;
        let answer = self
            .client
            .describe_target_group_attributes()
            .target_group_arn(group.as_str())
            .send()
            .await
            .map_err(AwsError::of("DescribeTargetGroupAttributes"))?;
        Ok(pairs(answer.attributes(), |a| (a.key(), a.value())))
    }

    async fn targets(&self, group: &Arn) -> Result<BTreeMap<String, Health>> {
        self.limits.describe.turn().await;
        let answer = self
            .client
            .describe_target_health()
            .target_group_arn(group.as_str())
            .send()
            .await
            .map_err(AwsError::of("DescribeTargetHealth"))?;
        let target = |description: &elb::TargetHealthDescription| {
            let id = description.target()?.id()?.to_owned();
            Some((
                id,
                health(
                    description
                        .target_health()
                        .and_then(|health| health.state()),
                ),
            ))
        };
        Ok(answer
            .target_health_descriptions()
            .iter()
            .filter_map(target)
            .collect())
    }

    async fn create_target_group(&self, new: &DesiredTargetGroup) -> Result<Arn> {
        const CREATE: &str = "CreateTargetGroup";
        let check = &new.health_check;
        self.limits.change.turn().await;
        let answer = self
            .client
            .create_target_group()
            .name(&new.name)
            .target_type(match new.kind {
                TargetType::Instance => elb::TargetTypeEnum::Instance,
                TargetType::Ip => elb::TargetTypeEnum::Ip,
            })
            .protocol(protocol(new.protocol))
            .port(i32::from(new.port))
            .vpc_id(&new.vpc)
            .health_check_protocol(protocol(check.protocol))
            .health_check_path(&check.path)
            .health_check_port(check.port.to_string())
            .set_health_check_interval_seconds(i32::try_from(check.interval).ok())
            .set_health_check_timeout_seconds(check.timeout.and_then(|t| t.try_into().ok()))
            .set_healthy_threshold_count(i32::try_from(check.healthy_threshold).ok())
            .set_unhealthy_threshold_count(i32::try_from(check.unhealthy_threshold).ok())
            .set_tags(Some(to_tags(&new.tags)))
            .send()
            .await
            .map_err(AwsError::of(CREATE))?;
        let made = answer
            .target_groups()
            .first()
            .and_then(|made| made.target_group_arn());
        required(made, CREATE, "target group").map(Arn::new)
    }

    async fn set_health_check(&self, group: &Arn, check: &HealthCheck) -> Result<()> {
        self.limits.change.turn().await;
        self.client
            .modify_target_group()
            .target_group_arn(group.as_str())
            .health_check_protocol(protocol(check.protocol))
            .health_check_path(&check.path)
            .health_check_port(check.port.to_string())
            .set_health_check_interval_seconds(i32::try_from(check.interval).ok())
            .set_health_check_timeout_seconds(check.timeout.and_then(|t| t.try_into().ok()))
            .set_healthy_threshold_count(i32::try_from(check.healthy_threshold).ok())
            .set_unhealthy_threshold_count(i32::try_from(check.unhealthy_threshold).ok())
            .send()
            .await
            .map_err(AwsError::of("ModifyTargetGroup"))?;
        Ok(())
    }

    async fn set_target_group_attributes(
        &self,
        group: &Arn,
        set: &BTreeMap<String, String>,
    ) -> Result<()> {
        let attributes = set
            .iter()
            .map(|(key, value)| {
                elb::TargetGroupAttribute::builder()
                    .key(key)
                    .value(value)
                    .build()
            })
            .collect();
        self.limits.change.turn().await;
        self.client
            .modify_target_group_attributes()
            .target_group_arn(group.as_str())
            .set_attributes(Some(attributes))
            .send()
            .await
            .map_err(AwsError::of("ModifyTargetGroupAttributes"))?;
        Ok(())
    }

    async fn delete_target_group(&self, group: &Arn) -> Result<()> {
        self.limits.change.turn().await;
        let deleted = self
            .client
            .delete_target_group()
            .target_group_arn(group.as_str())
            .send()
            .await
            .map_err(AwsError::of("DeleteTargetGroup"));
        gone_is_done(deleted.map(drop))
    }

    async fn register(&self, group: &Arn, targets: &BTreeSet<String>) -> Result<()> {
        for batch in batches(targets) {
            self.limits.register.turn().await;
            self.client
                .register_targets()
                .target_group_arn(group.as_str())
                .set_targets(Some(batch))
                .send()
                .await
                .map_err(AwsError::of("RegisterTargets"))?;
        }
        Ok(())
    }

    async fn deregister(&self, group: &Arn, targets: &BTreeSet<String>) -> Result<()> {
        for batch in batches(targets) {
            self.limits.register.turn().await;
            self.client
                .deregister_targets()
                .target_group_arn(group.as_str())
                .set_targets(Some(batch))
                .send()
                .await
                .map_err(AwsError::of("DeregisterTargets"))?;
        }
        Ok(())
    }
}

fn batches(targets: &BTreeSet<String>) -> Vec<Vec<elb::TargetDescription>> {
    let targets: Vec<_> = targets
        .iter()
        .map(|id| elb::TargetDescription::builder().id(id).build())
        .collect();
    targets.chunks(BATCH).map(<[_]>::to_vec).collect()
}

fn health(state: Option<&elb::TargetHealthStateEnum>) -> Health {
    match state {
        Some(elb::TargetHealthStateEnum::Healthy) => Health::Healthy,
        Some(elb::TargetHealthStateEnum::Draining) => Health::Draining,
        _ => Health::NotHealthy,
    }
}

fn from_protocol(protocol: Option<&elb::ProtocolEnum>) -> Option<Protocol> {
    match protocol {
        Some(elb::ProtocolEnum::Http) => Some(Protocol::Http),
        Some(elb::ProtocolEnum::Https) => Some(Protocol::Https),
        Some(elb::ProtocolEnum::Tcp) => Some(Protocol::Tcp),
        Some(elb::ProtocolEnum::Tls) => Some(Protocol::Tls),
        _ => None,
    }
}

fn listed(group: &elb::TargetGroup) -> Result<Listed<TargetGroup>> {
    Ok(Listed {
        name: required(group.target_group_name(), LIST, "name")?.to_owned(),
        vpc: group.vpc_id().unwrap_or_default().to_owned(),
        resource: TargetGroup {
            arn: Arn::new(required(group.target_group_arn(), LIST, "ARN")?),
            kind: match group.target_type() {
                Some(elb::TargetTypeEnum::Instance) => Some(TargetType::Instance),
                Some(elb::TargetTypeEnum::Ip) => Some(TargetType::Ip),
                _ => None,
            },
            protocol: from_protocol(group.protocol()),
            port: group
                .port()
                .and_then(|port| port.try_into().ok())
                .unwrap_or_default(),
            health_check: health_check(group),
            tags: BTreeMap::new(),
            attributes: BTreeMap::new(),
            targets: BTreeMap::new(),
            load_balancers: group.load_balancer_arns().iter().map(Arn::new).collect(),
        },
    })
}

/// The check, if it is one that can be made here.
fn health_check(group: &elb::TargetGroup) -> Option<HealthCheck> {
    let number = |field: Option<i32>| field.and_then(|n| u32::try_from(n).ok());
    Some(HealthCheck {
        protocol: from_protocol(group.health_check_protocol())?,
        path: group.health_check_path()?.to_owned(),
        port: group.health_check_port()?.parse().ok()?,
        interval: number(group.health_check_interval_seconds())?,
        timeout: number(group.health_check_timeout_seconds()),
        healthy_threshold: number(group.healthy_threshold_count())?,
        unhealthy_threshold: number(group.unhealthy_threshold_count())?,
    })
}
