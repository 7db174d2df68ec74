use std::collections::BTreeMap;

use aws_sdk_elasticloadbalancingv2::types as elb;
use ingress_core::{
    Arn, IpAddressType, LoadBalancer, LoadBalancerType, NewLoadBalancer, Scheme, State,
};

use super::{Elb, gone_is_done, pairs, required, timestamp, to_tags};
use crate::aws::{Listed, LoadBalancers, Result};
use crate::error::AwsError;

const LIST: &str = "DescribeLoadBalancers";

impl LoadBalancers for Elb {
    async fn load_balancers(&self) -> Result<Vec<Listed<LoadBalancer>>> {
        let mut found = Vec::new();
        let mut marker = None;
        loop {
            self.limits.describe.turn().await;
            let page = self
                .client
                .describe_load_balancers()
                .set_marker(marker)
                .send()
                .await
                .map_err(AwsError::of(LIST))?;
            for balancer in page.load_balancers() {
                found.push(listed(balancer)?);
            }
            marker = page.next_marker.filter(|marker| !marker.is_empty());
            if marker.is_none() {
                return Ok(found);
            }
        }
    }

    async fn attributes(&self, balancer: &Arn) -> Result<BTreeMap<String, String>> {
        self.limits.describe.turn().await;
        let answer = self
            .client
            .describe_load_balancer_attributes()
            .load_balancer_arn(balancer.as_str())
            .send()
            .await
            .map_err(AwsError::of("DescribeLoadBalancerAttributes"))?;
        Ok(pairs(answer.attributes(), |a| (a.key(), a.value())))
    }

    async fn create(&self, new: &NewLoadBalancer) -> Result<Arn> {
        const CREATE: &str = "CreateLoadBalancer";
        self.limits.change.turn().await;
        let answer = self
            .client
            .create_load_balancer()
            .name(&new.name)
            .r#type(match new.kind {
                LoadBalancerType::Application => elb::LoadBalancerTypeEnum::Application,
                LoadBalancerType::Network => elb::LoadBalancerTypeEnum::Network,
            })
            .scheme(match new.scheme {
                Scheme::Internal => elb::LoadBalancerSchemeEnum::Internal,
                Scheme::InternetFacing => elb::LoadBalancerSchemeEnum::InternetFacing,
            })
            .ip_address_type(ip_address_type(new.ip_address_type))
            .set_security_groups(new.security_group.clone().map(|group| vec![group]))
            .set_subnets(Some(new.subnets.values().cloned().collect()))
            .set_tags(Some(to_tags(&new.tags)))
            .send()
            .await
            .map_err(AwsError::of(CREATE))?;
        let made = answer
            .load_balancers()
            .first()
            .and_then(|made| made.load_balancer_arn());
        required(made, CREATE, "load balancer").map(Arn::new)
    }

    async fn set_attributes(&self, balancer: &Arn, set: &BTreeMap<String, String>) -> Result<()> {
        let attributes = set
            .iter()
            .map(|(key, value)| {
                elb::LoadBalancerAttribute::builder()
                    .key(key)
                    .value(value)
                    .build()
            })
            .collect();
        self.limits.change.turn().await;
        self.client
            .modify_load_balancer_attributes()
            .load_balancer_arn(balancer.as_str())
            .set_attributes(Some(attributes))
            .send()
            .await
            .map_err(AwsError::of("ModifyLoadBalancerAttributes"))?;
        Ok(())
    }

    async fn set_security_group(&self, balancer: &Arn, group: &str) -> Result<()> {
        self.limits.change.turn().await;
        self.client
            .set_security_groups()
            .load_balancer_arn(balancer.as_str())
            .security_groups(group)
            .send()
            .await
            .map_err(AwsError::of("SetSecurityGroups"))?;
        Ok(())
    }

    async fn set_ip_address_type(&self, balancer: &Arn, set: IpAddressType) -> Result<()> {
        self.limits.change.turn().await;
        self.client
            .set_ip_address_type()
            .load_balancer_arn(balancer.as_str())
            .ip_address_type(ip_address_type(set))
            .send()
            .await
            .map_err(AwsError::of("SetIpAddressType"))?;
        Ok(())
    }

    async fn set_subnets(&self, balancer: &Arn, subnets: &BTreeMap<String, String>) -> Result<()> {
        self.limits.change.turn().await;
        self.client
            .set_subnets()
            .load_balancer_arn(balancer.as_str())
            .set_subnets(Some(subnets.values().cloned().collect()))
            .send()
            .await
            .map_err(AwsError::of("SetSubnets"))?;
        Ok(())
    }

    async fn delete(&self, balancer: &Arn) -> Result<()> {
        self.limits.change.turn().await;
        let deleted = self
            .client
            .delete_load_balancer()
            .load_balancer_arn(balancer.as_str())
            .send()
            .await
            .map_err(AwsError::of("DeleteLoadBalancer"));
        gone_is_done(deleted.map(drop))
    }
}

fn ip_address_type(of: IpAddressType) -> elb::IpAddressType {
    match of {
        IpAddressType::Ipv4 => elb::IpAddressType::Ipv4,
        IpAddressType::Dualstack => elb::IpAddressType::Dualstack,
    }
}

fn listed(balancer: &elb::LoadBalancer) -> Result<Listed<LoadBalancer>> {
    let state = balancer.state().and_then(|state| state.code());
    let subnet = |zone: &elb::AvailabilityZone| {
        Some((zone.zone_name()?.to_owned(), zone.subnet_id()?.to_owned()))
    };
    Ok(Listed {
        name: required(balancer.load_balancer_name(), LIST, "name")?.to_owned(),
        vpc: balancer.vpc_id().unwrap_or_default().to_owned(),
        resource: LoadBalancer {
            arn: Arn::new(required(balancer.load_balancer_arn(), LIST, "ARN")?),
            dns_name: balancer.dns_name().unwrap_or_default().to_owned(),
            state: match state {
                Some(
                    elb::LoadBalancerStateEnum::Active | elb::LoadBalancerStateEnum::ActiveImpaired,
                ) => State::Active,
                Some(elb::LoadBalancerStateEnum::Failed) => State::Failed,
                _ => State::Provisioning,
            },
            created: timestamp(balancer.created_time()),
            ip_address_type: match balancer.ip_address_type() {
                Some(elb::IpAddressType::Ipv4) => Some(IpAddressType::Ipv4),
                Some(elb::IpAddressType::Dualstack) => Some(IpAddressType::Dualstack),
                _ => None,
            },
            security_groups: balancer.security_groups().iter().cloned().collect(),
            subnets: balancer
                .availability_zones()
                .iter()
                .filter_map(subnet)
                .collect(),
            tags: BTreeMap::new(),
            attributes: BTreeMap::new(),
            listeners: BTreeMap::new(),
            has_web_acl: false,
        },
    })
}
